"""Proven: a change is answered soon after its commit, without a reload, whoever makes it: plain SQL,
dns-records or dnsctl. 50 ms are promised; the test prints what it measured (median, 99th percentile,
worst) and fails only far beyond, because sanitizers and busy machines are not what was promised."""
import json
import sqlite3
import time

import pytest

import harness
from harness import Reply, query

ROUNDS = 200


@pytest.fixture(scope="module")
def dnsd(started):
    return started(harness.Dnsd())


def measure(dnsd, name, write, wanted):
    """Seconds from the return of WRITE to the first answer that satisfies WANTED."""
    import socket
    write()
    begin = time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(dnsd.address)
        s.settimeout(harness.ANSWER_S)
        while True:
            s.send(query(name))
            if wanted(Reply(s.recv(4096))):
                return time.monotonic() - begin
            assert time.monotonic() - begin < 5, f"{name}: not answered within 5 s"


def report(what, seconds):
    seconds = sorted(seconds)
    p50, p99 = seconds[len(seconds) // 2], seconds[int(len(seconds) * 0.99)]
    print(f"{what}: {len(seconds)} changes, ms from commit to answer: median {p50 * 1000:.1f}, "
          f"99th {p99 * 1000:.1f}, worst {seconds[-1] * 1000:.1f}")
    assert p99 < 1.0, seconds[-5:]


def test_sql(dnsd):
    db = sqlite3.connect(dnsd.database, timeout=10)
    took = []
    for i in range(ROUNDS):
        def write():
            with db:
                db.execute("INSERT INTO keyValue(key, value) VALUES(?, ?)",
                           (f"user-core/live-{i}", "core-a"))
        took.append(measure(dnsd, f"live-{i}", write, lambda r: r.an == 1))
    for i in range(0, ROUNDS, 4):
        def write():
            with db:
                db.execute("DELETE FROM keyValue WHERE key = ?", (f"user-core/live-{i}",))
        took.append(measure(dnsd, f"live-{i}", write, lambda r: r.rcode == "NXDOMAIN"))
    db.close()
    report("SQL", took)


def test_sql_update_in_place(dnsd):
    took = []
    for i in range(1, 100):
        def write():
            dnsd.sql(("INSERT INTO keyValue(key, value) VALUES('dns-record/inplace', ?) "
                      "ON CONFLICT(key) DO UPDATE SET value = excluded.value",
                      (json.dumps({"a": [f"192.0.2.{i}"]}),)))
        took.append(measure(dnsd, "inplace", write,
                            lambda r: r.an == 1 and r.answer[0].endswith(f"192.0.2.{i}")))
    report("SQL, one row again and again", took)


def test_dns_records(dnsd):
    took = []
    for i in range(1, 15):
        took.append(measure(dnsd, "tooled", lambda: dnsd.tool("set", "tooled", "A", f"192.0.2.{i}"),
                            lambda r: r.an == 1 and r.answer[0].endswith(f" 192.0.2.{i}")))
    took.append(measure(dnsd, "tooled", lambda: dnsd.tool("delete", "tooled"),
                        lambda r: r.rcode == "NXDOMAIN"))
    report("dns-records", took)


def test_dnsctl(dnsd):
    took = []
    for i in range(10):
        took.append(measure(dnsd, f"ctl-{i}", lambda: dnsd.dnsctl("users", "set", f"ctl-{i}", "core-a"),
                            lambda r: r.an == 1))
    took.append(measure(dnsd, "core-n", lambda: dnsd.dnsctl("cores", "set", "core-n", "--ip", "192.0.2.14"),
                        lambda r: r.an == 1))
    harness.until("reg has the new core", lambda: any(
        line.endswith("192.0.2.14") for line in dnsd.ask("reg").answer))
    took.append(measure(dnsd, "reg", lambda: dnsd.dnsctl("cores", "drain", "core-n"),
                        lambda r: len(r.answer) == 1))
    assert dnsd.ask("core-n").an == 1, "drained, it keeps its own name"
    report("dnsctl", took)


def test_a_transaction_appears_as_a_whole(dnsd):
    """Of many rows committed at once, none is answered before the others."""
    db = sqlite3.connect(dnsd.database, timeout=10)
    for i in range(20):
        with db:
            for part in range(50):
                db.execute("INSERT INTO keyValue(key, value) VALUES(?, 'core-a')",
                           (f"user-core/tx-{i}-{part}",))
        harness.until("the first is there", lambda: dnsd.ask(f"tx-{i}-0").an == 1)
        assert dnsd.ask(f"tx-{i}-49").an == 1
    db.close()


def test_rolled_back_is_never_answered(dnsd):
    db = sqlite3.connect(dnsd.database, timeout=10, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    db.execute("INSERT INTO keyValue(key, value) VALUES('user-core/phantom', 'core-a')")
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        assert dnsd.ask("phantom").rcode == "NXDOMAIN"
    db.execute("ROLLBACK")
    db.close()
    dnsd.rows({"user-core/real": "core-a"})
    assert dnsd.ask("phantom").rcode == "NXDOMAIN" and dnsd.ask("real").an == 1


def test_ten_thousand_rows_at_once(dnsd):
    """A big transaction: all of it arrives, and the daemon answers meanwhile."""
    db = sqlite3.connect(dnsd.database, timeout=10)
    with db:
        db.executemany("INSERT INTO keyValue(key, value) VALUES(?, 'core-a')",
                       [(f"user-core/bulk-{i}",) for i in range(10000)])
    db.close()
    slowest = 0.0

    def there():
        nonlocal slowest
        begin = time.monotonic()
        got = dnsd.ask("bulk-9999").an == 1
        slowest = max(slowest, time.monotonic() - begin)
        return got

    harness.until("the last one is answered", there, 20)
    for i in (0, 1, 5000, 9998):
        assert dnsd.ask(f"bulk-{i}").an == 1
    print(f"slowest answer meanwhile: {slowest * 1000:.1f} ms")
    assert slowest < 1.0


def test_serial_grows_with_each_change(dnsd):
    serials = []
    for i in range(10):
        dnsd.rows({f"user-core/serial-{i}": "core-a"})
        serials.append(int(dnsd.ask("@", "SOA").answer[0].split()[5]))
    assert serials == sorted(set(serials)), serials
