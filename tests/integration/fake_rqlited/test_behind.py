"""A node that has been started again answers from its last snapshot until it has carried out its log,
and without a leader it stays there. Rows that it does not have yet are not rows that were deleted.

Played by two nodes behind a proxy: what dnsd reads locally comes from one that got a copy of the
other's database some time ago, everything else from the other.
"""
import http.server
import os
import threading
import time
import urllib.error
import urllib.request

import pytest

import harness
import rqlited

PUT = "INSERT OR REPLACE INTO keyValue (key, value) VALUES (?, ?)"
HEAL_S = 30
LOOK_S = 3  # dnsd looks several times in a second


class Proxy(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, node, old):
        super().__init__(("127.0.0.1", 0), Handler)
        self.node, self.old = node, old
        self.behind = self.leaderless = False
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))) or None
        local = "level=none" in self.path
        if self.server.leaderless and not local:
            self.reply(503, b"leader not found\n")
            return
        target = self.server.old if self.server.behind and local else self.server.node
        request = urllib.request.Request(target.url + self.path, method=self.command, data=body)
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                self.reply(reply.status, reply.read())
        except urllib.error.HTTPError as error:
            self.reply(error.code, error.read())

    do_POST = do_GET

    def reply(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(name="scene")
def fixture_scene():
    """A node with two users, and an older copy of it with the first of them alone."""
    node, old = (rqlited.Rqlited(rqlited.binaries()[-1]).start() for _ in range(2))
    proxy = Proxy(node, old)
    d = harness.Dnsd({"core": {"id": "core-a", "ip": "203.0.113.1", "ipv6": None},
                      "storages": {"platform": {"engine": "rqlite"},
                                   "engines": {"sqlite": None,
                                               "rqlite": {"url": proxy.url, "external": True,
                                                          "dataDir": harness.temp_folder()}}}})
    d.start()
    node.execute([PUT, "user-core/first-user", "core-a"])
    known(d, "first-user")
    with urllib.request.urlopen(node.url + "/db/backup", timeout=10) as reply:
        copy = reply.read()
    load = urllib.request.Request(old.url + "/db/load", method="POST", data=copy)
    load.add_header("Content-Type", "application/octet-stream")
    urllib.request.urlopen(load, timeout=10).close()
    node.execute([PUT, "user-core/second-user", "core-a"])
    known(d, "second-user")
    yield node, proxy, d
    if d.process.alive():
        d.stop()
    proxy.shutdown()
    proxy.server_close()
    node.stop()
    old.stop()


def known(d, user):
    harness.until(user + " is answered", lambda: d.ask(user).rcode == "NOERROR", HEAL_S)


def nothing_is_denied(d):
    end = time.monotonic() + LOOK_S
    while time.monotonic() < end:
        for user in ("first-user", "second-user"):
            assert d.ask(user).rcode == "NOERROR", user


def caught_up(node, proxy, d):
    proxy.behind = proxy.leaderless = False
    node.execute([PUT, "user-core/third-user", "core-a"])
    known(d, "third-user")
    known(d, "second-user")


@pytest.mark.parametrize("leaderless", [False, True], ids=["leader", "no-leader"])
def test_while_it_runs(scene, leaderless):
    node, proxy, d = scene
    mark = d.process.mark()
    proxy.leaderless, proxy.behind = leaderless, True
    nothing_is_denied(d)
    d.process.wait_log(r"warn feed: .*(caught up|no leader)", mark, HEAL_S)
    nothing_is_denied(d)
    caught_up(node, proxy, d)


@pytest.mark.parametrize("leaderless", [False, True], ids=["leader", "no-leader"])
def test_at_a_start_with_the_snapshot_file(scene, leaderless):
    node, proxy, d = scene
    d.stop()
    proxy.leaderless, proxy.behind = leaderless, True
    d.start()
    nothing_is_denied(d)
    caught_up(node, proxy, d)


def test_at_a_start_without_the_snapshot_file(scene):
    node, proxy, d = scene
    d.stop()
    os.remove(os.path.join(d.config["storages"]["engines"]["rqlite"]["dataDir"], "dnsd",
                           "zone.snapshot"))
    proxy.behind = True
    d.spawn().wait_log(r"app: answering what the configuration says")
    d.port = d.listening()[0][1]
    end = time.monotonic() + LOOK_S
    while time.monotonic() < end:  # nothing is known yet
        reply = d.ask("second-user")
        assert reply is None or reply.rcode == "SERVFAIL", reply
    caught_up(node, proxy, d)
