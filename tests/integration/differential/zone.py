"""The zone that four servers serve, generated from a seed: records as (owner, ttl, type, text), owner
relative to the domain. It has what makes servers disagree: empty non-terminals, wildcards at several
depths and names that block them, CNAMEs to each other, to wildcards, to nothing, in circles and out of
the zone, delegations with and without glue, RRsets that do not fit a datagram, every typed record, a
type nobody knows, owners in mixed case, and names of the longest kind."""
import random

LDH = "abcdefghijklmnopqrstuvwxyz0123456789"

# What the daemon makes of its configuration and its one core, for the other servers to have it too.
GENERATED = [
    ("lsc", 5, "A", "192.0.2.1"), ("lsc", 5, "AAAA", "2001:db8::1"),
    ("core-a", 300, "A", "192.0.2.1"), ("core-a", 300, "AAAA", "2001:db8::1"),
    ("reg", 300, "A", "192.0.2.1"), ("reg", 300, "AAAA", "2001:db8::1"),
    ("access", 300, "A", "192.0.2.1"), ("access", 300, "AAAA", "2001:db8::1"),
    ("mfa", 300, "A", "192.0.2.1"), ("mfa", 300, "AAAA", "2001:db8::1"),
]

APEX = [
    ("@", 300, "NS", "ns1"), ("@", 300, "NS", "ns2"), ("@", 300, "NS", "ns.example.net."),
    ("@", 300, "A", "192.0.2.10"), ("@", 300, "A", "192.0.2.11"),
    ("@", 300, "AAAA", "2001:db8::10"),
    ("@", 300, "MX", "10 mail"), ("@", 300, "MX", "0 mx.example.org."),
    ("@", 300, "TXT", '"v=spf1 -all"'), ("@", 300, "TXT", '"second"'),
    ("@", 300, "CAA", '0 issue "ca.example.org"'), ("@", 300, "CAA", '128 iodef "mailto:a@example.org"'),
]

ROOT = {  # the same as the configuration has it
    "ns": ["ns1.mc.example.com", "ns2.mc.example.com", "ns.example.net"],
    "a": ["192.0.2.10", "192.0.2.11"], "aaaa": ["2001:db8::10"],
    "mx": [{"exchange": "mail.mc.example.com", "priority": 10},
           {"exchange": "mx.example.org", "priority": 0}],
    "txt": ["v=spf1 -all", "second"],
    "caa": [{"flags": 0, "tag": "issue", "value": "ca.example.org"},
            {"flags": 128, "tag": "iodef", "value": "mailto:a@example.org"}],
    "soa": {"primary": "ns1.mc.example.com", "admin": "hostmaster.mc.example.com", "serial": 1,
            "refresh": 3600, "retry": 600, "expiration": 604800, "minimum": 30},
}

HAND = [
    ("ns1", 300, "A", "192.0.2.51"), ("ns2", 300, "A", "192.0.2.52"), ("ns2", 300, "AAAA", "2001:db8::52"),
    ("mail", 600, "A", "192.0.2.53"),
    ("@", 300, "HTTPS", "0 www.example.net."),
    # RFC 4592's own example, and its relatives
    ("*.wild", 300, "A", "192.0.2.20"), ("*.wild", 300, "TXT", '"wild"'),
    ("host.wild", 60, "A", "192.0.2.21"), ("b.ent.wild", 60, "A", "192.0.2.22"),
    ("*.deep.er.wild", 60, "AAAA", "2001:db8::20"), ("x.*.not", 0, "A", "0.0.0.0"),
    ("x._acct._acme-challenge", 1, "TXT", '"account"'),
    ("_443._tcp.www", 300, "TLSA", "3 1 1 " + "ab" * 32),
    ("_sip._tcp", 300, "SRV", "0 5 5060 sip"), ("_sip._tcp", 300, "SRV", "10 5 5060 sip.example.org."),
    # CNAMEs
    ("al", 300, "CNAME", "core-a"), ("AlToo", 300, "CNAME", "al"), ("*.cw", 300, "CNAME", "core-a"),
    ("dangling", 300, "CNAME", "missing"), ("away", 300, "CNAME", "www.example.org."),
    ("tochain", 300, "CNAME", "dangling"), ("towild", 300, "CNAME", "some.wild"),
    ("tocname-wild", 300, "CNAME", "any.cw"), ("toent", 300, "CNAME", "ent.wild"),
    ("toaway", 300, "CNAME", "away"), ("toapex", 300, "CNAME", "@"), ("toparent", 300, "CNAME", "example.com."),
    ("loop1", 300, "CNAME", "loop2"), ("loop2", 300, "CNAME", "loop1"),
    ("*.spin", 300, "CNAME", "round.spin"),
    ("tocut", 300, "CNAME", "www.cut"), ("tobig", 300, "CNAME", "big"),
    # delegations: glue in full, glue for one of two, none, and data the cut hides
    ("cut", 3600, "NS", "ns.cut"), ("cut", 3600, "NS", "ns.example.org."),
    ("ns.cut", 3600, "A", "192.0.2.70"), ("ns.cut", 3600, "AAAA", "2001:db8::70"),
    ("bare", 300, "NS", "ns.example.net."),
    ("sub.deleg", 300, "NS", "a.sub.deleg"), ("sub.deleg", 300, "NS", "mail"),
    ("a.sub.deleg", 300, "A", "192.0.2.71"),
    ("hidden.cut", 300, "TXT", '"occluded"'), ("*.cut", 300, "A", "192.0.2.72"),
    # everything typed
    ("types", 300, "A", "192.0.2.9"), ("types", 300, "AAAA", "2001:db8::9"),
    ("types", 300, "TXT", '"one" "two"'), ("types", 120, "MX", "10 mail"), ("types", 120, "MX", "20 mx.example.org."),
    ("types", 300, "CAA", '0 issue ";"'), ("types", 300, "SRV", "1 2 3 host.wild"),
    ("types", 300, "PTR", "host.wild"), ("types", 300, "HTTPS", '1 . alpn="h2,h3" ipv4hint="192.0.2.9"'),
    ("types", 300, "SVCB", "0 svc.example.org."), ("types", 300, "SSHFP", "4 2 " + "cd" * 32),
    ("types", 300, "NAPTR", '100 10 "u" "E2U+sip" "!^.*$!sip:info@example.org!" .'),
    ("types", 300, "URI", '10 1 "https://example.org/"'), ("types", 300, "HINFO", '"cpu" "os"'),
    ("types", 300, "LOC", "\\# 16 000016138b3cf018810cbce0009895b8"),
    ("types", 300, "TYPE65280", "\\# 4 0a0b0c0d"), ("types", 300, "TYPE731", "\\# 0"),
    # what does not fit
    ("thirty", 300, "A", None), ("big", 300, "TXT", None), ("middling", 300, "TXT", None),
]


def label(rng, longest=12):
    return "".join(rng.choice(LDH) for _ in range(rng.randint(1, longest)))


def mixed(rng, text):
    return "".join(c.upper() if rng.random() < 0.5 else c for c in text)


def generate(seed, size=400):
    """Records below (and, for HTTPS, at) the apex that the daemon stores."""
    rng = random.Random(seed)
    records = []
    for owner, ttl, kind, text in HAND:
        if owner == "x.*.not":
            continue  # an asterisk inside a name is no owner here; asked for, not stored
        if text is not None:
            records.append((owner, ttl, kind, text))
    records += [("thirty", 300, "A", f"198.51.100.{i}") for i in range(1, 31)]
    records += [("big", 300, "TXT", '"%03d%s"' % (i, "x" * 197)) for i in range(40)]
    records += [("middling", 300, "TXT", '"%d%s"' % (i, "y" * 150)) for i in range(5)]
    taken = {owner.lower() for owner, _, _, _ in records} | {o for o, _, _, _ in GENERATED}
    cuts = {"cut", "bare", "sub.deleg"}
    parents = ["", "", "", "wild", "er.wild", "a.b.c", "T.U", "under.score_d"]
    while len(records) < size:
        parent = rng.choice(parents)
        owner = label(rng) + ("." + parent if parent else "")
        if rng.random() < 0.15:
            owner = "*." + owner
        if rng.random() < 0.1:
            owner = "_" + owner if not owner.startswith("*") else owner
        if owner.lower() in taken or owner.lower().split(".")[-1] in cuts:
            continue
        taken.add(owner.lower())
        if rng.random() < 0.2:
            parents.append(owner if not owner.startswith("*") else owner[2:])
        if rng.random() < 0.2:
            owner = mixed(rng, owner)
        ttl = rng.choice([0, 1, 30, 300, 3600, 86400])
        if rng.random() < 0.25:
            target = rng.choice(records)[0]
            if target == "@" or target.lower() == owner.lower():
                target = "al"
            if target.startswith("*."):
                target = label(rng) + target[1:]
            records.append((owner, ttl, "CNAME", target))
            continue
        for kind in rng.sample(["A", "AAAA", "TXT", "MX", "CAA", "SRV"], rng.randint(1, 3)):
            for i in range(rng.randint(1, 3)):
                text = {"A": f"203.0.113.{rng.randint(1, 254)}", "AAAA": f"2001:db8::{rng.randint(1, 9999):x}",
                        "TXT": f'"{label(rng, 40)}"', "MX": f"{i} mail", "CAA": f'0 issue "{label(rng)}.test"',
                        "SRV": f"{i} 0 443 {label(rng)}.example.org."}[kind]
                if (owner, ttl, kind, text) not in records:
                    records.append((owner, ttl, kind, text))
    room = 255 - len("mc.example.com") - 2
    longest = "l" * 63 + "." + "m" * 63 + "." + "n" * 63
    longest += "." + "o" * (room - len(longest) - 2)
    records.append((longest, 300, "A", "192.0.2.99"))
    return records


def text(records, domain, serial=None):
    """Zone file; with SERIAL a SOA is put in front."""
    out = [f"$ORIGIN {domain}."]
    if serial is not None:
        out.append(f"@ 300 IN SOA ns1 hostmaster {serial} 3600 600 604800 30")
    out += [f"{owner} {ttl} IN {kind} {data}" for owner, ttl, kind, data in records]
    return "\n".join(out) + "\n"
