"""Proven: whoever is killed (kill -9) while a core joins, and wherever it was, the same command line again ends well: one row, one
node in Raft, the token used once, no admission left, and the core is available. The new core at each of its steps, by its
log and by the clock; the issuer before, while and after it is told."""
import os
import time

import pytest

import cluster as c
import harness
import joined
from harness import until

# What the new core's log says last; a number: milliseconds after the start.
STEPS = [10, 60, "telling the issuer that this core is here", "the issuer knows that this core is here",
         "join: joined", "starting way=join", "app: listening|net: listening|http: listening", "rqlited: ready", "app: ready",
         "this core has joined", 150, 400, 1000]

if not harness.INSIDE:

    def test_in_namespaces():
        harness.rerun_in_namespace(__file__, "-n", "-m", deadline_s=560)

else:

    @pytest.fixture(scope="module")
    def pair():
        made = joined.Joining()
        made.begin()
        yield made
        made.end()

    @pytest.fixture
    def bundle(pair):
        """A new core-b on an empty machine; afterwards it is gone again."""
        a, b = pair
        made = pair.bundle(b)
        pair.until("core-a admits cores", lambda: a.status()["cluster"]["joining"], 20, 0.1)
        yield made
        a.bootstrap("remove-core", "core-b", "--force")
        b.stop()
        b.wipe()
        for name in os.listdir(b.folder):
            if name in ("bootstrap-config.yml", "core.bundle", "passphrase"):
                os.unlink(os.path.join(b.folder, name))
        harness.take_away(b.tls)

    def arrived(pair):
        a, b = pair
        pair.available(a, b)
        assert set(a.nodes()) == {"core-a", "core-b"} and a.listed() == {"core-a": True, "core-b": True}
        assert joined.rows(a, "SELECT * FROM admission") == []
        assert "(no active join tokens)" in a.bootstrap("list-tokens").out
        a.dnsctl("users", "set", "alice", "core-b")
        pair.everywhere("alice", [b.ip], deadline_s=c.SECOND_S * 5)
        a.dnsctl("users", "delete", "alice")
        assert not os.path.exists(os.path.join(b.folder, "core.bundle"))

    @pytest.mark.parametrize("step", STEPS)
    def test_new_core(pair, bundle, step):
        b = pair[1]
        words = b.bring(bundle)
        b.spawn(*words)
        if isinstance(step, int):
            moment = time.monotonic() + step / 1000
            until("the moment has come", lambda: time.monotonic() >= moment, 5, 0.002)
        else:
            b.process.wait_log(step)
        b.kill()
        b.spawn(*words)
        arrived(pair)

    @pytest.mark.parametrize("when", ["before", "told", "acked"])
    def test_issuer(pair, bundle, when):
        """Killed, it is started again by whoever looks after it; the new core waits for it."""
        a, b = pair
        if when == "before":
            a.kill()
            b.join(bundle)
            b.process.wait_log("the issuer was not heard")
        else:
            b.join(bundle)
            (b if when == "told" else a).process.wait_log(
                "telling the issuer" if when == "told" else "a core has shown its token")
            a.kill()
        a.spawn()
        arrived(pair)
