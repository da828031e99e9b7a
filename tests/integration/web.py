"""What tests of the HTTPS face stand on: an authority that issues certificates, a daemon with HTTP
and DNS over TLS, and clients.

Authority makes pairs with the openssl program; `trust` is a context that believes it alone. web_dnsd()
is a Dnsd with http.port (and http.dotPort) on ports of its own; Web asks it. curl() is the real one.
"""
import http.client
import json
import os
import socket
import ssl
import subprocess
import tempfile

import harness
from harness import DOMAIN, free_port, merged

ADMIN_KEY = "an-admin-key-of-the-tests"
NAMES = (DOMAIN, "*." + DOMAIN, "localhost")


def openssl(*arguments, input=None):
    done = subprocess.run([harness.package_program("openssl"), *arguments], capture_output=True,
                          text=True, input=input, timeout=60, check=False)
    assert done.returncode == 0, f"openssl {arguments}: {done.stderr}"
    return done.stdout


class Pair:
    def __init__(self, cert, key):
        self.cert, self.key = cert, key  # paths
        self.serial = openssl("x509", "-in", cert, "-noout", "-serial").strip() \
            .split("=")[1].lower().lstrip("0")

    def install(self, folder):
        """Puts the pair at FOLDER/{fullchain,privkey}.pem as an operator's tool would: two renames."""
        for source, name in ((self.key, "privkey.pem"), (self.cert, "fullchain.pem")):
            with open(source, "rb") as f:
                octets = f.read()
            handle, path = tempfile.mkstemp(dir=folder)
            with os.fdopen(handle, "wb") as f:
                f.write(octets)
            os.rename(path, os.path.join(folder, name))


class Authority:
    """A CA of the test's own."""

    def __init__(self):
        self.folder = harness.temp_folder()
        self.ca = os.path.join(self.folder, "ca.crt")
        self.count = 0
        openssl("req", "-x509", *self._new(self.ca[:-4], "ec:P-256"), "-subj", "/CN=test CA", "-days", "2",
                "-out", self.ca)
        self.trust = ssl.create_default_context(cafile=self.ca)

    @staticmethod
    def _new(base, kind):
        how, size = kind.split(":")
        algorithm = ["ec", "-pkeyopt", "ec_paramgen_curve:" + size] if how == "ec" \
            else [f"{how}:{size}"]
        return ["-nodes", "-keyout", base + ".key", "-newkey", *algorithm]

    def issue(self, names=NAMES, kind="ec:P-256", days=2):
        """A Pair for NAMES (addresses too). DAYS below 0: it has expired."""
        self.count += 1
        base = os.path.join(self.folder, f"pair-{self.count}")
        alternative = ",".join(("IP:" if name.replace(".", "").isdigit() or ":" in name else "DNS:")
                               + name for name in names)
        with open(base + ".ext", "w", encoding="ascii") as f:
            f.write(f"subjectAltName={alternative}\nbasicConstraints=CA:FALSE\n"
                    "extendedKeyUsage=serverAuth\n")
        openssl("req", "-new", *self._new(base, kind), "-subj", "/CN=" + names[0], "-out", base + ".csr")
        openssl("x509", "-req", "-in", base + ".csr", "-days", str(days), "-CA", self.ca, "-CAkey",
                os.path.join(self.folder, "ca.key"), "-CAcreateserial", "-extfile", base + ".ext",
                "-out", base + ".crt")
        return Pair(base + ".crt", base + ".key")


def web_dnsd(config=None, tls=True, dot=True, **more):
    """A Dnsd with an API port. TLS: with the files FOLDER/tls/{fullchain,privkey}.pem, which the caller
    puts there (Pair.install) before start()."""
    dnsd = harness.Dnsd(**more)
    dnsd.tls_folder = os.path.join(dnsd.folder, "tls")
    os.makedirs(dnsd.tls_folder, exist_ok=True)
    web = {"ip": "127.0.0.1", "port": free_port()}
    if tls:
        web["ssl"] = {"certFile": os.path.join(dnsd.tls_folder, "fullchain.pem"),
                      "keyFile": os.path.join(dnsd.tls_folder, "privkey.pem")}
    if dot:
        web["dotPort"] = free_port()
    dnsd.config = merged(merged(dnsd.config, {"http": web, "auth": {"adminAccessKey": ADMIN_KEY}}),
                         config or {})
    dnsd.write_config()
    return dnsd


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def error(self):
        return self.json()["error"]["id"]

    def __repr__(self):
        return f"<{self.status} {dict(self.headers)} {self.body[:300]!r}>"


class Web:
    """Asks a web_dnsd() by HTTP/1.1; one connection, kept."""

    def __init__(self, dnsd, trust=None, name="localhost", port=None, key=ADMIN_KEY, host="127.0.0.1",
                 deadline_s=10):
        self.key = key
        port = port or dnsd.config["http"]["port"]
        if trust is None:
            self.connection = http.client.HTTPConnection(host, port, timeout=deadline_s)
        else:
            self.connection = http.client.HTTPSConnection(host, port, timeout=deadline_s,
                                                          context=trust)
            self.connection.connect = lambda: self._connect(trust, name, host, port, deadline_s)

    def _connect(self, trust, name, host, port, deadline_s):
        """To HOST, asking for NAME."""
        plain = socket.create_connection((host, port), deadline_s)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection.sock = trust.wrap_socket(plain, server_hostname=name)

    def ask(self, method, target, body=None, key=None, headers=None):
        """KEY: another one than the admin's; "": none."""
        sent = dict(headers or {})
        key = self.key if key is None else key
        if key:
            sent["Authorization"] = key
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            sent.setdefault("Content-Type", "application/json")
        self.connection.request(method, target, body=body, headers=sent)
        got = self.connection.getresponse()
        return Answer(got.status, got.headers, got.read())

    def get(self, target, **more):
        return self.ask("GET", target, **more)

    def close(self):
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def curl(*arguments, expect=0, deadline_s=30):
    """What curl printed."""
    done = subprocess.run([harness.package_program("curl"), "-sS", "--max-time", str(deadline_s),
                           *arguments], capture_output=True, text=True, timeout=deadline_s + 5,
                          check=False)
    assert done.returncode == expect, f"curl {arguments}: {done.returncode} {done.stdout}{done.stderr}"
    return done.stdout
