#!/usr/bin/python3
"""Makes the bundles beside it with another implementation: Python's cryptography and hashlib (Debian:
python3-cryptography). v1 to v3 and dnsless are what the predecessor wrote: its armour, envelope version 1, its
JSON; v4 is ours, in envelope version 2. The keys are new each time, so the files are; what tests expect of them
(tests/unit/cluster/test_bundle.c) is not.

    python3 tests/vectors/bundle/make.py
"""

import base64
import datetime
import hashlib
import ipaddress
import json
import os
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import NameOID

HERE = pathlib.Path(__file__).parent
FROM = datetime.datetime(2026, 1, 1)
UNTIL = datetime.datetime(2125, 12, 31)
OLD_PASSPHRASE = "aB3d-_x9Z-Q0-l-OI1k-7sTu"  # its dashes count
PASSPHRASE = "0123-4567-89AB-CDEF-GHJK-MNPQ"


def scrypt(phrase, salt, log2_n, r, p):
    return hashlib.scrypt(phrase, salt=salt, n=1 << log2_n, r=r, p=p, dklen=32, maxmem=1 << 28)


def envelope_1(phrase, plain):
    salt, nonce = os.urandom(16), os.urandom(12)
    sealed = AESGCM(scrypt(phrase.encode(), salt, 15, 8, 1)).encrypt(nonce, plain, None)
    return b"\1" + salt + nonce + sealed[-16:] + sealed[:-16]


def envelope_2(phrase, plain):
    folded = phrase.replace("-", "").upper().translate(str.maketrans("OIL", "011"))
    head = bytes((2, 15, 8, 1)) + os.urandom(28)
    return head + AESGCM(scrypt(folded.encode(), head[4:20], 15, 8, 1)).encrypt(head[20:], plain, head)


def write(name, kind, octets):
    digits = base64.b64encode(octets).decode()
    lines = [digits[i:i + 64] for i in range(0, len(digits), 64)]
    text = [f"-----BEGIN {kind} BOOTSTRAP BUNDLE-----", *lines, f"-----END {kind} BOOTSTRAP BUNDLE-----", ""]
    (HERE / name).write_text("\n".join(text))


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(subject, key, issuer, issuer_key, extensions):
    b = (x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer))
         .public_key(key.public_key()).serial_number(x509.random_serial_number())
         .not_valid_before(FROM).not_valid_after(UNTIL))
    for extension, critical in extensions:
        b = b.add_extension(extension, critical)
    return b.sign(issuer_key, hashes.SHA256())


def pem(cert):
    return cert.public_bytes(serialization.Encoding.PEM).decode()


# As `openssl req -x509` does it for the predecessor: no keyUsage, no path length.
ca_key = ec.generate_private_key(ec.SECP256R1())
ca = certificate("pryv-cluster-ca", ca_key, "pryv-cluster-ca", ca_key, [
    (x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), False),
    (x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), False),
    (x509.BasicConstraints(True, None), True)])
node_key = ec.generate_private_key(ec.SECP256R1())
node = certificate("core-b", node_key, "pryv-cluster-ca", ca_key, [
    (x509.SubjectAlternativeName([x509.DNSName("core-b"), x509.DNSName("core-b.example.test"),
                                  x509.IPAddress(ipaddress.ip_address("192.0.2.11"))]), False)])
node_key_pem = node_key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL,
                                      serialization.NoEncryption()).decode()


def bundle(version):
    b = {
        "version": version,
        "issuedAt": "2026-05-01T12:00:00.250Z",
        "cluster": {"domain": "example.test", "ackUrl": "https://core-a.example.test/system/admin/cores/ack",
                    "joinToken": "jv_KcXG1n5vXAm3zW4cTj0JQ3kH3r8wZ7pYq2sLd9fE", "ca": {"certPem": pem(ca)}},
        "node": {"id": "core-b", "ip": "192.0.2.11", "hosting": None, "url": None,
                 "certPem": pem(node), "keyPem": node_key_pem},
        "platformSecrets": {"auth": {"adminAccessKey": "the admin's key", "filesReadTokenSecret": "the files' secret"}},
        "rqlite": {"raftPort": 4002, "httpPort": 4001},
    }
    if version >= 2:
        b["platformSecrets"]["letsEncrypt"] = {"atRestKey": "the key at rest"}
        b["node"]["hosting"] = "h1"
    if version >= 3:
        b["platformSecrets"]["platform"] = {"piiHmacKey": "the pepper"}
    return b


def dnsless():
    b = bundle(3)
    b["cluster"]["domain"] = ""
    b["cluster"]["ackUrl"] = "http://203.0.113.5:3000/system/admin/cores/ack"
    b["node"]["url"] = "https://b.example.test/"
    return b


def ours():
    b = bundle(4)
    b["expiresAt"] = "2026-05-02T12:00:00.250Z"
    b["cluster"] |= {"issuer": "core-a", "ackPins": [base64.b64encode(bytes(range(32))).decode()],
                     "members": [{"id": "core-a", "ip": "192.0.2.10", "ipv6": "2001:db8::10"},
                                 {"id": "core-c", "ipv6": "2001:db8::12"}]}
    b["node"]["ipv6"] = "2001:db8::11"
    b["platformSecrets"]["letsEncrypt"]["atRestKeys"] = ["the key at rest", "the one before it"]
    b["config"] = {"dns": {"ttl": 60, "hébergeurs": ["un", "deux"]}, "later": None}
    b["cluster"]["ofALaterVersion"] = {"whatever": [1, 2.5, True]}
    return b


for version in 1, 2, 3:
    write(f"v{version}.txt", "PRYV", envelope_1(OLD_PASSPHRASE, json.dumps(bundle(version)).encode()))
write("dnsless.txt", "PRYV", envelope_1(OLD_PASSPHRASE, json.dumps(dnsless()).encode()))
write("v4.txt", "DNSD", envelope_2(PASSPHRASE, json.dumps(ours()).encode()))
