"""Real processes, real sockets, bytes in and bytes out: what every integration test stands on.

Processes. `Process` starts a program, reads its stderr line by line on a thread, and lets a test wait
for a line with a deadline (no sleeps anywhere). `Dnsd` is the daemon with a generated configuration;
`Nsd`, `Knot`, `Bind` and `Unbound` are the Debian packages, each in a folder of its own, as whoever
runs the test, on loopback. stop() asks by SIGTERM and fails the test on a non-zero exit or on a
sanitizer's report; kill() is kill -9 and still fails on a report.

Messages. query() and header() make them, Udp/Tcp send and receive raw bytes, Reply reads an answer
for comparison: records as lines of text relative to the domain ("host.wild 300 A 192.0.2.9").

Environment: DNSD_BUILD is the folder of the binaries, DNSD_SOURCE the repository.
"""
import ctypes
import json
import os
import random
import re
import select
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
import time

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype

SOURCE = os.environ.get(
    "DNSD_SOURCE", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BUILD = os.environ.get("DNSD_BUILD", os.path.join(SOURCE, "build", "dev"))
DOMAIN = "mc.example.com"

START_S = 20    # a sanitizer build on a busy machine still starts well within this
STOP_S = 20
ANSWER_S = 3    # generous: the daemon answers in microseconds, the machine may be busy
SILENCE_S = 0.3  # how long "no answer" is listened for

LIBC = ctypes.CDLL(None, use_errno=True)

# Anything a sanitizer prints when it has found something.
REPORT = re.compile(r"(Address|Leak|Thread|Memory|UndefinedBehavior)Sanitizer|runtime error:")


def program(name):
    """Path of one of our binaries."""
    path = os.path.join(BUILD, name)
    assert os.access(path, os.X_OK), f"{path} is not there: build it, or set DNSD_BUILD"
    return path


def package_program(name):
    """Path of a program of a Debian package; /usr/sbin is not on everybody's PATH."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    assert path, f"{name} is not installed (tools/test installs it)"
    return path


_given = set()  # by this process: it may not have bound them yet


def free_port(address="127.0.0.1"):
    """A port free for UDP and TCP, below the range the kernel takes ephemeral ports from, so that no
    other program's outgoing socket can sit on it between now and the peer's bind."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    first = 15000 + os.getpid() % 16 * 1000  # tests that run side by side seldom meet
    for _ in range(200):
        port = random.SystemRandom().randrange(first, first + 1000)
        if port in _given:
            continue
        with socket.socket(family, socket.SOCK_DGRAM) as u, socket.socket(family) as t:
            try:
                u.bind((address, port))
                t.bind((address, port))
                _given.add(port)
                return port
            except OSError:
                continue
    raise AssertionError("no free port found")


def until(what, check, deadline_s=5.0, every_s=0.005):
    """Polls CHECK until it returns something true; that is returned."""
    end = time.monotonic() + deadline_s
    while True:
        got = check()
        if got:
            return got
        assert time.monotonic() < end, f"not within {deadline_s} s: {what}"
        time.sleep(every_s)


# ---- processes --------------------------------------------------------------------------------


class Process:
    """A running program, its stderr kept in .lines."""

    def __init__(self, argv, cwd=None, env=None, preexec_fn=None):
        self.argv = argv
        self.lines = []
        self._changed = threading.Condition()
        self._eof = False
        full = dict(os.environ)
        full.setdefault("ASAN_OPTIONS", "detect_leaks=1:exitcode=66")
        full.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1:exitcode=66")
        full.setdefault("TSAN_OPTIONS", "halt_on_error=1:exitcode=66:suppressions="
                        + os.path.join(SOURCE, "tests", "tsan.supp"))
        full.update(env or {})

        def before_exec():
            # Nothing outlives the test run, even one that is killed itself.
            LIBC.prctl(1, signal.SIGKILL)
            if preexec_fn:
                preexec_fn()

        self.process = subprocess.Popen(argv, cwd=cwd, env=full, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                        preexec_fn=before_exec)
        _processes.append(self.process)
        self._thread = threading.Thread(target=self._pump, daemon=True)
        self._thread.start()

    def _pump(self):
        for raw in self.process.stderr:
            with self._changed:
                self.lines.append(raw.decode("utf-8", "replace").rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._eof = True
            self._changed.notify_all()

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        with self._changed:
            return "\n".join(self.lines)

    def mark(self):
        """A place in the log, to wait for what comes after it."""
        with self._changed:
            return len(self.lines)

    def wait_log(self, pattern, since=0, deadline_s=START_S):
        """The match of the first log line after SINCE that PATTERN finds."""
        wanted = re.compile(pattern)
        end = time.monotonic() + deadline_s
        with self._changed:
            at = since
            while True:
                while at < len(self.lines):
                    found = wanted.search(self.lines[at])
                    if found:
                        return found
                    at += 1
                left = end - time.monotonic()
                if self._eof or left <= 0:
                    why = "it ended" if self._eof else f"not within {deadline_s} s"
                    raise AssertionError(
                        f"{self.argv[0]}: no log line /{pattern}/: {why}; it said:\n"
                        + "\n".join(self.lines[-60:]))
                self._changed.wait(left)

    def wait_exit(self, deadline_s=STOP_S):
        """The exit code (negative: the signal)."""
        try:
            code = self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(
                f"{self.argv[0]} was still there after {deadline_s} s:\n" + self.log()) from None
        self._thread.join(5)
        self.check_reports()
        return code

    def check_reports(self):
        text = self.log()
        assert not REPORT.search(text), f"{self.argv[0]}: a sanitizer complains:\n{text}"

    def alive(self):
        return self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, expect=0):
        """SIGTERM, and the exit must be clean."""
        if self.alive():
            self.signal(signal.SIGTERM)
        code = self.wait_exit()
        assert code == expect, f"{self.argv[0]} ended with {code}, not {expect}:\n{self.log()}"

    def kill(self):
        """kill -9: the power cut."""
        if self.alive():
            self.process.kill()
        self.process.wait()
        self._thread.join(5)
        self.check_reports()


def yaml(value, indent=0):
    """The block form of a configuration made of dicts, lists and scalars."""
    pad = "  " * indent
    if isinstance(value, dict):
        out = ""
        for key, member in value.items():
            key = json.dumps(key) if not re.fullmatch(r"[A-Za-z][\w-]*", str(key)) else key
            if isinstance(member, (dict, list)) and member:
                out += f"{pad}{key}:\n{yaml(member, indent + 1)}"
            else:
                out += f"{pad}{key}: {json.dumps(member)}\n"
        return out
    out = ""
    for member in value:
        if isinstance(member, dict) and member:
            block = yaml(member, indent + 1)
            out += f"{pad}- {block.lstrip()}"
        else:
            out += f"{pad}- {json.dumps(member)}\n"
    return out


def merged(base, over):
    """OVER laid on BASE, member by member; None in OVER removes."""
    out = dict(base)
    for key, value in over.items():
        if value is None:
            out.pop(key, None)
        elif isinstance(value, dict) and isinstance(out.get(key), dict):
            out[key] = merged(out[key], value)
        else:
            out[key] = value
    return out


class Dnsd:
    """The daemon: a folder with its configuration and database, started as often as wanted."""

    def __init__(self, config=None, folder=None, env=None, wrap=(), preexec_fn=None):
        self.folder = folder or temp_folder()
        self.database = os.path.join(self.folder, "platform.db")
        self.path = os.path.join(self.folder, "dnsd.yml")
        self.env = env
        self.wrap = list(wrap)  # words in front of the command line: unshare, prlimit, strace
        self.preexec_fn = preexec_fn
        self.process = None
        self.host = "127.0.0.1"  # where it is asked
        self.port = None
        self._settled = 0
        self.config = merged({
            "core": {"id": "core-a", "ip": "192.0.2.1", "ipv6": "2001:db8::1"},
            "dns": {"active": True, "domain": DOMAIN, "port": 0, "ip": "127.0.0.1", "workers": 2},
            "storages": {"platform": {"engine": "sqlite"},
                         "engines": {"sqlite": {"path": self.database}}},
        }, config or {})
        self.write_config()

    def write_config(self, text=None):
        with open(self.path, "w", encoding="utf-8") as out:
            out.write(yaml(self.config) if text is None else text)

    def spawn(self, *arguments):
        """Starts without waiting for anything."""
        self.process = Process(self.wrap + [program("dnsd"), "-c", self.path, *arguments],
                               cwd=self.folder, env=self.env, preexec_fn=self.preexec_fn)
        return self.process

    def start(self):
        process = self.spawn()
        process.wait_log(r" app: ready\b")
        self.port = self.listening()[0][1]
        return self

    def listening(self):
        """[(address, port, transport)] as the log told."""
        found = re.findall(r"net: listening address=(\S+):(\d+) transport=(\w+)", self.process.log())
        assert found, "no line says where it listens:\n" + self.process.log()
        return [(address.strip("[]"), int(port), transport) for address, port, transport in found]

    def stop(self):
        if self.process:
            self.process.stop()

    def kill(self):
        if self.process:
            self.process.kill()

    def reload(self):
        self.process.signal(signal.SIGHUP)

    # -- rows --

    def tool(self, *arguments, input=None, expect=0, name=None, deadline_s=60):
        """Runs dns-records (or NAME) on this daemon's configuration."""
        return run_tool(name or "dns-records", "-c", self.path, *arguments, input=input,
                        expect=expect, deadline_s=deadline_s)

    def dnsctl(self, *arguments, **more):
        return self.tool(*arguments, name="dnsctl", **more)

    def sql(self, *statements):
        """Runs (text, parameters) statements in one transaction, as any other program would."""
        db = sqlite3.connect(self.database, timeout=10)
        try:
            with db:
                for statement in statements:
                    text, parameters = statement if isinstance(statement, tuple) else (statement, ())
                    rows = db.execute(text, parameters).fetchall()
            return rows
        finally:
            db.close()

    def rows(self, rows, settle=True):
        """Writes keyValue rows (None deletes; a value that is no string becomes JSON) in one
        transaction; then waits until the daemon serves them: a marker record is written last."""
        statements = []
        for key, value in rows.items():
            if value is None:
                statements.append(("DELETE FROM keyValue WHERE key = ?", (key,)))
                continue
            text = value if isinstance(value, str) else json.dumps(value)
            statements.append(
                ("INSERT INTO keyValue(key, value) VALUES(?, ?) "
                 "ON CONFLICT(key) DO UPDATE SET value = excluded.value", (key, text)))
        self._settled += 1
        if settle:
            statements.append(
                ("INSERT INTO keyValue(key, value) VALUES('dns-record/settled', ?) "
                 "ON CONFLICT(key) DO UPDATE SET value = excluded.value",
                 (json.dumps({"txt": [str(self._settled)]}),)))
        self.sql(*statements)
        if settle:
            self.settled()

    def settled(self):
        wanted = f'"{self._settled}"'
        until("the rows written are served",
              lambda: any(line.endswith(" TXT " + wanted)
                          for line in self.ask("settled", "TXT").answer))

    # -- questions --

    @property
    def address(self):
        return self.host, self.port

    def ask(self, name, qtype="A", tcp=False, **more):
        """One question about NAME (relative to the domain), one Reply."""
        wire = query(name, qtype, **more)
        got = ask_tcp(self.address, wire) if tcp else ask_udp(self.address, wire)
        assert got is not None, f"no answer to {name} {qtype}:\n{self.process.log()[-2000:]}"
        return Reply(got)

    def udp(self, wire, **more):
        return ask_udp(self.address, wire, **more)

    def tcp(self, wire, **more):
        return ask_tcp(self.address, wire, **more)


class Tool:
    """What a command did."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def json(self):
        return json.loads(self.out)


def run_tool(name, *arguments, input=None, expect=0, deadline_s=60, env=None, cwd=None):
    """Runs one of our tools to its end; EXPECT is the exit code it must have (None: any)."""
    full = dict(os.environ)
    full.setdefault("ASAN_OPTIONS", "detect_leaks=1:exitcode=66")
    full.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1:exitcode=66")
    full.update(env or {})
    done = subprocess.run([program(name), *arguments], input=input, capture_output=True, text=True,
                          timeout=deadline_s, env=full, cwd=cwd, check=False,
                          **({} if input is not None else {"stdin": subprocess.DEVNULL}))
    said = f"{name} {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert not REPORT.search(done.stderr), said
    assert expect is None or done.returncode == expect, said
    return Tool(done.returncode, done.stdout, done.stderr)


_folders = []
_processes = []


def end_processes():
    """What a failed test left running."""
    for process in _processes:
        if process.poll() is None:
            process.kill()
            process.wait()
    _processes.clear()


def temp_folder():
    """Short (a control socket's path has 108 octets) and removed when the tests end."""
    path = tempfile.mkdtemp(prefix="dnsd-it-")
    _folders.append(path)
    return path


def take_away(folder):
    """FOLDER is gone at one moment, though somebody may be writing into it."""
    os.rename(folder, os.path.join(temp_folder(), "gone"))


def remove_folders():
    while _folders:
        shutil.rmtree(_folders.pop(), ignore_errors=True)


# ---- peers -------------------------------------------------------------------------------------


class Peer:
    """A name server of another make, in the foreground, with zones {name: zone file text}."""

    def __init__(self, zones=None, address="127.0.0.1", port=None, extra=""):
        self.folder = temp_folder()
        self.zones = zones or {}
        self.address = (address, port or free_port(address))
        self.extra = extra
        for zone, text in self.zones.items():
            self.put(self.zone_file(zone), text)
        self.process = None

    def zone_file(self, zone):
        return os.path.join(self.folder, zone.rstrip(".") + ".zone")

    def put(self, path, text):
        with open(os.path.join(self.folder, path), "w", encoding="utf-8") as out:
            out.write(text)

    def start(self):
        self.process = Process(self.command(), cwd=self.folder)
        probe = next(iter(self.zones), "version.bind.")
        until(f"{type(self).__name__} answers", lambda: self._answers(probe), START_S, 0.02)
        return self

    def _answers(self, zone):
        assert self.process.alive(), f"{self.process.argv[0]} ended:\n{self.process.log()}"
        wire = query(zone.rstrip(".") + ".", "SOA")
        got = ask_udp(self.address, wire, deadline_s=0.2)
        return got is not None and Reply(got).rcode in ("NOERROR", "REFUSED")

    def stop(self):
        if self.process and self.process.alive():
            self.process.signal(signal.SIGTERM)
            try:
                self.process.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()

    def udp(self, wire, **more):
        return ask_udp(self.address, wire, **more)

    def tcp(self, wire, **more):
        return ask_tcp(self.address, wire, **more)


class Nsd(Peer):
    def command(self):
        zones = "".join(f'zone:\n  name: "{zone}"\n  zonefile: "{self.zone_file(zone)}"\n'
                        for zone in self.zones)
        self.put("nsd.conf", f"""server:
  ip-address: {self.address[0]}@{self.address[1]}
  username: ""
  chroot: ""
  zonesdir: "{self.folder}"
  database: ""
  pidfile: "{self.folder}/nsd.pid"
  xfrdfile: "{self.folder}/xfrd.state"
  zonelistfile: "{self.folder}/zone.list"
  server-count: 1
  tcp-count: 200
  reuseport: no
  minimal-responses: yes
  refuse-any: no
  rrl-ratelimit: 0
  verbosity: 1
{self.extra}
remote-control:
  control-enable: no
{zones}""")
        return [package_program("nsd"), "-d", "-c", os.path.join(self.folder, "nsd.conf")]


class Knot(Peer):
    def command(self):
        zones = "".join(f"  - domain: {zone}\n    storage: {self.folder}\n"
                        f"    file: {self.zone_file(zone)}\n    semantic-checks: off\n"
                        f"    zonefile-sync: -1\n    journal-content: none\n"
                        for zone in self.zones)
        self.put("knot.conf", f"""server:
  rundir: {self.folder}
  listen: {self.address[0]}@{self.address[1]}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
{self.extra}
log:
  - target: stderr
    any: info
database:
  storage: {self.folder}/db
zone:
{zones}""")
        return [package_program("knotd"), "-c", os.path.join(self.folder, "knot.conf")]


class Bind(Peer):
    def command(self):
        zones = "".join(f'zone "{zone}" {{ type master; file "{self.zone_file(zone)}"; '
                        f"check-names ignore; }};\n" for zone in self.zones)
        self.put("named.conf", f"""options {{
  directory "{self.folder}";
  listen-on port {self.address[1]} {{ {self.address[0]}; }};
  listen-on-v6 {{ none; }};
  pid-file "{self.folder}/named.pid";
  session-keyfile "{self.folder}/session.key";
  lock-file none;
  recursion no;
  dnssec-validation no;
  minimal-responses yes;
  minimal-any yes;
  notify no;
  empty-zones-enable no;
  {self.extra}
}};
controls {{ }};
{zones}""")
        return [package_program("named"), "-g", "-n", "1", "-c",
                os.path.join(self.folder, "named.conf")]


class BindResolver(Peer):
    """BIND as a resolver that knows, for each zone of STUBS, one server's address. It listens only
    on addresses that interfaces have: 127.0.0.1, not the rest of the loopback net."""

    def __init__(self, stubs, **more):
        super().__init__(**more)
        self.stubs = stubs

    def command(self):
        stubs = "".join(f'zone "{zone}" {{ type static-stub; server-addresses {{ {where}; }}; }};\n'
                        for zone, where in self.stubs.items())
        self.put("named.conf", f"""options {{
  directory "{self.folder}";
  listen-on port {self.address[1]} {{ {self.address[0]}; }};
  listen-on-v6 {{ none; }};
  pid-file "{self.folder}/named.pid";
  session-keyfile "{self.folder}/session.key";
  lock-file none;
  recursion yes;
  allow-recursion {{ 127.0.0.0/8; }};
  dnssec-validation no;
  qname-minimization strict;
  {self.extra}
}};
controls {{ }};
{stubs}""")
        return [package_program("named"), "-4", "-g", "-n", "1", "-c",
                os.path.join(self.folder, "named.conf")]

    def start(self):
        self.process = Process(self.command(), cwd=self.folder)
        self.process.wait_log(r"\brunning$")
        return self


class Unbound(Peer):
    """A resolver. STUBS: {zone: "address" or "address@port"}; EXTRA: further server: lines."""

    def __init__(self, stubs, **more):
        super().__init__(**more)
        self.stubs = stubs

    def command(self):
        stubs = "".join(f'stub-zone:\n  name: "{zone}"\n  stub-addr: {where}\n'
                        for zone, where in self.stubs.items())
        self.put("unbound.conf", f"""server:
  interface: {self.address[0]}
  port: {self.address[1]}
  chroot: ""
  username: ""
  directory: "{self.folder}"
  pidfile: ""
  do-daemonize: no
  use-syslog: no
  logfile: ""
  verbosity: 1
  num-threads: 1
  so-reuseport: no
  module-config: "iterator"
  do-not-query-localhost: no
  do-ip6: no
  access-control: 127.0.0.0/8 allow
{self.extra}
remote-control:
  control-enable: no
{stubs}""")
        return [package_program("unbound"), "-d", "-c", os.path.join(self.folder, "unbound.conf")]

    def start(self):
        self.process = Process(self.command(), cwd=self.folder)
        self.process.wait_log("start of service")
        return self


# ---- messages ----------------------------------------------------------------------------------


def absolute(name):
    """NAME as typed in a test: relative to the domain, "@" for the apex, or absolute."""
    if name == "@":
        return DOMAIN + "."
    return name if name.endswith(".") else f"{name}.{DOMAIN}."


def name_wire(name):
    """Octets of a name, case kept, nothing checked beyond what length octets can say."""
    return dns.name.from_text(absolute(name)).to_wire()


def number(qtype):
    return qtype if isinstance(qtype, int) else dns.rdatatype.from_text(qtype)


def header(qid=0x1234, flags=0, qd=1, an=0, ns=0, ar=0):
    return struct.pack("!6H", qid, flags, qd, an, ns, ar)


def question(name, qtype="A", qclass=1):
    return name_wire(name) + struct.pack("!HH", number(qtype), qclass)


def opt(size=1232, version=0, do=False, options=(), ext=0, z=0, owner=b"\0", rdlen=None):
    """An OPT record (RFC 6891 §6.1.2); RDLEN may lie."""
    data = b"".join(struct.pack("!HH", code, len(body)) + body for code, body in options)
    ttl = ext << 24 | version << 16 | (0x8000 if do else 0) | z
    return (owner + struct.pack("!HHIH", 41, size, ttl, len(data) if rdlen is None else rdlen)
            + data)


def query(name, qtype="A", qclass=1, qid=None, flags=0, edns=None, do=False, options=(), version=0):
    """A question; EDNS is the size to offer, or None for no OPT."""
    qid = random.randrange(65536) if qid is None else qid
    wire = header(qid, flags, ar=0 if edns is None else 1) + question(name, qtype, qclass)
    if edns is not None:
        wire += opt(edns, version, do, options)
    return wire


RD, CD, AD, RA, TC, AA, QR = 0x0100, 0x0010, 0x0020, 0x0080, 0x0200, 0x0400, 0x8000


class Reply:
    """An answer, read strictly (anything dnspython cannot parse fails the test), as comparable text."""

    def __init__(self, wire):
        self.wire = wire
        self.id, self.flag_bits, self.qd, self.an, self.ns, self.ar = struct.unpack_from("!6H", wire)
        self.message = dns.message.from_wire(wire, one_rr_per_rrset=True, question_only=False)
        self.rcode = dns.rcode.to_text(self.message.rcode())
        self.opcode = self.flag_bits >> 11 & 15
        self.edns = self.message.edns  # -1: no OPT
        self.payload = self.message.payload
        self.options = {int(o.otype): o.to_wire() for o in self.message.options}
        self.dnssec_ok = bool(self.message.ednsflags & dns.flags.DO) if self.edns >= 0 else False
        self.answer = [line for rrset in self.message.answer for line in _lines(rrset)]
        self.authority = [line for rrset in self.message.authority for line in _lines(rrset)]
        self.additional = [line for rrset in self.message.additional for line in _lines(rrset)]

    def flag(self, bit):
        return bool(self.flag_bits & bit)

    @property
    def aa(self):
        return self.flag(AA)

    @property
    def tc(self):
        return self.flag(TC)

    @property
    def flags(self):
        """Set flags by name, e.g. "QR AA RD"."""
        names = ((QR, "QR"), (AA, "AA"), (TC, "TC"), (RD, "RD"), (RA, "RA"), (0x40, "Z"),
                 (AD, "AD"), (CD, "CD"))
        return " ".join(name for bit, name in names if self.flag_bits & bit)

    @property
    def question(self):
        """The octets of the question section."""
        if not self.qd:
            return b""
        at = 12
        while self.wire[at]:
            at += 1 + self.wire[at]
        return self.wire[12:at + 5]

    def __repr__(self):
        return (f"<{self.rcode} {self.flags} answer={self.answer} authority={self.authority} "
                f"additional={self.additional} edns={self.edns}>")


ORIGIN = dns.name.from_text(DOMAIN)


def _lines(rrset):
    for rdata in rrset:
        # An RRset parsed one by one keeps the TTL of its record.
        yield (f"{rrset.name.relativize(ORIGIN)} {rrset.ttl} "
               f"{dns.rdatatype.to_text(rrset.rdtype)} {rdata.to_text(ORIGIN, True)}")


def one_soa(reply, ttl=30):
    """The authority section of a negative answer: the zone's SOA alone, with the negative TTL
    (RFC 2308 §5), and never a SOA in the answer section."""
    assert len(reply.authority) == 1, reply
    words = reply.authority[0].split()
    assert words[0] == "@" and words[2] == "SOA", reply
    assert int(words[1]) == ttl, reply
    assert not [line for line in reply.answer if line.split()[2] == "SOA"], reply


def ask_udp(address, wire, deadline_s=ANSWER_S, source=None):
    """Sends WIRE, returns the datagram that comes back from that address with its id, or None."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        if source:
            s.bind((source, 0))
        s.connect(address)  # the kernel then drops what does not come from there
        s.send(wire)
        end = time.monotonic() + deadline_s
        while True:
            left = end - time.monotonic()
            if left <= 0 or not select.select([s], [], [], left)[0]:
                return None
            try:
                got = s.recv(65535)
            except ConnectionRefusedError:
                return None
            if got[:2] == wire[:2]:
                return got


def ask_tcp(address, wire, deadline_s=ANSWER_S, source=None):
    with Tcp(address, source=source) as connection:
        connection.send(wire)
        return connection.receive(deadline_s)


class Tcp:
    """One TCP connection; frames or raw octets."""

    def __init__(self, address, source=None, receive_buffer=None):
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.socket = socket.socket(family)
        try:
            if receive_buffer:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            if source:
                self.socket.bind((source, 0))
            self.socket.settimeout(ANSWER_S)
            self.socket.connect(address)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            self.socket.close()
            raise
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, *wires):
        """Frames in one segment."""
        self.raw(b"".join(struct.pack("!H", len(wire)) + wire for wire in wires))

    def raw(self, octets):
        self.socket.settimeout(ANSWER_S)
        self.socket.sendall(octets)

    def receive(self, deadline_s=ANSWER_S):
        """The next frame; None when the peer closes or nothing comes in time."""
        end = time.monotonic() + deadline_s
        while True:
            if len(self.buffer) >= 2:
                length, = struct.unpack_from("!H", self.buffer)
                if len(self.buffer) >= 2 + length:
                    wire = self.buffer[2:2 + length]
                    self.buffer = self.buffer[2 + length:]
                    return wire
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                return None
            try:
                got = self.socket.recv(65536)
            except ConnectionResetError:
                return None
            if not got:
                return None
            self.buffer += got

    def closed_after(self, deadline_s):
        """Seconds until the peer closes (it must say nothing before); None if it does not."""
        begin = time.monotonic()
        while True:
            left = begin + deadline_s - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                return None
            try:
                got = self.socket.recv(65536)
            except ConnectionResetError:
                got = b""
            if not got:
                return time.monotonic() - begin
            self.buffer += got
            raise AssertionError(f"octets where a close was expected: {got[:40]!r}")


# ---- namespaces --------------------------------------------------------------------------------


# Set in the inner half of a test file that reruns itself in namespaces of its own.
INSIDE = os.environ.get("DNSD_TEST_NAMESPACE") == "1"


def rerun_in_namespace(path, *flags, deadline_s=300):
    """Runs the tests of file PATH again under `unshare -Ur FLAGS`: root in a user namespace, with (-n)
    a loopback whose ports and addresses belong to nobody else, or (-m) mounts nobody else sees. The
    file defines its tests if INSIDE, and otherwise one test that calls this."""
    done = subprocess.run(
        [package_program("unshare"), "-Ur", *flags, sys.executable, "-m", "pytest", "-q", "-x", "-rA",
         "-p", "no:cacheprovider", path],
        env=dict(os.environ, DNSD_TEST_NAMESPACE="1"), capture_output=True, text=True,
        stdin=subprocess.DEVNULL, timeout=deadline_s, check=False)
    print(done.stdout)
    print(done.stderr)
    assert done.returncode == 0, "the tests inside the namespace failed, see above"


def loopback_up():
    """A new network namespace has its loopback down; SIOCSIFFLAGS brings it up."""
    import fcntl
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sH14x", b"lo", 0x1 | 0x40))
