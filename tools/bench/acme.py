"""A first certificate, from nothing: new account, wildcard and apex by DNS-01, from the same Pebble
(PEBBLE_VA_NOSLEEP=1, no refused nonces, nothing used again), by dnsd, lego and certbot in turn.

  wall    from exec to the chain and the key in files. dnsd has started its store and its name server
          by then, and has asked itself over UDP and TCP whether its proofs are right; the others call
          a hook that puts the value into pebble-challtestsrv, and do not look
  CPU     of the client, its hooks and other children included
  served  dnsd alone: until its HTTPS port shows the certificate too, which the others leave to
          somebody else

lego and certbot are Debian's, set up to be as quick as they can be: no wait for propagation. Each
round runs them in another order; the medians count.
"""

import argparse
import base64
import json
import os
import shutil
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import time

import core

LIMIT_S = 120
NAMES = ["*." + core.DOMAIN, core.DOMAIN]


def newest_pebble():
    """Of tools/setup's, else Debian's."""
    folder = os.path.join(core.TOP, "build", "pebble")
    ours = sorted(os.listdir(folder), key=lambda v: [int(n) for n in v.split(".") if n.isdigit()]) \
        if os.path.isdir(folder) else []
    found = [os.path.join(folder, v, "pebble") for v in ours]
    return next((p for p in reversed(found) if os.access(p, os.X_OK)), shutil.which("pebble"))


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True)


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def until(what, check, process=None):
    end = time.monotonic() + LIMIT_S
    while not check():
        if time.monotonic() > end or (process and process.poll() is not None):
            raise SystemExit("bench: no " + what)
        time.sleep(0.001)


class Authority:
    """Pebble, and what it asks for TXT: whoever is at `dns` at the moment."""

    def __init__(self, path):
        self.dir = os.path.join(core.OUT, "acme-ca")
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(self.dir)
        self.dns, self.port, self.management = (core.free_port() for _ in range(3))
        self.url = "https://127.0.0.1:%d/dir" % self.port
        self.ca = os.path.join(self.dir, "ca.pem")
        key, pair = os.path.join(self.dir, "ca.key"), os.path.join(self.dir, "pair")
        new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        openssl(*new, "-subj", "/CN=bench CA", "-keyout", key, "-out", self.ca)
        openssl(*new, "-subj", "/CN=pebble", "-CA", self.ca, "-CAkey", key, "-addext",
                "subjectAltName=IP:127.0.0.1,DNS:localhost", "-addext", "basicConstraints=CA:FALSE",
                "-keyout", pair + ".key", "-out", pair + ".pem")
        config = os.path.join(self.dir, "pebble.json")
        with open(config, "w") as f:
            json.dump({"pebble": {
                "listenAddress": "127.0.0.1:%d" % self.port,
                "managementListenAddress": "127.0.0.1:%d" % self.management,
                "certificate": pair + ".pem", "privateKey": pair + ".key",
                "httpPort": core.free_port(), "tlsPort": core.free_port(), "ocspResponderURL": "",
                "externalAccountBindingRequired": False}}, f)
        with open(os.path.join(self.dir, "pebble.log"), "wb") as log:
            self.process = subprocess.Popen(
                [path, "-config", config, "-strict", "-dnsserver", "127.0.0.1:%d" % self.dns],
                stdout=log, stderr=log, env=dict(os.environ, PEBBLE_VA_NOSLEEP="1", PEBBLE_AUTHZREUSE="0",
                                                 PEBBLE_WFE_NONCEREJECT="0"))
        until("Pebble", lambda: listens(self.port) and listens(self.management), self.process)

    def stop(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


# ---- lego and certbot ----------------------------------------------------------------------------


class Hooked:
    """A client that ends when it has the files, and a mock server for its values."""

    def __init__(self, ca):
        self.ca = ca
        self.dir = os.path.join(core.OUT, "acme-" + self.name)
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(self.dir)
        self.management = core.free_port()
        self.log = os.path.join(self.dir, "log")
        with open(self.log, "wb") as log:
            self.server = subprocess.Popen(
                ["pebble-challtestsrv", "-http01", "", "-https01", "", "-tlsalpn01", "",
                 "-dns01", "127.0.0.1:%d" % ca.dns, "-management", "127.0.0.1:%d" % self.management],
                stdout=log, stderr=log)
        until("pebble-challtestsrv", lambda: listens(self.management) and listens(ca.dns), self.server)

    def hook(self, name, text):
        """A script that hands a name and a value to the mock server."""
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write("#!/bin/sh\n" + text.replace("MANAGEMENT", "http://127.0.0.1:%d" % self.management))
        os.chmod(path, 0o755)
        return path

    def measure(self):
        began = time.monotonic()
        with open(self.log, "ab") as log:
            process = subprocess.Popen(self.argv(), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                       env=dict(os.environ, **self.environment()))
            _, status, used = os.wait4(process.pid, 0)
        process.returncode = status
        took = time.monotonic() - began
        if status != 0 or not all(os.path.getsize(p) for p in self.files()):
            with open(self.log) as f:
                sys.stderr.writelines(f.readlines()[-30:])
            raise SystemExit("bench: %s failed" % self.name)
        return {"wall_s": took, "cpu_s": used.ru_utime + used.ru_stime}

    def end(self):
        self.server.terminate()
        self.server.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


PUT = """curl -sS -X POST -d '{"host":"'"$1"'","value":"'"$2"'"}' MANAGEMENT/set-txt >/dev/null
"""


class Lego(Hooked):
    name = "lego"

    def argv(self):
        words = [w for name in NAMES for w in ("--domains", name)]
        return ["lego", "--server", self.ca.url, "--accept-tos", "--email", "bench@example.com", "--path",
                os.path.join(self.dir, "state"), "--dns", "exec", "--dns.disable-cp",
                "--dns.resolvers", "127.0.0.1:%d" % self.ca.dns, *words, "run"]

    def environment(self):
        path = self.hook("hook", '[ "$1" = present ] || exit 0\nshift\n' + PUT)
        return {"LEGO_CA_CERTIFICATES": self.ca.ca, "EXEC_PATH": path, "EXEC_POLLING_INTERVAL": "0",
                "EXEC_SEQUENCE_INTERVAL": "0"}

    def files(self):
        base = os.path.join(self.dir, "state", "certificates", "_." + core.DOMAIN)
        return [base + ".crt", base + ".key"]


class Certbot(Hooked):
    name = "certbot"

    def argv(self):
        auth = self.hook("hook", 'set -- "_acme-challenge.$CERTBOT_DOMAIN." "$CERTBOT_VALIDATION"\n' + PUT)
        words = [w for name in NAMES for w in ("-d", name)]
        folders = [w for kind in ("config", "work", "logs")
                   for w in ("--%s-dir" % kind, os.path.join(self.dir, kind))]
        return ["certbot", "certonly", "--non-interactive", "--agree-tos", "-m", "bench@example.com",
                "--no-eff-email", "--server", self.ca.url, "--manual", "--preferred-challenges", "dns",
                "--manual-auth-hook", auth, "--key-type", "ecdsa", "--no-random-sleep-on-renew",
                *folders, *words]

    def environment(self):
        return {"REQUESTS_CA_BUNDLE": self.ca.ca}

    def files(self):
        base = os.path.join(self.dir, "config", "live", core.DOMAIN)
        return [os.path.join(base, name) for name in ("fullchain.pem", "privkey.pem")]


# ---- dnsd ----------------------------------------------------------------------------------------


def cpu_now(pid):
    """Of all threads, those that ended and children that were waited for: the kernel's own clock of the
    process is finer than /proc's, which has the children."""
    with open("/proc/%d/stat" % pid) as f:
        words = f.read().rsplit(")", 1)[1].split()
    children = (int(words[13]) + int(words[14])) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime((~pid << 3) | 2) + children


class Dnsd(core.Core):
    name = "dnsd"

    def __init__(self, ca):
        self.ca = ca
        self.https = core.free_port()
        super().__init__("acme-dnsd")
        self.tls = os.path.join(self.dir, "tls")

    def config(self):
        self.port = self.ca.dns
        return super().config().replace(core.core_ip(0), "127.0.0.1") + (
            "http: {ip: 127.0.0.1, port: %d, challengePort: 0}\n"
            "letsEncrypt: {enabled: true, email: bench@example.com, atRestKey: '%s', directoryUrl: '%s',\n"
            "  caFile: %s, tlsDir: %s, checkDelegation: false, certRenewer: true,\n"
            "  resolvers: ['127.0.0.1:%d']}\n"
            % (self.https, base64.b64encode(os.urandom(32)).decode(), self.ca.url, self.ca.ca,
               os.path.join(self.dir, "tls"), self.port))

    def files(self):
        base = os.path.join(self.tls, "wildcard." + core.DOMAIN)
        return [os.path.join(base, name) for name in ("fullchain.pem", "privkey.pem")]

    def shows(self, leaf):
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
        try:
            with socket.create_connection(("127.0.0.1", self.https), 5) as tcp, \
                    trust.wrap_socket(tcp, server_hostname=core.DOMAIN) as tls:
                return tls.getpeercert(True) == leaf
        except OSError:
            return False

    def measure(self):
        began = self.spawn()
        until("certificate of dnsd's, see " + self.log, lambda: all(os.path.exists(p) for p in self.files()),
              self.process)
        took, used = time.monotonic() - began, cpu_now(self.process.pid)
        with open(self.files()[0]) as f:
            leaf = ssl.PEM_cert_to_DER_cert(f.read().split("-----END")[0] + "-----END CERTIFICATE-----\n")
        until("certificate of dnsd's on HTTPS", lambda: self.shows(leaf), self.process)
        return {"wall_s": took, "cpu_s": used, "served_s": time.monotonic() - began}

    def end(self):
        if self.alive():
            self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


def main():
    p = argparse.ArgumentParser(prog="tools/bench/run acme --")
    p.add_argument("--rounds", type=int, default=9)
    p.add_argument("--clients", default="dnsd,lego,certbot", help="with commas between")
    p.add_argument("--pebble", default=newest_pebble())
    a = p.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: ended"))
    core.warn_if_busy()
    kinds = [k for k in (Dnsd, Lego, Certbot) if k.name in a.clients.split(",")]
    results = {k.name: [] for k in kinds}
    ca = Authority(a.pebble)
    try:
        for turn in range(a.rounds):
            for kind in kinds[turn % len(kinds):] + kinds[:turn % len(kinds)]:
                client = kind(ca)
                try:
                    got = client.measure()
                finally:
                    client.end()
                results[kind.name].append(got)
                print("bench: %d %s %s" % (turn + 1, kind.name, " ".join(
                    "%s %.2f" % item for item in got.items())), file=sys.stderr, flush=True)
    finally:
        ca.stop()
    report(results, a)


def report(results, a):
    def median(name, key):
        return statistics.median(r[key] for r in results[name])

    own = "dnsd" in results
    rows = []
    for name in results:
        row = [name]
        for key in ("wall_s", "cpu_s"):
            value = median(name, key)
            row += ["%.2f s" % value,
                    "%.2f – %.2f" % (min(r[key] for r in results[name]), max(r[key] for r in results[name])),
                    "%.1f" % (value / median("dnsd", key)) if own else "-"]
        rows.append(row)
    m = core.machine()
    core.table("a first certificate, %d rounds; %s, %d CPUs, Linux %s"
               % (a.rounds, m["cpu"], m["cpus"], m["kernel"]),
               ["", "wall", "least – most", "of dnsd's", "CPU", "least – most", "of dnsd's"], rows)
    figures = {"machine": m, "pebble": a.pebble, "rounds": results}
    if own:
        figures["served_s"] = median("dnsd", "served_s")
        print("\ndnsd: until HTTPS shows it: %.2f s" % figures["served_s"])
    core.save("acme", figures)


if __name__ == "__main__":
    main()
