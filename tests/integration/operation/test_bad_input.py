"""Proven: whatever is wrong with its surroundings, the daemon and the tools say what, once and clearly,
end with the right code (2: configuration or usage, 1: everything else) and lose nothing: broken YAML,
unknown keys, wrong types, all problems in one pass; an occupied port, an address that is not ours; a
store that cannot be read, is no database, or is damaged; a second daemon on the same folder. (Damaged
snapshots: test_snapshot.py. A full disk: test_full_disk.py.)"""
import os
import re
import socket

import pytest

import harness

GOOD = """core:
  id: core-a
  ip: 192.0.2.1
dns:
  active: true
  domain: mc.example.com
  port: 0
  ip: 127.0.0.1
"""

# text, [(line, what the message must have)]
CONFIGS = {
    "not closed": ("dns: [1, 2\n", [(None, "")]),
    "a tab": ("dns:\n\tactive: true\n", [(2, "")]),
    "a list": ("- dns\n- core\n", [(1, "")]),
    "not text": ("\x00\x01\x02", [(None, "")]),
    "unknown key": (GOOD + "  activ: true\n", [(9, r"activ.*(did you mean|active)")]),
    "unknown key in core": (GOOD.replace("  id:", "  idd:"), [(2, "idd")]),
    "port too high": (GOOD.replace("port: 0", "port: 70000"), [(7, "dns.port")]),
    "port is a word": (GOOD.replace("port: 0", "port: dns"), [(7, "dns.port")]),
    "active is a number": (GOOD.replace("active: true", "active: 7"), [(5, "dns.active")]),
    "domain is a list": (GOOD.replace("domain: mc.example.com", "domain: [a]"), [(6, "dns.domain")]),
    "domain with an empty label": (GOOD.replace("mc.example", "mc..example"), [(6, "dns.domain")]),
    "ip is IPv6": (GOOD.replace("ip: 127.0.0.1", "ip: '::1'"), [(8, "dns.ip")]),
    "ip is a name": (GOOD.replace("ip: 127.0.0.1", "ip: localhost"), [(8, "dns.ip")]),
    "core ip": (GOOD.replace("192.0.2.1", "192.0.2.256"), [(3, "core.ip")]),
    "core id with a dot": (GOOD.replace("core-a", "core.a"), [(2, "core.id")]),
    "negative TTL": (GOOD + "  defaultTTL: -5\n", [(9, "defaultTTL")]),
    "wildcard": (GOOD + "  wildcard: everybody\n", [(9, "wildcard.*(users|cores)")]),
    "bad static entry": (GOOD + "  staticEntries:\n    www:\n      a: 300.1.1.1\n", [(11, "www|a")]),
    "static CNAME and A": (GOOD + "  staticEntries:\n    www:\n      a: 192.0.2.9\n      cname: x.example\n",
                           [(None, "CNAME")]),
    "twice the same key": (GOOD + "  port: 5353\n", [(9, "port")]),
    "many at once": (GOOD.replace("port: 0", "port: dns").replace("192.0.2.1", "x") + "  wild: 1\n",
                     [(3, "core.ip"), (7, "dns.port"), (9, "wild")]),
    "log level": (GOOD + "log:\n  level: loud\n", [(10, "log.level")]),
    "store engine": (GOOD + "storages:\n  platform:\n    engine: mysql\n", [(11, "engine")]),
}


@pytest.mark.parametrize("text,wanted", CONFIGS.values(), ids=CONFIGS.keys())
@pytest.mark.parametrize("arguments", [[], ["--check"]], ids=["start", "check"])
def test_configuration(text, wanted, arguments):
    d = harness.Dnsd()
    d.write_config(text)
    d.spawn(*arguments)
    assert d.process.wait_exit() == 2, d.process.log()
    lines = d.process.lines
    for line, what in wanted:
        place = rf"dnsd\.yml:{line}\b" if line else r"dnsd\.yml"
        assert [x for x in lines if re.search(place, x) and re.search(what, x)], (line, what, lines)
    assert not [x for x in lines if "listening" in x]
    assert os.listdir(d.folder) == ["dnsd.yml"], "a configuration that is refused makes nothing"


def test_good_configuration_checks():
    d = harness.Dnsd()
    d.spawn("--check")
    assert d.process.wait_exit() == 0, d.process.log()
    assert sorted(os.listdir(d.folder)) == ["dnsd.yml"]


def test_override_is_named_in_its_own_problems():
    d = harness.Dnsd()
    with open(os.path.join(d.folder, "override-config.yml"), "w", encoding="utf-8") as out:
        out.write("dns:\n  port: nonsense\n")
    d.spawn("--check")
    assert d.process.wait_exit() == 2
    assert re.search(r"override-config\.yml:2\b.*dns\.port", d.process.log()), d.process.log()


def test_missing_configuration():
    d = harness.Dnsd()
    d.path = os.path.join(d.folder, "nowhere.yml")
    d.spawn()
    assert d.process.wait_exit() == 2
    assert "nowhere.yml" in d.process.log()
    assert harness.run_tool("dnsctl", "-c", d.path, "users", "list", expect=None).code in (1, 2)


@pytest.mark.parametrize("arguments", [["--nonsense"], ["-c"], ["surplus"], ["-c", "a", "-c", "b", "c"]])
def test_usage(arguments):
    process = harness.Process([harness.program("dnsd"), *arguments])
    assert process.wait_exit() == 2
    assert process.lines, "it says how it is used"


def test_version_and_help():
    import subprocess
    for arguments, wanted in ((["--version"], r"\d+\.\d+"), (["--help"], "-c")):
        done = subprocess.run([harness.program("dnsd"), *arguments], capture_output=True, text=True,
                              timeout=20, check=False)
        assert done.returncode == 0 and re.search(wanted, done.stdout), done


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM], ids=["udp", "tcp"])
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_occupied_port(kind, address):
    port = harness.free_port(address)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, kind) as other:
        other.bind((address, port))
        if kind == socket.SOCK_STREAM:
            other.listen()
        config = {"dns": {"port": port}}
        if family == socket.AF_INET6:
            config["dns"]["ip6"] = address
        d = harness.Dnsd(config)
        d.spawn()
        assert d.process.wait_exit() == 1, d.process.log()
        log = d.process.log()
        errors = [x for x in d.process.lines if address in x and str(port) in x and "error" in x]
        assert errors, log
        assert re.search(r"(another|other|in use|already)", errors[0]), errors
        assert re.search(r"(stop|dns\.port|dns\.ip)", errors[0]), f"the remedy is named: {errors}"
        assert "ready" not in log


def test_address_that_is_not_ours():
    d = harness.Dnsd({"dns": {"ip": "192.0.2.55"}})
    d.spawn()
    assert d.process.wait_exit() == 1
    assert "192.0.2.55" in d.process.log()


def test_second_daemon_on_the_same_folder():
    d = harness.Dnsd().start()
    d.rows({"user-core/alice": "core-a"})
    second = harness.Dnsd(folder=d.folder)
    second.spawn()
    assert second.process.wait_exit() == 1
    assert re.search(r"(another|already|running|lock)", second.process.log()), second.process.log()
    assert d.ask("alice").an == 1
    d.kill()
    second.start()  # a lock does not outlive its holder
    assert second.ask("alice").an == 1
    second.stop()


def test_second_daemon_on_the_same_port():
    """SO_REUSEPORT would let it share the port in silence, and each would get half of the questions."""
    d = harness.Dnsd().start()
    second = harness.Dnsd({"dns": {"port": d.port}})
    second.spawn()
    assert second.process.wait_exit() == 1, second.process.log()
    assert str(d.port) in second.process.log()
    for _ in range(50):
        assert d.ask("core-a").an == 1
    d.stop()


# ---- the store -----------------------------------------------------------------------------------


def stopped_with_rows():
    d = harness.Dnsd().start()
    d.rows({f"user-core/u{i}": "core-a" for i in range(2000)})
    d.rows({"dns-record/web": {"a": ["192.0.2.80"]}})
    d.stop()
    for name in os.listdir(d.folder):
        if "snap" in name:
            os.unlink(os.path.join(d.folder, name))  # nothing to fall back on: the store alone
    return d


def refused(d, *wanted):
    """Ends with 1, names the file, and leaves it as it is."""
    def contents():
        return open(d.database, "rb").read() if os.path.isfile(d.database) else None
    before = contents()
    d.spawn()
    assert d.process.wait_exit() == 1, d.process.log()
    log = d.process.log()
    assert d.database in log, log
    for pattern in wanted:
        assert re.search(pattern, log), (pattern, log)
    assert contents() == before, "what is there, even if bad, is somebody's only copy"
    tool = harness.run_tool("dnsctl", "-c", d.path, "users", "list", expect=1)
    assert d.database in tool.err and len(tool.err.strip().splitlines()) <= 3, tool.err


def test_store_is_not_a_database():
    d = harness.Dnsd()
    with open(d.database, "w", encoding="ascii") as out:
        out.write("these are my shopping notes\n" * 200)
    refused(d, r"not a database")


def test_store_is_a_folder():
    d = harness.Dnsd()
    os.mkdir(d.database)
    refused(d)


def test_store_in_a_folder_that_does_not_exist_yet():
    """It is made; where nothing can be made, that is told."""
    d = harness.Dnsd()
    d.config["storages"]["engines"]["sqlite"]["path"] = d.database = \
        os.path.join(d.folder, "no", "such", "folder", "p.db")
    d.write_config()
    d.start()
    assert d.ask("core-a").an == 1
    d.stop()
    d.config["storages"]["engines"]["sqlite"]["path"] = d.database = "/proc/no/such/folder/p.db"
    d.write_config()
    d.spawn()
    assert d.process.wait_exit() == 1
    assert "/proc/no" in d.process.log()


def test_store_below_a_file():
    d = harness.Dnsd()
    d.config["storages"]["engines"]["sqlite"]["path"] = d.database = d.path + "/p.db"
    d.write_config()
    d.spawn()
    assert d.process.wait_exit() == 1
    assert "dnsd.yml" in d.process.log()


def test_store_cut_off():
    d = stopped_with_rows()
    with open(d.database, "r+b") as f:
        f.truncate(os.path.getsize(d.database) // 2)
    refused(d, r"(malformed|corrupt|damaged)")


def test_store_overwritten_in_the_middle():
    d = stopped_with_rows()
    size = os.path.getsize(d.database)
    with open(d.database, "r+b") as f:
        f.seek(4096)
        f.write(b"\xa5" * (size - 4096))
    refused(d, r"(malformed|corrupt|damaged|not a database)")


def test_store_without_permission():
    """As a plain user: the file is there but not ours."""
    d = stopped_with_rows()
    os.chmod(d.database, 0)
    if os.geteuid() == 0:
        os.chmod(d.folder, 0o777)
        for name in os.listdir(d.folder):
            if name != "platform.db":
                os.chmod(os.path.join(d.folder, name), 0o666)
        d.wrap = [harness.package_program("setpriv"), "--reuid=65534", "--regid=65534",
                  "--clear-groups"]
    d.spawn()
    assert d.process.wait_exit() == 1, d.process.log()
    assert d.database in d.process.log()
    os.chmod(d.database, 0o600)


def test_store_of_another_program():
    """A fine database, but its keyValue is not ours: refused, untouched."""
    import sqlite3
    d = harness.Dnsd()
    db = sqlite3.connect(d.database)
    db.execute("CREATE TABLE keyValue (id INTEGER PRIMARY KEY, blob BLOB)")
    db.execute("INSERT INTO keyValue(blob) VALUES ('precious')")
    db.commit()
    db.close()
    d.spawn()
    assert d.process.wait_exit() == 1, d.process.log()
    assert d.database in d.process.log()
    db = sqlite3.connect(d.database)
    assert db.execute("SELECT blob FROM keyValue").fetchall() == [("precious",)]
    db.close()


def test_predecessors_database_is_taken_over():
    """Only keyValue with its rows, as the platform makes it: served as it is, nothing lost."""
    import sqlite3
    d = harness.Dnsd()
    db = sqlite3.connect(d.database)
    db.execute("CREATE TABLE keyValue (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
    db.executemany("INSERT INTO keyValue VALUES (?, ?)", [
        ("user-core/alice", "core-a"), ("dns-record/www", '{"a":["192.0.2.7"]}'),
        ("core-info/core-b", '{"id":"core-b","ip":"192.0.2.2","url":null,"available":true}'),
        ("observability/x", "left alone")])
    db.commit()
    db.close()
    d.start()
    assert d.ask("alice").an == 1 and d.ask("www").answer == ["www 300 A 192.0.2.7"]
    assert d.ask("core-b").an == 1
    assert d.sql("SELECT value FROM keyValue WHERE key = 'observability/x'") == [("left alone",)]
    d.stop()


def test_store_locked_by_a_writer_for_long():
    """Another program holds the write lock: answers go on, and its change arrives in the end."""
    import sqlite3
    d = harness.Dnsd().start()
    d.rows({"user-core/alice": "core-a"})
    db = sqlite3.connect(d.database, isolation_level=None)
    db.execute("BEGIN EXCLUSIVE")
    db.execute("INSERT INTO keyValue(key, value) VALUES('user-core/patient', 'core-a')")
    for _ in range(20):
        assert d.ask("alice").an == 1
    tool = harness.run_tool("dnsctl", "-c", d.path, "users", "set", "hasty", "core-a", expect=3)
    assert re.search(r"(busy|locked|another)", tool.err), tool.err
    db.execute("COMMIT")
    db.close()
    harness.until("the change is answered", lambda: d.ask("patient").an == 1)
    assert d.ask("hasty").rcode == "NXDOMAIN"
    d.stop()
