"""Proven: bootstrap commands that change who is in the database's cluster, on nodes that somebody else runs:
remove-core takes the node, the row and the certificates; promote-core's guards; and a cluster that speaks without
TLS is not switched over."""
import os


import harness
import test_rqlite as r
from test_rqlite import make, program  # noqa: F401  (fixtures)

FAILED, NOTHING = 1, 2


def bootstrap(c, core, *words, **more):
    return c.platforms[core].tool(*words, name="bootstrap", **more)


def refused(c, core, *words, code=FAILED):
    tool = bootstrap(c, core, *words, expect=code)
    assert tool.out == ""
    return r.one_line(tool)


def revision(c):
    """As core-a's store counts."""
    return c.dnsctl("core-a", "status", "--json", expect=None).json()["store"]["revision"]


def beat(c, core, at):
    """What a daemon on CORE would tell."""
    status, text = c.nodes["core-a"].ask("POST", "/db/execute?transaction", r.json.dumps([[
        "INSERT INTO heartbeat(core, beat, revision, digest, detail) VALUES(?, 1, ?, '', '{}') "
        "ON CONFLICT(core) DO UPDATE SET beat = beat + 1, revision = excluded.revision", core, at]]))
    assert status == 200 and "error" not in text, text


def test_remove_core(make):  # noqa: F811
    c = make(2, 1)
    c.dnsctl("core-a", "users", "set", "alice", "core-c")
    assert "1 user is on it" in refused(c, "core-a", "remove-core", "core-c")
    assert c.nodes["core-a"].members()["core-c"] is False
    tool = bootstrap(c, "core-b", "remove-core", "core-c", "--force")
    assert tool.out.startswith("core core-c removed, its node is out of the database's cluster\nrevoked: ")
    assert "core-c still runs" in tool.err
    assert set(c.nodes["core-a"].members()) == {"core-a", "core-b"}
    assert c.cores("core-a") == ["core-a", "core-b"]
    assert c.dnsctl("core-a", "users", "get", "alice").out == "core-c\n"  # not a row is lost


def test_promote_core(make):  # noqa: F811
    c = make(2, 1)
    assert "has no node core-x" in refused(c, "core-a", "promote-core", "core-x", code=NOTHING)
    assert "core-b votes already" in refused(c, "core-a", "promote-core", "core-b", "--force")
    assert "core-c has never told how far it is" in refused(c, "core-a", "promote-core", "core-c")
    beat(c, "core-c", revision(c) - 1)
    said = refused(c, "core-a", "promote-core", "core-c")
    assert f"core-c is behind: it has revision {revision(c) - 1} of {revision(c)}" in said
    assert c.nodes["core-a"].members()["core-c"] is False
    beat(c, "core-c", revision(c))
    tool = bootstrap(c, "core-a", "promote-core", "core-c")
    assert "core.nonVoter: false" in tool.out and "dataDir" in tool.out
    assert set(c.nodes["core-a"].members()) == {"core-a", "core-b"}
    assert "core-c" in c.cores("core-a")  # it is a core as before


def test_promote_core_that_is_dead(make):  # noqa: F811
    c = make(2, 1)
    c.kill("core-c")
    assert "core-c does not answer" in refused(c, "core-a", "promote-core", "core-c")
    assert bootstrap(c, "core-a", "promote-core", "core-c", "--force", "--json").json() == {
        "promoting": "core-c", "nodeRemoved": True}


def test_not_exactly_two(make):  # noqa: F811
    c = make(1, 2)
    beat(c, "core-b", revision(c))
    assert "would be the second voter" in refused(c, "core-a", "promote-core", "core-b")
    assert c.nodes["core-a"].members() == {"core-a": True, "core-b": False, "core-c": False}
    bootstrap(c, "core-a", "promote-core", "core-b", "--force")
    assert c.nodes["core-a"].members() == {"core-a": True, "core-c": False}


def test_a_plain_cluster_is_not_switched_over(make):  # noqa: F811
    c = make(2)
    d = c.platforms["core-a"]
    d.config = harness.merged(d.config, {"cluster": {"ca": {"path": d.folder + "/ca"}, "tlsDir": d.folder + "/tls"}})
    d.write_config()
    assert "1 other node, and speaks without TLS" in refused(c, "core-a", "init-ca-holder")
    assert not os.path.exists(d.folder + "/ca") and not os.path.exists(d.folder + "/bootstrap-config.yml")
    assert "external" in refused(c, "core-a", "new-core", "--id", "core-z", "--ip", "192.0.2.9")
