"""Proven: a core alone with users becomes a cluster of two by one command on each side. The bundle is sealed and
says what to do next; until it has come the new core is listed and not available; it comes over mutual TLS, as a
non-voter; what is written on either is answered by both; tokens are listed and taken back; the core goes
again and not a row is lost. Embedded DNS and DNSless. The seconds from the command to "available and answering"
are printed."""
import json
import os
import stat
import time

import pytest

import cluster as c
import harness
import joined

if not harness.INSIDE:

    def test_in_namespaces():
        harness.rerun_in_namespace(__file__, "-n", "-m", deadline_s=560)

else:

    @pytest.fixture(scope="module", params=[False, True], ids=["dns", "dnsless"])
    def pair(request):
        made = joined.Joining(dnsless=request.param)
        yield made
        made.end()

    @pytest.fixture(scope="module")
    def bundle(pair):
        a, b = pair
        pair.begin()
        for name in ("alice", "bob"):
            a.dnsctl("users", "set", name, "core-a")
        pair.began = time.monotonic()
        made = pair.bundle(b)
        pair.issued_s = time.monotonic() - pair.began
        return made

    def test_issued(pair, bundle):
        a, b = pair
        with open(bundle["file"], encoding="ascii") as f:
            text = f.read()
        assert text.startswith("-----BEGIN DNSD BOOTSTRAP BUNDLE-----\n")
        assert stat.S_IMODE(os.stat(bundle["file"]).st_mode) == 0o600
        assert stat.S_IMODE(os.stat(a.ca).st_mode) == 0o700
        assert stat.S_IMODE(os.stat(os.path.join(a.ca, "ca.key")).st_mode) == 0o600
        assert bundle["ackUrl"] == f"https://{a.ip}:{joined.JOIN}/system/admin/cores/ack"
        assert a.listed() == {"core-a": True, "core-b": False}
        assert ", the CA is here, others can join" in a.dnsctl("status", expect=None).out
        assert "core-b" in a.bootstrap("list-tokens").out
        assert bundle["passphrase"] not in a.process.log()
        refused = pair.bundle(a, expect=1)
        assert "--id core-a: that is the core you are on" in refused.err

    def test_joined(pair, bundle):
        a, b = pair
        b.join(bundle)
        took = pair.available(a, b)
        print(f"new-core: {pair.issued_s:.1f} s; from starting the new core to available on both: {took:.1f} s")
        assert not os.path.exists(os.path.join(b.folder, "core.bundle"))
        assert a.voter(b) is False and a.voter(a) is True
        joined.said(b.process, "this core has joined")
        for core in (a, b):
            for secret in joined.secrets(bundle):
                assert secret not in core.process.log()
        assert "(no active join tokens)" in a.bootstrap("list-tokens").out
        refused = pair.bundle(b, expect=1)
        assert "core-b" in refused.err and "--replace" in refused.err

    def test_written_there_known_here(pair, bundle):
        a, b = pair
        b.dnsctl("users", "set", "carol", "core-b")
        for core in (a, b):
            harness.until(f"{core.id} knows carol",
                          lambda core=core: "core-b" in core.dnsctl("users", "get", "carol", expect=None).out, 5)
        found = json.loads(a.run("curl", "-sf", f"http://127.0.0.1:{joined.HTTP}/reg/cores?username=carol"))
        assert found["core"]["url"].startswith("https://core-b."), found
        if pair.dnsless:
            return
        pair.everywhere("carol", [b.ip], deadline_s=c.SECOND_S * 5)
        pair.everywhere("alice", [a.ip], deadline_s=c.SECOND_S * 5)
        pair.everywhere("lsc", [a.ip, b.ip], deadline_s=c.SECOND_S * 5)

    def test_restarted(pair, bundle):
        """The same command line again: the bundle is gone, and the core is what it was."""
        _, b = pair
        b.stop()
        began = time.monotonic()
        b.spawn("--bootstrap", os.path.join(b.folder, "core.bundle"), "--bootstrap-passphrase-file",
                os.path.join(b.folder, "passphrase"))
        pair.available(*pair)
        print(f"again after a restart: {time.monotonic() - began:.1f} s")

    def test_taken_back(pair, bundle):
        a, b = pair
        third = {"id": "core-c", "ip": c.NET + "3"}
        words = ("--url", "https://core-c.example.org") if pair.dnsless else ()
        out = os.path.join(a.folder, "third.bundle")
        a.bootstrap("new-core", "--id", third["id"], "--ip", third["ip"], "--out", out, *words)
        assert a.listed()["core-c"] is False
        done = a.bootstrap("revoke-token", third["id"], "--ip", third["ip"])
        assert "Revoked 1 active token(s) for core-c." in done.out
        assert "coreInfoDeleted=true" in done.out and "lscIpsAfter=" in done.out
        assert "core-c" not in a.listed()
        assert "core-c" not in a.bootstrap("list-tokens").out

    def test_the_way_back(pair, bundle):
        """core-b goes: out of Raft, its row and its certificate; core-a is alone with all users."""
        a, b = pair
        a.dnsctl("users", "set", "carol", "core-a")
        before = a.dnsctl("users", "list").out
        a.bootstrap("remove-core", "core-b")
        assert list(a.nodes()) == ["core-a"] and a.listed() == {"core-a": True}
        assert joined.rows(a, "SELECT DISTINCT revoked_ms > 0 AS revoked FROM node_cert WHERE core = 'core-b'") == [
            {"revoked": 1}]
        b.stop()
        a.dnsctl("users", "set", "dave", "core-a")
        assert set(before.split()) < set(a.dnsctl("users", "list").out.split())
        if not pair.dnsless:
            pair.everywhere("lsc", [a.ip], cores=[a], deadline_s=c.SECOND_S * 5)
            pair.everywhere("carol", [a.ip], cores=[a], deadline_s=c.SECOND_S * 5)
