"""A daemon whose rqlited does what the real one does not do on command.

Between dnsd and a real rqlited stands a proxy that spoils replies in one way after the other. All
the time dnsd must go on answering what it knows, say what is wrong, keep its memory, and find what
was written meanwhile once the replies are good again.
"""
import http.server
import json
import threading
import time
import urllib.error
import urllib.request

import pytest

import harness
import rqlited

TABLE = ["CREATE TABLE IF NOT EXISTS keyValue (key TEXT PRIMARY KEY, value TEXT NOT NULL)"]
PUT = "INSERT OR REPLACE INTO keyValue (key, value) VALUES (?, ?)"
TELL_S = 30     # the slowest: a small reply may take 2 s, and is given up after that
HEAL_S = 30
GROWTH_KIB = 100 * 1024  # some replies of 10 MB at a time, and no more however many come
# What is freed is kept by a sanitizer for as long as this many MB say.
ENVIRONMENT = {"ASAN_OPTIONS": "detect_leaks=1:exitcode=66:quarantine_size_mb=4"}


class Proxy(http.server.ThreadingHTTPServer):
    """Passes requests on to TARGET; `spoil` (None, or a function of the handler, the status and the
    body) sends the reply."""

    daemon_threads = True

    def __init__(self, target):
        super().__init__(("127.0.0.1", 0), Handler)
        self.target = target
        self.spoil = None
        self.stopping = threading.Event()
        self.spoiled = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def end(self):
        self.stopping.set()
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def passed_on(self):
        length = int(self.headers.get("Content-Length", "0"))
        request = urllib.request.Request(self.server.target + self.path, method=self.command,
                                         data=self.rfile.read(length) if length else None)
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                return reply.status, reply.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def do_GET(self):
        status, body = self.passed_on()
        spoil = self.server.spoil
        if spoil is None:
            self.reply(status, body)
            return
        try:
            spoil(self, status, body)
            self.server.spoiled += 1
        except OSError:
            self.close_connection = True  # dnsd had enough of it

    do_POST = do_GET

    def reply(self, status, body, headers=()):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def half_json(handler, status, body):
    handler.reply(status, body[:len(body) // 2])


def half_reply(handler, status, body):
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body) + 100))
    handler.end_headers()
    handler.wfile.write(body)
    handler.wfile.flush()
    handler.close_connection = True


def wrong_types(handler, status, _):
    handler.reply(status, b'{"results": [{"columns": 7, "types": {}, "values": "none"}], "time": []}')


def other_shape(handler, status, _):
    handler.reply(status, b'{"results": [{"columns": ["a"], "types": ["text"], "values": [["x"]]}]}')


def too_few_results(handler, status, _):
    handler.reply(status, b'{"results": []}')


def ten_megabytes(handler, status, _):
    handler.reply(status, b'{"results": [{"columns": ["a"], "values": [["' + b"x" * 10_000_000
                  + b'"]]}]}')


def endless(handler, status, _):
    """A body without an end."""
    handler.send_response(status)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    piece = b"10000\r\n" + b"[" * 65536 + b"\r\n"
    while not handler.server.stopping.is_set():
        handler.wfile.write(piece)


def error_in_200(handler, _, __):
    handler.reply(200, b'{"results": [], "error": "store not ready"}')


def error_in_result(handler, _, __):
    handler.reply(200, b'{"results": [{"error": "leadership lost while committing log"}]}')


def no_leader(handler, _, __):
    handler.reply(503, b"leader not found\n")


def unauthorized(handler, _, __):
    handler.reply(401, b"")


def redirected(handler, _, __):
    handler.reply(301, b"", [("Location", "http://192.0.2.1:4001/db/query")])


def slow_drip(handler, status, body):
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    for i in range(len(body)):
        handler.wfile.write(body[i:i + 1])
        handler.wfile.flush()
        if handler.server.stopping.wait(0.5):  # the pace of the peer, which is what is tested
            return


def never_finishing(handler, status, _):
    handler.send_response(status)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"results": ')
    handler.wfile.flush()
    handler.server.stopping.wait(20)


def not_http(handler, _, __):
    handler.wfile.write(b"\x00\x01\x02 SSH-2.0-something\r\n\r\n")
    handler.close_connection = True


SPOILED = [half_json, half_reply, wrong_types, other_shape, too_few_results, ten_megabytes, endless,
           error_in_200, error_in_result, no_leader, unauthorized, redirected, slow_drip,
           never_finishing, not_http]


@pytest.fixture(scope="module")
def scene():
    node = rqlited.Rqlited(rqlited.binaries()[-1]).start()
    proxy = Proxy(node.url)
    node.execute(TABLE, [PUT, "core-info/core-a", json.dumps({"id": "core-a", "ip": "203.0.113.1",
                                                               "available": True})],
                 [PUT, "user-core/alice-smith", "core-a"])
    d = harness.Dnsd({"core": {"id": "core-a", "ip": "203.0.113.1", "ipv6": None},
                      "storages": {"platform": {"engine": "rqlite"},
                                   "engines": {"sqlite": None,
                                               "rqlite": {"url": proxy.url, "external": True,
                                                          "dataDir": harness.temp_folder()}}}},
                     env=ENVIRONMENT)
    d.start()
    harness.until("it is sure of what it has not got",
                  lambda: d.ask("nobody-here").rcode == "NXDOMAIN")
    yield node, proxy, d
    d.stop()
    proxy.end()
    node.stop()


def memory_kib(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as text:
        return int(text.read().split()[1]) * 4


def status(d):
    return d.dnsctl("status", "--json", expect=None).json()


def answers(d):
    assert d.ask("alice-smith").answer == ["alice-smith 300 A 203.0.113.1"]
    assert d.ask("nobody-here").rcode == "NXDOMAIN"


@pytest.mark.parametrize("spoil", SPOILED, ids=lambda f: f.__name__)
def test_spoiled(scene, spoil):
    node, proxy, d = scene
    before = memory_kib(d.process.pid)
    mark = d.process.mark()
    proxy.spoil, proxy.spoiled = spoil, 0
    user = "user-" + spoil.__name__.replace("_", "-")
    node.execute([PUT, "user-core/" + user, "core-a"])
    told = d.process.wait_log(r"(error|warn) feed: .*reason=\"(.*?)\"", mark, TELL_S)
    assert "rqlite at http://127.0.0.1" in told.group(2), told.group(0)
    end = time.monotonic() + 1
    while time.monotonic() < end:  # answers go on while replies are bad
        answers(d)
    assert d.ask(user).rcode == "NXDOMAIN"  # as far as this core has heard
    assert memory_kib(d.process.pid) < before + GROWTH_KIB
    proxy.spoil = None
    harness.until("what was written meanwhile is answered",
                  lambda: d.ask(user).rcode == "NOERROR", HEAL_S)
    d.process.wait_log(r"feed: the store is back", mark, HEAL_S)
    answers(d)
