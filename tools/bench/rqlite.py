"""One core with its rqlited, beside one on the embedded store, in the same run: what replication
costs a core, before there are others to replicate to.

  load      `dnsctl users load` of a CSV, the daemon up: until the command's end, and until 2000
            users drawn from the file are all answered (they are not written in its order)
  start     from exec to the right answer for the last user of the file, the store (and so rqlited)
            started too: with the snapshot file of a clean stop, and without; with the file also
            until the daemon follows the store again
  memory    PSS of dnsd and of rqlited once they have come to rest, started from the snapshot file
  steady    CPU time of both, and HTTP requests to rqlited, while nothing changes
  row       a user's row written by another program: until its commit returns, and from then to the
            answer
  command   `dns-records set`: from the command's start to the answer
  disk      what the store has in its folder

A cluster of three is not measured here: each core listens for the others on the same Raft port of
any address, so they need a network each (tests/integration/cluster.py gives them one, and
prints how long a change takes to be everywhere).
"""

import argparse
import base64
import glob
import http.client
import json
import os
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time

import core

FOLLOW_LIMIT_S = 300
REST_LIMIT_S = 180
TICKS = os.sysconf("SC_CLK_TCK")


def rqlited():
    """The newest there is: of tools/setup's, else on the PATH."""
    named = [p for p in os.environ.get("DNSD_RQLITEDS", "").split(":") if p]

    def version(path):
        return [int(n) for n in re.findall(r"\d+", os.path.basename(os.path.dirname(path)))]

    ours = glob.glob(os.path.join(core.TOP, "build", "rqlite", "*.*.*", "rqlited"))
    found = named[-1] if named else max(ours, key=version) if ours else shutil.which("rqlited")
    if not found:
        raise SystemExit("bench: there is no rqlited; run tools/setup bench")
    return os.path.abspath(found)


class Embedded(core.Core):
    def child(self):
        return None

    def requests(self):
        return 0

    def disk_bytes(self):
        return sum(os.path.getsize(p) for p in glob.glob(self.db + "*"))


class Replicated(core.Core):
    engine = "rqlite"
    state_folder = "data/dnsd"

    def __init__(self, name):
        self.http = core.free_port()
        self.raft = core.free_port()
        super().__init__(name)
        self.data = os.path.dirname(self.state)

    def storages(self):
        return (
            "{platform: {engine: rqlite}, engines: {rqlite: {url: 'http://127.0.0.1:%d', "
            "raftPort: %d, dataDir: %s, binPath: %s}}}"
            % (self.http, self.raft, os.path.dirname(self.state), rqlited())
        )

    def child(self):
        """The pid of rqlited."""
        for entry in os.listdir("/proc"):
            try:
                with open("/proc/%s/stat" % entry) as f:
                    name, rest = f.read().split("(", 1)[1].rsplit(")", 1)
            except (OSError, IndexError):
                continue
            if name == "rqlited" and int(rest.split()[1]) == self.process.pid:
                return int(entry)
        raise SystemExit("bench: there is no rqlited; see %s" % self.log)

    def connection(self):
        """A function of method, path and body that speaks to rqlited and keeps its connection."""
        with open(os.path.join(self.state, "rqlite-auth.json")) as f:
            user = json.load(f)[0]
        token = base64.b64encode(("%(username)s:%(password)s" % user).encode()).decode()
        head = {"Authorization": "Basic " + token, "Content-Type": "application/json"}
        link = http.client.HTTPConnection("127.0.0.1", self.http, timeout=30)

        def say(method, path, body=None):
            link.request(method, path, None if body is None else json.dumps(body), head)
            reply = link.getresponse()
            text = reply.read().decode()
            if reply.status != 200 or '"error"' in text:
                raise SystemExit("bench: rqlite: %s %d %s" % (path, reply.status, text[:300]))
            return json.loads(text)

        return say

    def requests(self):
        """How many rqlited has answered, which all have credentials."""
        return self.connection()("GET", "/debug/vars")["http"]["auth_ok"]

    def writer(self):
        say = self.connection()
        return lambda key, value: say(
            "POST",
            "/db/execute",
            [["INSERT INTO keyValue(key, value) VALUES(?, ?)", key, value]],
        )

    def disk_bytes(self):
        total = 0
        for folder, _, files in os.walk(self.data):
            if folder != self.state:
                total += sum(os.path.getsize(os.path.join(folder, name)) for name in files)
        return total


def cpu_s(pid):
    """User and system time of a process, with all its threads."""
    with open("/proc/%d/stat" % pid) as f:
        words = f.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / TICKS


def follows_ms(c, began):
    """Until the daemon has heard of its store."""
    while time.monotonic() - began < FOLLOW_LIMIT_S:
        said = subprocess.run(c.command("dnsctl", "status", "--json"), capture_output=True, timeout=60)
        if said.returncode == 0 and json.loads(said.stdout)["source"] == "store":
            return (time.monotonic() - began) * 1e3
        time.sleep(0.02)
    raise SystemExit("bench: dnsd does not follow its store; see %s" % c.log)


def at_rest(c):
    """Seconds until neither process did much for three seconds: a load is followed by compaction,
    collection of garbage and the snapshot file."""
    began = time.monotonic()
    pids = [p for p in (c.process.pid, c.child()) if p]
    quiet = 0
    while quiet < 3:
        if time.monotonic() - began > REST_LIMIT_S:
            print("bench: %s does not come to rest" % c.engine, file=sys.stderr)
            break
        before = sum(cpu_s(p) for p in pids)
        time.sleep(1.0)
        quiet = quiet + 1 if sum(cpu_s(p) for p in pids) - before < 0.1 else 0
    return time.monotonic() - began


def steady(c, seconds):
    """CPU seconds in a minute, and requests in a second."""
    child = c.child()
    asked = c.requests()
    began, own = time.monotonic(), cpu_s(c.process.pid)
    other = cpu_s(child) if child else 0
    time.sleep(seconds)
    took = time.monotonic() - began
    own = cpu_s(c.process.pid) - own
    other = cpu_s(child) - other if child else 0
    asked = c.requests() - asked
    return {
        "seconds": took,
        "dnsd_cpu_s_per_min": own * 60 / took,
        "rqlited_cpu_s_per_min": other * 60 / took,
        "requests_per_s": max(0, asked - 1) / took if child else 0,  # one of them was ours
    }


def memory(c):
    child = c.child()
    return {"dnsd_kib": c.memory_kib(), "rqlited_kib": c.memory_kib(child) if child else 0}


def load(c, users, r):
    path = c.write_users(users)
    began = time.monotonic()
    r["load_s"] = c.run("dnsctl", "users", "load", path)
    limit_s = r["load_s"] + FOLLOW_LIMIT_S
    for i in random.Random(7).sample(range(users), min(users, 2000)):
        name = "%s.%s" % (core.user_name(i), core.DOMAIN)
        ip = core.core_ip(core.user_core(i))
        r["loaded_s"] = c.prober.until(name, ip, began, limit_s, c.alive) / 1e3
    os.remove(path)
    c.ask_some(users, min(users, 20000))
    r["rest_s"] = at_rest(c)
    r["after_load"] = memory(c)
    r["disk_after_load_bytes"] = c.disk_bytes()


def starts(c, users, rounds, r):
    last = "%s.%s" % (core.user_name(users - 1), core.DOMAIN)
    ip = core.core_ip(core.user_core(users - 1))
    r["start_ms"], r["restart_ms"], r["follows_ms"] = [], [], []
    for _ in range(rounds):
        c.stop()
        c.forget()
        r["start_ms"].append(c.start(last, ip))
        c.ask_some(users, 5000)
        at_rest(c)
        c.stop()
        began = time.monotonic()
        r["restart_ms"].append(c.start(last, ip))
        r["follows_ms"].append(follows_ms(c, began))


def end(c, failed):
    """Nothing of it goes on running, whatever happened."""
    if c.alive():
        child = None
        try:
            child = c.child()
        except SystemExit:
            pass
        c.process.terminate()
        try:
            c.process.wait(core.STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            c.process.kill()
            c.process.wait()
        if child and os.path.exists("/proc/%d" % child):
            os.kill(child, signal.SIGKILL)
    if failed and os.path.exists(c.log):
        with open(c.log) as f:
            sys.stderr.writelines(f.readlines()[-20:])
    shutil.rmtree(c.dir, ignore_errors=True)


def measure(kind, users, a):
    c = kind("rqlite-%s-%d" % (kind.engine.lower(), users))
    r = {"engine": c.engine, "users": users}
    failed = True
    try:
        r["first_start_ms"] = c.start("core-1." + core.DOMAIN, core.core_ip(0))
        c.set_cores()
        load(c, users, r)
        starts(c, users, a.rounds, r)
        r["rest_after_start_s"] = at_rest(c)
        r["steady"] = steady(c, a.steady)
        r["memory"] = memory(c)
        r["disk_bytes"] = c.disk_bytes()
        # Anywhere between two looks at the store, of which there are some in a second.
        written, answered = c.changes_by_row(a.changes, 0.4)
        r["written_ms"], r["row_ms"] = core.spread(written), core.spread(answered)
        r["command_ms"] = core.spread(c.changes_by_command(a.changes))
        c.stop()
        failed = False
    finally:
        end(c, failed)
    return r


def median(key):
    return lambda r: "%.0f ms" % statistics.median(r[key])


def spread(key):
    return lambda r: "%.1f / %.1f ms" % (r[key]["p50"], r[key]["p99"])


def both(section, key, form):
    def show(r):
        own, other = r[section]["dnsd_" + key], r[section]["rqlited_" + key]
        return form(own) if r["engine"] == "SQLite" else "%s + %s" % (form(own), form(other))

    return show


ROWS = [
    ("load users from CSV", lambda r: "%.1f s" % r["load_s"]),
    ("users in a second", lambda r: "{:,.0f}".format(r["users"] / r["load_s"])),
    ("until all are answered", lambda r: "%.1f s" % r["loaded_s"]),
    ("start to first right answer, from the store", median("start_ms")),
    ("the same, with the snapshot file", median("restart_ms")),
    ("until the store is followed again", median("follows_ms")),
    ("memory (PSS) after that, dnsd + rqlited", both("memory", "kib", lambda n: "%.0f MiB" % (n / 1024))),
    ("the same, after the load", both("after_load", "kib", lambda n: "%.0f MiB" % (n / 1024))),
    ("the store's folder", lambda r: "%.0f MiB" % (r["disk_bytes"] / 2**20)),
    ("row committed to answered, p50 / p99", spread("row_ms")),
    ("the commit itself, p50 / p99", spread("written_ms")),
    ("`dns-records set` to answered, p50 / p99", spread("command_ms")),
    ("CPU in a minute of rest, dnsd + rqlited", both("steady", "cpu_s_per_min", lambda s: "%.2f s" % s)),
    ("requests to rqlited in a second of it", lambda r: "%.1f" % r["steady"]["requests_per_s"]),
]


def main():
    p = argparse.ArgumentParser(prog="tools/bench/run rqlite --")
    p.add_argument("--users", default="1000000", help="sizes, with commas between")
    p.add_argument("--rounds", type=int, default=3, help="starts; the median counts")
    p.add_argument("--changes", type=int, default=200)
    p.add_argument("--steady", type=float, default=60, help="seconds of rest to be measured")
    a = p.parse_args()
    sizes = [int(n) for n in a.users.split(",")]
    # Ended from outside: what was started is ended too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: ended"))
    core.warn_if_busy()
    print("bench: %s" % rqlited(), file=sys.stderr)
    results = []
    for users in sizes:
        for kind in (Embedded, Replicated):
            print("bench: %s, %d users" % (kind.engine, users), file=sys.stderr, flush=True)
            results.append(measure(kind, users, a))

    figures = {"machine": core.machine(), "rqlited": os.path.relpath(rqlited(), core.TOP)}
    figures["cores"] = results
    figures["load_ratio"] = [
        r["load_s"] / s["load_s"] for s, r in zip(results[::2], results[1::2])
    ]
    m = figures["machine"]
    core.table(
        "%s, %d CPUs, Linux %s" % (m["cpu"], m["cpus"], m["kernel"]),
        ["", *["{}, {:,} users".format(r["engine"], r["users"]) for r in results]],
        [[what, *[show(r) for r in results]] for what, show in ROWS],
    )
    print("\nload, rqlite / SQLite: " + ", ".join("%.1f" % x for x in figures["load_ratio"]))
    core.save("rqlite", figures)


main()
