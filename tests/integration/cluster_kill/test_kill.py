"""Proven: kill -9 of a follower's core, of the leader's core and of the leader's rqlited alone. The other
cores (with rqlited alone: every core) lose no question and answer none wrong, from before the kill until
all is whole again. rqlited dies with its dnsd and is started again by it. A core that is started again
answers within a second, from its snapshot file, whatever rqlite is doing. Every write that was
acknowledged meanwhile is answered by every core. With the oldest and the newest rqlite."""
import os
import signal

import pytest

import clients
import cluster as c
import harness

if not harness.INSIDE:

    def test_in_namespaces():
        harness.rerun_in_namespace(__file__, "-n", "-m")

else:

    @pytest.fixture(scope="module", params=c.oldest_and_newest(), ids=c.rqlited.version)
    def cluster(request):
        made = c.Cluster(request.param).form()
        yield made
        made.end()

    def kill_core(cluster, core, what):
        others = cluster.others(core)
        with clients.Stream(cluster) as stream:
            with clients.Writer(cluster, others, what) as writer:
                writer.wait_acknowledged(3)
                child = core.rqlited_pid()
                core.kill()
                harness.until("rqlited is gone with its dnsd",
                              lambda: not os.path.exists(f"/proc/{child}"), 10)
                writer.wait_acknowledged(3)
                core.spawn()
                first, took = stream.first_answer(core)
                print(f"{what}: answers {took * 1000:.0f} ms after its start")
                assert took < c.SECOND_S
                cluster.ready()
                writer.wait_acknowledged(3)
            writer.all_there()
            stream.faultless(f"{what}, the others", others)
            stream.faultless(f"{what}, itself after its start", [core], first)
        cluster.agree()

    def test_follower(cluster):
        leader = cluster.leader()
        kill_core(cluster, cluster.others(leader)[0], "follower")

    def test_leader(cluster):
        kill_core(cluster, cluster.leader(), "leader")

    def test_rqlited_alone(cluster):
        core = cluster.leader()
        child = core.rqlited_pid()
        restarts = core.status()["rqlite"]["restarts"]
        with clients.Stream(cluster) as stream:
            with clients.Writer(cluster, cluster, "alone") as writer:
                writer.wait_acknowledged(3)
                os.kill(child, signal.SIGKILL)
                harness.until("another rqlited", lambda: core.rqlited_pid() not in (0, child), 10)
                cluster.ready()
                writer.wait_acknowledged(3)
            writer.all_there()
            stream.faultless("leader's rqlited killed", cluster)
        assert core.status()["rqlite"]["restarts"] > restarts
        cluster.agree()

    def test_new_name_and_the_power_cut(cluster):
        """A core that is killed right after a name was made knows nothing of it at its next start. It
        must not deny it: that would be remembered for the negative TTL."""
        core = cluster.others(cluster.leader())[0]
        core.dnsctl("records", "set", "brand-new", "A", "192.0.2.99")
        cluster.everywhere("brand-new", ["192.0.2.99"])
        core.kill()
        core.spawn()
        said = []

        def right():
            reply = core.ask("brand-new", deadline_s=0.3)
            if reply is not None:
                said.append(reply.rcode)
            return reply is not None and reply.answer
        harness.until("it is answered again", right, c.START_S)
        print("until it was answered again:", {rcode: said.count(rcode) for rcode in said})
        assert set(said) <= {"SERVFAIL", "NOERROR"}, said
        harness.until("the core is sure of what it has not got",
                      lambda: core.ask("nobody").rcode == "NXDOMAIN", c.START_S)
        cluster.agree()
