"""Proven: a million users load from one file, every one that is asked for is answered right, from the store
and after a restart from the snapshot file; a change among them is seen as soon as in a small zone."""
import os
import random
import time

import harness

USERS = 1_000_000
CORES = 8
ASKED = 2000
DEADLINE_S = 300  # a sanitizer build, on a busy machine


def core_of(i):
    return f"core-{i % CORES}"


def ask_some(d):
    chosen = random.Random(7)
    for i in [0, USERS - 1] + [chosen.randrange(USERS) for _ in range(ASKED)]:
        reply = d.ask(f"user{i:07d}")
        assert reply.answer == [f"user{i:07d} 300 A 192.0.2.{i % CORES + 1}"], reply
        assert d.ask(f"nobody{i:07d}").rcode == "NXDOMAIN"


def test_a_million_users():
    d = harness.Dnsd()
    for i in range(CORES):
        d.dnsctl("cores", "set", f"core-{i}", "--ip", f"192.0.2.{i + 1}")
    path = os.path.join(d.folder, "users.csv")
    with open(path, "w", encoding="ascii") as f:
        f.writelines(f"user{i:07d},{core_of(i)}\n" for i in range(USERS))
    done = d.dnsctl("users", "load", path, deadline_s=DEADLINE_S)
    assert f"+{USERS} added, ~0 moved, =0 unchanged" in done.out

    d.spawn()
    d.process.wait_log(r" app: ready\b.* from=store", deadline_s=DEADLINE_S)
    d.port = d.listening()[0][1]
    ask_some(d)
    begin = time.monotonic()
    d.rows({"user-core/one-more": "core-3"})
    assert d.ask("one-more").an == 1
    print(f"one more among {USERS}: {1000 * (time.monotonic() - begin):.1f} ms from before the commit")
    d.stop()

    d.spawn()
    d.process.wait_log(r" app: ready\b.* from=.?(snapshot|store)", deadline_s=DEADLINE_S)
    d.port = d.listening()[0][1]
    ask_some(d)
    assert d.ask("one-more").an == 1
    assert d.dnsctl("status", "--json").json()["users"] == USERS + 1
    d.stop()
