"""Proven: on one zone (zone.py) and thousands of generated questions, this server and NSD, Knot and BIND
give the same answers: rcode, flags, the echoed question byte for byte, answer and authority as sets
with TTLs, and the glue of referrals. Where they do not, a rule below says who differs and why; a
difference without a rule fails, and so does a rule that never fires.

The questions: existing names, their parents and children, empty non-terminals, wildcard matches,
names that do not exist, odd octets, names outside, in random case; every type, data or meta; with and
without RD, EDNS of several sizes, DO; UDP and TCP. They come from a seed: a failure can be repeated."""
import random
import socket
import struct

import dns.message
import dns.name
import dns.rdatatype
import pytest

import harness
import zone
from harness import AA, DOMAIN, QR, RD, Reply, Tcp

SEED = 4592
QUESTIONS = 8000

DATA_TYPES = ["A", "AAAA", "NS", "SOA", "CNAME", "TXT", "MX", "CAA", "SRV", "PTR", "TLSA", "HTTPS", "SVCB",
              "SSHFP", "NAPTR", "URI", "HINFO", "LOC", "DS", 65280, 731]
RARE_TYPES = ["DNSKEY", "RRSIG", "NSEC", "NSEC3", "DNAME", "SPF", "NULL", "RP", "AFSDB", "X25", "APL",
              "CDS", "CDNSKEY", "CSYNC", "ZONEMD", "OPENPGPKEY", "SMIMEA", 99, 1234, 40000, 65534, 65535,
              100, 129, 200]
META_TYPES = ["ANY", "AXFR", "IXFR", "MAILA", "MAILB", "OPT", "TSIG", "TKEY", 128, 0]
META = {harness.number(t) for t in META_TYPES}


class Question:
    def __init__(self, index, rng, names):
        self.index = index
        kind = rng.random()
        name = rng.choice(names)
        if kind < 0.45:
            labels = [x.encode() for x in name.split(".")] if name != "@" else []
        elif kind < 0.6:  # below something
            labels = [zone.label(rng).encode() for _ in range(rng.randint(1, 3))] + \
                ([x.encode() for x in name.split(".")] if name != "@" else [])
        elif kind < 0.75:  # above something
            labels = [x.encode() for x in name.split(".")]
            labels = labels[rng.randint(0, len(labels)):] if name != "@" else []
        elif kind < 0.85:  # nothing
            labels = [zone.label(rng).encode() for _ in range(rng.randint(1, 4))]
        elif kind < 0.92:  # odd octets
            labels = [bytes(rng.randrange(256) for _ in range(rng.randint(1, 63)))
                      for _ in range(rng.randint(1, 2))] + \
                ([x.encode() for x in name.split(".")] if rng.random() < 0.5 and name != "@" else [])
        elif kind < 0.96:  # an asterisk where none is
            labels = [b"*"] + [x.encode() for x in name.split(".")] if name != "@" else [b"*"]
            if rng.random() < 0.5:
                labels.insert(0, b"x")
        else:  # outside
            labels = None
        if labels is None:
            apex = rng.choice([[b"example", b"com"], [b"com"], [], [b"evilmc", b"example", b"com"],
                               [b"x", b"mc", b"example", b"org"]])
            labels = []
        else:
            apex = [b"mc", b"example", b"com"]
        labels = labels + apex
        wire = b"".join(bytes([len(x)]) + x for x in labels) + b"\0"
        if len(wire) > 255:
            wire = b"".join(bytes([len(x)]) + x for x in apex) + b"\0"
        if rng.random() < 0.5:
            wire = bytes(c ^ 0x20 if c < 128 and chr(c).isalpha() and rng.random() < 0.5 else c
                         for c in wire) if all(len(x) < 64 for x in labels) else wire
        kind = rng.random()
        types = DATA_TYPES if kind < 0.8 else RARE_TYPES if kind < 0.92 else META_TYPES
        self.qtype = harness.number(rng.choice(types))
        self.qname = wire
        self.qclass = 1 if rng.random() < 0.99 else rng.choice([3, 254, 255])
        self.edns = rng.choice([None, None, 400, 512, 1232, 4096])
        self.do = self.edns is not None and rng.random() < 0.3
        self.rd = rng.random() < 0.3
        self.tcp = rng.random() < 0.25

    def wire(self):
        out = harness.header(self.index & 0xffff, RD if self.rd else 0, ar=self.edns is not None)
        out += self.qname + struct.pack("!HH", self.qtype, self.qclass)
        return out + (harness.opt(self.edns, do=self.do) if self.edns is not None else b"")

    def __repr__(self):
        name = dns.name.from_wire(self.qname, 0)[0]
        return (f"#{self.index} {name} {dns.rdatatype.to_text(self.qtype)} class={self.qclass} "
                f"edns={self.edns} do={self.do} rd={self.rd} {'tcp' if self.tcp else 'udp'}")


def names_of(records):
    names = {owner for owner, _, _, _ in records}
    for owner in list(names):
        labels = owner.split(".")
        names |= {".".join(labels[i:]) for i in range(1, len(labels))}
    return sorted(names - {""})


NAME_TYPES = {"CNAME", "NS", "MX", "SRV", "PTR", "SOA"}


def canonical(lines):
    """Owners, and names in the data of old types, compare without case."""
    out = set()
    for line in lines:
        owner, ttl, kind, data = line.split(None, 3) if len(line.split(None, 3)) == 4 else \
            (*line.split(None, 2), "")
        out.add((owner.lower(), int(ttl), kind, data.lower() if kind in NAME_TYPES else data))
    return frozenset(out)


class Answer:
    """What is compared."""

    def __init__(self, wire, question):
        self.silent = wire is None
        if wire is None:
            self.rcode = self.flags = None
            self.answer = self.authority = self.glue = frozenset()
            self.tc = False
            return
        reply = Reply(wire)
        self.rcode, self.flags, self.tc = reply.rcode, reply.flags, reply.tc
        self.answer, self.authority = canonical(reply.answer), canonical(reply.authority)
        self.opt = reply.edns
        self.do = reply.dnssec_ok
        self.echo = reply.question == question.qname + struct.pack("!HH", question.qtype,
                                                                  question.qclass)
        referral = self.authority and all(kind == "NS" for _, _, kind, _ in self.authority)
        self.glue = canonical(reply.additional) if referral else frozenset()
        self.size = len(wire)

    def key(self):
        if self.silent:
            return "silent"
        return (self.rcode, self.flags, self.answer, self.authority, self.glue, self.opt, self.do,
                self.echo)

    def __repr__(self):
        if self.silent:
            return "(silent)"
        return (f"{self.rcode} {self.flags} answer={sorted(self.answer)} "
                f"authority={sorted(self.authority)} glue={sorted(self.glue)} opt={self.opt} "
                f"do={self.do} echo={self.echo} size={self.size}")


# ---- who differs, and why ------------------------------------------------------------------------

RULES = []


def rule(peer, reason):
    """Registers check(question, ours, theirs) as an allowed difference with PEER (None: any)."""
    def add(check):
        RULES.append((check.__name__, peer, reason, check))
        return check
    return add


REFUSED_TYPES = {harness.number(t): rcode for t, rcode in [
    ("AXFR", "NOTIMP"), ("IXFR", "NOTIMP"), ("MAILA", "NOTIMP"), ("MAILB", "NOTIMP"), ("OPT", "FORMERR"),
    ("TSIG", "FORMERR"), ("TKEY", "FORMERR"), (128, "FORMERR")]}


@rule(None, "Types that are no data (transfers, OPT, TSIG, TKEY, NXNAME as QTYPE): refused by kind, the "
            "others answer each in their own way, some as if it were data (facts: consensus table).")
def meta_types(question, ours, theirs):
    return question.qclass == 1 and ours.rcode == REFUSED_TYPES.get(question.qtype) and \
        not ours.answer and not ours.authority and ours.flags.replace(" RD", "") == "QR" and \
        (not theirs.silent)


@rule(None, "Classes other than IN: REFUSED; the others treat class ANY as IN, or answer FORMERR. BIND's "
            "own view of class CH answers three questions a second and drops the rest.")
def other_classes(question, ours, theirs):
    if question.qclass == 3 and theirs.silent:
        return ours.rcode == "REFUSED" and not ours.answer
    return question.qclass != 1 and ours.rcode == "REFUSED" and not ours.answer and \
        theirs.rcode in ("REFUSED", "FORMERR", "NOERROR", "NXDOMAIN", "NOTIMP", "NOTAUTH")


@rule(None, "ANY: one HINFO (RFC 8482 §4.2), where the others give one RRset or everything.")
def any_is_one_hinfo(question, ours, theirs):
    return question.qtype == dns.rdatatype.ANY and theirs.rcode == "NOERROR" and \
        [kind for _, _, kind, _ in ours.answer][-1:] == ["HINFO"] or \
        question.qtype == dns.rdatatype.ANY and theirs.rcode == ours.rcode and \
        {kind for _, _, kind, _ in ours.answer} == {"CNAME", "HINFO"}


@rule(None, "TC: nothing partial goes along (matrix row 40); the others send what fits, or the CNAME.")
def truncated_is_empty(question, ours, theirs):
    del question
    return ours.tc and theirs.tc and ours.rcode == theirs.rcode and not ours.answer and \
        not ours.authority


@rule(None, "A wildcard CNAME whose target the same wildcard covers: once is enough to see the loop.")
def wildcard_loop(question, ours, theirs):
    del question
    return ours.flags == theirs.flags and ours.answer < theirs.answer and \
        all(kind == "CNAME" for _, _, kind, _ in theirs.answer) and \
        any(owner == target == "round.spin" for owner, _, _, target in theirs.answer)


@rule("Bind", "A loop of CNAMEs: SERVFAIL with the records there; here, as with NSD and Knot, NOERROR.")
def loops_servfail(question, ours, theirs):
    del question
    return theirs.rcode == "SERVFAIL" and ours.rcode == "NOERROR" and ours.answer <= theirs.answer and \
        all(kind == "CNAME" for _, _, kind, _ in theirs.answer)


@rule("Bind", "Types 128 to 255 that nobody has assigned: FORMERR; here, as with NSD and Knot, data that "
              "is not there.")
def unassigned_meta_types(question, ours, theirs):
    return 128 < question.qtype < 255 and theirs.rcode == "FORMERR" and \
        ours.rcode in ("NOERROR", "NXDOMAIN")


@rule("Bind", "Glue outside the delegated part (a name server of ours serving the child): left out.")
def only_required_glue(question, ours, theirs):
    del question
    return ours.authority == theirs.authority and ours.answer == theirs.answer and \
        theirs.glue < ours.glue and ours.rcode == theirs.rcode


@rule(None, "RRSIG, NSEC and NSEC3 may live beside a CNAME in signed zones, and each of the others lets "
            "some of the three alone; in an unsigned zone a CNAME answers every type (RFC 1034 §3.6.2).")
def no_cname_for_dnssec(question, ours, theirs):
    return question.qtype in (dns.rdatatype.RRSIG, dns.rdatatype.NSEC, dns.rdatatype.NSEC3) and \
        not theirs.answer and any(kind == "CNAME" for _, _, kind, _ in ours.answer)


@rule("Knot", "QTYPE 0: NOTIMP; here, as with NSD, data that is not there.")
def type_zero(question, ours, theirs):
    return question.qtype == 0 and theirs.rcode == "NOTIMP" and ours.rcode in ("NOERROR", "NXDOMAIN", "REFUSED")


class Server:
    """One UDP socket and one TCP connection to a server, kept open."""

    def __init__(self, address):
        self.address = address
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.connect(address)
        self.stream = None

    def ask(self, question):
        wire = question.wire()
        if question.tcp:
            got = None
            if question.qtype in (dns.rdatatype.AXFR, dns.rdatatype.IXFR) and self.stream:
                self.stream.close()  # an answer of many frames must not reach the next question
                self.stream = None
            for _ in range(2):  # the peer may have closed an idle or a refused connection
                try:
                    self.stream = self.stream or Tcp(self.address)
                    self.stream.send(wire)
                    got = self.stream.receive(1.0)
                    while got is not None and got[:2] != wire[:2]:
                        got = self.stream.receive(1.0)
                except OSError:
                    got = None
                if got is not None:
                    return got
                if self.stream:
                    self.stream.close()
                self.stream = None
            return None
        self.udp.send(wire)
        self.udp.settimeout(1.0)
        try:
            while True:
                got = self.udp.recv(65535)
                if got[:2] == wire[:2]:
                    return got
        except socket.timeout:
            return None

    def close(self):
        self.udp.close()
        if self.stream:
            self.stream.close()


def stored_serial(dnsd):
    return int(dnsd.ask("@", "SOA").answer[0].split()[5])


@pytest.fixture(scope="module")
def servers(started):
    records = zone.generate(SEED)
    dnsd = started(harness.Dnsd({"dns": {"records": {"root": zone.ROOT}}}))
    dnsd.tool("import-zone", "-", input=zone.text(records, DOMAIN))
    harness.until("the zone is served", lambda: dnsd.ask(records[-1][0]).an == 1)
    # The serial is the store's revision: the others get the one that is served.
    full = zone.text(zone.APEX + zone.GENERATED + records, DOMAIN, serial=stored_serial(dnsd))
    peers = {
        "Nsd": started(harness.Nsd({DOMAIN: full})),
        "Knot": started(harness.Knot({DOMAIN: full})),
        # Its own idea of TTL 0 for the SOA that denies a SOA question is for resolvers, and off here.
        "Bind": started(harness.Bind({DOMAIN: full},
                                     extra="zero-no-soa-ttl no; allow-transfer { none; };")),
    }
    asked = {"dnsd": Server(dnsd.address)}
    asked.update({name: Server(peer.address) for name, peer in peers.items()})
    yield asked, names_of(zone.APEX + zone.GENERATED + records)
    for server in asked.values():
        server.close()


def test_same_answers(servers):
    asked, names = servers
    rng = random.Random(SEED)
    unexplained, fired = [], {}
    for index in range(QUESTIONS):
        question = Question(index, rng, names)
        answers = {name: Answer(server.ask(question), question) for name, server in asked.items()}
        ours = answers["dnsd"]
        for name, theirs in answers.items():
            if name == "dnsd" or theirs.key() == ours.key():
                continue
            for title, peer, _, check in RULES:
                if peer in (None, name) and check(question, ours, theirs):
                    fired[title] = fired.get(title, 0) + 1
                    break
            else:
                unexplained.append(f"{question}\n  dnsd: {ours}\n  {name}: {theirs}")
    print(f"{QUESTIONS} questions, rules that fired: {fired}")
    assert not unexplained, f"{len(unexplained)} differences without a reason:\n" + \
        "\n".join(unexplained[:40])
    silent = {title for title, _, _, _ in RULES} - set(fired)
    assert not silent, f"rules that no question needs: {silent}"
