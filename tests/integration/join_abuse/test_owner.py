"""Proven: joined as root with `user:`, what the daemon must read later belongs to that account, and it goes on
as it; a folder of somebody else's is told in one line and left alone, and so is one that our account may not
write into. Needs root; elsewhere it is skipped, visibly."""
import os
import pwd

import pytest

import bundles
import harness
from bundles import Authority
from issuer import Issuer
from joining import BEGUN, Joiner

USER = "nobody"
ROOT = os.geteuid() == 0 and "nobody" in open("/etc/passwd", encoding="utf-8").read() and \
    open("/proc/self/uid_map", encoding="ascii").read().split()[2] != "1"
pytestmark = pytest.mark.skipif(not ROOT, reason="changes owners: needs root")


@pytest.fixture(scope="module")
def ca():
    return Authority()


@pytest.fixture
def issuer(ca):
    one = Issuer(ca.node("core-a", ["core-a", "127.0.0.1"]))
    yield one
    one.stop()


def owners(*paths):
    return {pwd.getpwuid(os.lstat(path).st_uid).pw_name for path in paths}


def everything(folder):
    return [folder] + [os.path.join(at, name) for at, folders, files in os.walk(folder)
                       for name in folders + files]


def test_it_is_the_accounts(ca, issuer):
    j = Joiner({"user": USER})
    os.chmod(j.folder, 0o755)
    j.seal(j.content(ca, issuer))
    process = j.spawn()
    process.wait_log(BEGUN)
    harness.until("it has become that account",
                  lambda: os.stat(f"/proc/{process.pid}").st_uid == pwd.getpwnam(USER).pw_uid, 20)
    process.wait_log(" cluster: this node's certificate ")
    process.stop()
    found = [path for path in everything(j.tls) if not os.path.islink(path)]  # a link needs no owner
    assert len(found) >= 6 and owners(*found, j.generated) == {USER}
    assert os.path.exists(os.path.join(j.tls, "joined"))
    j.whole()
    # As that account, without root, the same configuration and the same command are good, too.
    os.chmod(j.conf, 0o755)
    os.chmod(j.path, 0o644)
    account = pwd.getpwnam(USER)

    def become():
        os.setgroups([])
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
    process = j.spawn(preexec_fn=become)
    process.wait_log(BEGUN)
    process.stop()
    assert "has joined before" in process.log() and len(issuer.requests) == 1


@pytest.mark.parametrize("user", [USER, None])
def test_a_folder_of_somebody_elses(ca, issuer, user):
    j = Joiner({"user": user} if user else {})
    os.chmod(j.folder, 0o755)
    os.mkdir(j.tls, 0o700)
    os.chown(j.tls, pwd.getpwnam("daemon").pw_uid, -1)
    j.seal(j.content(ca, issuer))
    if user:
        j.fails(1, j.tls)
        assert os.listdir(j.tls) == [] and issuer.connections == 0 and os.listdir(j.conf) == ["dnsd.yml"]
        os.chown(j.tls, pwd.getpwnam(user).pw_uid, -1)
    j.joins()


@pytest.mark.parametrize("which", ["tls", "conf"])
def test_our_account_may_not(ca, issuer, which):
    """Run by an account that has no right to write there."""
    account = pwd.getpwnam(USER)
    j = Joiner()
    os.chmod(j.folder, 0o755)
    j.seal(j.content(ca, issuer))
    for path in (j.folder, *everything(j.folder)):
        os.chown(path, account.pw_uid, account.pw_gid)
    if which == "tls":
        os.mkdir(j.tls, 0o755)
    else:
        os.chown(j.conf, 0, 0)
        os.chmod(j.conf, 0o755)

    def become():
        os.setgroups([])
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
    j.fails(1, j.tls if which == "tls" else "bootstrap-config.yml.*Permission denied", preexec_fn=become)
    assert issuer.connections == 0 and os.path.exists(j.bundle) and os.listdir(j.conf) == ["dnsd.yml"]
    os.chown(j.tls if which == "tls" else j.conf, account.pw_uid, account.pw_gid)
    os.chmod(j.tls, 0o700)
    process = j.spawn(preexec_fn=become)
    process.wait_log(BEGUN)
    process.stop()
    assert len(issuer.requests) == 1


def test_no_such_account(ca, issuer):
    j = Joiner({"user": "no-such-account"})
    j.seal(j.content(ca, issuer))
    j.fails(1, "no-such-account")
    j.untouched()
    assert issuer.connections == 0
    assert bundles.TOKEN not in j.process.log()
