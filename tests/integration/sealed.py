"""The envelope of keys at rest (lib/seal.h), read and written by a second implementation: what the store
has can be opened by who has the key and knows where the text belongs, and by nobody else."""
import base64
import hashlib
import hmac
import os
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MAGIC = b"ds"
VERSION = b"\x02"


def master(text):
    return base64.b64decode(text)


def _derive(key, label):
    return HKDF(hashes.SHA256(), 32, None, label.encode()).derive(key)


def key_id(key):
    """Eight hex digits, as everybody may know."""
    return hmac.new(key, b"dnsd seal key id", hashlib.sha256).digest()[:4].hex()


def id_of(text):
    return base64.b64decode(text)[3:7].hex()


def _bound(ident, purpose, parts):
    out = b""
    for part in [VERSION, ident, purpose.encode(), *(p.encode() for p in parts)]:
        out += struct.pack("!I", len(part)) + part
    return out


def open_(key, purpose, parts, text):
    """What is sealed in TEXT; None: it is not this key's, or not of this place."""
    octets = base64.b64decode(text)
    assert octets[:3] == MAGIC + VERSION, octets[:3]
    ident, commitment, nonce, rest = octets[3:7], octets[7:23], octets[23:35], octets[35:]
    if ident.hex() != key_id(key) or not hmac.compare_digest(commitment, hmac.new(
            _derive(key, "dnsd seal 2 commitment"), nonce, hashlib.sha256).digest()[:16]):
        return None
    try:
        return AESGCM(_derive(key, "dnsd seal 2: " + purpose)).decrypt(nonce, rest,
                                                                      _bound(ident, purpose, parts))
    except InvalidTag:
        return None


def close(key, purpose, parts, plain):
    """PLAIN (octets), sealed for that place."""
    ident, nonce = bytes.fromhex(key_id(key)), os.urandom(12)
    commitment = hmac.new(_derive(key, "dnsd seal 2 commitment"), nonce, hashlib.sha256).digest()[:16]
    rest = AESGCM(_derive(key, "dnsd seal 2: " + purpose)).encrypt(nonce, plain,
                                                                  _bound(ident, purpose, parts))
    return base64.b64encode(MAGIC + VERSION + ident + commitment + nonce + rest).decode()


def close_v1(key, plain):
    """As the predecessor sealed: version 1, nonce, tag, ciphertext, and nothing bound to it."""
    nonce = os.urandom(12)
    sealed = AESGCM(_derive(key, "pryv-at-rest-tls-v1")).encrypt(nonce, plain, None)
    return base64.b64encode(b"\x01" + nonce + sealed[-16:] + sealed[:-16]).decode()
