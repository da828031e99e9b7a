"""Proven: SIGSTOP of the core that holds the lease, at each state of its order, until another has finished
it; then SIGCONT: what it still wanted to write is refused (fencing), it says so, and shows the new serial
like the others. Exactly one certificate, at the most one order more, no proof left, none failed. The
same for one that is cut off from the other cores but not from the CA."""
import signal
import time

import pytest

import acme
import certified
import faults
import harness

if not harness.INSIDE:

    def test_in_namespaces():
        harness.rerun_in_namespace(__file__, "-n", "-m", deadline_s=1700)

else:

    @pytest.fixture(scope="module")
    def cluster():
        made = certified.Certified()
        made.form().newest(1)
        assert made.ca.invalid() == 0, made.ca.failures()
        yield made
        made.end()

    @pytest.mark.parametrize("state", faults.STATES)
    def test_at(cluster, state):
        faults.strike(cluster, state, "stop")

    @pytest.mark.parametrize("state", ["ordered", "prove", "validate"])
    def test_cut_off(cluster, state):
        """Stopped at that state so that it is known where it is, cut off, and woken: now it has a CA and no
        cluster. It must not finish: it cannot know that it still holds the lease."""
        holder, others = cluster[0], cluster.others(cluster[0])
        holder.stop()
        holder.env = {**cluster.environment, **acme.fault(state, "stop")}
        holder.spawn()
        cluster.ready()
        cluster.held_by(holder)
        cluster.forget_attempts()
        term = cluster.lease()[1]
        issued, orders = len(cluster.ca.issued()), cluster.ca.orders()
        cluster.force(others[0])
        certified.wait_fault(holder, "stop")
        cluster.asked_of(others)
        holder.cut()
        holder.process.signal(signal.SIGCONT)
        began = time.monotonic()
        serial = cluster.newest(issued + 1, others, certified.TAKEOVER_S)
        print(f"cut off at {state}: another finished after {time.monotonic() - began:.1f} s")
        assert cluster.lease(others[0])[1] > term
        assert holder.alive()
        holder.heal()
        cluster.ready()
        assert cluster.newest(issued + 1) == serial
        cluster.asked_of(cluster)
        cluster.clean()
        assert len(cluster.ca.issued()) == issued + 1 and cluster.ca.orders() - orders <= 2
        assert cluster.ca.invalid() == 0
        cluster.agree()
