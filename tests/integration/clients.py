"""Those who use a cluster (cluster.py) all the while that something is done to it: Stream asks, and its
samples are judged by what must hold for the cores named between two moments; Writer writes, and
what was acknowledged must be there afterwards."""
import json
import os
import subprocess
import sys
import threading

from cluster import START_S
from harness import until

UNSURE_S = 25  # at the most, where a core stays cut off from the others

HERE = os.path.dirname(os.path.abspath(__file__))


class Sample:
    def __init__(self, core, name, sent, ms, got):
        self.core, self.name, self.sent, self.ms, self.got = core, name, sent, ms, got

    @property
    def lost(self):
        return self.ms < 0

    def __repr__(self):
        return f"{self.core} {self.name} at {self.sent:.3f}: {' '.join(self.got)} ({self.ms} ms)"


class Stream:
    """Clients that ask all cores all names of Cluster.expected(), RATE questions a second to each core
    (stream.py). Lost: not answered within a second of the one try. Wrong: answered otherwise than
    expected() says: an error, NXDOMAIN or no address for what exists, an address for what does not,
    another address."""

    def __init__(self, cluster, rate=50, wanted=None):
        self.wanted = wanted or cluster.expected()
        self.cluster = cluster
        self.samples = []
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "stream.py")], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        self._say({"cores": {core.id: core.address for core in cluster}, "names": list(self.wanted),
                   "rate": rate})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()

    def _say(self, what):
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()

    def read(self):
        """Fetches what was asked until now, and waits for the answers."""
        self._say("report")
        self.samples += [Sample(*one) for one in json.loads(self.process.stdout.readline())]

    def during(self, cores, since=0.0, before=float("inf")):
        names = {core.id for core in cores}
        return [s for s in self.samples if s.core in names and since <= s.sent < before]

    def right(self, sample):
        """What the zone says; a core that has just started may say that it does not know (SERVFAIL)
        whether a name exists, but not that it does not."""
        if self.wanted[sample.name](sample.got):
            return True
        core = next(c for c in self.cluster if c.id == sample.core)
        return sample.name.startswith("nobody.") and sample.got == ["SERVFAIL"] \
            and 0 <= sample.sent - core.started < UNSURE_S

    def faultless(self, what, cores, since=0.0, before=float("inf")):
        """Every question to CORES sent in that time was answered, and right; one line about it."""
        self.read()
        asked = self.during(cores, since, before)
        lost = [s for s in asked if s.lost]
        wrong = [s for s in asked if not s.lost and not self.right(s)]
        slow = sorted(s.ms for s in asked if not s.lost)
        print(f"{what}: asked {len(asked)} of {', '.join(c.id for c in cores)}: lost {len(lost)}, "
              f"wrong {len(wrong)}; slowest answer {slow[-1] if slow else '-'} ms")
        assert asked, what + ": nothing was asked"
        assert not lost and not wrong, f"{what}: lost {lost[:10]}\nwrong {wrong[:10]}\n" + "\n".join(
            core.tail() for core in cores)

    def first_answer(self, core):
        """When the first question after CORE's start was answered (right or not), and how many
        seconds after the start that was."""
        def answered():
            self.read()
            return [s.sent + s.ms / 1000 for s in self.during([core], core.started) if not s.lost]
        first = min(until(f"{core.id} answers after its start", answered, 10))
        return first, first - core.started


class Writer(threading.Thread):
    """Writes one record after the other through dnsctl on CORES in turn, whatever happens to them, until
    it is stopped. What was acknowledged (exit 0) must be there afterwards; what failed may be, unless
    the command said that nothing was written."""

    def __init__(self, cluster, cores, name="ack"):
        super().__init__(daemon=True)
        self.cluster, self.cores, self.name = cluster, list(cores), name
        self.acknowledged, self.failed, self.trouble = {}, [], None
        self._end = threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self.join(90)

    def run(self):
        number = 0
        while not self._end.is_set():
            core = self.cores[number % len(self.cores)]
            name, value = f"{self.name}{number}", f"192.0.2.{number % 250 + 1}"
            try:
                done = core.dnsctl("records", "set", name, "A", value, expect=None)
            except Exception as e:  # a sanitizer's report, or one that never ends
                self.trouble = e
                return
            if done.code == 0:
                self.acknowledged[name] = value
            else:
                self.failed.append((name, core.id, done.code, done.err.strip()))
            number += 1
            self._end.wait(0.05)

    def wait_acknowledged(self, count, deadline_s=START_S):
        """Until COUNT more than now are acknowledged."""
        wanted = len(self.acknowledged) + count
        until(f"{count} more writes are acknowledged; the last failures: {self.failed[-3:]}",
              lambda: self.trouble or len(self.acknowledged) >= wanted, deadline_s, 0.05)
        assert not self.trouble, self.trouble

    def all_there(self, cores=None):
        """Call it after the end: each acknowledged record is answered by each core."""
        assert not self.is_alive() and not self.trouble, self.trouble or "still writing"
        print(f"writes: {len(self.acknowledged)} acknowledged, {len(self.failed)} failed "
              f"{sorted({(code, said) for _, _, code, said in self.failed})}")
        assert self.acknowledged, f"not one write went through: {self.failed[:5]}"
        for name, value in self.acknowledged.items():
            self.cluster.everywhere(name, [value], cores=cores, deadline_s=START_S)
        for name, where, _, said in self.failed:
            if "nothing was written" in said:
                for core in cores or self.cluster:
                    got = core.values(name)
                    assert got == ["NXDOMAIN"], f"{where}: {said}; but {core.id}: {name} {got}"


def percentiles(values):
    values = sorted(values)
    return {q: values[min(len(values) - 1, len(values) * q // 100)] for q in (50, 99, 100)}
