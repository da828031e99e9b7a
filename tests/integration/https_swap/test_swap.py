"""Another certificate under load: SWAPS times the files of http.ssl change while RATE newcomers a second
shake hands (HTTPS and DNS over TLS in turn) and connections that began long ago go on asking.

No handshake fails, no connection is dropped, and who begins after a swap sees the new certificate. A
swap has happened at a listener's worker when the daemon says so; it tells its workers by message, so
what begins within SETTLE_S of that may see either.
"""
import queue
import socket
import struct
import threading
import time

import harness
import web
from harness import DOMAIN

SWAPS = 100
RATE = 200
NEWCOMERS = 8   # threads that share the rate
STREAMS = 4     # long-lived connections of each kind
SETTLE_S = 0.05
BETWEEN = 8     # newcomers, both kinds, who can see one certificate only
HTTPS, DOT = "https", "dot"


class Load:
    """Clients on threads; what they see is in .seen and .failures."""

    def __init__(self, dnsd, trust):
        self.ports = {HTTPS: dnsd.config["http"]["port"], DOT: dnsd.config["http"]["dotPort"]}
        self.trust = trust
        self.seen = []       # (kind, begun, ended, serial)
        self.failures = []
        self.asked = [0] * (2 * STREAMS)
        self.over = threading.Event()
        self.turns = queue.Queue(maxsize=RATE)
        self.threads = [threading.Thread(target=self._pace)]
        self.threads += [threading.Thread(target=self._newcomer) for _ in range(NEWCOMERS)]
        self.threads += [threading.Thread(target=self._stream, args=(i,)) for i in range(2 * STREAMS)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join(30)

    def came(self, at, since):
        """Of those seen from number AT on, how many began after SINCE."""
        return sum(begun >= since for _, begun, _, _ in self.seen[at:])

    def _connect(self, kind):
        plain = socket.create_connection(("127.0.0.1", self.ports[kind]), 10)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.trust.wrap_socket(plain, server_hostname="localhost")

    @staticmethod
    def _ask(kind, tls):
        """One question and its answer."""
        if kind == DOT:
            wire = harness.query(DOMAIN + ".", "SOA")
            tls.sendall(struct.pack("!H", len(wire)) + wire)
            wanted = struct.unpack("!H", _exactly(tls, 2))[0]
            got = harness.Reply(_exactly(tls, wanted))
            assert got.rcode == "NOERROR" and got.answer, got
        else:
            tls.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            head = b""
            while b"\r\n\r\n" not in head:
                head += _some(tls)
            head, body = head.split(b"\r\n\r\n", 1)
            assert head.startswith(b"HTTP/1.1 200 "), head
            length = int(next(line.split(b":")[1] for line in head.split(b"\r\n")
                              if line.lower().startswith(b"content-length:")))
            _exactly(tls, length - len(body))

    def _pace(self):
        """A turn for a newcomer every 1/RATE s. Who is late is late: turns are not given up."""
        next_at = time.monotonic()
        kinds = (HTTPS, DOT)
        count = 0
        while not self.over.is_set():
            self.turns.put(kinds[count % 2])
            count += 1
            next_at += 1 / RATE
            self.over.wait(max(0.0, next_at - time.monotonic()))
        for _ in range(NEWCOMERS):
            self.turns.put(None)

    def _newcomer(self):
        while (kind := self.turns.get()) is not None:
            begun = time.monotonic()
            try:
                with self._connect(kind) as tls:
                    serial = tls.getpeercert()["serialNumber"].lower().lstrip("0")
                    self.seen.append((kind, begun, time.monotonic(), serial))
                    self._ask(kind, tls)
            except (OSError, AssertionError) as failure:
                self.failures.append((kind, "newcomer", repr(failure)))

    def _stream(self, index):
        kind = (HTTPS, DOT)[index % 2]
        try:
            with self._connect(kind) as tls:
                while not self.over.is_set():
                    self._ask(kind, tls)
                    self.asked[index] += 1
                    self.over.wait(0.05)
        except (OSError, AssertionError) as failure:
            self.failures.append((kind, "stream", repr(failure)))


def _some(tls):
    got = tls.recv(65536)
    assert got, "the connection ended"
    return got


def _exactly(tls, wanted):
    got = b""
    while len(got) < wanted:
        more = tls.recv(wanted - len(got))
        assert more, "the connection ended"
        got += more
    return got


def swap(dnsd, pair):
    """Puts PAIR there; when the daemon said that it is shown."""
    since = dnsd.process.mark()
    pair.install(dnsd.tls_folder)
    dnsd.process.wait_log(rf"tls: the certificate of http.ssl is shown .*serial={pair.serial}\b",
                          since)
    return time.monotonic()


def test_swap_under_load(started):
    authority = web.Authority()
    pairs = [authority.issue(), authority.issue()]
    dnsd = web.web_dnsd()
    pairs[0].install(dnsd.tls_folder)
    started(dnsd)
    dnsd.process.wait_log(rf"tls: the certificate .*serial={pairs[0].serial}\b")
    began = time.monotonic()
    swaps = [(began, began, pairs[0].serial)]  # begun, done, serial
    with Load(dnsd, authority.trust) as load:
        harness.until("newcomers come", lambda: len(load.seen) > RATE // 4, 20)
        for i in range(SWAPS):
            pair = pairs[(i + 1) % 2]
            begun, at = time.monotonic(), len(load.seen)
            done = swap(dnsd, pair)
            swaps.append((begun, done, pair.serial))
            # While one swap follows the other, either certificate is right.
            harness.until("newcomers between two swaps",
                          lambda at=at, done=done: load.came(at, done + SETTLE_S) >= BETWEEN, 20)
        ended = time.monotonic()
        at = len(load.seen)
        harness.until("newcomers after the last swap", lambda: len(load.seen) > at + RATE // 4, 20)
    wrong = [s for s in load.seen if not right(s, swaps)]
    print(f"{SWAPS} swaps in {ended - began:.1f} s; {len(load.seen)} handshakes "
          f"({len(load.seen) / (ended - began):.0f} a second), failed {len(load.failures)}; "
          f"{sum(load.asked)} questions on {2 * STREAMS} connections that stayed; "
          f"wrong certificate {len(wrong)}")
    assert load.failures == []
    assert wrong == []
    assert all(count > SWAPS // 10 for count in load.asked), load.asked
    # The load was what it is said to be (half of it, for a sanitizer's build on a busy machine).
    assert len(load.seen) > RATE / 2 * (ended - began)
    for kind in (HTTPS, DOT):
        assert {serial for k, _, _, serial in load.seen if k == kind} == {p.serial for p in pairs}


def right(seen, swaps):
    """It saw the certificate of the last swap done SETTLE_S before it began, or of a later one that had
    begun when it ended."""
    _, begun, ended, serial = seen
    settled = max(i for i, (_, done, _) in enumerate(swaps) if i == 0 or done + SETTLE_S <= begun)
    return serial in {s for i, (start, _, s) in enumerate(swaps) if i >= settled and start <= ended}


def test_resumption_ends_with_a_swap(started):
    """A session that began with the old certificate is not resumed after the swap: TLS shows no
    certificate in a resumption, so its client would go on believing in the old one."""
    authority = web.Authority()
    old, new = authority.issue(), authority.issue()
    dnsd = web.web_dnsd()
    old.install(dnsd.tls_folder)
    started(dnsd)
    dnsd.process.wait_log(rf"tls: the certificate .*serial={old.serial}\b")
    for port in (dnsd.config["http"]["port"], dnsd.config["http"]["dotPort"]):
        session = visit(authority.trust, port, None)[0]
        assert visit(authority.trust, port, session)[1], "a ticket is good while nothing changed"
    sessions = {port: visit(authority.trust, port, None)[0]
                for port in (dnsd.config["http"]["port"], dnsd.config["http"]["dotPort"])}
    swap(dnsd, new)
    for port, session in sessions.items():
        harness.until("the workers have it",
                      lambda: visit(authority.trust, port, None)[2] == new.serial)
        _, resumed, serial = visit(authority.trust, port, session)
        assert not resumed and serial == new.serial


def visit(trust, port, session):
    """(session, resumed, serial) of one connection. It reads something: tickets of TLS 1.3 come after
    the handshake. A question of DNS gets an answer on either port, if only 400."""
    with socket.create_connection(("127.0.0.1", port), 10) as plain, \
            trust.wrap_socket(plain, server_hostname="localhost", session=session) as tls:
        wire = harness.query(DOMAIN + ".", "SOA")
        tls.sendall(struct.pack("!H", len(wire)) + wire)
        assert tls.recv(1), "the connection ended"
        return tls.session, tls.session_reused, tls.getpeercert()["serialNumber"].lower().lstrip("0")
