"""Proven: the log is one line per event, as text `time level module: message key=value` or as JSON; what
strangers or rows contain cannot break a line or forge one; levels filter; and nothing that packets can
cause fills it."""
import json
import random
import re
import socket

import harness
from harness import header, query, question

LINE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (error|warn|info|debug) [a-z_]+: .+$")


def test_text_lines():
    d = harness.Dnsd().start()
    d.rows({"dns-record/bad": {"a": ["no\n2026-11-21T00:00:00.000Z error app: forged key=value"]},
            "dns-record/x\ny": {"a": ["192.0.2.1"]}, "dns-record/\x1b[31mred": {"a": [7]},
            "user-core/nl\nnl": "core-a"})
    d.reload()
    d.process.wait_log("was read again")
    d.stop()
    for line in d.process.lines:
        assert LINE.match(line), line
        assert line.isprintable(), line
        assert " error app: forged" not in line[:60], line


def test_json_lines():
    d = harness.Dnsd({"log": {"format": "json"}})
    d.spawn()
    d.process.wait_log('"ready"')
    d.port = int(re.search(r'127\.0\.0\.1:(\d+)', d.process.log()).group(1))
    d.rows({"dns-record/bad": {"a": ["\"quoted\" \\ back\n\u0001"]}})
    d.process.stop()
    assert len(d.process.lines) > 5
    for line in d.process.lines:
        entry = json.loads(line)
        assert isinstance(entry, dict) and entry, line


def test_level():
    d = harness.Dnsd({"log": {"level": "warn"}})
    d.spawn()
    harness.until("it answers", lambda: d.process.alive() and has_port(d), 20)
    d.process.stop()
    assert not [line for line in d.process.lines if " info " in line or " debug " in line]


def has_port(d):
    """The log does not tell at this level; the kernel does."""
    inodes = set()
    import os
    for fd in os.listdir(f"/proc/{d.process.pid}/fd"):
        try:
            link = os.readlink(f"/proc/{d.process.pid}/fd/{fd}")
        except FileNotFoundError:
            continue
        if link.startswith("socket:["):
            inodes.add(link[8:-1])
    with open("/proc/net/udp", encoding="ascii") as f:
        for line in f.readlines()[1:]:
            words = line.split()
            if words[9] in inodes:
                got = harness.ask_udp(("127.0.0.1", int(words[1].split(":")[1], 16)),
                                      query("core-a"), deadline_s=0.5)
                return got is not None and got[3] & 15 == 0
    return False


def flood(address, count, seed):
    """Messages of every kind of wrong, and good ones between them."""
    rng = random.Random(seed)
    good = [query(name, qtype, edns=edns) for name in ("core-a", "nobody", "lsc", "@", "x.y.z")
            for qtype in ("A", "TXT", "ANY", "SOA") for edns in (None, 1232)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(address)
        s.setblocking(False)
        for i in range(count):
            wire = bytearray(rng.choice(good))
            kind = i % 5
            if kind == 1:
                for _ in range(rng.randint(1, 4)):
                    wire[rng.randrange(len(wire))] = rng.randrange(256)
            elif kind == 2:
                del wire[rng.randrange(len(wire)):]
            elif kind == 3:
                wire += bytes(rng.randrange(256) for _ in range(rng.randint(1, 60)))
            elif kind == 4:
                wire = bytearray(header(qid=i & 0xffff, flags=rng.randrange(65536),
                                        qd=rng.randrange(3), ar=rng.randrange(3)) + question("a"))
            try:
                s.send(wire)
                if i % 16 == 0:
                    while True:
                        s.recv(4096)
            except OSError:
                pass


def resident(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmRSS:\s+(\d+) kB", f.read()).group(1))


def test_a_flood_leaves_no_trace():
    """A hundred thousand odd packets: not a line in the log, not a kilobyte kept, still answering."""
    d = harness.Dnsd().start()
    flood(d.address, 20000, 1)  # warm: stacks and buffers are touched once
    lines, memory = d.process.mark(), resident(d.process.pid)
    flood(d.address, 100000, 2)
    assert d.ask("core-a").an == 1
    assert d.process.mark() == lines, d.process.lines[lines:][:20]
    assert resident(d.process.pid) - memory < 256, "kilobytes"
    d.stop()
