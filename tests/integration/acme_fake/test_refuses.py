"""Proven: a CA that goes wrong, or worse, gets nothing out of the daemon and does not drive it into a loop:
each case is asked for no more than the table says, over kill -9 and restarts, with text in the status by
which an operator sees what is the matter; nothing is stored, nothing else than before is shown, nobody
else is asked; and DNS answers all the while. Mended, the next try (in its time) issues."""
import json

import pytest

import acme
import fake_ca
import harness
from acme import NAMES
from fake_ca import always, change, html, huge, problem, redirect, without_header
from harness import DOMAIN, until

# A first try, and one after a minute (1.2 s here); the third comes after ten (12 s here).
TRIES = 3


def elsewhere(call):
    """URLs of another origin."""
    return call.ca.elsewhere.base + "/order/stolen"


def foreign_url(member):
    return lambda ca: change(**{member: lambda old: ca.elsewhere.base + "/finalize/x" if isinstance(old, str)
                                else [ca.elsewhere.base + "/authz/x"] * len(old)})


def subproblems():
    return problem("rejectedIdentifier", 400, "The server will not issue\x1b[31m for it", subproblems=[
        {"type": fake_ca.ERROR + "rejectedIdentifier", "detail": "is a word of power",
         "identifier": {"type": "dns", "value": DOMAIN}}])


def terms():
    return problem("userActionRequired", 403, "Terms of service have changed",
                   instance="https://fake.example/terms/agree",
                   headers={"Link": '<https://fake.example/terms/2>;rel="terms-of-service"'})


# name: (hooks, {kind: requests at the most}, what the status says)
CASES = {
    "503": (lambda ca: ca.on.update(newOrder=always(lambda: problem("serverInternal", 503))),
            {"newOrder": 8 * TRIES}, "serverInternal|503"),
    "HTML": (lambda ca: ca.on.update(newOrder=html()), {"newOrder": 8 * TRIES}, "502"),
    "HTML for the directory": (lambda ca: ca.on.update(directory=html(200)),
                               {"directory": 8 * TRIES, "newAccount": 0}, "JSON|directory"),
    "10 MB": (lambda ca: ca.on.update(newOrder=huge()), {"newOrder": 8 * TRIES}, "large|limit|more than|big"),
    "10 MB of certificate": (lambda ca: ca.on.update(cert=huge()), {"newOrder": TRIES, "finalize": TRIES},
                             "large|limit|more than|big"),
    "truncated": (lambda ca: ca.on.update(newOrder=fake_ca.truncated), {"newOrder": 8 * TRIES}, "JSON"),
    "finalize elsewhere": (lambda ca: ca.on.update(newOrder=foreign_url("finalize")(ca), order=foreign_url(
        "finalize")(ca)), {"newOrder": TRIES}, "origin"),
    "authorizations elsewhere": (lambda ca: ca.on.update(newOrder=foreign_url("authorizations")(ca),
                                 order=foreign_url("authorizations")(ca)), {"newOrder": TRIES}, "origin"),
    "newOrder elsewhere": (lambda ca: ca.on.update(directory=change(
        newOrder=lambda old: ca.elsewhere.base + "/newOrder")), {"newOrder": 0, "newAccount": TRIES}, "origin"),
    "Location elsewhere": (lambda ca: ca.on.update(newOrder=lambda call: location(call, elsewhere(call))),
                           {"newOrder": TRIES}, "origin|Location|where the order is"),
    "redirect": (lambda ca: ca.on.update(newOrder=redirect(ca.elsewhere.base + "/newOrder")),
                 {"newOrder": 8 * TRIES}, "302|redirect"),
    "redirect of the directory": (lambda ca: ca.on.update(directory=redirect(ca.elsewhere.url)),
                                  {"directory": 8 * TRIES, "newAccount": 0}, "302|redirect"),
    "no Location": (lambda ca: ca.on.update(newOrder=without_header("Location")), {"newOrder": TRIES}, "Location|where the order is"),
    "badNonce always": (lambda ca: ca.on.update(newAccount=always(lambda: problem("badNonce", 400))),
                        {"newAccount": 21 * 12, "newOrder": 0}, "nonce"),
    "other names": (lambda ca: setattr(ca, "make", fake_ca.other_names(ca, "other.example", "*.other.example")),
                    {"newOrder": TRIES, "finalize": TRIES}, "names?"),
    "one name less": (lambda ca: setattr(ca, "make", fake_ca.other_names(ca, DOMAIN)),
                      {"newOrder": TRIES, "finalize": TRIES}, "names?"),
    "key of another": (lambda ca: setattr(ca, "make", fake_ca.foreign_key(ca)),
                       {"newOrder": TRIES, "finalize": TRIES}, "key"),
    "expired": (lambda ca: setattr(ca, "make", fake_ca.expired(ca)), {"newOrder": TRIES, "finalize": TRIES},
                "expired|over|past|dates?"),
    "no certificate in it": (lambda ca: ca.on.update(cert=always(lambda: fake_ca.Reply(
        200, b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))),
        {"newOrder": TRIES, "finalize": TRIES}, "ertificate|PEM"),
    "valid at once": (lambda ca: setattr(ca, "start_status", "valid"), {"newOrder": TRIES, "finalize": 0}, "key"),
    "no challenge we know": (lambda ca: ca.on.update(authz=change(
        challenges=lambda old: [{**old[0], "type": "dns-persist-09"}])), {"newOrder": TRIES, "challenge": 0},
        "dns-01"),
    "no authorization, pending": (lambda ca: ca.on.update(newOrder=change(authorizations=[]), order=change(
        authorizations=[])), {"newOrder": TRIES, "finalize": 0}, "no authorizations"),
    "terms": (lambda ca: ca.on.update(newOrder=always(terms)), {"newOrder": TRIES},
              "(?s)(userActionRequired|terms).*https://fake.example/terms/"),
    "rejected": (lambda ca: ca.on.update(newOrder=always(subproblems)), {"newOrder": TRIES}, "word of power"),
    "account refused": (lambda ca: ca.on.update(newAccount=always(lambda: problem(
        "unsupportedContact", 400, "no such mail"))), {"newAccount": TRIES, "newOrder": 0}, "no such mail"),
    "deactivated account": (lambda ca: ca.on.update(newOrder=always(lambda: problem(
        "unauthorized", 403, "account is deactivated"))), {"newOrder": TRIES, "newAccount": 2 * TRIES},
        "deactivated"),
    "account never there": (lambda ca: ca.on.update(newOrder=always(lambda: problem(
        "accountDoesNotExist", 400, "never heard of"))), {"newOrder": 2 * TRIES, "newAccount": 2 * TRIES},
        "accountDoesNotExist|never heard of"),
}


def location(call, where):
    reply = call.reply()
    reply.headers["Location"] = where
    return reply


@pytest.fixture(scope="module")
def other():
    """Where nobody may be sent to."""
    made = fake_ca.FakeCa().start()
    yield made
    made.stop()


@pytest.mark.parametrize("case", CASES)
def test_is_told_and_bounded(started, other, case):
    setup, limits, told = CASES[case]
    dnsd = acme.Renewing()
    ca = fake_ca.FakeCa(dns=dnsd.dns)
    ca.elsewhere = other
    setup(ca)
    started(ca)
    dnsd.use(ca).start()
    try:
        text = until("the status tells", lambda: acme.matched(told, dnsd.trouble()), 60, 0.1)
        print(f"{case}: {text}")
        acme.bounded(ca, limits, 1, case)
        for end in (dnsd.kill, dnsd.stop):
            end()
            dnsd.start()
            acme.bounded(ca, limits, 1.5, case)
        assert dnsd.ask("core-a").rcode == "NOERROR"
        until("the status tells again", lambda: acme.matched(told, dnsd.trouble()), 30, 0.1)
        assert dnsd.certificate() is None and dnsd.serial() not in ca.issued()
        assert "\x1b" not in dnsd.process.log() and "\x1b" not in dnsd.trouble()
        assert other.requests == [], "somebody else was asked"
        assert ca.complaints == []
        print(f"{case}: {ca.counts()}")
    finally:
        dnsd.stop()


@pytest.mark.parametrize("case", ["503", "key of another", "no Location", "truncated"])
def test_goes_on_when_mended(started, other, case):
    dnsd = acme.Renewing(env=acme.scaled(0.002))
    ca = fake_ca.FakeCa(dns=dnsd.dns)
    ca.elsewhere = other
    CASES[case][0](ca)
    started(ca)
    started(dnsd.use(ca))
    until("the status tells", lambda: acme.matched(CASES[case][2], dnsd.trouble()), 60, 0.1)
    ca.on.clear()
    ca.make = ca.issue
    before = len(ca.issued())
    dnsd.wait_issued(ca, before + 1)
    acme.verify(acme.shown(("127.0.0.1", dnsd.https), ca.root_file, DOMAIN), ca.roots()[0], NAMES)
    until("the trouble is over", lambda: json.loads(dnsd.present())["managed"]["problem"] is None, 20, 0.1)


def test_slow_loris(started):
    """One octet every half second: the exchange has an end (30 s), and nothing else waits for it."""
    dnsd = acme.Renewing()
    ca = fake_ca.FakeCa(dns=dnsd.dns)
    ca.on["newAccount"] = fake_ca.slow_loris(0.5)
    started(ca)
    started(dnsd.use(ca))
    until("it has come to the account", lambda: ca.count("newAccount"), 30)
    assert dnsd.ask("core-a").rcode == "NOERROR"
    assert dnsd.serial()
    until("the status tells", lambda: acme.matched("no complete reply within 30000 ms", dnsd.trouble()), 60, 0.2)
    assert ca.count("newOrder") == 0


def test_validation_fails(started):
    """A CA that does not find the values: told in its own words, and the budget of failures is kept over
    kill -9: at the most four authorizations' failures in an hour (72 s here)."""
    dnsd = acme.Renewing()
    liar = started(harness.Dnsd())  # another zone's server, without any value
    ca = fake_ca.FakeCa(dns=liar.address)
    started(ca)
    dnsd.use(ca).start()
    try:
        until("the status tells", lambda: acme.matched("TXT of _acme-challenge", dnsd.trouble()), 60, 0.1)
        for end in (dnsd.kill, dnsd.stop, dnsd.kill):
            acme.bounded(ca, {"challenge": 4, "newOrder": 4}, 4)
            end()
            dnsd.start()
        dnsd.no_proofs_left()
        assert dnsd.ask("core-a").rcode == "NOERROR" and not ca.issued() and ca.complaints == []
        invalid = [r for r in ca.requests if r.kind == "authz" and r.payload == {"status": "deactivated"}]
        print(ca.counts(), len(invalid), "deactivated")
    finally:
        dnsd.stop()
