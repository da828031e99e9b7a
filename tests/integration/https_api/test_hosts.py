"""Proven: whom the challenge port sends where. Only to names and addresses that the configuration gives this core,
over IPv4 and IPv6; a Host that is none of them, or no host at all, gets an error and is not repeated."""
import http.client

import pytest

import harness
import web
from harness import DOMAIN


@pytest.fixture(scope="module")
def ports(started):
    dnsd = web.web_dnsd({"core": {"ip": "192.0.2.1", "ipv6": "2001:db8::1",
                                  "url": "https://core-a.example.net"},
                         "http": {"challengePort": harness.free_port()}}, dot=False)
    web.Authority().issue().install(dnsd.tls_folder)
    started(dnsd).process.wait_log(r"http: listening .*transport=https")
    return dnsd.config["http"]["challengePort"], dnsd.config["http"]["port"]


def ask(port, host, method="GET", target="/"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest(method, target, skip_host=True)
    connection.putheader("Host", host)
    connection.endheaders()
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, answer.getheader("Location")


@pytest.mark.parametrize("host", [DOMAIN, "anna." + DOMAIN, "core-a.example.net", "192.0.2.1",
                                  "[2001:db8::1]"])
def test_ours(ports, host):
    plain, tls = ports
    assert ask(plain, f"{host}:{plain}", target="/a?b") == (301, f"https://{host}:{tls}/a?b")
    assert ask(plain, host.upper(), "DELETE") == (308, f"https://{host}:{tls}/")


@pytest.mark.parametrize("host, status", [
    ("evil.example", 421), (DOMAIN + ".evil.example", 421), ("x" + DOMAIN, 421), ("192.0.2.2", 421),
    ("[2001:db8::2]", 421), ("127.0.0.1", 421), ("evil.example@" + DOMAIN, 400),
    (DOMAIN + "/evil.example", 400), ("[::1", 400)])
def test_strangers(ports, host, status):
    assert ask(ports[0], host) == (status, None)
