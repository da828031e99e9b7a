"""A bare rqlited on loopback, as somebody else would run it, and what other programs say to it."""
import base64
import json
import os
import urllib.error
import urllib.request

import harness

READY_S = 30


def binaries():
    """The rqlited programs to test with, oldest first."""
    found = [path for path in os.environ.get("DNSD_RQLITEDS", "").split(":") if path]
    assert found, "DNSD_RQLITEDS names no rqlited: run tools/setup test, then cmake again"
    return found


def version(path):
    """What to call it in a test's name: the folder that tools/setup made for it."""
    return os.path.basename(os.path.dirname(path))


class Failed(Exception):
    """rqlite said no."""


class Rqlited:
    """One node. USER is (name, password): then credentials are asked for."""

    def __init__(self, binary, *arguments, folder=None, user=None, node="core-a"):
        self.binary = binary
        self.folder = folder or harness.temp_folder()
        self.user = user
        self.http = harness.free_port()
        self.raft = harness.free_port()
        self.process = None
        self.arguments = ["-node-id", node, "-http-addr", f"127.0.0.1:{self.http}",
                          "-raft-addr", f"127.0.0.1:{self.raft}", *arguments]
        if user:
            path = os.path.join(self.folder, "auth.json")
            with open(path, "w", encoding="utf-8") as out:
                json.dump([{"username": user[0], "password": user[1], "perms": ["all"]}], out)
            self.arguments += ["-auth", path]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.http}"

    def start(self, ready="/readyz"):
        """READY: what must answer 200 before this returns."""
        self.process = harness.Process([self.binary, *self.arguments,
                                        os.path.join(self.folder, "data")])
        harness.until("rqlited is ready", lambda: self.answers(ready), READY_S, 0.05)
        return self

    def stop(self):
        self.process.stop()

    def kill(self):
        self.process.kill()

    def answers(self, path):
        assert self.process.alive(), "rqlited ended:\n" + self.process.log()
        try:
            self.request("GET", path)
            return True
        except (OSError, Failed):
            return False

    def request(self, method, path, body=None):
        request = urllib.request.Request(self.url + path, method=method,
                                         data=None if body is None else json.dumps(body).encode())
        request.add_header("Content-Type", "application/json")
        if self.user:
            token = base64.b64encode(":".join(self.user).encode()).decode()
            request.add_header("Authorization", "Basic " + token)
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                return reply.read()
        except urllib.error.HTTPError as error:
            raise Failed(f"{error.code} {error.read()!r}") from None

    def _results(self, path, statements):
        reply = json.loads(self.request("POST", path, statements))
        for result in [reply, *reply.get("results", [])]:
            if "error" in result:
                raise Failed(result["error"])
        return reply["results"]

    def execute(self, *statements):
        """[sql, parameter, ...] each, one transaction."""
        return self._results("/db/execute?transaction&timings", list(statements))

    def query(self, *statement):
        """The rows."""
        return self._results("/db/query?level=strong", [list(statement)])[0].get("values", [])
