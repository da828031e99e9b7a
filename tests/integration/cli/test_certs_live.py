"""Proven: dnsctl certs with a daemon that gets its certificates from a real Pebble. renew waits, shows the
steps and ends with what came of it; a limit of ours that stands against it is named with the word that
passes over it; asked twice is one job; history has what was tried. After rewrap the daemon goes on with the
new key alone, and not before it has that key. status says what is wrong before there is a certificate, when
the hook fails, and when the files cannot be written."""
import json
import os
import re
import shutil
import signal

import pytest

import acme
import harness
import sealed
import web
from acme import WILDCARD
from harness import until

FAILED, ATTENTION = 1, 4
HOOK = '#!/bin/sh\necho "no proxy here" >&2\n[ ! -e "$(dirname "$0")/broken" ]\n'


class Certs:
    """The daemon, its CA, and what its commands must never print."""

    def __init__(self):
        self.dnsd = acme.Renewing()
        self.ca = acme.Pebble(dns=self.dnsd.dns)
        hook = os.path.join(self.dnsd.folder, "hook.sh")
        with open(hook, "w", encoding="ascii") as f:
            f.write(HOOK)
        os.chmod(hook, 0o700)
        self.dnsd.own = {"onRotateScript": hook, "caFile": web.Authority().ca}  # not the CA's
        self.ca.start()
        self.dnsd.use(self.ca).start()

    def stop(self):
        self.dnsd.stop()
        self.ca.stop()

    def run(self, *words, **more):
        tool = self.dnsd.dnsctl(*words, **more)
        assert "PRIVATE KEY" not in tool.out + tool.err
        for key in self.keys():
            assert key not in tool.out + tool.err
        return tool

    def keys(self):
        found = self.dnsd.config["letsEncrypt"]["atRestKey"]
        found = list(found) if isinstance(found, list) else [found]
        row = self.dnsd.certificate()
        return found + ([row["keyPem"]] if row else []) + [a["key"] for a in self.dnsd.table("acme_account")]

    def certs(self, *words, **more):
        return self.run("certs", *words, **more)

    def verdict(self, text, code=ATTENTION):
        """Until status says so."""
        def said():
            tool = self.run("status", expect=None)
            return text in tool.out.splitlines()[-1] and tool.code == code
        until(f"status says {text}", said, 30, 0.1)

    def restart(self, *keys):
        self.dnsd.stop()
        self.configure(*keys)
        self.dnsd.start()

    def configure(self, *keys):
        self.dnsd.config["letsEncrypt"]["atRestKey"] = list(keys)
        self.dnsd.write_config()

    def settled(self):
        """Nothing is under way any more: all that an order leaves behind is gone."""
        self.dnsd.no_proofs_left()


@pytest.fixture(scope="module")
def core():
    made = Certs()
    yield made
    made.stop()


def test_before_the_first(core):
    """The CA is not trusted: told, by status and by show, and there is no row yet."""
    core.verdict("there is no certificate yet: ")
    tool = core.certs("show", expect=2)
    assert f"{WILDCARD}: nothing is stored" in tool.out and "problem " in tool.out
    assert core.certs("show", "--json", expect=2).json()["managed"]["problem"]["text"]
    core.dnsd.stop()
    core.dnsd.config["letsEncrypt"]["caFile"] = core.ca.ca_file
    core.dnsd.write_config()
    core.dnsd.start()
    core.dnsd.wait_issued(core.ca)
    core.verdict("one core, at revision", 0)


def test_show_and_list(core):
    core.settled()
    serial = core.dnsd.serial()
    got = core.certs("show", "--json").json()
    cert, managed = got["cert"], got["managed"]
    assert acme.plain(cert["serial"]) == serial and cert["generation"] == 1
    assert cert["directory"] == core.ca.url and cert["sealedWith"] == managed["keys"][0]
    assert managed == core.run("status", "--json").json()["managed"] | {"plan": managed["plan"]}
    assert managed["lease"]["held"] and managed["order"] is None and managed["problem"] is None
    assert managed["served"]["generation"] == 1 and managed["plan"]["renewAt"] > cert["notBefore"]
    said = core.certs("show").out
    for text in ("orders       core-a", core.ca.url + " by dns-01",
                 "served here  generation 1", "sealed with  key " + cert["sealedWith"],
                 os.path.join(core.dnsd.tls_dir, "wildcard.mc.example.com", "fullchain.pem")):
        assert text in said, said
    assert core.certs("show", "x.example.com", "--json", expect=2).json() == {"cert": None, "managed": None}
    assert "the daemon here does not manage it" in core.certs("show", "x.example.com", expect=2).out
    listed, = core.certs("list", "--json").json()["certs"]
    assert {k: cert[k] for k in listed} == listed and listed["hostname"] == WILDCARD


def test_a_limit_stands_against_it(core):
    """At once, with its name and what passes over it, and nothing is ordered."""
    tool = core.certs("renew", expect=FAILED)
    why = tool.err.strip()
    assert re.fullmatch(re.escape(f"dnsctl: {WILDCARD}: held up (floor): ") + ".+; override: floor", why), why
    assert "failed" not in tool.out, "it is said once"
    assert "failed" not in tool.out, "said twice"
    other = core.certs("renew", "--override", "certs", "--json", expect=FAILED)
    assert "held up (floor)" in other.json()["error"]["message"]
    assert core.ca.orders() == 1


def test_it_waits(core):
    """Each step is a line; the last says which generation there is now."""
    tool = core.certs("renew", "--override", "floor")
    assert core.ca.orders() == 2
    steps = tool.out.splitlines()
    assert steps[-1].startswith("done: "), steps
    assert all(re.match("(waiting|working|done)(: |$)", step) for step in steps), steps
    assert len(set(steps)) == len(steps) and tool.err == ""
    assert core.dnsd.certificate()["generation"] == 2
    core.dnsd.wait_issued(core.ca, 2)


def test_asked_twice(core):
    """While the CA does not answer: one job, whoever asks, and one certificate."""
    os.kill(core.ca.process.pid, signal.SIGSTOP)
    try:
        words = ("renew", "--no-wait", "--override", "floor")
        first = core.certs(*words, "--json").json()["job"]
        assert first["state"] in ("waiting", "working") and first["endedAt"] is None
        assert core.certs(*words).out == f"asked for: job {first['id']}\n"
        until("it is under way", lambda: core.certs("renew", "--no-wait", "--json").json()["job"]["state"]
              == "working", 20, 0.1)
        until("show says where it is", lambda: re.search(
            r"order +\w+, since \d{4}-\d\d-\d\d [\d:]{8} UTC", core.certs("show").out), 20, 0.1)
    finally:
        os.kill(core.ca.process.pid, signal.SIGCONT)
    last = core.certs("renew", "--json").json()["job"]  # follows that one
    assert last["id"] == first["id"] and last["state"] == "done" and last["endedAt"] >= last["askedAt"]
    assert core.ca.orders() == 3
    core.dnsd.wait_issued(core.ca, 3)


def test_history(core):
    core.settled()
    tried = core.certs("history", "--json").json()["attempts"]
    of = lambda kind, outcome: [a for a in tried if (a["kind"], a["outcome"]) == (kind, outcome)]
    assert len(of("certificate", "ok")) == len(core.ca.issued()) == 3
    assert len(of("order", "ok")) == 3
    assert len(of("forced", "ok")) == 2 and len(of("forced", "failed")) == 2
    assert all("held up (floor)" in a["text"] for a in of("forced", "failed"))
    assert all(a["core"] == "core-a" and a["hostname"] == WILDCARD for a in tried)
    assert [a["at"] for a in tried] == sorted((a["at"] for a in tried), reverse=True)
    said = core.certs("history").out
    assert "override floor" in said
    assert core.certs("history", WILDCARD).out == said


def test_rewrap(core):
    serial, orders = core.dnsd.serial(), core.ca.orders()
    old, new = core.dnsd.config["letsEncrypt"]["atRestKey"], acme.at_rest_key()
    ids = [sealed.key_id(sealed.master(key)) for key in (old, new)]

    def sealed_with():
        return {sealed.id_of(core.dnsd.certificate()["keyPem"]),
                *(sealed.id_of(row["key"]) for row in core.dnsd.table("acme_account"))}

    core.configure(new, old)  # the file is changed, and the daemon not restarted yet
    tool = core.certs("rewrap", expect=FAILED)
    assert f"core core-a does not have key {ids[1]}" in tool.err and sealed_with() == {ids[0]}
    core.restart(new, old)
    assert "2 rewrapped, 0 had it already, 0 failed" in core.certs("rewrap").out
    assert sealed_with() == {ids[1]}
    core.dnsd.stop()
    shutil.rmtree(core.dnsd.tls_dir)  # out of the row again, not out of the files
    core.restart(new)
    core.dnsd.wait_serial(lambda s: s == serial)
    core.verdict("one core, at revision", 0)
    assert core.ca.orders() == orders
    assert core.certs("renew", "--override", "floor").out.splitlines()[-1].startswith("done: ")
    core.dnsd.wait_issued(core.ca, 4)
    assert core.certs("show", "--json").json()["cert"]["sealedWith"] == ids[1]


def test_rollover_and_revoke(core):
    """After a compromise: the account has another key, the certificate counts no more, and another one comes
    by itself."""
    before, = core.dnsd.table("acme_account")
    serial, orders = core.dnsd.serial(), core.ca.orders()
    assert core.certs("rollover").out.splitlines()[-1] == "done: the account has another key"
    after, = core.dnsd.table("acme_account")
    assert after["url"] == before["url"] and after["thumbprint"] != before["thumbprint"]
    assert after["pending_key"] is None and core.ca.orders() == orders
    assert "one of keyCompromise, " in core.certs("revoke", "--reason", "hacked", expect=2).err
    assert "no core manages" in core.certs("revoke", "x.example.com", expect=2).err
    assert core.ca.status(serial)["Status"] == "Valid"
    tool = core.certs("revoke", WILDCARD, "--reason", "keyCompromise")
    last = tool.out.splitlines()[-1]
    assert last.startswith("done: revoked: serial ") and acme.plain(last.split()[-1]) == serial
    status = core.ca.status(serial)
    assert (status["Status"], status["Reason"]) == ("Revoked", 1)
    until("another certificate is shown", lambda: core.dnsd.serial() != serial, 60, 0.2)
    core.settled()
    assert core.ca.orders() == orders + 1
    tried = core.certs("history", "--json").json()["attempts"]
    assert [(a["kind"], a["outcome"]) for a in tried if a["kind"] in ("rollover", "revoke")] == [
        ("revoke", "ok"), ("rollover", "ok")]
    assert "due in" in core.certs("show").out  # the new one is not revoked
    newer = core.dnsd.serial()
    job = core.certs("revoke", "--no-wait", "--json").json()["job"]
    assert job["kind"] == "revoke" and job["state"] in ("waiting", "working")
    until("that one is revoked too", lambda: core.ca.status(newer)["Status"] == "Revoked", 30, 0.2)


def test_the_hook_fails(core):
    core.verdict("one core, at revision", 0)
    broken = os.path.join(core.dnsd.folder, "broken")
    with open(broken, "w", encoding="ascii"):
        pass
    core.dnsd.sql("DELETE FROM acme_attempt")
    core.certs("renew")
    core.dnsd.wait_issued(core.ca, 5)
    core.verdict("letsEncrypt.onRotateScript failed (exit 1): no proxy here")
    assert re.search(r"hook +exit 1, \d tries: no proxy here", core.certs("show").out)
    os.unlink(broken)


def test_the_files_cannot_be_written(core):
    """Somebody has put something else there: told until it is gone, and what is shown goes on."""
    serial = core.dnsd.serial()
    place = os.path.join(core.dnsd.tls_dir, "wildcard.mc.example.com")
    harness.take_away(place)
    with open(place, "w", encoding="ascii"):
        pass
    core.dnsd.process.signal(signal.SIGHUP)
    core.verdict("the stored certificate cannot be used: ")
    assert "PROBLEM" in core.certs("show").out and core.dnsd.serial() == serial
    assert json.loads(core.run("status", "--json", expect=ATTENTION).out)["managed"]["files"]["problem"]
    os.unlink(place)
    core.dnsd.process.signal(signal.SIGHUP)
    until("the files are there again", lambda: os.path.exists(os.path.join(place, "privkey.pem")), 30, 0.1)
