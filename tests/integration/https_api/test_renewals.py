"""Proven: certificates over the API of a daemon that gets them from a real Pebble, each answer as
docs/openapi.yaml has it. force-renew answers at once with a job, the same one for all who ask while it is
open; the job ends with what came of it; a limit of ours ends it at once, named, and `override` passes over
it; then the list has the next generation and that this core serves it. No answer holds a key."""
import ssl

import pytest

import acme
import openapi
import web
from acme import WILDCARD
from harness import until

RENEW = "/system/admin/certs/force-renew"


class Api:
    """A client of it, over TLS, that looks at each answer."""

    def __init__(self, dnsd):
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
        self.client = web.Web(dnsd, trust)

    def ask(self, name, status, path=None, body=None):
        method, written, operation = openapi.written(name)
        answer = self.client.ask(method, path or written, body)
        openapi.check(answer, operation, status)
        assert b"PRIVATE" not in answer.body and b"keyPem" not in answer.body
        return answer.json()

    def renew(self, status=202, **body):
        return self.ask("admin_certs_renew", status, body=body or None)

    def job(self, job):
        return self.ask("admin_certs_job", 200, "/system/admin/certs/jobs/" + job["id"])["job"]

    def ended(self, job):
        def over():
            now = self.job(job)
            return now if now["state"] in ("done", "failed") else None
        return until("the job is over", over, acme.ISSUE_S, 0.05)

    def listed(self):
        one, = self.ask("admin_certs_list", 200)["certs"]
        return one


@pytest.fixture(scope="module")
def core(started):
    dnsd = acme.Renewing()
    ca = started(acme.Pebble(dns=dnsd.dns))
    started(dnsd.use(ca))
    dnsd.wait_issued(ca)
    dnsd.no_proofs_left()
    return dnsd, ca, Api(dnsd)


def test_list(core):
    dnsd, _, api = core
    row = dnsd.certificate()
    got = until("it is served", lambda: (one := api.listed())["cores"][0]["generation"] and one)
    core_a, = got.pop("cores")
    assert got == {"hostname": WILDCARD, "issuedAt": row["issuedAt"], "expiresAt": row["expiresAt"],
                   "daysUntilExpiry": 90, "generation": 1}
    assert acme.plain(core_a.pop("serial")) == dnsd.serial()
    assert core_a == {"id": "core-a", "live": True, "generation": 1}


def test_a_limit(core):
    _, ca, api = core
    job = api.ended(api.renew()["job"])
    assert job["state"] == "failed" and job["endedAt"] >= job["askedAt"]
    assert job["text"].startswith("held up (floor): ") and job["text"].endswith("; override: floor")
    assert ca.orders() == 1


def test_renewal(core):
    dnsd, ca, api = core

    def renewed():
        """The order before it may be too fresh (36 s, scaled)."""
        first = api.renew(override="floor", hostname=WILDCARD.upper())["job"]
        assert first["state"] in ("waiting", "working") and first["by"] == "api core-a"
        job = api.ended(first)
        return None if "held up (order)" in job["text"] else job

    job = until("a job is taken", renewed, 20, 0.1)
    assert job["state"] == "done" and "generation 2" in job["text"]
    dnsd.wait_issued(ca, 2)
    got = until("it is served", lambda: (one := api.listed())["cores"][0]["generation"] == 2 and one)
    assert got["generation"] == 2 and acme.plain(got["cores"][0]["serial"]) == dnsd.serial()
    assert ca.orders() == 2


def test_asked_twice(core):
    """While nobody can answer (the store's lease is another's), the job stays open."""
    dnsd, ca, api = core
    dnsd.sql("UPDATE lease SET holder = 'core-z', term = term + 1, beat = beat + 1")
    first = api.renew(override="certs")["job"]
    again = api.renew()["job"]
    assert again["id"] == first["id"]
    assert dnsd.dnsctl("certs", "renew", "--no-wait", "--json").json()["job"]["id"] == first["id"]
    assert len([row for row in dnsd.table("acme_job") if not row["ended_ms"]]) == 1
    assert api.ended(first)["state"] == "failed"  # taken over, and there is the floor
    assert ca.orders() == 2


def test_refused(core):
    api = core[2]
    api.renew(404, hostname="other.example.com")
    api.renew(400, override="all")
    api.renew(400, hostname="no name")
    api.ask("admin_certs_job", 404, "/system/admin/certs/jobs/" + "0" * 32)
