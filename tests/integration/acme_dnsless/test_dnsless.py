"""Proven: cores without a domain share a database, a real rqlited that somebody else runs. Each core gets
the certificate of its own host under a lease of its own, while the other, preferred one stands still in the
midst of its order too; both are stored, and a core never shows the other's. Behind a balancer, with one
publicUrl, there is one order and one certificate, which both show, and either core answers for the token.
Their listeners are on addresses of their own (http.ip), not on 127.0.0.1."""
import http.client
import http.server
import itertools
import json
import os
import signal
import socket
import threading

import pytest

import acme
import certified
import harness
import rqlited
from harness import merged, until

DOMAIN = "example.net"
A, B, BALANCER = "127.0.0.2", "127.0.0.3", "127.0.0.4"
PLATFORM = "platform." + DOMAIN


class Core(acme.Renewing):
    """core-a or core-b: its listeners at ADDRESS, its proofs at port CHALLENGE there."""

    def __init__(self, ident, address, challenge, database, **more):
        self.ident, self.at = ident, address
        self.name = f"{ident}.{DOMAIN}"
        super().__init__(**more)
        self.https = harness.free_port(address)
        self.config = merged(self.config, {
            "core": {"id": ident, "ip": address, "url": "https://" + self.name},
            "dns": {"active": False, "domain": None},
            "http": {"ip": address, "port": self.https, "dotPort": 0, "challengePort": challenge},
            "storages": {"platform": {"engine": "rqlite"}, "engines": {
                "sqlite": None, "rqlite": {"url": database.url, "external": True,
                                           "dataDir": os.path.join(self.folder, "rqlite")}}}})
        self.write_config()

    def serial(self, name=None, port=None):
        return acme.serial_at((self.at, port or self.https), name or self.name)

    def wait_own(self, ca, name=None):
        """Until it shows a certificate of CA that is for NAME alone and verifies; the serial."""
        name = name or self.name
        serial = self.wait_issued(ca, ports=[self.https], name=name)
        acme.verify(acme.shown((self.at, self.https), ca.root_file, name), ca.roots()[0], [name])
        return serial


class Balancer(http.server.ThreadingHTTPServer):
    """In front of both cores' challenge ports: asks both, notes what they say, answers as one or the
    other does, in turns."""
    daemon_threads = True

    def __init__(self, address, port):
        super().__init__((address, port), Handler)
        self.seen, self.turn = [], itertools.count()

    def start(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self):
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        answers = []
        for address in (A, B):
            client = http.client.HTTPConnection(address, self.server.server_address[1], timeout=10)
            client.request("GET", self.path, headers={"Host": self.headers["Host"]})
            got = client.getresponse()
            answers.append((got.status, got.read()))
            client.close()
        self.server.seen.append((self.path, answers))
        status, body = answers[next(self.server.turn) % 2]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)


def port_everywhere():
    """One that is free on each of the addresses."""
    def free():
        port = harness.free_port(A)
        for address in (B, BALANCER):
            with socket.socket() as tried:
                try:
                    tried.bind((address, port))
                except OSError:
                    return None
        return port
    return until("a port that is free on all addresses", free)


@pytest.fixture(name="scene")
def fixture_scene(started):
    """The database, what the CA resolves, a CA that is not started yet, and the key at rest."""
    database = rqlited.Rqlited(rqlited.binaries()[-1]).start()
    world = started(acme.World({"core-a." + DOMAIN: A, "core-b." + DOMAIN: B, PLATFORM: BALANCER}))
    challenge = port_everywhere()
    ca = acme.Pebble(dns=world.address, http_port=challenge, tls_port=harness.free_port())
    key = acme.at_rest_key()

    def core(ident, address, lets_encrypt=None, config=None, env=None):
        made = Core(ident, address, challenge, database, env=acme.scaled(**(env or {})), lets_encrypt=merged(
            {"atRestKey": key, "certRenewer": None, "resolvers": ["%s:%d" % world.address]},
            lets_encrypt or {}))
        made.config = merged(made.config, config or {})
        cores.append(made)
        return made.use(ca)

    cores = []
    yield database, ca, challenge, core
    try:
        for made in cores:
            made.stop()
    finally:
        ca.stop()
        database.stop()


def certificates(database):
    """{hostname: object} as stored."""
    return {key.removeprefix("tls-cert/"): json.loads(value) for key, value in database.query(
        "SELECT key, value FROM keyValue WHERE key LIKE 'tls-cert/%'")}


def leases(database):
    return dict(database.query("SELECT name, holder FROM lease"))


def clean(database):
    for table in ("http01", "acme_order"):
        until(f"{table} is empty", lambda table=table: not database.query("SELECT * FROM " + table), 20, 0.1)


def test_each_its_own(scene):
    database, ca, _, core = scene
    ca.start()
    a = core("core-a", A, {"certRenewer": True}, env=acme.fault("challenge", "stop"))
    b = core("core-b", B)
    a.spawn()
    until("core-a stands still", lambda: certified.stopped(a), acme.ISSUE_S, 0.02)
    b.start()
    serial_b = b.wait_own(ca)
    assert ca.issued() == [serial_b] and certified.stopped(a)
    a.process.signal(signal.SIGCONT)
    serial_a = a.wait_own(ca)
    assert ca.issued() == [serial_b, serial_a] and ca.orders() == 2 and ca.invalid() == 0
    stored = certificates(database)
    assert {host: acme.serial_of(row["certPem"]) for host, row in stored.items()} == {
        a.name: serial_a, b.name: serial_b}
    assert leases(database) == {"acme/" + a.name: "core-a", "acme/" + b.name: "core-b"}
    clean(database)
    for one, other in ((a, b), (b, a)):
        assert one.serial(other.name) != other.serial() == other.serial(one.name)
        assert "given back" not in one.process.log()
        files = [name for _, folders, names in os.walk(one.tls_dir) for name in folders + names]
        assert files and not [name for name in files if other.name in name], files
        # Nobody is told that its certificate should be the other's.
        assert other.serial() not in json.dumps(one.dnsctl("status", "--json").json()["certificate"])


def test_behind_a_balancer(scene, started):
    database, ca, challenge, core = scene
    balancer = Balancer(BALANCER, challenge)
    started(balancer)
    shared = {"dnsLess": {"isActive": True, "publicUrl": "https://" + PLATFORM}}
    a, b = core("core-a", A, config=shared), core("core-b", B, config=shared)
    for one in (a, b):
        one.start()
    ca.start()  # now that both could order
    serial = a.wait_own(ca, PLATFORM)
    assert b.wait_own(ca, PLATFORM) == serial
    assert ca.issued() == [serial] and ca.orders() == 1 and ca.invalid() == 0
    assert list(certificates(database)) == [PLATFORM] and list(leases(database)) == ["acme/" + PLATFORM]
    assert balancer.seen
    for path, answers in balancer.seen:
        token = path.rsplit("/", 1)[1]
        assert answers[0] == answers[1] and answers[0][0] == 200, (path, answers)
        assert answers[0][1].startswith(token.encode() + b"."), answers
    clean(database)
