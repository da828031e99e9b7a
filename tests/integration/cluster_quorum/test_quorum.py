"""Proven: two of three cores are gone. The last one goes on answering every question and reading its rows;
a write fails with one clear line and an exit code of its own, and status says that there is no leader.
Then the procedure of docs/OPERATIONS.md makes a cluster of the one that is left (raft/peers.json with
itself alone), nothing that was acknowledged is lost, writes go through again, and the other two come back
with empty disks as new members."""
import json
import os

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

    def test_lost_and_recovered(cluster):
        last = cluster[0]
        gone = cluster.others(last)
        with clients.Stream(cluster) as stream:
            with clients.Writer(cluster, cluster, "before") as writer:
                writer.wait_acknowledged(10)
            cluster.everywhere(*[[name, [value]] for name, value in writer.acknowledged.items()][-1])
            began = c.now()
            for core in gone:
                core.stop()
            harness.until("status says that there is no leader",
                          lambda: last.status()["stale"]
                          and not last.status()["rqlite"]["leader"], 30, 0.1)
            assert last.status()["rqlite"]["state"] == "alive", last.status()["rqlite"]
            before = c.now()
            failed = last.dnsctl("records", "set", "lost", "A", "192.0.2.99", expect=NO_QUORUM)
            took = c.now() - before
            print(f"without quorum, after {took:.1f} s: {failed.err.strip()}")
            assert len(failed.err.strip().splitlines()) == 1, failed.err
            assert took < 15
            code, verdict = last.verdict()
            print(f"status says: {verdict}")
            assert code == NO_QUORUM and verdict.startswith("no quorum"), verdict
            assert "alice" in last.dnsctl("users", "list").out  # reading goes on
            writer.all_there([last])
            stream.faultless("without quorum", [last], began)

            last.stop()
            voters = [{"id": last.id, "address": f"{last.ip}:{c.RAFT_PORT}", "non_voter": False}]
            with open(os.path.join(last.data, "raft", "peers.json"), "w", encoding="utf-8") as out:
                json.dump(voters, out)
            last.spawn()
            first, took = stream.first_answer(last)
            assert took < c.SECOND_S
            cluster.ready([last])
            assert set(last.nodes()) == {last.id}
            with clients.Writer(cluster, [last], "alone") as alone:
                alone.wait_acknowledged(3)
            writer.all_there([last])
            alone.all_there([last])

            for core in gone:
                core.wipe()
                core.spawn()
            cluster.ready(deadline_s=60)
            assert {n["id"] for n in last.nodes().values() if n["voter"]} == {x.id for x in cluster}
            cluster.settled()
            writer.all_there()
            alone.all_there()
            stream.faultless("recovered, the one that was left", [last], first)
        for core in cluster:
            assert core.values("lost") == ["NXDOMAIN"], "the write that failed: nothing was written"
        cluster.agree()
        assert last.verdict()[1].startswith("all cores agree"), last.verdict()
