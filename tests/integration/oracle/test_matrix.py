"""Proven: the mandatory lines 1 to 50 of the feature matrix that the oracle tables leave over. Record
types in and out (RFC 3597 too), compression only where old software expects it, rotation, exact size
limits on UDP to the octet, EDNS hygiene, NSID and CHAOS; TCP as strangers use it: pipelined in one
segment, octet by octet, half a frame and silence, nothing at all, not reading, too many at once; the
answer leaves from the address that was asked, over IPv4 and IPv6, without path-MTU tricks."""
import ctypes
import os
import resource
import select
import socket
import struct
import time

import pytest

import harness
from harness import (AA, DOMAIN, QR, RD, Reply, Tcp, ask_tcp, ask_udp, header, name_wire, one_soa, opt,
                     query, question)

FRAME_S, IDLE_S, WRITE_S = 2, 10, 2  # deadlines the daemon promises
CLIENT_MAX = 16                      # connections of one IPv4 address or IPv6 /64

ROWS = {
    "core-info/core-a": {"id": "core-a", "ip": "192.0.2.1", "ipv6": "2001:db8::1", "available": True},
    "core-info/core-b": {"id": "core-b", "ip": "192.0.2.2", "ipv6": "2001:db8::2", "available": True},
    "core-info/core-c": {"id": "core-c", "ip": "192.0.2.3", "ipv6": "2001:db8::3", "available": True},
    "user-core/alice": "core-a",
    "dns-record/types": {
        "a": "192.0.2.9", "aaaa": ["2001:db8::9"], "txt": "one string",
        "mx": [{"exchange": f"mail.{DOMAIN}", "priority": 10}, {"exchange": "mx.example.org",
                                                                "priority": 20}],
        "caa": [{"flags": 128, "tag": "issue", "value": "ca.example.org"}],
        "srv": ["0 5 443 types"], "ptr": "host.example.org", "tlsa": ["3 1 1 " + "ab" * 32],
        "https": ["1 . alpn=h2,h3 ipv4hint=192.0.2.9"], "svcb": ["0 svc.example.org."],
        "sshfp": ["4 2 " + "cd" * 32], "uri": ['10 1 "https://example.org/"'],
        "naptr": ['100 10 "u" "E2U+sip" "!^.*$!sip:info@example.org!" .'],
        "loc": ["\\# 16 000016138b3cf018810cbce0009895b8"],
        "type65280": ["\\# 4 0a0b0c0d"], "hinfo": ['"cpu" "os"'],
    },
    "dns-record/@": {"https": ["0 www.example.net."], "txt": ["v=spf1 -all"]},
    "dns-record/times": {"a": ["192.0.2.30"], "txt": ["t"], "ttl": 77, "ttls": {"txt": 5}},
    "dns-record/many": {"a": ["198.51.100.%d" % i for i in range(8)]},
    "dns-record/mail": {"a": ["192.0.2.33"]},
    "dns-record/heavy": {"txt": ["%03d" % i + "h" * 497 for i in range(100)]},
    "dns-record/loop1": {"cname": f"loop2.{DOMAIN}"},
    "dns-record/loop2": {"cname": f"loop1.{DOMAIN}"},
    "dns-record/*.spin": {"cname": f"round.spin.{DOMAIN}"},
    "dns-record/cut": {"ns": [f"ns.cut.{DOMAIN}", "ns.example.org"]},
    "dns-record/ns.cut": {"a": ["192.0.2.70"], "aaaa": ["2001:db8::70"]},
    "dns-record/toheavy": {"cname": f"heavy.{DOMAIN}"},
    "dns-record/tocut": {"cname": f"www.cut.{DOMAIN}"},
}
for i in range(40):
    ROWS[f"dns-record/chain{i}"] = {"cname": f"chain{i + 1}.{DOMAIN}"}
ROWS["dns-record/chain40"] = {"a": ["192.0.2.40"]}


@pytest.fixture(scope="module")
def dnsd(started):
    """Bound to the wildcard addresses of both families, so that every test asks as it likes."""
    d = started(harness.Dnsd({"dns": {"ip": "0.0.0.0", "ip6": "::"}}))
    d.rows(ROWS)
    return d


# ---- records ------------------------------------------------------------------------------------

TYPES = [
    ("A", ["192.0.2.9"]), ("AAAA", ["2001:db8::9"]), ("TXT", ['"one string"']),
    ("MX", ["10 mail", "20 mx.example.org."]), ("CAA", ['128 issue "ca.example.org"']),
    ("SRV", ["0 5 443 types"]), ("PTR", ["host.example.org."]), ("TLSA", ["3 1 1 " + "ab" * 32]),
    ("HTTPS", ['1 . alpn="h2,h3" ipv4hint="192.0.2.9"']), ("SVCB", ["0 svc.example.org."]),
    ("SSHFP", ["4 2 " + "cd" * 32]), ("URI", ['10 1 "https://example.org/"']),
    ("NAPTR", ['100 10 "u" "E2U+sip" "!^.*$!sip:info@example.org!" .']),
    ("HINFO", ['"cpu" "os"']), (65280, ["\\# 4 0a0b0c0d"]),
]


@pytest.mark.parametrize("qtype,wanted", TYPES, ids=[str(t) for t, _ in TYPES])
def test_21_29_32_types_as_stored(dnsd, qtype, wanted):
    reply = dnsd.ask("types", qtype, edns=1232)
    assert [line.split(None, 3)[3] for line in reply.answer] == wanted, reply
    assert reply.additional == [] and reply.authority == [], "minimal (row 26)"


def test_31_alias_at_the_apex(dnsd):
    assert dnsd.ask("@", "HTTPS").answer == ["@ 300 HTTPS 0 www.example.net."]
    assert dnsd.ask("@", "TXT").answer == ['@ 300 TXT "v=spf1 -all"']
    assert len(dnsd.ask("@", "A").answer) == 3, "a stored apex row does not hide what is generated"


def test_23_compression_only_for_old_types(dnsd):
    """MX (RFC 1035) may end in a pointer; SRV and what came later must be spelled out (RFC 3597 §4)."""
    got = dnsd.udp(query("types", "MX"))
    apex = struct.pack("!H", 0xc000 | 12 + len(b"\5types"))
    assert b"\4mail" + apex in got
    got = dnsd.udp(query("types", "SRV"))
    assert got.endswith(name_wire("types")), "the SRV target is spelled out"
    got = dnsd.udp(query("loop1", "CNAME"))
    assert got.endswith(b"\5loop2" + struct.pack("!H", 0xc000 | 12 + 6))


def test_24_ttls(dnsd):
    assert dnsd.ask("times").answer == ["times 77 A 192.0.2.30"]
    assert dnsd.ask("times", "TXT").answer == ['times 5 TXT "t"']
    assert dnsd.ask("mail").answer == ["mail 300 A 192.0.2.33"]


@pytest.mark.parametrize("name,qtype,count", [("many", "A", 8), ("reg", "A", 3), ("reg", "AAAA", 3),
                                              ("@", "A", 3)])
def test_25_addresses_rotate(dnsd, name, qtype, count):
    """Every address comes first now and then; the set stays whole."""
    first, sets = set(), set()
    for _ in range(200):
        answer = dnsd.ask(name, qtype).answer
        first.add(answer[0])
        sets.add(frozenset(answer))
    assert len(first) == count and len(sets) == 1 and len(next(iter(sets))) == count


def test_25_lsc_does_not_rotate(dnsd):
    assert len({tuple(dnsd.ask("lsc").answer) for _ in range(50)}) == 1


def test_29_fifty_kilobytes_of_text_over_tcp(dnsd):
    reply = dnsd.ask("heavy", "TXT", tcp=True)
    assert reply.an == 100 and len(reply.wire) > 50000 and not reply.tc
    assert dnsd.ask("heavy", "TXT", edns=65535).tc


# ---- CNAME chains, delegations -------------------------------------------------------------------


def test_09_loops_end(dnsd):
    reply = dnsd.ask("loop1")
    assert reply.rcode == "NOERROR" and reply.answer == ["loop1 300 CNAME loop2",
                                                         "loop2 300 CNAME loop1"], reply
    reply = dnsd.ask("x.spin")  # the wildcard covers its own target
    assert reply.rcode == "NOERROR" and reply.answer[0] == "x.spin 300 CNAME round.spin", reply
    assert len(reply.answer) <= 2, reply


def test_09_chains_are_bounded(dnsd):
    """Short chains end at the address; a long one ends somewhere, each record once and in order."""
    assert dnsd.ask("chain37").answer == [
        "chain37 300 CNAME chain38", "chain38 300 CNAME chain39", "chain39 300 CNAME chain40",
        "chain40 300 A 192.0.2.40"]
    reply = dnsd.ask("chain0", tcp=True)
    assert reply.rcode == "NOERROR" and 8 <= len(reply.answer) <= 41, reply
    for i, line in enumerate(reply.answer[:-1]):
        assert line == f"chain{i} 300 CNAME chain{i + 1}"


@pytest.mark.parametrize("name,qtype", [("cut", "A"), ("cut", "NS"), ("www.cut", "A"), ("ns.cut", "A"),
                                        ("a.b.cut", "TXT"), ("cut", "ANY"), ("cut", "SOA"),
                                        ("www.cut", "DS")])
def test_01_12_referral(dnsd, name, qtype):
    """AA clear, NS in the authority section, glue for what is below the cut, nothing invented."""
    reply = dnsd.ask(name, qtype, edns=1232)
    assert (reply.rcode, reply.flags, reply.answer) == ("NOERROR", "QR", []), reply
    assert sorted(reply.authority) == ["cut 300 NS ns.cut", "cut 300 NS ns.example.org."], reply
    assert sorted(reply.additional) == ["ns.cut 300 A 192.0.2.70", "ns.cut 300 AAAA 2001:db8::70"]


def test_12_ds_is_the_parents(dnsd):
    """Asked at the cut itself, DS belongs to this side (RFC 4035 §3.1.4.1)."""
    reply = dnsd.ask("cut", "DS")
    assert (reply.rcode, reply.flags, reply.answer) == ("NOERROR", "QR AA", []), reply
    one_soa(reply)


def test_12_cname_into_a_delegation(dnsd):
    reply = dnsd.ask("tocut", edns=1232)
    assert reply.answer == ["tocut 300 CNAME www.cut"] and reply.aa, reply
    assert not [line for line in reply.authority if " SOA " in line], reply


# ---- sizes on UDP --------------------------------------------------------------------------------


def sized(dnsd, total, edns):
    """A TXT RRset whose answer has exactly TOTAL octets; the name's label is 5 octets."""
    fixed = 12 + len(question("sized")) + (11 if edns is not None else 0)
    left = total - fixed
    strings = []
    while left:
        # A record is 12 octets, a length octet per 255 of text.
        text = min(left - 13, 255)
        if 0 < left - 13 - text < 14:
            text -= 14
        strings.append(chr(ord("a") + len(strings)) * text)
        left -= 13 + text
    dnsd.rows({"dns-record/sized": {"txt": strings}})


@pytest.mark.parametrize("edns,limit", [(None, 512), (0, 512), (100, 512), (511, 512), (512, 512),
                                        (513, 513), (1000, 1000), (1231, 1231), (1232, 1232),
                                        (1233, 1232), (4096, 1232), (65535, 1232)])
def test_37_38_40_limits_to_the_octet(dnsd, edns, limit):
    """Less than 512 counts as 512, more than 1232 as 1232; the limit itself still fits, one octet more
    is TC with empty sections."""
    sized(dnsd, limit, edns)
    reply = dnsd.ask("sized", "TXT", edns=edns)
    assert len(reply.wire) == limit and not reply.tc and reply.an, reply
    sized(dnsd, limit + 1, edns)
    reply = dnsd.ask("sized", "TXT", edns=edns)
    assert reply.tc and (reply.an, reply.ns) == (0, 0) and not reply.additional, reply
    assert len(dnsd.ask("sized", "TXT", edns=edns, tcp=True).wire) == limit + 1


def test_40_cname_to_what_does_not_fit(dnsd):
    """Not even the CNAME that did fit: a cut answer is empty, in its counts too."""
    for edns in (None, 1232):
        reply = dnsd.ask("toheavy", "TXT", edns=edns)
        assert reply.tc and reply.rcode == "NOERROR", reply
        assert (reply.an, reply.ns, reply.ar) == (0, 0, 0 if edns is None else 1), reply
    reply = dnsd.ask("toheavy", "TXT", tcp=True)
    assert reply.an == 101 and not reply.tc


# ---- EDNS ----------------------------------------------------------------------------------------


def test_35_unknown_options_and_flags(dnsd):
    wire = header(ar=1) + question("alice") + opt(options=[(65001, b"x" * 50), (4, b""), (12, b"\0" * 9)],
                                                 z=0x7fff)
    for got in (dnsd.udp(wire), dnsd.tcp(wire)):
        reply = Reply(got)
        assert reply.answer == ["alice 300 A 192.0.2.1"] and reply.options == {}, reply
        assert reply.message.ednsflags & 0xffff == 0, "no Z flag comes back"


def test_35_do_is_copied(dnsd):
    for do in (False, True):
        for name in ("alice", "nobody"):
            assert dnsd.ask(name, edns=1232, do=do).dnssec_ok is do


def test_33_opt_in_every_kind_of_answer(dnsd):
    """Asked with OPT, every answer has exactly one; asked without, none has."""
    for name, qtype in [("alice", "A"), ("alice", "TXT"), ("nobody", "A"), ("example.org.", "A"),
                        ("heavy", "TXT"), ("cut", "A"), ("@", "AXFR"), ("loop1", "A"), ("@", "ANY")]:
        for edns in (None, 1232):
            reply = dnsd.ask(name, qtype, edns=edns)
            assert reply.wire.count(b"\0\0\x29\x04\xd0") == (0 if edns is None else 1), (name, reply)
            if edns is not None:
                assert (reply.edns, reply.payload) == (0, 1232), (name, reply)


def test_57_nsid(dnsd):
    assert dnsd.ask("alice", edns=1232, options=[(3, b"")]).options == {3: b"core-a"}
    assert dnsd.ask("alice", edns=1232).options == {}
    assert dnsd.ask("nobody", edns=1232, options=[(3, b"")], tcp=True).options == {3: b"core-a"}


def test_50_keepalive_only_over_tcp(dnsd):
    """RFC 7828 §3.3.2: the timeout in tenths of a second, over TCP, when the client asked."""
    assert dnsd.ask("alice", edns=1232, options=[(11, b"")]).options == {}
    assert dnsd.ask("alice", edns=1232, tcp=True, options=[(11, b"")]).options == \
        {11: struct.pack("!H", IDLE_S * 10)}
    assert dnsd.ask("alice", edns=1232, tcp=True).options == {}


CHAOS = [("id.server.", "core-a"), ("hostname.bind.", "core-a"), ("version.bind.", "dnsd"),
         ("version.server.", "dnsd"), ("VERSION.Bind.", "dnsd")]


@pytest.mark.parametrize("name,has", CHAOS)
def test_64_chaos(dnsd, name, has):
    for tcp in (False, True):
        reply = dnsd.ask(name, "TXT", qclass=3, tcp=tcp)
        assert reply.rcode == "NOERROR" and len(reply.answer) == 1, reply
        assert has in reply.answer[0] and int(reply.answer[0].split()[1]) == 0, reply
        assert reply.message.answer[0].rdclass == 3


@pytest.mark.parametrize("name,qtype", [("authors.bind.", "TXT"), ("@", "TXT"), ("id.server.x.", "TXT"),
                                        (".", "TXT"), ("server.", "TXT")])
def test_64_other_chaos_names(dnsd, name, qtype):
    assert dnsd.ask(name, qtype, qclass=3).rcode == "REFUSED"


def test_64_chaos_can_be_off(started):
    d = started(harness.Dnsd({"dns": {"chaos": False}}))
    for name, _ in CHAOS:
        reply = d.ask(name, "TXT", qclass=3)
        assert (reply.rcode, reply.an) == ("REFUSED", 0), reply


# ---- addresses -----------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", "127.99.1.3", "::1"])
def test_answer_comes_from_the_address_asked(dnsd, address):
    """One wildcard socket, many local addresses: an unconnected client sees who answers."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(harness.ANSWER_S)
        for _ in range(10):
            s.sendto(query("alice"), (address, dnsd.port))
            got, source = s.recvfrom(4096)
            assert source[:2] == (address, dnsd.port)
            assert Reply(got).an == 1
    assert Reply(ask_tcp((address, dnsd.port), query("alice"))).an == 1


def test_a_burst_to_several_addresses(dnsd):
    """A batch that mixes addresses: each answer leaves from its own."""
    addresses = [f"127.0.{i}.{i + 1}" for i in range(40)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(harness.ANSWER_S)
        for i, address in enumerate(addresses):
            s.sendto(query("alice", qid=i), (address, dnsd.port))
        for _ in addresses:
            got, source = s.recvfrom(4096)
            assert source[0] == addresses[struct.unpack_from("!H", got)[0]]


def test_several_addresses_by_list(started):
    d = started(harness.Dnsd({"dns": {"ip": ["127.0.0.1", "127.0.0.3"], "ip6": "::1"}}))
    heard = {(address, transport) for address, _, transport in d.listening()}
    assert heard == {(a, t) for a in ("127.0.0.1", "127.0.0.3", "::1") for t in ("udp", "tcp")}
    for address, port, transport in d.listening():
        ask = ask_udp if transport == "udp" else ask_tcp
        assert Reply(ask((address, port), query("lsc"))).an == 1, (address, transport)
    assert ask_udp(("127.0.0.2", d.port), query("lsc"), deadline_s=harness.SILENCE_S) is None


def daemon_sockets(pid):
    """The daemon's own IP sockets, as copies of its descriptors (pidfd_getfd)."""
    pidfd = harness.LIBC.syscall(434, pid, 0)
    assert pidfd >= 0, os.strerror(ctypes.get_errno())
    found = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            if not os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:"):
                continue
        except FileNotFoundError:
            continue
        fd = harness.LIBC.syscall(438, pidfd, int(name), 0)
        assert fd >= 0, os.strerror(ctypes.get_errno())
        s = socket.socket(fileno=fd)
        if s.family in (socket.AF_INET, socket.AF_INET6):
            found.append(s)
        else:
            s.close()
    os.close(pidfd)
    return found


def test_39_no_path_mtu_learning(dnsd):
    """UDP sockets ignore ICMP's word on the path MTU (IP_PMTUDISC_OMIT), and IPv6 datagrams keep to
    the minimum MTU; each worker has its own (SO_REUSEPORT)."""
    omit, mtu_discover, mtu_discover6, mtu6 = 5, 10, 23, 24
    sockets = daemon_sockets(dnsd.process.pid)
    udp = [s for s in sockets if s.type & 0xf == socket.SOCK_DGRAM]
    assert len(udp) == 4, "two workers, two families"
    for s in udp:
        assert s.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT)
        if s.family == socket.AF_INET:
            assert s.getsockopt(socket.IPPROTO_IP, mtu_discover) == omit
        else:
            assert s.getsockopt(socket.IPPROTO_IPV6, mtu_discover6) == omit or \
                s.getsockopt(socket.IPPROTO_IPV6, mtu6) <= 1280
    for s in sockets:
        s.close()


# ---- TCP -----------------------------------------------------------------------------------------


def pipelined(count):
    names = ["alice", "nobody", "types", "lsc", "many"]
    return [query(names[i % len(names)], "A", qid=1000 + i) for i in range(count)]


@pytest.mark.parametrize("count", [2, 50, 500])
def test_42_pipelined_in_one_segment(dnsd, count):
    wires = pipelined(count)
    with Tcp(dnsd.address) as c:
        c.send(*wires)
        for wire in wires:
            assert c.receive()[:2] == wire[:2], "in the order asked"


def test_42_octet_by_octet(dnsd):
    wires = pipelined(5)
    with Tcp(dnsd.address) as c:
        for wire in wires:
            for octet in struct.pack("!H", len(wire)) + wire:
                c.raw(bytes([octet]))
        for wire in wires:
            assert c.receive()[:2] == wire[:2]


def test_42_odd_segments(dnsd):
    stream = b"".join(struct.pack("!H", len(w)) + w for w in pipelined(60))
    with Tcp(dnsd.address) as c:
        at = 0
        for i in range(1, 1000):
            if at >= len(stream):
                break
            c.raw(stream[at:at + 7 * i])
            at += 7 * i
        for i in range(60):
            assert struct.unpack_from("!H", c.receive())[0] == 1000 + i


def test_42_half_closed_client_gets_its_answers(dnsd):
    wires = pipelined(20)
    with Tcp(dnsd.address) as c:
        c.send(*wires)
        c.socket.shutdown(socket.SHUT_WR)
        for wire in wires:
            got = c.receive()
            assert got is not None and got[:2] == wire[:2]
        assert c.closed_after(IDLE_S / 2) is not None


def test_41_no_truncation_and_no_edns_limit_on_tcp(dnsd):
    reply = dnsd.ask("heavy", "TXT", tcp=True, edns=512)
    assert not reply.tc and reply.an == 100


def test_41_zero_frame_closes(dnsd):
    with Tcp(dnsd.address) as c:
        c.raw(b"\0\0")
        assert c.closed_after(FRAME_S / 2) is not None


def test_41_zero_frame_after_a_question(dnsd):
    """What was asked before is answered before the close."""
    with Tcp(dnsd.address) as c:
        wire = query("alice")
        c.raw(struct.pack("!H", len(wire)) + wire + b"\0\0")
        got = c.receive()
        assert got is not None and got[:2] == wire[:2]
        assert c.closed_after(FRAME_S / 2) is not None


def test_41_a_frame_of_65535_octets(dnsd):
    wire = query("alice")
    with Tcp(dnsd.address) as c:
        c.send(wire + b"\0" * (65535 - len(wire)))
        assert Reply(c.receive()).an == 1
        c.send(query("alice"))
        assert Reply(c.receive()).an == 1, "and the connection still lives"


def test_41_what_is_dropped_on_udp_is_not_answered_on_tcp(dnsd):
    with Tcp(dnsd.address) as c:
        wire = query("alice")
        c.send(query("alice", flags=QR), b"\x12" * 11, wire)
        got = c.receive()
        assert got is None or got[:2] == wire[:2]


@pytest.mark.parametrize("sent", [b"\0", b"\0\x40", b"\0\x40" + b"x" * 20], ids=["half a length",
                                                                              "a length", "half a frame"])
def test_45_half_a_frame_and_silence(dnsd, sent):
    with Tcp(dnsd.address) as c:
        c.raw(sent)
        took = c.closed_after(FRAME_S + 4)
        assert took is not None and FRAME_S * 0.5 < took, took


def test_45_slow_drip_does_not_renew_the_deadline(dnsd):
    """The deadline is for the frame, not for each octet of it."""
    wire = query("alice")
    frame = struct.pack("!H", len(wire)) + wire
    with Tcp(dnsd.address) as c:
        begin = time.monotonic()
        for octet in frame[:-1]:
            try:
                c.raw(bytes([octet]))
            except OSError:
                break
            if select.select([c.socket], [], [], 0.3)[0]:
                break
        else:
            c.closed_after(2)
        took = time.monotonic() - begin
        assert took < FRAME_S + 3, took


def test_44_idle_connection(dnsd):
    """Closed after about ten seconds, with or without a question before; asking renews it."""
    with Tcp(dnsd.address) as fresh, Tcp(dnsd.address) as used:
        used.send(query("alice"))
        assert used.receive() is not None
        begin = time.monotonic()
        left = {fresh.socket: "fresh", used.socket: "used"}
        asked = False
        while left and time.monotonic() - begin < 2 * IDLE_S:
            for s in select.select(list(left), [], [], 0.5)[0]:
                if s is used.socket and asked and not s.recv(1, socket.MSG_PEEK) == b"":
                    used.receive()
                    continue
                took = time.monotonic() - begin
                low = IDLE_S * 0.8 if left[s] == "fresh" else IDLE_S * 1.0
                assert low < took < IDLE_S * 1.5 + 3, (left[s], took)
                del left[s]
            if not asked and time.monotonic() - begin > 3:
                used.send(query("alice"))
                asked = True
        assert not left, f"still open: {list(left.values())}"


def test_45_reader_that_never_reads(dnsd):
    """It asks for tens of megabytes and takes none: the daemon stops reading from it, keeps no more
    than its bound, hangs up after the write deadline, and answers everybody else meanwhile."""
    before = memory(dnsd.process.pid)
    wire = query("heavy", "TXT")
    frames = (struct.pack("!H", len(wire)) + wire) * 5000
    with Tcp(dnsd.address, receive_buffer=4096) as c:
        c.socket.setblocking(False)
        begin = time.monotonic()
        sent, stalled, gone = 0, None, False
        while time.monotonic() - begin < 20 and not gone:
            try:
                sent += c.socket.send(frames)
                stalled = None
            except BlockingIOError:
                stalled = stalled or time.monotonic()
            except OSError:
                gone = True
            assert sent < 30_000_000, "it reads on and on from one who takes nothing"
            assert dnsd.ask("alice").an == 1
            assert memory(dnsd.process.pid) - before < 4 * 1024 * 1024
        assert gone, f"never hung up; took {sent} octets of questions"
        assert stalled, "it stopped reading before it hung up"
        assert time.monotonic() - begin < WRITE_S + 10


def memory(pid):
    """Resident octets."""
    with open(f"/proc/{pid}/statm", encoding="ascii") as f:
        return int(f.read().split()[1]) * resource.getpagesize()


@pytest.fixture(scope="module")
def alone(started):
    """One worker: limits of connections count per worker."""
    return started(harness.Dnsd({"dns": {"workers": 1, "ip6": "::1"}}))


@pytest.mark.parametrize("host,source,bystander", [("127.0.0.1", "127.0.0.78", "127.0.0.77"),
                                                   ("::1", "::1", None)], ids=["v4", "v6"])
def test_47_one_client_cannot_take_all(alone, host, source, bystander):
    """Beyond 16 connections of one address its most idle one is closed; others are not touched."""
    address = (host, alone.port)
    other = Tcp(address, source=bystander) if bystander else None
    mine = []

    def served(c):
        c.send(query("lsc"))
        return c.receive() is not None

    try:
        if other:
            assert served(other)
        mine = [Tcp(address, source=source) for _ in range(CLIENT_MAX)]
        assert served(mine[1])
        time.sleep(0.03)  # idleness is what is tested: it must differ by more than the clock's step
        for c in mine[2:]:
            assert served(c)
        assert served(mine[0])  # the oldest, but not the most idle one
        assert open_ones(mine) == CLIENT_MAX
        extra = Tcp(address, source=source)
        mine.append(extra)
        assert served(extra), "the newcomer is served"
        harness.until("one of the old ones is closed", lambda: open_ones(mine) == CLIENT_MAX)
        assert is_closed(mine[1]) and not is_closed(mine[0]) and not is_closed(extra)
        assert not other or served(other), "somebody else's connection was not touched"
    finally:
        for c in mine + ([other] if other else []):
            c.close()


def is_closed(c):
    if not select.select([c.socket], [], [], 0)[0]:
        return False
    try:
        return c.socket.recv(1, socket.MSG_PEEK) == b""
    except ConnectionResetError:
        return True


def open_ones(connections):
    return sum(not is_closed(c) for c in connections)


def test_46_48_over_the_cap_the_most_idle_goes(started):
    """With room for few descriptors: a flood of connections from many addresses, each newcomer is
    served, old idle ones make room, UDP never notices."""
    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
    d = started(harness.Dnsd({"dns": {"workers": 1}}, preexec_fn=few))
    connections = []
    try:
        for i in range(200):
            c = Tcp(d.address, source=f"127.0.1.{i + 1}")
            connections.append(c)
            c.send(query("lsc"))
            assert c.receive() is not None, f"connection {i} was not served"
            assert d.ask("lsc").an == 1
        still = open_ones(connections)
        assert still == 128 // 2, "half of the open files allowed"
        assert not is_closed(connections[-1])
        assert is_closed(connections[0])
        assert len(os.listdir(f"/proc/{d.process.pid}/fd")) <= 128
    finally:
        for c in connections:
            c.close()
    assert d.ask("lsc", tcp=True).an == 1


def test_a_thousand_connections_come_and_go(dnsd):
    for i in range(1000):
        with Tcp(dnsd.address, source=f"127.0.2.{i % 200 + 1}") as c:
            if i % 3 == 0:
                c.send(query("alice"))
            if i % 3 == 1:
                c.raw(b"\0\x20half")
            if i % 6 == 0:
                c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert dnsd.ask("alice", tcp=True).an == 1
    count = lambda: len(os.listdir(f"/proc/{dnsd.process.pid}/fd"))
    harness.until("their descriptors are closed", lambda: count() < 60, 15)


def test_18_every_answer_has_clean_flags(dnsd):
    for name in ("alice", "nobody", "types"):
        for flags in (0, RD):
            got = dnsd.udp(query(name, flags=flags))
            bits = struct.unpack_from("!H", got, 2)[0]
            assert bits & ~0xf == QR | AA | flags
