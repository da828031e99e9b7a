"""A client that never stops asking: each name of each core in turn, one datagram a question, one try.

Run as a program it reads its task (JSON, one line) from stdin, asks until stdin ends, and answers each
line of stdin with one line: the samples since the last one, as [core, name, sent, ms, got]. `sent` is
CLOCK_MONOTONIC, the same in all processes; `ms` is -1 if no answer came within WAIT_S; `got` is an rcode
and the addresses, sorted. It judges nothing: cluster.py does, which knows what was done when. A process
of its own, so that what the test is busy with does not delay a question or an answer.
"""
import json
import random
import select
import socket
import struct
import sys
import time

WAIT_S = 1.0  # after this an answer counts as lost, even if it comes
RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}


def wire(name):
    """A question for NAME's address without its id: RD set, as a resolver's stub would."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split("."))
    return struct.pack("!5H", 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", 1, 1)


def owner_end(message, at):
    while message[at]:
        if message[at] >= 0xC0:
            return at + 2
        at += 1 + message[at]
    return at + 1


def read(message):
    """rcode and the addresses of the answer section."""
    _, flags, questions, answers = struct.unpack_from("!4H", message)
    got = [RCODES.get(flags & 15, str(flags & 15))]
    at = 12
    for _ in range(questions):
        at = owner_end(message, at) + 4
    addresses = []
    for _ in range(answers):
        at = owner_end(message, at)
        rtype, _, _, length = struct.unpack_from("!HHIH", message, at)
        at += 10
        if rtype == 1:
            addresses.append(socket.inet_ntoa(message[at:at + length]))
        at += length
    return got + sorted(addresses)


class Stream:
    """TASK: {"cores": {id: address}, "names": [name], "rate": questions a second to each core}"""

    def __init__(self, task):
        self.names = [(name, wire(name)) for name in task["names"]]
        self.step = 1.0 / (task["rate"] * len(task["cores"]))
        self.cores = list(task["cores"])
        self.sockets = {}
        for core, address in task["cores"].items():
            self.sockets[core] = s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.setblocking(False)
            s.connect((address, 53))
        self.turn = 0
        self.open = {}     # (core, id): [name, sent]; in the order of sending
        self.samples = []

    def ask(self):
        core = self.cores[self.turn % len(self.cores)]
        name, rest = self.names[self.turn // len(self.cores) % len(self.names)]
        self.turn += 1
        qid = random.randrange(65536)
        while (core, qid) in self.open:
            qid = random.randrange(65536)
        self.open[core, qid] = [name, time.monotonic()]
        try:
            self.sockets[core].send(struct.pack("!H", qid) + rest)
        except OSError:
            pass  # refused or unreachable, and so unanswered

    def hear(self, core):
        while True:
            try:
                message = self.sockets[core].recv(4096)
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP's word about an earlier question
            asked = self.open.pop((core, struct.unpack_from("!H", message)[0]), None)
            if asked:
                self.keep(core, asked, (time.monotonic() - asked[1]) * 1000, read(message))

    def keep(self, core, asked, ms, got):
        self.samples.append([core, asked[0], asked[1], round(ms, 2), got])

    def forget(self, now):
        """Those at the front are the oldest."""
        while self.open:
            key = next(iter(self.open))
            if self.open[key][1] + WAIT_S > now:
                return
            self.keep(key[0], self.open.pop(key), -1, ["lost"])

    def run(self):
        core_of = {s: core for core, s in self.sockets.items()}
        poll = select.poll()
        for s in core_of:
            poll.register(s, select.POLLIN)
        poll.register(sys.stdin, select.POLLIN)
        by_number = {s.fileno(): s for s in core_of}
        at = time.monotonic()
        report = None  # when the last question sent before it was asked for has an end
        while True:
            now = time.monotonic()
            self.forget(now)
            if report and (now > report + WAIT_S or not self.open
                           or next(iter(self.open.values()))[1] > report):
                print(json.dumps(self.samples), flush=True)
                self.samples, report = [], None
            if now >= at:
                self.ask()
                at = max(at + self.step, now - 0.1)  # no burst after a pause of the machine's
                continue
            for number, _ in poll.poll(max(0, (at - now) * 1000)):
                if number == sys.stdin.fileno():
                    if not sys.stdin.readline():
                        return
                    report = time.monotonic()
                else:
                    self.hear(core_of[by_number[number]])


if __name__ == "__main__":
    Stream(json.loads(sys.stdin.readline())).run()
