"""Proven: the disk of one node is full, a follower's and then the leader's. Every core goes on answering
every question right, the full one included; writes on the others go on (for the leader's disk: once
another leads). The full one stops its rqlited, and says so. With space again the node is what the
others are, digest and all, without anybody's help, and every acknowledged write is everywhere."""
import os

import pytest

import clients
import cluster as c
import harness

DISK = "48m"
ROUNDS = 3  # which write is the first that has no room, in the log or in the database, is chance

if not harness.INSIDE:

    def test_in_namespaces():
        harness.rerun_in_namespace(__file__, "-n", "-m")

else:

    @pytest.fixture(scope="module")
    def cluster():
        made = c.Cluster(c.newest(), disk=DISK).form()
        yield made
        made.end()

    def fill(core):
        """Until not an octet fits."""
        with open(os.path.join(core.data, "ballast"), "ab", buffering=0) as f:
            for size in (65536, 4096, 512, 1):
                try:
                    while True:
                        f.write(b"x" * size)
                except OSError:
                    continue

    def free(core):
        os.unlink(os.path.join(core.data, "ballast"))

    def core_is_stopped(cluster, core):
        def told():
            rqlite = core.status()["rqlite"]
            return rqlite["pid"] == 0 and rqlite["state"] == "waiting" and \
                "until there is room" in rqlite["lastExit"]
        cluster.until(core.id + " has stopped its rqlited, for its disk is full", told, 20, 0.1)

    def full_disk(cluster, core, what):
        others = cluster.others(core)
        with clients.Stream(cluster) as stream:
            with clients.Writer(cluster, others, what) as writer:
                writer.wait_acknowledged(3)
                for _ in range(ROUNDS):
                    fill(core)
                    writer.wait_acknowledged(10, deadline_s=60)
                    core_is_stopped(cluster, core)
                    failed = core.dnsctl("records", "set", "onfull", "A", "192.0.2.99", expect=None)
                    print(f"{what}: a write there: exit {failed.code} {failed.err.strip()}")
                    free(core)
                    cluster.ready(deadline_s=60)
                    writer.wait_acknowledged(3)
            writer.all_there()
            stream.faultless(f"{what}'s disk full", cluster)
        cluster.settled()
        cluster.agree()

    def test_follower(cluster):
        full_disk(cluster, cluster.others(cluster.leader())[0], "follower")

    def test_leader(cluster):
        full_disk(cluster, cluster.leader(), "leader")
