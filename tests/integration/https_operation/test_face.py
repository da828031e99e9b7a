"""Proven: the HTTP face of a daemon from start to stop. Ports taken or forbidden are one clear line; plain
and TLS, IPv4 and IPv6; a core without DNS; readiness; a reload that changes the key; a stop that finishes
what is under way and leaves nobody waiting."""
import http.client
import json
import socket
import threading

import pytest

import harness
import web
from harness import DOMAIN


def plain_dnsd(config=None, **more):
    return web.web_dnsd(config, tls=False, dot=False, **more)


def test_port_taken(started):
    first = started(plain_dnsd())
    port = first.config["http"]["port"]
    second = plain_dnsd({"http": {"port": port}})
    process = second.spawn()
    assert process.wait_exit() == 1
    assert f"cannot listen on 127.0.0.1:{port} (tcp): another program has this port" in process.log()
    assert "choose another http.port or http.ip" in process.log()


def test_not_an_address_of_ours():
    dnsd = plain_dnsd({"http": {"ip": "192.0.2.77"}})
    process = dnsd.spawn()
    assert process.wait_exit() == 1
    assert "not an address of this machine" in process.log()


def test_both_families(started):
    """Without http.ip: every address."""
    dnsd = started(plain_dnsd({"http": {"ip": None}}))
    listen = dnsd.dnsctl("status", "--json").json()["listen"]
    port = dnsd.config["http"]["port"]
    assert f"0.0.0.0:{port}/http" in listen and f"[::]:{port}/http" in listen
    for host in ("127.0.0.1", "::1"):
        with web.Web(dnsd, host=host) as client:
            assert client.get("/healthz").json() == {"status": "ok"}


def test_ready_and_alive(started):
    dnsd = started(plain_dnsd())
    with web.Web(dnsd, key="") as client:
        assert client.get("/readyz").json() == {"status": "ready"}
        assert client.get("/healthz").json() == {"status": "ok"}


def test_not_ready_without_rows(started):
    """The process lives, but has nothing to answer from: no traffic, please."""
    # An rqlite that is not there: rows never come.
    dnsd = plain_dnsd({"storages": {"platform": {"engine": "rqlite"}, "engines": {"rqlite": {
        "external": True, "url": f"http://127.0.0.1:{harness.free_port()}",
        "dataDir": harness.temp_folder()}}}})
    process = dnsd.spawn()
    process.wait_log("http: listening")
    with web.Web(dnsd, key="") as client:
        assert client.get("/healthz").status == 200
        answer = client.get("/readyz")
        assert answer.status == 503
        assert answer.json() == {"status": "unready", "reason": "no rows yet: waiting for the store"}
        answer = client.get("/reg/cores?username=anna")
        assert answer.status == 503 and answer.headers["Retry-After"]
    process.stop()


def test_without_dns(started):
    """A core of a DNSless cluster: the API is all there is."""
    dnsd = plain_dnsd({"dns": {"active": False, "domain": None},
                       "dnsLess": {"isActive": True, "publicUrl": "https://platform.example.com"},
                       "core": {"url": "https://core-a.example.net"}})
    process = dnsd.spawn()
    process.wait_log(r" app: ready\b")
    with web.Web(dnsd) as client:
        assert client.get("/readyz").status == 200
        harness.until("its own row is there",
                      lambda: client.get("/system/admin/cores").json()["cores"] != [])
        core, = client.get("/system/admin/cores").json()["cores"]
        assert core["url"] == "https://core-a.example.net/"
        made = client.ask("PUT", "/system/admin/users/anna")
        assert made.status == 201, made
        assert client.get("/reg/cores?username=anna").json() == {
            "core": {"url": "https://core-a.example.net/"}}
    assert "net: listening" not in process.log()
    status = dnsd.dnsctl("status", "--json").json()
    assert status["users"] == 1 and status["domain"] is None
    dnsd.reload()
    process.wait_log("app: the configuration was read again")
    process.stop()


def test_nothing_to_do():
    dnsd = plain_dnsd({"dns": {"active": False}, "http": {"port": 0}})
    process = dnsd.spawn()
    assert process.wait_exit() == 2
    assert "there is nothing to do: set dns.active: true and dns.domain, or http.port" in process.log()


def test_reload_changes_the_key(started):
    dnsd = started(plain_dnsd())
    with web.Web(dnsd) as client:
        assert client.get("/system/admin/cores").status == 200
        dnsd.config["auth"]["adminAccessKey"] = "another-key"
        dnsd.config["dns"]["serviceNames"] = ["reg", "now-reserved"]
        dnsd.write_config()
        dnsd.reload()
        dnsd.process.wait_log("app: the configuration was read again")
        assert client.get("/system/admin/cores").status == 401
        assert client.get("/system/admin/cores", key="another-key").status == 200
        refused = client.ask("PUT", "/system/admin/users/now-reserved", key="another-key")
        assert refused.status == 409, refused


def test_written_is_answered(started):
    """Registered by HTTP, asked by DNS."""
    dnsd = started(plain_dnsd())
    with web.Web(dnsd) as client:
        assert client.ask("PUT", "/system/admin/users/anna").status == 201
        harness.until("anna is answered",
                      lambda: dnsd.ask("anna").answer == ["anna 300 A 192.0.2.1"], 1.0)
        posted = client.ask("POST", "/reg/records", {"subdomain": "web", "records": {"a": ["192.0.2.8"]}})
        assert posted.status == 200, posted
        harness.until("web is answered",
                      lambda: dnsd.ask("web").answer == ["web 300 A 192.0.2.8"], 1.0)
        assert client.ask("DELETE", "/reg/records/web").status == 200
        assert client.ask("DELETE", "/system/admin/users/anna").status == 200
        harness.until("anna is gone", lambda: dnsd.ask("anna").rcode == "NXDOMAIN", 1.0)


@pytest.fixture(scope="module")
def challenges(started):
    made = plain_dnsd({"http": {"challengePort": harness.free_port()}})
    return started(made)


def test_challenges(challenges):
    challenges.sql(("INSERT INTO http01(token, value, order_id, expires_ms) VALUES(?, ?, ?, ?)",
                    ("a-Token_1", "a-Token_1.thumb", "order", 1 << 50)))
    port = challenges.config["http"]["challengePort"]
    with web.Web(challenges, port=port, key="") as client:
        answer = client.get("/.well-known/acme-challenge/a-Token_1")
        assert (answer.status, answer.body) == (200, b"a-Token_1.thumb"), answer
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert client.get("/.well-known/acme-challenge/another").status == 404
        assert client.get("/.well-known/acme-challenge/..%2f").status in (400, 404)
        # There is no HTTPS to be sent to.
        assert client.get("/anything").status == 404


def test_redirects(started):
    authority = web.Authority()
    dnsd = web.web_dnsd({"http": {"challengePort": harness.free_port()}}, dot=False)
    authority.issue().install(dnsd.tls_folder)
    started(dnsd)
    dnsd.process.wait_log(r"http: listening .*transport=https")
    http_port, https_port = dnsd.config["http"]["challengePort"], dnsd.config["http"]["port"]
    connection = http.client.HTTPConnection("127.0.0.1", http_port, timeout=10)
    connection.request("GET", "/a/b?c=d%20e", headers={"Host": f"anna.{DOMAIN}:{http_port}"})
    answer = connection.getresponse()
    answer.read()
    assert answer.status in (301, 308)
    assert answer.getheader("Location") == f"https://anna.{DOMAIN}:{https_port}/a/b?c=d%20e"
    # Nobody is sent to a stranger's name.
    connection.request("GET", "/", headers={"Host": "evil.example"})
    answer = connection.getresponse()
    answer.read()
    assert "evil" not in (answer.getheader("Location") or ""), answer.getheader("Location")


def test_stop_finishes_what_is_under_way(started):
    """Requests that were sent are answered, idle connections end at once, DNS goes on meanwhile."""
    dnsd = started(plain_dnsd())
    idle = [socket.create_connection(("127.0.0.1", dnsd.config["http"]["port"])) for _ in range(20)]
    answers = []

    def register(name):
        with web.Web(dnsd) as client:
            answers.append(client.ask("PUT", f"/system/admin/users/{name}").status)

    threads = [threading.Thread(target=register, args=(f"late-{i}",)) for i in range(10)]
    for thread in threads:
        thread.start()
    harness.until("some are done", lambda: len(answers) >= 1)
    dnsd.stop()
    for thread in threads:
        thread.join(20)
    for one in idle:
        one.settimeout(5)
        assert one.recv(1) == b""
        one.close()
    # Done or told that it was not; what was answered 201 is there.
    rows = {row[0] for row in dnsd.sql("SELECT key FROM keyValue WHERE key LIKE 'user-core/late-%'")}
    assert len([a for a in answers if a == 201]) <= len(rows)
    assert all(status in (201, 503) for status in answers), answers


def test_json_everywhere(started):
    """Errors have one form, whoever found them."""
    dnsd = started(plain_dnsd())
    with web.Web(dnsd, key="") as client:
        for method, target, status in (("GET", "/nothing", 404), ("DELETE", "/healthz", 405),
                                       ("GET", "/system/admin/cores", 401),
                                       ("GET", "/reg/cores", 400)):
            answer = client.ask(method, target)
            assert answer.status == status, answer
            error = answer.json()["error"]
            assert set(error) == {"id", "message"} and error["message"], answer
            assert answer.headers["Content-Type"] == "application/json"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Cache-Control"] == "no-store"
            assert int(answer.headers["Content-Length"]) == len(json.dumps(answer.json(),
                                                                         separators=(",", ":")))
