"""Proven: delegation for every way the name servers can be named, and status against a daemon that
answers, is silent, babbles or is not there (a scripted one: what the real one says is in operation/)."""
import json
import os
import re
import socket
import threading

import pytest

import harness

FAILED, NOTHING = 1, 2


def store(config=None, cores=()):
    d = harness.Dnsd(config)
    for core in cores:
        d.dnsctl("cores", "set", *core)
    return d


# This core's addresses are in the configuration (harness); the daemon writes its row when it starts.
A = ("core-a", "--ip", "192.0.2.1", "--ipv6", "2001:db8::1")
B = ("core-b", "--ip", "192.0.2.2")


def lines_of(tool):
    return [line.split() for line in tool.out.splitlines() if re.search(r"\s(NS|A|AAAA)\s", line)]


# ---- delegation -------------------------------------------------------------------------------------------


def test_name_servers_follow_from_the_cores():
    d = store(cores=[B, A])
    tool = d.dnsctl("delegation")
    assert lines_of(tool) == [
        ["mc.example.com.", "NS", "dns1.mc.example.com."],
        ["mc.example.com.", "NS", "dns2.mc.example.com."],
        ["dns1.mc.example.com.", "A", "192.0.2.1"],
        ["dns1.mc.example.com.", "AAAA", "2001:db8::1"],
        ["dns2.mc.example.com.", "A", "192.0.2.2"]]
    assert tool.err == ""
    assert d.dnsctl("delegation", "--json").json() == {
        "domain": "mc.example.com", "warnings": [], "nameservers": [
            {"name": "dns1.mc.example.com.", "a": ["192.0.2.1"], "aaaa": ["2001:db8::1"]},
            {"name": "dns2.mc.example.com.", "a": ["192.0.2.2"], "aaaa": []}]}


def test_name_servers_as_configured():
    d = store({"dns": {"nameservers": {"ns-x": "core-b", "ns-y": "core-a"}}}, [A, B])
    assert [line[2] for line in lines_of(d.dnsctl("delegation")) if line[1] == "NS"] == \
        ["ns-x.mc.example.com.", "ns-y.mc.example.com."]
    assert ["ns-x.mc.example.com.", "A", "192.0.2.2"] in lines_of(d.dnsctl("delegation"))


def test_ns_records_as_configured():
    """Inside the domain an address is due, outside of it not."""
    d = store({"dns": {"records": {"root": {"ns": ["ns.example.org", "own.mc.example.com",
                                                   "none.mc.example.com"]}}}}, [A])
    d.tool("set", "own", "A", "192.0.2.53")
    tool = d.dnsctl("delegation")
    assert ["own.mc.example.com.", "A", "192.0.2.53"] in lines_of(tool)
    assert len([line for line in lines_of(tool) if line[1] == "NS"]) == 3
    assert "none.mc.example.com. has no address" in tool.err and "ns.example.org" not in tool.err


def test_what_is_doubtful_is_said():
    d = store(cores=[A, ("core-c", "--url", "https://c.example.org")])
    tool = d.dnsctl("delegation")
    assert "there is one name server only" in tool.err
    assert "core core-c has no address" in tool.err
    assert len(d.dnsctl("delegation", "--json").json()["warnings"]) == 2


def test_before_the_first_start():
    """The configuration's own core is as good as registered, its addresses win over a row's."""
    d = store()
    first = d.dnsctl("delegation").out
    assert "192.0.2.1" in first and os.listdir(d.folder) == ["dnsd.yml"]
    d.dnsctl("cores", "set", "core-a", "--ip", "192.0.2.99")
    assert d.dnsctl("delegation").out == first
    d.dnsctl("cores", "set", *B)
    assert [line[2] for line in lines_of(d.dnsctl("delegation")) if line[1] == "A"] == \
        ["192.0.2.1", "192.0.2.2"]


def test_no_name_server_at_all():
    d = store({"core": {"ip": None, "ipv6": None}}, cores=[("core-c", "--url", "https://c.example.org")])
    tool = d.dnsctl("delegation", expect=NOTHING)
    assert tool.out == "" and "cores set" in tool.err


# ---- status -----------------------------------------------------------------------------------------------

ANSWER = {"id": "core-a", "version": "9.8.7", "pid": 4321, "uptimeMs": 273_906_000,
          "domain": "mc.example.com", "revision": 55, "serial": 56, "snapshotAgeMs": 61_000,
          "source": "snapshot file", "storeError": "the disk is full", "names": 12, "users": 34,
          "cores": 2, "workers": 3, "listen": ["127.0.0.1:53", "[::1]:53"],
          "queries": {"udp": 1000, "tcp": 77}, "rcodes": {"NOERROR": 900, "NXDOMAIN": 177},
          "dropped": 5, "tcpConnections": 6}


class Scripted:
    """A control socket that takes one question and does ACT(connection)."""

    def __init__(self, d, act):
        self.questions = []
        self.path = os.path.join(d.folder, "dnsd.sock")
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.path)
        self.socket.listen(1)
        self.act = act
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        connection, _ = self.socket.accept()
        with connection:
            self.questions.append(connection.recv(1000))
            self.act(connection)

    def close(self):
        self.thread.join(20)
        assert not self.thread.is_alive()
        self.socket.close()
        os.unlink(self.path)


@pytest.fixture
def idle():
    d = store(cores=[A, B])
    d.dnsctl("users", "set", "alice", "core-a")
    d.tool("set", "x", "A", "192.0.2.5")
    return d


def ask(d, act, *words, expect=0):
    daemon = Scripted(d, act)
    tool = d.dnsctl("status", *words, expect=expect)
    daemon.close()
    assert daemon.questions == [b'{"cmd":"status"}\n']
    return tool


def test_the_page_of_a_running_daemon(idle):
    tool = ask(idle, lambda c: c.sendall(json.dumps(ANSWER).encode() + b"\n"))
    for text in ("dnsd 9.8.7 on core core-a, pid 4321, up 3 d 04:05:06", "127.0.0.1:53 [::1]:53",
                 "serial 56, revision 55", "snapshot file", "0 d 00:01:01 ago", "the disk is full",
                 "udp 1000 tcp 77", "NOERROR 900 NXDOMAIN 177", "core-b"):
        assert text in tool.out, text
    assert tool.err == ""


def test_as_json_with_the_store_beside_it(idle):
    got = ask(idle, lambda c: c.sendall(json.dumps(ANSWER).encode() + b"\n"), "--json").json()
    kept = got.pop("store")
    assert got == ANSWER
    assert (kept["users"], kept["records"], len(kept["cores"])) == (1, 1, 2)
    assert kept["revision"] >= 4 and kept["cores"][0]["users"] == 1


def test_no_daemon(idle):
    tool = idle.dnsctl("status", expect=FAILED)
    assert re.fullmatch(r"dnsctl: no daemon answers: .*/dnsd\.sock: No such file or directory\n",
                        tool.err)
    assert re.search(r"users +1\n", tool.out) and "core-b" in tool.out
    got = idle.dnsctl("status", "--json", expect=FAILED).json()
    assert "dnsd.sock" in got["error"] and got["store"]["users"] == 1


def test_neither_daemon_nor_store():
    tool = harness.Dnsd().dnsctl("status", expect=FAILED)
    assert "no daemon answers" in tool.err and "the store cannot be read" in tool.err
    assert tool.out == ""


BABBLE = {
    "nothing": lambda c: None,
    "no JSON": lambda c: c.sendall(b"hello\n"),
    "a list": lambda c: c.sendall(b"[]\n"),
    "half": lambda c: c.sendall(json.dumps(ANSWER).encode()[:100]),
    "deep": lambda c: c.sendall(b"[" * 100_000),
}


@pytest.mark.parametrize("act", BABBLE.values(), ids=BABBLE.keys())
def test_a_daemon_that_babbles(idle, act):
    tool = ask(idle, act, expect=FAILED)
    assert "no daemon answers" in tool.err and "core-b" in tool.out


def test_an_answer_without_end_is_cut(idle):
    def act(c):
        try:
            for _ in range(100):
                c.sendall(b" " * 100_000)
        except OSError:
            pass

    assert "too long" in ask(idle, act, expect=FAILED).err


def test_members_of_the_wrong_type_do_no_harm(idle):
    odd = {key: None for key in ANSWER} | {"listen": [1, None], "rcodes": {"NOERROR": "many"}}
    assert "core-b" in ask(idle, lambda c: c.sendall(json.dumps(odd).encode())).out
    assert "core-b" in ask(idle, lambda c: c.sendall(b"{}")).out


def test_a_silent_daemon_is_not_waited_for_long(idle):
    released = threading.Event()
    daemon = Scripted(idle, lambda c: released.wait(30))
    tool = idle.dnsctl("status", expect=FAILED, deadline_s=20)
    released.set()
    daemon.close()
    assert "no answer in time" in tool.err and "core-b" in tool.out


# ---- status of a cluster ------------------------------------------------------------------------------------

UNAVAILABLE, ATTENTION = 3, 4
DIGEST = "0123456789abcdef0123456789abcdef"


def peer(name, revision=55, digest=DIGEST, live=True, age_ms=1000, own=False):
    return {"id": name, "live": live, "self": own, "revision": revision, "digest": digest,
            "version": "9.8.7", "ageMs": age_ms}


def cluster(*peers, stale=False, **rqlite):
    node = {"external": False, "state": "ready", "role": "follower", "leader": "core-b", "pid": 77,
            "restarts": 0, "lastExit": "", "version": "8", "voters": 3, "nonVoters": 1,
            "unreachable": 0}
    return ANSWER | {"engine": "rqlite", "stale": stale, "digest": DIGEST, "source": "store",
                     "storeError": None, "rqlite": node | rqlite,
                     "peers": [peer("core-a", own=True), *peers]}


def answering(*answers):
    """Gives one answer after the other; the last again and again."""
    left = list(answers)

    def act(connection):
        answer = left.pop(0) if len(left) > 1 else left[0]
        connection.sendall(json.dumps(answer).encode() + b"\n")

    return act


class Patient(Scripted):
    """One that is asked more than once."""

    def serve(self):
        while True:
            connection, _ = self.socket.accept()
            with connection:
                question = connection.recv(1000)
                if not question:
                    return
                self.questions.append(question)
                self.act(connection)

    def close(self):
        with socket.socket(socket.AF_UNIX) as last:
            last.connect(self.path)
        super().close()


def see(d, *answers, words=(), expect=0):
    daemon = Patient(d, answering(*answers))
    tool = d.dnsctl("status", *words, expect=expect)
    daemon.close()
    tool.asked = len(daemon.questions)
    return tool


def last_line(tool):
    return tool.out.rstrip("\n").splitlines()[-1]


def test_all_cores_agree(idle):
    tool = see(idle, cluster(peer("core-b"), peer("core-c")))
    assert last_line(tool) == "all cores agree at revision 55" and tool.asked == 1
    assert "\n  rqlite     ready, follower of core-b, 3 voters, 1 non-voter, pid 77, version 8\n" in tool.out
    assert re.search(r"\nCORE +STATE +REVISION +DIGEST +VERSION\n"
                     r"core-a +this one +55 +01234567 +9\.8\.7\n"
                     r"core-b +live +55 +01234567 +9\.8\.7\n", tool.out)
    got = see(idle, cluster(peer("core-b")), words=("--json",)).json()
    assert got["verdict"] == {"state": "fine", "text": "all cores agree at revision 55"}
    assert got["peers"][0]["self"] is True and got["store"]["users"] == 1


@pytest.mark.parametrize("code, state, text, answer", [
    (ATTENTION, "attention", "core-b is silent since 40 s",
     cluster(peer("core-b", live=False, age_ms=40_500))),
    (ATTENTION, "attention", "core-b differs at revision 55: digest ffffffff, on core-a 01234567",
     cluster(peer("core-b", digest="f" * 32))),
    (ATTENTION, "attention", "1 of the database's 4 nodes does not answer",
     cluster(peer("core-b"), unreachable=1)),
    (UNAVAILABLE, "read-only",
     "no quorum, or cut off from the cluster: answers are of 61 s ago, reads go on, writes fail",
     cluster(peer("core-b"), stale=True)),
    (UNAVAILABLE, "read-only",
     "the database does not run here (broken): answers are of 61 s ago, writes fail",
     cluster(peer("core-b"), state="broken", restarts=9, lastExit="exit 1: no space")),
], ids=["silent", "differs", "node", "stale", "broken"])
def test_what_is_not_well(idle, code, state, text, answer):
    tool = see(idle, answer, expect=code)
    assert last_line(tool) == text and tool.asked == 1
    assert see(idle, answer, words=("--json",), expect=code).json()["verdict"] == \
        {"state": state, "text": text}


def test_a_core_without_a_row_is_not_missed(idle):
    """core-c was deleted while its dnsd still ran: a last heartbeat of it may be left."""
    tool = see(idle, cluster(peer("core-b"), peer("core-c", live=False, age_ms=90_000)))
    assert last_line(tool) == "all cores agree at revision 55" and "core-c" not in tool.out


def test_who_is_behind_is_given_time(idle):
    """Until it has what was known at first; others may have more by then."""
    tool = see(idle, cluster(peer("core-b", revision=53)), cluster(peer("core-b", revision=54)),
               cluster(peer("core-b")))
    assert last_line(tool) == "all cores agree at revision 55" and tool.asked == 3
    later = cluster(peer("core-b"))
    later["peers"][0]["revision"] = 60
    tool = see(idle, cluster(peer("core-b", revision=53)), later)
    assert last_line(tool) == "all cores have revision 55, and some have more" and tool.asked == 2


def test_who_stays_behind_is_told(idle):
    tool = see(idle, cluster(peer("core-b", revision=43)), expect=ATTENTION)
    assert last_line(tool) == "core-b is 12 revisions behind" and tool.asked > 10


def test_control_characters_do_not_reach_the_terminal(idle):
    tool = see(idle, cluster(peer("core-\x1b[31m", live=True), peer("core-b", live=False, age_ms=21_000),
                             state="waiting", lastExit="\x1b]0;x\x07"), expect=UNAVAILABLE)
    assert "\x1b" not in tool.out and "\x07" not in tool.out


def test_an_external_rqlite(idle):
    answer = cluster(peer("core-b")) | {"rqlite": {"external": True}}
    tool = see(idle, answer)
    assert "\n  rqlite     external, not looked after here\n" in tool.out
    assert last_line(tool) == "all cores agree at revision 55"


def test_the_embedded_store_is_one_core(idle):
    answer = ANSWER | {"engine": "sqlite", "stale": False, "digest": DIGEST, "rqlite": None, "peers": [],
                       "source": "store", "storeError": None}
    assert last_line(see(idle, answer)) == "one core, at revision 55"
    assert last_line(see(idle, answer | {"storeError": "disk is full"}, expect=UNAVAILABLE)) == \
        "the store fails (disk is full): answers are of 61 s ago"


def test_the_store_is_gone_and_the_daemon_has_not_noticed(idle):
    """What the tool sees itself counts."""
    os.rename(idle.database, idle.database + ".away")
    try:
        tool = see(idle, cluster(peer("core-b")), words=("--json",), expect=FAILED)
    finally:
        os.rename(idle.database + ".away", idle.database)
    verdict = tool.json()["verdict"]
    assert verdict["state"] == "read-only" and verdict["text"].startswith("the store cannot be read: ")
    assert "the store cannot be read" in tool.err


def test_a_core_that_does_not_follow_its_own_store(idle):
    """The feed hangs: the daemon answers an old zone, and nobody else tells of a newer one."""
    idle.sql(("INSERT INTO keyValue(key, value) VALUES('dns-record/y', '{\"a\": [\"192.0.2.6\"]}')"))
    stored = idle.dnsctl("status", "--json", expect=FAILED).json()["store"]["revision"]
    own = cluster()
    own["revision"] = own["peers"][0]["revision"] = stored - 1
    assert last_line(see(idle, own, expect=ATTENTION)) == "core-a is 1 revision behind"
    fresh = cluster()
    fresh["revision"] = fresh["peers"][0]["revision"] = stored
    assert see(idle, own, fresh).asked == 2


# ---- status of a certificate that is managed ----------------------------------------------------------------


def managed(files=None, served=None, **more):
    """What a daemon says of its certificate when all is well, and what is different."""
    return cluster(peer("core-b")) | {"managed": {
        "hostname": "*.mc.example.com", "alarm": 0, "problem": None, "plan": {"text": "due in 60 d"},
        "files": {"generation": 3, "step": None, "problem": None, "hook": None} | (files or {}),
        "served": {"generation": 3, "serial": "ab", "problem": None} | (served or {})} | more}


def hook(status, text):
    return {"hook": {"status": status, "tries": 2, "text": text}}


PROBLEM = {"type": "unreachable", "text": "nobody is there"}


@pytest.mark.parametrize("answer, text", [
    (managed(), None),
    (managed(problem=PROBLEM), None),  # there is time
    (managed(files=hook(0, "fine")), None),
    (managed(served={"generation": 0}, problem=PROBLEM), "there is no certificate yet: nobody is there"),
    (managed(alarm=1), "the certificate runs out and is not renewed: due in 60 d"),
    (managed(files={"step": "write", "problem": "/t: read-only"}),
     "the stored certificate cannot be used: /t: read-only"),
    (managed(files=hook(3, "no proxy")), "letsEncrypt.onRotateScript failed (exit 3): no proxy"),
    (managed(files=hook(124, None)), "letsEncrypt.onRotateScript failed (exit 124): -"),
    (managed(served={"problem": "192.0.2.1:443: it shows another one"}),
     "the certificate is not served: 192.0.2.1:443: it shows another one"),
    (cluster(peer("core-b")) | {"managed": {"files": "x", "served": 7}}, None),
    (cluster(peer("core-b")) | {"managed": []}, None),
], ids=["well", "later", "hook ran", "none yet", "runs out", "files", "hook", "slow hook", "not served",
        "odd", "odder"])
def test_a_managed_certificate(idle, answer, text):
    tool = see(idle, answer, expect=ATTENTION if text else 0)
    assert last_line(tool) == (text or "all cores agree at revision 55")
