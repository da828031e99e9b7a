"""Proven, without a daemon: what each writing command leaves in the store, what it refuses and why; many
tools at once lose nothing; a full disk and a kill leave the store as it was; large files work and show
a bar on a terminal."""
import json
import os
import pty
import pwd
import re
import resource
import select
import sqlite3
import subprocess
import threading
import time

import pytest

import harness

FAILED, NOTHING = 1, 2


@pytest.fixture
def store():
    d = harness.Dnsd({"dns": {"staticEntries": {"fixed": {"a": "192.0.2.200"}, "lsc": {"a": "192.0.2.201"}},
                              "records": {"root": {"mx": [{"exchange": "mx.example.org", "priority": 10}]}}}})
    d.dnsctl("cores", "set", "core-a", "--ip", "192.0.2.1")
    d.dnsctl("cores", "set", "core-b", "--ip", "192.0.2.2")
    d.dnsctl("users", "set", "alice", "core-a")
    return d


def rows(d, prefix):
    return {key[len(prefix):]: value for key, value in d.sql(
        ("SELECT key, value FROM keyValue WHERE substr(key, 1, ?) = ?", (len(prefix), prefix)))}


def records(d):
    return {name: json.loads(value) for name, value in rows(d, "dns-record/").items()}


# ---- one record -----------------------------------------------------------------------------------------


def test_set_writes_the_row_that_is_meant(store):
    store.tool("set", "WWW", "A", "192.0.2.5", "192.0.2.6", "--ttl", "60")
    store.tool("set", "www", "TXT", "x" * 300)
    assert records(store)["www"] == {"a": ["192.0.2.5", "192.0.2.6"],
                                     "txt": ["x" * 300], "ttls": {"a": 60}} or \
        records(store)["www"]["a"] == ["192.0.2.5", "192.0.2.6"]
    assert store.tool("list", "www", "--json").json()["records"] == [
        {"name": "www", "type": "A", "ttl": 60, "values": ["192.0.2.5", "192.0.2.6"],
         "source": "stored"},
        {"name": "www", "type": "TXT", "ttl": 300,
         "values": [f'"{"x" * 255}" "{"x" * 45}"'], "source": "stored"}]


def test_set_says_what_it_did(store):
    assert store.tool("set", "x", "A", "192.0.2.5").out == "x A: 1 value\n"
    assert store.tool("set", "x", "A", "192.0.2.5").out == "x A: 1 value, as before\n"
    assert store.tool("set", "x", "A", "192.0.2.5", "192.0.2.6", "--json").json() == {
        "name": "x", "type": "A", "values": 2, "changed": True}
    assert store.tool("set", "x", "A", "192.0.2.6", "192.0.2.6").out == "x A: 1 value\n"


LIMITS = [
    (["set", "x", "A", *[f"192.0.{i}.1" for i in range(101)]], "100"),
    (["set", "x", "TXT", *["y" * 3000 + str(i) for i in range(25)]], "60000"),
    (["set", ".".join(["a" * 60] * 5), "A", "192.0.2.1"], "255"),
    (["set", "@", "MX", "10 mail.example.org."], "dns.records.root"),
    (["set", "@", "SOA", "a. b. 1 2 3 4 5"], "SOA"),
    (["set", "fixed", "TXT", "x"], "dns.staticEntries"),
]


@pytest.mark.parametrize("words,why", LIMITS, ids=[w for _, w in LIMITS])
def test_limits_and_fixed_names(store, words, why):
    tool = store.tool(*words, expect=FAILED)
    assert why in tool.err and len(tool.err.splitlines()) == 1, tool.err
    assert records(store) == {}


def test_a_hundred_values_fit(store):
    store.tool("set", "x", "A", *[f"192.0.{i}.1" for i in range(100)])
    assert len(records(store)["x"]["a"]) == 100


def test_values_that_cannot_be_served_are_told_and_go(store):
    store.rows({"dns-record/old": {"a": [123, "192.0.2.7"], "what": 1}}, settle=False)
    tool = store.tool("list", "old")
    assert "192.0.2.7" in tool.out and tool.err.count("dns-records: warning: ") == 2
    assert "a[0]" in tool.err and "what" in tool.err
    tool = store.tool("set", "old", "TXT", "new")
    assert "a[0]" in tool.err
    assert records(store)["old"] == {"a": ["192.0.2.7"], "txt": ["new"]}
    assert store.tool("list", "old").err == ""


def test_rows_that_are_no_names_can_be_removed(store):
    store.rows({"dns-record/no name": {"a": ["192.0.2.7"]}, "dns-record/UPPER": {"txt": "x"},
                "dns-record/list": []}, settle=False)
    for name in ("no name", "UPPER", "list"):
        store.tool("delete", name)
    assert records(store) == {}


def test_a_shadowed_row_is_told(store):
    store.rows({"dns-record/lsc": {"a": ["192.0.2.7"]}, "dns-record/fixed": {"a": "192.0.2.8"},
                "dns-record/@": {"mx": ["5 a.example.org."], "txt": "seen"}}, settle=False)
    listed = {(r["name"], r["type"]): r for r in store.tool("list", "--json").json()["records"]
              if r["source"] == "stored"}
    assert "members" in listed["lsc", "A"]["shadowed"]
    assert "dns.staticEntries" in listed["fixed", "A"]["shadowed"]
    assert "dns.records.root" in listed["@", "MX"]["shadowed"]
    assert "shadowed" not in listed["@", "TXT"]
    text = store.tool("list").out
    assert re.search(r"^lsc +A +300 +192.0.2.7 +never answered: ", text, re.M)
    assert re.search(r"^fixed +A +300 +192.0.2.200 +from the configuration$", text, re.M)


def together(count, run):
    """RUN(i) in COUNT threads that begin at one moment; the results."""
    results = [None] * count
    barrier = threading.Barrier(count)

    def go(i):
        barrier.wait()
        results[i] = run(i)

    threads = [threading.Thread(target=go, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_many_sets_of_one_name_lose_nothing(store):
    """Each is a read, a change and a write of the whole row."""
    n = 16
    codes = together(n, lambda i: store.tool("set", "busy", f"TYPE{65300 + i}", f"\\# 1 {i:02x}",
                                             expect=None).code)
    assert codes == [0] * n
    assert len(store.tool("list", "busy", "--json").json()["records"]) == n


def test_sets_and_deletes_of_one_name(store):
    store.tool("set", "busy", "A", "192.0.2.1")
    types = [65300 + i for i in range(8)]
    for t in types[:4]:
        store.tool("set", "busy", f"TYPE{t}", "\\# 1 00")

    def run(i):
        if i < 4:
            return store.tool("delete", "busy", f"TYPE{types[i]}", expect=None).code
        return store.tool("set", "busy", f"TYPE{types[i]}", "\\# 1 00", expect=None).code

    assert together(8, run) == [0] * 8
    assert {r["type"] for r in store.tool("list", "busy", "--json").json()["records"]} == \
        {"A"} | {f"TYPE{t}" for t in types[4:]}


def test_loads_at_once_are_each_whole(store):
    """Files that overlap: in the end one of them holds every shared name."""
    def text(i):
        return "records:\n" + "".join(
            f"  - subdomain: s{k}\n    records: {{a: 192.0.2.{i + 1}}}\n" for k in range(50))

    codes = together(6, lambda i: store.tool("load", "-", input=text(i), expect=None).code)
    assert codes == [0] * 6
    assert len({value["a"][0] for value in records(store).values()}) == 1


def test_a_store_made_by_root_belongs_to_the_daemon():
    """Which will not be root any more when it opens it; anybody else's belongs to themselves."""
    d = harness.Dnsd({"user": "nobody"})
    d.tool("set", "x", "A", "192.0.2.1")
    owner = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else os.geteuid()
    files = [f for f in os.listdir(d.folder) if f != "dnsd.yml"]
    assert files and {os.stat(os.path.join(d.folder, f)).st_uid for f in files} == {owner}
    d.tool("set", "y", "A", "192.0.2.1")
    assert {os.stat(os.path.join(d.folder, f)).st_uid for f in os.listdir(d.folder)
            if f != "dnsd.yml"} == {owner}


# ---- files of records -------------------------------------------------------------------------------------


def test_every_problem_of_a_file_in_one_pass(store):
    text = """records:
  - subdomain: one
    records:
      a: [192.0.2.1, 192.0.2.300]
      aaaa:
        - 2001:db8::1
        - 192.0.2.1
  - subdomain: alice
    records: {a: 192.0.2.1}
  - subdomain: core-a
    records: {a: 192.0.2.1}
  - subdomain: "@"
    records: {mx: [{exchange: a.example.org, priority: 1}]}
  - subdomain: ok
    records: {a: 192.0.2.1, ttl: soon}
  - subdomain: empty
    records: {}
  - subdomain: null
    records: {a: 192.0.2.1}
  - records: {a: 192.0.2.1}
  - subdomain: lost
  - 5
  - subdomain: two
    record: {a: 192.0.2.1}
other: 1
"""
    tool = store.tool("load", "-", input=text, expect=FAILED)
    lines = {int(line.split(":")[1]) for line in tool.err.splitlines()[:-1]}
    assert lines == {4, 7, 8, 10, 12, 15, 17, 18, 20, 21, 22, 23, 24, 25}, tool.err
    assert re.search(r"^dns-records: nothing was changed: \d+ problems in -$", tool.err, re.M)
    assert "did you mean records?" in tool.err
    assert tool.out == "" and records(store) == {}


def test_what_is_there_already_is_not_judged(store):
    """The predecessor stored rows for lsc and for core ids; they come back from an export."""
    store.rows({"dns-record/lsc": {"a": ["192.0.2.1"]}, "dns-record/core-a": {"a": ["192.0.2.1"]},
                "dns-record/MiXeD": {"txt": "capitals"}}, settle=False)
    text = store.tool("export").out
    assert "Plan: +0 added, ~0 updated, =3 unchanged, -0 removed" in \
        store.tool("load", "-", input=text).out
    assert "would never be answered" in store.tool(
        "load", "-", input=text.replace("192.0.2.1", "192.0.2.2"), expect=FAILED).err


def test_an_export_leaves_out_what_cannot_be_served_and_says_so(store):
    store.rows({"dns-record/half": {"a": ["192.0.2.1", 5]}, "dns-record/bad name": {"a": []}},
               settle=False)
    tool = store.tool("export", expect=FAILED)
    assert "half" in tool.out and "bad name" not in tool.out
    assert "2 stored values that cannot be served were left out" in tool.err


def test_export_as_json_is_loadable(store):
    store.tool("set", "x", "A", "192.0.2.1", "--ttl", "5")
    store.tool("set", "*.wild", "TXT", '"quo\\"te"', "back\\\\slash", "ünï")
    text = store.tool("export", "--json").out
    assert [e["subdomain"] for e in json.loads(text)["records"]] == ["*.wild", "x"]
    assert "=2 unchanged" in store.tool("load", "-", "--replace", input=text).out
    assert "=2 unchanged" in store.tool("load", "-", "--replace", input=store.tool("export").out).out


def test_load_tells_its_plan_as_json(store):
    store.tool("set", "old", "A", "192.0.2.1")
    text = "records:\n  - subdomain: new\n    records: {a: 192.0.2.1}\n"
    wanted = {"plan": {"added": 1, "updated": 0, "unchanged": 0, "removed": 1},
              "dryRun": True, "changes": [{"name": "new", "change": "added"},
                                          {"name": "old", "change": "removed"}]}
    assert store.tool("load", "-", "--replace", "--dry-run", "--json", input=text).json() == wanted
    assert set(records(store)) == {"old"}
    wanted["dryRun"] = False
    assert store.tool("load", "-", "--replace", "--json", input=text).json() == wanted
    assert set(records(store)) == {"new"}


def test_a_full_disk_changes_nothing(store):
    """Neither the store nor an export that is there: files may grow to 200 KB only."""
    store.tool("set", "kept", "A", "192.0.2.1")
    before = rows(store, "")
    export = os.path.join(store.folder, "export.yml")
    store.tool("export", export)
    old = open(export, encoding="utf-8").read()
    text = "records:\n" + "".join(
        f"  - subdomain: bulk{i}\n    records: {{txt: [{'x' * 200}]}}\n" for i in range(2000))
    users = "".join(f"user{i:06},core-a\n" for i in range(20000))

    def limited(*words, text=None):
        done = subprocess.run(
            [harness.program("dnsctl"), "-c", store.path, *words], input=text, text=True,
            capture_output=True, timeout=60, check=False,
            restore_signals=False,  # Python ignores SIGXFSZ, so that write() fails instead
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)))
        assert done.returncode == FAILED and done.stdout in ("", PLAN), done
        assert len(done.stderr.splitlines()) == 1 and not harness.REPORT.search(done.stderr), done
        return done.stderr

    PLAN = "Plan: +2000 added, ~0 updated, =0 unchanged, -0 removed\n"
    for error in (limited("records", "load", "-", text=text), limited("users", "load", "-", text=users)):
        assert store.database in error and "nothing was changed" in error, error
    assert rows(store, "") == before
    store.tool("load", "-", input=text)
    assert len(records(store)) == 2001
    assert export in limited("records", "export", export)
    assert open(export, encoding="utf-8").read() == old


# ---- zone files -------------------------------------------------------------------------------------------


def test_import_says_what_it_leaves_out(store):
    zone = """@ 300 SOA ns.example.org. h.example.org. 1 2 3 4 5
@ NS ns.example.org.
@ NS dns1
@ MX 10 mx.example.org.
@ TXT "kept"
dns1 A 192.0.2.1
fixed 300 A 192.0.2.200
www 60 A 192.0.2.80
ftp A 192.0.2.81
www TXT "back again"
"""
    tool = store.tool("import-zone", "-", input=zone)
    assert tool.out == "Plan: +3 added, ~0 updated, =0 unchanged, -0 removed\n"
    assert "1 SOA and 2 NS of the domain itself" in tool.err
    assert "1 address of the name servers" in tool.err
    assert "2 records that the configuration has already" in tool.err
    assert records(store)["www"]["txt"] == ["back again"]
    assert set(records(store)) == {"@", "www", "ftp"}
    assert "=3 unchanged" in store.tool("import-zone", "-", "--replace", input=zone).out


def test_import_refuses_what_contradicts_the_configuration(store):
    for zone, why in (("fixed A 192.0.2.9\n", "dns.staticEntries"), ("@ MX 5 other.example.org.\n",
                      "dns.records.root"), ("alice A 192.0.2.9\n", "user")):
        tool = store.tool("import-zone", "-", input=zone + "fine A 192.0.2.1\n", expect=FAILED)
        assert why in tool.err, tool.err
    assert records(store) == {}


def test_export_zone_comes_back_unchanged_and_others_read_it(store):
    store.tool("set", "@", "TXT", "apex")
    store.tool("set", "www", "A", "192.0.2.80", "--ttl", "60")
    store.tool("set", "*.wild", "CNAME", "www")
    store.tool("set", "odd", "TYPE65280", "\\# 2 abcd")
    path = os.path.join(store.folder, "zone")
    store.tool("export-zone", path)
    text = open(path, encoding="ascii").read()
    assert "192.0.2.200" in text and "192.0.2.1\n" in text, "static entries and name servers"
    assert "lsc" not in text, "founders do not stay founders"
    for command in (["nsd-checkzone", harness.DOMAIN, path], ["named-checkzone", harness.DOMAIN, path]):
        done = subprocess.run([harness.package_program(command[0]), *command[1:]], text=True,
                              capture_output=True, timeout=30, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert store.tool("import-zone", path, "--replace").out == \
        "Plan: +0 added, ~0 updated, =4 unchanged, -0 removed\n"
    assert store.tool("export-zone", "--json").json()["zone"] == text
    assert store.tool("export-zone", path, "--json").json() == {
        "file": path, "records": len(text.splitlines()) - 2}


# ---- users ------------------------------------------------------------------------------------------------


def test_users_set_says_what_it_did(store):
    assert store.dnsctl("users", "set", "bob").out == "user bob added to core-b\n"
    assert store.dnsctl("users", "set", "BOB", "core-a").out == "user bob moved to core-a\n"
    assert store.dnsctl("users", "set", "bob", "core-a").out == "user bob stays on core-a\n"
    assert store.dnsctl("users", "set", "bob").out == "user bob stays on core-a\n"
    assert store.dnsctl("users", "set", "bob", "core-b", "--json").json() == {
        "user": {"name": "bob", "core": "core-b"}, "change": "moved to"}
    assert store.dnsctl("users", "get", "bob", "--json").json() == {
        "user": {"name": "bob", "core": "core-b"}}
    assert store.dnsctl("users", "delete", "Bob").out == "user bob deleted\n"
    assert store.dnsctl("users", "delete", "bob", expect=NOTHING).err == \
        "dnsctl: there is no user bob\n"


def test_a_drained_core_gets_no_new_users(store):
    store.dnsctl("cores", "drain", "core-b")
    assert "core-a" in store.dnsctl("users", "set", "carol").out
    assert "core-b" in store.dnsctl("users", "set", "dave", "core-b").out  # on demand it does
    tool = store.dnsctl("cores", "drain", "core-a")
    assert tool.out.startswith("core core-a changed: not available\nits users stay until they are moved: 2\n")
    assert tool.out.endswith("dnsctl bootstrap remove-core core-a\n")
    assert "no core is available" in store.dnsctl("users", "set", "erin", expect=FAILED).err


def test_users_of_other_programs_can_be_named(store):
    store.rows({"user-core/Odd_Name": "core-a"}, settle=False)
    assert store.dnsctl("users", "get", "Odd_Name").out == "core-a\n"
    store.dnsctl("users", "set", "Odd_Name", "core-b")
    store.dnsctl("users", "delete", "Odd_Name")
    assert set(rows(store, "user-core/")) == {"alice"}


def test_nothing_steers_the_terminal(store):
    """Neither what other programs stored nor what a file holds."""
    store.rows({"user-core/\x1b[31mred": "core-a\x07", "core-info/core-x": {"id": "core-x", "url": "a\x1bb"},
                "dns-record/\x1b]0;x": {"a": []}}, settle=False)
    said = [store.dnsctl("users", "list"), store.dnsctl("cores", "list"), store.tool("list"),
            store.dnsctl("users", "load", "-", input="\x1b[2J,core-a\n\x1b[2J\n", expect=FAILED),
            store.tool("set", "\x1b[2J", "A", "192.0.2.1", expect=FAILED),
            store.tool("set", "x", "A", "\x1b[2J", expect=FAILED),
            store.tool("import-zone", "-", input="x A \x1b[2J\n", expect=FAILED),
            store.tool("load", "-", input="records:\n  - subdomain: x\n    records: {a: \"\\e[2J\"}\n",
                       expect=FAILED),
            store.dnsctl("\x1b[2J", expect=NOTHING), store.dnsctl("status", "\x1b[2J", expect=NOTHING),
            store.dnsctl("--\x1b[2J", expect=NOTHING), store.tool("export", expect=FAILED)]
    for tool in said:
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", tool.out + tool.err), tool.out + tool.err
    store.dnsctl("users", "delete", "\x1b[31mred")


def test_users_load_counts(store):
    text = "\ufeffname,core\n# a comment\n\nalice , core-b\n\"Zoe\",core-a\r\nyan,core-a"
    tool = store.dnsctl("users", "load", "-", input=text)
    assert tool.out == "Users: +2 added, ~1 moved, =0 unchanged\n"
    assert rows(store, "user-core/") == {"alice": "core-b", "zoe": "core-a", "yan": "core-a"}
    assert store.dnsctl("users", "load", "-", "--json", input=text).json() == {
        "users": {"added": 0, "moved": 0, "unchanged": 3}}
    assert store.dnsctl("users", "load", "-", input="").out == \
        "Users: +0 added, ~0 moved, =0 unchanged\n"


def test_users_load_tells_twenty_problems_and_counts_the_rest(store):
    store.tool("set", "taken", "A", "192.0.2.1")
    text = "good,core-a\n" + "".join(f"bad{i},core-x\n" for i in range(50)) + \
        "taken,core-a\ncore-b,core-a\nGood,core-b\n" + "x" * 2000 + ",core-a\nn\0ul,core-a\n"
    path = os.path.join(store.folder, "users.csv")
    with open(path, "w", encoding="ascii") as out:
        out.write(text)
    tool = store.dnsctl("users", "load", path, expect=FAILED)
    lines = tool.err.splitlines()
    assert lines[0] == f"{path}:2: there is no core core-x" and len(lines) == 22
    assert lines[-2] == f"{path}: and 35 more"
    assert lines[-1] == f"dnsctl: nothing was changed: 55 problems in {path}"
    tail = store.dnsctl("users", "load", "-", input=text[text.index("taken"):], expect=FAILED).err
    for line, why in ((1, "taken is a stored record"), (2, "core-b is a core"),
                      (4, "1023"), (5, "1023")):
        assert re.search(rf"^-:{line}: .*{why}", tail, re.M), tail
    assert set(rows(store, "user-core/")) == {"alice"}
    assert "no/such/file" in store.dnsctl("users", "load", "no/such/file", expect=FAILED).err


def run_on_terminal(argv):
    """What a program writes to a terminal that is its stderr, its stdout and its exit code."""
    master, slave = pty.openpty()
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=slave)
    os.close(slave)
    shown = b""
    end = time.monotonic() + 120
    while True:
        assert time.monotonic() < end, shown
        if select.select([master], [], [], 1)[0]:
            try:
                piece = os.read(master, 65536)
            except OSError:  # the other side is closed
                break
            if not piece:
                break
            shown += piece
    os.close(master)
    out = process.stdout.read()
    process.stdout.close()
    return process.wait(), out.decode(), shown.decode()


def test_a_hundred_thousand_users_with_a_bar(store):
    path = os.path.join(store.folder, "users.csv")
    with open(path, "w", encoding="ascii") as out:
        out.writelines(f"user{i:06},core-{'ab'[i % 2]}\n" for i in range(100_000))
    code, out, shown = run_on_terminal(
        [harness.program("dnsctl"), "-c", store.path, "users", "load", path])
    assert (code, out) == (0, "Users: +100000 added, ~0 moved, =0 unchanged\n"), shown
    bars = re.findall(r"\[(#*-*)\] +(\d+)%", shown)
    assert shown == "" or bars, shown  # a machine that needs no half second shows none
    assert shown == "" or shown.endswith("\r\x1b[K"), "the bar is taken away"
    tool = store.dnsctl("users", "load", path)
    assert tool.out == "Users: +0 added, ~0 moved, =100000 unchanged\n" and tool.err == ""
    assert store.dnsctl("users", "list").out.count("\n") == 100_002  # a header, and alice
    assert len(store.dnsctl("users", "list", "--json").json()["users"]) == 100_001
    # Names that many users could have are found among them by one scan.
    text = "records:\n" + "".join(
        f"  - subdomain: {'user' if i == 77 else 'name'}{i:06}\n    records: {{a: 192.0.2.1}}\n"
        for i in range(100))
    tool = store.tool("load", "-", input=text, expect=FAILED)
    assert tool.err.startswith("-:156: records[77]: user000077 is a user"), tool.err


def test_memory_of_a_load_is_bounded(store):
    """A line without an end is not kept: 300 MB of it stay below 200 MB."""
    process = subprocess.Popen([harness.program("dnsctl"), "-c", store.path, "users", "load", "-"],
                               stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE)
    for _ in range(300):
        process.stdin.write(b"x" * 1_000_000)
    process.stdin.write(b",core-a\n")
    process.stdin.flush()
    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
        peak = int(re.search(r"VmHWM:\s+(\d+) kB", status.read()).group(1))
    process.stdin.close()
    err = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait() == FAILED and "-:1: " in err, err
    assert peak < 200_000, f"{peak} kB"


# ---- cores ------------------------------------------------------------------------------------------------


def test_cores_set_changes_what_is_given_and_keeps_the_rest(store):
    store.rows({"core-info/core-z": {"id": "core-z", "ip": "192.0.2.9", "hosting": "eu",
                                     "other": 1, "available": True}}, settle=False)
    store.dnsctl("cores", "set", "core-z", "--ipv6", "2001:db8::9", "--url", "https://z.example.org/")
    store.dnsctl("cores", "set", "core-z", "--available", "no")
    assert json.loads(rows(store, "core-info/")["core-z"]) == {
        "id": "core-z", "ip": "192.0.2.9", "ipv6": "2001:db8::9", "url": "https://z.example.org/",
        "hosting": "eu", "other": 1, "available": False}
    store.dnsctl("cores", "set", "core-z", "--ipv6", "", "--ip=")
    row = json.loads(rows(store, "core-info/")["core-z"])
    assert row.get("ip") is None and row.get("ipv6") is None and row["hosting"] == "eu"
    tool = store.dnsctl("cores", "list")
    assert tool.out.splitlines()[0].split() == ["ID", "IP", "IPV6", "URL", "AVAILABLE", "USERS"]
    assert re.search(r"^core-a +192.0.2.1 +- +- +yes +1$", tool.out, re.M), tool.out
    assert store.dnsctl("cores", "set", "core-z", "--available", "yes", "--json").json()["added"] is False


REFUSED = [
    ("bad_id", "letters, digits and '-'"), ("-x", ""), ("x" * 64, "63"), ("a.b", "one label"),
    ("reg", "service"), ("lsc", "members"), ("dns2", "name server"), ("fixed", "dns.staticEntries"),
    ("alice", "is a user"), ("stored", "stored record"),
]


@pytest.mark.parametrize("name,why", REFUSED, ids=[n[:20] for n, _ in REFUSED])
def test_ids_that_mean_something_else_are_refused(store, name, why):
    store.tool("set", "stored", "TXT", "x")
    tool = store.dnsctl("cores", "set", "--ip", "192.0.2.3", "--", name, expect=FAILED)
    assert tool.err.startswith(f"dnsctl: core {name}: ") and why in tool.err, tool.err
    assert set(rows(store, "core-info/")) == {"core-a", "core-b"}


VALUES = [(["--ip", "192.0.2"], "IPv4"), (["--ip", "2001:db8::1"], "IPv4"), (["--ip", "192.0.2.01"], "IPv4"),
          (["--ipv6", "192.0.2.1"], "IPv6"), (["--url", "ftp://x.example"], "URL"),
          (["--url", "https://"], "URL"), (["--url", "https://a b"], "URL"),
          (["--available", "maybe"], "yes or no")]


@pytest.mark.parametrize("words,why", VALUES, ids=[" ".join(w) for w, _ in VALUES])
def test_values_of_cores_are_judged_first(words, why):
    d = harness.Dnsd()
    tool = d.dnsctl("cores", "set", "core-a", *words, expect=FAILED)
    assert why in tool.err and words[0] in tool.err
    assert os.listdir(d.folder) == ["dnsd.yml"], "nothing is made for a command that cannot be done"


def test_cores_with_users_are_not_deleted(store):
    tool = store.dnsctl("cores", "delete", "core-a", expect=FAILED)
    assert "core-a" in tool.err and "user" in tool.err, tool.err
    store.dnsctl("users", "set", "alice", "core-b")
    assert store.dnsctl("cores", "delete", "core-a").out == "core core-a deleted\n"
    assert store.dnsctl("cores", "delete", "core-a", expect=NOTHING).err == \
        "dnsctl: there is no core core-a\n"
    assert store.dnsctl("cores", "drain", "core-a", expect=NOTHING).err == \
        "dnsctl: there is no core core-a\n"


def test_a_core_with_users_is_deleted_by_force(store):
    """They stay, for a new core of that id."""
    tool = store.dnsctl("cores", "delete", "core-a", "--json", expect=FAILED)
    assert "--force" in tool.err
    assert tool.json() == {"error": {"id": "failed", "message": tool.err.strip().split(": ", 1)[1]}}
    assert store.dnsctl("cores", "delete", "core-a", "--force", "--json").json() == \
        {"deleted": "core-a", "nodeRemoved": False}
    assert store.dnsctl("users", "get", "alice").out == "core-a\n"
    assert "does not take --force" in store.dnsctl("cores", "list", "--force", expect=NOTHING).err


def test_a_database_that_somebody_holds(store):
    """Exit code 3: nothing is wrong, and nothing was written; try again."""
    db = sqlite3.connect(store.database, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    tool = store.tool("set", "www", "A", "192.0.2.77", "--json", expect=3)
    assert tool.err.endswith("; nothing was written; try again\n"), tool.err
    assert tool.json()["error"]["id"] == "unavailable"
    assert store.tool("list", "www", expect=None).code in (0, NOTHING)  # who reads is not held up
    db.execute("ROLLBACK")
    store.tool("set", "www", "A", "192.0.2.77")
