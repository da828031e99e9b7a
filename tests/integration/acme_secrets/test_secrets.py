"""Proven: after a whole life (issuance, renewals, a rehearsal, failures, restarts, kill -9, a crash) no
private key, no secret of the configuration and no key at rest is anywhere but where it belongs (the
configuration, 0600 files under tlsDir): not in the store's files, the log at level debug, /proc, core
files, the control socket's and HTTP's replies, nor in what was sent to the CA. Keys are looked for as PEM
bodies, as raw scalars and DER, in hex and both base64 alphabets; account keys are opened out of the
store first, by a second implementation of the envelope, which shows too that it is what it is said to
be."""
import base64
import os
import re
import resource
import signal

import pytest
from cryptography.hazmat.primitives import serialization

import acme
import fake_ca
import sealed
import web
from harness import until

EAB_KEY = os.urandom(32)


def forms(octets):
    """How a secret may be written."""
    hexed = octets.hex()
    out = {octets, hexed.encode(), hexed.upper().encode(),
           ":".join(hexed[i:i + 2] for i in range(0, len(hexed), 2)).encode()}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        # At each of the three places in a group of four where it may begin.
        for shift in range(3):
            text = encode(b"\0" * shift + octets)
            out.add(text[(shift * 8 + 5) // 6:(shift + len(octets)) * 8 // 6])
    return {form for form in out if len(form) >= 16}


def key_forms(pem):
    """All of a private key that would betray it."""
    key = serialization.load_pem_private_key(pem.encode(), None)
    scalar = key.private_numbers().private_value.to_bytes(32, "big")
    out = forms(scalar)
    # Lines without an octet of it are the public key's, which requests and certificates have as well.
    for line in pem.splitlines():
        if len(line) >= 24 and "-----" not in line and any(
                scalar[i:i + 4] in base64.b64decode(line) for i in range(len(scalar) - 3)):
            out.add(line.encode())
    # The beginning of PKCS #8 is the same in every key, and no secret.
    der = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8,
                            serialization.NoEncryption())
    common = base64.b64encode(der)[:32]
    return {form for form in out if not common.startswith(form[:32])}


class Haystack:
    """Names of places and what is in them."""

    def __init__(self):
        self.places = {}

    def add(self, name, octets):
        self.places.setdefault(name, []).append(octets if isinstance(octets, bytes) else octets.encode())

    def folder(self, top, leave_out=()):
        for where, _, names in os.walk(top):
            for name in names:
                path = os.path.join(where, name)
                if any(re.search(pattern, path) for pattern in leave_out) or not os.path.isfile(path):
                    continue
                with open(path, "rb") as f:
                    self.add(path, f.read())

    def process(self, pid):
        """What others can read of it without its leave, and without a debugger."""
        for name in ("cmdline", "environ", "maps", "status", "stat", "limits", "mountinfo", "comm"):
            try:
                with open(f"/proc/{pid}/{name}", "rb") as f:
                    self.add(f"/proc/PID/{name}", f.read())
            except PermissionError:
                pass

    def must_not_have(self, what, needles):
        for place, texts in self.places.items():
            for text in texts:
                for needle in needles:
                    assert needle not in text, f"{what} is in {place}: {needle[:12]!r}..."


def replies(dnsd, hay):
    """Everything that the daemon tells anybody."""
    trust = web.ssl.SSLContext(web.ssl.PROTOCOL_TLS_CLIENT)
    trust.check_hostname, trust.verify_mode = False, web.ssl.CERT_NONE
    with web.Web(dnsd, trust) as client:
        for target in ("/", "/metrics", "/healthz", "/readyz", "/system/admin/certs", "/system/admin/cores",
                       "/reg/records", "/nothing/there"):
            got = client.get(target)
            hay.add("GET " + target, repr(got.headers.items()) + got.body.decode("utf-8", "replace"))
    for words in (["status"], ["status", "--json"], ["certs", "list"], ["certs", "list", "--json"],
                  ["certs", "show", acme.WILDCARD], ["certs", "show", "--json", acme.WILDCARD],
                  ["certs", "history"], ["certs", "history", "--json"]):
        done = dnsd.dnsctl(*words, expect=None)
        hay.add("dnsctl " + " ".join(words), done.out + done.err)


def leaf_keys(dnsd):
    """PEM of every private key under tlsDir."""
    out = {}
    for where, _, names in os.walk(dnsd.tls_dir):
        for name in names:
            path = os.path.join(where, name)
            with open(path, "rb") as f:
                text = f.read().decode("ascii", "replace")
            for found in re.findall(r"-----BEGIN PRIVATE KEY-----.*?-----END PRIVATE KEY-----", text, re.S):
                assert os.stat(path).st_mode & 0o777 == 0o600, path
                out[path] = found
    assert out, "no key under " + dnsd.tls_dir
    return out


@pytest.fixture(scope="module")
def life():
    """A daemon that has been through a lot: (dnsd, haystack, keys seen, CA's requests)."""
    hay = Haystack()
    keys = {}
    dnsd = acme.Renewing(
        lets_encrypt={"eab": {"kid": "kid-1", "hmacKey": fake_ca.b64(EAB_KEY)}},
        config={"log": {"level": "debug"}},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (-1, -1)))
    ca = fake_ca.FakeCa(dns=dnsd.dns).start()
    ca.eab = {"kid-1": fake_ca.b64(EAB_KEY)}
    ca.on["newOrder"] = fake_ca.first(1, fake_ca.always(lambda: fake_ca.problem("serverInternal", 500)))
    dnsd.use(ca)
    logs = []

    def collect():
        keys.update(leaf_keys(dnsd))
        replies(dnsd, hay)
        hay.process(dnsd.process.pid)
        hay.folder(dnsd.folder, [r"/dnsd\.yml$", r"/privkey\.pem$"])

    dnsd.start()
    dnsd.wait_issued(ca)
    collect()
    dnsd.force()
    dnsd.wait_issued(ca, 2)
    collect()
    ca.make = fake_ca.foreign_key(ca)
    dnsd.sql("DELETE FROM acme_attempt")
    dnsd.force()
    until("it was refused", lambda: len(ca.issued()) > 2, 60)
    collect()
    logs.append(dnsd.process.log())
    dnsd.kill()
    ca.make = ca.issue
    ca.processing = 1000000
    dnsd.sql("DELETE FROM acme_attempt")
    dnsd.start()
    dnsd.force()
    until("an order is under way", lambda: dnsd.table("acme_order"), 30)
    collect()
    staged = dnsd.table("acme_order")
    # A crash, with whoever allowed core files.
    dnsd.process.signal(signal.SIGSEGV)
    dnsd.process.process.wait(20)
    logs.append(dnsd.process.log())
    hay.folder(dnsd.folder, [r"/dnsd\.yml$", r"/privkey\.pem$"])
    for number, log in enumerate(logs):
        hay.add(f"log {number}", log)
    for request in ca.requests:
        hay.add("the CA", repr(request))
    yield dnsd, hay, keys, staged
    ca.stop()


def test_no_core_file(life):
    dnsd = life[0]
    cores = [name for name in os.listdir(dnsd.folder) if name.startswith("core")]
    assert cores == [], "a crash leaves a core file, with all keys in it"


def test_leaf_keys(life):
    _, hay, keys, _ = life
    print(f"{len(keys)} keys, {len(hay.places)} places")
    assert len(hay.places) > 20
    for path, pem in keys.items():
        hay.must_not_have(f"the key of {path}", key_forms(pem))
    hay.must_not_have("a private key", {b"PRIVATE KEY-----"})


def test_keys_at_rest(life):
    dnsd, hay, _, _ = life
    for text in [dnsd.config["letsEncrypt"]["atRestKey"]]:
        hay.must_not_have("atRestKey", forms(base64.b64decode(text)) | {text.encode()})


def test_other_secrets(life):
    _, hay, _, _ = life
    hay.must_not_have("the binding's key", forms(EAB_KEY))
    hay.must_not_have("the admin's key", {web.ADMIN_KEY.encode()})


def test_sealed_keys(life):
    """Accounts', staged and leaf keys, opened here; what was inside is nowhere else."""
    dnsd, hay, keys, staged = life
    key = sealed.master(dnsd.config["letsEncrypt"]["atRestKey"])
    row, account = dnsd.certificate(), dnsd.table("acme_account")[0]
    assert staged and staged[0]["key"], "no key was staged while the order was under way"
    places = [("leaf", [acme.WILDCARD, str(row["generation"])], row["keyPem"]),
              ("account", [account["directory"]], account["key"]),
              ("staged", [acme.WILDCARD, staged[0]["id"]], staged[0]["key"])]
    for purpose, parts, text in places:
        plain = sealed.open_(key, purpose, parts, text)
        assert plain and b"PRIVATE KEY" in plain, f"{purpose}: {text[:20]}"
        hay.must_not_have(f"the {purpose} key", key_forms(plain.decode()))
        # Nowhere else, and with no other key, does it open.
        for other, others, _ in places:
            if other != purpose:
                assert sealed.open_(key, other, others, text) is None
        assert sealed.open_(key, purpose, ["*.other.example", *parts[1:]], text) is None
        assert sealed.open_(os.urandom(32), purpose, parts, text) is None
    assert len({base64.b64decode(text)[23:35] for _, _, text in places}) == 3, "a nonce came twice"
    assert keys
