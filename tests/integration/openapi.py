"""docs/openapi.yaml, and answers of the daemon held against it."""
import os
import re

import jsonschema
import yaml

import harness

with open(os.path.join(harness.SOURCE, "docs", "openapi.yaml"), encoding="utf-8") as f:
    API = yaml.safe_load(f)


def resolve(node):
    while isinstance(node, dict) and "$ref" in node:
        place = API
        for step in node["$ref"].removeprefix("#/").split("/"):
            place = place[step]
        node = place
    return node


def operations():
    """(id, method, path, operation)"""
    for path, item in API["paths"].items():
        for method in ("get", "put", "post", "delete"):
            if method in item:
                yield item[method]["operationId"], method.upper(), path, item[method]


def validate(value, schema):
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema",
              "components": API["components"], **schema}
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(value)


def written(name):
    """(method, path, operation) of an operationId."""
    (method, path, operation), = [o[1:] for o in operations() if o[0] == name]
    return method, path, operation


def check(answer, operation, status):
    """ANSWER (web.Answer) is what is written of STATUS: type, body, headers, and the id of an error."""
    assert answer.status == status, answer
    described = resolve(operation["responses"][str(status)])
    kind = answer.headers["Content-Type"].split(";")[0]
    assert list(described["content"]) == [kind]
    schema = described["content"][kind]["schema"]
    validate(answer.json() if kind == "application/json" else answer.body.decode(), schema)
    for header, said in described.get("headers", {}).items():
        value = answer.headers[header]
        validate(int(value) if value.isdigit() else value, resolve(said)["schema"])
    assert answer.headers["Cache-Control"] == "no-store"
    if status >= 400:
        assert answer.error() in re.findall(r"`([a-z0-9-]+)`:", described["description"])
