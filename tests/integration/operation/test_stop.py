"""Proven: SIGTERM ends the daemon with 0 after what was asked is answered, whatever connections are
open; the port and the folder can be taken over at once; no sanitizer has anything to say."""
import os
import signal
import socket
import time

import pytest

import harness
from harness import Tcp, query


def fresh():
    d = harness.Dnsd().start()
    d.rows({"user-core/alice": "core-a"})
    return d


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_idle(number):
    d = fresh()
    d.process.signal(number)
    assert d.process.wait_exit() == 0, d.process.log()


def test_what_was_asked_is_answered():
    """Questions that lie in the sockets when the signal comes get their answers."""
    d = fresh()
    wires = [query("alice", qid=i) for i in range(200)]
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.connect(d.address)
    with Tcp(d.address) as c:
        c.send(query("alice"))
        assert c.receive()
        for wire in wires[:50]:
            udp.send(wire)
        c.send(*wires)
        d.process.signal(signal.SIGTERM)
        for wire in wires:
            got = c.receive()
            assert got is not None and got[:2] == wire[:2]
        udp.settimeout(harness.ANSWER_S)
        assert {udp.recv(512)[:2] for _ in range(50)} == {wire[:2] for wire in wires[:50]}
    udp.close()
    assert d.process.wait_exit() == 0


def test_open_connections_do_not_hold_it():
    d = fresh()
    idle = [Tcp(d.address, source=f"127.0.3.{i + 1}") for i in range(30)]
    for i, c in enumerate(idle):
        if i % 3 == 0:
            c.send(query("alice"))
            assert c.receive()
        elif i % 3 == 1:
            c.raw(b"\0\x30half a frame")
    begin = time.monotonic()
    d.process.signal(signal.SIGTERM)
    assert d.process.wait_exit() == 0
    assert time.monotonic() - begin < 8
    for c in idle:
        c.close()


def test_twice_is_no_harm():
    d = fresh()
    d.process.signal(signal.SIGTERM)
    d.process.signal(signal.SIGTERM)
    assert d.process.wait_exit() == 0


def test_at_once_after_the_start():
    """Before it is ready; whatever it was doing, it ends well."""
    for wait in ("listening", "ready", None):
        d = harness.Dnsd()
        d.spawn()
        if wait:
            d.process.wait_log(wait)
        else:
            harness.until("the handlers are set", lambda: catches_sigterm(d.process.pid))
        d.process.signal(signal.SIGTERM)
        assert d.process.wait_exit() == 0, (wait, d.process.log())


def catches_sigterm(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        for line in f:
            if line.startswith("SigCgt:"):
                return int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1
    return False


def test_the_same_port_again():
    """With clients' connections in TIME_WAIT, the next one starts at once on the same port."""
    port = harness.free_port()
    folder = None
    for _ in range(3):
        d = harness.Dnsd({"dns": {"port": port}}, folder=folder).start()
        folder = d.folder
        with Tcp(d.address) as c:
            c.send(query("lsc"))
            assert c.receive()
            d.stop()


def test_nothing_is_left_behind():
    """Beside database, snapshot and lock no file stays, no temporary one in any case."""
    d = fresh()
    d.stop()
    left = sorted(os.listdir(d.folder))
    assert not [name for name in left if "tmp" in name or name.endswith("~")], left
    assert not [name for name in left if name.endswith(".sock")], left
