"""Another program, with a loop of its own, serves a zone from memory through libdnsd: answers over UDP
and TCP, sees its own changes at once, and ends without leaving anything behind."""

import os
import signal
import subprocess

import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

EMBED = os.path.join(os.environ["DNSD_BUILD"], "embed")


@pytest.fixture(scope="module", params=["127.0.0.1", "::1"])
def server(request):
    process = subprocess.Popen([EMBED, "example.com", request.param, "0"], stdout=subprocess.PIPE, text=True)
    port = int(process.stdout.readline())
    yield request.param, port
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0


def ask(server, name, rdtype, over=dns.query.udp):
    ip, port = server
    return over(dns.message.make_query(name, rdtype), ip, port=port, timeout=5)


def test_answers(server):
    reply = ask(server, "ns1.example.com", "A")
    assert reply.flags & dns.flags.AA
    assert [r.address for r in reply.answer[0]] == ["192.0.2.1"]
    assert ask(server, "example.com", "NS").answer[0][0].target.to_text() == "ns1.example.com."


def test_wildcard_alias_is_followed(server):
    reply = ask(server, "any.thing.example.com", "AAAA")
    assert [s.rdtype for s in reply.answer] == [5, 28]


def test_over_tcp(server):
    assert ask(server, "example.com", "MX", dns.query.tcp).answer[0][0].preference == 10


def test_change_is_seen(server):
    reply = ask(server, "uptime.example.com", "TXT")
    assert reply.answer[0].ttl == 0 and int(reply.answer[0][0].strings[0]) >= 0
    soa = ask(server, "example.com", "SOA").answer[0][0]
    assert soa.serial >= 2  # the first commit and the first second's


def test_refuses_other_domains(server):
    assert ask(server, "example.org", "A").rcode() == dns.rcode.REFUSED


def test_an_occupied_port_is_told(server):
    ip, port = server
    second = subprocess.run([EMBED, "example.com", ip, str(port)], capture_output=True, text=True, timeout=10)
    assert second.returncode == 1
    assert "another program has this port" in second.stderr
