"""Proven: three cores, one certificate. They order it once, by the core that is preferred; all of them show
it, verified by openssl, within seconds of the CA's word; another one that an operator of any core asks for
is shown by all again, the time printed. A core that comes later, or whose files were deleted while it
was down, shows it too and orders nothing. A core that lags behind is waited for before the CA is asked
to look: no authorization fails."""
import os
import shutil
import signal
import time

import pytest

import certified
import cluster as c
import harness
from certified import EVERYWHERE_S

if not harness.INSIDE:

    def test_in_namespaces():
        harness.rerun_in_namespace(__file__, "-n", "-m", deadline_s=560)

else:

    @pytest.fixture(scope="module")
    def cluster():
        made = certified.Certified()
        yield made
        made.end()

    def test_first(cluster):
        watch = certified.Stopwatch(cluster, 1)
        cluster.form()
        serial = cluster.newest(1)
        took = watch.told("the first certificate")
        cluster.verified()
        cluster.clean()
        assert (cluster.ca.issued(), cluster.ca.orders(), cluster.ca.invalid()) == ([serial], 1, 0), \
            cluster.story()
        holder, term = cluster.lease()
        assert (holder, term) != ("", 0)
        assert len(cluster.rows("SELECT * FROM acme_account")) == 1
        assert took < EVERYWHERE_S

    @pytest.mark.parametrize("index", [0, 1, 2])
    def test_asked_for_at_any_core(cluster, index):
        count = len(cluster.ca.issued())
        cluster.forget_attempts()
        watch = certified.Stopwatch(cluster, count + 1)
        cluster.force(cluster[index])
        cluster.newest(count + 1)
        took = watch.told(f"asked for at {cluster[index].id}")
        assert len(cluster.ca.issued()) == cluster.ca.orders() == count + 1, cluster.story()
        cluster.clean()
        cluster.verified()
        assert took < EVERYWHERE_S

    def test_deleted_files(cluster):
        core = cluster[2]
        count = len(cluster.ca.issued())
        core.stop()
        shutil.rmtree(core.config["letsEncrypt"]["tlsDir"])
        core.spawn()
        cluster.ready()
        cluster.newest(count)
        assert os.path.exists(os.path.join(core.config["letsEncrypt"]["tlsDir"], "wildcard." + harness.DOMAIN,
                                           "privkey.pem"))
        assert cluster.ca.orders() == count

    def test_lagging_core(cluster):
        """Its database stands still: it does not have the proofs yet, and a validator might ask it."""
        holder = cluster.lease()[0]
        slow = next(core for core in cluster if core.id != holder and not core.leads())
        count, asked = len(cluster.ca.issued()), cluster.ca.requests("POST /chalZ/")
        cluster.forget_attempts()
        slow.signal(signal.SIGSTOP, dnsd=False)
        cluster.force(next(core for core in cluster if core.id == holder))
        began = time.monotonic()
        harness.until("the proofs are published", lambda: cluster.rows("SELECT * FROM challenge", next(
            core for core in cluster if core is not slow)), 30, 0.05)
        while time.monotonic() - began < 8:
            assert cluster.ca.requests("POST /chalZ/") == asked, "the CA was asked to look too early"
            time.sleep(0.05)
        slow.signal(signal.SIGCONT, dnsd=False)
        cluster.newest(count + 1)
        assert cluster.ca.invalid() == 0 and cluster.ca.orders() == count + 1
        cluster.clean()

    def test_a_new_core(cluster):
        """The holder stops: somebody else goes on at once with the lease that was given back."""
        holder = next(core for core in cluster if core.id == cluster.lease()[0])
        term = cluster.lease()[1]
        others = cluster.others(holder)
        count = len(cluster.ca.issued())
        holder.stop()
        cluster.asked_of(others)
        cluster.forget_attempts()
        cluster.force(others[0])
        began = c.now()
        cluster.newest(count + 1, others, certified.TAKEOVER_S)
        print(f"{holder.id} stopped: the next certificate after {c.now() - began:.1f} s")
        assert cluster.lease(others[0])[1] > term and cluster.lease(others[0])[0] != holder.id
        holder.spawn()
        cluster.ready()
        cluster.asked_of(cluster)
        cluster.newest(count + 1)
        assert cluster.ca.orders() == count + 1
        cluster.agree()
