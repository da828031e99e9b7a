"""Proven: renewal information (RFC 9773) decides when, within reason. A window in the past renews at once and
once, naming what is replaced; one in the future is kept over restarts, the moment in it chosen once;
nonsense, errors and nothing at all leave it to the lifetime; a CA that does not want `replaces` gets the
same order without it, at once; a CA that says "now" of every certificate is not believed for ever."""
import json
import time

import pytest

import acme
import fake_ca
from fake_ca import Reply, always, problem
from harness import until


def window(start, end, **more):
    now = time.time()
    return {"suggestedWindow": {"start": fake_ca.rfc3339(now + start), "end": fake_ca.rfc3339(now + end)}, **more}


def past_for_first(ca, **more):
    """The first certificate asked about is to be renewed, others in their time."""
    seen = []

    def run(call):
        ident = call.path.split("/")[2]
        seen.append(ident)
        if ident == seen[0]:
            return Reply(200, window(-7200, -3600, **more), {"Retry-After": "60"})
        return call.reply()
    return run


def begin(started, ca_setup, **more):
    dnsd = acme.Renewing(env=acme.scaled(0.002), **more)  # an hour is 7.2 s, six are 43
    ca = fake_ca.FakeCa(dns=dnsd.dns)
    ca_setup(ca)
    started(ca)
    dnsd.use(ca).start()
    first = dnsd.wait_issued(ca)
    until("renewal information is asked for", lambda: ca.count("renewalInfo"), 30)
    return dnsd, ca, first


def replaced(ca):
    return [p.get("replaces") for p in ca.payloads("newOrder")]


def test_past(started):
    dnsd, ca, first = begin(started, lambda ca: ca.on.update(renewalInfo=past_for_first(
        ca, explanationURL="https://fake.example/why")))
    try:
        second = dnsd.wait_issued(ca, 2)
        assert ca.issued() == [first, second]
        names = replaced(ca)
        ident = [r.path.split("/")[2] for r in ca.requests if r.kind == "renewalInfo"][0]
        assert names == [None, ident], names
        acme.bounded(ca, {"newOrder": 2}, 10, "past")
        assert dnsd.wait_serial(lambda s: s == second)
        assert ca.complaints == []
    finally:
        dnsd.stop()


def test_past_for_ever(started):
    """One order per certificate, and an hour (7.2 s here) between two."""
    dnsd, ca, _ = begin(started, lambda ca: ca.on.update(
        renewalInfo=always(lambda: Reply(200, window(-7200, -3600)))))
    try:
        began = time.monotonic()
        while time.monotonic() - began < 20:
            orders = ca.count("newOrder")
            assert orders <= 2 + (time.monotonic() - began) / 7.2, f"{orders} orders"
            time.sleep(0.1)
        names = [name for name in replaced(ca) if name]
        assert len(set(names)) == len(names), "one certificate was replaced twice"
    finally:
        dnsd.stop()


@pytest.mark.parametrize("answer", [
    always(lambda: Reply(200, b"{nonsense")),
    always(lambda: Reply(200, window(3600, -3600))),
    always(lambda: Reply(200, {"suggestedWindow": {"start": "yesterday", "end": 7}})),
    always(lambda: Reply(200, {})),
    always(lambda: problem("malformed", 404)),
    always(lambda: problem("serverInternal", 500, retry_after=3)),
    fake_ca.html()], ids=["nonsense", "ends before it begins", "no dates", "empty", "404", "500", "HTML"])
def test_no_use(started, answer):
    dnsd, ca, first = begin(started, lambda ca: ca.on.update(renewalInfo=answer))
    try:
        # Six hours are 43 s here: it is asked again, not all the time, and the lifetime (90 days) decides.
        acme.bounded(ca, {"newOrder": 1, "renewalInfo": 8}, 6)
        assert dnsd.serial() == first and ca.complaints == []
    finally:
        dnsd.stop()


def test_chosen_once(started):
    """The moment in the window survives kill -9."""
    dnsd, ca, first = begin(started, lambda ca: setattr(ca, "window", (86400, 2 * 86400)))
    try:
        def chosen():
            rows = dnsd.table("acme_renewal")
            return rows[0] if rows and rows[0]["renew_ms"] else None
        row = until("a moment is chosen", chosen, 20)
        now = time.time() * 1000
        assert now + 86300e3 < row["renew_ms"] < now + 2 * 86500e3
        for end in (dnsd.kill, dnsd.stop):
            end()
            dnsd.start()
            acme.bounded(ca, {"newOrder": 1}, 2)
            assert chosen()["renew_ms"] == row["renew_ms"]
        assert dnsd.serial() == first
    finally:
        dnsd.stop()


@pytest.mark.parametrize("kind,status", [("alreadyReplaced", 409), ("conflict", 409), ("malformed", 400)])
def test_replaces_is_refused(started, kind, status):
    def refuse(call):
        if isinstance(call.payload, dict) and call.payload.get("replaces"):
            return problem(kind, status, "certificate has already been replaced (replaces)")
        return call.reply()

    dnsd, ca, first = begin(started, lambda ca: ca.on.update(renewalInfo=past_for_first(ca), newOrder=refuse))
    try:
        second = dnsd.wait_issued(ca, 2)
        assert second != first and [bool(r) for r in replaced(ca)] == [False, True, False], replaced(ca)
        times = [r.at for r in ca.requests if r.kind == "newOrder"]
        assert times[2] - times[1] < 5, "not at once"
        acme.bounded(ca, {"newOrder": 3}, 5)
    finally:
        dnsd.stop()


def test_shown_to_who_asks(started):
    """What the CA's page explains is for people: it is in what dnsctl shows."""
    dnsd, ca, _ = begin(started, lambda ca: ca.on.update(renewalInfo=always(
        lambda: Reply(200, window(86400, 2 * 86400, explanationURL="https://fake.example/why")))))
    try:
        until("the page is shown", lambda: "https://fake.example/why" in json.dumps(
            dnsd.dnsctl("certs", "show", "--json", acme.WILDCARD).json()), 20, 0.1)
    finally:
        dnsd.stop()
