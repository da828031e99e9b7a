"""Proven: cores become a cluster through the name lsc alone. Three founders are started one after the
other, in no particular order: each answers within a second, with the founders in lsc, while there is
no database yet; two of them do not found a cluster without the third; with it all are one. A fourth
core, which knows no address but its resolver's, joins as non-voter and answers what the others do. A
core that is removed is gone from lsc everywhere and from every node's list of members. With the oldest
and the newest rqlite."""
import pytest

import cluster as c
import harness

if not harness.INSIDE:

    def test_in_namespaces():
        harness.rerun_in_namespace(__file__, "-n", "-m")

else:

    @pytest.fixture(scope="module", params=c.oldest_and_newest(), ids=c.rqlited.version)
    def cluster(request):
        made = c.Cluster(request.param)
        yield made
        made.end()

    def lsc_everywhere(cluster, cores):
        cluster.everywhere("lsc", [core.ip for core in cores], cores=cores)

    def test_three_from_nothing(cluster):
        third, first, second = cluster[2], cluster[0], cluster[1]
        for core in (third, first, second):
            core.spawn()
            harness.until(f"{core.id} answers", lambda core=core: core.values("lsc"), 10)
            took = c.now() - core.started
            assert core.values("lsc") == cluster.founders
            print(f"{core.id}: lsc after {took * 1000:.0f} ms")
            assert took < c.SECOND_S
            harness.until(f"{core.id}'s rqlited", core.http_up, c.START_S, 0.05)
            if core is first:
                # Time enough for a node that would found a cluster with less than all.
                harness.until("third and first have asked each other",
                              lambda: c.now() - core.started > 4, 6, 0.1)
                assert not any(n.get("leader") for n in {**third.nodes(), **first.nodes()}.values())
        cluster.ready()
        print(f"a leader {c.now() - second.started:.1f} s after the last was started")
        voters = {n["id"] for n in first.nodes().values() if n["voter"]}
        assert voters == {core.id for core in cluster}
        cluster.populate()
        lsc_everywhere(cluster, cluster)
        cluster.agree()

    def test_fourth_joins_as_non_voter(cluster):
        fourth = cluster.add(resolver=cluster[0].ip, config={
            "core": {"nonVoter": True}, "dns": {"staticEntries": None}})
        fourth.spawn()
        cluster.ready()
        assert fourth.nodes()[fourth.id]["voter"] is False
        harness.until("its role is told",
                      lambda: fourth.status()["rqlite"]["role"] == "non-voter", 10, 0.1)
        cluster.settled()
        lsc_everywhere(cluster, cluster)
        cluster.agree()
        fourth.dnsctl("records", "set", "fourth", "A", "192.0.2.4")
        cluster.everywhere("fourth", ["192.0.2.4"], deadline_s=5)

    def test_removed_core_is_gone(cluster):
        fourth, rest = cluster[3], cluster.cores[:3]
        fourth.stop()
        rest[1].dnsctl("cores", "delete", fourth.id)
        lsc_everywhere(cluster, rest)
        for core in rest:
            harness.until(f"{core.id}'s rqlited has forgotten {fourth.id}",
                          lambda core=core: set(core.nodes()) == {one.id for one in rest}, 30, 0.1)
            assert core.values(fourth.id) == ["NXDOMAIN"]
        cluster.agree(rest)
