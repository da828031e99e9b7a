"""Proven: all three cores end at once, by SIGTERM and by kill -9, and are started again. While none runs
nobody can answer; but each core answers within a second of its start, before there is a leader, and
from its first answer on it loses no question and answers none wrong. Every write that was acknowledged
before is everywhere, and new ones go through."""
import threading

import pytest

import clients
import cluster as c
import harness

if not harness.INSIDE:

    def test_in_namespaces():
        harness.rerun_in_namespace(__file__, "-n", "-m")

else:

    @pytest.fixture(scope="module")
    def cluster():
        made = c.Cluster(c.newest()).form()
        yield made
        made.end()

    def all_at_once(cluster, end, what):
        with clients.Stream(cluster) as stream:
            with clients.Writer(cluster, cluster, what) as writer:
                writer.wait_acknowledged(10)
            began = c.now()
            enders = [threading.Thread(target=end, args=(core,)) for core in cluster]
            for one in enders:
                one.start()
            for one in enders:
                one.join(60)
            assert not any(core.alive() for core in cluster)
            stream.faultless(f"{what}, before", cluster, before=began)
            for core in cluster:
                core.spawn()
            for core in cluster:
                first, took = stream.first_answer(core)
                print(f"{what}: {core.id} answers {took * 1000:.0f} ms after its start")
                assert took < c.SECOND_S
                core.first = first
            cluster.ready()
            print(f"{what}: whole again {c.now() - cluster[2].started:.1f} s after the start")
            writer.all_there()
            for core in cluster:
                stream.faultless(f"{what}, {core.id} since its first answer", [core], core.first)
            with clients.Writer(cluster, cluster, what + "-after") as writer:
                writer.wait_acknowledged(3)
            writer.all_there()
        cluster.agree()

    def test_sigterm(cluster):
        all_at_once(cluster, lambda core: core.stop(), "sigterm")

    def test_kill(cluster):
        all_at_once(cluster, lambda core: core.kill(), "kill")
