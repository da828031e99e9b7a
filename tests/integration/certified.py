"""A cluster (cluster.py) whose cores get one certificate for all of them from a real Pebble.

    Pebble and Unbound at 10.79.0.1, in the tests' own namespace, which every core reaches over the
    clients' side: a core that is cut off from the other cores still has a CA to talk to.

Unbound knows of the domain which cores serve it (all of them, until asked_of() says otherwise); Pebble asks
Unbound. core-a is the one that renews by preference (certRenewer). Waiting times are a tenth of the real ones
(SCALE): a lease is lost after 6 s, a core's rank is worth a second.
"""
import json
import threading
import time

import acme
import cluster as c
import harness
import web
from harness import DOMAIN, merged, until

CA = "10.79.0.1"
HTTPS, DOT = 8443, 853
SCALE = 0.1
TAKEOVER_S = 90   # a dead core is told from a slow one after 20 s; then the order, with sanitizers
EVERYWHERE_S = 3.0  # promised: from the CA's having issued to every core's showing it


class Certified(c.Cluster):
    """COUNT cores, nothing started but Pebble and Unbound. CA: further words for Pebble."""

    def __init__(self, rqlited=None, count=3, scale=SCALE, lets_encrypt=None, ca=None):
        super().__init__(rqlited or c.newest(), count)
        self.environment = acme.scaled(scale)
        c.ip(f"addr add {CA}/32 dev lo")
        self.resolver = None
        self.asked_of(self)
        self.ca = acme.Pebble(acme.newest(), dns=(CA, 53), address=CA, **(ca or {})).start()
        key = acme.at_rest_key()
        for core in self:
            core.run("ip", "route", "add", CA + "/32", "via", c.CLIENTS % core.number + "1", "dev", "eth1")
            core.env = dict(self.environment)
            core.config = merged(core.config, {
                "letsEncrypt": merged(acme.settings(
                    self.ca, core.folder, atRestKey=key, resolvers=[CA],
                    **({"certRenewer": True} if core is self[0] else {})), lets_encrypt or {}),
                "http": {"port": HTTPS, "dotPort": DOT, "challengePort": 0}})
            core.write_config()

    def asked_of(self, cores):
        """Those are the servers of the domain, as far as the CA knows: one that is cut off from the others
        would tell it what was true before, and a real zone would no longer list it."""
        if self.resolver:
            self.resolver.stop()
        self.resolver = harness.Unbound(
            {DOMAIN: "\n  stub-addr: ".join(core.address for core in cores)}, address=CA, port=53,
            extra="  access-control: 10.0.0.0/8 allow\n  outgoing-interface: 0.0.0.0\n"
                  "  cache-max-ttl: 0\n  cache-max-negative-ttl: 0\n").start()

    def end(self):
        try:
            super().end()
        finally:
            self.ca.stop()
            self.resolver.stop()

    # -- what is stored, as one core's database has it --

    def rows(self, sql, core=None):
        """Dicts; of CORE, or of the first that answers."""
        for asked in [core] if core else self:
            try:
                status, text = asked.http("POST", "/db/query?associative", [[sql]])
            except OSError:
                continue
            if status == 200:
                result = json.loads(text)["results"][0]
                assert "error" not in result, result
                return result.get("rows") or []
        raise AssertionError("no database answers " + sql)

    def lease(self, core=None):
        """(holder, term) of the lease; ("", 0): nobody ever had it."""
        rows = self.rows("SELECT holder, term FROM lease", core)
        return (rows[0]["holder"], rows[0]["term"]) if rows else ("", 0)

    def held_by(self, core, deadline_s=40):
        self.until(f"{core.id} holds the lease; now {self.lease()}",
                   lambda: self.lease()[0] == core.id, deadline_s, 0.1)

    def forget_attempts(self):
        """The ledger as new: so many renewals in a row are more than it allows."""
        self[1].execute(["DELETE FROM acme_attempt"])

    def story(self):
        """What is known of the orders there have been, for whoever reads of a failure."""
        tried = self.rows("SELECT kind, outcome, core, problem, text FROM acme_attempt ORDER BY at_ms")
        return "\n".join(["the ledger:", *(json.dumps(row) for row in tried), *(core.tail() for core in self)])

    # -- what is shown --

    def serials(self, cores=None):
        return {core.id: acme.serial_at((core.address, HTTPS)) for core in cores or self}

    def showing(self, wanted, cores=None, deadline_s=acme.ISSUE_S):
        """Until each of CORES shows, on both ports, a serial that WANTED accepts, all the same one; that."""
        def same():
            for core in cores or self:
                if not core.alive():
                    raise AssertionError(core.id + " has ended:\n" + core.tail())
            got = {acme.serial_at((core.address, port)) for core in cores or self for port in (HTTPS, DOT)}
            return len(got) == 1 and wanted(next(iter(got))) and next(iter(got))
        return self.until("one certificate on all of " + ", ".join(x.id for x in cores or self), same,
                          deadline_s, 0.02)

    def newest(self, count, cores=None, deadline_s=acme.ISSUE_S):
        """Until each of CORES shows the COUNT-th certificate that the CA has issued, or a later one."""
        return self.showing(lambda serial: serial in self.ca.issued()[count - 1:], cores, deadline_s)

    def verified(self, cores=None):
        for core in cores or self:
            for port in (HTTPS, DOT):
                chain = acme.shown((core.address, port), self.ca.root_file)
            acme.verify(chain, self.ca.roots()[0], acme.NAMES)

    def force(self, core):
        """Another certificate, asked for at CORE."""
        trust = web.ssl.SSLContext(web.ssl.PROTOCOL_TLS_CLIENT)
        trust.check_hostname, trust.verify_mode = False, web.ssl.CERT_NONE
        with web.Web(None, trust, port=HTTPS, host=core.address) as client:
            got = client.ask("POST", "/system/admin/certs/force-renew", {"override": "floor"})
        assert got.status in (200, 202), got

    # -- what must hold afterwards --

    def clean(self, cores=None, deadline_s=30):
        """No order and no proof is left: no row, no TXT on any of CORES."""
        for table in ("acme_order", "challenge", "http01", "alpn01"):
            self.until(table + " is empty", lambda table=table: not self.rows("SELECT * FROM " + table),
                       deadline_s, 0.1)
        for core in cores or self:
            self.until(f"{core.id} answers no TXT", lambda core=core: core.values(
                "_acme-challenge", "TXT") == ["NOERROR"], deadline_s, 0.05)


class Stopwatch(threading.Thread):
    """From now on: when the CA issues its COUNT-th certificate, and when each core shows it."""

    def __init__(self, cluster, count, cores=None):
        super().__init__(daemon=True)
        self.cluster, self.count, self.cores = cluster, count, list(cores or cluster)
        self.began = time.monotonic()
        self.issued, self.shown = None, {}
        self.start()

    def run(self):
        end = self.began + TAKEOVER_S * 2
        while time.monotonic() < end and len(self.shown) < len(self.cores):
            issued = self.cluster.ca.issued()
            if len(issued) >= self.count:
                self.issued = self.issued or time.monotonic()
                for core in self.cores:
                    if core.id not in self.shown \
                            and acme.serial_at((core.address, HTTPS)) in issued[self.count - 1:]:
                        self.shown[core.id] = time.monotonic()
            time.sleep(0.01)

    def told(self, what):
        """Prints it; seconds from the CA's word to the last core."""
        self.join(TAKEOVER_S * 2)
        assert len(self.shown) == len(self.cores), f"{what}: only {self.shown}"
        last = max(self.shown.values())
        print(f"{what}: issued after {self.issued - self.began:.2f} s, shown everywhere "
              f"{last - self.issued:.2f} s later")
        return last - self.issued


def state_of(pid):
    """The letter of /proc/PID/stat; None: gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rsplit(")", 1)[1].split()[0]
    except OSError:
        return None


def stopped(core):
    """Whether its dnsd stands still (SIGSTOP)."""
    return state_of(core.process.pid) == "T"


def wait_fault(core, how):
    """Until the fault point is reached."""
    if how == "kill":
        until(f"{core.id} kills itself", lambda: not core.alive(), acme.ISSUE_S, 0.02)
        core.process.check_reports()
    else:
        until(f"{core.id} stops itself", lambda: stopped(core), acme.ISSUE_S, 0.02)
