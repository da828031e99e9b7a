"""A cluster on one machine: network namespaces, a real dnsd and a real rqlited in each.

            client side 10.78.N.0/24                       cluster network 10.77.0.0/24
    stream, tests ── veth ──┐                        ┌── veth ── bridge ── veth ──┐
                            └── core-a (10.77.0.1) ──┘                            └── core-b ...

The tests themselves run in a namespace of their own (harness.rerun_in_namespace(FILE, "-n", "-m")),
which holds the bridge and the clients' ends. Each core has a network namespace and a mount namespace,
whose /etc/resolv.conf names one server: the core's own dnsd on port 53. So that nothing is resolved
that dnsd does not answer. cut() takes a core's port off the bridge: packets then vanish, as on the
real net, and nobody is told; clients still reach the core.

Cluster makes all of it. Core starts and ends one dnsd (which starts and ends its rqlited), runs dnsctl
in the core's place, and speaks to its rqlited as another program would. Those who ask and write all
the while are in clients.py.
"""
import base64
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import time

import harness
import rqlited
from harness import DOMAIN, until

NET = "10.77.0."        # .N: core number N
CLIENTS = "10.78.%d."   # .1: the clients' end, .2: the core's
RAFT_PORT = 4002
HTTP_PORT = 4001
START_S = 30            # three nodes find each other, on a machine that has much else to do
SECOND_S = 1.0          # what is promised: a change is answered everywhere, a start answers
CLONE_NEWNET = 0x40000000

def oldest_and_newest():
    found = rqlited.binaries()
    return [found[0], found[-1]] if len(found) > 1 else found


def newest():
    return rqlited.binaries()[-1]


def ip(*commands):
    """Runs `ip` on all of them at once."""
    done = subprocess.run([harness.package_program("ip"), "-batch", "-"], text=True,
                          input="\n".join(commands) + "\n", capture_output=True, check=False)
    assert done.returncode == 0, f"{commands}: {done.stdout}{done.stderr}"


def openssl(*arguments):
    done = subprocess.run([harness.package_program("openssl"), *arguments], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, f"openssl {arguments}: {done.stderr}"


def certificates(folder, addresses):
    """A CA and a pair for each address: FOLDER/{ca,<address>}.{crt,key}."""
    new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
           "-days", "2"]
    ca = os.path.join(folder, "ca")
    openssl(*new, "-subj", "/CN=test CA", "-keyout", ca + ".key", "-out", ca + ".crt")
    for address in addresses:
        pair = os.path.join(folder, address)
        openssl(*new, "-subj", "/CN=" + address, "-CA", ca + ".crt", "-CAkey", ca + ".key",
                "-addext", "subjectAltName=IP:" + address, "-addext", "basicConstraints=CA:FALSE",
                "-keyout", pair + ".key", "-out", pair + ".crt")


class Core:
    """One core: its namespaces for as long as the Cluster, its dnsd as often as started."""

    def __init__(self, cluster, number, config=None, resolver="127.0.0.1", disk=None, env=None):
        self.cluster, self.number = cluster, number
        self.env = env  # beside what the tests run in
        self.id = "core-" + "abcdefgh"[number - 1]
        self.ip = NET + str(number)
        self.address = CLIENTS % number + "2"  # where clients find it
        self.folder = os.path.join(cluster.folder, self.id)
        self.path = os.path.join(self.folder, "dnsd.yml")
        self.data = os.path.join(self.folder, "data")
        self.state = os.path.join(self.data, "dnsd")
        os.makedirs(self.data)
        self.disk = disk
        if disk:
            # Before the core's mount namespace is made, so that it is the same file system there.
            mounted = harness.LIBC.mount(b"tmpfs", self.data.encode(), b"tmpfs", 0,
                                         b"mode=700,size=" + disk.encode())
            assert mounted == 0, "no tmpfs on " + self.data
        self.process = None
        self.started = None  # when it was last started
        self._namespaces(resolver)
        pair = os.path.join(cluster.folder, "tls", self.ip)
        self.config = harness.merged({
            "core": {"id": self.id, "ip": self.ip},
            "dns": {"active": True, "domain": DOMAIN, "ip": "0.0.0.0", "port": 53, "workers": 1,
                    "staticEntries": {"lsc": {"a": cluster.founders}}},
            "auth": {"adminAccessKey": "an-admin-key-of-the-tests"},
            "cluster": {"discoveryEnabled": True},
            "storages": {"platform": {"engine": "rqlite"}, "engines": {"rqlite": {
                "dataDir": self.data, "raftPort": RAFT_PORT, "binPath": cluster.rqlited,
                "tls": {"caFile": os.path.join(cluster.folder, "tls", "ca.crt"),
                        "certFile": pair + ".crt", "keyFile": pair + ".key"}}}},
        }, config or {})
        self.write_config()

    def write_config(self):
        with open(self.path, "w", encoding="utf-8") as out:
            out.write(harness.yaml(self.config))

    # -- namespaces --

    def _namespaces(self, resolver):
        """A process that holds them, and the two wires."""
        resolv = os.path.join(self.folder, "resolv.conf")
        with open(resolv, "w", encoding="ascii") as out:
            out.write(f"nameserver {resolver}\noptions timeout:1 attempts:2\n")
        there = os.path.realpath("/etc/resolv.conf")
        assert os.path.exists(there), f"{there}: no file to lay the core's own over"
        self.holder = harness.Process(
            [harness.package_program("unshare"), "-n", "-m", "sh", "-c",
             'mount --bind "$1" "$2" && echo holding >&2 && exec sleep 3600', "holder", resolv,
             there])
        self.holder.wait_log("^holding$")
        self.net = os.open(f"/proc/{self.holder.pid}/ns/net", os.O_RDONLY)
        port, client, there = f"c{self.number}", f"q{self.number}", f"netns {self.holder.pid}"
        ip(f"link add name {port} type veth peer name eth0 address {mac(self.number)} {there}",
           f"link add name {client} type veth peer name eth1 {there}",
           f"link set {port} up master sw", f"link set {client} up",
           f"addr add {CLIENTS % self.number}1/24 dev {client}")
        self.run("ip", "-batch", "-", input="\n".join(
            ["link set lo up", "link set eth0 up", "link set eth1 up",
             f"addr add {self.ip}/24 dev eth0", f"addr add {self.address}/24 dev eth1"]
            # Known for good: a core that is cut off is silence, not "no route to host".
            + [f"neigh add {NET}{n} lladdr {mac(n)} dev eth0 nud permanent"
               for n in range(1, 9) if n != self.number]) + "\n")

    def end_namespaces(self):
        ip(f"link del c{self.number}", f"link del q{self.number}")  # now, not when the kernel has time
        os.close(self.net)
        self.holder.kill()
        if self.disk:
            harness.LIBC.umount2(self.data.encode(), 2)

    def wipe(self):
        """An empty disk: the machine was replaced."""
        for name in os.listdir(self.data):
            path = os.path.join(self.data, name)
            if os.path.isdir(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)

    def cut(self):
        ip(f"link set c{self.number} nomaster")

    def heal(self):
        ip(f"link set c{self.number} master sw")

    def inside(self, *argv):
        return [harness.package_program("nsenter"), "-t", str(self.holder.pid), "-n", "-m",
                "-W", self.folder, "--", *argv]

    def run(self, *argv, input=None):
        done = subprocess.run(self.inside(*argv), input=input, capture_output=True, text=True,
                              timeout=60, check=False)
        assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
        return done.stdout

    # -- processes --

    def spawn(self):
        self.started = time.monotonic()
        self.process = harness.Process(self.inside(harness.program("dnsd"), "-c", self.path),
                                       cwd=self.folder, env=self.env)
        return self

    def stop(self):
        self.process.stop()

    def kill(self):
        self.process.kill()

    def alive(self):
        return self.process is not None and self.process.alive()

    def rqlited_pid(self):
        """0: none."""
        for entry in os.listdir("/proc"):
            try:
                with open(f"/proc/{entry}/stat", encoding="ascii") as f:
                    name, rest = f.read().split("(", 1)[1].rsplit(")", 1)
            except (OSError, IndexError, UnicodeDecodeError):
                continue
            if name == "rqlited" and int(rest.split()[1]) == self.process.pid:
                return int(entry)
        return 0

    def signal(self, number, dnsd=True, rqlited=True):
        child = self.rqlited_pid() if rqlited else 0
        assert child or not rqlited, "no rqlited runs:\n" + self.process.log()[-3000:]
        for pid in ([self.process.pid] if dnsd else []) + ([child] if rqlited else []):
            os.kill(pid, number)

    # -- what an operator does --

    def dnsctl(self, *arguments, expect=0, input=None, deadline_s=60):
        """Runs dnsctl where the core is; EXPECT None: any exit code."""
        full = dict(os.environ)
        full.setdefault("ASAN_OPTIONS", "detect_leaks=1:exitcode=66")
        full.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1:exitcode=66")
        done = subprocess.run(
            self.inside(harness.program("dnsctl"), "-c", self.path, *arguments), input=input,
            capture_output=True, text=True, timeout=deadline_s, env=full, check=False)
        said = (f"{self.id}: dnsctl {' '.join(arguments)}: exit {done.returncode}\n"
                f"{done.stdout}{done.stderr}")
        assert not harness.REPORT.search(done.stderr), said
        assert expect is None or done.returncode == expect, said + "\n" + self.tail()
        return harness.Tool(done.returncode, done.stdout, done.stderr)

    def status(self):
        done = self.dnsctl("status", "--json", expect=None)
        assert done.code in (0, 3, 4), f"{self.id}: {done.code} {done.out} {done.err}\n{self.tail()}"
        return done.json()

    def verdict(self):
        """What dnsctl status ends with, and its exit code."""
        done = self.dnsctl("status", expect=None)
        return done.code, done.out.strip().splitlines()[-1]

    def tail(self):
        return f"--- {self.id}'s log ends:\n" + "\n".join(self.process.lines[-40:])

    # -- what another program does --

    def connect(self, port):
        """A TCP connection to the core's loopback, made from inside."""
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            assert harness.LIBC.setns(self.net, CLONE_NEWNET) == 0
            try:
                return socket.create_connection(("127.0.0.1", port), timeout=10)
            finally:
                assert harness.LIBC.setns(here, CLONE_NEWNET) == 0
        finally:
            os.close(here)

    def http(self, method, path, body=None):
        """(status, octets) of this node's rqlited; OSError if there is none. BODY: octets, or what is
        to be JSON."""
        with open(os.path.join(self.state, "rqlite-auth.json"), encoding="utf-8") as f:
            user = json.load(f)[0]
        token = base64.b64encode(f"{user['username']}:{user['password']}".encode()).decode()
        kind = "application/octet-stream"
        if body is not None and not isinstance(body, bytes):
            body, kind = json.dumps(body).encode(), "application/json"
        connection = http.client.HTTPConnection("127.0.0.1", HTTP_PORT, timeout=10)
        connection.sock = self.connect(HTTP_PORT)
        try:
            connection.request(method, path, body,
                               {"Authorization": "Basic " + token, "Content-Type": kind})
            reply = connection.getresponse()
            return reply.status, reply.read()
        except http.client.HTTPException as e:
            raise OSError(str(e)) from e
        finally:
            connection.close()

    def execute(self, *statements):
        """Each statement [sql, value...], in one transaction; the results. OSError: not done, or
        not known."""
        status, text = self.http("POST", "/db/execute?transaction", list(statements))
        if status != 200:
            raise OSError(f"{status} {text!r}")
        reply = json.loads(text)
        errors = [r["error"] for r in [reply] + reply.get("results", []) if "error" in r]
        if errors:
            raise OSError("; ".join(errors))
        return reply["results"]

    def http_up(self):
        """Whether its rqlited answers at all."""
        try:
            return self.http("GET", "/status")[0] == 200
        except OSError:
            return False

    def nodes(self):
        """{id: node} as this core's rqlited sees the cluster; {} if it does not answer."""
        try:
            status, text = self.http("GET", "/nodes?nonvoters&timeout=2s")
        except OSError:
            return {}
        return json.loads(text) if status == 200 else {}

    def leads(self):
        return self.nodes().get(self.id, {}).get("leader", False)

    # -- questions, as clients ask them --

    def ask(self, name, qtype="A", deadline_s=harness.ANSWER_S):
        """A Reply, or None."""
        got = harness.ask_udp((self.address, 53), harness.query(name, qtype), deadline_s=deadline_s)
        return None if got is None else harness.Reply(got)

    def values(self, name, qtype="A", deadline_s=0.3):
        """The data of the answer, sorted; the rcode alone in a list if there is none; None: silence."""
        reply = self.ask(name, qtype, deadline_s)
        if reply is None:
            return None
        return sorted(line.split(" ", 3)[3] for line in reply.answer) or [reply.rcode]


def mac(number):
    return f"02:00:0a:4d:00:{number:02x}"


class Cluster:
    """COUNT founders, or as many as asked for later; nothing is started yet."""

    def __init__(self, rqlited, count=3, **more):
        self.folder = harness.temp_folder()
        self.rqlited = rqlited
        self.marks = 0
        self.cores = []
        self.founders = [NET + str(n) for n in range(1, count + 1)]
        harness.loopback_up()
        os.makedirs(os.path.join(self.folder, "tls"))
        certificates(os.path.join(self.folder, "tls"), [NET + str(n) for n in range(1, 5)])
        ip("link add name sw type bridge", "link set sw up")
        for _ in range(count):
            self.add(**more)

    def add(self, **more):
        core = Core(self, len(self.cores) + 1, **more)
        self.cores.append(core)
        return core

    def __iter__(self):
        return iter(self.cores)

    def __getitem__(self, index):
        return self.cores[index]

    def form(self):
        """All of them, and the zone that the stream asks for."""
        for core in self.cores:
            core.spawn()
        self.ready()
        self.populate()
        return self

    def ready(self, cores=None, deadline_s=START_S):
        """Until there is a leader that all of CORES know, and each sees all others."""
        cores = cores or self.cores
        self.until("a leader, known to " + ", ".join(c.id for c in cores),
                   lambda: self._one(cores), deadline_s, every_s=0.1)

    def _one(self, cores):
        wanted = {core.id for core in cores}
        for core in cores:
            assert core.alive(), core.id + " has ended:\n" + core.tail()
            nodes = core.nodes()
            if not wanted <= set(nodes) or not any(n.get("leader") for n in nodes.values()) \
                    or not all(nodes[other].get("reachable") for other in wanted):
                return False
        return True

    def leader(self, cores=None, deadline_s=START_S):
        """The leading core."""
        return until("a leader", lambda: next(
            (c for c in cores or self.cores if c.alive() and c.leads()), None), deadline_s, 0.1)

    def others(self, *those):
        return [core for core in self.cores if core not in those]

    def populate(self):
        """What NAMES asks for."""
        first = self.cores[0]
        for core in self.cores:  # each writes its row by itself
            self.everywhere(core.id, [core.ip])
        first.dnsctl("users", "set", "alice", "core-a")
        first.dnsctl("users", "set", "bob", "core-b")
        first.dnsctl("records", "set", "web", "A", "192.0.2.80")
        self.settled()
        self.saved()

    def saved(self):
        """Until what is answered now is in each core's snapshot file, which is written up to a second
        after a change: a core that is killed before knows nothing of it at its next start, until
        its rqlited is there."""
        self.marks += 1
        mark = f"mark-{self.marks}"
        self.cores[0].dnsctl("records", "set", mark, "A", "192.0.2.1")
        for core in self.cores:
            def there(core=core):
                with open(os.path.join(core.state, "zone.snapshot"), "rb") as f:
                    return mark.encode() in f.read()
            until(f"{core.id} has saved its zone", there, 10)

    def expected(self, cores=None):
        """{name: judge(addresses)} for the zone of populate(), with CORES as its members."""
        members = {core.ip for core in cores or self.cores}

        def just(*addresses):
            return lambda got: got[0] == "NOERROR" and set(got[1:]) == set(addresses)

        return {
            f"alice.{DOMAIN}": just(NET + "1"),
            f"core-b.{DOMAIN}": just(NET + "2"),
            f"web.{DOMAIN}": just("192.0.2.80"),
            f"lsc.{DOMAIN}": just(*members),
            f"bob.{DOMAIN}": just(NET + "2"),
            f"reg.{DOMAIN}": lambda got: got[0] == "NOERROR" and got[1:] and set(got[1:]) <= members,
            f"core-a.{DOMAIN}": just(NET + "1"),
            f"nobody.{DOMAIN}": lambda got: got == ["NXDOMAIN"],
        }

    def settled(self, cores=None, deadline_s=START_S):
        """Until each of CORES answers all of expected()."""
        wanted = self.expected()
        for core in cores or self.cores:
            for name, judge in wanted.items():
                def right(core=core, name=name, judge=judge):
                    reply = core.ask(name + ".", deadline_s=0.3)
                    return reply and judge([reply.rcode] + [line.split()[3] for line in reply.answer])
                until(f"{core.id} answers {name} right; now: {core.values(name + '.')}", right,
                      deadline_s)

    def everywhere(self, name, values, qtype="A", cores=None, deadline_s=START_S):
        """Until each of CORES answers NAME with VALUES."""
        for core in cores or self.cores:
            self.until(f"{core.id} answers {values} for {name}", lambda core=core:
                       core.values(name, qtype) == sorted(values), deadline_s)

    def until(self, what, check, deadline_s, every_s=0.01):
        """harness.until() that tells what the cores say of themselves if it fails."""
        try:
            return until(what, check, deadline_s, every_s)
        except AssertionError as failure:
            told = [f"{core.id}: {core.verdict()}\n{core.tail()}"
                    for core in self.cores if core.alive()]
            raise AssertionError("\n".join([str(failure)] + told)) from None

    def agree(self, cores=None, deadline_s=START_S):
        """Until CORES have the same revision, digest and SOA serial."""
        def same():
            states = [core.status() for core in cores or self.cores]
            serials = {core.values("@", "SOA")[0].split()[2] for core in cores or self.cores}
            return len(serials) == 1 and len(
                {(s["revision"], s["digest"]) for s in states}) == 1 and states[0]["digest"]
        self.until("all cores at one revision, with one digest", same, deadline_s, every_s=0.1)

    def end(self):
        """Stops all that runs; a core that does not end cleanly fails the test."""
        failures = []
        for core in self.cores:
            try:
                if core.process and core.process.alive():
                    core.signal(signal.SIGCONT, rqlited=bool(core.rqlited_pid()))
                    core.stop()
                elif core.process:
                    core.process.check_reports()
            except AssertionError as failure:
                failures.append(str(failure))
        for core in self.cores:
            core.end_namespaces()
        ip("link del sw")
        assert not failures, "\n".join(failures)


def now():
    return time.monotonic()
