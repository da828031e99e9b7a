"""Proven: DNS over TLS is DNS over TCP with TLS around it. The same questions have the same answers over
UDP, TCP and TLS, octet for octet; many in one go are answered in order; answers are padded for those who
ask (RFC 7830, 8467) and keepalive is told (RFC 7828); who has said that it ends is answered all the same;
the end of the daemon lets connections take what they are owed, and says so (close_notify). Handshakes are
made by threads of their own, and a flood of them does not keep UDP waiting; who has the port already is
told by the name of the setting. (Real clients: https_clients. Certificates: https_swap. Abuse: https_abuse.)"""
import os
import signal
import socket
import ssl
import struct
import threading
import time

import pytest

import harness
import web
from harness import DOMAIN, query

NSID, KEEPALIVE, PADDING = (3, b""), (11, b""), (12, b"")
QUESTIONS = [(name, qtype) for name in ("www", "core-a", "@", "nobody", "alias", "txt", "a.b.nobody")
             for qtype in ("A", "AAAA", "TXT", "SOA", "NS", "MX", "CAA", "ANY", "HTTPS", "TYPE65280")]
FLOOD_S = 3


class Dot:
    """A client over memory: what TLS has to say and the socket are apart, so that each can end alone."""

    def __init__(self, dnsd, version=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if version:
            context.minimum_version = context.maximum_version = version
        self.inward, self.outward = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.inward, self.outward, server_hostname="ns." + DOMAIN)
        self.socket = socket.create_connection(("127.0.0.1", dnsd.config["http"]["dotPort"]), 10)
        self.plain = b""
        self.step(self.tls.do_handshake)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def flush(self):
        if self.outward.pending:
            self.socket.sendall(self.outward.read())

    def step(self, what):
        """Calls WHAT until it has all it wants from the server."""
        while True:
            try:
                got = what()
                self.flush()
                return got
            except ssl.SSLWantReadError:
                self.flush()
                octets = self.socket.recv(65536)
                assert octets, "it ended without a word"
                self.inward.write(octets)

    def send(self, *messages):
        self.tls.write(b"".join(struct.pack("!H", len(m)) + m for m in messages))
        self.flush()

    def receive(self):
        """The next message; None: the server has said that it ends."""
        while len(self.plain) < 2 or len(self.plain) < 2 + struct.unpack("!H", self.plain[:2])[0]:
            try:
                octets = self.step(lambda: self.tls.read(65536))
            except ssl.SSLZeroReturnError:  # how it says so after our own goodbye
                octets = b""
            if not octets:
                assert not self.plain, "it ended in the middle of a message"
                return None
            self.plain += octets
        length = struct.unpack("!H", self.plain[:2])[0]
        message, self.plain = self.plain[2:2 + length], self.plain[2 + length:]
        return message

    def ask(self, wire):
        self.send(wire)
        return self.receive()

    def say_goodbye(self):
        """close_notify, and the end of our half of the connection."""
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        self.flush()
        self.socket.shutdown(socket.SHUT_WR)


@pytest.fixture(scope="module")
def dnsd():
    d = web.web_dnsd(tls=False)
    d.start()
    d.rows({"dns-record/www": {"a": ["192.0.2.80"]},
            "dns-record/alias": {"cname": "www." + DOMAIN},
            "dns-record/txt": {"txt": [f"{i:04}" + "x" * 196 for i in range(40)]}})
    yield d
    d.stop()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_same_answers(dnsd, version):
    with Dot(dnsd, version) as c:
        assert c.tls.version() == {ssl.TLSVersion.TLSv1_2: "TLSv1.2",
                                   ssl.TLSVersion.TLSv1_3: "TLSv1.3"}[version]
        compared = 0
        for name, qtype in QUESTIONS:
            for edns in (None, 1232):
                for options in ((), (NSID, KEEPALIVE)) if edns else ((),):
                    wire = query(name, qtype, edns=edns, options=options, do=bool(edns))
                    tls = c.ask(wire)
                    assert tls == dnsd.tcp(wire), (name, qtype)
                    udp = dnsd.udp(wire)
                    if not udp[2] & 0x02 and not options:  # not truncated; keepalive is not UDP's
                        assert tls == udp, (name, qtype)
                        compared += 1
        assert compared > len(QUESTIONS)


def test_many_in_one_go(dnsd):
    with Dot(dnsd) as c:
        c.send(*[query("txt" if i % 10 == 0 else "www", "TXT" if i % 10 == 0 else "A", qid=i)
                 for i in range(500)])
        for i in range(500):
            reply = harness.Reply(c.receive())
            assert reply.id == i and len(reply.answer) == (40 if i % 10 == 0 else 1)


def test_padding_and_keepalive(dnsd):
    with Dot(dnsd) as c:
        for name, qtype in QUESTIONS:
            asked = query(name, qtype, edns=1232, options=(PADDING, KEEPALIVE))
            reply = harness.Reply(c.ask(asked))
            assert len(reply.wire) % 468 == 0, (name, qtype, len(reply.wire))
            assert reply.options[11] == struct.pack("!H", 100)  # 10 s
            assert set(reply.options[12]) <= {0}
            assert 12 not in harness.Reply(dnsd.tcp(asked)).options
            assert 12 not in harness.Reply(dnsd.udp(asked)).options
            assert 12 not in harness.Reply(c.ask(query(name, qtype, edns=1232))).options


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_half_closed(dnsd, version):
    with Dot(dnsd, version) as c:
        c.send(*[query("txt", "TXT", qid=i) for i in range(50)])
        c.say_goodbye()
        for i in range(50):
            assert len(harness.Reply(c.receive()).answer) == 40, i
        assert c.receive() is None


def threads(dnsd):
    """The names and priorities of its threads."""
    folder = f"/proc/{dnsd.process.pid}/task"
    found = {}
    for thread in os.listdir(folder):
        with open(f"{folder}/{thread}/comm", encoding="ascii") as f:
            found[f.read().strip()] = os.getpriority(os.PRIO_PROCESS, int(thread))
    return found


def test_threads(dnsd):
    found = threads(dnsd)
    own = os.getpriority(os.PRIO_PROCESS, dnsd.process.pid)
    for i in range(2):
        assert found[f"dns-worker-{i}"] == own
        assert found[f"dns-tls-{i}"] == min(own + 10, 19)


class Flood(threading.Thread):
    """Greetings without end: each makes the server compute its part of a handshake, and is left there."""

    def __init__(self, dnsd):
        super().__init__(daemon=True)
        self.address = ("127.0.0.1", dnsd.config["http"]["dotPort"])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        inward, outward = ssl.MemoryBIO(), ssl.MemoryBIO()
        try:
            context.wrap_bio(inward, outward, server_hostname=DOMAIN).do_handshake()
        except ssl.SSLWantReadError:
            pass
        self.hello, self.count, self.end = outward.read(), 0, False

    def run(self):
        while not self.end:
            with socket.create_connection(self.address, 10) as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                s.sendall(self.hello)
                self.count += bool(s.recv(65536))


def latencies(dnsd, seconds):
    """Milliseconds of UDP questions asked one after the other."""
    found, end = [], time.monotonic() + seconds
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(dnsd.address)
        s.settimeout(harness.ANSWER_S)
        while time.monotonic() < end:
            wire = query("www")
            began = time.monotonic()
            s.send(wire)
            assert s.recv(2048)[:2] == wire[:2]
            found.append((time.monotonic() - began) * 1e3)
    return sorted(found)


def test_handshakes_do_not_delay_udp(dnsd):
    quiet = latencies(dnsd, 1)
    floods = [Flood(dnsd) for _ in range(4)]
    for flood in floods:
        flood.start()
    busy = latencies(dnsd, FLOOD_S)
    for flood in floods:
        flood.end = True
    for flood in floods:
        flood.join(20)
    made = sum(flood.count for flood in floods)
    for what, values in (("quiet", quiet), ("flooded", busy)):
        print(f"UDP, {what}: {len(values)} answers, median {values[len(values) // 2]:.3f} ms, "
              f"99 % {values[len(values) * 99 // 100]:.3f} ms, slowest {values[-1]:.3f} ms")
    print(f"handshakes begun: {made / FLOOD_S:.0f} a second")
    assert made > 50
    # The client shares the CPUs with the flood, and with whatever else runs: this finds answers that
    # wait for handshakes, of which each takes a third of a millisecond (a sanitizer: three).
    assert busy[len(busy) // 2] < 20


def test_the_end(dnsd):
    other = web.web_dnsd(tls=False)
    other.start()
    with Dot(other) as idle, Dot(other) as owed:
        assert idle.ask(query("www"))
        owed.send(*[query("@", "SOA", qid=i) for i in range(200)])
        other.process.signal(signal.SIGTERM)
        assert idle.receive() is None
        for i in range(200):
            assert harness.Reply(owed.receive()).id == i
        assert owed.receive() is None
    assert other.process.wait_exit() == 0


def test_the_port_is_taken(dnsd):
    other = web.web_dnsd({"http": {"dotPort": dnsd.config["http"]["dotPort"]}}, tls=False)
    other.spawn()
    assert other.process.wait_exit() == 1
    said = other.process.log()
    assert "http.dotPort" in said and f":{dnsd.config['http']['dotPort']} (tls)" in said, said
