"""Proven: what a CA says of rate limits is kept, over kill -9 and restarts: after 429 with Retry-After
(seconds, or a date) there is no order before that moment and one soon after it; without one the pauses
grow; a paused account is left alone, and the status shows the page where a human can unpause it."""
import time

import pytest

import acme
import fake_ca
from fake_ca import always, first, problem
from harness import until

LIMITED_S = 14
PAUSED = ("Your account is temporarily prevented from requesting certificates for mc.example.com and possibly "
          "others. Please visit: https://portal.fake.example/sfe/v1/unpause?jwt=abc")


@pytest.mark.parametrize("form,where", [("seconds", "newOrder"), ("seconds", "newAccount"),
                                        ("seconds", "finalize"), ("date", "newOrder")])
def test_retry_after(started, form, where):
    dnsd = acme.Renewing()
    ca = fake_ca.FakeCa(dns=dnsd.dns)
    ca.on[where] = first(1, always(lambda: problem(
        "rateLimited", 429, "too many of them, wait for the Lawn",
        LIMITED_S if form == "seconds" else fake_ca.http_date(LIMITED_S))))
    started(ca)
    dnsd.use(ca).start()
    try:
        until("the limit is hit", lambda: ca.count(where) == 1, 30)
        began = time.monotonic()
        until("the status tells", lambda: acme.matched("wait for the Lawn", dnsd.trouble()), 20, 0.1)
        for end in (dnsd.kill, dnsd.stop):
            end()
            dnsd.start()
            acme.bounded(ca, {where: 1}, 3, form)
        acme.bounded(ca, {where: 1}, began + LIMITED_S - 1.5 - time.monotonic(), form)
        dnsd.wait_issued(ca)
        took = time.monotonic() - began
        print(f"{form} at {where}: issued {took:.1f} s after 429")
        assert took < LIMITED_S * 1.5 + 5 and ca.complaints == []
    finally:
        dnsd.stop()


def test_no_retry_after(started):
    """1, 10, 100 minutes: 1.2, 12, 120 s here (20 % more or less), whatever is restarted."""
    dnsd = acme.Renewing()
    ca = fake_ca.FakeCa(dns=dnsd.dns)
    ca.on["newOrder"] = always(lambda: problem("rateLimited", 429, "too many"))
    started(ca)
    dnsd.use(ca).start()
    try:
        until("two tries", lambda: ca.count("newOrder") == 2, 30)
        second = time.monotonic()
        for end in (dnsd.kill, dnsd.stop):
            end()
            dnsd.start()
            acme.bounded(ca, {"newOrder": 2}, 3)
        until("a third", lambda: ca.count("newOrder") == 3, 30)
        assert time.monotonic() - second > 12 * 0.75
        acme.bounded(ca, {"newOrder": 3}, 10)
    finally:
        dnsd.stop()


def test_paused(started):
    dnsd = acme.Renewing(env=acme.scaled(0.002))
    ca = fake_ca.FakeCa(dns=dnsd.dns)
    ca.on["newOrder"] = always(lambda: problem("rateLimited", 429, PAUSED))
    started(ca)
    dnsd.use(ca).start()
    try:
        until("the status shows the page", lambda: acme.matched(
            "https://portal.fake.example/sfe/v1/unpause", dnsd.trouble()), 30, 0.1)
        # Ten minutes are 1.2 s here: were it a limit like others, there would be a second and a third.
        for end in (dnsd.kill, dnsd.stop):
            end()
            dnsd.start()
            acme.bounded(ca, {"newOrder": 1}, 4)
        assert ca.complaints == []
    finally:
        dnsd.stop()


def test_crash_loop(started):
    """Killed again and again while it orders: a new order is not made by each start."""
    dnsd = acme.Renewing()
    ca = fake_ca.FakeCa(dns=dnsd.dns)
    ca.processing = 1000000
    started(ca)
    dnsd.use(ca).start()
    try:
        until("it waits for the certificate", lambda: ca.count("finalize") == 1, 30)
        for _ in range(6):
            before = ca.count("order")
            dnsd.kill()
            dnsd.start()
            until("it goes on with the order", lambda before=before: ca.count("order") > before, 30)
        assert ca.count("newOrder") == 1 and ca.count("finalize") == 1, ca.counts()
        assert ca.count("newAccount") == 1
        ca.processing = 0
        dnsd.wait_issued(ca)
        assert len(ca.issued()) == 1 and ca.complaints == []
    finally:
        dnsd.stop()
