"""Cores that come in by a bundle, on cluster.py's machines: core-a is alone at first and has the CA; the others
have nothing but where their folders are, what listens where, and the two files that the operator brings.
"""
import json
import os
import re
import time

import cluster as c
import harness
from harness import DOMAIN, merged

HTTP, JOIN = 8080, 9090
ADMIN = "an-admin-key-of-the-tests"
PUBLIC = "https://platform.example.org"
JOIN_S = 60  # from starting the new core to its answering, with sanitizers and other work


class Place(c.Core):
    """One machine. CONFIG: what is there before anything has happened."""

    def __init__(self, cluster, number, config=None, **more):
        super().__init__(cluster, number, **more)
        self.tls, self.ca = os.path.join(self.folder, "cluster"), os.path.join(self.folder, "ca")
        self.own = {"dns": {"ip": "0.0.0.0", "port": 53, "workers": 1},
                    "http": {"port": HTTP},
                    "cluster": {"tlsDir": self.tls, "ca": {"path": self.ca}},
                    "storages": {"engines": {"rqlite": {"dataDir": self.data, "binPath": cluster.rqlited}}}}
        self.config = merged(self.own, config or {})
        self.write_config()

    def spawn(self, *more):
        self.started = time.monotonic()
        self.process = harness.Process(self.inside(harness.program("dnsd"), "-c", self.path, *more),
                                       cwd=self.folder, env=self.env)
        return self

    def bootstrap(self, *arguments, **more):
        return self.dnsctl("bootstrap", *arguments, **more)

    # -- the new core's side --

    def file(self, name, text, mode=0o600):
        path = os.path.join(self.folder, name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="ascii") as out:
            os.fchmod(out.fileno(), mode)
            out.write(text)
        return path

    def bring(self, bundle):
        """The words of the command that the new core is started with."""
        with open(bundle["file"], encoding="ascii") as f:
            return ("--bootstrap", self.file("core.bundle", f.read()), "--bootstrap-passphrase-file",
                    self.file("passphrase", bundle["passphrase"] + "\n"))

    def join(self, bundle, *more):
        return self.spawn(*self.bring(bundle), *more)

    # -- looking --

    def listed(self):
        """{id: available}; {}: this core has no database yet, or cannot say."""
        told = self.dnsctl("cores", "list", "--json", expect=None)
        return {core["id"]: core["available"] for core in told.json()["cores"]} if told.code == 0 else {}

    def voter(self, other):
        node = self.nodes().get(other.id)
        return node and node.get("voter")


class Joining(c.Cluster):
    """COUNT machines; core-a's configuration is that of a core alone, with a domain or (DNSLESS) without."""

    def __init__(self, rqlited=None, count=2, dnsless=False):
        self.dnsless = dnsless
        super().__init__(rqlited or c.newest(), 0)
        for _ in range(count):
            self.add()

    def alone(self):
        shared = {"core": {"id": "core-a", "ip": c.NET + "1"}, "auth": {"adminAccessKey": ADMIN},
                  "storages": {"platform": {"engine": "rqlite"}}}
        if self.dnsless:
            return merged(shared, {"dnsLess": {"isActive": True, "publicUrl": PUBLIC}, "core": {"url": PUBLIC}})
        return merged(shared, {"dns": {"active": True, "domain": DOMAIN}})

    def add(self, **more):
        number = len(self.cores) + 1
        config = self.alone() if number == 1 else {"dns": {"active": False}} if self.dnsless else {}
        core = Place(self, number, config=config, **more)
        self.cores.append(core)
        return core

    def begin(self):
        """core-a runs, alone."""
        a = self[0].spawn()
        self.until("core-a is listed", lambda: a.http_up() and a.leads() and a.listed() == {"core-a": True}, 30, 0.1)
        return a

    def bundle(self, core, *more, **how):
        """A new one for CORE, made on core-a."""
        out = os.path.join(self[0].folder, f"{core.id}-{time.monotonic_ns()}.bundle")
        words = ("--url", f"https://{core.id}.example.org") if self.dnsless else ()
        done = self[0].bootstrap("new-core", "--id", core.id, "--ip", core.ip, "--out", out, *words, *more,
                                 "--json", **how)
        return done.json() if done.code == 0 else done

    def available(self, *cores, deadline_s=JOIN_S):
        """Until each of CORES is told as available by all of them; how long it took."""
        began = time.monotonic()
        self.until(", ".join(core.id for core in cores) + " are available", lambda: all(
            at.alive() and all(at.listed().get(core.id) for core in cores) for at in cores), deadline_s, 0.1)
        return time.monotonic() - began


def secrets(bundle):
    """What must not be in a log."""
    return [bundle["passphrase"], ADMIN]


def said(process, *wanted):
    for pattern in wanted:
        assert re.search(pattern, process.log()), f"{pattern}\n{process.log()[-3000:]}"


def rows(core, sql):
    status, text = core.http("POST", "/db/query?associative", [[sql]])
    assert status == 200, text
    return json.loads(text)["results"][0].get("rows") or []
