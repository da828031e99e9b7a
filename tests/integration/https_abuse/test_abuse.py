"""Proven: what strangers do to the HTTPS ports stays within its limits and costs DNS nothing. While each of
them is at it, questions go on over UDP: none may be lost, and how long answers took is printed beside the
quiet figure. Afterwards the daemon holds no more files than before and not much more memory, and serves the
next client at once.

Clients come from addresses of their own (127.0.k.n), for limits are per client.
"""
import random
import resource
import select
import socket
import ssl
import statistics
import struct
import threading
import time

import h2.config
import h2.connection
import h2.errors
import h2.events
import pytest

import harness
import web
from harness import DOMAIN

RATE = 200              # questions a second meanwhile
LOST_S = 1.0
GROWTH = 32 << 20       # octets of resident memory that may be left the second time (ASan's quarantine too)
HEADER_S, BODY_S, WRITE_S = 5, 10, 10  # http/server.h: header_ms, body_ms, write_ms


@pytest.fixture(scope="module")
def authority():
    return web.Authority()


@pytest.fixture(scope="module")
def dnsd(authority, started):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # ours: thousands of connections
    assert hard >= 16384, f"at most {hard} files may be open here"
    # Sanitizers keep what was freed for a while; that much of it.
    made = web.web_dnsd(env={"ASAN_OPTIONS": "detect_leaks=1:exitcode=66:quarantine_size_mb=16"})
    authority.issue().install(made.tls_folder)
    started(made)
    made.process.wait_log(r"http: listening .*transport=https")
    made.before = figures(made, authority)
    yield made
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def figures(dnsd, authority):
    """(resident octets, open files) as /metrics tells."""
    with web.Web(dnsd, authority.trust, key="") as client:
        text = client.get("/metrics").body.decode()
    values = dict(line.split() for line in text.splitlines() if line.startswith("process_"))
    return float(values["process_resident_memory_bytes"]), float(values["process_open_fds"])


class Questions:
    """Asks over UDP, RATE times a second, while it is entered; .times in seconds, .lost."""

    def __init__(self, dnsd):
        self.dnsd, self.times, self.lost = dnsd, [], 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.connect(self.dnsd.address)
            wire = bytearray(harness.query("core-a", "A"))
            while not self.over.is_set():
                struct.pack_into("!H", wire, 0, random.randrange(65536))
                sent = time.perf_counter()
                s.send(wire)
                while True:
                    left = sent + LOST_S - time.perf_counter()
                    if left <= 0 or not select.select([s], [], [], left)[0]:
                        self.lost += 1
                        break
                    if s.recv(4096)[:2] == wire[:2]:
                        self.times.append(time.perf_counter() - sent)
                        break
                self.over.wait(1 / RATE)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(10)

    def report(self, what):
        times = sorted(self.times)
        print(f"{what}: {len(times)} answers, lost {self.lost}, p50 {statistics.median(times) * 1e3:.2f} ms, "
              f"p99 {times[len(times) * 99 // 100] * 1e3:.2f} ms")
        assert self.lost == 0
        return times


@pytest.fixture
def asked(dnsd, authority, request):
    """Questions while the test runs, judged at its end; then the daemon must serve somebody new."""
    with Questions(dnsd) as questions:
        harness.until("questions are answered", lambda: len(questions.times) > 50)
        yield questions
    questions.report(request.node.name)
    with web.Web(dnsd, authority.trust, key="") as client:
        assert client.get("/healthz").status == 200


def source(k, n=0):
    return f"127.0.{k}.{n % 250 + 1}"


def dial(dnsd, port="port", come_from="127.0.1.1"):
    s = socket.create_connection(("127.0.0.1", dnsd.config["http"][port]), 10,
                                 source_address=(come_from, 0))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def dial_tls(dnsd, authority, come_from="127.0.1.1", alpn=("http/1.1",), port="port"):
    trust = ssl.create_default_context(cafile=authority.ca)
    trust.set_alpn_protocols(list(alpn))
    return trust.wrap_socket(dial(dnsd, port, come_from), server_hostname="localhost")


def said(s):
    """What has come by now; b"": the end; None: nothing. (Readable is no answer: tickets come unasked.)"""
    s.settimeout(0)
    try:
        return s.recv(65536)
    except (ssl.SSLWantReadError, BlockingIOError):
        return None
    except OSError:
        return b""
    finally:
        s.settimeout(10)


def rest(s, deadline_s):
    """What still comes until the end; None if it does not end in time."""
    end, got = time.monotonic() + deadline_s, b""
    while time.monotonic() < end:
        s.settimeout(max(0.01, end - time.monotonic()))
        try:
            more = s.recv(65536)
        except (ssl.SSLError, ConnectionError):
            return got
        except TimeoutError:
            return None
        if not more:
            return got
        got += more
    return None


def test_quiet(dnsd, asked):
    """The figure to compare with."""
    harness.until("some hundred answers", lambda: len(asked.times) > 400, 30)


def test_slow_loris(dnsd, authority, asked):
    """A header that comes an octet at a time ends HEADER_S after its first one, however alive it looks."""
    conns = [dial_tls(dnsd, authority, source(1, i)) for i in range(150)]
    begun = time.monotonic()
    alive, answers = list(conns), []
    text = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"s" * 10000
    for octet in text:
        for s in list(alive):
            got = said(s)
            if got is None:
                try:
                    s.send(bytes([octet]))
                except OSError:
                    got = b""
            if got is not None:
                alive.remove(s)
                answers.append(got)
        if not alive or time.monotonic() > begun + 3 * HEADER_S:
            break
        asked.over.wait(0.1)
    took = time.monotonic() - begun
    told = sum(got.startswith(b"HTTP/1.1 408 ") for got in answers)
    print(f"150 of them were gone after {took:.1f} s, {told} were told why")
    assert not alive and HEADER_S - 1 < took < HEADER_S + 3
    assert told > 100
    for s in conns:
        s.close()


def test_slow_body(dnsd, authority, asked):
    with dial_tls(dnsd, authority) as s:
        s.sendall(b"POST /reg/records HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                  b"Authorization: " + web.ADMIN_KEY.encode() + b"\r\nContent-Length: 1000\r\n\r\n")
        begun, got = time.monotonic(), b""
        while time.monotonic() < begun + 3 * BODY_S:
            try:
                s.send(b" ")
            except OSError:
                break
            got = said(s)
            if got is not None:
                break
            asked.over.wait(0.2)
        took = time.monotonic() - begun
        assert BODY_S - 1 < took < BODY_S + 3, took
        assert got.startswith(b"HTTP/1.1 408 ")


def test_half_closed(dnsd, authority, asked):
    """Who has said all and listens is answered; who stopped in the middle is not waited for."""
    for whole in (True, False):
        with socket.create_connection(("127.0.0.1", dnsd.config["http"]["port"]), 10) as plain:
            trust = authority.trust
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = trust.wrap_bio(incoming, outgoing, server_hostname="localhost")
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    plain.sendall(outgoing.read())
                    incoming.write(plain.recv(65536))
            tls.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + (b"\r\n" if whole else b""))
            plain.sendall(outgoing.read())
            plain.shutdown(socket.SHUT_WR)
            plain.settimeout(HEADER_S + 3)
            got = b""
            while more := plain.recv(65536):
                incoming.write(more)
            try:
                while more := tls.read(65536):
                    got += more
            except ssl.SSLError:
                pass
            assert (b"200" in got.split(b"\r\n")[0]) == whole, got


@pytest.mark.parametrize("size", [20_000, 64_000, 1_000_000])
def test_large_header(dnsd, authority, asked, size):
    with dial_tls(dnsd, authority) as s:
        try:
            s.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Large: " + b"x" * size + b"\r\n\r\n")
        except OSError:
            pass  # it was cut before all was sent
        got = rest(s, 5)
        assert got is not None and (got == b"" or got.startswith(b"HTTP/1.1 431 ")), got[:100]
        assert size > 64_000 or got, "who has sent little enough is told why"


@pytest.mark.parametrize("how", ["length", "chunks"])
def test_large_body(dnsd, authority, asked, how):
    """100 MB for a route that takes less: refused at once, and not read."""
    size = 100 << 20
    head = b"PUT /system/admin/users/large HTTP/1.1\r\nHost: localhost\r\n" \
           b"Content-Type: application/json\r\nAuthorization: " + web.ADMIN_KEY.encode() + b"\r\n"
    head += b"Content-Length: %d\r\n\r\n" % size if how == "length" \
        else b"Transfer-Encoding: chunked\r\n\r\n"
    piece = b" " * 65536
    if how == "chunks":
        piece = b"10000\r\n" + piece + b"\r\n"
    sent = 0
    with dial_tls(dnsd, authority) as s:
        s.sendall(head)
        try:
            got = None
            while sent < size and got is None:
                s.sendall(piece)
                sent += len(piece)
                got = said(s)
        except OSError:
            pass
        got = rest(s, 15) if got is None else got
        print(f"{how}: {sent} octets went out before the answer")
        assert got is not None and got.startswith(b"HTTP/1.1 413 "), got
        assert sent < 8 << 20


def test_garbage(dnsd, authority, asked):
    """Random octets, before and after the handshake, alone and behind a request."""
    chance = random.Random(4)
    for turn in range(200):
        come_from = source(2, turn)
        octets = chance.randbytes(chance.randrange(1, 3000))
        if turn % 2:
            with dial(dnsd, chance.choice(["port", "dotPort"]), come_from) as s:
                s.sendall(octets)
                s.shutdown(socket.SHUT_WR)
                assert rest(s, 10) is not None, "it waits for more"
            continue
        with dial_tls(dnsd, authority, come_from) as s:
            request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
            try:
                s.sendall((request * chance.randrange(3) + octets)[:8000])
            except OSError:
                pass
            got = rest(s, HEADER_S + 5)
            assert got is not None, "it waits for more"


class H2:
    """An HTTP/2 client that does as it pleases."""

    def __init__(self, dnsd, authority, come_from="127.0.1.1"):
        self.socket = dial_tls(dnsd, authority, come_from, alpn=("h2",))
        assert self.socket.selected_alpn_protocol() == "h2"
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.events, self.ended = [], False
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def flush(self):
        try:
            self.socket.sendall(self.h2.data_to_send())
        except OSError:
            self.ended = True

    def receive(self, wait_s):
        """Whether anything came."""
        if self.ended or not (self.socket.pending() or select.select([self.socket], [], [], wait_s)[0]):
            return False
        try:
            got = self.socket.recv(65536)
        except OSError:
            got = b""
        self.ended = not got
        if got:
            self.events += self.h2.receive_data(got)
            self.flush()
        return True

    def until_end(self, deadline_s):
        end = time.monotonic() + deadline_s
        while not self.ended and time.monotonic() < end:
            self.receive(0.1)
        return self.ended

    def headers(self, path="/healthz", method="GET"):
        return [(":method", method), (":path", path), (":scheme", "https"), (":authority", "localhost")]

    def goaway(self):
        """The code of the GOAWAY that came, or None."""
        return next((e.error_code for e in self.events
                     if isinstance(e, h2.events.ConnectionTerminated)), None)


def test_rapid_reset(dnsd, authority, asked):
    """CVE-2023-44487: requests that are taken back at once."""
    with H2(dnsd, authority) as client:
        begun, resets = time.monotonic(), 0
        while not client.ended and client.goaway() is None and resets < 50_000:
            for _ in range(50):
                stream = client.h2.get_next_available_stream_id()
                client.h2.send_headers(stream, client.headers(), end_stream=True)
                client.h2.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
                resets += 1
            client.flush()
            client.receive(0)
        client.until_end(10)
        print(f"ended after {resets} resets, {time.monotonic() - begun:.2f} s, GOAWAY {client.goaway()}")
        assert client.ended and resets < 20_000


def test_ping_flood(dnsd, authority, asked):
    with H2(dnsd, authority) as client:
        pings = 0
        while not client.ended and client.goaway() is None and pings < 100_000:
            for _ in range(100):
                client.h2.ping(b"12345678")
                pings += 1
            client.flush()
            client.receive(0)
        client.until_end(10)
        print(f"ended after {pings} pings, GOAWAY {client.goaway()}")
        assert client.ended and pings < 100_000


def test_many_streams(dnsd, authority, asked):
    """No more at a time than was announced; what is over that is refused, not kept."""
    with H2(dnsd, authority) as client:
        client.receive(2)
        most = client.h2.remote_settings.max_concurrent_streams
        assert most <= 128, most
        for _ in range(most):
            client.h2.send_headers(client.h2.get_next_available_stream_id(), client.headers(),
                                   end_stream=True)
        client.flush()
        done = set()
        end = time.monotonic() + 10
        while len(done) < most and time.monotonic() < end and not client.ended:
            client.receive(0.1)
            done = {e.stream_id for e in client.events if isinstance(e, h2.events.StreamEnded)}
        assert len(done) == most


def test_stalled_window(dnsd, authority, asked):
    """Somebody who asks for much and never opens the window is not kept for ever."""
    with H2(dnsd, authority) as client:
        client.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0})
        for _ in range(20):
            client.h2.send_headers(client.h2.get_next_available_stream_id(), client.headers("/metrics"),
                                   end_stream=True)
        client.flush()
        begun, given_up = time.monotonic(), 0
        while given_up < 20 and not client.ended and time.monotonic() < begun + 2 * WRITE_S:
            client.receive(0.1)
            given_up = sum(isinstance(e, h2.events.StreamReset) for e in client.events)
        took = time.monotonic() - begun
        print(f"given up after {took:.1f} s: {given_up} of 20 answers")
        assert given_up == 20 and WRITE_S - 1 < took < WRITE_S + 3


def idle_crowd(dnsd, port):
    conns = []
    for i in range(5000):
        try:
            conns.append(dial(dnsd, port, source(3 + i // 250, i)))
        except OSError:
            pass  # the backlog is full for a moment
    return conns


def test_idle_connections(dnsd, authority, asked):
    """5,000 that say nothing, on either port: limits hold, the longest idle go, newcomers are served."""
    for port in ("port", "dotPort"):
        conns = idle_crowd(dnsd, port)
        with web.Web(dnsd, authority.trust, key="") as client:
            assert client.get("/healthz").status == 200
        octets, files = figures(dnsd, authority)
        print(f"{port}: {len(conns)} connected; the daemon has {files:.0f} files open, "
              f"{octets / 1e6:.0f} MB resident")
        assert len(conns) > 4000
        assert files < (1024 + 200 if port == "port" else 16384)
        for s in conns:
            s.close()


def test_wrong_keys(dnsd, authority, asked):
    """As fast as they can from four addresses: a few are looked at, the rest refused; somebody else's right
    key is good meanwhile."""
    statuses, over = [], threading.Event()

    def guess(i):
        with dial_tls(dnsd, authority, source(200, i)) as s:
            count = 0
            while not over.is_set():
                s.sendall(b"GET /system/admin/cores HTTP/1.1\r\nHost: localhost\r\n"
                          b"Authorization: wrong-%d\r\n\r\n" % count)
                head = s.recv(65536)
                if not head:
                    return
                statuses.append((i, head.split()[1]))
                count += 1

    threads = [threading.Thread(target=guess, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    with web.Web(dnsd, authority.trust) as client:
        for _ in range(100):
            assert client.get("/system/admin/cores").status == 200
        harness.until("many guesses", lambda: len(statuses) > 1000, 20)
    over.set()
    for thread in threads:
        thread.join(10)
    looked_at = sum(status == b"401" for _, status in statuses)
    print(f"{len(statuses)} guesses, {looked_at} looked at")
    assert {status for _, status in statuses} == {b"401", b"429"}
    assert looked_at <= 4 * 10


def say_hello_and_go(dnsd, authority, times):
    """ClientHellos, whole and cut, and goodbye."""
    hello = ssl.MemoryBIO()
    tls = authority.trust.wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    octets = hello.read()
    for port in ("port", "dotPort"):
        for i in range(times):
            with dial(dnsd, port, source(30 + i // 250, i)) as s:
                s.sendall(octets[:len(octets) if i % 3 else i % len(octets)])


def test_handshakes_that_are_not_finished(dnsd, authority, asked):
    say_hello_and_go(dnsd, authority, 2000)


def test_afterwards(dnsd, authority):
    """Nothing is left of all that: no file, and no memory that grows each time it is done."""
    at_first, files = dnsd.before

    def settled():
        harness.until("its files are closed", lambda: figures(dnsd, authority)[1] <= files + 3, 60, 0.2)
        return figures(dnsd, authority)[0]

    once = settled()
    for port in ("port", "dotPort"):
        for s in idle_crowd(dnsd, port):
            s.close()
    say_hello_and_go(dnsd, authority, 1000)
    again = settled()
    print(f"resident: {at_first / 1e6:.0f} MB before, {once / 1e6:.0f} MB after, "
          f"{again / 1e6:.0f} MB after some of it again")
    assert again - once < GROWTH
    assert dnsd.ask("core-a").rcode == "NOERROR"
    assert DOMAIN in dnsd.dnsctl("status").out
