"""Sealed bundles by a second implementation (cluster/bundle.h, lib/seal_phrase.h): a cluster's CA, node
certificates, the JSON, the envelope, the armour. Version 4 as dnsd writes it, and the predecessor's."""
import base64
import datetime
import hashlib
import ipaddress
import json
import os
import struct

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PASSPHRASE = "ABCD-EFGH-2345-6789-JKMN-PQRS"
TOKEN = "token-" + "t" * 37
ADMIN_KEY = "admin-key-of-the-cluster"
DAY = datetime.timedelta(days=1)


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def iso(when):
    return when.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption()).decode()


def _named(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class Authority:
    """A cluster's CA."""

    def __init__(self, name="dnsd cluster CA"):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = _named(name)
        public = self.key.public_key()
        self.cert = (x509.CertificateBuilder().subject_name(self.name).issuer_name(self.name)
                     .public_key(public).serial_number(x509.random_serial_number())
                     .not_valid_before(now() - DAY).not_valid_after(now() + 3650 * DAY)
                     .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
                     .add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False,
                                                  False), True)
                     .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
                     .sign(self.key, hashes.SHA256()))
        self.pem = self.cert.public_bytes(serialization.Encoding.PEM).decode()

    def node(self, ident, names, until=None):
        """(certificate, key) as PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        until = until or now() + 365 * DAY
        cert = (x509.CertificateBuilder().subject_name(_named(ident)).issuer_name(self.name)
                .public_key(key.public_key()).serial_number(x509.random_serial_number())
                .not_valid_before(min(now(), until) - 2 * DAY).not_valid_after(until)
                .add_extension(x509.SubjectAlternativeName([_general(n) for n in names]), False)
                .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
                .add_extension(x509.KeyUsage(True, False, False, False, False, False, False, False,
                                             False), True)
                .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH,
                                                      ExtendedKeyUsageOID.CLIENT_AUTH]), False)
                .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                    self.key.public_key()), False)
                .sign(self.key, hashes.SHA256()))
        return cert.public_bytes(serialization.Encoding.PEM).decode(), _pem(key)


def pin(cert_pem):
    """RFC 7469 §2.4"""
    public = x509.load_pem_x509_certificate(cert_pem.encode()).public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(public).digest()).decode()


def fingerprint(cert_pem):
    """AA:BB:..., as the ack tells it."""
    digest = x509.load_pem_x509_certificate(cert_pem.encode()).fingerprint(hashes.SHA256())
    return ":".join(f"{octet:02X}" for octet in digest)


def content(authority, ident="core-b", ip="127.0.0.1", ack_url="https://127.0.0.1:1/ack", domain=None,
            lifetime=DAY, pins=(), config=None, raft_port=4002, **node):
    """The JSON of a version 4 bundle, to be changed at will."""
    cert, key = authority.node(ident, [ident, ip])
    issued = now()
    return {
        "version": 4, "issuedAt": iso(issued - 2 * DAY), "expiresAt": iso(issued + lifetime),
        "cluster": {"domain": domain or "", "ackUrl": ack_url, "joinToken": TOKEN,
                    "ca": {"certPem": authority.pem}, "issuer": "core-a", "ackPins": list(pins),
                    "members": [{"id": "core-a", "ip": "127.0.0.9"}]},
        "node": {"id": ident, "ip": ip, "certPem": cert, "keyPem": key, **node},
        "platformSecrets": {"auth": {"adminAccessKey": ADMIN_KEY}},
        "rqlite": {"raftPort": raft_port, "httpPort": 4001},
        "config": config if config is not None else {},
    }


def fold(passphrase):
    """What counts of it."""
    return "".join({"O": "0", "I": "1", "L": "1"}.get(c, c) for c in passphrase.upper() if c not in "- \t")


def armour(octets, word="DNSD"):
    text = base64.b64encode(octets).decode()
    lines = [text[i:i + 64] for i in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {word} BOOTSTRAP BUNDLE-----", *lines,
                      f"-----END {word} BOOTSTRAP BUNDLE-----", ""])


def _key(passphrase, salt, log2_n=15):
    return hashlib.scrypt(passphrase.encode(), salt=salt, n=1 << log2_n, r=8, p=1, dklen=32,
                          maxmem=256 * 1024 * 1024)


def seal(bundle, passphrase=PASSPHRASE, log2_n=10):
    """Cheap by default: what scrypt costs is no matter here."""
    salt, nonce = os.urandom(16), os.urandom(12)
    head = struct.pack("!BBBB", 2, log2_n, 8, 1) + salt + nonce
    plain = bundle if isinstance(bundle, bytes) else json.dumps(bundle).encode()
    return armour(head + AESGCM(_key(fold(passphrase), salt, log2_n)).encrypt(nonce, plain, head))


def opened(text, passphrase):
    """The JSON of a bundle (lib/seal_phrase.h), by other means than ours."""
    lines = text.splitlines()
    assert lines[0] == "-----BEGIN DNSD BOOTSTRAP BUNDLE-----"
    assert lines[-1] == "-----END DNSD BOOTSTRAP BUNDLE-----"
    assert max(map(len, lines[1:-1])) == 64
    octets = base64.b64decode("".join(lines[1:-1]), validate=True)
    version, log2_n, r, p = octets[:4]
    assert (version, r, p) == (2, 8, 1)
    key = _key(fold(passphrase), octets[4:20], log2_n)
    return json.loads(AESGCM(key).decrypt(octets[20:32], octets[32:], octets[:32]))


def seal_old(bundle, passphrase=PASSPHRASE):
    """The predecessor's envelope."""
    salt, nonce = os.urandom(16), os.urandom(12)
    sealed = AESGCM(_key(passphrase, salt)).encrypt(nonce, json.dumps(bundle).encode(), None)
    return armour(b"\x01" + salt + nonce + sealed[-16:] + sealed[:-16], "PRYV")
