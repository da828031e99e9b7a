"""Proven: the tools on an rqlite that somebody else runs (external: true), the oldest and the newest at
hand: every command, exit code 3 without a leader or without an rqlite, credentials, and cores delete,
which takes a node out of the Raft cluster before the row goes."""
import base64
import http.client
import json
import os
import re
import subprocess

import pytest

import acme
import harness
import sealed

FAILED, NOTHING, UNAVAILABLE = 1, 2, 3
USER, PASSWORD = "dnsd", "a password"


def rqliteds():
    paths = [path for path in os.environ.get("DNSD_RQLITEDS", "").split(":") if path]
    return list(dict.fromkeys([paths[0], paths[-1]])) if paths else [None]


@pytest.fixture(scope="module", params=rqliteds(),
                ids=lambda path: os.path.basename(os.path.dirname(path)) if path else "none")
def program(request):
    assert request.param, "DNSD_RQLITEDS is not set: run tools/setup test"
    return request.param


class Node:
    """One rqlited, started and killed as often as wanted."""

    def __init__(self, program, name, *arguments):
        self.program, self.name, self.arguments = program, name, arguments
        self.folder = harness.temp_folder()
        self.port, self.raft = harness.free_port(), harness.free_port()
        self.auth = os.path.join(self.folder, "auth.json")
        self.process = None
        with open(self.auth, "w", encoding="utf-8") as out:
            json.dump([{"username": USER, "password": PASSWORD, "perms": ["all"]},
                       {"username": "reader", "password": "r", "perms": ["query"]},
                       {"username": "writer", "password": "w", "perms": ["query", "execute", "status"]}],
                      out)

    def spawn(self):
        self.process = harness.Process(
            [self.program, "-node-id", self.name, "-http-addr", f"127.0.0.1:{self.port}",
             "-raft-addr", f"127.0.0.1:{self.raft}", "-auth", self.auth, "-join-as", USER,
             *self.arguments, os.path.join(self.folder, "data")], cwd=self.folder)
        return self

    def start(self):
        self.spawn()
        return self.ready()

    def ready(self):
        harness.until(f"{self.name} is ready", lambda: self.status("/readyz") == 200, 30, 0.05)
        return self

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        try:
            connection.request(method, path, body, {"Authorization": "Basic " + token})
            reply = connection.getresponse()
            return reply.status, reply.read().decode()
        finally:
            connection.close()

    def status(self, path):
        try:
            return self.ask("GET", path)[0]
        except OSError:
            return 0

    def members(self):
        """{id: voter}"""
        code, text = self.ask("GET", "/nodes?ver=2&nonvoters&timeout=2s")
        return {n["id"]: n["voter"] for n in json.loads(text)["nodes"]} if code == 200 else {}

    def leader(self):
        code, text = self.ask("GET", "/nodes?ver=2&nonvoters&timeout=2s")
        return next((n["id"] for n in json.loads(text)["nodes"] if n["leader"]), None) if code == 200 else None

    def kill(self):
        self.process.kill()

    stop = kill


def platform(node, core="core-a", user=USER, password=PASSWORD, **rqlite):
    """A configuration that leads to NODE."""
    login = f"{user}:{password.replace(' ', '%20')}@" if user else ""
    return harness.Dnsd({
        "core": {"id": core},
        "storages": {"platform": {"engine": "rqlite"},
                     "engines": {"sqlite": None, "rqlite": {
                         "url": f"http://{login}127.0.0.1:{node.port}", "external": True,
                         "dataDir": node.folder} | rqlite}}})


def one_line(tool):
    assert re.fullmatch(r"[^\n]+\n", tool.err), tool.err
    return tool.err


# ---- every command ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lone(program):
    node = Node(program, "core-a").start()
    yield node
    node.kill()


@pytest.fixture(scope="module")
def store(lone):
    d = platform(lone)
    d.dnsctl("cores", "set", "core-a", "--ip", "192.0.2.1", "--url", "https://a.example.org")
    d.dnsctl("cores", "set", "core-b", "--ip", "192.0.2.2")
    return d


def test_records(store):
    assert store.tool("set", "www", "A", "192.0.2.80", "192.0.2.81").out == "www A: 2 values\n"
    assert store.tool("set", "www", "A", "192.0.2.80", "192.0.2.81").out == "www A: 2 values, as before\n"
    store.tool("set", "www", "TXT", "it's not \u00e9", "--ttl", "60")
    got = store.tool("list", "www", "--json").json()["records"]
    assert [(r["type"], r["ttl"], len(r["values"])) for r in got] == [("A", 300, 2), ("TXT", 60, 1)]
    assert store.tool("delete", "www", "A").out == "www A deleted\n"
    assert [r["type"] for r in store.tool("list", "www", "--json").json()["records"]] == ["TXT"]
    assert store.tool("delete", "www").out == "www deleted\n"
    assert one_line(store.tool("delete", "www", expect=NOTHING)) == \
        "dns-records: nothing is stored at www\n"
    assert "192.0.2.1" in store.dnsctl("delegation").out


def test_files(store):
    text = "records:\n" + "".join(f"  - subdomain: n{i}\n    records: {{a: 192.0.2.{i}, txt: [x, y]}}\n"
                                  for i in range(1, 200))
    plan = store.tool("load", "-", "--dry-run", input=text).out
    assert plan.endswith("Plan: +199 added, ~0 updated, =0 unchanged, -0 removed\n")
    assert store.tool("list", "--json").json()["records"] == []
    store.tool("load", "-", input=text)
    exported = store.tool("export").out
    assert store.tool("load", "-", "--replace", input=exported).out == \
        "Plan: +0 added, ~0 updated, =199 unchanged, -0 removed\n"
    zone = store.tool("export-zone").out
    shorter = "records:\n  - subdomain: n1\n    records: {a: 192.0.2.7}\n"
    assert store.tool("load", "-", "--replace", input=shorter).out == \
        "Plan: +0 added, ~1 updated, =0 unchanged, -198 removed\n"
    assert store.tool("import-zone", "-", "--replace", input=zone).out.endswith(
        "Plan: +198 added, ~1 updated, =0 unchanged, -0 removed\n")
    assert store.tool("export").out == exported
    store.tool("load", "-", "--replace", input="records: []\n")
    assert store.tool("list", "--json").json()["records"] == []


def test_users(store):
    assert store.dnsctl("users", "set", "Alice", "core-b").out == "user alice added to core-b\n"
    assert store.dnsctl("users", "get", "alice").out == "core-b\n"
    assert store.dnsctl("users", "set", "bob").out == "user bob added to core-a\n"
    assert "a user" in store.tool("set", "alice", "A", "192.0.2.1", expect=FAILED).err
    assert "core-b" in store.dnsctl("cores", "delete", "core-b", expect=FAILED).err
    for name in ("alice", "bob"):
        store.dnsctl("users", "delete", name)
    assert store.dnsctl("users", "get", "alice", expect=NOTHING).out == ""
    assert store.dnsctl("users", "list", "--json").json() == {"users": []}


def test_twenty_thousand_users(store):
    lines = [f"user{i},core-{'ab'[i % 2]}" for i in range(20_000)]
    assert store.dnsctl("users", "load", "-", input="\n".join(lines)).out == \
        "Users: +20000 added, ~0 moved, =0 unchanged\n"
    lines[7] = "user7,core-a"
    lines.append("another,core-b")
    assert store.dnsctl("users", "load", "-", input="\n".join(lines)).out == \
        "Users: +1 added, ~1 moved, =19999 unchanged\n"
    got = {u["name"]: u["core"] for u in store.dnsctl("users", "list", "--json").json()["users"]}
    assert got == dict(line.split(",") for line in lines)
    cores = store.dnsctl("cores", "list", "--json").json()["cores"]
    assert [c["users"] for c in cores] == [10_001, 10_000]
    status = store.dnsctl("status", "--json", expect=FAILED).json()  # no daemon here
    assert status["store"]["users"] == 20_001 and status["store"]["revision"] >= 20_000


def test_cores(store):
    store.dnsctl("cores", "set", "core-x", "--ipv6", "2001:db8::7")
    drained = store.dnsctl("cores", "drain", "core-x").out.splitlines()
    assert drained[0] == "core core-x changed: not available" and len(drained) == 2
    assert drained[1].endswith("on another core: dnsctl bootstrap remove-core core-x")
    got = {c["id"]: c for c in store.dnsctl("cores", "list", "--json").json()["cores"]}
    assert got["core-x"]["ipv6"] == "2001:db8::7" and not got["core-x"]["available"]
    assert store.dnsctl("cores", "delete", "core-x").out == \
        "core core-x deleted; the database's cluster had no node of that name\n"
    assert one_line(store.dnsctl("cores", "delete", "core-x", expect=NOTHING)) == \
        "dnsctl: there is no core core-x\n"


def test_certs(store, lone):
    """What they are about, and sealed again; a renewal that another core's daemon carries out."""
    old, new = acme.at_rest_key(), acme.at_rest_key()
    ids = [sealed.key_id(sealed.master(key)) for key in (old, new)]
    store.config["letsEncrypt"] = {"enabled": True, "email": "a@example.com", "atRestKey": [new, old],
                                   "directoryUrl": "https://ca.example.net/directory"}
    store.write_config()

    plain = acme.openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256").encode()

    def execute(text, *values):
        code, said = lone.ask("POST", "/db/execute", json.dumps([[text, *values]]))
        assert code == 200 and "error" not in said, said

    def put(table, **row):
        execute(f"INSERT INTO {table}({', '.join(row)}) VALUES({', '.join('?' * len(row))})", *row.values())

    for hostname, generation in ((acme.WILDCARD, 3), ("other.example.com", 1)):
        text = sealed.close(sealed.master(old), "leaf", [hostname, str(generation)], plain)
        put("keyValue", key="tls-cert/" + hostname, value=json.dumps(
            {"certPem": "c", "chainPem": "d", "keyPem": text, "generation": generation}))
    put("heartbeat", core="core-b", beat=1, revision=1, digest="", detail=json.dumps(
        {"certificate": {"keys": [ids[0]]}}))
    got = store.dnsctl("certs", "list", "--json").json()["certs"]
    assert [(c["hostname"], c["generation"]) for c in got] == [(acme.WILDCARD, 3), ("other.example.com", 1)]
    assert store.dnsctl("certs", "show", "--json").json()["cert"]["sealedWith"] == ids[0]
    assert f"core core-b does not have key {ids[1]}" in store.dnsctl("certs", "rewrap", expect=FAILED).err
    execute("DELETE FROM heartbeat")
    assert "2 rewrapped, 0 had it already, 0 failed" in store.dnsctl("certs", "rewrap").out
    assert "0 rewrapped, 2 had it already, 0 failed" in store.dnsctl("certs", "rewrap").out
    assert store.dnsctl("certs", "show", "--json").json()["cert"]["sealedWith"] == ids[1]

    job = store.dnsctl("certs", "renew", "--no-wait", "--json").json()["job"]
    waits = subprocess.Popen([harness.program("dnsctl"), "-c", store.path, "certs", "renew"], text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert waits.stdout.readline() == "waiting\n"
    execute("UPDATE acme_job SET state = 'working', text = 'order under way' WHERE id = ?", job["id"])
    assert waits.stdout.readline() == "working: order under way\n"
    lone.kill()  # for a moment
    lone.start()
    execute("UPDATE acme_job SET state = 'done', text = 'generation 4', ended_ms = 7 WHERE id = ?", job["id"])
    out, err = waits.communicate(timeout=30)
    assert waits.returncode == 0 and out.endswith("done: generation 4\n"), (out, err)
    assert err == "dnsctl: warning: no daemon answers here: this waits for another core, or for this one\n"
    assert store.dnsctl("certs", "history", expect=NOTHING).out == ""


def test_the_only_node_stays(store, lone):
    """With it the database would go."""
    tool = store.dnsctl("cores", "delete", "core-a", expect=FAILED)
    assert "users are on it" in one_line(tool)
    store.dnsctl("cores", "set", "core-c")
    other = platform(lone, core="core-c")  # not on the core that is to go
    tool = other.dnsctl("cores", "delete", "core-a", "--force")
    assert "the node of core-a stays" in tool.err
    assert lone.members() == {"core-a": True}
    assert "core-a" not in other.dnsctl("cores", "list").out
    other.dnsctl("cores", "set", "core-a", "--ip", "192.0.2.1")
    other.dnsctl("cores", "delete", "core-c")


# ---- who is not known, who is not there ---------------------------------------------------------------------


@pytest.mark.parametrize("user, password", [(USER, "wrong"), ("nobody", "x"), (None, "")])
def test_wrong_credentials(lone, store, user, password):
    d = platform(lone, user=user, password=password)
    for words in (["users", "list"], ["users", "set", "carol", "core-a"]):
        said = one_line(d.dnsctl(*words, expect=FAILED))
        assert f"rqlite at http://127.0.0.1:{lone.port} does not know us" in said
        assert "wrong" not in said


def test_one_who_may_not_remove(lone, store):
    """May read and write, but the node would stay: then nothing is done."""
    store.dnsctl("cores", "set", "core-y")
    d = platform(lone, core="core-b", user="reader", password="r")
    assert "does not know us" in one_line(d.dnsctl("cores", "delete", "core-y", expect=FAILED))
    assert "core-y" in store.dnsctl("cores", "list").out
    store.dnsctl("cores", "delete", "core-y")


def test_nobody_is_there(program):
    d = platform(Node(program, "core-a"))
    for words in (["users", "list"], ["users", "set", "carol", "core-a"], ["cores", "delete", "core-b"]):
        tool = d.dnsctl(*words, "--json", expect=UNAVAILABLE)
        assert re.search(r"rqlite at http://127\.0\.0\.1:\d+ does not answer: .*; is it running\?",
                         one_line(tool))
        assert "try again" in tool.err and tool.json()["error"]["id"] == "unavailable"
        assert PASSWORD not in tool.err and "%20" not in tool.err
    assert "nothing was written" in tool.err


def test_a_node_of_ours_that_does_not_run(program):
    """The question is about the daemon then; and without a key the password is in its folder."""
    d = platform(Node(program, "core-a"), user=None, external=False)
    said = d.dnsctl("users", "list", expect=NOTHING).err
    assert "rqlite-auth.json" in said and "dnsd writes it when it first starts" in said
    assert "rqlite-auth.json" in d.dnsctl("users", "set", "carol", expect=FAILED).err
    d.config["auth"] = {"adminAccessKey": "a long key"}
    d.write_config()
    said = one_line(d.dnsctl("users", "list", expect=UNAVAILABLE))
    assert "is dnsd running?" in said


@pytest.mark.parametrize("url", ["localhost:4001", "ftp://127.0.0.1:4001", "http://127.0.0.1:99999"])
def test_no_url(program, url):
    d = platform(Node(program, "core-a"), url=url)
    tool = d.dnsctl("users", "list", expect=FAILED)
    assert ": storages.engines.rqlite.url: must be a URL" in tool.err and tool.out == ""


def test_killed_and_back(program):
    node = Node(program, "core-a").start()
    d = platform(node)
    d.tool("set", "www", "A", "192.0.2.1")
    node.kill()
    assert "does not answer" in one_line(d.tool("set", "www", "A", "192.0.2.2", expect=UNAVAILABLE))
    assert "does not answer" in one_line(d.tool("list", "www", expect=UNAVAILABLE))
    node.start()
    assert "192.0.2.1" in d.tool("list", "www").out  # what was acknowledged is there, nothing else
    node.kill()


def test_alone_and_waiting_for_others(program):
    """Never had a leader: nothing can be made."""
    node = Node(program, "core-a", "-bootstrap-expect", "3", "-join", "127.0.0.1:1").spawn()
    harness.until("it answers", lambda: node.status("/status") == 200, 30, 0.05)
    d = platform(node)
    tool = d.tool("set", "www", "A", "192.0.2.1", expect=UNAVAILABLE)
    assert "leader" in one_line(tool) and "nothing was written, try again" in tool.err
    assert "is it running?" not in tool.err
    node.kill()


# ---- several nodes ------------------------------------------------------------------------------------------


class Cluster:
    """core-a, core-b, ...: voters, then non-voters."""

    def __init__(self, program, voters, nonvoters=0):
        self.nodes = {}
        for i in range(voters + nonvoters):
            name = f"core-{'abcdefg'[i]}"
            words = [] if i == 0 else ["-join", f"127.0.0.1:{self.nodes['core-a'].raft}"]
            words += ["-raft-non-voter=true"] if i >= voters else []
            self.nodes[name] = Node(program, name, *words).start()
        first = self.nodes["core-a"]
        self.platforms = {name: platform(node, core=name) for name, node in self.nodes.items()}
        for i, name in enumerate(self.nodes):
            self.platforms["core-a"].dnsctl("cores", "set", name, "--ip", f"192.0.2.{i + 1}")
        harness.until("all are members", lambda: len(first.members()) == voters + nonvoters, 30, 0.05)

    def dnsctl(self, core, *words, **more):
        return self.platforms[core].dnsctl(*words, **more)

    def cores(self, seen_by):
        return [c["id"] for c in self.dnsctl(seen_by, "cores", "list", "--json").json()["cores"]]

    def led(self, seen_by):
        """Waits for a leader that is in the cluster."""
        node = self.nodes[seen_by]
        return harness.until("there is a leader", node.leader, 30, 0.05)

    def kill(self, *names):
        for name in names or self.nodes:
            self.nodes[name].kill()


@pytest.fixture
def make(program):
    made = []

    def build(voters, nonvoters=0):
        made.append(Cluster(program, voters, nonvoters))
        return made[-1]

    yield build
    for cluster in made:
        cluster.kill()


def test_a_dead_core_is_deleted(make):
    c = make(3, 1)
    c.kill("core-c")
    tool = c.dnsctl("core-d", "cores", "delete", "core-c")  # from a non-voter, too
    assert tool.out == "core core-c deleted, its node is out of the database's cluster\n"
    assert "two voters are left" in tool.err and "still runs" not in tool.err
    assert c.nodes["core-a"].members() == {"core-a": True, "core-b": True, "core-d": False}
    assert c.cores("core-a") == ["core-a", "core-b", "core-d"]
    tool = c.dnsctl("core-a", "cores", "delete", "core-d", "--json")  # one that lives
    assert tool.json() == {"deleted": "core-d", "nodeRemoved": True}
    assert "core-d still runs: stop dnsd on it; its data folder must be emptied" in tool.err
    assert "two voters" not in tool.err  # it had no vote
    assert c.dnsctl("core-b", "cores", "delete", "core-d", expect=NOTHING).err == \
        "dnsctl: there is no core core-d\n"


def test_what_was_written_is_seen_by_the_next_command(make):
    """On a node that is not the leader, too."""
    c = make(3)
    leader = c.led("core-a")
    other = "core-b" if leader == "core-a" else "core-a"
    for i in range(20):
        c.dnsctl(other, "users", "set", f"u{i}", "core-b")
        assert c.dnsctl(other, "users", "get", f"u{i}").out == "core-b\n"


def test_the_leader_is_deleted(make):
    """The others choose another one meanwhile; the row is waited for."""
    c = make(3)
    leader = c.led("core-a")
    other = "core-b" if leader == "core-a" else "core-a"
    tool = c.dnsctl(other, "cores", "delete", leader)
    assert "two voters are left" in tool.err
    assert leader not in c.cores(other) and leader not in c.nodes[other].members()


def test_what_would_go_wrong_is_refused(make):
    c = make(3)
    c.led("core-a")
    everything = c.nodes["core-a"].members()
    said = one_line(c.dnsctl("core-a", "cores", "delete", "core-a", expect=FAILED))
    assert "core-a is the one that you are on" in said
    c.dnsctl("core-a", "users", "set", "alice", "core-b")
    said = one_line(c.dnsctl("core-a", "cores", "delete", "core-b", expect=FAILED))
    assert "1 user is on it" in said and "--force" in said
    c.kill("core-c")
    c.led("core-a")
    said = one_line(c.dnsctl("core-a", "cores", "delete", "core-b", "--force", expect=FAILED))
    assert "of the 2 voters that would be left only 1 answer" in said and "start core-c" in said
    assert c.nodes["core-a"].members() == everything
    assert c.cores("core-a") == ["core-a", "core-b", "core-c"]


def test_from_three_to_one(make):
    c = make(3)
    c.kill("core-c")
    for name in ("core-c", "core-b"):
        c.dnsctl("core-a", "cores", "delete", name)
        c.led("core-a")
    assert "is the only voter" in one_line(c.dnsctl("core-a", "cores", "delete", "core-a", expect=FAILED))
    assert c.nodes["core-a"].members() == {"core-a": True} and c.cores("core-a") == ["core-a"]
    c.dnsctl("core-a", "records", "set", "www", "A", "192.0.2.1")


def test_from_here_by_force(make):
    """Row first, node second: a node that is out cannot write."""
    c = make(2)
    c.led("core-b")
    tool = c.dnsctl("core-b", "cores", "delete", "core-b", "--force")
    assert "its node is out" in tool.out and "core-b still runs" in tool.err
    c.led("core-a")
    assert c.nodes["core-a"].members() == {"core-a": True} and c.cores("core-a") == ["core-a"]


def test_a_node_without_a_row(make):
    """A deletion that was cut short is finished by another one."""
    c = make(2)
    c.led("core-a")
    code, _ = c.nodes["core-a"].ask("POST", "/db/execute", json.dumps(
        ["DELETE FROM keyValue WHERE key = 'core-info/core-b'"]))
    assert code == 200 and c.cores("core-a") == ["core-a"]
    assert "its node is out" in c.dnsctl("core-a", "cores", "delete", "core-b").out
    assert c.nodes["core-a"].members() == {"core-a": True}


def test_without_quorum_reads_go_on(make):
    c = make(3)
    c.led("core-a")
    c.dnsctl("core-a", "records", "set", "www", "A", "192.0.2.1")
    c.kill("core-b", "core-c")
    harness.until("no leader is left", lambda: c.nodes["core-a"].leader() is None, 30, 0.05)
    tool = c.dnsctl("core-a", "records", "set", "www", "A", "192.0.2.2", expect=UNAVAILABLE)
    assert "no leader" in one_line(tool) and "running?" not in tool.err
    assert len(re.findall("written", tool.err)) == 1, "once is enough"
    tool = c.dnsctl("core-a", "cores", "delete", "core-b", "--force", expect=UNAVAILABLE)
    assert "no quorum: 1 of 3 voters answer" in one_line(tool) and "nothing was written" in tool.err
    tool = c.dnsctl("core-a", "records", "list", "www")
    assert "192.0.2.1" in tool.out
    assert one_line(tool) == "dnsctl: warning: this core's rqlite has no leader: what it has may be old\n"
    assert c.cores("core-a") == ["core-a", "core-b", "core-c"]
    assert "www" in c.dnsctl("core-a", "records", "export").out
    c.nodes["core-b"].start()
    c.led("core-a")
    c.dnsctl("core-a", "records", "set", "www", "A", "192.0.2.3")
