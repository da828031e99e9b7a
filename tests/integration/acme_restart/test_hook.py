"""Proven: the operator's hook. It runs once per certificate, after the listeners show it, with three
variables and PATH, no arguments, an empty stdin, the files there to be read; one that fails is run again a few
times and shown in the status with what it said; one that does not end is ended with all that it started. None of it
undoes anything. A certificate that is not new runs none."""
import os
import stat

import pytest

import acme
import fake_ca
from harness import DOMAIN, until


@pytest.fixture
def core():
    made = []

    def start(script):
        dnsd = acme.Renewing()
        hook = os.path.join(dnsd.folder, "hook.sh")
        with open(hook, "w", encoding="ascii") as f:
            f.write("#!/bin/sh\n" + script.replace("OUT", dnsd.folder))
        os.chmod(hook, 0o700)
        dnsd.own = {"onRotateScript": hook}
        ca = fake_ca.FakeCa(dns=dnsd.dns).start()
        made.extend([dnsd, ca])
        dnsd.use(ca).start()
        dnsd.wait_issued(ca)
        return dnsd, ca

    yield start
    for thing in made:
        thing.stop()


def runs(dnsd):
    path = os.path.join(dnsd.folder, "runs")
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as f:
        return f.read().splitlines()


def test_success(core):
    dnsd, ca = core('set -e\nenv | sort >"OUT/env"; echo "$#" >"OUT/args"; cat >"OUT/stdin"\n'
                    'openssl x509 -noout -serial -in "$PRYV_CERT_PATH" >>"OUT/runs"\n'
                    'openssl pkey -noout -in "$PRYV_CERT_KEYPATH"; echo fine\n')
    until("it ran", lambda: len(runs(dnsd)) == 1, 30, 0.05)
    assert acme.plain(runs(dnsd)[0].split("=")[1]) == dnsd.serial()
    with open(os.path.join(dnsd.folder, "env"), encoding="utf-8") as f:
        env = dict(line.split("=", 1) for line in f.read().splitlines())
    for own in ("PWD", "_", "SHLVL", "OLDPWD"):  # the shell's
        env.pop(own, None)
    place = os.path.join(dnsd.tls_dir, "wildcard." + DOMAIN)
    assert set(env) == {"PATH", "PRYV_CERT_HOSTNAME", "PRYV_CERT_PATH", "PRYV_CERT_KEYPATH"}, env
    assert env["PRYV_CERT_HOSTNAME"] == acme.WILDCARD
    assert env["PRYV_CERT_PATH"] == os.path.join(place, "fullchain.pem")
    assert env["PRYV_CERT_KEYPATH"] == os.path.join(place, "privkey.pem")
    with open(os.path.join(dnsd.folder, "args"), encoding="ascii") as f:
        assert f.read().strip() == "0"
    assert os.path.getsize(os.path.join(dnsd.folder, "stdin")) == 0
    dnsd.stop()
    dnsd.start()
    dnsd.wait_issued(ca)
    dnsd.force()
    dnsd.wait_issued(ca, 2)
    until("it ran again", lambda: len(runs(dnsd)) == 2, 30, 0.05)
    assert acme.plain(runs(dnsd)[1].split("=")[1]) == dnsd.serial()


def test_failure(core):
    dnsd, ca = core('echo run >>"OUT/runs"; echo "the proxy said no" >&2\n[ -e "OUT/mended" ] || exit 3\n')
    until("the status tells", lambda: acme.matched("the proxy said no", dnsd.trouble()), 30, 0.1)
    assert acme.matched(r'"?status"?\D+3\b', dnsd.trouble()), dnsd.trouble()
    assert dnsd.serial() in ca.issued(), "a hook undid something"
    until("it is tried again", lambda: len(runs(dnsd)) >= 2, 60, 0.1)
    with open(os.path.join(dnsd.folder, "mended"), "w", encoding="ascii"):
        pass
    until("the trouble is over", lambda: not acme.matched("hook.*(fail|exit).*3", dnsd.dnsctl(
        "status", expect=None).out), 120, 0.2)
    assert len(runs(dnsd)) <= 5 and ca.count("newOrder") == 1


def test_timeout(core):
    """Half a minute; its children go with it."""
    dnsd, ca = core('echo run >>"OUT/runs"\nsleep 7777 & echo $! >"OUT/child"\nwait\n')
    child = os.path.join(dnsd.folder, "child")
    until("it runs", lambda: os.path.exists(child) and os.path.getsize(child), 30, 0.05)
    with open(child, encoding="ascii") as f:
        pid = int(f.read())
    assert dnsd.ask("core-a").rcode == "NOERROR" and dnsd.serial() in ca.issued()
    until("it is ended", lambda: acme.matched("124|too slow|timed? ?out|time", dnsd.dnsctl(
        "status", expect=None).out), 60, 0.2)

    def gone():
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                return b"7777" not in f.read()
        except OSError:
            return True
    until("what it started is ended too", gone, 20, 0.1)


def test_not_to_be_trusted(core):
    """A hook that others may write, or that is not there, is not run; told, and all else goes on."""
    dnsd, ca = core('echo run >>"OUT/runs"\n')
    until("it ran", lambda: len(runs(dnsd)) == 1, 30, 0.05)
    hook = dnsd.own["onRotateScript"]
    os.chmod(hook, 0o777)
    assert stat.S_IMODE(os.stat(hook).st_mode) == 0o777
    dnsd.force()
    dnsd.wait_issued(ca, 2)
    until("the status tells", lambda: acme.matched("written by others", dnsd.trouble()), 30, 0.1)
    assert len(runs(dnsd)) == 1


def test_stop_while_it_runs(core):
    """The daemon does not wait for it for ever."""
    dnsd, _ = core('echo run >>"OUT/runs"\nexec sleep 7778\n')
    until("it runs", lambda: runs(dnsd), 30, 0.05)
    dnsd.stop()
