"""Proven: the procedures of docs/OPERATIONS.md. One core by itself becomes three voters, one after the
other, and one again; a core whose disk was lost comes back by itself, and under its own name after it
was removed; a backup, restored into an empty folder, is answered. The first core loses no question and
answers none wrong all the time."""
import pytest

import clients
import cluster as c
import harness

if not harness.INSIDE:

    def test_in_namespaces():
        harness.rerun_in_namespace(__file__, "-n", "-m")

else:
    ALONE = {"dns": {"staticEntries": None}, "cluster": {"discoveryEnabled": None}}
    LATER = {"dns": {"staticEntries": None}}

    @pytest.fixture(scope="module")
    def cluster():
        made = c.Cluster(c.newest(), 1, config=ALONE)
        yield made
        made.end()

    @pytest.fixture(scope="module")
    def stream(cluster):
        """Asks the first core for what does not change."""
        first = cluster[0]
        first.spawn()
        cluster.everywhere(first.id, [first.ip])
        first.dnsctl("users", "set", "alice", first.id)
        first.dnsctl("records", "set", "web", "A", "192.0.2.80")
        cluster.everywhere("web", ["192.0.2.80"])
        wanted = {name: judge for name, judge in cluster.expected().items()
                  if name.split(".")[0] in ("alice", "web", "core-a", "nobody")}
        with clients.Stream(cluster, wanted=wanted) as made:
            yield made

    def members(cluster, cores, voters=None):
        """Until they are the cluster, for rqlite and for lsc."""
        cluster.ready(cores)
        ids = {core.id for core in cores}
        for core in cores:
            harness.until(f"{core.id} knows {ids}", lambda core=core: set(core.nodes()) == ids,
                          c.START_S, 0.1)
            assert {n["id"] for n in core.nodes().values() if n["voter"]} == (voters or ids)
        cluster.everywhere("lsc", [core.ip for core in cores], cores=cores)
        cluster.agree(cores)

    def test_one_to_three(cluster, stream):
        first = cluster[0]
        harness.until("status says that it leads",
                      lambda: "rqlite     ready, leader" in first.dnsctl("status", expect=None).out, 10, 0.1)
        for _ in range(2):
            cluster.add(resolver=first.ip, config=LATER).spawn()
            members(cluster, cluster.cores)
        stream.faultless("one to three", [first])

    def test_lost_disk(cluster, stream):
        third = cluster[2]
        third.kill()
        third.wipe()
        third.spawn()
        members(cluster, cluster.cores)
        stream.faultless("a lost disk", [cluster[0]])

    def test_dead_core_replaced(cluster, stream):
        second, third = cluster[1], cluster[2]
        second.dnsctl("users", "set", "carol", third.id)
        third.kill()
        third.wipe()
        assert third.id in second.dnsctl("cores", "delete", third.id, expect=1).err, "it has a user"
        second.dnsctl("cores", "delete", third.id, "--force")
        members(cluster, cluster.cores[:2])
        third.spawn()
        members(cluster, cluster.cores)
        cluster.everywhere("carol", [third.ip])
        stream.faultless("a dead core replaced", [cluster[0]])

    def test_three_to_one(cluster, stream):
        first = cluster[0]
        first.dnsctl("users", "set", "carol", first.id)
        second, third = cluster[1], cluster[2]
        first.dnsctl("cores", "drain", third.id)
        third.stop()
        first.dnsctl("cores", "delete", third.id)
        members(cluster, [first, second])
        # Of two voters both are needed, also to let one go.
        first.dnsctl("cores", "drain", second.id)
        first.dnsctl("cores", "delete", second.id)
        second.stop()
        members(cluster, [first])
        first.dnsctl("records", "set", "again", "A", "192.0.2.81")
        cluster.everywhere("again", ["192.0.2.81"], cores=[first])
        stream.faultless("three to one", [first])

    def test_backup_and_restore(cluster, stream):
        first = cluster[0]
        status, copy = first.http("GET", "/db/backup")
        assert status == 200 and copy.startswith(b"SQLite format 3")
        first.stop()
        first.wipe()
        first.spawn()
        cluster.ready([first])
        status, said = first.http("POST", "/db/load", copy)
        assert status == 200, said
        first.stop()
        first.spawn()
        cluster.ready([first])
        cluster.everywhere("again", ["192.0.2.81"], cores=[first])
        cluster.everywhere("carol", [first.ip], cores=[first])
        first.dnsctl("records", "set", "after", "A", "192.0.2.82")
        cluster.everywhere("after", ["192.0.2.82"], cores=[first])
        del stream
