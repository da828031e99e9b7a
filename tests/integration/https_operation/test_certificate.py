"""Proven: what TLS clients are shown over the life of a daemon. A placeholder with the right names until
there is a pair; whatever then happens to the files (broken, mismatched, deleted, half written, switched by
a link), the last good pair goes on, the log tells once, and dnsctl status shows it until it is mended."""
import os
import socket
import ssl
import time

import pytest

import harness
import web
from harness import DOMAIN

NAMES = [DOMAIN, "*." + DOMAIN, "192.0.2.1", "2001:db8::1"]  # of harness.Dnsd's core-a


@pytest.fixture(scope="module")
def authority():
    return web.Authority()


def shown(dnsd, which="port"):
    """The leaf that a stranger who believes everything is shown: (serial, names, issuer is subject)."""
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.check_hostname = False
    trust.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", dnsd.config["http"][which]), 10) as plain, \
            trust.wrap_socket(plain, server_hostname="any.name.example") as tls:
        pem = ssl.DER_cert_to_PEM_cert(tls.getpeercert(True))
    text = web.openssl("x509", "-noout", "-serial", "-issuer", "-subject", "-dates", "-ext",
                       "subjectAltName", input=pem)
    return text


def serial_of(text):
    return text.split("serial=")[1].split()[0].lower().lstrip("0")


def certificate(dnsd, expect=0):
    return dnsd.dnsctl("status", "--json", expect=expect).json()["certificate"]


def listening(dnsd):
    dnsd.process.wait_log(r"http: listening .*transport=https")


def wait_shown(dnsd, serial):
    for which in ("port", "dotPort"):
        harness.until(f"{which} shows {serial}", lambda which=which: serial_of(shown(dnsd, which)) == serial,
                      20, 0.02)


def test_placeholder_then_files_then_trouble(authority, started):
    dnsd = web.web_dnsd()
    started(dnsd)
    listening(dnsd)
    # No files yet: told once as an error, and a placeholder is shown on both ports.
    dnsd.process.wait_log(r"tls: .*fullchain\.pem")
    for which in ("port", "dotPort"):
        text = shown(dnsd, which)
        for name in NAMES:
            assert name.upper() in text.upper().replace("2001:DB8:0:0:0:0:0:1", "2001:DB8::1"), text
    told = certificate(dnsd, expect=4)
    assert told["source"] == "placeholder" and told["names"] == NAMES, told
    assert "fullchain.pem" in told["problem"]
    week = told["notAfter"] - time.time() * 1000
    assert 6 * 86400e3 < week < 8 * 86400e3
    assert dnsd.ask("core-a").rcode == "NOERROR"  # DNS does not mind

    # They come.
    first = authority.issue()
    first.install(dnsd.tls_folder)
    wait_shown(dnsd, first.serial)
    told = certificate(dnsd)
    assert (told["source"], told["problem"], told["serial"].lstrip("0")) == ("files", None, first.serial)
    text = dnsd.dnsctl("status").out
    assert f"certificate {DOMAIN} and 2 more, from http.ssl, serial {told['serial']}" in text, text

    # A key that belongs to another certificate.
    other = authority.issue()
    since = dnsd.process.mark()
    with open(other.key, "rb") as f:
        replace(dnsd, "privkey.pem", f.read())
    dnsd.process.wait_log(r"tls: .*(key|belong)", since)
    told = certificate(dnsd, expect=4)
    assert told["problem"] and told["serial"].lstrip("0") == first.serial
    assert "CERTIFICATE " in dnsd.dnsctl("status", expect=4).out
    # Garbage, an empty file, no file: still the first one.
    for octets in (b"-----BEGIN CERTIFICATE-----\nnot base64\n-----END CERTIFICATE-----\n", b"", None):
        before = certificate(dnsd, expect=4)["problem"]
        replace(dnsd, "fullchain.pem", octets)
        harness.until("another problem is told",
                      lambda before=before: certificate(dnsd, expect=4)["problem"] != before, 20, 0.05)
        assert serial_of(shown(dnsd)) == first.serial
    # Mended.
    other.install(dnsd.tls_folder)
    wait_shown(dnsd, other.serial)
    assert certificate(dnsd)["problem"] is None
    # Nothing of a key was logged.
    with open(other.key, encoding="ascii") as f:
        secret = f.read().splitlines()[1][:24]
    assert secret not in dnsd.process.log()


def replace(dnsd, name, octets):
    path = os.path.join(dnsd.tls_folder, name)
    if octets is None:
        os.unlink(path)
        return
    with open(path + ".new", "wb") as f:
        f.write(octets)
    os.rename(path + ".new", path)


def test_switched_by_a_link(authority, started):
    """certbot's and Kubernetes' way: the files are links, and the folder they lead to changes."""
    dnsd = web.web_dnsd()
    pairs = [authority.issue(), authority.issue()]
    for i, pair in enumerate(pairs):
        os.mkdir(os.path.join(dnsd.folder, f"generation-{i}"))
        pair.install(os.path.join(dnsd.folder, f"generation-{i}"))
    os.rmdir(dnsd.tls_folder)
    os.symlink("generation-0", dnsd.tls_folder)
    started(dnsd)
    listening(dnsd)
    wait_shown(dnsd, pairs[0].serial)
    for turn in (1, 0, 1):
        os.symlink(f"generation-{turn}", dnsd.tls_folder + ".new")
        os.rename(dnsd.tls_folder + ".new", dnsd.tls_folder)
        wait_shown(dnsd, pairs[turn].serial)


def test_expired_is_shown_and_told(authority, started):
    """Better an expired certificate than none; whoever runs it is told."""
    dnsd = web.web_dnsd()
    old = authority.issue(days=-1)
    old.install(dnsd.tls_folder)
    started(dnsd)
    dnsd.process.wait_log(r"warn tls: the certificate has expired")
    listening(dnsd)
    assert serial_of(shown(dnsd)) == old.serial
    assert "EXPIRED" in dnsd.dnsctl("status").out


def test_reload_looks_again(authority, started):
    """SIGHUP looks at the files and leaves open connections alone."""
    dnsd = web.web_dnsd()
    first, second = authority.issue(), authority.issue()
    first.install(dnsd.tls_folder)
    started(dnsd)
    listening(dnsd)
    wait_shown(dnsd, first.serial)
    with web.Web(dnsd, authority.trust) as client:
        assert client.get("/healthz").status == 200
        second.install(dnsd.tls_folder)
        since = dnsd.process.mark()
        dnsd.reload()
        dnsd.process.wait_log("app: the configuration was read again", since)
        wait_shown(dnsd, second.serial)
        assert client.get("/healthz").status == 200
        assert client.connection.sock.getpeercert()["serialNumber"].lower().lstrip("0") == first.serial
