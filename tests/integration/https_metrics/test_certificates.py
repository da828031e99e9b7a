"""Proven: the metrics of a certificate say of an order that succeeded, and of one that did not, what Pebble
and the clients saw; who asked for a proof is noted with what it was told."""
import ssl

import acme
import web
from harness import until


def page(dnsd):
    """{sample, labels and all: value}."""
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    with web.Web(dnsd, trust, key="") as client:
        text = client.get("/metrics").body.decode()
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1])
            for line in text.splitlines() if line.startswith("acme_")}


def labeled(name, host):
    return f'{name}{{hostname="{host}"}}'


def test_of_a_success(started):
    dnsd = acme.Renewing()
    ca = started(acme.Pebble(dns=dnsd.dns))
    started(dnsd.use(ca))
    dnsd.wait_issued(ca)
    dnsd.no_proofs_left()
    begin, end = acme.dates(dnsd.certificate()["certPem"])
    name = labeled("acme_cert_serving_mismatch", acme.WILDCARD)
    until("the right one is served", lambda: page(dnsd)[name] == 0, 10, 0.1)
    got = until("it is planned", lambda: (p := page(dnsd))[
        labeled("acme_cert_renew_at_seconds", acme.WILDCARD)] and p, 10, 0.1)
    assert got[labeled("acme_cert_not_before_seconds", acme.WILDCARD)] == begin
    assert got[labeled("acme_cert_not_after_seconds", acme.WILDCARD)] == end
    assert begin < got[labeled("acme_cert_renew_at_seconds", acme.WILDCARD)] < end
    assert got[labeled("acme_lease_is_holder", acme.WILDCARD)] == 1
    assert got[labeled("acme_lease_term", acme.WILDCARD)] == 1
    assert 0 < got[labeled("acme_propagation_seconds", acme.WILDCARD)] < acme.ISSUE_S
    assert got['acme_orders_total{result="ok",problem=""}'] == 1
    assert got['acme_challenge_total{type="dns-01",result="ok"}'] >= 1
    assert got['acme_challenge_total{type="dns-01",result="failed"}'] == 0
    assert got["acme_hook_failures_total"] == got["acme_decrypt_failures_total"] == 0
    # Two values at one name: apex and wildcard. Whoever asked, our own barrier and Pebble, was on loopback.
    noted = dnsd.table("acme_witness")
    assert {(row["core"], row["name"], row["source"]) for row in noted} == {
        ("core-a", "_acme-challenge", "127.0.0.0/24")}, noted
    assert "2 values" in {row["answer"] for row in noted} and sum(row["count"] for row in noted) >= 2, noted


def test_of_a_failure(started):
    """Pebble asks a server that knows nothing of the domain."""
    dnsd = acme.Renewing()
    world = started(acme.World({}))
    ca = started(acme.Pebble(dns=world.address))
    started(dnsd.use(ca))
    failed = 'acme_challenge_total{type="dns-01",result="failed"}'
    got = until("it is counted", lambda: (p := page(dnsd))[failed] and p, acme.ISSUE_S, 0.1)
    assert got['acme_orders_total{result="ok",problem=""}'] == 0
    assert sum(value for sample, value in got.items()
               if sample.startswith('acme_orders_total{result="failed"')) >= 1, got
    assert got[labeled("acme_cert_not_after_seconds", acme.WILDCARD)] == 0
    assert got['acme_ratelimit_remaining{limit="failed_authorizations_per_hour"}'] < 5
