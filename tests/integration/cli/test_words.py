"""Proven: the command line itself, without a daemon. Every command has help; what is not understood is
one line on stderr, nothing on stdout and exit code 2; an unusable configuration is told problem by
problem with 1; a missing store is 2; output that cannot be written is 1."""
import os
import re
import subprocess

import pytest

import harness

USAGE, FAILED = 2, 1

COMMANDS = ["records list", "records set", "records delete", "records load", "records export",
            "records import-zone", "records export-zone", "users list", "users get", "users set",
            "users delete", "users load", "cores list", "cores set", "cores drain", "cores delete",
            "certs list", "certs show", "certs renew", "certs rewrap", "certs history", "status",
            "delegation"]


@pytest.fixture(scope="module")
def store():
    d = harness.Dnsd()
    d.dnsctl("cores", "set", "core-a", "--ip", "192.0.2.1")
    return d


def one_line(tool, program="dnsctl"):
    assert tool.out == "", tool.out
    lines = tool.err.splitlines()
    assert len(lines) == 1 and lines[0].startswith(program + ": "), tool.err
    return lines[0]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command):
    tool = harness.run_tool("dnsctl", *command.split(), "--help")
    assert tool.err == "" and f"dnsctl {command}" in tool.out
    assert len([c for c in COMMANDS if re.search(rf"^  dnsctl {c}(\s|$)", tool.out, re.M)]) == 1


def test_help_lists_every_command():
    for tool in (harness.run_tool("dnsctl", "--help"), harness.run_tool("dnsctl", "-h")):
        for command in COMMANDS:
            assert f"  dnsctl {command}" in tool.out
    assert "dnsctl" not in harness.run_tool("dns-records", "--help").out
    noun = harness.run_tool("dnsctl", "users", "--help").out
    assert "users load" in noun and "cores" not in noun


def test_version_is_the_same_everywhere():
    versions = {harness.run_tool(name, "--version").out.split()[1]
                for name in ("dnsctl", "dns-records", "dnsd")}
    assert len(versions) == 1


WRONG = [
    ("users lsit", "unknown command: users lsit; did you mean list?"),
    ("user list", "unknown command: user; did you mean users?"),
    ("records export-zon", "unknown command: records export-zon; did you mean export-zone?"),
    ("certs rewarp", "unknown command: certs rewarp; did you mean rewrap?"),
    ("certs renew --dry-run", "certs renew does not take --dry-run"),
    ("statsu", "unknown command: statsu; did you mean status?"),
    ("cores token", "unknown command: cores token; `dnsctl --help` lists them"),
    ("doctor", "unknown command: doctor; `dnsctl --help` lists them"),
    ("bootstrap new-cor", "unknown command: bootstrap new-cor; did you mean new-core?"),
    ("users list --ttl 5", "users list does not take --ttl"),
    ("status --dry-run", "status does not take --dry-run"),
    ("users list --jsno", "unknown option --jsno; did you mean --json?"),
    ("users list -c", "-c needs a value"),
    ("cores set x --ip --json", "--ip needs a value"),
    ("records set x A 192.0.2.1 --ttl 1.5", "--ttl 1.5: seconds from 0 to 2147483647"),
    ("records set x BOGUS 1", "BOGUS is no record type (A, AAAA, TXT, ..., or TYPE65280)"),
]


@pytest.mark.parametrize("words,why", WRONG, ids=[w for w, _ in WRONG])
def test_what_is_not_understood(store, words, why):
    tool = harness.run_tool("dnsctl", *words.split(), expect=USAGE, env={"DNSD_CONFIG": store.path})
    assert one_line(tool) == "dnsctl: " + why


@pytest.mark.parametrize("words", ["", "users", "records", "users get", "users list x",
                                   "records set x A", "cores drain", "status now", "delegation x"])
def test_wrong_number_of_words_shows_the_usage(store, words):
    tool = store.dnsctl(*words.split(), expect=USAGE)
    assert tool.out == "" and "usage: dnsctl" in tool.err


def test_the_alias_speaks_for_itself(store):
    tool = store.tool("sett", "x", expect=USAGE)
    assert one_line(tool, "dns-records") == "dns-records: unknown command: sett; did you mean set?"
    assert "unknown command: users" in store.tool("users", "list", expect=USAGE).err


def test_options_may_stand_anywhere(store):
    for words in (["-c", store.path, "--json", "cores", "list"],
                  ["cores", "-c", store.path, "list", "--json"],
                  ["cores", "list", "--json", f"--config={store.path}"]):
        assert harness.run_tool("dnsctl", *words).json()["cores"][0]["id"] == "core-a"


def test_a_value_may_look_like_an_option(store):
    store.tool("set", "dashes", "TXT", "--", "--json", "-x")
    assert store.tool("list", "dashes", "--json").json()["records"][0]["values"] == \
        ['"--json"', '"-x"']


# ---- configuration and store ------------------------------------------------------------------------


def test_every_problem_of_the_configuration_is_told():
    d = harness.Dnsd()
    d.write_config("dns:\n  domian: example.com\n  port: many\n")
    tool = d.dnsctl("users", "list", expect=FAILED)
    assert "dnsd.yml:2:" in tool.err and "domain" in tool.err and "dnsd.yml:3:" in tool.err
    assert re.search(r"^dnsctl: the configuration cannot be used: \d+ problems$", tool.err, re.M)
    assert tool.out == ""


def test_no_configuration_at_all():
    tool = harness.run_tool("dnsctl", "-c", "/nowhere/dnsd.yml", "users", "list", expect=FAILED)
    assert "/nowhere/dnsd.yml" in tool.err


def test_records_need_a_domain():
    d = harness.Dnsd({"dns": {"active": False, "domain": None},
                      "dnsLess": {"isActive": True, "publicUrl": "https://one.example.org"}})
    d.dnsctl("cores", "set", "core-a", "--url", "https://one.example.org")
    d.dnsctl("users", "set", "alice", "core-a")  # people have their place without one
    assert d.dnsctl("users", "get", "alice").out == "core-a\n"
    for words in (["list"], ["set", "x", "A", "192.0.2.1"], ["export"], ["load", "-"],
                  ["import-zone", "-"], ["export-zone"], ["delete", "x"]):
        assert "dns.domain is not set" in d.tool(*words, expect=FAILED).err
    assert "dns.domain is not set" in d.dnsctl("delegation", expect=FAILED).err


@pytest.mark.parametrize("words", ["records list", "records export", "records export-zone",
                                   "records delete x", "users list", "users get x",
                                   "users delete x", "cores list", "cores drain x",
                                   "cores delete x"])
def test_without_a_store_nothing_is_there(words):
    d = harness.Dnsd()
    tool = d.dnsctl(*words.split(), expect=USAGE)
    assert "there is no store yet" in one_line(tool) and d.database in tool.err
    assert os.listdir(d.folder) == ["dnsd.yml"]


def test_a_dry_run_makes_no_store():
    d = harness.Dnsd()
    text = "records:\n  - subdomain: x\n    records: {a: 192.0.2.1}\n"
    assert "+1 added" in d.tool("load", "-", "--dry-run", input=text).out
    assert "+1 added" in d.tool("import-zone", "-", "--dry-run", input="x A 192.0.2.1\n").out
    assert os.listdir(d.folder) == ["dnsd.yml"]


CORRUPT = ["records list", "records set x A 192.0.2.1", "users list", "users set x core-a",
           "users load -", "cores list", "cores set x --ip 192.0.2.1", "delegation", "status"]


@pytest.mark.parametrize("words", CORRUPT)
def test_a_file_that_is_no_database(words):
    d = harness.Dnsd()
    with open(d.database, "w", encoding="ascii") as out:
        out.write("this is no database\n" * 500)
    tool = d.dnsctl(*words.split(), expect=FAILED, input="")
    assert d.database in tool.err and all(x.startswith("dnsctl: ") for x in tool.err.splitlines())
    with open(d.database, encoding="ascii") as text:
        assert text.read() == "this is no database\n" * 500


def test_a_store_that_may_not_be_read():
    """As another account (root may read everything)."""
    d = harness.Dnsd()
    d.tool("set", "x", "A", "192.0.2.1")
    os.chmod(d.folder, 0o755)
    os.chmod(d.database, 0o600)
    done = subprocess.run([harness.program("dnsctl"), "-c", d.path, "users", "list"], timeout=30,
                          capture_output=True, text=True, check=False,
                          user=65534 if os.geteuid() == 0 else None,
                          preexec_fn=None if os.geteuid() == 0 else lambda: os.chmod(d.database, 0))
    assert done.returncode == FAILED and done.stdout == "", done
    assert re.fullmatch(rf"dnsctl: the store: .*{re.escape(d.database)}.*\n", done.stderr), done


# ---- output ----------------------------------------------------------------------------------------------


def test_output_that_cannot_be_written(store):
    for words in (["cores", "list"], ["cores", "list", "--json"], ["users", "list"], ["--help"]):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([harness.program("dnsctl"), "-c", store.path, *words], text=True,
                                  stdout=full, stderr=subprocess.PIPE, timeout=30, check=False)
        assert done.returncode == FAILED, words
        assert done.stderr == "dnsctl: cannot write the output: No space left on device\n"


def test_a_reader_that_goes_away(store):
    """`dnsctl users list | head -1` says nothing."""
    store.dnsctl("users", "load", "-",
                 input="".join(f"p{i:05},core-a\n" for i in range(20000)))
    done = subprocess.run(f"{harness.program('dnsctl')} -c {store.path} users list | head -1",
                          shell=True, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0 and done.stderr == "" and done.stdout.split() == ["NAME", "CORE"]


def test_the_export_file_is_replaced_as_a_whole(store):
    path = os.path.join(store.folder, "export.yml")
    store.tool("set", "kept", "A", "192.0.2.1")
    store.tool("export", path)
    first = open(path, encoding="utf-8").read()
    tool = store.tool("export", "/nowhere/export.yml", expect=FAILED)
    assert "/nowhere" in one_line(tool, "dns-records")
    store.tool("set", "kept", "A", "192.0.2.2")
    store.tool("export", path)
    assert open(path, encoding="utf-8").read() == first.replace("192.0.2.1", "192.0.2.2")
    assert [f for f in os.listdir(store.folder) if "tmp" in f] == []
