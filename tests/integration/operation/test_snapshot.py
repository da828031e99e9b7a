"""Proven: the last good zone is on disk and is answered at once after a start, whatever the store is
doing: after kill -9, with the database unreadable, gone bad or replaced; a snapshot that was cut or
flipped is noticed, told, and never answered; with a good store it costs nothing. After the store
works again, its rows are served without a restart of anything else."""
import glob
import os
import random
import shutil
import time

import pytest

import harness
from harness import Reply, query

ROWS = {"user-core/alice": "core-a", "dns-record/web": {"a": ["192.0.2.80"], "txt": ["w"]},
        "core-info/core-b": {"id": "core-b", "ip": "192.0.2.2", "available": True},
        "user-core/bobby": "core-b"}


def snapshot_of(d):
    return os.path.join(d.folder, "zone.snapshot")


def database_files(d):
    return glob.glob(d.database + "*")


def break_store(d):
    """The database becomes a folder: unreadable for root too."""
    for path in database_files(d):
        os.rename(path, path + ".away")
    os.mkdir(d.database)


def mend_store(d):
    os.rmdir(d.database)
    for path in glob.glob(os.path.join(d.folder, "platform.db*.away")):
        os.rename(path, path[:-len(".away")])


def spawn_answering(d, name="alice"):
    """Starts, and returns the first answer to NAME with the seconds it took."""
    port = harness.free_port()
    d.config["dns"]["port"] = port
    d.port = port
    d.write_config()
    begin = time.monotonic()
    d.spawn()

    def ask():
        assert d.process.alive(), d.process.log()
        return harness.ask_udp(d.address, query(name), deadline_s=0.05)

    got = harness.until("it answers", ask, 10)
    return Reply(got), time.monotonic() - begin


def saved(rows=None):
    """A daemon that was stopped, so that its snapshot has everything."""
    d = harness.Dnsd().start()
    d.rows(rows or ROWS)
    d.stop()
    return d


def check_rows(d):
    assert d.ask("alice").answer == ["alice 300 A 192.0.2.1"]
    assert d.ask("bobby").answer == ["bobby 300 A 192.0.2.2"]
    assert d.ask("web").answer == ["web 300 A 192.0.2.80"]
    assert d.ask("core-b").answer == ["core-b 300 A 192.0.2.2"]
    assert sorted(d.ask("lsc").answer) == ["lsc 5 A 192.0.2.1", "lsc 5 A 192.0.2.2"]
    assert d.ask("nobody").rcode == "NXDOMAIN"


def test_store_unreadable():
    d = saved()
    serial = None
    d.start()
    serial = d.ask("@", "SOA").answer
    d.kill()
    break_store(d)
    reply, seconds = spawn_answering(d)
    assert reply.answer == ["alice 300 A 192.0.2.1"] and reply.aa, reply
    assert seconds < 5, "a second is promised; a sanitizer build on a busy machine gets five"
    check_rows(d)
    assert d.ask("@", "SOA").answer == serial, "same data, same serial"
    d.process.wait_log("platform.db")  # the reason, named
    d.kill()
    mend_store(d)
    d.start()
    check_rows(d)
    d.rows({"user-core/later": "core-a"})
    assert d.ask("later").an == 1
    d.stop()


def test_store_comes_back_without_a_restart():
    d = saved()
    break_store(d)
    spawn_answering(d)
    check_rows(d)
    mend_store(d)
    d.sql(("INSERT INTO keyValue(key, value) VALUES('user-core/later', 'core-a')"))
    harness.until("the store is read again", lambda: d.ask("later").an == 1, 30)
    check_rows(d)
    d.stop()


def test_kill_9_loses_nothing_committed():
    """The snapshot is written now and then, the store always: after a kill both together have all."""
    d = harness.Dnsd().start()
    d.rows(ROWS)
    d.kill()
    d.start()
    check_rows(d)
    d.stop()


def test_kill_9_leaves_a_whole_snapshot():
    """Killed again and again while rows are written: whatever is on disk then is a state that was."""
    d = saved({"dns-record/count": {"txt": ["0"]}})
    rng = random.Random(9)
    written = 0
    for _ in range(8):
        d.start()
        for _ in range(rng.randint(1, 6)):
            written += 1
            d.rows({"dns-record/count": {"txt": [str(written)]}})
        d.kill()
        break_store(d)
        reply, _ = spawn_answering(d, "count")
        text = d.ask("count", "TXT").answer
        assert reply.aa and len(text) == 1 and 0 <= int(text[0].split('"')[1]) <= written, text
        d.kill()
        mend_store(d)
    d.start()
    assert d.ask("count", "TXT").answer == [f'count 300 TXT "{written}"']
    d.stop()


def test_a_change_reaches_the_snapshot_by_itself():
    """Not only at a clean stop: some time after a change the file has it."""
    d = saved()
    d.start()
    d.rows({"user-core/written": "core-a"})
    harness.until("the snapshot is written",
                  lambda: b"written" in open(snapshot_of(d), "rb").read(), 30)
    d.kill()
    break_store(d)
    reply, _ = spawn_answering(d, "written")
    assert reply.an == 1
    d.kill()


def test_leftovers_of_a_killed_writer_are_removed():
    """A write that a power cut interrupted leaves its temporary file; they must not pile up."""
    d = saved()
    left = [snapshot_of(d) + suffix for suffix in (".tmp.1", ".tmp.999999")]
    for path in left:
        with open(path, "wb") as f:
            f.write(b"half a snapshot" * 1000)
    d.start()
    check_rows(d)
    d.rows({"user-core/more": "core-a"})
    d.stop()
    assert not [path for path in left if os.path.exists(path)], os.listdir(d.folder)


def test_a_change_just_before_the_end_is_in_it():
    """Stopped at any moment after a change, also while an older state is being written."""
    d = saved()
    for i in range(15):
        d.start()
        for j in range(i % 4):
            d.rows({f"user-core/early-{i}-{j}": "core-a"})
        d.rows({f"user-core/late-{i}": "core-a"})
        d.stop()
        break_store(d)
        reply, _ = spawn_answering(d, f"late-{i}")
        d.kill()
        mend_store(d)
        assert reply.an == 1, (i, reply)


DAMAGE = {
    "empty": lambda b: b"",
    "cut to one octet": lambda b: b[:1],
    "cut in the middle": lambda b: b[:len(b) // 2],
    "last octet missing": lambda b: b[:-1],
    "one octet more": lambda b: b + b"\0",
    "a bit flipped early": lambda b: b[:5] + bytes([b[5] ^ 1]) + b[6:],
    "a bit flipped late": lambda b: b[:-5] + bytes([b[-5] ^ 0x80]) + b[-4:],
    "a bit flipped in the middle": lambda b: b[:len(b) // 2] + bytes([b[len(b) // 2] ^ 4])
    + b[len(b) // 2 + 1:],
    "other data": lambda b: b"#!/bin/sh\n" * 100,
    "zeros": lambda b: bytes(len(b)),
}


@pytest.fixture(scope="module")
def pattern():
    d = saved()
    with open(snapshot_of(d), "rb") as f:
        return d, f.read()


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_damaged_snapshot_is_told_and_not_answered(pattern, damage):
    d, good = pattern
    d.kill()  # if the last one failed
    path = snapshot_of(d)
    with open(path, "wb") as f:
        f.write(damage(good))
    d.config["dns"]["port"] = 0
    d.write_config()
    d.start()
    check_rows(d)
    d.process.wait_log(os.path.basename(path))
    d.stop()
    d.start()
    assert os.path.basename(path) not in d.process.log(), "a good one is there again"
    check_rows(d)
    d.stop()


def test_damaged_snapshot_and_no_store():
    """Nothing to answer from: it says so and ends with 1, or answers SERVFAIL; never a denial."""
    d = saved()
    path = snapshot_of(d)
    with open(path, "r+b") as f:
        f.truncate(20)
    break_store(d)
    d.spawn()
    code = d.process.wait_exit()
    assert code == 1
    assert "platform.db" in d.process.log() and os.path.basename(path) in d.process.log()


def test_snapshot_of_another_domain_is_not_served():
    d = saved()
    d.config["dns"]["domain"] = "other.example.org"
    d.write_config()
    d.start()
    assert Reply(d.udp(query("alice.mc.example.com."))).rcode == "REFUSED"
    assert Reply(d.udp(query("alice.other.example.org."))).an == 1, "the rows are the store's"
    d.stop()


def test_database_that_is_gone_is_not_made_anew():
    """An empty database in its place would empty the zone: the snapshot is answered, the loss is told, and
    when the database is back (here: while running) it counts again."""
    d = saved()
    for path in database_files(d):
        os.rename(path, path + ".away")
    d.start()
    check_rows(d)
    d.process.wait_log("platform.db")
    assert database_files(d) == [path for path in database_files(d) if path.endswith(".away")]
    assert d.dnsctl("status", "--json", expect=None).json()["storeError"]
    for path in glob.glob(d.database + "*.away"):
        os.rename(path, path[:-len(".away")])
    d.process.wait_log("the store is back")
    d.rows({"user-core/newer": "core-a"})
    assert d.ask("newer").an == 1
    d.stop()


def test_database_replaced_by_another():
    """Another database with lower revisions: its rows count, not the old snapshot's."""
    d = saved()
    other = saved({"core-info/core-a": {"id": "core-a", "ip": "192.0.2.1", "available": True},
                   "user-core/fresh": "core-a"})
    for path in database_files(d):
        os.unlink(path)
    shutil.copy(other.database, d.database)
    d.start()
    harness.until("the old rows are gone", lambda: d.ask("alice").rcode == "NXDOMAIN", 10)
    assert d.ask("fresh").an == 1
    d.stop()


def test_database_set_back_to_a_backup():
    """An older copy of the same database: what it says is served."""
    d = saved()
    backup = d.database + ".backup"
    shutil.copy(d.database, backup)
    d.start()
    d.rows({"user-core/newer": "core-a"})
    d.stop()
    for path in database_files(d):
        if path != backup:
            os.unlink(path)
    os.rename(backup, d.database)
    d.start()
    harness.until("the newer row is gone", lambda: d.ask("newer").rcode == "NXDOMAIN", 10)
    check_rows(d)
    d.stop()
