"""Proven: the tools as operators use them, with the daemon up (what they write is answered) and down.
dns-records: set, list, delete, load (plan line, --dry-run, --replace, stdin, --json), export and import,
zone files both ways; every refusal says why, changes nothing and has the right exit code (0 done,
1 failed, 2 nothing there or usage). dnsctl: users, cores, drain, delegation (entered into a real parent
zone it works), status. `load` is all or nothing even when the tool is killed."""
import json
import os
import re
import sqlite3
import subprocess
import threading

import pytest

import harness
from harness import DOMAIN

NOTHING_THERE, FAILED = 2, 1


@pytest.fixture(scope="module")
def dnsd(started):
    d = started(harness.Dnsd({"dns": {"staticEntries": {"fixed": {"a": "192.0.2.200"}}}}))
    d.rows({"core-info/core-a": {"id": "core-a", "ip": "192.0.2.1", "ipv6": "2001:db8::1",
                                 "available": True},
            "core-info/core-b": {"id": "core-b", "ip": "192.0.2.2", "available": True},
            "user-core/alice": "core-a"})
    return d


@pytest.fixture
def cold():
    """A configuration whose daemon does not run."""
    return harness.Dnsd()


def stored(d, prefix="dns-record/"):
    db = sqlite3.connect(d.database)
    rows = dict(db.execute("SELECT key, value FROM keyValue WHERE key >= ? AND key < ?",
                           (prefix, prefix[:-1] + "0")))
    db.close()
    rows.pop("dns-record/settled", None)
    return {key[len(prefix):]: value for key, value in rows.items()}


def answered(d, name, qtype, *wanted):
    harness.until(f"{name} {qtype} is answered with {wanted}",
                  lambda: sorted(line.split(None, 3)[3] for line in d.ask(name, qtype, tcp=True).answer)
                  == sorted(wanted))


# ---- set, list, delete ---------------------------------------------------------------------------

SETS = [
    ("one", "A", ["192.0.2.5"], ["192.0.2.5"]),
    ("two", "a", ["192.0.2.5", "192.0.2.6"], ["192.0.2.5", "192.0.2.6"]),
    ("six", "AAAA", ["2001:DB8::6"], ["2001:db8::6"]),
    ("alias", "CNAME", ["core-a"], ["core-a"]),
    ("abroad", "CNAME", ["www.example.org"], ["www.example.org."]),
    ("words", "TXT", ["some words; and more"], ['"some words; and more"']),
    ("quoted", "TXT", ['"a" "b"'], ['"a" "b"']),
    ("long", "TXT", ["x" * 300], [f'"{"x" * 255}" "{"x" * 45}"']),
    ("mail", "MX", ["10 mx.example.org"], ["10 mx.example.org."]),
    ("policy", "CAA", ['0 issue "ca.example.org"'], ['0 issue "ca.example.org"']),
    ("_sip._tcp", "SRV", ["0 5 5060 sip.example.org."], ["0 5 5060 sip.example.org."]),
    ("web", "HTTPS", ["1 . alpn=h2"], ['1 . alpn="h2"']),
    ("_443._tcp.web", "TLSA", ["3 1 1 " + "AB" * 32], ["3 1 1 " + "ab" * 32]),
    ("odd", "TYPE65280", ["\\# 3 010203"], ["\\# 3 010203"]),
    ("*.any", "A", ["192.0.2.7"], None),
    ("Deep.Mixed.Case", "A", ["192.0.2.8"], ["192.0.2.8"]),
    (f"absolute.{DOMAIN}.", "A", ["192.0.2.9"], ["192.0.2.9"]),
    ("@", "TXT", ["apex"], ['"apex"']),
    ("zone", "NS", ["ns.example.org."], None),
]


@pytest.mark.parametrize("name,qtype,values,wanted", SETS, ids=[f"{n} {t}" for n, t, _, _ in SETS])
def test_set_is_answered_and_listed(dnsd, name, qtype, values, wanted):
    dnsd.tool("set", name, qtype, *values)
    if wanted is not None:
        answered(dnsd, name, qtype, *wanted)
    listed = dnsd.tool("list", name, "--json").json()["records"]
    short = name[:-len(DOMAIN) - 2] if name.endswith(DOMAIN + ".") else name
    mine = [r for r in listed if r["type"] == qtype.upper() and r["source"] == "stored"]
    assert len(mine) == 1 and mine[0]["name"] == short.lower() and len(mine[0]["values"]) == len(values)
    assert short.lower() in dnsd.tool("list", name).out


def test_set_again_replaces_and_keeps_other_types(dnsd):
    dnsd.tool("set", "again", "A", "192.0.2.1", "192.0.2.2")
    dnsd.tool("set", "again", "TXT", "kept")
    dnsd.tool("set", "again", "A", "192.0.2.3")
    answered(dnsd, "again", "A", "192.0.2.3")
    answered(dnsd, "again", "TXT", '"kept"')


def test_ttl(dnsd):
    dnsd.tool("set", "timed", "A", "192.0.2.1", "--ttl", "17")
    dnsd.tool("set", "--ttl=0", "timed", "TXT", "now")
    answered(dnsd, "timed", "TXT", '"now"')
    assert dnsd.ask("timed").answer == ["timed 17 A 192.0.2.1"]
    assert dnsd.ask("timed", "TXT").answer == ['timed 0 TXT "now"']
    for ttl in ("-1", "2147483648", "soon", ""):
        assert dnsd.tool("set", "timed", "A", "192.0.2.2", f"--ttl={ttl}", expect=NOTHING_THERE).err


def test_delete(dnsd):
    dnsd.tool("set", "gone", "A", "192.0.2.1")
    dnsd.tool("set", "gone", "TXT", "stays")
    dnsd.tool("delete", "gone", "A")
    answered(dnsd, "gone", "TXT", '"stays"')
    assert dnsd.ask("gone").rcode == "NOERROR"
    dnsd.tool("delete", "gone")
    harness.until("the name is gone", lambda: dnsd.ask("gone").rcode == "NXDOMAIN")
    dnsd.tool("delete", "gone", expect=NOTHING_THERE)
    dnsd.tool("delete", "alias", "A", expect=NOTHING_THERE)
    dnsd.tool("list", "gone", expect=NOTHING_THERE)


REFUSED = [
    (["set", "bad", "A", "192.0.2.256"], "192.0.2.256"),
    (["set", "bad", "A", "2001:db8::1"], ""),
    (["set", "bad", "AAAA", "192.0.2.1"], ""),
    (["set", "bad", "MX", "mail"], ""),
    (["set", "a..b", "A", "192.0.2.1"], "empty"),
    (["set", "a" * 64, "A", "192.0.2.1"], "63"),
    (["set", "sp ace", "A", "192.0.2.1"], ""),
    (["set", "a.*.b", "A", "192.0.2.1"], r"\*"),
    (["set", "www.example.org.", "A", "192.0.2.1"], DOMAIN),
    (["set", "lsc", "A", "192.0.2.1"], "lsc"),
    (["set", "reg", "A", "192.0.2.1"], "service"),
    (["set", "dns1", "A", "192.0.2.1"], "name server"),
    (["set", "fixed", "A", "192.0.2.1"], "static"),
    (["set", "alice", "A", "192.0.2.1"], "user"),
    (["set", "core-b", "A", "192.0.2.1"], "core"),
    (["set", "both", "CNAME", "a.example.org", "b.example.org"], "CNAME"),
    (["set", "@", "CNAME", "www.example.org"], "CNAME"),
    (["set", "@", "SOA", ". . 1 2 3 4 5"], "SOA"),
    (["set", "_acme-challenge", "CNAME", "other.example.org"], "challenge"),
    (["set", "signed", "RRSIG", "A 13 3 300 20300101000000 20200101000000 1 example.org. AAAA"], ""),
]


@pytest.mark.parametrize("words,why", REFUSED, ids=[" ".join(w)[:40] for w, _ in REFUSED])
def test_refused_with_the_reason(dnsd, words, why):
    before = stored(dnsd)
    tool = dnsd.tool(*words, expect=FAILED)
    assert re.search(why, tool.err), tool.err
    assert len(tool.err.strip().splitlines()) == 1 and tool.err.startswith("dns-records: "), tool.err
    assert tool.out == "" and stored(dnsd) == before


def test_cname_stays_alone(dnsd):
    dnsd.tool("set", "lonely", "CNAME", "core-a")
    dnsd.tool("set", "lonely", "A", "192.0.2.1", expect=FAILED)
    dnsd.tool("set", "busy", "A", "192.0.2.1")
    dnsd.tool("set", "busy", "CNAME", "core-a", expect=FAILED)
    answered(dnsd, "busy", "A", "192.0.2.1")


USAGE = [[], ["frobnicate"], ["set"], ["set", "x"], ["set", "x", "A"], ["set", "x", "NOTATYPE", "1"],
         ["delete"], ["load"], ["load", "a", "b"], ["list", "--nonsense"], ["list", "--ttl", "5"],
         ["sett", "x", "A", "192.0.2.1"]]


@pytest.mark.parametrize("words", USAGE, ids=[" ".join(w) or "nothing" for w in USAGE])
def test_usage(dnsd, words):
    tool = dnsd.tool(*words, expect=NOTHING_THERE)
    assert tool.err and not tool.out


def test_nearest_command_is_suggested(dnsd):
    assert "set" in dnsd.tool("sett", "x", "A", "1", expect=NOTHING_THERE).err
    assert "--json" in dnsd.tool("list", "--jsom", expect=NOTHING_THERE).err


def test_help_and_version():
    for name in ("dnsctl", "dns-records"):
        assert "load" in harness.run_tool(name, "--help").out
        assert re.search(r"\d+\.\d+", harness.run_tool(name, "--version").out)


# ---- load ------------------------------------------------------------------------------------------

FILE = """records:
  - subdomain: load1
    records: {a: [192.0.2.11], ttl: 60}
  - subdomain: load2
    records:
      txt: [one, two]
      mx: [{exchange: mx.example.org, priority: 5}]
"""


def put(d, name, text):
    path = os.path.join(d.folder, name)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    return path


def test_load(dnsd):
    path = put(dnsd, "load.yml", FILE)
    tool = dnsd.tool("load", path, "--dry-run")
    assert "Plan: +2 added, ~0 updated, =0 unchanged, -0 removed" in tool.out
    assert "+ load1" in tool.out and dnsd.ask("load1").rcode == "NXDOMAIN" and "load1" not in stored(dnsd)
    tool = dnsd.tool("load", path)
    assert tool.out.splitlines()[-1] == "Plan: +2 added, ~0 updated, =0 unchanged, -0 removed"
    answered(dnsd, "load1", "A", "192.0.2.11")
    answered(dnsd, "load2", "TXT", '"one"', '"two"')
    assert dnsd.ask("load1").answer == ["load1 60 A 192.0.2.11"]
    tool = dnsd.tool("load", path)
    assert "+0 added, ~0 updated, =2 unchanged, -0 removed" in tool.out


def test_load_from_stdin_as_json(dnsd):
    tool = dnsd.tool("load", "-", "--json", input=json.dumps(
        {"records": [{"subdomain": "fromjson", "records": {"a": ["192.0.2.12"]}}]}))
    assert tool.json()["plan"] == {"added": 1, "updated": 0, "unchanged": 0, "removed": 0}
    answered(dnsd, "fromjson", "A", "192.0.2.12")


def test_load_updates(dnsd):
    dnsd.tool("load", "-", input=FILE)
    tool = dnsd.tool("load", "-", input=FILE.replace("192.0.2.11", "192.0.2.99"))
    assert "+0 added, ~1 updated, =1 unchanged, -0 removed" in tool.out
    answered(dnsd, "load1", "A", "192.0.2.99")


def test_load_replace():
    d = harness.Dnsd()
    d.tool("set", "old", "A", "192.0.2.1")
    d.tool("load", "-", input=FILE)
    tool = d.tool("load", "-", "--replace", "--dry-run",
                  input=FILE.replace("load2", "load3"))
    assert "+1 added, ~0 updated, =1 unchanged, -2 removed" in tool.out
    assert "- old" in tool.out and "- load2" in tool.out and sorted(stored(d)) == ["load1", "load2", "old"]
    d.tool("load", "-", "--replace", input=FILE.replace("load2", "load3"))
    assert sorted(stored(d)) == ["load1", "load3"]
    d.tool("load", "-", "--replace", input="records: []\n")
    assert stored(d) == {}


BAD_FILES = {
    "syntax": ("records: [", [r"bad\.yml:\d+"]),
    "no list": ("rec: 1\n", [r"bad\.yml:1.*rec"]),
    "bad address": ("records:\n  - subdomain: fine\n    records: {a: [192.0.2.1]}\n"
                    "  - subdomain: bad\n    records: {a: [1.2.3]}\n", [r"bad\.yml:5"]),
    "all at once": ("records:\n  - subdomain: reg\n    records: {a: [192.0.2.1]}\n"
                    "  - subdomain: b..c\n    records: {a: [192.0.2.1]}\n"
                    "  - subdomain: x\n    records: {mx: [{priority: 1}]}\n"
                    "  - subdomain: y\n    records: {cname: a.example, a: [192.0.2.1]}\n",
                    [r"bad\.yml:2.*service", r"bad\.yml:4", r"bad\.yml:7", r"bad\.yml:8.*CNAME"]),
    "twice": ("records:\n  - subdomain: t\n    records: {a: [192.0.2.1]}\n"
              "  - subdomain: T\n    records: {a: [192.0.2.2]}\n", [r"bad\.yml:4.*line 2"]),
    "a typo": ("records:\n  - subdomian: t\n    records: {a: [192.0.2.1]}\n", [r"bad\.yml:2.*subdomain"]),
    "a user": ("records:\n  - subdomain: alice\n    records: {a: [192.0.2.1]}\n", [r"bad\.yml:2.*user"]),
    "not UTF-8": ("records:\n  - subdomain: \x80\n    records: {a: [192.0.2.1]}\n", [r"bad\.yml"]),
    "deep": ("records: " + "[" * 3000, [r"bad\.yml"]),
}


@pytest.mark.parametrize("text,wanted", BAD_FILES.values(), ids=BAD_FILES.keys())
def test_bad_file_changes_nothing(dnsd, text, wanted):
    before = stored(dnsd)
    path = os.path.join(dnsd.folder, "bad.yml")
    with open(path, "wb") as out:
        out.write(text.encode("latin-1"))
    tool = dnsd.tool("load", path, expect=FAILED)
    for pattern in wanted:
        assert re.search(pattern, tool.err), (pattern, tool.err)
    assert stored(dnsd) == before


def test_load_of_a_missing_file(dnsd):
    tool = dnsd.tool("load", "/nowhere/at/all.yml", expect=FAILED)
    assert "/nowhere/at/all.yml" in tool.err


def test_load_is_atomic_under_kill():
    """Killed at random moments, it has written all of its rows or none."""
    d = harness.Dnsd()
    d.tool("set", "seed", "A", "192.0.2.1")
    big = "records:\n" + "".join(
        f"  - subdomain: k{i}\n    records: {{a: [192.0.2.1]}}\n" for i in range(3000))
    path = put(d, "big.yml", big)
    killed = 0
    for delay in (0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8):
        process = subprocess.Popen([harness.program("dns-records"), "-c", d.path, "load", path],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(delay)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            killed += 1
        count = len([name for name in stored(d) if name.startswith("k")])
        assert count in (0, 3000), count
    d.tool("load", path)
    assert len(stored(d)) == 3001
    assert killed, "every run ended before it could be killed"


def test_many_writers_lose_nothing(cold):
    """One row changed by several tools at once: no value is lost (no read-change-write race)."""
    cold.tool("set", "shared", "A", "192.0.2.1")
    types = ["AAAA 2001:db8::1", "TXT t", "MX 1 m.example.org.", "CAA 0 issue \";\"", "SRV 0 0 1 s.example.org.",
             "PTR p.example.org.", "TYPE65280 \\# 1 00", "TYPE65281 \\# 1 01"]
    results = []

    def run(text):
        kind, value = text.split(" ", 1)
        results.append(cold.tool("set", "shared", kind, value, expect=None).code)

    threads = [threading.Thread(target=run, args=(text,)) for text in types]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [0] * len(types)
    listed = cold.tool("list", "shared", "--json").json()["records"]
    assert {r["type"] for r in listed} == {"A"} | {text.split()[0] for text in types}


# ---- export, zone files ------------------------------------------------------------------------------


def test_export_is_what_load_reads(dnsd):
    path = os.path.join(dnsd.folder, "export.yml")
    dnsd.tool("export", path)
    other = harness.Dnsd({"dns": {"staticEntries": {"fixed": {"a": "192.0.2.200"}}}})
    other.tool("load", path)
    mine = stored(dnsd)
    theirs = stored(other)
    assert {k: json.loads(v) for k, v in theirs.items()} == {k: json.loads(v) for k, v in mine.items()}
    tool = other.tool("load", path)
    assert "+0 added, ~0 updated" in tool.out
    assert dnsd.tool("export").out == dnsd.tool("export", "-").out


def test_zone_file_there_and_back(dnsd):
    """Records, static entries, SOA, name servers and their addresses; what cores and users generate
    stays with the daemon. A server of another make takes it and answers the same."""
    text = dnsd.tool("export-zone").out
    assert re.search(r"\bSOA\b", text)
    nsd = harness.Nsd({DOMAIN: text}).start()
    try:
        for name, qtype in [("two", "A"), ("@", "NS"), ("@", "SOA"), ("@", "TXT"), ("dns1", "A"),
                            ("words", "TXT"), ("odd", 65280), ("alias", "CNAME"), ("fixed", "A"),
                            ("x.any", "A"), ("_443._tcp.web", "TLSA"), ("mail", "MX"),
                            ("policy", "CAA"), ("web", "HTTPS"), ("timed", "TXT")]:
            ours = dnsd.ask(name, qtype, tcp=True)
            theirs = harness.Reply(nsd.tcp(harness.query(name, qtype)))
            assert (sorted(ours.answer), ours.rcode) == (sorted(theirs.answer), theirs.rcode), name
    finally:
        nsd.stop()
    other = harness.Dnsd({"dns": {"staticEntries": {"fixed": {"a": "192.0.2.200"}}}})
    path = put(other, "zone", text)
    tool = other.tool("import-zone", path, expect=None)
    assert tool.code == 0, tool.err
    for name in ("two", "words", "odd", "deep.mixed.case"):
        assert json.loads(stored(other)[name]) == json.loads(stored(dnsd)[name]), name


def test_import_zone(dnsd):
    zone = f"""$ORIGIN {DOMAIN}.
$TTL 600
imp1  A 192.0.2.31
      A 192.0.2.32
imp2 60 TXT "a b" c
*.imp3 CNAME imp1
imp4.{DOMAIN}. TYPE65280 \\# 2 abcd
"""
    tool = dnsd.tool("import-zone", "-", "--dry-run", input=zone)
    assert "+4 added" in tool.out
    tool = dnsd.tool("import-zone", "-", input=zone)
    answered(dnsd, "imp1", "A", "192.0.2.31", "192.0.2.32")
    answered(dnsd, "imp2", "TXT", '"a b" "c"')
    assert dnsd.ask("x.imp3").answer[0] == "x.imp3 600 CNAME imp1"
    assert dnsd.ask("imp4", 65280).an == 1


@pytest.mark.parametrize("zone,why", [
    ("imp5 A 192.0.2.1\nimp6 A not.an.address\n", "line 2"),
    ("imp5 A 192.0.2.1\nimp5 CNAME x.example.\n", "CNAME"),
    ("reg A 192.0.2.1\n", "service"),
    ("imp5 A 192.0.2.1\noutside.example.org. A 192.0.2.1\n", "outside.example.org"),
    ("$INCLUDE /etc/passwd\n", ""),
    ("imp5 IN A (192.0.2.1\n", ""),
], ids=["bad address", "CNAME and A", "service name", "outside", "include", "not closed"])
def test_bad_zone_file_changes_nothing(dnsd, zone, why):
    before = stored(dnsd)
    tool = dnsd.tool("import-zone", "-", input=zone, expect=FAILED)
    assert why in tool.err, tool.err
    assert stored(dnsd) == before and "root:" not in tool.err


# ---- users, cores ----------------------------------------------------------------------------------


def test_users(dnsd):
    dnsd.dnsctl("users", "set", "carol", "core-b")
    answered(dnsd, "carol", "A", "192.0.2.2")
    assert dnsd.dnsctl("users", "get", "carol").out.strip() == "core-b"
    assert dnsd.dnsctl("users", "get", "Carol", "--json").json()["user"] == {"name": "carol",
                                                                            "core": "core-b"}
    dnsd.dnsctl("users", "set", "carol", "core-a")
    answered(dnsd, "carol", "A", "192.0.2.1")
    assert "carol" in dnsd.dnsctl("users", "list").out
    assert {"name": "carol", "core": "core-a"} in dnsd.dnsctl("users", "list", "--json").json()["users"]
    dnsd.dnsctl("users", "delete", "carol")
    harness.until("carol is gone", lambda: dnsd.ask("carol").rcode == "NXDOMAIN")
    dnsd.dnsctl("users", "delete", "carol", expect=NOTHING_THERE)
    dnsd.dnsctl("users", "get", "carol", expect=NOTHING_THERE)


def test_a_user_without_core_goes_where_few_are(dnsd):
    dnsd.rows({f"user-core/crowd{i}": "core-a" for i in range(20)})
    dnsd.dnsctl("users", "set", "lonesome")
    assert dnsd.dnsctl("users", "get", "lonesome").out.strip() == "core-b"


@pytest.mark.parametrize("words,why", [
    (["set", "dave", "core-x"], "core-x"), (["set", "core-a", "core-b"], "core"),
    (["set", "reg", "core-b"], "service"), (["set", "lsc", "core-b"], "lsc"),
    (["set", "fixed", "core-b"], "static"), (["set", "dns1", "core-b"], "name server"),
    (["set", "a.b", "core-b"], ""), (["set", "-x", "core-b"], ""), (["set", "x" * 64, "core-b"], "63"),
    (["set", "under_score", "core-b"], ""),
], ids=lambda p: p[1] if isinstance(p, list) else "")
def test_users_refused(dnsd, words, why):
    before = stored(dnsd, "user-core/")
    tool = dnsd.dnsctl("users", *words, expect=None)
    assert tool.code in (FAILED, NOTHING_THERE) and why in tool.err, tool.err
    assert stored(dnsd, "user-core/") == before


def test_users_load(dnsd):
    csv = "name,core\n" + "".join(f"csv{i},core-{'ab'[i % 2]}\n" for i in range(3000))
    tool = dnsd.dnsctl("users", "load", "-", input=csv)
    assert "3000" in tool.out, tool.out
    answered(dnsd, "csv2999", "A", "192.0.2.2")
    answered(dnsd, "csv0", "A", "192.0.2.1")
    tool = dnsd.dnsctl("users", "load", "-", input="csv0,core-b\ncsv1,core-b\nfresh1,core-a\n")
    answered(dnsd, "csv0", "A", "192.0.2.2")
    before = stored(dnsd, "user-core/")
    tool = dnsd.dnsctl("users", "load", "-", expect=FAILED,
                       input="ok1,core-a\nreg,core-a\nok2,core-nowhere\nno comma\nok1,core-b\n")
    for line in (2, 3, 4, 5):
        assert re.search(rf"-:{line}: ", tool.err), tool.err
    assert stored(dnsd, "user-core/") == before


def test_cores(dnsd):
    dnsd.dnsctl("cores", "set", "core-n", "--ip", "192.0.2.14", "--ipv6", "2001:db8::14")
    answered(dnsd, "core-n", "A", "192.0.2.14")
    listed = dnsd.dnsctl("cores", "list", "--json").json()["cores"]
    assert [c for c in listed if c["id"] == "core-n" and c["ip"] == "192.0.2.14"], listed
    assert "core-n" in dnsd.dnsctl("cores", "list").out
    harness.until("reg has it", lambda: "192.0.2.14" in str(dnsd.ask("reg").answer))
    dnsd.dnsctl("cores", "drain", "core-n")
    harness.until("reg has it no more", lambda: "192.0.2.14" not in str(dnsd.ask("reg").answer))
    assert dnsd.ask("core-n").an == 1 and "192.0.2.14" in str(dnsd.ask("lsc").answer)
    dnsd.dnsctl("cores", "set", "core-n", "--available", "yes")
    harness.until("reg has it again", lambda: "192.0.2.14" in str(dnsd.ask("reg").answer))
    dnsd.dnsctl("users", "set", "erin", "core-n")
    dnsd.dnsctl("cores", "delete", "core-n", expect=FAILED)
    dnsd.dnsctl("users", "delete", "erin")
    dnsd.dnsctl("cores", "delete", "core-n")
    harness.until("it is gone", lambda: dnsd.ask("core-n").rcode == "NXDOMAIN")
    dnsd.dnsctl("cores", "drain", "core-n", expect=NOTHING_THERE)
    for words in (["bad_id!", "--ip", "192.0.2.1"], ["x", "--ip", "nonsense"], ["alice", "--ip", "192.0.2.1"],
                  ["reg", "--ip", "192.0.2.1"], ["x", "--ipv6", "192.0.2.1"], ["x", "--available", "maybe"]):
        assert dnsd.dnsctl("cores", "set", *words, expect=None).code in (FAILED, NOTHING_THERE), words


def test_delegation_works_in_a_parent_zone(dnsd):
    """What it prints, entered into the parent's zone, is what the parent then answers."""
    text = dnsd.dnsctl("delegation").out
    lines = [line for line in text.splitlines() if re.search(r"\s(NS|A|AAAA)\s", line)]
    assert len([x for x in lines if " NS " in x]) == 2, text
    parent = "\n".join(["$TTL 300", "example.com. SOA ns.example.com. h.example.com. 1 2 3 4 5",
                        "example.com. NS ns.example.com.", "ns.example.com. A 127.0.0.1"] + lines) + "\n"
    nsd = harness.Nsd({"example.com": parent}).start()
    try:
        reply = harness.Reply(nsd.udp(harness.query("alice", edns=1232)))
        ours = dnsd.ask("@", "NS", edns=1232)
        strip = lambda lines: sorted(" ".join(x.split()[:1] + x.split()[2:]) for x in lines)
        assert strip(reply.authority) == strip(ours.answer), "NS at the parent is NS at the apex"
        assert strip(reply.additional) == strip(ours.additional), "and so is the glue"
    finally:
        nsd.stop()
    assert dnsd.dnsctl("delegation", "--json").json()["domain"] == DOMAIN


def test_status(dnsd):
    """Of the running daemon, and honest when there is none."""
    status = dnsd.dnsctl("status", "--json").json()
    assert isinstance(status, dict) and status
    serial = dnsd.ask("@", "SOA").answer[0].split()[5]
    assert serial in json.dumps(status), status
    assert dnsd.dnsctl("status").out.strip()
    idle = harness.Dnsd()
    idle.tool("set", "x", "A", "192.0.2.1")
    tool = idle.dnsctl("status", "--json", expect=None)
    assert tool.code in (0, 1, 2) and re.search(r"(not running|no daemon|false|down)", tool.out + tool.err)


# ---- without a daemon --------------------------------------------------------------------------------


def test_tools_work_with_the_daemon_down(cold):
    cold.dnsctl("cores", "set", "core-a", "--ip", "192.0.2.1")
    cold.tool("set", "early", "A", "192.0.2.77")
    cold.dnsctl("users", "set", "early-user", "core-a")
    cold.start()
    assert cold.ask("early").answer == ["early 300 A 192.0.2.77"]
    assert cold.ask("early-user").answer == ["early-user 300 A 192.0.2.1"]
    cold.stop()


def test_reading_makes_nothing(cold):
    for words in (["list"], ["export"], ["list", "x"]):
        tool = cold.tool(*words, expect=None)
        assert tool.code in (0, FAILED, NOTHING_THERE)
    assert os.listdir(cold.folder) == ["dnsd.yml"]


def test_output_that_cannot_be_written(dnsd):
    """A pipe that closes, a full device: 1 and one line, not silence."""
    done = subprocess.run([harness.program("dns-records"), "-c", dnsd.path, "export"], timeout=30,
                          stdout=open("/dev/full", "w", encoding="ascii"), stderr=subprocess.PIPE,
                          text=True, check=False)
    assert done.returncode == 1 and done.stderr.strip(), done


def test_config_from_the_environment(dnsd):
    tool = harness.run_tool("dns-records", "list", "--json", env={"DNSD_CONFIG": dnsd.path})
    assert tool.json()["records"]
