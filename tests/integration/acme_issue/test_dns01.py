"""Proven: a core with a domain gets, by itself, a certificate for wildcard and apex from each Pebble
(-strict, refusing none, half and nine tenths of the nonces, using authorizations again or never), by one
order in which no authorization fails; HTTPS and DNS over TLS show it, and openssl, curl and a resolver's
client verify it by Pebble's root alone. Its key is sealed in the store, 0600 in files, its proofs are
gone. Asked for another one, it gets exactly one more."""
import os
import stat

import pytest

import acme
import harness
from acme import NAMES
from harness import DOMAIN


def check(dnsd, ca, root=0):
    """All that must hold of a certificate that is shown."""
    folder = harness.temp_folder()
    root_file = os.path.join(folder, "root.pem")
    with open(root_file, "w", encoding="ascii") as out:
        out.write(ca.roots()[root])
    for port in (dnsd.https, dnsd.dot):
        for name in (DOMAIN, "someone." + DOMAIN):
            chain = acme.shown(("127.0.0.1", port), root_file, name)
    acme.verify(chain, ca.roots()[root], NAMES)
    acme.fetched(dnsd.https, root_file)
    assert acme.asked_over_tls(dnsd.dot, root_file).rcode == "NOERROR"
    row = dnsd.certificate()
    assert acme.serial_of(row["certPem"]) == acme.serial_of(chain[0])
    assert "PRIVATE KEY" not in row["keyPem"], "the key is in the store as it is"
    place = os.path.join(dnsd.tls_dir, "wildcard." + DOMAIN)
    for name in ("fullchain.pem", "privkey.pem"):
        path = os.path.join(place, name)
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600, path
    assert stat.S_IMODE(os.stat(place).st_mode) == 0o700
    with open(os.path.join(place, "fullchain.pem"), encoding="ascii") as f:
        assert acme.pems(f.read()) == chain
    return chain


@pytest.mark.parametrize("reuse", [0, 100])
@pytest.mark.parametrize("refused", [0, 50, 90])
@pytest.mark.parametrize("path", acme.pebbles())
def test_wildcard_and_apex(started, path, refused, reuse):
    dnsd = acme.Renewing()
    ca = started(acme.Pebble(path, dns=dnsd.dns, nonce_reject=refused, authz_reuse=reuse))
    started(dnsd.use(ca))
    first = dnsd.wait_issued(ca)
    check(dnsd, ca)
    assert ca.issued() == [first] and ca.orders() == 1 and ca.invalid() == 0
    dnsd.no_proofs_left()
    validated = ca.requests("POST /chalZ/")
    dnsd.force()
    second = dnsd.wait_issued(ca, 2)
    check(dnsd, ca)
    assert ca.issued() == [first, second] and ca.orders() == 2 and ca.invalid() == 0
    if reuse == 100 and not refused:
        assert ca.requests("POST /chalZ/") == validated, "what is valid was proved again"
    dnsd.no_proofs_left()
    assert ca.status(first)["Status"] == "Valid"


def test_a_placeholder_until_then(started):
    """The ports answer before there is a certificate, and say in the status what is going on."""
    dnsd = acme.Renewing()
    ca = acme.Pebble(dns=dnsd.dns)  # not started: nobody there
    started(dnsd.use(ca))
    harness.until("HTTPS answers", lambda: dnsd.serial(), 20, 0.05)
    assert "a placeholder" in dnsd.dnsctl("status", expect=None).out
    harness.until("the status says that nobody is there", lambda: acme.matched(
        "there is no certificate yet: once more .*Failed to connect", dnsd.trouble()), 30, 0.1)
    started(ca)
    dnsd.wait_issued(ca)
    check(dnsd, ca)


def test_a_restart_orders_nothing(started):
    dnsd = acme.Renewing()
    ca = started(acme.Pebble(dns=dnsd.dns))
    dnsd.use(ca).start()
    first = dnsd.wait_issued(ca)
    for end in (dnsd.stop, dnsd.kill, dnsd.stop):
        end()
        dnsd.start()
        assert dnsd.wait_serial(lambda serial: serial == first) == first
        check(dnsd, ca)
    assert ca.orders() == 1
    dnsd.stop()
