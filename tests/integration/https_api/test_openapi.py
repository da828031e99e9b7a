"""Proven: docs/openapi.yaml describes the daemon that runs. Every operation is asked; the status, the type, the
headers and the body of each answer are those that are written there, and every example in it obeys its own
schema. (That each documented status can be had at all: tests/contract/test_api.c.)"""
import json
import re
import urllib.parse

import pytest

import harness
import web
from openapi import API, check, operations, resolve, validate, written

TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
A = {"a": ["192.0.2.9"]}
ACK = {"coreId": "core-b", "token": TOKEN, "tlsFingerprint": "00:" * 31 + "00"}

# operationId, path parameters, query, body, headers, status. In this order.
STEPS = [
    ("healthz", {}, {}, None, {}, 200),
    ("readyz", {}, {}, None, {}, 200),
    ("metrics", {}, {}, None, {}, 200),
    ("admin_cores_list", {}, {}, None, {}, 200),
    ("admin_cores_list", {}, {}, None, {"Authorization": "wrong"}, 401),
    ("admin_users_put", {"username": "anna"}, {}, None, {}, 201),
    ("admin_users_put", {"username": "anna"}, {}, {}, {}, 409),
    ("admin_users_put", {"username": "ben"}, {}, {"core": "core-x"}, {}, 404),
    ("admin_users_put", {"username": "ben"}, {}, {"core": 7, "x": 1}, {}, 400),
    ("admin_users_put", {"username": "-"}, {}, None, {}, 400),
    ("admin_users_put", {"username": "reg"}, {}, None, {}, 409),
    ("admin_users_put", {"username": "ben"}, {}, None, {"Authorization": ""}, 401),
    ("admin_users_put", {"username": "ben"}, {}, "core", {"Content-Type": "text/plain"}, 415),
    ("admin_users_put", {"username": "ben"}, {}, {"core": "x" * 5000}, {}, 413),
    ("reg_cores_get", {}, {"username": "Anna"}, None, {"Authorization": ""}, 200),
    ("reg_cores_get", {}, {"username": "nobody"}, None, {}, 404),
    ("reg_cores_get", {}, {}, None, {}, 400),
    ("reg_cores_get", {}, {"email": "a@example.org"}, None, {}, 400),
    ("reg_records_post", {}, {}, {"subdomain": "Web", "records": A}, {}, 200),
    ("reg_records_post", {}, {}, {"subdomain": "@", "records": {
        "mx": [{"exchange": "mail", "priority": 5}], "caa": "0 issue \"x\"", "ttl": 60,
        "txt": ["v=spf1 -all", {"text": "\"a\" \"\\200\""}], "ttls": {"mx": 5}}}, {}, 200),
    ("reg_records_post", {}, {}, {"subdomain": "web", "records": {"a": [1, "x"]}}, {}, 400),
    ("reg_records_post", {}, {}, {"subdomain": "anna", "records": A}, {}, 409),
    ("reg_records_post", {}, {}, {"subdomain": "lsc", "records": A}, {}, 409),
    ("reg_records_post", {}, {}, {"subdomain": "web", "records": A}, {"Authorization": "x"}, 401),
    ("reg_records_list", {}, {}, None, {}, 200),
    ("reg_records_list", {}, {"limit": "1"}, None, {}, 200),
    ("reg_records_list", {}, {"limit": "0"}, None, {}, 400),
    ("reg_records_get", {"subdomain": "@"}, {}, None, {}, 200),
    ("reg_records_get", {"subdomain": "none"}, {}, None, {}, 404),
    ("reg_records_delete", {"subdomain": "WEB"}, {}, None, {}, 200),
    ("reg_records_delete", {"subdomain": "web"}, {}, None, {}, 404),
    ("admin_users_delete", {"username": "ANNA"}, {}, None, {}, 200),
    ("admin_users_delete", {"username": "anna"}, {}, None, {}, 404),
    ("admin_certs_list", {}, {}, None, {}, 200),
    ("admin_certs_renew", {}, {}, None, {}, 409),
    ("admin_certs_renew", {}, {}, {"hostname": []}, {}, 400),
    ("admin_certs_job", {"id": "0b4d8f2e6a1c3579bd02468ace13579f"}, {}, None, {}, 404),
    ("admin_cores_ack", {}, {}, ACK, {}, 401),
    ("admin_cores_ack", {}, {}, {"coreId": "core-b", "token": 7}, {}, 400),
    ("admin_cores_ack", {}, {}, "token", {"Content-Type": "text/plain"}, 415),
    ("admin_cores_ack", {}, {}, {"token": "x" * 5000}, {}, 413),
    ("http01", {"token": TOKEN}, {}, None, {}, 404),
    ("http01", {"token": "known"}, {}, None, {}, 200),
]


def contents():
    """Every body in the document, as a parameter for pytest."""
    for name, _, _, operation in operations():
        bodies = [(status, resolve(r)) for status, r in operation["responses"].items()]
        bodies += [("request", operation["requestBody"])] if "requestBody" in operation else []
        for what, body in bodies:
            for content in body["content"].values():
                yield pytest.param(content, id=f"{name}-{what}")


@pytest.mark.parametrize("content", contents())
def test_examples(content):
    examples = [e["value"] for e in content.get("examples", {}).values()]
    if "example" in content:
        examples.append(content["example"])
    for example in examples:
        validate(example, content["schema"])


def elsewhere(path):
    """Not on http.port: the document names the port where cores join for it, and no other."""
    return [s["description"] for s in API["paths"][path].get("servers", [])] == [
        "where cores join, on the core that has the cluster's CA"]


def test_every_operation_is_asked():
    assert {name for name, _, path, _ in operations() if not elsewhere(path)} == {step[0] for step in STEPS}


@pytest.fixture(scope="module")
def face(started):
    """The daemon with all its ports, and a client of each."""
    dnsd = started(web.web_dnsd({"http": {"challengePort": harness.free_port()}}, tls=False, dot=False))
    harness.until("its own row is there", lambda: "core-a" in dnsd.dnsctl("cores", "list").out)
    dnsd.sql("INSERT INTO keyValue VALUES('tls-cert/*.example.com',"
             " '{\"issuedAt\": 1767225600000, \"expiresAt\": 1775001600000}')",
             "INSERT INTO http01(token, value, order_id, expires_ms)"
             " VALUES('known', 'known.thumb', 'order', 9999999999999)")
    with web.Web(dnsd) as api, web.Web(dnsd, port=dnsd.config["http"]["challengePort"]) as plain:
        yield api, plain


@pytest.mark.parametrize("step", STEPS, ids=lambda s: f"{s[0]}-{s[5]}")
def test_answers(face, step):
    name, params, query, body, headers, status = step
    method, path, operation = written(name)
    for param, value in params.items():
        path = path.replace("{" + param + "}", urllib.parse.quote(value))
    if query:
        path += "?" + urllib.parse.urlencode(query)
    client = face[1 if name == "http01" else 0]
    sent = {k: v for k, v in headers.items() if k != "Authorization"}
    key = headers.get("Authorization", None if "security" in operation else "")
    if status == 200 and body is not None:
        validate(body, operation["requestBody"]["content"]["application/json"]["schema"])
    answer = client.ask(method, path, body, key=key, headers=sent)
    check(answer, operation, status)


def test_admin_routes_want_the_key(face):
    """What the document calls an admin route, and nothing else, is closed without a key."""
    for number, (name, method, path, operation) in enumerate(operations()):
        if name == "http01" or elsewhere(path):
            continue
        path = re.sub(r"\{[a-z]+\}", "some", path)
        answer = face[0].ask(method, path, key="", headers={"X-Forwarded-For": f"198.51.100.{number}"})
        assert (answer.status == 401) == ("security" in operation), (name, answer)
        if answer.status == 401:
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert json.loads(answer.body)["error"]["id"] == "unauthorized"
