"""Proven: none of the predecessor's defects came along. One test per finding: suffix match without a
label boundary, no AA, no SOA, answers to answers, records of the query echoed, ANY, the 18 octets that
hung it for ever, labels over 63, EDNS ignored, CNAME only for A, JavaScript's own member names taken
for users, upper-case rows that never match, unavailable cores in the service names, a stored `lsc`
drifting from the real one, unescaped mail addresses in the SOA, broken encoders, and one bad stored
record that killed the process."""
import os
import struct

import pytest

import harness
from harness import AA, DOMAIN, QR, RD, Reply, header, name_wire, one_soa, query, question

ROWS = {
    "core-info/core-a": {"id": "core-a", "ip": "192.0.2.1", "ipv6": "2001:db8::1", "available": True},
    "core-info/core-b": {"id": "core-b", "ip": "192.0.2.2", "ipv6": "2001:db8::2", "available": False},
    "core-info/Core-UP": {"id": "Core-UP", "ip": "192.0.2.3", "ipv6": "2001:db8::3",
                          "available": False},
    "user-core/alice": "core-a",
    "user-core/stranded": "core-gone",
    "user-core/bobby": "core-b",
    "dns-record/lsc": {"a": ["203.0.113.99"]},
    "dns-record/Www.UPPER": {"a": ["192.0.2.40"]},
    "dns-record/al": {"cname": "Core-A.MC.example.com"},
    "dns-record/two": {"cname": "core-a", "a": ["192.0.2.41"]},
    "dns-record/long": {"txt": ["x" * 300]},
    "dns-record/edge": {"txt": ["y" * 255, "z" * 256]},
    "dns-record/mapped": {"aaaa": ["::ffff:10.0.0.1"]},
    "dns-record/mx": {"mx": [{"exchange": "mail.example.org", "priority": 0}]},
    "dns-record/before": {"a": ["192.0.2.50"]},
}


@pytest.fixture(scope="module")
def dnsd(started):
    d = started(harness.Dnsd({
        "letsEncrypt": {"email": "host.master@example.org"},
        "dns": {"staticEntries": {"Static.UP": {"a": "192.0.2.45"}}}}))
    d.rows(ROWS)
    return d


def test_01_aa_is_set(dnsd):
    for name in ("alice", "nobody", "@", "al", "core-a"):
        assert dnsd.ask(name).aa, name


def test_02_negative_answers_carry_the_soa(dnsd):
    for name, qtype, rcode in [("alice", "TXT", "NOERROR"), ("nobody", "A", "NXDOMAIN")]:
        reply = dnsd.ask(name, qtype)
        assert reply.rcode == rcode and not reply.answer
        one_soa(reply)


def test_03_tcp_answers(dnsd):
    assert dnsd.ask("alice", tcp=True).answer == ["alice 300 A 192.0.2.1"]


def test_04_edns_is_answered_only_if_asked(dnsd):
    assert dnsd.ask("alice").edns == -1
    reply = dnsd.ask("alice", edns=4096, do=True)
    assert (reply.edns, reply.payload, reply.dnssec_ok) == (0, 1232, True)


def test_05_an_answer_is_not_answered(dnsd):
    assert dnsd.udp(query("alice", flags=QR), deadline_s=harness.SILENCE_S) is None


EVIL = (b"\x04evil\x04test\x00" + struct.pack("!HHIH", 1, 1, 600, 4) + bytes([6, 6, 6, 6]))


@pytest.mark.parametrize("an,ns,ar", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1), (3, 0, 0)])
def test_06_records_of_the_query_are_not_echoed(dnsd, an, ns, ar):
    wire = header(an=an, ns=ns, ar=ar) + question("alice") + EVIL * (an + ns + ar)
    got = dnsd.udp(wire)
    assert got is not None
    assert b"evil" not in got and bytes([6, 6, 6, 6]) not in got
    reply = Reply(got)
    assert reply.rcode in ("FORMERR", "NOERROR")
    assert reply.answer in ([], ["alice 300 A 192.0.2.1"])


def test_07_eighteen_octets(dnsd):
    """The name that points at itself, and its relatives: FORMERR at once, and life goes on."""
    self_pointing = header() + b"\xc0\x0c" + struct.pack("!HH", 1, 1)
    assert len(self_pointing) == 18
    others = [header() + b"\xc0\x0e\xc0\x0c" + struct.pack("!HH", 1, 1),
              header() + b"\x01a\xc0\x0c" + struct.pack("!HH", 1, 1),
              header() + b"\xff\xff" + struct.pack("!HH", 1, 1),
              header(ar=1) + question("alice") + b"\xc0\x0c",
              header(an=1) + question("alice") + b"\xc0\x1c" * 40]
    for wire in [self_pointing] + others:
        for got in (dnsd.udp(wire), dnsd.tcp(wire)):
            assert got is not None and got[3] & 15 == 1, wire
    assert dnsd.ask("alice").an == 1


@pytest.mark.parametrize("length", [64, 100, 127, 128, 191, 255])
def test_07_label_over_63(dnsd, length):
    wire = header() + bytes([length]) + b"a" * length + name_wire("@") + struct.pack("!HH", 1, 1)
    assert dnsd.udp(wire) == header(flags=QR | 1, qd=0)


def test_07_name_limits(dnsd):
    """255 octets are a name, 256 are not; 127 labels are no trouble."""
    room = 255 - len(name_wire("@"))
    longest = b""
    while room - len(longest) > 64:
        longest += b"\x3f" + b"a" * 63
    longest += bytes([room - len(longest) - 1]) + b"b" * (room - len(longest) - 1)
    assert len(longest) == room
    tail = name_wire("@") + struct.pack("!HH", 1, 1)
    assert Reply(dnsd.udp(header() + longest + tail)).rcode == "NXDOMAIN"
    assert dnsd.udp(header() + longest + b"\x01a" + tail) == header(flags=QR | 1, qd=0)
    labels = b"\x01a" * ((255 - len(name_wire("@"))) // 2)
    assert Reply(dnsd.udp(header() + labels + tail)).rcode == "NXDOMAIN"


@pytest.mark.parametrize("name", [f"evi{'x' + DOMAIN[1:]}.", f"x{DOMAIN}.", f"alice{DOMAIN}.",
                                  f"alice.x{DOMAIN}.", "alice.", "example.com."])
def test_08_11_suffix_without_label_boundary(dnsd, name):
    reply = Reply(dnsd.udp(query(name)))
    assert (reply.rcode, reply.flags) == ("REFUSED", "QR"), reply
    assert (reply.an, reply.ns, reply.ar) == (0, 0, 0)


def test_10_any_is_small(dnsd):
    """One HINFO instead of everything there is (RFC 8482 §4.2)."""
    for name in ("@", "alice", "edge"):
        reply = dnsd.ask(name, "ANY")
        owner = name
        assert len(reply.answer) == 1 and reply.answer[0].split()[0] == owner, reply
        assert reply.answer[0].split()[2:] == ["HINFO", '"RFC8482"', '""'], reply
        assert len(reply.wire) < 120


@pytest.mark.parametrize("qtype", ["A", "AAAA", "TXT", "MX", "CAA", "HTTPS", "CNAME", 65280])
def test_12_cname_for_every_type(dnsd, qtype):
    reply = dnsd.ask("al", qtype)
    assert reply.rcode == "NOERROR" and reply.answer[0].lower() == "al 300 cname core-a", reply
    if qtype == "A":
        assert [line.lower() for line in reply.answer[1:]] == ["core-a 300 a 192.0.2.1"], reply


def test_12_cname_and_other_data(dnsd):
    """Such a row is not served as both (RFC 2181 §10.1), and the log says which row it is."""
    types = {line.split()[2] for qtype in ("A", "CNAME") for line in dnsd.ask("two", qtype).answer
             if line.split()[0] == "two"}
    assert types in ({"A"}, {"CNAME"}, set()), types
    assert any("two" in line and "CNAME" in line.upper() for line in dnsd.process.lines), \
        dnsd.process.log()


@pytest.mark.parametrize("name", ["reg", "access", "mfa"])
def test_13_unavailable_cores_are_not_advertised(dnsd, name):
    assert [line.split()[3] for line in dnsd.ask(name).answer] == ["192.0.2.1"]
    assert [line.split()[3] for line in dnsd.ask(name, "AAAA").answer] == ["2001:db8::1"]


def test_13_their_users_still_resolve(dnsd):
    assert dnsd.ask("bobby").answer == ["bobby 300 A 192.0.2.2"]
    assert dnsd.ask("core-b").answer == ["core-b 300 A 192.0.2.2"]


def test_14_lsc_is_the_cores_not_a_stored_row(dnsd):
    reply = dnsd.ask("lsc")
    assert sorted(reply.answer) == [f"lsc 5 A 192.0.2.{i}" for i in (1, 2, 3)], reply
    reply = dnsd.ask("lsc", "AAAA")
    assert sorted(reply.answer) == [f"lsc 5 AAAA 2001:db8::{i}" for i in (1, 2, 3)], reply


@pytest.mark.parametrize("name", ["constructor", "__proto__", "toString", "hasOwnProperty", "prototype",
                                  "valueOf", "length"])
def test_15_member_names_of_objects_are_no_users(dnsd, name):
    reply = dnsd.ask(name)
    assert (reply.rcode, reply.answer) == ("NXDOMAIN", []), reply
    one_soa(reply)


def test_16_case_of_rows_does_not_matter(dnsd):
    for name in ("www.upper", "WWW.Upper", "wWw.uPPER"):
        assert dnsd.ask(name).answer == [f"{name} 300 A 192.0.2.40"]
    for name in ("static.up", "STATIC.UP"):
        assert dnsd.ask(name).answer == [f"{name} 300 A 192.0.2.45"]
    for name in ("core-up", "CORE-UP"):
        assert dnsd.ask(name).answer == [f"{name} 300 A 192.0.2.3"]


def test_16_owner_keeps_the_case_asked(dnsd):
    wire = query("ALiCe")
    got = dnsd.udp(wire)
    assert got[12:12 + len(wire) - 12] == wire[12:]
    assert Reply(got).answer == ["ALiCe 300 A 192.0.2.1"]


def test_17_mail_address_in_the_soa(dnsd):
    """The dot of the local part is escaped, else the mail goes to the wrong mailbox."""
    rname = dnsd.ask("@", "SOA").answer[0].split()[4]
    assert rname == "host\\.master.example.org.", rname


def test_18_every_core_is_a_name_server(dnsd):
    targets = [line.split()[3] for line in dnsd.ask("@", "NS").answer]
    assert len(targets) == 3, targets
    addresses = {line.split()[3] for target in targets for line in dnsd.ask(target).answer}
    assert addresses == {"192.0.2.1", "192.0.2.2", "192.0.2.3"}


def test_19_user_of_a_missing_core(dnsd):
    """The user exists, its core's row does not: no address, but not "no such name" either, which
    would be cached against a user that is there (facts (b) rank 9)."""
    reply = dnsd.ask("stranded")
    assert (reply.rcode, reply.answer) == ("NOERROR", []), reply
    one_soa(reply)


def test_20_text_over_255_is_split(dnsd):
    reply = dnsd.ask("long", "TXT", edns=1232)
    assert reply.answer == [f'long 300 TXT "{"x" * 255}" "{"x" * 45}"'], reply
    reply = dnsd.ask("edge", "TXT", edns=1232)
    assert sorted(reply.answer) == [f'edge 300 TXT "{"y" * 255}"',
                                    f'edge 300 TXT "{"z" * 255}" "z"'], reply


def test_20_mapped_address_has_16_octets(dnsd):
    got = dnsd.udp(query("mapped", "AAAA"))
    assert got.endswith(struct.pack("!H", 16) + bytes(10) + b"\xff\xff" + bytes([10, 0, 0, 1]))


def test_20_mx_priority_zero(dnsd):
    assert dnsd.ask("mx", "MX").answer == ["mx 300 MX 0 mail.example.org."]


BAD = {
    "a number for an address": {"a": [123]},
    "IPv6 text in a": {"a": ["2001:db8::1"]},
    "octets over 255": {"a": ["1.2.3.256"]},
    "null": {"a": None},
    "an object for a list": {"a": {"x": 1}},
    "nested lists": {"txt": [["a"]]},
    "empty cname": {"cname": ""},
    "cname that is no name": {"cname": "a..b"},
    "a label of 64": {"cname": "a" * 64},
    "mx without exchange": {"mx": [{"priority": 1}]},
    "negative ttl": {"a": ["192.0.2.1"], "ttl": -1},
    "unknown type": {"nonsense": ["x"]},
    "not an object": [1, 2],
    "not JSON": "{\"a\": [",
    "empty text": "",
    "a number": "7",
    "deep": "[" * 5000,
    "not UTF-8 escapes": "{\"txt\": [\"\\ud800\"]}",
    "a NUL": "{\"txt\": [\"a\\u0000b\"]}",
}


@pytest.mark.parametrize("value", BAD.values(), ids=BAD.keys())
def test_21_one_bad_record_stops_nothing(dnsd, value):
    """Written beside good rows in one transaction: the daemon lives, the good rows are served, old
    answers stay, and nothing of the bad value turns up."""
    mark = dnsd.process.mark()
    dnsd.rows({"dns-record/bad": value, "dns-record/good": {"a": ["192.0.2.60"]}})
    assert dnsd.process.alive()
    assert dnsd.ask("good").answer == ["good 300 A 192.0.2.60"]
    assert dnsd.ask("before").answer == ["before 300 A 192.0.2.50"]
    reply = dnsd.ask("bad")
    assert reply.rcode in ("NOERROR", "NXDOMAIN"), reply
    if "192.0.2.1" not in str(value):
        assert not [line for line in reply.answer if " A " in line], reply
    if value not in (BAD["a NUL"], BAD["null"]):  # a fine TXT, and as good as not there
        dnsd.process.wait_log("bad", since=mark)
    dnsd.rows({"dns-record/bad": None, "dns-record/good": None})
    assert dnsd.ask("good").rcode == "NXDOMAIN"


BAD_KEYS = ["dns-record/", "dns-record/..", "dns-record/a..b", "dns-record/" + "a" * 64,
            "dns-record/" + "a." * 130, "dns-record/sp ace", "dns-record/ünïcode", "dns-record/a.*.b",
            "dns-record/.", "user-core/", "user-core/a.b", "user-core/" + "u" * 64, "user-core/ü",
            "core-info/", "core-info/a b", "core-info/x.y", "unknown-prefix/zzz", "dns-record"]


@pytest.mark.parametrize("key", BAD_KEYS)
def test_21_one_bad_key_stops_nothing(dnsd, key):
    value = "core-a" if key.startswith("user") else {"a": ["192.0.2.61"], "ip": "192.0.2.61"}
    dnsd.rows({key: value, "dns-record/good": {"a": ["192.0.2.62"]}})
    assert dnsd.process.alive()
    assert dnsd.ask("good").answer == ["good 300 A 192.0.2.62"]
    assert dnsd.ask("before").answer == ["before 300 A 192.0.2.50"]
    dnsd.rows({key: None, "dns-record/good": None})


@pytest.mark.parametrize("value", [{"ip": "nonsense"}, {"ip": 7}, [], "{", {"ip": "192.0.2.1",
                                   "available": "perhaps"}, {"cname": ""}])
def test_21_one_bad_core_stops_nothing(dnsd, value):
    dnsd.rows({"core-info/core-z": value})
    assert dnsd.process.alive()
    assert dnsd.ask("alice").answer == ["alice 300 A 192.0.2.1"]
    dnsd.rows({"core-info/core-z": None})


def test_22_a_core_keeps_its_name(dnsd):
    dnsd.rows({"user-core/core-a": "core-b"})
    assert dnsd.ask("core-a").answer == ["core-a 300 A 192.0.2.1"]
    dnsd.rows({"user-core/core-a": None})


def test_24_the_first_answer_is_right():
    """Once it says ready, no name is missing: there is no window before the first refresh, with or
    without a snapshot of the last run."""
    d = harness.Dnsd().start()
    d.rows({"user-core/alice": "core-a"})
    d.stop()
    for forget in (False, True):
        if forget:
            for name in os.listdir(d.folder):
                if "snap" in name:
                    os.unlink(os.path.join(d.folder, name))
        d.start()
        reply = Reply(d.udp(query("alice")))
        d.stop()
        assert reply.answer == ["alice 300 A 192.0.2.1"], reply


def test_header_of_an_error_has_no_aa(dnsd):
    got = dnsd.udp(header(flags=RD, qd=0))
    assert not struct.unpack_from("!H", got, 2)[0] & AA
