"""Proven: a core without a domain gets a certificate for its one host, from each Pebble, by HTTP-01 where
it has a challengePort and by TLS-ALPN-01 on its HTTPS port where it has none; for dnsLess.publicUrl and
for core.url. A client that asks the HTTPS port meanwhile without acme-tls/1 is never shown the proof."""
import pytest

import acme

HOST = "platform.example.com"

TOPOLOGIES = {
    "publicUrl": {},
    "core.url": {"dnsLess": None, "core": {"url": "https://" + HOST}},
}


@pytest.fixture(scope="module")
def world(started):
    return started(acme.World({HOST: "127.0.0.1"}))


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("proof", ["http-01", "tls-alpn-01"])
@pytest.mark.parametrize("path", acme.pebbles())
def test_issues(world, started, path, proof, topology):
    dnsd = acme.single(HOST, world, config=acme.merged(
        TOPOLOGIES[topology], {"http": {"challengePort": 0}} if proof == "tls-alpn-01" else {}))
    nowhere = acme.free_port()
    ca = started(acme.Pebble(
        path, dns=world.address, nonce_reject=50,
        http_port=dnsd.challenge if proof == "http-01" else nowhere,
        tls_port=dnsd.https if proof == "tls-alpn-01" else nowhere))
    started(dnsd.use(ca))
    serial = dnsd.wait_issued(ca, ports=[dnsd.https], name=HOST)
    chain = acme.shown(("127.0.0.1", dnsd.https), ca.root_file, HOST)
    acme.verify(chain, ca.roots()[0], [HOST])
    acme.fetched(dnsd.https, ca.root_file, HOST)
    assert ca.issued() == [serial] and ca.orders() == 1 and ca.invalid() == 0
    dnsd.no_proofs_left()
    assert acme.issuer(chain[0]).startswith("Pebble")


def test_acme_tls_1_without_an_order(world, started):
    """RFC 8737 §3: who asks for acme-tls/1 while nothing is to be proved gets no certificate."""
    dnsd = acme.single(HOST, world, config={"http": {"challengePort": 0}})
    ca = started(acme.Pebble(dns=world.address, tls_port=dnsd.https, http_port=acme.free_port()))
    started(dnsd.use(ca))
    dnsd.wait_issued(ca, ports=[dnsd.https], name=HOST)
    dnsd.no_proofs_left()

    def said():
        return acme.openssl("s_client", "-connect", f"127.0.0.1:{dnsd.https}", "-servername", HOST,
                            "-alpn", "acme-tls/1", input="", expect=None)

    acme.until("the proof is no longer shown", lambda: "ALPN protocol: acme-tls/1" not in said())
