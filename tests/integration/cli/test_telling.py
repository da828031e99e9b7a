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
