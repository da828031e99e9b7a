"""Proven: every metric is documented and every documented one is there, under the kind and labels that
docs/METRICS.md names; what is counted is what was done."""
import base64
import os
import re

import pytest

import harness
import web
from harness import DOMAIN, SOURCE

SAMPLE = re.compile(r"^([a-z_0-9]+)(?:\{(.*)\})? (\S+)$")


@pytest.fixture(scope="module")
def authority():
    return web.Authority()


@pytest.fixture(scope="module")
def dnsd(authority, started):
    made = web.web_dnsd({"http": {"challengePort": harness.free_port()}})
    # An authority that is not there: what is counted about it is there all the same.
    made.config = harness.merged(made.config, {"letsEncrypt": {
        "enabled": True, "email": "a@example.com", "atRestKey": base64.b64encode(bytes(32)).decode(),
        "directoryUrl": f"https://127.0.0.1:{harness.free_port()}/directory",
        "tlsDir": os.path.join(made.folder, "managed"), "checkDelegation": False}})
    made.write_config()
    authority.issue().install(made.tls_folder)
    started(made)
    made.process.wait_log(r"http: listening .*transport=https")
    return made


class Page:
    """/metrics, read."""

    def __init__(self, dnsd, authority):
        with web.Web(dnsd, authority.trust, key="") as client:
            self.text = client.get("/metrics").body.decode()
        self.kinds, self.values, self.labels = {}, {}, {}
        for line in self.text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split()
                self.kinds[name] = kind
            elif not line.startswith("#"):
                name, labels, value = SAMPLE.match(line).groups()
                pairs = dict(re.findall(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', labels or ""))
                family = re.sub(r"_(bucket|sum|count)$", "", name)
                family = family if self.kinds.get(family) == "histogram" else name
                self.labels.setdefault(family, set()).update(set(pairs) - {"le"})
                self.values[(name, tuple(sorted(pairs.items())))] = float(value)

    def get(self, sample, /, **labels):
        return self.values.get((sample, tuple(sorted(labels.items()))), 0)


def documented():
    """{name: (kind, labels)} of the table in docs/METRICS.md."""
    found = {}
    with open(os.path.join(SOURCE, "docs", "METRICS.md"), encoding="utf-8") as f:
        for line in f:
            cells = [cell.strip() for cell in line.split("|")]
            if len(cells) == 6 and cells[1].startswith("`"):
                labels = set(re.findall(r"`([a-z_]+)`", cells[3]))
                for name in re.findall(r"`([a-z_]+)`", cells[1]):
                    found[name] = (cells[2], labels)
    return found


def test_documented(dnsd, authority):
    for name in ("core-a", "nobody", "@"):  # so that there is something to count
        dnsd.ask(name)
    Page(dnsd, authority)
    page, table = Page(dnsd, authority), documented()
    assert len(table) > 20
    assert set(page.kinds) == set(table)
    for name, (kind, labels) in table.items():
        assert page.kinds[name] == kind, name
        assert page.labels.get(name, set()) == labels, name


def test_counted(dnsd, authority):
    before = Page(dnsd, authority)
    for _ in range(7):
        dnsd.ask("core-a", "A")
    for _ in range(3):
        dnsd.ask("nobody", "MX", tcp=True)
    dnsd.ask("core-a", "TYPE65280")
    harness.ask_udp(dnsd.address, harness.query("elsewhere.example.", "A"))
    with harness.Tcp(dnsd.address) as connection:
        connection.send(harness.header(qd=0), harness.query("core-a", "AAAA"))
        connection.receive()
        connection.receive()
    with web.Web(dnsd, authority.trust) as client:
        assert client.get("/reg/cores?username=nobody-at-all").status == 404
        assert client.get("/nothing").status == 404
        assert client.ask("PUT", "/system/admin/users/metrics-user").status == 201
    after = Page(dnsd, authority)

    def grown(sample, /, **labels):
        return after.get(sample, **labels) - before.get(sample, **labels)

    assert grown("dnsd_queries_total", transport="udp", type="A", rcode="NOERROR") == 7
    assert grown("dnsd_queries_total", transport="tcp", type="MX", rcode="NXDOMAIN") == 3
    assert grown("dnsd_queries_total", transport="udp", type="other", rcode="NOERROR") == 1
    assert grown("dnsd_queries_total", transport="udp", type="A", rcode="REFUSED") == 1
    assert grown("dnsd_queries_total", transport="tcp", type="AAAA", rcode="NOERROR") == 1
    assert grown("dnsd_queries_total", transport="tcp", type="other", rcode="FORMERR") == 1
    assert grown("dnsd_query_duration_seconds_count", transport="udp") == 9
    assert grown("dnsd_query_duration_seconds_count", transport="tcp") == 5
    assert grown("dnsd_query_duration_seconds_bucket", transport="udp", le="+Inf") == 9
    assert 0 < grown("dnsd_query_duration_seconds_sum", transport="udp") < 1
    assert grown("dnsd_connections_accepted_total", listener="dns_tcp") == 4
    assert grown("dnsd_http_requests_total", route="reg_cores_get", status="404") == 1
    assert grown("dnsd_http_requests_total", route="none", status="404") == 1
    assert grown("dnsd_http_requests_total", route="admin_users_put", status="201") == 1
    assert grown("dnsd_tls_handshakes_total", listener="http", result="full") == 2
    assert grown("dnsd_zone_users") == 1
    assert after.get("dnsd_zone_revision") > before.get("dnsd_zone_revision")
    assert after.get("process_start_time_seconds") == before.get("process_start_time_seconds")
    serial = dnsd.ask("@", "SOA").answer[0].split()[5]
    assert after.get("dnsd_zone_serial") == int(serial)


def test_certificate(dnsd, authority):
    page = Page(dnsd, authority)
    told = dnsd.dnsctl("status", "--json").json()["certificate"]
    assert page.get("dnsd_certificate_not_after_seconds", name=DOMAIN, source="files",
                    serial=told["serial"]) == told["notAfter"] // 1000
    assert page.get("dnsd_certificate_problem") == 0


def test_no_secret(dnsd, authority):
    page = Page(dnsd, authority)
    assert web.ADMIN_KEY not in page.text
    assert "metrics-user" not in page.text
