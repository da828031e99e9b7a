"""Proven: the cluster's network is cut, clients reach every core all the same, and every core answers
every question right: with a follower cut off, with the leader cut off, and with all three cut off from
each other. A part with the majority goes on writing; one without fails, in time, and with the exit code
that says so; a core without a leader says in its status that its rows may be old. Healed, all are one
again, and every write that was acknowledged is everywhere."""
import pytest

import clients
import cluster as c
import harness

NO_QUORUM = 3  # dnsctl's exit code

if not harness.INSIDE:

    def test_in_namespaces():
        harness.rerun_in_namespace(__file__, "-n", "-m")

else:

    @pytest.fixture(scope="module")
    def cluster():
        made = c.Cluster(c.newest()).form()
        yield made
        made.end()

    def cut(cluster, cores, what):
        """CORES lose each other and the rest; the rest, if it is a majority, writes on."""
        rest = cluster.others(*cores) if len(cores) == 1 else []
        with clients.Stream(cluster) as stream:
            with clients.Writer(cluster, rest or cluster, what) as writer:
                writer.wait_acknowledged(3)
                for core in cores:
                    core.cut()
                for core in cores:
                    harness.until(f"{core.id} says that it is cut off",
                                  lambda core=core: core.status()["stale"], 30, 0.1)
                failed = cores[0].dnsctl("records", "set", "cutoff", "A", "192.0.2.99",
                                         expect=NO_QUORUM)
                assert len(failed.err.strip().splitlines()) == 1, failed.err
                print(f"{what}: a write says: {failed.err.strip()}")
                if rest:
                    writer.wait_acknowledged(3)
                for core in cores:
                    core.heal()
                cluster.ready()
                writer.wait_acknowledged(3)
                for core in cores:
                    harness.until(f"{core.id} is up to date again",
                                  lambda core=core: not core.status()["stale"], 30, 0.1)
            writer.all_there()
            for core in cluster:
                assert core.values("cutoff") == ["NXDOMAIN"], "nothing was written, it was said"
            stream.faultless(what, cluster)
        cluster.agree()

    def test_follower(cluster):
        cut(cluster, cluster.others(cluster.leader())[:1], "follower")

    def test_leader(cluster):
        cut(cluster, [cluster.leader()], "leader")

    def test_all_from_each_other(cluster):
        cut(cluster, cluster.cores, "all")
