"""Proven: started as root with `user:`, the daemon binds its port below 1024, then is that user in every
thread, without groups or capabilities of root and without a way back; it can still read and write its
store. The files that the tools make as root are the user's too. A user that does not exist is told
before anything is bound. Root is real root, or, for anybody else, root of a user namespace (with the
one account it has: then only what can be seen there is tested)."""
import os
import pwd
import subprocess

import pytest

import harness

USER = "nobody"

# Real root is needed to become somebody else: a user namespace made by a plain user maps one account.
ROOT = os.geteuid() == 0 and "nobody" in open("/etc/passwd", encoding="utf-8").read() and \
    open("/proc/self/uid_map", encoding="ascii").read().split()[2] != "1"


def threads(pid):
    """{thread: {field: words}} of /proc/PID/task/*/status."""
    found = {}
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status", encoding="ascii") as f:
            found[task] = dict(line.rstrip().split(":\t", 1) for line in f if ":\t" in line)
    return found


def daemon(**config):
    d = harness.Dnsd(config)
    os.chmod(d.folder, 0o755)
    return d


def test_unknown_user():
    d = daemon(user="no-such-account-here")
    d.spawn()
    assert d.process.wait_exit() in (1, 2)
    assert "no-such-account-here" in d.process.log()
    assert "listening" not in d.process.log()


@pytest.mark.skipif(not ROOT, reason="needs real root to become another user")
def test_every_thread_is_the_user():
    account = pwd.getpwnam(USER)
    # A network namespace of its own: port 53 of the machine is nobody's business.
    d = daemon(user=USER, dns={"port": 53})
    d.wrap = [harness.package_program("unshare"), "-n", "sh", "-c", 'ip link set lo up; exec "$@"', "sh"]
    os.chown(d.folder, account.pw_uid, account.pw_gid)
    d.spawn()
    d.process.wait_log(r" app: ready\b")
    for task, status in threads(d.process.pid).items():
        assert status["Uid"].split() == [str(account.pw_uid)] * 4, (task, status["Uid"])
        assert status["Gid"].split() == [str(account.pw_gid)] * 4, (task, status["Gid"])
        assert status["Groups"].split() in ([], [str(account.pw_gid)]), (task, status["Groups"])
        for capabilities in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
            assert int(status[capabilities], 16) == 0, (task, capabilities, status[capabilities])
    assert ("127.0.0.1", 53, "udp") in d.listening()
    for name in os.listdir(d.folder):
        if name.startswith("platform.db"):
            assert os.stat(os.path.join(d.folder, name)).st_uid == account.pw_uid, name
    d.stop()


@pytest.mark.skipif(not ROOT, reason="needs real root to become another user")
def test_it_works_as_the_user():
    account = pwd.getpwnam(USER)
    d = daemon(user=USER)
    os.chown(d.folder, account.pw_uid, account.pw_gid)
    d.tool("set", "made-before", "A", "192.0.2.1")  # by root: the database is still the user's
    d.start()
    assert d.ask("made-before").an == 1
    d.rows({"user-core/alice": "core-a"})
    assert d.ask("alice").an == 1
    d.tool("set", "made-after", "A", "192.0.2.2")
    harness.until("a change by root's tool is answered", lambda: d.ask("made-after").an == 1)
    d.reload()
    assert d.ask("alice").an == 1
    d.stop()
    d.start()
    assert d.ask("made-after").an == 1
    d.stop()


@pytest.mark.skipif(not ROOT, reason="needs real root to become another user")
def test_files_that_root_made_are_handed_over():
    """A first start without `user:` leaves root's files; the next, with it, still works once the folder is
    the user's. A folder that was there before is not handed over: it may be anybody's."""
    d = daemon()
    d.start()
    d.rows({"user-core/alice": "core-a"})
    d.stop()
    d.config["user"] = USER
    d.write_config()
    d.spawn()
    assert d.process.wait_exit() == 1
    assert f"chown {USER} {d.folder}" in d.process.log(), d.process.log()
    assert os.stat(d.folder).st_uid == 0
    os.chown(d.folder, pwd.getpwnam(USER).pw_uid, -1)
    d.start()
    assert d.ask("alice").an == 1
    d.rows({"user-core/bobby": "core-a"})
    assert d.ask("bobby").an == 1
    d.stop()
    uid = pwd.getpwnam(USER).pw_uid
    made = [name for name in os.listdir(d.folder) if name != "dnsd.yml"]
    assert made and all(os.stat(os.path.join(d.folder, name)).st_uid == uid for name in made), made


@pytest.mark.skipif(not ROOT, reason="needs real root to become another user")
def test_a_folder_made_at_the_start_is_the_users():
    d = daemon(user=USER)
    d.config["storages"]["engines"]["sqlite"]["path"] = os.path.join(d.folder, "state", "platform.db")
    d.write_config()
    d.start()
    assert os.stat(os.path.join(d.folder, "state")).st_uid == pwd.getpwnam(USER).pw_uid
    d.stop()


def test_user_without_root():
    """A plain user with `user:` set: it says that it cannot, or stays what it is if it already is that
    user; it never pretends."""
    if os.geteuid() == 0:
        wrap = [harness.package_program("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups"]
        d = daemon(user="root")
        os.chmod(d.folder, 0o777)
        d.wrap = wrap
    else:
        d = daemon(user="root")
    d.spawn()
    code = d.process.wait_exit()
    assert code in (1, 2) and "root" in d.process.log(), d.process.log()


def test_privileged_port_without_privilege():
    """EACCES on port 53 names the address, the port and the remedy."""
    if open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="ascii").read().strip() == "0":
        done = subprocess.run([harness.package_program("unshare"), "-n", "true"], check=False)
        wrap = [harness.package_program("unshare"), "-n"] if done.returncode == 0 else []
        assert wrap, "any port may be bound here by anybody, and no namespace can be made"
    else:
        wrap = []
    d = daemon(dns={"port": 53})
    os.chmod(d.folder, 0o777)
    if os.geteuid() == 0:
        wrap += [harness.package_program("setpriv"), "--reuid=65534", "--regid=65534",
                 "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"]
    d.wrap = wrap
    d.spawn()
    assert d.process.wait_exit() == 1
    log = d.process.log()
    assert "127.0.0.1" in log and "53" in log and "net_bind_service" in log.lower(), log
