"""A machine that is to join: its folders, its configuration, `dnsd --bootstrap`."""
import json
import os
import re

import bundles
import harness
import rqlited
from harness import DOMAIN, Process, merged, program, yaml

ERROR = " error join: cannot join reason="
BEGUN = r" net: listening"


class Joiner:
    def __init__(self, config=None, folder=None):
        self.folder = folder or harness.temp_folder()
        self.conf = os.path.join(self.folder, "conf")
        self.tls = os.path.join(self.folder, "tls")
        self.data = os.path.join(self.folder, "rqlite")
        self.bundle = os.path.join(self.folder, "bundle")
        self.passphrase = os.path.join(self.folder, "passphrase")
        self.path = os.path.join(self.conf, "dnsd.yml")
        self.generated = os.path.join(self.conf, "bootstrap-config.yml")
        self.override = os.path.join(self.conf, "override-config.yml")
        self.raft_port = harness.free_port()
        self.process = None
        os.mkdir(self.conf)
        self.config = merged({
            "dns": {"port": 0, "ip": "127.0.0.1", "workers": 1},
            "cluster": {"tlsDir": self.tls},
            "storages": {"engines": {"rqlite": {
                "binPath": rqlited.binaries()[-1], "dataDir": self.data,
                "url": f"http://localhost:{harness.free_port()}"}}}}, config or {})
        self.write(self.path, yaml(self.config))
        self.write(self.passphrase, bundles.PASSPHRASE + "\n")

    def write(self, path, text, mode=0o600):
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        os.chmod(path, mode)

    def content(self, authority, issuer=None, **more):
        """A bundle for this machine; ISSUER: whom to tell."""
        if issuer:
            more["ack_url"] = issuer.url
        more.setdefault("domain", DOMAIN)
        more.setdefault("config", {"dns": {"active": True, "chaos": False}})
        return bundles.content(authority, raft_port=self.raft_port, **more)

    def seal(self, content, passphrase=bundles.PASSPHRASE):
        self.write(self.bundle, bundles.seal(content, passphrase))

    def spawn(self, *arguments, wrap=(), preexec_fn=None):
        self.process = Process(
            [*wrap, program("dnsd"), "-c", self.path, "--bootstrap", self.bundle,
             "--bootstrap-passphrase-file", self.passphrase, *arguments],
            cwd=self.folder, preexec_fn=preexec_fn)
        return self.process

    def joins(self, *arguments):
        """It joins, goes on as a daemon, and ends when it is asked to."""
        process = self.spawn(*arguments)
        process.wait_log(BEGUN)
        process.stop()
        return process.log()

    def fails(self, expect, pattern, *arguments, **more):
        """One line says why; nothing after it."""
        process = self.spawn(*arguments, **more)
        code = process.wait_exit()
        log = process.log()
        assert code == expect, f"{code}, not {expect}:\n{log}"
        errors = [line for line in process.lines if ERROR in line]
        assert len(errors) == 1 and errors[0] == process.lines[-1], log
        assert re.search(pattern, errors[0]), f"/{pattern}/ is not in:\n{log}"
        assert bundles.TOKEN not in log and bundles.PASSPHRASE not in log, log
        return log

    def untouched(self):
        """Nothing was written, and the bundle is there."""
        assert not os.path.exists(self.tls) or not os.listdir(self.tls), os.listdir(self.tls)
        assert os.listdir(self.conf) == ["dnsd.yml"] or sorted(os.listdir(self.conf)) == [
            "dnsd.yml", "override-config.yml"], os.listdir(self.conf)
        assert not os.path.exists(self.data)
        assert os.path.exists(self.bundle)

    def settings(self):
        """What dnsd has written."""
        with open(self.generated, encoding="utf-8") as text:
            first = text.readline()
            assert first.startswith("# Written by dnsd"), first
            return json.load(text)

    def whole(self):
        """No half file anywhere, and all modes as they should be."""
        for folder, _, names in os.walk(self.folder):
            left = [name for name in names if ".tmp" in name or name.startswith(".")]
            assert not [n for n in left if n != ".lock"], (folder, left)
        assert os.stat(self.generated).st_mode & 0o7777 == 0o600
        assert os.stat(self.tls).st_mode & 0o7777 == 0o700
        assert os.stat(os.path.join(self.tls, "node.key")).st_mode & 0o7777 == 0o600
