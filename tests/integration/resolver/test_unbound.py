"""Proven: the world can find us. A real parent zone (NSD, serving example.com) delegates mc.example.com
with NS and glue to the daemon; Unbound, knowing only the parent, resolves every kind of name: user, core
id, lsc, service names, apex, name servers, wildcard, empty non-terminal, NODATA, NXDOMAIN, CNAME,
challenge TXT, and CAA at each of them (NODATA with exactly one SOA, which CAs insist on). It does so
with strict QNAME minimisation and random case, with EDNS of 1232 and of 512, and over TCP only. A
second parent and resolver (Knot, and BIND's) agree.

Glue has no port, so everything listens on port 53: in a network namespace of its own, on loopback
addresses that exist nowhere else. The file therefore runs itself again inside of one."""
import pytest

import harness
from harness import DOMAIN, RD, Reply, ask_tcp, ask_udp, one_soa, query

PARENT, FIRST, SECOND, RESOLVER = "127.0.0.10", "127.0.0.21", "127.0.0.22", "127.0.0.53"

PARENT_ZONE = f"""$ORIGIN example.com.
$TTL 300
@ SOA ns hostmaster 1 3600 600 604800 30
@ NS ns
ns A {PARENT}
mc NS dns1.mc
mc NS dns2.mc
dns1.mc A {FIRST}
dns2.mc A {SECOND}
"""

ROWS = {
    "core-info/core-a": {"id": "core-a", "ip": FIRST, "available": True},
    "core-info/core-b": {"id": "core-b", "ip": SECOND, "available": True},
    "user-core/alice": "core-a",
    "user-core/bobby": "core-b",
    "dns-record/*.wild": {"a": ["192.0.2.20"], "txt": ["wild"]},
    "dns-record/host.wild": {"a": ["192.0.2.21"]},
    "dns-record/b.ent.wild": {"a": ["192.0.2.22"], "aaaa": ["2001:db8::22"]},
    "dns-record/deep.er.still.much": {"a": ["192.0.2.23"]},
    "dns-record/al": {"cname": "core-a"},
    "dns-record/dangling": {"cname": f"missing.{DOMAIN}"},
    "dns-record/towild": {"cname": f"some.wild.{DOMAIN}"},
    "dns-record/_acme-challenge": {"txt": ["for-apex", "for-wildcard"]},
    "dns-record/x._acct._acme-challenge": {"txt": ["account"]},
    "dns-record/big": {"txt": ["%03d" % i + "x" * 197 for i in range(40)]},
    "dns-record/_443._tcp.www": {"tlsa": ["3 1 1 " + "ab" * 32]},
    "dns-record/mail": {"a": ["192.0.2.33"]},
    "dns-record/@": {"mx": [{"exchange": f"mail.{DOMAIN}", "priority": 10}]},
    "dns-record/issuer": {"caa": [{"flags": 0, "tag": "issue", "value": "ca.example.org"}]},
    "dns-record/service": {"https": ["1 . alpn=h2"]},
}

# name, type, rcode, the data of the answer without order (None: negative)
NAMES = [
    ("alice", "A", "NOERROR", [FIRST]),
    ("alice", "AAAA", "NOERROR", None),
    ("bobby", "A", "NOERROR", [SECOND]),
    ("bobby", "TXT", "NOERROR", None),
    ("core-a", "A", "NOERROR", [FIRST]),
    ("core-b", "A", "NOERROR", [SECOND]),
    ("lsc", "A", "NOERROR", [FIRST, SECOND]),
    ("lsc", "AAAA", "NOERROR", None),
    ("reg", "A", "NOERROR", [FIRST, SECOND]),
    ("access", "A", "NOERROR", [FIRST, SECOND]),
    ("mfa", "A", "NOERROR", [FIRST, SECOND]),
    ("@", "A", "NOERROR", [FIRST, SECOND]),
    ("@", "NS", "NOERROR", ["dns1", "dns2"]),
    ("@", "MX", "NOERROR", ["10 mail"]),
    ("@", "TXT", "NOERROR", None),
    ("dns1", "A", "NOERROR", [FIRST]),
    ("dns2", "A", "NOERROR", [SECOND]),
    ("nope.wild", "A", "NOERROR", ["192.0.2.20"]),
    ("q.w.e.wild", "TXT", "NOERROR", ['"wild"']),
    ("nope.wild", "MX", "NOERROR", None),
    ("host.wild", "A", "NOERROR", ["192.0.2.21"]),
    ("host.wild", "TXT", "NOERROR", None),
    ("a.host.wild", "A", "NXDOMAIN", None),
    ("ent.wild", "A", "NOERROR", None),
    ("zz.ent.wild", "A", "NXDOMAIN", None),
    ("b.ent.wild", "AAAA", "NOERROR", ["2001:db8::22"]),
    ("wild", "A", "NOERROR", None),
    ("much", "A", "NOERROR", None),
    ("deep.er.still.much", "A", "NOERROR", ["192.0.2.23"]),
    ("nobody", "A", "NXDOMAIN", None),
    ("x.nobody", "A", "NXDOMAIN", None),
    ("x.alice", "A", "NXDOMAIN", None),
    ("al", "A", "NOERROR", ["core-a", FIRST]),
    ("al", "AAAA", "NOERROR", ["core-a"]),
    ("towild", "A", "NOERROR", [f"some.wild", "192.0.2.20"]),
    ("dangling", "A", "NXDOMAIN", ["missing"]),
    ("_acme-challenge", "TXT", "NOERROR", ['"for-apex"', '"for-wildcard"']),
    ("x._acct._acme-challenge", "TXT", "NOERROR", ['"account"']),
    ("_acct._acme-challenge", "TXT", "NOERROR", None),
    ("_443._tcp.www", "TLSA", "NOERROR", ["3 1 1 " + "ab" * 32]),
    ("_tcp.www", "TLSA", "NOERROR", None),
    ("service", "HTTPS", "NOERROR", ['1 . alpn="h2"']),
    ("issuer", "CAA", "NOERROR", ['0 issue "ca.example.org"']),
]

MODES = {
    "edns 1232": "  edns-buffer-size: 1232\n",
    "edns 512": "  edns-buffer-size: 512\n",
    "tcp only": "  do-udp: no\n",
}

STRICT = """  qname-minimisation: yes
  qname-minimisation-strict: yes
  use-caps-for-id: yes
  harden-below-nxdomain: yes
  harden-glue: yes
  harden-algo-downgrade: no
  target-fetch-policy: "0 0 0 0 0"
  private-domain: "example.com"
"""

if not harness.INSIDE:

    def test_in_a_network_of_its_own():
        harness.rerun_in_namespace(__file__, "-n")

else:

    @pytest.fixture(scope="module")
    def dnsd(started):
        harness.loopback_up()
        started(harness.Nsd({"example.com": PARENT_ZONE}, address=PARENT, port=53))
        d = harness.Dnsd({"core": {"ip": FIRST, "ipv6": None},
                          "dns": {"ip": [FIRST, SECOND], "port": 53}})
        d.host = FIRST
        started(d)
        d.rows(ROWS)
        return d

    @pytest.fixture(scope="module", params=MODES, ids=[m.replace(" ", "-") for m in MODES])
    def resolver(request, dnsd):
        """Asked over TCP: that it can pass on what we say is no matter of its own UDP side."""
        assert dnsd.process.alive()
        unbound = harness.Unbound({"example.com": PARENT}, address=RESOLVER, port=53,
                                  extra=STRICT + MODES[request.param]).start()

        def resolve(name, qtype):
            got = ask_tcp(unbound.address, query(name, qtype, flags=RD, edns=1232), deadline_s=8)
            assert got is not None, f"no answer from Unbound:\n{unbound.process.log()[-3000:]}"
            return Reply(got)

        yield resolve
        unbound.stop()

    @pytest.mark.parametrize("name,qtype,rcode,data", NAMES, ids=[f"{n}-{t}" for n, t, _, _ in NAMES])
    def test_resolves(resolver, name, qtype, rcode, data):
        reply = resolver(name, qtype)
        assert reply.rcode == rcode, reply
        assert sorted(line.split(None, 3)[3] for line in reply.answer) == sorted(data or []), reply
        if data is None or rcode == "NXDOMAIN":
            soas = [line for line in reply.authority if " SOA " in line]
            assert len(soas) == 1 and soas[0].startswith("@ "), reply
            assert int(soas[0].split()[1]) <= 30, reply

    EXISTING = sorted({name for name, _, rcode, _ in NAMES if rcode == "NOERROR"} - {"issuer"})

    @pytest.mark.parametrize("name", EXISTING)
    def test_caa_nodata_has_one_soa(resolver, dnsd, name):
        """What a CA asks before it issues; a missing or doubled SOA is SERVFAIL there."""
        reply = resolver(name, "CAA")
        assert reply.rcode == "NOERROR", reply
        assert len([line for line in reply.authority if " SOA " in line]) == 1, reply
        assert not [line for line in reply.answer if " CNAME " not in line], reply
        direct = Reply(ask_udp((FIRST, 53), query(name, "CAA", edns=512)))
        one_soa(direct)
        assert direct.aa and not dnsd.process.log().count("error")

    def test_forty_text_values(resolver, dnsd):
        """8.7 KB: TC on UDP whatever the resolver offers, everything over TCP, and through it."""
        for edns in (512, 1232):
            reply = Reply(ask_udp((SECOND, 53), query("big", "TXT", edns=edns)))
            assert reply.tc and reply.an == 0, reply
        assert Reply(ask_tcp((SECOND, 53), query("big", "TXT"))).an == 40
        reply = resolver("big", "TXT")
        assert reply.rcode == "NOERROR" and reply.an == 40 and not reply.tc
        assert dnsd.process.alive()

    def test_a_new_user_resolves_at_once(resolver, dnsd):
        """Not asked for before, so nothing is cached: seen as soon as it is written."""
        name = f"newcomer-{dnsd._settled}"
        dnsd.rows({f"user-core/{name}": "core-b"})
        reply = resolver(name, "A")
        assert reply.answer and reply.answer[0].split()[3] == SECOND, reply

    def test_knot_as_parent_and_bind_as_resolver(dnsd):
        """Other programs on both sides of the delegation."""
        assert dnsd.process.alive()
        parent = harness.Knot({"example.com": PARENT_ZONE.replace(PARENT, "127.0.0.11")},
                              address="127.0.0.11", port=53).start()
        resolver = harness.BindResolver({"example.com": "127.0.0.11"}, address="127.0.0.1",
                                        port=53).start()
        try:
            for name, qtype, rcode, data in NAMES:
                reply = Reply(ask_tcp(resolver.address, query(name, qtype, flags=RD, edns=1232), 8))
                assert reply.rcode == rcode, (name, qtype, reply)
                assert sorted(line.split(None, 3)[3] for line in reply.answer) == \
                    sorted(data or []), (name, qtype, reply)
        finally:
            resolver.stop()
            parent.stop()
