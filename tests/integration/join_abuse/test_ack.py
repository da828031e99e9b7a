"""Proven: a machine that joins tells the issuer, believes nobody but whom the bundle names, tries again what
may become better, ends at once with one line where it cannot, keeps the bundle until it was heard, writes what
the bundle says into its own file and the TLS folder, and goes on as a daemon. The same command again goes on
from wherever it was."""
import json
import os
import signal

import pytest

import bundles
from bundles import Authority
from harness import DOMAIN, until
from issuer import OK, Issuer, answer, garbage, good, huge, lost
from joining import BEGUN, ERROR, Joiner

NODE = ["core-a", "127.0.0.1"]


@pytest.fixture(scope="module")
def ca():
    return Authority()


@pytest.fixture
def issuers():
    running = []

    def start(pair, *behaviours):
        running.append(Issuer(pair, *behaviours))
        return running[-1]

    yield start
    for one in running:
        one.stop()


def test_it_joins(ca, issuers):
    issuer, j = issuers(ca.node("core-a", NODE)), Joiner()
    content = j.content(ca, issuer, hosting="ch")
    j.seal(content)
    log = j.joins()
    (path, headers, body), = issuer.requests
    assert path == "/system/admin/cores/ack" and headers["Content-Type"] == "application/json"
    assert json.loads(body) == {"coreId": "core-b", "token": bundles.TOKEN,
                                "tlsFingerprint": bundles.fingerprint(content["node"]["certPem"])}
    assert not os.path.exists(j.bundle)
    assert bundles.TOKEN not in log and bundles.ADMIN_KEY not in log
    j.whole()
    settings = j.settings()
    assert settings["core"] == {"id": "core-b", "ip": "127.0.0.1", "hosting": "ch", "nonVoter": True}
    assert settings["dns"] == {"active": True, "chaos": False, "domain": DOMAIN}
    assert settings["cluster"] == {"discoveryEnabled": True, "tlsDir": j.tls, "members": ["127.0.0.9"]}
    assert settings["auth"] == {"adminAccessKey": bundles.ADMIN_KEY}
    assert settings["storages"] == {"platform": {"engine": "rqlite"}, "engines": {"rqlite": {
        "raftPort": j.raft_port, "tls": {"caFile": j.tls + "/ca.crt", "certFile": j.tls + "/node.crt",
                                         "keyFile": j.tls + "/node.key"}}}}
    with open(os.path.join(j.tls, "node.key"), encoding="ascii") as key:
        assert key.read() == content["node"]["keyPem"]
    # The same command line at every start.
    os.unlink(j.passphrase)
    assert "has joined before" in j.joins()
    assert len(issuer.requests) == 1


def test_pins(ca, issuers):
    """A proxy with a certificate of somebody else's, for another name: its key is what counts."""
    proxy = Authority("a public CA").node("www.example.com", ["www.example.com"])
    issuer, j = issuers(proxy), Joiner()
    j.seal(j.content(ca, issuer, pins=[bundles.pin(proxy[0])]))
    j.joins("--bootstrap-as-voter")
    assert len(issuer.requests) == 1
    assert "nonVoter" not in j.settings()["core"]


def test_dnsless(ca, issuers):
    issuer = issuers(ca.node("core-a", NODE))
    j = Joiner({"http": {"challengePort": 0}})
    j.write(j.override, "http: {port: 0}\ndns: {active: true, domain: REPLACE ME}\n")
    j.seal(j.content(ca, issuer, domain="", url="https://b.example.com",
                     config={"dnsLess": {"isActive": True, "publicUrl": "https://a.example.com"}}))
    process = j.spawn()
    assert process.wait_exit() == 2  # the override wants DNS: told with file and line, before anything
    assert f"{j.override}:2: dns.domain: is missing" in process.log()
    j.untouched()
    os.unlink(j.override)
    process = j.spawn()
    process.wait_log(" rqlited: starting way=join why=\"members are known\"")
    process.stop()
    settings = j.settings()
    assert settings["dns"] == {"active": False} and settings["core"]["url"] == "https://b.example.com"
    assert settings["dnsLess"] == {"isActive": True}  # not the URL of core-a


@pytest.mark.parametrize("wrong", ["ca", "pin", "name", "expired"])
def test_somebody_else(ca, issuers, wrong):
    """Not the issuer: the token is not sent, the bundle stays."""
    other = Authority("another CA").node("core-a", NODE)
    ours = ca.node("core-a", NODE)
    pair = {"ca": other, "pin": ours, "name": ca.node("core-a", ["core-a", "127.0.0.7"]),
            "expired": ca.node("core-a", NODE, until=bundles.now() - bundles.DAY)}[wrong]
    issuer, j = issuers(pair), Joiner()
    j.seal(j.content(ca, issuer, pins=[bundles.pin(other[0])] if wrong == "pin" else []))
    j.fails(1, r"127\.0\.0\.1")
    assert issuer.requests == [] and issuer.connections == 1
    assert os.path.exists(j.bundle)
    j.whole()


def test_system_ca(ca, issuers):
    """Then what the bundle pins does not count, and this issuer is not vouched for by anybody."""
    issuer, j = issuers(ca.node("core-a", NODE)), Joiner()
    j.seal(j.content(ca, issuer))
    j.fails(1, r"127\.0\.0\.1", "--bootstrap-ack-trust-system-ca")
    assert issuer.requests == []


def test_plain_http(ca, issuers):
    issuer, j = issuers(None), Joiner()
    j.seal(j.content(ca, issuer))
    j.fails(2, "ackUrl|https")
    assert issuer.connections == 0
    j.untouched()


@pytest.mark.parametrize("first", [answer(500), answer(503, Retry_After="1"), answer(429), lost],
                         ids=["500", "503", "429", "lost"])
def test_tried_again(ca, issuers, first):
    issuer, j = issuers(ca.node("core-a", NODE), first, OK), Joiner()
    j.seal(j.content(ca, issuer))
    log = j.joins()
    assert len(issuer.requests) == 2 and issuer.requests[0][2] == issuer.requests[1][2]
    assert log.count("warn join: the issuer was not heard; will try again") == 1 and "wait_ms=1" in log


@pytest.mark.parametrize("behaviour,pattern", [
    (answer(401, b'{"error":{"id":"token-invalid"}}'), "answered 401: the token is not good there"),
    (answer(403), "answered 403: the token is not good there"),
    (answer(404), "answered 404: the core is not known there"),
    (answer(400), "answered 400: "),
    (answer(302, Location="https://127.0.0.1:9/"), "answered 302: it leads elsewhere"),
    (answer(200, b"<html>"), "not as a dnsd does"),
    (answer(200, good("core-c")), "it is about another core"),
    (answer(200, b"{" * 3000), "not as a dnsd does"),
    (garbage, r"127\.0\.0\.1"),
    (huge, r"127\.0\.0\.1"),
], ids=["401", "403", "404", "400", "302", "html", "other", "deep", "garbage", "huge"])
def test_refused(ca, issuers, behaviour, pattern):
    """Asking again would not help: one try, one line, the bundle stays; with another answer the same command
    goes on."""
    issuer, j = issuers(ca.node("core-a", NODE), behaviour), Joiner()
    j.seal(j.content(ca, issuer))
    j.fails(1, pattern)
    assert len(issuer.requests) == 1 and os.path.exists(j.bundle)
    assert not os.path.exists(os.path.join(j.tls, "joined"))
    j.whole()
    issuer.behaviours[:] = [OK]
    j.joins()
    assert not os.path.exists(j.bundle)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_while_it_waits(ca, issuers, number):
    issuer, j = issuers(ca.node("core-a", NODE), answer(500)), Joiner()
    j.seal(j.content(ca, issuer))
    process = j.spawn()
    process.wait_log("will try again")
    process.signal(number)
    assert process.wait_exit(5) == 1
    assert process.lines[-1].endswith(ERROR + "stopped"), process.log()
    assert os.path.exists(j.bundle)


def test_slow(ca, issuers):
    """It can be stopped while an issuer is thinking, too."""
    def hang(_):
        issuer.released.wait(60)
    issuer, j = issuers(ca.node("core-a", NODE), hang), Joiner()
    j.seal(j.content(ca, issuer))
    process = j.spawn()
    until("it was asked", lambda: issuer.requests, 20)
    process.signal(signal.SIGTERM)
    assert process.wait_exit(5) == 1


def test_killed_at_every_step(ca, issuers):
    """kill -9 while the issuer thinks, after it was heard, before the bundle is deleted: it ends well."""
    def hang(_):
        issuer.released.wait(60)
    issuer, j = issuers(ca.node("core-a", NODE), hang), Joiner()
    j.seal(j.content(ca, issuer))
    with open(j.bundle, encoding="ascii") as text:
        bundle = text.read()
    j.spawn()
    until("it was asked", lambda: issuer.requests, 20)
    j.process.kill()
    j.whole()
    issuer.behaviours[:] = [answer(500), OK]
    issuer.released.set()
    j.joins()  # heard by the issuer twice and a half
    assert len(issuer.requests) == 3
    j.write(j.bundle, bundle)  # as if it had been killed before it could delete it
    log = j.joins()
    assert "with this bundle" in log and len(issuer.requests) == 3
    assert not os.path.exists(j.bundle)
    j.write(j.bundle, bundle)
    os.unlink(os.path.join(j.tls, "joined"))  # ... before it wrote that down
    j.joins()
    assert len(issuer.requests) == 4 and not os.path.exists(j.bundle)


def test_old_bundle(ca, issuers):
    """Version 3 in the predecessor's envelope."""
    issuer, j = issuers(ca.node("core-a", NODE)), Joiner({"dns": {"active": True}})
    content = j.content(ca, issuer)
    for name in ("expiresAt", "config"):
        del content[name]
    for name in ("issuer", "ackPins", "members"):
        del content["cluster"][name]
    content["version"] = 3
    content["rqlite"]["httpPort"] = 14001
    content["platformSecrets"]["letsEncrypt"] = {"atRestKey": "A" * 43 + "="}
    j.write(j.bundle, bundles.seal_old(content))
    process = j.spawn()
    process.wait_log(BEGUN)
    process.stop()
    settings = j.settings()
    assert settings["letsEncrypt"] == {"atRestKey": "A" * 43 + "=", "certRenewer": False}
    assert settings["storages"]["engines"]["rqlite"]["url"] == "http://localhost:14001"
    assert settings["dnsLess"] == {"isActive": False} and settings["dns"] == {"domain": DOMAIN}
