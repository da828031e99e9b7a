"""Proven: certificates of nodes that live for a minute are renewed in time, over mutual TLS with the core that has the CA (and by
that core for itself), twice on each of three voters while rows are written all the time: no election, no write that fails,
nobody out of reach, and nodes show another certificate at their Raft ports long after the first one has expired. By
hand as well. While the holder is away the others say so, and go on when it is back."""
import json
import os
import time

import pytest

import harness
import joined
from clients import Writer
from harness import until

LIFETIME_S = 60

if not harness.INSIDE:

    def test_in_namespaces():
        harness.rerun_in_namespace(__file__, "-n", "-m", deadline_s=560)

else:

    os.environ["DNSD_TEST_NODE_LIFETIME_S"] = str(LIFETIME_S)  # of dnsd's and of dnsctl's

    def serial(core):
        return core.status()["cluster"]["node"]["serial"]

    def gate(core):
        return core.status()["cluster"]["gate"]

    def term(core):
        """It grows with each election that is begun."""
        status, text = core.http("GET", "/status?key=store")
        assert status == 200
        return int(json.loads(text)["raft"]["term"])

    @pytest.fixture(scope="module")
    def cluster():
        made = joined.Joining(count=3)
        a = made.begin()
        for core in (made[1], made[2]):
            bundle = made.bundle(core)
            made.until("core-a admits cores", lambda: a.status()["cluster"]["joining"], 20, 0.1)
            core.join(bundle, "--bootstrap-as-voter")
            made.available(a, core)
        made.ready()
        yield made
        made.end()

    def test_twice_under_load(cluster):
        began = time.monotonic()
        terms = {core.id: term(core) for core in cluster}
        seen = {core.id: [serial(core)] for core in cluster}
        refused = {core.id: gate(core)["refused"] for core in cluster}  # rqlited tries HTTP before it joins

        def renewed():
            for core in cluster:
                now = serial(core)
                if seen[core.id][-1] != now:
                    seen[core.id].append(now)
            return all(len(serials) > 2 for serials in seen.values())
        with Writer(cluster, cluster) as writer:
            cluster.until("each has had three certificates", renewed, 3 * LIFETIME_S, 1.0)
        took = time.monotonic() - began
        assert took > LIFETIME_S / 3, "nobody waited for a third of the lifetime"
        assert {core.id: term(core) for core in cluster} == terms, "there was an election"
        assert not writer.failed, writer.failed
        writer.all_there()
        for core in cluster:
            assert (gate(core)["failed"], gate(core)["refused"]) == (0, refused[core.id]), gate(core)
        until("the first certificates are over", lambda: time.monotonic() - began > LIFETIME_S + 1, LIFETIME_S, 1.0)
        cluster[0].dnsctl("records", "set", "later", "A", "192.0.2.77")
        cluster.everywhere("later", ["192.0.2.77"])
        print(f"{sum(len(s) - 1 for s in seen.values())} renewals in {took:.0f} s; {len(writer.acknowledged)} writes, "
              f"none failed; term {terms['core-a']} all the while")

    def test_by_hand(cluster):
        for core in cluster:
            before = serial(core)
            core.bootstrap("renew-node")
            assert serial(core) != before

    def test_without_the_holder(cluster):
        a, b, other = cluster
        a.stop()
        until("the others have a leader", lambda: b.leads() or other.leads(), 30, 0.2)
        before = serial(b)
        refused = b.bootstrap("renew-node", expect=None)
        assert refused.code != 0 and refused.err, refused
        a.spawn()
        cluster.ready()
        until("it is renewed when the holder is back", lambda: serial(b) != before, LIFETIME_S, 0.5)
