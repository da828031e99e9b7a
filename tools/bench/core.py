"""What the measurements share: a core in a folder of its own, a DNS question, figures and tables.

Only Python's own library, so that anyone can run them. One question is one UDP datagram on
loopback; a client in Python adds about 30 microseconds to each, far below what is measured here.
"""

import json
import os
import platform
import random
import shutil
import signal
import socket
import sqlite3
import statistics
import struct
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("DNSD_BUILD") or os.path.join(TOP, "build", "release")
OUT = os.path.join(TOP, "build", "bench")
DOMAIN = "mc.example.com"
CORES = 8
TOOL_LIMIT_S = 1800
STOP_LIMIT_S = 60


def core_ip(i):
    return "192.0.2.%d" % (i + 1)


def user_name(i):
    """The i-th user: 6 to 14 letters and digits, the same on every run, all different."""
    h = (i * 0x9E3779B97F4A7C15 + 0x1234567) & 0xFFFFFFFFFFFFFFFF
    h ^= h >> 29
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    head = "".join(letters[(h >> (5 * k)) % 26] for k in range(2 + h % 9))
    tail = ""
    n = i
    for _ in range(4):  # base 26: four letters are enough for 456,976 ...
        tail += letters[n % 26]
        n //= 26
    return head + str(n) + tail  # ... and the digits before them for the rest


def user_core(i):
    return (i * 2654435761 >> 7) % CORES


class Prober:
    """Asks one server over UDP. ask() returns (rcode, [addresses]) or None."""

    def __init__(self, port):
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.connect(("127.0.0.1", port))
        self.id = 0

    def ask(self, name, wait=0.2):
        self.id = (self.id + 1) & 0xFFFF
        labels = b"".join(bytes([len(x)]) + x for x in name.encode().split(b"."))
        self.s.settimeout(wait)
        try:
            self.s.send(struct.pack("!6H", self.id, 0, 1, 0, 0, 0) + labels + b"\0\0\1\0\1")
            while True:
                reply = self.s.recv(4096)
                if struct.unpack("!H", reply[:2])[0] == self.id:
                    break
        except (ConnectionRefusedError, socket.timeout):
            return None
        count = struct.unpack("!H", reply[6:8])[0]
        at = 12 + len(labels) + 1 + 4
        found = []
        for _ in range(count):  # owners are pointers to the question: 2 octets
            kind, _, _, length = struct.unpack("!HHIH", reply[at + 2 : at + 12])
            if kind == 1:
                found.append(socket.inet_ntoa(reply[at + 12 : at + 16]))
            at += 12 + length
        return reply[3] & 15, found

    def until(self, name, ip, began, limit_s=120.0, alive=lambda: True):
        """Milliseconds from BEGAN until NAME leads to IP."""
        while True:
            if self.ask(name) == (0, [ip]):
                return (time.monotonic() - began) * 1e3
            if time.monotonic() - began > limit_s or not alive():
                raise SystemExit("bench: %s does not lead to %s" % (name, ip))
            time.sleep(0.0001)


def _free_ports():
    for port in range(20000 + os.getpid() % 5000, 32000):
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
                with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as t:
                    u.bind(("127.0.0.1", port))
                    t.bind(("127.0.0.1", port))
        except OSError:
            continue
        yield port
    raise SystemExit("bench: no free port")


_ports = _free_ports()


def free_port():
    """Free for UDP and TCP, another one each time; below the ephemeral range, so that no client takes
    it meanwhile."""
    return next(_ports)


class Core:
    """A dnsd of build/release with its own folder, store and port. The store is SQLite."""

    engine = "SQLite"
    state_folder = "state"

    def __init__(self, name, workers=1):
        self.dir = os.path.join(OUT, name)
        shutil.rmtree(self.dir, ignore_errors=True)
        self.workers = workers
        self.port = free_port()
        self.state = os.path.join(self.dir, self.state_folder)
        os.makedirs(self.state)
        self.db = os.path.join(self.state, "platform.db")
        self.conf = os.path.join(self.dir, "dnsd.yml")
        with open(self.conf, "w") as f:
            f.write(self.config())
        self.prober = Prober(self.port)
        self.process = None
        self.log = os.path.join(self.dir, "dnsd.log")

    def config(self):
        return (
            "core: {id: core-1, ip: %s}\n"
            "dnsLess: {isActive: false}\n"
            "dns: {active: true, domain: %s, port: %d, ip: 127.0.0.1, workers: %d}\n"
            "storages: %s\n" % (core_ip(0), DOMAIN, self.port, self.workers, self.storages())
        )

    def storages(self):
        return "{platform: {engine: sqlite}, engines: {sqlite: {path: %s}}}" % self.db

    def command(self, program, *words):
        return [os.path.join(BUILD, program), "-c", self.conf, *words]

    def run(self, program, *words):
        """Runs a tool, returns its seconds."""
        began = time.monotonic()
        done = subprocess.run(
            self.command(program, *words),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TOOL_LIMIT_S,
        )
        if done.returncode != 0:
            raise SystemExit("bench: %s\n%s" % (" ".join(words), done.stdout.decode()))
        return time.monotonic() - began

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def spawn(self):
        """Starts the daemon; the moment of it."""
        with open(self.log, "ab") as log:
            began = time.monotonic()
            self.process = subprocess.Popen(
                [os.path.join(BUILD, "dnsd"), "-c", self.conf], stdout=log, stderr=log
            )
        return began

    def start(self, name, ip):
        """Starts the daemon; milliseconds until NAME leads to IP."""
        return self.prober.until(name, ip, self.spawn(), alive=self.alive)

    def stop(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            code = self.process.wait(STOP_LIMIT_S)
            self.process = None
            if code != 0:
                raise SystemExit("bench: dnsd ended with %d; see %s" % (code, self.log))

    def forget(self):
        """Removes the snapshot file: the next start has the store alone."""
        path = os.path.join(self.state, "zone.snapshot")
        if os.path.exists(path):
            os.remove(path)

    def set_cores(self):
        for i in range(CORES):
            self.run("dnsctl", "cores", "set", "core-%d" % (i + 1), "--ip", core_ip(i))

    def write_users(self, users):
        """The file to load; its path."""
        path = os.path.join(self.dir, "users.csv")
        with open(path, "w") as f:
            f.write("name,core\n")
            for i in range(users):
                f.write("%s,core-%d\n" % (user_name(i), user_core(i) + 1))
        return path

    def ask_some(self, users, count):
        rng = random.Random(7)
        for _ in range(count):
            i = rng.randrange(users)
            want = (0, [core_ip(user_core(i))])
            got = self.prober.ask("%s.%s" % (user_name(i), DOMAIN))
            if got != want:
                raise SystemExit("bench: %s: %s, not %s" % (user_name(i), got, want))

    def writer(self):
        """A program other than ours that puts a row: a function of key and value."""
        db = sqlite3.connect(self.db, isolation_level=None, timeout=30)
        return lambda key, value: db.execute(
            "INSERT INTO keyValue(key, value) VALUES(?, ?)", (key, value)
        )

    def changes_by_row(self, count, pause_s=0.03):
        """Milliseconds until each write returned, and from then to the answer."""
        write = self.writer()
        written, answered = [], []
        for i in range(count):
            time.sleep(random.uniform(0.005, pause_s))
            k = i % CORES
            began = time.monotonic()
            write("user-core/new-row-%d" % i, "core-%d" % (k + 1))
            done = time.monotonic()
            name = "new-row-%d.%s" % (i, DOMAIN)
            answered.append(self.prober.until(name, core_ip(k), done, 10))
            written.append((done - began) * 1e3)
        return written, answered

    def changes_by_command(self, count):
        """Milliseconds from the start of `dns-records set` to the answer."""
        took = []
        for i in range(count):
            ip = "198.51.100.%d" % (i % 250 + 1)
            began = time.monotonic()
            command = subprocess.Popen(
                self.command("dns-records", "set", "new-record-%d" % i, "A", ip),
                stdout=subprocess.DEVNULL,
            )
            name = "new-record-%d.%s" % (i, DOMAIN)
            took.append(self.prober.until(name, ip, began, 10))
            if command.wait() != 0:
                raise SystemExit("bench: dns-records set failed")
        return took

    def memory_kib(self, pid=None):
        """Proportional set size: what the process really has, shared pages counted in part."""
        with open("/proc/%d/smaps_rollup" % (pid or self.process.pid)) as f:
            for line in f:
                if line.startswith("Pss:"):
                    return int(line.split()[1])
        raise SystemExit("bench: no Pss")

    def memory_at_rest_kib(self):
        """The same once the snapshot file is written and a second has changed little."""
        file = os.path.join(self.state, "zone.snapshot")
        end = time.monotonic() + 120
        last = -1
        while time.monotonic() < end:
            now = self.memory_kib()
            if os.path.exists(file) and abs(now - last) < 256:
                return now
            last = now
            time.sleep(1.0)
        raise SystemExit("bench: memory does not come to rest")


def percentile(values, p):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * p / 100))]


def spread(values):
    return {
        "p50": percentile(values, 50),
        "p99": percentile(values, 99),
        "max": max(values),
        "mean": statistics.fmean(values),
        "count": len(values),
    }


def warn_if_busy():
    load = os.getloadavg()[0]
    if load > 0.3:
        print("bench: the machine is busy (load %.1f); figures will be worse" % load, file=sys.stderr)


def machine():
    cpu = "?"
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                cpu = line.split(":", 1)[1].strip()
                break
    return {
        "cpu": cpu,
        "cpus": os.cpu_count(),
        "kernel": platform.release(),
        "load": os.getloadavg()[0],
    }


def save(item, figures):
    path = os.path.join(OUT, item + ".json")
    with open(path, "w") as f:
        json.dump(figures, f, indent=2)
        f.write("\n")
    print("\nfigures: %s" % os.path.relpath(path, os.getcwd()))


def table(title, head, rows):
    print("\n" + title + "\n")
    widths = [max(len(str(r[i])) for r in [head, *rows]) for i in range(len(head))]

    def line(r):
        cells = [str(r[0]).ljust(widths[0])] + [str(x).rjust(w) for x, w in zip(r[1:], widths[1:])]
        print("| " + " | ".join(cells) + " |")

    line(head)
    print("|" + "|".join("-" * (w + 1) + ("-" if i == 0 else ":") for i, w in enumerate(widths)) + "|")
    for r in rows:
        line(r)
