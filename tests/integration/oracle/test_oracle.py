"""Proven: what four independent servers agree on, this one does too. Three tables, row by row: how odd
messages are answered (bytes compared), what a name means (sections compared: empty non-terminals,
wildcards and what blocks them, CNAMEs with and without a target), and the failures that in practice
break certificate issuance or a delegation (SOA in every negative answer, AA, question echoed byte for
byte, truncation without partial RRsets, challenge names that exist even when empty)."""
import random
import struct
import time

import pytest

import harness
from harness import (AA, AD, CD, DOMAIN, QR, RA, RD, TC, Reply, header, one_soa, opt, query, question,
                     name_wire)

BIG = ["%03d" % i + "x" * 197 for i in range(40)]  # 40 values of 200 octets

ROWS = {
    "core-info/core-a": {"id": "core-a", "ip": "192.0.2.1", "ipv6": "2001:db8::1", "available": True},
    "core-info/core-b": {"id": "core-b", "ip": "192.0.2.2", "available": True},
    "user-core/alice": "core-a",
    "user-core/bobby": "core-b",
    "user-core/core-a": "core-b",  # a user that took a core's name
    "user-core/reg": "core-b",     # and one that took a service's
    "dns-record/*.wild": {"a": ["192.0.2.20"], "txt": ["wild"]},
    "dns-record/host.wild": {"a": ["192.0.2.21"]},
    "dns-record/b.ent.wild": {"a": ["192.0.2.22"]},
    "dns-record/x._acct._acme-challenge": {"txt": ["account"]},
    "dns-record/al": {"cname": "core-a"},
    "dns-record/*.cw": {"cname": "core-a"},
    "dns-record/dangling": {"cname": f"missing.{DOMAIN}"},
    "dns-record/away": {"cname": "www.example.org"},
    "dns-record/big": {"txt": BIG},
    "dns-record/thirty": {"a": ["198.51.100.%d" % i for i in range(1, 31)]},
    "dns-record/deep.er.still": {"a": ["192.0.2.23"]},
    "dns-record/a.b.c.d": {"a": ["192.0.2.24"]},
}


@pytest.fixture(scope="module")
def dnsd(started):
    d = started(harness.Dnsd())
    d.rows(ROWS)
    return d


def both(dnsd, wire):
    """The same message by UDP and by TCP."""
    return [("udp", dnsd.udp(wire)), ("tcp", dnsd.tcp(wire))]


# ---- odd messages -------------------------------------------------------------------------------

Q = question("host.wild", "A")

DROPPED = {
    "empty": b"",
    "one octet": b"\x12",
    "eleven octets": header()[:11],
    "a response": header(flags=QR) + Q,
    "a response without question": header(flags=QR, qd=0),
    "a response with an odd opcode": header(flags=QR | 15 << 11) + Q,
}


@pytest.mark.parametrize("wire", DROPPED.values(), ids=DROPPED.keys())
def test_dropped(dnsd, wire):
    """No answer at all, and the daemon still answers the next one."""
    import socket
    import select
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(dnsd.address)
        s.send(wire)
        s.send(header(qid=0x4321) + Q)
        assert select.select([s], [], [], harness.ANSWER_S)[0]
        assert s.recv(65535)[:2] == b"\x43\x21", "the first answer is to the second message"
        assert not select.select([s], [], [], harness.SILENCE_S)[0]


FORMERR_BARE = {  # nothing of the question can be given back: 12 octets
    "no question": header(qd=0),
    "no question, with OPT": header(qd=0, ar=1) + opt(),
    "question cut in the name": header() + Q[:5],
    "question cut before the class": header() + Q[:-2],
    "question cut before the type": header() + Q[:-4],
    "question missing": header(),
    "pointer in the name": header() + b"\x04host\xc0\x0c" + struct.pack("!HH", 1, 1),
    "name that is a pointer to itself": header() + b"\xc0\x0c" + struct.pack("!HH", 1, 1),
    "0x40 label": header() + b"\x41" + b"a" * 65 + name_wire("@") + struct.pack("!HH", 1, 1),
    "0x80 label": header() + b"\x81" + b"a" * 129 + name_wire("@") + struct.pack("!HH", 1, 1),
    "name of 256 octets": header() + (b"\x3f" + b"a" * 63) * 3 + b"\x3e" + b"a" * 62 + b"\x01a\x00"
                          + struct.pack("!HH", 1, 1),
}


@pytest.mark.parametrize("wire", FORMERR_BARE.values(), ids=FORMERR_BARE.keys())
def test_formerr_header_only(dnsd, wire):
    for transport, got in both(dnsd, wire):
        assert got == header(flags=QR | 1, qd=0), transport


def test_formerr_two_questions(dnsd):
    """RFC 9619: one question. What is echoed of two is nobody's business; no record is."""
    for transport, got in both(dnsd, header(qd=2) + Q + Q):
        assert got is not None, transport
        assert struct.unpack_from("!H", got, 2)[0] == QR | 1, transport
        assert got[6:12] == bytes(6), transport


def test_formerr_copies_rd(dnsd):
    assert dnsd.udp(header(flags=RD, qd=0)) == header(flags=QR | RD | 1, qd=0)


FORMERR = {
    "two OPTs": header(ar=2) + Q + opt() + opt(),
    "option overruns RDLEN": header(ar=1) + Q + opt(rdlen=6) + struct.pack("!HHH", 3, 100, 0),
    "RDLEN overruns the message": header(ar=1) + Q + opt(rdlen=50),
    "half an option header": header(ar=1) + Q + opt(rdlen=3) + b"\x00\x03\x00",
    "ARCOUNT lies": header(ar=2) + Q + opt(),
    "ARCOUNT lies without any record": header(ar=1) + Q,
    "OPT with a non-root owner": header(ar=1) + Q + opt(owner=b"\x01a\x00"),
    "OPT owned by a pointer": header(ar=1) + Q + opt(owner=b"\xc0\x0c"),
    "OPT in the answer section": header(an=1) + Q + opt(),
    "OPT in the authority section": header(ns=1) + Q + opt(),
    "cookie of 7 octets": header(ar=1) + Q + opt(options=[(10, b"1234567")]),
    "cookie of 9 octets": header(ar=1) + Q + opt(options=[(10, b"123456789")]),
    "cookie of 41 octets": header(ar=1) + Q + opt(options=[(10, b"1" * 41)]),
    "QTYPE OPT": header() + question("host.wild", 41),
    "QTYPE TSIG": header() + question("host.wild", 250),
    "QTYPE TKEY": header() + question("host.wild", 249),
    "QTYPE NXNAME": header() + question("host.wild", 128),
}


@pytest.mark.parametrize("wire", FORMERR.values(), ids=FORMERR.keys())
def test_formerr(dnsd, wire):
    """FORMERR with the question as it came (or none), no record but perhaps an OPT."""
    for transport, got in both(dnsd, wire):
        reply = Reply(got)
        assert (reply.rcode, reply.flags) == ("FORMERR", "QR"), (transport, reply)
        assert (reply.an, reply.ns) == (0, 0) and not reply.additional, (transport, reply)
        assert reply.question in (b"", wire[12:12 + len(reply.question)]), transport


@pytest.mark.parametrize("opcode", [1, 2, 3, 6, 7, 14, 15])
def test_unknown_opcode(dnsd, opcode):
    for transport, got in both(dnsd, header(flags=opcode << 11 | RD) + Q):
        assert struct.unpack_from("!H", got, 2)[0] == QR | opcode << 11 | RD | 4, transport
        assert got[6:12] == bytes(6), transport


@pytest.mark.parametrize("opcode", [4, 5], ids=["NOTIFY", "UPDATE"])
def test_notify_and_update_refused(dnsd, opcode):
    for transport, got in both(dnsd, header(flags=opcode << 11) + question("@", "SOA")):
        rcode = struct.unpack_from("!H", got, 2)[0]
        assert rcode == QR | opcode << 11 | 5, transport
        assert got[6:12] == bytes(6), transport


OUTSIDE = ["example.com.", "com.", ".", f"evil{DOMAIN}.", f"x.evil{DOMAIN}.", "other.example.com.",
           "mc.example.org.", f"{DOMAIN}.evil.", "example.com.mc."]


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("qtype", ["A", "SOA", "NS", "ANY"])
def test_out_of_zone(dnsd, name, qtype):
    """REFUSED, no AA, no SOA, byte for byte the question with two bits changed."""
    wire = header(flags=RD) + question(name, qtype)
    for transport, got in both(dnsd, wire):
        assert got == header(flags=QR | RD | 5) + wire[12:], transport


@pytest.mark.parametrize("qclass,what", [(3, "CH"), (255, "ANY"), (254, "NONE"), (4, "HS"), (0, "0"),
                                         (65535, "65535")])
@pytest.mark.parametrize("name,qtype", [("@", "SOA"), ("host.wild", "A"), ("host.wild", "TXT")])
def test_other_classes_refused(dnsd, qclass, what, name, qtype):
    wire = header() + question(name, qtype, qclass)
    for transport, got in both(dnsd, wire):
        assert got == header(flags=QR | 5) + wire[12:], (what, transport)


IXFR_AUTHORITY = (name_wire("@") + struct.pack("!HHIH", 6, 1, 0, 22) + b"\0\0"
                  + struct.pack("!5I", 1, 2, 3, 4, 5))


@pytest.mark.parametrize("wire", [
    header() + question("@", "AXFR"),
    header() + question("@", "IXFR"),
    header(ns=1) + question("@", "IXFR") + IXFR_AUTHORITY,
    header() + question("@", 254),
    header() + question("@", 253),
    header() + question("host.wild", "AXFR"),
], ids=["AXFR", "IXFR", "IXFR with SOA", "MAILA", "MAILB", "AXFR below the apex"])
def test_transfers_not_implemented(dnsd, wire):
    for transport, got in both(dnsd, wire):
        reply = Reply(got)
        assert reply.rcode == "NOTIMP" and not reply.tc, (transport, reply)
        assert (reply.an, reply.ns) == (0, 0), (transport, reply)
        assert reply.question == wire[12:12 + len(reply.question)] != b"", transport


@pytest.mark.parametrize("qtype", [0, 65535, "RRSIG", "NSEC", "NSEC3", "DNSKEY", "DS", "HTTPS", "SVCB",
                                   "CAA", "TLSA", "SRV", "PTR", "HINFO", "NAPTR", "DNAME", "SPF", "SIG",
                                   "KEY", 100, 127, 129, 248, 1000, 65280, 65534])
@pytest.mark.parametrize("name", ["host.wild", "@", "alice", "wild", "any.wild", "core-b", "lsc"])
def test_any_other_type_is_nodata(dnsd, name, qtype):
    """Never an exception for a type: NODATA with SOA (matrix rows 8 and 21)."""
    reply = dnsd.ask(name, qtype)
    assert (reply.rcode, reply.flags, reply.answer) == ("NOERROR", "QR AA", []), reply
    one_soa(reply)


def test_badvers(dnsd):
    for version in (1, 2, 255):
        wire = header(ar=1) + Q + opt(version=version)
        for transport, got in both(dnsd, wire):
            reply = Reply(got)
            assert (reply.rcode, reply.flags) == ("BADVERS", "QR"), (transport, reply)
            assert reply.question == Q and reply.edns == 0, (transport, reply)
            assert (reply.an, reply.ns, reply.ar) == (0, 0, 1), (transport, reply)


def test_trailing_octets_are_answered(dnsd):
    for transport, got in both(dnsd, header() + Q + b"junk"):
        reply = Reply(got)
        assert reply.answer == ["host.wild 300 A 192.0.2.21"], transport
        assert b"junk" not in got, transport


def test_flags_cleared(dnsd):
    """RD is copied; AA, TC, RA, Z, AD and CD in a query come back clear (matrix row 18)."""
    for bits, wanted in [(CD, "QR AA"), (AD, "QR AA"), (0x40, "QR AA"), (AA | TC | RA, "QR AA"),
                         (RD | CD | AD | 0x40 | AA | TC | RA, "QR AA RD")]:
        for transport, got in both(dnsd, query("host.wild", flags=bits)):
            assert Reply(got).flags == wanted, (hex(bits), transport)


def test_rcode_in_query_is_ignored(dnsd):
    for rcode in (3, 5, 15):
        reply = Reply(dnsd.udp(header(flags=rcode) + Q))
        assert reply.rcode == "NOERROR" and reply.an == 1


def test_whole_answer_byte_for_byte(dnsd):
    """One positive, one negative answer compared as a whole: header, question, compression."""
    got = dnsd.udp(header(qid=0xbeef, flags=RD) + Q)
    assert got == (header(0xbeef, QR | AA | RD, 1, 1, 0, 0) + Q
                   + bytes.fromhex("c00c 0001 0001 0000012c 0004 c0000215"))
    got = dnsd.udp(header(qid=0xbeef) + question("x.host.wild", "A"))
    assert got[:12] == header(0xbeef, QR | AA | 3, 1, 0, 1, 0)
    q = question("x.host.wild", "A")
    assert got[12:12 + len(q)] == q
    apex = struct.pack("!H", 0xc000 | 12 + len(b"\1x\4host\4wild"))
    soa = got[12 + len(q):]
    assert soa[:10] == apex + struct.pack("!HHI", 6, 1, 30), "owner is a pointer to the zone's name"
    assert struct.unpack_from("!H", soa, 10)[0] == len(soa) - 12
    assert soa.count(apex) == 3, "MNAME and RNAME end in pointers to the zone's name too"


# ---- what a name means --------------------------------------------------------------------------

NODATA, NXDOMAIN = ("NOERROR", []), ("NXDOMAIN", [])
CORE_A = "core-a 300 A 192.0.2.1"

MEANING = [
    # name, type, (rcode, answer); negative ones carry exactly the SOA with TTL 30
    ("nope.wild", "A", ("NOERROR", ["nope.wild 300 A 192.0.2.20"])),
    ("nope.wild", "TXT", ("NOERROR", ['nope.wild 300 TXT "wild"'])),
    ("nope.wild", "MX", NODATA),
    ("*.wild", "A", ("NOERROR", ["*.wild 300 A 192.0.2.20"])),
    ("*.wild", "MX", NODATA),
    ("a.*.wild", "A", NXDOMAIN),   # `*` exists, so it is the closest encloser (RFC 4592 §2.1.3)
    ("*.host.wild", "A", NXDOMAIN),
    ("host.wild", "A", ("NOERROR", ["host.wild 300 A 192.0.2.21"])),
    ("host.wild", "TXT", NODATA),
    ("a.host.wild", "A", NXDOMAIN),
    ("a.b.host.wild", "A", NXDOMAIN),
    ("ent.wild", "A", NODATA),
    ("zz.ent.wild", "A", NXDOMAIN),
    ("b.ent.wild", "A", ("NOERROR", ["b.ent.wild 300 A 192.0.2.22"])),
    ("c.b.ent.wild", "A", NXDOMAIN),
    ("q.w.e.wild", "A", ("NOERROR", ["q.w.e.wild 300 A 192.0.2.20"])),
    ("wild", "A", NODATA),
    ("wild", "TXT", NODATA),
    ("_acme-challenge", "TXT", NODATA),
    ("_acct._acme-challenge", "TXT", NODATA),
    ("x._acct._acme-challenge", "A", NODATA),
    ("y._acct._acme-challenge", "TXT", NXDOMAIN),
    ("al", "A", ("NOERROR", ["al 300 CNAME core-a", CORE_A])),
    ("al", "CNAME", ("NOERROR", ["al 300 CNAME core-a"])),
    ("al", "AAAA", ("NOERROR", ["al 300 CNAME core-a", "core-a 300 AAAA 2001:db8::1"])),
    ("al", "MX", ("NOERROR", ["al 300 CNAME core-a"])),
    ("al", "ANY", ("NOERROR", ["al 300 CNAME core-a"])),
    ("x.al", "A", NXDOMAIN),
    ("any.cw", "A", ("NOERROR", ["any.cw 300 CNAME core-a", CORE_A])),
    ("any.cw", "MX", ("NOERROR", ["any.cw 300 CNAME core-a"])),
    ("*.cw", "CNAME", ("NOERROR", ["*.cw 300 CNAME core-a"])),
    ("cw", "A", NODATA),
    ("dangling", "A", ("NXDOMAIN", ["dangling 300 CNAME missing"])),
    ("dangling", "CNAME", ("NOERROR", ["dangling 300 CNAME missing"])),
    ("missing", "A", NXDOMAIN),
    ("away", "A", ("NOERROR", ["away 300 CNAME www.example.org."])),
    ("away", "TXT", ("NOERROR", ["away 300 CNAME www.example.org."])),
    ("alice", "A", ("NOERROR", ["alice 300 A 192.0.2.1"])),
    ("alice", "AAAA", ("NOERROR", ["alice 300 AAAA 2001:db8::1"])),
    ("bobby", "A", ("NOERROR", ["bobby 300 A 192.0.2.2"])),
    ("bobby", "AAAA", NODATA),     # an IPv4-only user must not vanish for IPv6 askers
    ("x.alice", "A", NXDOMAIN),
    ("core-a", "A", ("NOERROR", [CORE_A])),  # the core, not the user of that name
    ("core-b", "AAAA", NODATA),
    ("nobody", "A", NXDOMAIN),
    ("er.still", "A", NODATA),
    ("still", "A", NODATA),
    ("lsc", "A", ("NOERROR", ["lsc 5 A 192.0.2.1", "lsc 5 A 192.0.2.2"])),
    ("lsc", "AAAA", NODATA),       # core-b has none, so no core is listed
    ("lsc", "TXT", NODATA),
    ("x.lsc", "A", NXDOMAIN),
    ("@", "DS", NODATA),           # asked at the child's side of the cut (RFC 4035 §3.1.4.1)
]

# Positive answers whose chain ends without the type: a SOA goes along, but the CNAME stays.
CHAIN_ENDS_EMPTY = {("al", "MX"), ("any.cw", "MX"), ("dangling", "A")}


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize("name,qtype,wanted", MEANING, ids=[f"{n} {t}" for n, t, _ in MEANING])
def test_meaning(dnsd, name, qtype, wanted, tcp):
    reply = dnsd.ask(name, qtype, tcp=tcp)
    answer = sorted(reply.answer) if name == "lsc" else reply.answer
    assert (reply.rcode, answer) == wanted, reply
    assert reply.flags == "QR AA", reply
    if not wanted[1] or (name, qtype) in CHAIN_ENDS_EMPTY:
        one_soa(reply)
    else:
        assert reply.authority == [], reply
    assert reply.additional == [], reply


@pytest.mark.parametrize("name", ["reg", "access", "mfa"])
def test_service_names(dnsd, name):
    """All available cores, in the zone's TTL; a user cannot take the name."""
    reply = dnsd.ask(name, "A")
    assert sorted(line.split()[3] for line in reply.answer) == ["192.0.2.1", "192.0.2.2"], reply
    assert {line.split()[0] for line in reply.answer} == {name}


def test_thirty_addresses_do_not_fit_512(dnsd):
    reply = dnsd.ask("thirty")
    assert reply.tc and (reply.an, reply.ns, reply.ar) == (0, 0, 0), reply
    reply = dnsd.ask("thirty", edns=1232)
    assert not reply.tc and len(set(reply.answer)) == 30, reply
    assert len(set(dnsd.ask("thirty", tcp=True).answer)) == 30


# ---- failures that break issuance or delegation -------------------------------------------------

CAA_NAMES = ["@", "_acme-challenge", "alice", "core-a", "any.wild", "host.wild", "wild", "lsc", "reg",
             "dns1", "bobby", "deep.er.still", "er.still", "big"]


@pytest.mark.parametrize("edns", [None, 512, 1232, 4096])
@pytest.mark.parametrize("name", CAA_NAMES)
def test_caa_nodata_has_one_soa(dnsd, name, edns):
    reply = dnsd.ask(name, "CAA", edns=edns)
    assert (reply.rcode, reply.answer, reply.aa) == ("NOERROR", [], True), reply
    one_soa(reply)


@pytest.mark.parametrize("name", [key[len("dns-record/"):] for key in ROWS if key[:4] == "dns-"])
@pytest.mark.parametrize("qtype", ["A", "NS", "TXT"])
def test_no_ancestor_is_nxdomain(dnsd, name, qtype):
    """Every ancestor of an owner exists (RFC 8020, RFC 9156): a resolver that minimises the name asks
    them one after the other and stops at the first NXDOMAIN."""
    labels = name.split(".")
    for i in range(len(labels)):
        reply = dnsd.ask(".".join(labels[i:]), qtype)
        if ".".join(labels[i:]) != "dangling":
            assert reply.rcode == "NOERROR", (labels[i:], reply)
        assert reply.aa, reply


def random_case(octets, rng):
    return bytes(c ^ 0x20 if chr(c).isalpha() and rng.random() < 0.5 else c for c in octets)


def test_question_echoed_byte_for_byte(dnsd):
    """0x20: whatever the case of the question, the echo is those octets, the answer the same."""
    rng = random.Random(20)
    for i in range(300):
        name, qtype, (rcode, answer) = MEANING[i % len(MEANING)]
        q = question(name, qtype)
        q = random_case(q[:-4], rng) + q[-4:]
        reply = Reply(dnsd.udp(header() + q))
        assert reply.question == q, name
        assert reply.rcode == rcode and reply.an == len(answer), (name, qtype, reply)
        if answer and reply.answer[0].split()[0] != "@":
            first = dnsd_owner(reply)
            assert first == q[:-4], "the owner of the first record is the name as it was asked"


def dnsd_owner(reply):
    """Octets of the first answer's owner (through the pointer, which keeps the question's case)."""
    at = 12 + len(reply.question)
    if reply.wire[at:at + 2] == b"\xc0\x0c":
        return reply.question[:-4]
    return reply.wire[at:at + len(reply.question) - 4]


@pytest.mark.parametrize("edns", [None, 512, 1232, 4096])
def test_forty_txt_values(dnsd, edns):
    """8.7 KB: TC with nothing in it at every UDP size (the ceiling is ours), all of it over TCP."""
    reply = dnsd.ask("big", "TXT", edns=edns)
    assert reply.tc and reply.aa and reply.rcode == "NOERROR", reply
    assert (reply.an, reply.ns) == (0, 0) and not reply.additional, "no part of an RRset"
    assert (reply.edns == 0) == (edns is not None)
    reply = dnsd.ask("big", "TXT", tcp=True, edns=edns)
    assert not reply.tc and reply.an == 40
    assert sorted(line.split('"')[1] for line in reply.answer) == sorted(BIG)


def test_two_challenge_values_at_one_name(dnsd):
    """The apex and the wildcard are authorised at the same name: both values are there, TTL 1; after
    they are gone the name still exists."""
    dnsd.rows({"dns-record/_acme-challenge": {"txt": ["for-apex", "for-wildcard"]}})
    reply = dnsd.ask("_acme-challenge", "TXT")
    assert sorted(reply.answer) == ['_acme-challenge 1 TXT "for-apex"',
                                    '_acme-challenge 1 TXT "for-wildcard"'], reply
    dnsd.rows({"dns-record/_acme-challenge": None})
    reply = dnsd.ask("_acme-challenge", "TXT")
    assert (reply.rcode, reply.answer) == NODATA, reply
    one_soa(reply)


def challenge(name, value, expires_ms):
    return ("INSERT INTO challenge(name, value, order_id, expires_ms) VALUES(?, ?, 'o', ?)",
            (name, value, int(expires_ms)))


def test_challenge_rows(dnsd):
    """One row per value, so that two writers never lose one; TTL 1; beside a stored record; gone when
    expired, without anybody having to delete it."""
    now = time.time() * 1000
    dnsd.rows({"dns-record/_acme-challenge.both": {"txt": ["stored"]}})
    dnsd.sql(challenge("_acme-challenge.both", "row-1", now + 60000),
             challenge("_acme-challenge.both", "row-2", now + 60000),
             challenge("_acme-challenge.new.deep", "alone", now + 60000),
             challenge("_acme-challenge.soon", "short", now + 1500),
             challenge("_acme-challenge.past", "late", now - 1))
    harness.until("the values are there", lambda: dnsd.ask("_acme-challenge.both", "TXT").an == 3)
    reply = dnsd.ask("_acme-challenge.both", "TXT")
    assert sorted(line.split()[3] for line in reply.answer) == ['"row-1"', '"row-2"', '"stored"']
    assert {line.split()[1] for line in reply.answer} == {"1"}, reply
    assert dnsd.ask("_acme-challenge.new.deep", "TXT").answer == \
        ['_acme-challenge.new.deep 1 TXT "alone"']
    assert dnsd.ask("new.deep", "TXT").rcode == "NOERROR", "what lies between exists now"
    assert dnsd.ask("_acme-challenge.soon", "TXT").an == 1
    assert dnsd.ask("_acme-challenge.past", "TXT").an == 0
    harness.until("the short one expires", lambda: dnsd.ask("_acme-challenge.soon", "TXT").an == 0)
    dnsd.sql("DELETE FROM challenge WHERE value = 'row-1'")
    harness.until("one is taken back", lambda: dnsd.ask("_acme-challenge.both", "TXT").an == 2)
    dnsd.sql("DELETE FROM challenge")
    harness.until("all are", lambda: dnsd.ask("_acme-challenge.both", "TXT").an == 1)
    assert dnsd.ask("new.deep", "TXT").rcode == "NXDOMAIN"


def test_challenges_survive_a_restart():
    d = harness.Dnsd().start()
    d.sql(challenge("_acme-challenge", "kept", time.time() * 1000 + 60000))
    harness.until("it is there", lambda: d.ask("_acme-challenge", "TXT").an == 1)
    for end in (d.stop, d.kill):
        end()
        d.start()
        assert d.ask("_acme-challenge", "TXT").answer == ['_acme-challenge 1 TXT "kept"']
    d.stop()


def test_wildcard_never_covers_the_challenge_name(started):
    """`wildcard: cores` makes every other name resolve; the challenge name exists without data."""
    d = started(harness.Dnsd({"dns": {"wildcard": "cores"}}))
    reply = d.ask("whatever", "A")
    assert reply.answer == ["whatever 300 A 192.0.2.1"], reply
    for qtype in ("A", "TXT", "CNAME", "CAA"):
        reply = d.ask("_acme-challenge", qtype)
        assert (reply.rcode, reply.answer) == NODATA, (qtype, reply)
        one_soa(reply)


def test_soa_is_sane(dnsd):
    """Names valid, serial not 0 and growing with a change, MINIMUM 30 (zonemaster ZONE01-08)."""
    reply = dnsd.ask("@", "SOA")
    assert reply.an == 1 and reply.aa, reply
    mname, rname, serial, refresh, retry, expire, minimum = reply.answer[0].split()[3:]
    assert "@" not in mname and "@" not in rname
    assert int(serial) > 0 and int(minimum) == 30
    assert int(refresh) >= int(retry) and int(expire) >= 604800
    reply = dnsd.ask(mname, "A")
    assert reply.rcode == "NOERROR" and reply.answer and " CNAME " not in reply.answer[0], reply
    dnsd.rows({"user-core/newcomer": "core-a"})
    after = int(dnsd.ask("@", "SOA").answer[0].split()[5])
    assert after > int(serial)
    assert dnsd.ask("newcomer").answer == ["newcomer 300 A 192.0.2.1"]


def test_apex_ns_and_glue(dnsd):
    """One name server per core in the order of ids, each with its address in the additional section
    and as a name of its own; none is a CNAME."""
    reply = dnsd.ask("@", "NS", edns=1232)
    assert sorted(reply.answer) == ["@ 300 NS dns1", "@ 300 NS dns2"], reply
    assert sorted(reply.additional) == ["dns1 300 A 192.0.2.1", "dns1 300 AAAA 2001:db8::1",
                                        "dns2 300 A 192.0.2.2"], reply
    assert dnsd.ask("dns1").answer == ["dns1 300 A 192.0.2.1"]
    assert dnsd.ask("dns2").answer == ["dns2 300 A 192.0.2.2"]
    reply = dnsd.ask("dns3")
    assert (reply.rcode, reply.answer) == NXDOMAIN, reply


def test_apex_addresses(dnsd):
    reply = dnsd.ask("@", "A")
    assert sorted(reply.answer) == ["@ 300 A 192.0.2.1", "@ 300 A 192.0.2.2"], reply


def test_aa_everywhere(dnsd):
    for name, qtype, _ in MEANING:
        assert dnsd.ask(name, qtype).aa, (name, qtype)
