"""Proven: what a directory wants or offers beyond the plain way. External account binding is given where it
is required, and a wrong key is told and not tried in a loop; profiles are ordered if they are offered;
the preferred chain is the one shown; a chain of three is whole; a first certificate is rehearsed at
the staging directory, in an account of its own."""
import base64
import json
import os

import pytest

import acme
from acme import NAMES
from harness import DOMAIN, until

EAB_KEY = base64.urlsafe_b64encode(os.urandom(32)).rstrip(b"=").decode()


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("path", acme.pebbles())
def test_external_account(started, path, padded):
    key = EAB_KEY + "=" * (-len(EAB_KEY) % 4) if padded else EAB_KEY
    dnsd = acme.Renewing(lets_encrypt={"eab": {"kid": "kid-1", "hmacKey": key}})
    ca = started(acme.Pebble(path, dns=dnsd.dns, eab={"kid-1": EAB_KEY}))
    started(dnsd.use(ca))
    dnsd.wait_issued(ca)
    assert EAB_KEY not in dnsd.process.log()


@pytest.mark.parametrize("eab", [None, {"kid": "kid-2", "hmacKey": EAB_KEY}], ids=["none", "unknown"])
def test_external_account_is_wrong(started, eab):
    dnsd = acme.Renewing(lets_encrypt={"eab": eab} if eab else {})
    ca = started(acme.Pebble(dns=dnsd.dns, eab={"kid-1": EAB_KEY}))
    started(dnsd.use(ca))
    until("the status tells", lambda: acme.matched("external ?account|kid|binding", dnsd.trouble()), 30, 0.1)
    tries = ca.requests("POST /sign-me-up")
    # A minute of backoff is 1.2 s here, ten are 12: not more than two tries until the status was asked
    # a few times.
    assert tries <= 3 and ca.orders() == 0, ca.process.log()
    assert dnsd.ask("core-a").rcode == "NOERROR"


PROFILES = {"classic": 90 * 86400, "tlsserver": 45 * 86400, "shortlived": 160 * 3600}


@pytest.mark.parametrize("wanted,got", [(None, "tlsserver"), ("auto", "tlsserver"),
                                        ("shortlived", "shortlived"), ("classic", "classic")])
def test_profile(started, wanted, got):
    dnsd = acme.Renewing(lets_encrypt={"profile": wanted} if wanted else {})
    ca = started(acme.Pebble(acme.newest(), dns=dnsd.dns, profiles=PROFILES))
    started(dnsd.use(ca))
    dnsd.wait_issued(ca)
    row = dnsd.certificate()
    begin, end = acme.dates(row["certPem"])
    assert abs(end - begin - PROFILES[got]) < 5, (begin, end)


def test_no_profiles_offered(started):
    """Debian's Pebble has none: one that is named is not replaced by whatever the CA thinks best, and
    nothing is ordered; without a name nothing is asked for."""
    dnsd = acme.Renewing(lets_encrypt={"profile": "shortlived"})
    ca = started(acme.Pebble(acme.pebbles()[0], dns=dnsd.dns))
    started(dnsd.use(ca))
    problem = acme.until("the problem is shown", lambda: json.loads(
        dnsd.dnsctl("status", "--json", expect=None).out)["managed"]["problem"])
    assert problem["type"] == "profile" and "'shortlived'" in problem["text"], problem
    assert ca.orders() == 0
    dnsd.stop()
    other = acme.Renewing()
    ca = started(acme.Pebble(acme.pebbles()[0], dns=other.dns))
    started(other.use(ca))
    other.wait_issued(ca)


@pytest.mark.parametrize("path", acme.pebbles())
def test_preferred_chain(started, path):
    dnsd = acme.Renewing()
    ca = started(acme.Pebble(path, dns=dnsd.dns, alternate_roots=2, chain_length=3))
    wanted = acme.subject(ca.roots()[2])
    dnsd.own = {"preferredChain": wanted}
    started(dnsd.use(ca))
    dnsd.wait_issued(ca)
    root_file = os.path.join(dnsd.folder, "root-2.pem")
    with open(root_file, "w", encoding="ascii") as out:
        out.write(ca.roots()[2])
    chain = acme.shown(("127.0.0.1", dnsd.https), root_file, DOMAIN)
    assert len(chain) == 4
    acme.verify(chain, ca.roots()[2], NAMES)
    with pytest.raises(AssertionError):
        acme.verify(chain, ca.roots()[0], NAMES)


def test_preferred_chain_is_not_there(started):
    """Then it is the default one."""
    dnsd = acme.Renewing(lets_encrypt={"preferredChain": "A Root Of Another World"})
    ca = started(acme.Pebble(dns=dnsd.dns, alternate_roots=1))
    started(dnsd.use(ca))
    dnsd.wait_issued(ca)
    acme.verify(acme.shown(("127.0.0.1", dnsd.https), ca.root_file, DOMAIN), ca.roots()[0], NAMES)


def test_rehearsal(started):
    dnsd = acme.Renewing()
    staging = started(acme.Pebble(dns=dnsd.dns))
    ca = acme.Pebble(dns=dnsd.dns)
    ca.ca_file = staging.ca_file  # one file is trusted: both show certificates of the same authority
    ca.config.update({key: staging.config[key] for key in ("certificate", "privateKey")})
    ca.trust = staging.trust
    started(ca)
    dnsd.own = {"stagingUrl": staging.url}
    started(dnsd.use(ca))
    serial = dnsd.wait_issued(ca)
    assert staging.orders() == 1 and len(staging.issued()) == 1 and ca.issued() == [serial]
    accounts = {row["directory"]: row["url"] for row in dnsd.table("acme_account")}
    assert set(accounts) == {staging.url, ca.url} and len(set(accounts.values())) == 2, accounts
    kinds = [row["kind"] for row in dnsd.table("acme_attempt")]
    assert "rehearsal" in kinds and "certificate" in kinds, kinds
    # Not again: the way is known to be free.
    dnsd.force()
    dnsd.wait_issued(ca, 2)
    assert staging.orders() == 1


def test_rehearsal_fails(started):
    """The real directory is not asked for anything while staging does not work."""
    dnsd = acme.Renewing()
    staging = started(acme.Pebble(dns=dnsd.dns, blocked=[DOMAIN]))
    ca = acme.Pebble(dns=dnsd.dns)
    ca.ca_file = staging.ca_file
    ca.config.update({key: staging.config[key] for key in ("certificate", "privateKey")})
    ca.trust = staging.trust
    started(ca)
    dnsd.own = {"stagingUrl": staging.url}
    started(dnsd.use(ca))
    until("the status tells", lambda: acme.matched("rejected|blocked|policy", dnsd.trouble()), 30, 0.1)
    assert ca.orders() == 0 and ca.issued() == []
