"""Proven: what a CA may do, though few do, does not stop an issuance, and costs no more requests than it
must: challenges without tokens and of types nobody knows, orders that are ready at once or long being
processed, missing headers and members, refused nonces, errors that pass, an account that is gone. Each
ends in one certificate that verifies, from as many orders as the table says."""
import pytest

import acme
import fake_ca
from acme import NAMES
from fake_ca import Reply, always, change, first, problem, without_header
from harness import DOMAIN


def odd_challenges(old):
    return [{"type": "dns-persist-01", "status": "pending", "url": "https://127.0.0.1:1/elsewhere",
             "issuer-domain-names": ["fake.example"]},
            {"type": "weird-99", "url": None, "token": None}, {"type": 7}, "no object at all",
            {"type": "dns-account-01", "status": "pending", "token": "\n\x1b../../etc", "url": old[0]["url"]},
            *reversed(old)]


def many_challenges(old):
    return old + [{"type": f"made-up-{i}", "status": "pending", "url": old[0]["url"], "token": "AAAA"}
                  for i in range(40)]


def old_directory(call):
    """As small as RFC 8555 §7.1.1 allows, and with members of its own."""
    reply = call.reply()
    reply.body.pop("meta")
    reply.body.pop("renewalInfo")
    reply.body["Zm9vYmFy"] = "https://community.example/t/adding-random-entries-to-the-directory/33417"
    reply.body["unheard"] = [{"of": None}]
    return reply


def again(kind, status=503, **more):
    return always(lambda: problem(kind, status, **more))


# name: (what is set up, orders at the most)
CASES = {
    "odd challenges": (lambda ca: ca.on.update(authz=change(challenges=odd_challenges)), 1),
    "many challenges": (lambda ca: ca.on.update(authz=change(challenges=many_challenges)), 1),
    "old directory": (lambda ca: ca.on.update(directory=old_directory), 1),
    "ready at once": (lambda ca: setattr(ca, "start_status", "ready"), 1),
    "no authorizations": (lambda ca: (setattr(ca, "start_status", "ready"), ca.on.update(
        newOrder=change(authorizations=[]), order=change(authorizations=[]))), 1),
    "processing": (lambda ca: setattr(ca, "processing", 4), 1),
    "processing with Retry-After": (lambda ca: (setattr(ca, "processing", 3),
                                                setattr(ca, "retry_after", 1)), 1),
    "Retry-After as a date": (lambda ca: (setattr(ca, "processing", 2), setattr(
        ca, "retry_after", fake_ca.http_date(1))), 1),
    "Retry-After of nonsense": (lambda ca: ca.on.update(
        authz=lambda call: with_headers(call, {"Retry-After": "soon, and 99999999999999999999"})), 1),
    "finalize without Location": (lambda ca: (setattr(ca, "processing", 2), ca.on.update(
        finalize=without_header("Location"))), 1),
    "orders without expires": (lambda ca: ca.on.update(newOrder=change(expires=None),
                                                       order=change(expires=None)), 1),
    "account answered with 200": (lambda ca: ca.on.update(newAccount=status(200)), 1),
    "badNonce a few times": (lambda ca: ca.on.update(
        newAccount=first(3, again("badNonce", 400)), newOrder=first(5, again("badNonce", 400)),
        finalize=first(5, again("badNonce", 400))), 6),
    "no nonce in replies": (lambda ca: ca.on.update(order=no_nonce, authz=no_nonce), 1),
    "503 that passes": (lambda ca: ca.on.update(
        directory=first(1, again("serverInternal")), newOrder=first(2, again("serverInternal", retry_after=1)),
        finalize=first(1, again("serverInternal"))), 3),
    "HTML that passes": (lambda ca: ca.on.update(newAccount=first(1, fake_ca.html()),
                                                 authz=first(1, fake_ca.html())), 2),
    "connections that break": (lambda ca: ca.on.update(
        directory=first(1, fake_ca.broken_off), authz=first(1, fake_ca.broken_off),
        cert=first(1, fake_ca.broken_off)), 2),
    "account is gone": (lambda ca: ca.on.update(newOrder=first(1, gone)), 2),
    "text after the certificate": (lambda ca: ca.on.update(cert=with_text), 1),
    "profiles, none that fits": (lambda ca: setattr(ca, "profiles", {"odd": "one"}), 1),
    "profile refused": (lambda ca: (setattr(ca, "profiles", {"tlsserver": "x"}), ca.on.update(
        newOrder=first(1, again("invalidProfile", 400)))), 2),
    "long chain": (lambda ca: None, 1),
}


def with_headers(call, headers):
    reply = call.reply()
    reply.headers.update(headers)
    return reply


def status(number):
    def run(call):
        reply = call.reply()
        reply.status = number
        return reply
    return run


def no_nonce(call):
    return with_headers(call, {"Replay-Nonce": []})


def gone(call):
    call.ca.forget_accounts()
    return problem("accountDoesNotExist", 400, "never heard of")


def with_text(call):
    reply = call.reply()
    return Reply(200, b"subject=/CN=somebody\n" + reply.octets() + b"\n\n", kind=reply.kind)


@pytest.mark.parametrize("case", CASES)
def test_issues(started, case):
    setup, orders = CASES[case]
    dnsd = acme.Renewing()
    ca = fake_ca.FakeCa(dns=dnsd.dns, chain=4 if case == "long chain" else 1)
    setup(ca)
    started(ca)
    started(dnsd.use(ca))
    dnsd.wait_issued(ca)
    chain = acme.shown(("127.0.0.1", dnsd.https), ca.root_file, DOMAIN)
    acme.verify(chain, ca.roots()[0], NAMES)
    got = ca.counts()
    print(case, got)
    assert ca.complaints == [] and got["newOrder"] <= orders, got
    assert len(ca.issued()) == 1
    assert got.get("challenge", 0) <= 2 * orders
    dnsd.no_proofs_left()
    if case == "account is gone":
        assert len(ca.accounts()) == 1 and got["newAccount"] <= 3
    if case.startswith("processing"):
        assert got["order"] <= 12, "polled in a tight loop"


def test_long_processing(started):
    """Retry-After is honoured all the while (RFC 8555 §7.4): some ten polls in 20 seconds, not hundreds."""
    dnsd = acme.Renewing()
    ca = started(fake_ca.FakeCa(dns=dnsd.dns))
    ca.processing, ca.retry_after = 9, 2
    started(dnsd.use(ca))
    dnsd.wait_issued(ca, deadline_s=90)
    times = [r.at for r in ca.requests if r.kind == "order"]
    gaps = [b - a for a, b in zip(times, times[1:])]
    assert min(gaps[-8:]) > 1.8, gaps
    assert ca.count("newOrder") == 1 and ca.count("finalize") == 1
