"""Proven: what the acme_* scenarios stand on does what it says. A client of twenty lines gets a certificate
for apex and wildcard from each Pebble (strict, refusing half of the nonces) and from the scripted
authority, both of which look the proofs up at a real core; the chain is what `openssl verify` accepts for
these names and no others. Without the proof neither of them issues. The scripted authority refuses a used
nonce, a bad signature, a payload where none may be; and each of its hooks does something."""
import hashlib
import http.client
import json
import time
import urllib.parse

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

import acme
import fake_ca
import harness
from fake_ca import b64


class Client:
    """As little ACME as gets a certificate; one connection, kept."""

    def __init__(self, ca):
        self.ca, self.key, self.kid, self.nonce = ca, ec.generate_private_key(ec.SECP256R1()), None, None
        at = urllib.parse.urlsplit(ca.url)
        self.connection = http.client.HTTPSConnection(at.hostname, at.port, context=ca.trust, timeout=20)
        self.directory = self.send("GET", ca.url)[1]
        numbers = self.key.public_key().public_numbers()
        self.jwk = {"crv": "P-256", "kty": "EC", "x": b64(numbers.x.to_bytes(32, "big")),
                    "y": b64(numbers.y.to_bytes(32, "big"))}
        self.refused = 0

    def send(self, method, url, body=None, kind="application/jose+json"):
        headers = {"User-Agent": "dnsd-tests"}
        if body is not None:
            headers["Content-Type"] = kind
        at = urllib.parse.urlsplit(url)
        self.connection.request(method, at.path, body, headers)
        got = self.connection.getresponse()
        octets = got.read()
        self.nonce = got.headers.get("Replay-Nonce", self.nonce)
        try:
            return got, json.loads(octets)
        except ValueError:
            return got, octets.decode("utf-8", "replace")

    def post(self, url, payload="", spoil=None):
        while True:
            if not self.nonce:
                self.send("HEAD", self.directory["newNonce"])
            head = {"alg": "ES256", "nonce": self.nonce, "url": url,
                    **({"kid": self.kid} if self.kid else {"jwk": self.jwk})}
            self.nonce = None
            protected = b64(json.dumps(head).encode())
            text = b64(payload.encode() if isinstance(payload, str) else json.dumps(payload).encode())
            der = self.key.sign(f"{protected}.{text}".encode(), ec.ECDSA(hashes.SHA256()))
            r, s = utils.decode_dss_signature(der)
            jws = {"protected": protected, "payload": text,
                   "signature": b64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))}
            if spoil:
                spoil(jws)
            got, body = self.send("POST", url, json.dumps(jws))
            if got.status == 400 and body["type"].endswith(":badNonce") and not spoil:
                self.refused += 1
                continue
            return got, body

    def register(self):
        got, body = self.post(self.directory["newAccount"], {"termsOfServiceAgreed": True})
        assert got.status == 201, body
        self.kid = got.headers["Location"]

    def order(self, names):
        got, body = self.post(self.directory["newOrder"],
                              {"identifiers": [{"type": "dns", "value": n} for n in names]})
        assert got.status == 201, body
        return got.headers["Location"], body

    def values(self, order):
        """[(challenge's url, TXT)]"""
        out = []
        for url in order["authorizations"]:
            authz = self.post(url)[1]
            for challenge in authz["challenges"]:
                if challenge["type"] == "dns-01":
                    key = challenge["token"] + "." + fake_ca.thumbprint(self.jwk)
                    out.append((challenge["url"], b64(hashlib.sha256(key.encode()).digest())))
        return out

    def wait(self, url, *wanted):
        def there():
            body = self.post(url)[1]
            return body if body["status"] in wanted else None
        return harness.until(f"{url} is {wanted}", there, 30, 0.05)

    def finish(self, url, names):
        order = self.wait(url, "ready", "invalid")
        if order["status"] == "invalid":
            return None
        key = ec.generate_private_key(ec.SECP256R1())
        csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).add_extension(
            x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), False).sign(key, hashes.SHA256())
        got, body = self.post(order["finalize"],
                              {"csr": b64(csr.public_bytes(serialization.Encoding.DER))})
        assert got.status == 200, body
        return self.post(self.wait(url, "valid")["certificate"])[1]

    def get(self, core, names, publish=True):
        if not self.kid:
            self.register()
        url, order = self.order(names)
        values = self.values(order)
        if publish:
            core.rows({"dns-record/_acme-challenge": {"txt": [v for _, v in values], "ttl": 0}})
        for challenge, _ in values:
            self.post(challenge, "{}")
        return self.finish(url, names)


@pytest.fixture(scope="module")
def core(started):
    return started(harness.Dnsd())


@pytest.mark.parametrize("path", acme.pebbles())
def test_pebble(core, started, path):
    ca = started(acme.Pebble(path, dns=core.address, nonce_reject=50, alternate_roots=1))
    client = Client(ca)
    chain = acme.pems(client.get(core, acme.NAMES))
    acme.verify(chain, ca.roots()[0], acme.NAMES)
    serial = acme.serial_of(chain[0])
    assert ca.issued() == [serial] and ca.orders() == 1 and ca.invalid() == 0
    assert ca.status(serial)["Status"] == "Valid" and ca.status("1234") is None
    assert ca.requests("POST /order-plz") >= 1 and client.refused > 3
    assert len(ca.roots()) == 2
    with pytest.raises(AssertionError):
        acme.verify(chain, ca.roots()[1], acme.NAMES)
    with pytest.raises(AssertionError):
        acme.verify(chain, ca.roots()[0], acme.NAMES[:1])
    if ca.new:
        ca.set_renewal_info(chain[0], "{nonsense")
    # Values of an earlier order prove nothing.
    assert client.get(core, acme.NAMES, publish=False) is None
    assert ca.issued() == [serial] and ca.invalid() >= 1


@pytest.fixture
def ca(core):
    made = fake_ca.FakeCa(dns=core.address).start()
    yield made
    made.stop()


def test_fake(core, ca):
    client = Client(ca)
    ca.processing = 2
    chain = acme.pems(client.get(core, acme.NAMES))
    acme.verify(chain, ca.roots()[0], acme.NAMES)
    assert len(chain) == 2 and ca.issued() == [acme.serial_of(chain[0])] and ca.complaints == []
    assert ca.count("newOrder") == 1 and ca.count("finalize") == 1 and ca.count("challenge") == 2
    assert [i["value"] for i in ca.payloads("newOrder")[0]["identifiers"]] == acme.NAMES
    assert client.get(core, acme.NAMES, publish=False) is None
    assert ca.issued() == [acme.serial_of(chain[0])]
    ca.reuse = True
    first = acme.pems(client.get(core, acme.NAMES))
    before = ca.count("challenge")
    url, order = client.order(acme.NAMES)
    assert order["status"] == "ready", order
    acme.verify(acme.pems(client.finish(url, acme.NAMES)), ca.roots()[0], acme.NAMES)
    assert ca.count("challenge") == before and first


def test_fake_is_strict(core, ca):
    client = Client(ca)
    client.register()
    url, order = client.order(acme.NAMES)
    used = client.nonce

    def spoiled(what, path, payload=""):
        count = len(ca.complaints)
        got, body = client.post(path, payload, spoil=what)
        assert got.status >= 400, body
        return body["type"].rsplit(":", 1)[1], len(ca.complaints) - count

    def signature(jws):
        jws["signature"] = jws["signature"][:-4] + ("AAAA" if jws["signature"][-4:] != "AAAA" else "BBBB")

    assert spoiled(signature, url) == ("malformed", 1)
    assert spoiled(lambda jws: jws.update(more=1), url) == ("malformed", 1)
    assert spoiled(lambda jws: None, url, "{}") == ("malformed", 1)
    assert spoiled(lambda jws: None, order["finalize"], {"csr": b64(b"x")})[0] == "orderNotReady"
    client.post(url)
    client.nonce = used
    assert spoiled(lambda jws: None, url) == ("badNonce", 1)
    ca.forget_accounts()
    assert client.post(url)[1]["type"].endswith(":accountDoesNotExist")


def test_hooks(core, ca):
    """One of each, by what comes over the wire."""
    client = Client(ca)
    client.register()
    new = client.directory["newOrder"]
    wish = {"identifiers": [{"type": "dns", "value": harness.DOMAIN}]}
    ca.on["newOrder"] = fake_ca.first(1, fake_ca.always(lambda: fake_ca.problem(
        "rateLimited", 429, "slow down", fake_ca.http_date(60))))
    got, body = client.post(new, wish)
    assert got.status == 429 and got.headers["Retry-After"].endswith("GMT") and "slow" in body["detail"]
    assert client.post(new, wish)[0].status == 201
    ca.on["newOrder"] = fake_ca.without_header("Location")
    got, body = client.post(new, wish)
    assert got.status == 201 and "Location" not in got.headers
    ca.on["newOrder"] = fake_ca.change(authorizations=[], expires=None)
    got, body = client.post(new, wish)
    assert body["authorizations"] == [] and "expires" not in body
    ca.on["newOrder"] = fake_ca.html()
    got, body = client.post(new, wish)
    assert got.status == 502 and "<h1>" in body
    ca.on["newOrder"] = fake_ca.truncated
    assert isinstance(client.post(new, wish)[1], str)
    ca.on["newOrder"] = fake_ca.redirect(ca.base + "/elsewhere")
    assert client.post(new, wish)[0].status == 302
    ca.on["newOrder"] = fake_ca.huge(1 << 20)
    assert len(client.post(new, wish)[1]["status"]) == 1 << 20
    ca.on["newOrder"] = fake_ca.slow_loris(0.001)
    began = time.monotonic()
    client.post(new, wish)
    assert time.monotonic() - began > 0.2
    ca.on["newOrder"] = fake_ca.broken_off
    with pytest.raises(http.client.IncompleteRead):
        client.post(new, wish)
    assert ca.complaints == [] and ca.count("newOrder") == 10


@pytest.mark.parametrize("status", ["ready", "valid"])
def test_orders_at_once(ca, status):
    client = Client(ca)
    client.register()
    ca.start_status = status
    assert client.order(acme.NAMES)[1]["status"] == status


def test_certificates_that_are_wrong(core, ca):
    client = Client(ca)
    for make, tell in ((fake_ca.foreign_key(ca), None), (fake_ca.other_names(ca, "other.example"), "other"),
                       (fake_ca.expired(ca), "expired")):
        ca.make = make
        chain = acme.pems(client.get(core, acme.NAMES))
        if tell:
            with pytest.raises(AssertionError, match=tell if tell == "expired" else None):
                acme.verify(chain, ca.roots()[0], acme.NAMES)
