"""What tests of certificates stand on: authorities, a daemon that gets its certificate from one, and looks
at what it shows.

Pebble is the real one, in each version that DNSD_PEBBLES names (pebbles()), started with what makes it
awkward: -strict, refused nonces, authorizations used again, external account binding, profiles, other
roots. What Pebble cannot do is in fake_ca.py, whose FakeCa has the same `url`, `ca_file` and `root_file`.

Renewing is a Dnsd with letsEncrypt, HTTPS and DNS over TLS on ports of its own; settings() is its section
for any daemon. shown() and verify() look at a listener as a client does, with the openssl program, so
that nothing of ours judges ours.

Waiting times of the daemon are scaled by DNSD_TEST_SCALE (scaled()), its fault points are set by
DNSD_TEST_FAULT (fault()); only builds with tests know them.
"""
import base64
import glob
import json
import os
import re
import socket
import sqlite3
import ssl
import subprocess
import time
import urllib.error
import urllib.request

from cryptography import x509

import harness
import web
from harness import DOMAIN, free_port, merged, until

ISSUE_S = 60     # from the daemon's start to a certificate on its listeners, sanitizers and all
SCALE = 0.02     # a minute of the daemon's waiting is 1.2 s
WILDCARD = "*." + DOMAIN
NAMES = [WILDCARD, DOMAIN]


def pebbles():
    """Paths of the versions to be tested with, the oldest first."""
    told = os.environ.get("DNSD_PEBBLES")
    if told is None:
        told = ":".join(["/usr/bin/pebble"]
                        + sorted(glob.glob(os.path.join(harness.SOURCE, "build/pebble/*/pebble"))))
    found = [path for path in told.split(":") if os.access(path, os.X_OK)]
    assert found, "no Pebble is there (tools/setup test installs it)"
    return found


def newest():
    """The Pebble that knows renewal information and profiles."""
    path = pebbles()[-1]
    assert is_new(path), f"{path} is an old Pebble; tools/pebble/get builds a new one"
    return path


def is_new(path):
    """It has -version, and with it ARI, profiles, TCP and caaIdentities."""
    done = subprocess.run([path, "-h"], capture_output=True, text=True, check=False)
    return "-version" in done.stderr + done.stdout


def scaled(scale=SCALE, **more):
    """Environment for a daemon whose waiting times are SCALE of the real ones."""
    return {"DNSD_TEST_SCALE": str(scale), **more}


def fault(state, how):
    """Environment: when that state of the order is saved, the daemon stops or kills itself."""
    assert how in ("stop", "kill")
    return {"DNSD_TEST_FAULT": f"{state}:{how}"}


def at_rest_key():
    return base64.b64encode(os.urandom(32)).decode()


def openssl(*arguments, input=None, expect=0):
    done = subprocess.run([harness.package_program("openssl"), *arguments], capture_output=True, text=True,
                          input=input, timeout=60, check=False)
    assert expect is None or done.returncode == expect, \
        f"openssl {arguments}: {done.returncode} {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def plain(serial):
    """A serial as everybody writes it the same: hex, lower case, no zeros in front."""
    return serial.replace(":", "").lower().lstrip("0")


# ---- Pebble -------------------------------------------------------------------------------------


class Pebble:
    """One Pebble, with a memory that ends when it does. DNS: (address, port) it asks, None: the system's
    resolver. EAB: {kid: base64url key}, and then nobody registers without. PROFILES: {name: seconds};
    VALIDITY_S: of a Pebble that has none."""

    def __init__(self, path=None, dns=None, strict=True, nonce_reject=0, authz_reuse=0,
                 address="127.0.0.1", http_port=5002, tls_port=5001, eab=None, profiles=None,
                 validity_s=None, alternate_roots=0, chain_length=1, retry_after=None, no_sleep=True,
                 always_valid=False, caa_identities=None, blocked=(), port=None):
        self.path = path or pebbles()[-1]
        self.new = is_new(self.path)
        self.folder = harness.temp_folder()
        self.dns, self.strict = dns, strict
        self.address = address
        self.port, self.management = port or free_port(address), free_port(address)
        self.url = f"https://{address}:{self.port}/dir"
        authority = web.Authority()
        pair = authority.issue(["localhost", address])
        self.ca_file = authority.ca
        self.trust = authority.trust
        self.alternate_roots = alternate_roots
        self.environment = {
            "PEBBLE_WFE_NONCEREJECT": str(nonce_reject), "PEBBLE_AUTHZREUSE": str(authz_reuse),
            "PEBBLE_ALTERNATE_ROOTS": str(alternate_roots),
            "PEBBLE_CHAIN_LENGTH": str(chain_length),
            "PEBBLE_VA_NOSLEEP": "1" if no_sleep else "0",
            "PEBBLE_VA_ALWAYS_VALID": "1" if always_valid else "0"}
        config = {"listenAddress": f"{address}:{self.port}",
                  "managementListenAddress": f"{address}:{self.management}",
                  "certificate": pair.cert, "privateKey": pair.key,
                  "httpPort": http_port, "tlsPort": tls_port, "ocspResponderURL": "",
                  "externalAccountBindingRequired": bool(eab),
                  "externalAccountMACKeys": eab or {}, "domainBlocklist": list(blocked)}
        if validity_s and not self.new:
            config["certificateValidityPeriod"] = validity_s
        if profiles or validity_s:
            profiles = profiles or {"default": validity_s}
            config["profiles"] = {name: {"description": name, "validityPeriod": seconds}
                                  for name, seconds in profiles.items()}
        if retry_after:
            config["retryAfter"] = retry_after  # {"authz": s, "order": s}
        if caa_identities:
            config["caaIdentities"] = caa_identities
        self.config = config
        self.process = None
        self.root_file = os.path.join(self.folder, "root.pem")  # there once it runs

    def start(self):
        file = os.path.join(self.folder, "pebble.json")
        with open(file, "w", encoding="utf-8") as out:
            json.dump({"pebble": self.config}, out)
        argv = [self.path, "-config", file]
        if self.strict:
            argv.append("-strict")
        if self.dns:
            argv += ["-dnsserver", f"{self.dns[0]}:{self.dns[1]}"]
        # It logs to stdout, and what is read here is stderr.
        self.process = harness.Process(["/bin/sh", "-c", 'exec "$@" >&2', "sh", *argv],
                                       cwd=self.folder, env=self.environment)
        self.process.wait_log("ACME directory available at")
        until("Pebble's management answers", self._up, harness.START_S, 0.02)
        with open(self.root_file, "wb") as out:
            out.write(self.get("/roots/0"))
        return self

    def _up(self):
        assert self.process.alive(), self.process.log()
        try:
            return self.get("/roots/0")
        except (urllib.error.URLError, OSError):
            return None

    def stop(self):
        if self.process and self.process.alive():
            self.process.process.terminate()
            self.process.process.wait(harness.STOP_S)

    def get(self, path, body=None):
        """Of the management port."""
        request = urllib.request.Request(f"https://{self.address}:{self.management}{path}", data=body,
                                         headers={"User-Agent": "dnsd-tests"})
        with urllib.request.urlopen(request, context=self.trust, timeout=10) as reply:
            return reply.read()

    def roots(self):
        """Texts of all of them: [0] is the default chain's."""
        return [self.get(f"/roots/{i}").decode() for i in range(self.alternate_roots + 1)]

    def status(self, serial):
        """What it knows of a certificate: {"Status": "Valid", ...}; None: never issued."""
        try:
            return json.loads(self.get("/cert-status-by-serial/" + plain(serial)))
        except urllib.error.HTTPError as e:
            assert e.code == 404, e
            return None

    def set_renewal_info(self, pem, answer):
        """What ARI says of the certificate from now on: ANSWER, literally (JSON is made of what is no
        text)."""
        text = answer if isinstance(answer, str) else json.dumps(answer)
        self.get("/set-renewal-info/",
                 json.dumps({"Certificate": pem, "ARIResponse": text}).encode())

    # -- what it has done, out of its log --

    def issued(self):
        """Serials in the order of issue."""
        return [plain(found) for found in
                re.findall(r"Issued certificate serial ([0-9a-fA-F]+)", self.process.log())]

    def orders(self):
        """How many there have been."""
        return len(re.findall(r'Added order "', self.process.log()))

    def invalid(self):
        """How many authorizations have failed."""
        return len(re.findall(r"authz \S+ set INVALID", self.process.log()))

    def failures(self):
        """What its log says of them, with what it found."""
        return [line for line in self.process.lines if re.search(r"INVALID|Error:|unauthorized", line)]

    def requests(self, path):
        """How many came for PATH: "POST /order-plz"; with refused nonces more than were meant."""
        return len(re.findall(re.escape(path) + r"\S* -> calling handler", self.process.log()))


# ---- a daemon -----------------------------------------------------------------------------------


def settings(ca, folder, **more):
    """letsEncrypt for a daemon that gets its certificates from CA and keeps them in FOLDER."""
    return merged({"enabled": True, "email": "hostmaster@example.com", "atRestKey": at_rest_key(),
                   "directoryUrl": ca.url, "caFile": ca.ca_file, "checkDelegation": False,
                   "tlsDir": os.path.join(folder, "tls")}, more)


class Renewing(harness.Dnsd):
    """A daemon that gets its certificate from CA. LETS_ENCRYPT and CONFIG are laid over what it has by
    itself; `dns` is where a validator finds it, before it is started too."""

    def __init__(self, ca=None, lets_encrypt=None, config=None, env=None, **more):
        super().__init__(env=scaled() if env is None else env, **more)
        self.dns = ("127.0.0.1", free_port())
        self.https, self.dot, self.challenge = free_port(), free_port(), free_port()
        self.config = merged(merged(self.config, {
            "core": {"ip": "127.0.0.1", "ipv6": None},
            "dns": {"port": self.dns[1]},
            "http": {"ip": "127.0.0.1", "port": self.https, "dotPort": self.dot,
                     "challengePort": self.challenge},
            "auth": {"adminAccessKey": web.ADMIN_KEY}}), config or {})
        self.own = lets_encrypt or {}
        if ca:
            self.use(ca)
        self.write_config()

    def use(self, ca):
        """Before the start: this is the authority. What is looked up is looked up here: nothing asks the
        world outside."""
        self.config["letsEncrypt"] = merged(
            settings(ca, self.folder, certRenewer=True, resolvers=["%s:%d" % self.dns]), self.own)
        self.write_config()
        return self

    @property
    def tls_dir(self):
        return self.config["letsEncrypt"]["tlsDir"]

    def start(self):
        process = self.spawn()
        process.wait_log(r" app: ready\b")
        if self.config["dns"].get("active"):
            self.port = self.listening()[0][1]
        return self

    # -- what is shown --

    def serial(self, name=DOMAIN, port=None):
        """Of the leaf on HTTPS (or PORT); None: nobody answers."""
        return serial_at(("127.0.0.1", port or self.https), name)

    def wait_serial(self, wanted, deadline_s=ISSUE_S, ports=None, name=DOMAIN):
        """Until HTTPS and DNS over TLS both show what WANTED (a function of a serial) accepts; the
        serial of the first."""
        for port in ports or (self.https, self.dot):
            try:
                until(f"port {port} shows the certificate wanted",
                      lambda port=port: wanted(self.serial(name, port)), deadline_s, 0.05)
            except AssertionError as failure:
                raise AssertionError(f"{failure}; now {self.serial(name, port)}\n"
                                     + "\n".join(self.process.lines[-60:])) from None
        return self.serial(name, (ports or (self.https,))[0])

    def wait_issued(self, ca, count=1, deadline_s=ISSUE_S, **more):
        """Until what is shown is the COUNT-th or a later certificate of CA; its serial."""
        return self.wait_serial(lambda serial: serial and serial in ca.issued()[count - 1:],
                                deadline_s, **more)

    # -- what an operator does --

    def trouble(self):
        """All that the daemon tells an operator of its certificate, past failures too, as text."""
        return self.present() + self.dnsctl("certs", "history", "--json", expect=None).out

    def present(self):
        """The same, as it is now."""
        return self.dnsctl("status", "--json", expect=None).out

    def force(self, override="floor"):
        """Wishes another certificate by the API, until that is what is done: the order before it may be too
        fresh (36 s, scaled), and a job that a limit stands against fails at once."""
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE

        def taken():
            with web.Web(self, trust) as client:
                got = client.ask("POST", "/system/admin/certs/force-renew", {"override": override})
                assert got.status == 202, got
                job = got.json()["job"]
                until("the job is looked at", lambda: ask(client, job)["state"] != "waiting", 20, 0.02)
                ended = ask(client, job)
            return None if ended["state"] == "failed" and "held up (order)" in ended["text"] else ended

        def ask(client, job):
            got = client.get("/system/admin/certs/jobs/" + job["id"])
            assert got.status == 200, got
            return got.json()["job"]

        until("HTTPS answers", self.serial, 20, 0.02)  # a moment later than DNS after a start
        return until("a job is taken", taken, 20, 0.1)

    # -- what is stored --

    def table(self, name):
        """Rows of a table as dicts."""
        db = sqlite3.connect(self.database, timeout=10)
        db.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in db.execute("SELECT * FROM " + name)]
        finally:
            db.close()

    def certificate(self, hostname=WILDCARD):
        """The row's object; None: there is none."""
        rows = self.sql(("SELECT value FROM keyValue WHERE key = ?", ("tls-cert/" + hostname,)))
        return json.loads(rows[0][0]) if rows else None

    def no_proofs_left(self, deadline_s=20):
        """Nothing of an order that has ended is stored or answered."""
        for table in ("challenge", "http01", "alpn01", "acme_order"):
            until(f"{table} is empty", lambda table=table: not self.table(table), deadline_s, 0.05)
        if self.config["dns"].get("active"):
            until("no TXT is answered", lambda: not self.ask("_acme-challenge", "TXT").answer, deadline_s)
            assert self.ask("_acme-challenge", "TXT").rcode == "NOERROR"


def bounded(ca, limits, for_s, what=""):
    """Watches a FakeCa for FOR_S: never more requests than LIMITS {kind: count} since its start."""
    end = time.monotonic() + for_s
    while True:
        got = ca.counts()
        over = {kind: count for kind, count in got.items() if count > limits.get(kind, count)}
        assert not over, f"{what}: more than {limits}: {over}"
        left = end - time.monotonic()
        if left <= 0:
            return got
        time.sleep(min(0.05, left))


class World:
    """The rest of the names, for a core that has no domain: an Unbound that knows HOSTS {name: address}
    and says of everything else that it does not exist."""

    def __init__(self, hosts):
        lines = "".join(f'  local-data: "{name}. 60 IN A {address}"\n' for name, address in hosts.items())
        self.unbound = harness.Unbound({}, extra='  local-zone: "." static\n' + lines)
        self.address = self.unbound.address

    def start(self):
        self.unbound.start()
        return self

    def stop(self):
        self.unbound.stop()


def single(host, world, ca=None, lets_encrypt=None, config=None, **more):
    """A Renewing without a domain, for HOST alone."""
    return Renewing(ca, merged({"resolvers": ["%s:%d" % world.address]}, lets_encrypt or {}), merged(
        {"dns": {"active": False, "domain": None},
         "dnsLess": {"isActive": True, "publicUrl": "https://" + host}}, config or {}), **more)


# ---- looking ------------------------------------------------------------------------------------


def leaf_at(address, name=DOMAIN, source=None):
    """DER of the leaf that a client who believes everything is shown; None: nobody answers."""
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.check_hostname = False
    trust.verify_mode = ssl.CERT_NONE
    try:
        with socket.create_connection(address, 5, source) as tcp, \
                trust.wrap_socket(tcp, server_hostname=name) as tls:
            return tls.getpeercert(True)
    except OSError:
        return None


def serial_at(address, name=DOMAIN):
    der = leaf_at(address, name)
    return der and f"{x509.load_der_x509_certificate(der).serial_number:x}"


def shown(address, root_file, name=DOMAIN):
    """What `openssl s_client` gets there: it must verify by ROOT_FILE alone and be good for NAME. The
    chain's PEM texts, leaf first."""
    done = subprocess.run(
        [harness.package_program("openssl"), "s_client", "-connect", "%s:%d" % address, "-servername", name,
         "-CAfile", root_file, "-no-CApath", "-no-CAstore", "-verify_return_error", "-verify_hostname",
         name, "-showcerts"], capture_output=True, text=True, input="", timeout=30, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0 and "Verify return code: 0 (ok)" in said, said
    return pems(done.stdout)


def fetched(port, root_file, name=DOMAIN, path="/healthz"):
    """What curl gets of PATH, believing ROOT_FILE alone."""
    return web.curl("--cacert", root_file, "--resolve", f"{name}:{port}:127.0.0.1",
                    f"https://{name}:{port}{path}")


def asked_over_tls(port, root_file, name=DOMAIN):
    """One question over DNS over TLS, believing ROOT_FILE alone; a Reply."""
    trust = ssl.create_default_context(cafile=root_file)
    with socket.create_connection(("127.0.0.1", port), 5) as tcp, \
            trust.wrap_socket(tcp, server_hostname=name) as tls:
        wire = harness.query("@", "SOA")
        tls.sendall(len(wire).to_bytes(2, "big") + wire)
        got = b""
        while len(got) < 2 or len(got) < 2 + int.from_bytes(got[:2], "big"):
            more = tls.recv(65536)
            assert more, "closed before the answer"
            got += more
        return harness.Reply(got[2:])


def pems(text):
    return re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", text, re.S)


def verify(chain, roots, names):
    """CHAIN (PEM texts, leaf first) by `openssl verify` with nothing trusted but ROOTS (text), for each of
    NAMES, and for no other name."""
    folder = harness.temp_folder()

    def put(name, text):
        path = os.path.join(folder, name)
        with open(path, "w", encoding="ascii") as out:
            out.write(text)
        return path

    leaf, root = put("leaf.pem", chain[0]), put("root.pem", roots)
    between = ["-untrusted", put("between.pem", "".join(chain[1:]))] if chain[1:] else []
    for name in names:
        asked = "any-host" + name[1:] if name.startswith("*") else name
        said = openssl("verify", "-CAfile", root, "-no-CApath", "-no-CAstore", *between, "-purpose",
                       "sslserver", "-verify_hostname", asked, leaf)
        assert said.strip().endswith("OK"), said
    assert sorted(names) == sorted(alternative(chain[0]))


def alternative(pem):
    """DNS names of a certificate."""
    return re.findall(r"DNS:([^,\s]+)",
                      openssl("x509", "-noout", "-ext", "subjectAltName", input=pem))


def issuer(pem):
    """Common name of who signed it."""
    return re.search(r"CN = (.*)", openssl("x509", "-noout", "-issuer", input=pem)).group(1).strip()


def subject(pem):
    """Its own common name."""
    return re.search(r"CN = (.*)", openssl("x509", "-noout", "-subject", input=pem)).group(1).strip()


def dates(pem):
    """notBefore and notAfter, seconds since the epoch."""
    said = openssl("x509", "-noout", "-dates", input=pem)
    return tuple(ssl.cert_time_to_seconds(line.split("=")[1]) for line in said.strip().splitlines())


def matched(pattern, text):
    """What PATTERN finds in TEXT, whatever its case; None."""
    found = re.search(pattern, text, re.I)
    return found and found.group(0)


def serial_of(pem):
    return plain(openssl("x509", "-noout", "-serial", input=pem).split("=")[1].strip())
