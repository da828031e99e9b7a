"""Proven: bootstrap commands that are killed, or whose disk fails, at every step: the same command again ends well,
nothing half-registered is left, and what fails says so in one line. The steps are system calls, counted by
strace, which then injects the signal or the error."""
import json
import os
import re
import shutil
import signal
import subprocess

import pytest

import harness
import test_bootstrap as t

# What a step ends with: something durable, a name, or a row (a request to rqlite).
STEPS = "fsync,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,sendto"
FAILED = 1


def strace(d, inject, *arguments):
    """The command under strace with INJECT; leaks cannot be looked for there."""
    log = os.path.join(d.folder, "strace.log")
    env = dict(os.environ, ASAN_OPTIONS="detect_leaks=0:exitcode=66", UBSAN_OPTIONS="halt_on_error=1:exitcode=66")
    done = subprocess.run(
        [harness.package_program("strace"), "-f", "-qq", "-e", "signal=none", "-e", f"trace={STEPS}", "-e",
         f"inject={inject}", "-o", log, harness.program("bootstrap"), "-c", d.path, *arguments],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False, env=env)
    assert not harness.REPORT.search(done.stderr), done.stderr
    return done


def killed(done):
    return done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL)


def is_whole(d, told, out):
    """The bundle opens, its token is the only one that counts, the core is listed once."""
    b = t.opened(out, told["passphrase"])
    assert b["node"]["id"] == "core-b"
    assert not os.path.exists(out + ".tmp")
    tokens = t.bootstrap(d, "list-tokens", "--json").json()["tokens"]
    assert [token["core"] for token in tokens] == ["core-b"]
    cores = d.dnsctl("cores", "list", "--json").json()["cores"]
    assert [(c["id"], c["available"]) for c in cores] == [("core-a", True), ("core-b", False)]


def is_gone(d):
    assert t.bootstrap(d, "revoke-token", "core-b", "--json").json()["coreInfoDeleted"] is True
    assert [c["id"] for c in d.dnsctl("cores", "list", "--json").json()["cores"]] == ["core-a"]
    assert t.bootstrap(d, "list-tokens").out == "(no active join tokens)\n"


@pytest.fixture(scope="module")
def running():
    d = t.begin(t.platform())
    t.bootstrap(d, "init-ca-holder")
    harness.until("the database is back", lambda: d.dnsctl("cores", "list", expect=None).code == 0, 30, 0.1)
    yield d
    d.stop()


def test_new_core_is_killed_at_every_step(running):
    out = os.path.join(running.folder, "killed.bundle")
    words = (*t.NEW, "--out", out, "--json")
    for step in range(1, 200):
        done = strace(running, f"{STEPS}:signal=KILL:when={step}", *words)
        if not killed(done):
            assert done.returncode == 0, done.stderr
            break
        if os.path.exists(out) and not os.path.exists(out + ".tmp"):
            told = json.loads(done.stdout)  # it was told, and is whole: then the file is not written over
        else:
            told = t.bootstrap(running, *words).json()
        is_whole(running, told, out)
        os.unlink(out)
        if step % 2:  # the next one finds the admission of this one, or none
            is_gone(running)
    print(f"{step - 1} steps")
    assert step > 8
    is_whole(running, json.loads(done.stdout), out)
    is_gone(running)


def test_the_first_one_is_killed_at_every_step():
    """Where the CA, this core's certificate and the configuration are made: no daemon, so no rows."""
    d = t.platform()
    made = ("ca", "tls", "bootstrap-config.yml")
    for step in range(1, 200):
        for name in made:
            path = os.path.join(d.folder, name)
            shutil.rmtree(path, ignore_errors=True)
            if os.path.isfile(path):
                os.unlink(path)
        done = strace(d, f"{STEPS}:signal=KILL:when={step}", "init-ca-holder")
        told = t.bootstrap(d, "init-ca-holder", "--json").json()
        assert told["configOther"] is False
        with open(os.path.join(d.folder, "ca", "ca.crt"), encoding="ascii") as a, \
                open(os.path.join(d.folder, "tls", "ca.crt"), encoding="ascii") as b:
            assert a.read() == b.read()
        assert int(told["serial"], 16) == t.node_cert(d).serial_number
        left = [name for top in ("ca", "tls") for _, _, names in os.walk(os.path.join(d.folder, top))
                for name in names if "tmp" in name or "new" in name]
        assert left == [], (step, left)
        if not killed(done):
            assert done.returncode == 0, done.stderr
            break
    print(f"{step - 1} steps")
    assert step > 8


@pytest.mark.parametrize("inject, wanted", [
    ("fsync:error=ENOSPC:when=1", "No space left on device"),
    ("link,linkat:error=EROFS:when=1", "Read-only file system; core core-b was not let in"),
    ("link,linkat:error=EIO:when=1", "Input/output error; core core-b was not let in"),
    ("fsync:error=EIO:when=2", "Input/output error; core core-b was not let in"),
])
def test_a_disk_that_fails(running, inject, wanted):
    """Before the rows nothing is written, after them they are taken back."""
    out = os.path.join(running.folder, "disk.bundle")
    done = strace(running, inject, *t.NEW, "--out", out)
    assert done.returncode == FAILED and done.stdout == ""
    assert re.fullmatch(r"bootstrap: [^\n]+\n", done.stderr), done.stderr
    assert out in done.stderr or running.folder in done.stderr
    assert wanted in done.stderr
    assert not os.path.exists(out) and not os.path.exists(out + ".tmp")
    assert [c["id"] for c in running.dnsctl("cores", "list", "--json").json()["cores"]] == ["core-a"]
    assert t.bootstrap(running, "list-tokens").out == "(no active join tokens)\n"


def test_a_file_system_without_second_names(running):
    """A stick with FAT: the file is renamed instead."""
    out = os.path.join(running.folder, "fat.bundle")
    done = strace(running, "link,linkat:error=EPERM", *t.NEW, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    is_whole(running, json.loads(done.stdout), out)
    is_gone(running)


def test_a_small_disk(running):
    """A tmpfs that is full."""
    prefix = [harness.package_program("unshare"), "-m" if os.geteuid() == 0 else "-Urm"]
    folder = os.path.join(running.folder, "small")
    os.makedirs(folder)
    script = 'mount -t tmpfs -o size=8k none "$1" && cat /dev/zero 2>/dev/null > "$1/fill"; shift; exec "$@"'
    done = subprocess.run([*prefix, "sh", "-c", script, "sh", folder, harness.program("bootstrap"), "-c", running.path,
                           *t.NEW, "--out", os.path.join(folder, "x.bundle")],
                          capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (FAILED, ""), done.stderr
    assert "No space left on device" in done.stderr
    assert [c["id"] for c in running.dnsctl("cores", "list", "--json").json()["cores"]] == ["core-a"]
