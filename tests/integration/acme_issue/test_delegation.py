"""Proven: issuance through a real delegation. A root and a parent zone (NSD) lead to the core, Unbound
follows them from the root, and both Pebbles ask Unbound. What the core asks before it orders it asks the
parent's servers and every name server they list: a parent that does not delegate, or lists one that
does not answer or has no address, or says that the zone is signed, or a CAA record above that forbids,
is told by name, and costs the CA not one order (or
not one challenge). Mended, it goes on.

Glue has no port, so everything listens on port 53: in a network namespace of its own, on loopback
addresses that exist nowhere else. The file therefore runs itself again inside of one."""
import pytest

import acme
import harness
from acme import NAMES
from harness import DOMAIN, until

ROOT, PARENT, CORE, RESOLVER = "127.0.0.9", "127.0.0.10", "127.0.0.21", "127.0.0.53"
DEAD = "127.0.0.99"

ROOT_ZONE = f"""$ORIGIN .
$TTL 60
@ SOA ns. hostmaster. 1 3600 600 604800 5
@ NS ns.
ns A {ROOT}
com NS ns.
"""

COM_ZONE = f"""$ORIGIN com.
$TTL 60
@ SOA ns. hostmaster. 1 3600 600 604800 5
@ NS ns.
example NS ns.example
ns.example A {PARENT}
"""


def parent_zone(delegation):
    return f"""$ORIGIN example.com.
$TTL 1
@ SOA ns hostmaster 1 3600 600 604800 1
@ NS ns
ns A {PARENT}
{delegation}"""


GOOD = f"mc NS dns1.mc\ndns1.mc A {CORE}\n"
TWO = GOOD + f"mc NS dns2.mc\ndns2.mc A {DEAD}\n"

if not harness.INSIDE:

    def test_in_a_namespace():
        harness.rerun_in_namespace(__file__, "-n", deadline_s=560)

else:

    class Tree:
        """Root, com, parent and a resolver that begins at the root."""

        def __init__(self, delegation=GOOD):
            harness.loopback_up()
            self.running = [
                harness.Nsd({".": ROOT_ZONE, "com": COM_ZONE}, address=ROOT, port=53).start()]
            self.delegate(delegation)
            self.resolver = harness.Unbound({".": ROOT}, address=RESOLVER, port=53, extra=(
                "  qname-minimisation: yes\n  harden-glue: yes\n  infra-host-ttl: 1\n"
                "  cache-max-negative-ttl: 0\n  cache-max-ttl: 0\n")).start()
            self.running.append(self.resolver)

        def delegate(self, delegation):
            """The parent as it is from now on."""
            for server in [s for s in self.running if s.address[0] == PARENT]:
                server.stop()
                self.running.remove(server)
            self.running.append(
                harness.Nsd({"example.com": parent_zone(delegation)}, address=PARENT, port=53).start())

        def stop(self):
            for server in reversed(self.running):
                server.stop()

    @pytest.fixture
    def tree():
        made = Tree()
        yield made
        made.stop()

    def core(**more):
        dnsd = acme.Renewing(lets_encrypt=acme.merged(
            {"checkDelegation": True, "resolvers": [RESOLVER]}, more),
            config={"core": {"ip": CORE}, "dns": {"ip": CORE, "port": 53}})
        dnsd.host = CORE
        dnsd.dns = (CORE, 53)
        return dnsd

    @pytest.mark.parametrize("path", acme.pebbles())
    def test_issues(tree, started, path):
        dnsd = core()
        ca = started(acme.Pebble(path, dns=(RESOLVER, 53)))
        dnsd.use(ca).start()
        try:
            serial = dnsd.wait_issued(ca, ports=[dnsd.https])
            acme.verify(acme.shown(("127.0.0.1", dnsd.https), ca.root_file), ca.roots()[0], NAMES)
            assert ca.issued() == [serial] and ca.orders() == 1 and ca.invalid() == 0
            dnsd.no_proofs_left()
        finally:
            dnsd.stop()

    @pytest.mark.parametrize("delegation,told", [
        ("", "missing at its parent"),   # nobody leads to us
        (TWO, DEAD + "|dns2"),           # a name server that is not there: proved for two minutes
        (GOOD + "mc DS 4711 13 2 " + "ab" * 32 + "\n", "DS record"),
        ("mc NS dns1.mc\nmc NS dns2.mc\ndns1.mc A " + CORE + "\n", "dns2.* address"),
    ], ids=["none", "dead one", "signed", "no glue"])
    def test_wrong_delegation(tree, started, delegation, told):
        tree.delegate(delegation)
        dnsd = core()
        ca = started(acme.Pebble(acme.newest(), dns=(RESOLVER, 53)))
        dnsd.use(ca).start()
        try:
            found = until("the status names it", lambda: acme.matched(told, dnsd.trouble()), 180, 0.2)
            print(found)
            assert ca.requests("POST /chalZ/") == 0 and ca.invalid() == 0 and not ca.issued()
            if delegation != TWO:
                assert ca.orders() == 0
            tree.delegate(GOOD)
            dnsd.force("backoff")  # the operator knows that it is mended
            dnsd.wait_issued(ca, deadline_s=120, ports=[dnsd.https])
            assert ca.invalid() == 0
        finally:
            dnsd.stop()

    def test_caa_above_forbids(tree, started):
        tree.delegate(GOOD + '@ CAA 0 issue "other.example"\n')
        dnsd = core(caa="off")
        ca = started(acme.Pebble(acme.newest(), dns=(RESOLVER, 53)))
        dnsd.use(ca).start()
        try:
            until("the status says CAA", lambda: acme.matched("CAA", dnsd.trouble()), 60, 0.2)
            assert ca.orders() == 0 and ca.requests("POST /chalZ/") == 0
        finally:
            dnsd.stop()

    def test_own_caa_is_nearer(tree, started):
        """The one that the core makes for its domain names the CA, and is what counts."""
        tree.delegate(GOOD + '@ CAA 0 issue "other.example"\n')
        dnsd = core()
        ca = started(acme.Pebble(acme.newest(), dns=(RESOLVER, 53)))
        dnsd.use(ca).start()
        try:
            dnsd.wait_issued(ca, ports=[dnsd.https])
            records = [line.split(" ", 3)[3] for line in dnsd.ask("@", "CAA").answer]
            account = dnsd.table("acme_account")[0]["url"]
            # Without an issuewild record it is for wildcards too (RFC 8659 §4.3).
            assert records == [f'0 issue "pebble.letsencrypt.org; accounturi={account}; '
                               'validationmethods=dns-01"'], records
            assert dnsd.ask(DOMAIN + ".", "CAA").aa
        finally:
            dnsd.stop()
