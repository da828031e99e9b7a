"""Proven: the clock of the core with the CA is an hour off, ahead or behind, and others join all the same: certificates begin two
hours before, and tokens are judged by the clock that made them. What is five hours off is told as that."""
import os

import pytest

import harness
import joined

LIBRARY = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"

if not harness.INSIDE:

    def test_in_namespaces():
        assert os.path.exists(LIBRARY), "no libfaketime: tools/setup test"
        harness.rerun_in_namespace(__file__, "-n", "-m", deadline_s=300)

else:

    def off(seconds):
        """Environment of a process whose clock is wrong."""
        return {"LD_PRELOAD": LIBRARY, "FAKETIME": f"{seconds:+d}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0:exitcode=66"}

    class Wrong(joined.Joining):
        """core-a's clock, of its daemon and its tools, is SECONDS off."""

        def __init__(self, seconds):
            super().__init__()
            self.wrong = off(seconds)
            self[0].env = dict(self.wrong)

        def bundle(self, core, *more, **how):
            before = {name: os.environ.get(name) for name in self.wrong}
            os.environ.update(self.wrong)
            try:
                return super().bundle(core, *more, **how)
            finally:
                for name, value in before.items():
                    if value is None:
                        del os.environ[name]
                    else:
                        os.environ[name] = value

    @pytest.mark.parametrize("seconds", [3600, -3600])
    def test_an_hour(seconds):
        pair = Wrong(seconds)
        try:
            a, b = pair
            pair.begin()
            bundle = pair.bundle(b)
            pair.until("core-a admits cores", lambda: a.status()["cluster"]["joining"], 20, 0.1)
            b.join(bundle)
            pair.available(a, b)
        finally:
            pair.end()

    def test_five_hours():
        pair = Wrong(5 * 3600)
        try:
            a, b = pair
            pair.begin()
            bundle = pair.bundle(b)
            pair.until("core-a admits cores", lambda: a.status()["cluster"]["joining"], 20, 0.1)
            b.join(bundle)
            assert b.process.wait_exit() == 2
            assert "clock" in b.process.log(), b.process.log()
            assert os.path.exists(os.path.join(b.folder, "core.bundle")) and not os.path.exists(b.tls)
        finally:
            pair.end()
