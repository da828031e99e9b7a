"""Proven: a core that stops without ending (SIGSTOP, as a machine that swaps or a hypervisor that pauses).
The leader's rqlited alone: every core goes on answering, the others elect another leader, and writes go
on. A whole core, dnsd and rqlited: the others lose nothing and answer nothing wrong; after a while they
leave it out of the service names, but not out of lsc; continued, it answers within a second and right,
catches up, and is in the service names again. Acknowledged writes are everywhere."""
import signal

import pytest

import clients
import cluster as c
import harness

DEAD_S = 20  # a core that is not heard of for this long is out of the service names

if not harness.INSIDE:

    def test_in_namespaces():
        harness.rerun_in_namespace(__file__, "-n", "-m")

else:

    @pytest.fixture(scope="module")
    def cluster():
        made = c.Cluster(c.newest()).form()
        yield made
        made.end()

    def test_leaders_rqlited(cluster):
        leader = cluster.leader()
        others = cluster.others(leader)
        with clients.Stream(cluster) as stream:
            with clients.Writer(cluster, others, "leader") as writer:
                writer.wait_acknowledged(3)
                leader.signal(signal.SIGSTOP, dnsd=False)
                new = cluster.leader(others)
                print(f"paused {leader.id}, {new.id} leads")
                writer.wait_acknowledged(5)
                leader.signal(signal.SIGCONT, dnsd=False)
                cluster.ready()
                writer.wait_acknowledged(3)
            writer.all_there()
            stream.faultless("leader's rqlited paused", cluster)
        cluster.agree()

    def test_whole_core(cluster):
        core = cluster.leader()
        others = cluster.others(core)
        with clients.Stream(cluster) as stream:
            with clients.Writer(cluster, others, "core") as writer:
                writer.wait_acknowledged(3)
                core.signal(signal.SIGSTOP)
                began = c.now()
                cluster.leader(others)
                writer.wait_acknowledged(5)
            for other in others:
                harness.until(f"{other.id} leaves {core.id} out of reg", lambda other=other:
                              core.ip not in other.values("reg"), DEAD_S + 15, 0.1)
                assert core.ip in other.values("lsc") and core.ip in other.values(core.id)
            print(f"{core.id} was out of reg after {c.now() - began:.1f} s")
            assert c.now() - began > DEAD_S - 6, "too early: a pause of a few seconds is no death"
            core.signal(signal.SIGCONT)
            core.started = c.now()
            first, took = stream.first_answer(core)
            print(f"continued, it answers after {took * 1000:.0f} ms")
            assert took < c.SECOND_S
            cluster.ready()
            for other in cluster:
                harness.until(f"{other.id} has {core.id} in reg again", lambda other=other:
                              core.ip in other.values("reg"), DEAD_S, 0.1)
            writer.all_there()
            stream.faultless("a core paused, the others", others)
            stream.faultless("itself, continued", [core], first)
        cluster.agree()
