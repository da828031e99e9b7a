"""Proven: tlsDir on a disk that is full, or read-only, when a certificate is renewed: told, what is shown is
shown on, the files that are there stay a pair; with room again the new one is written and shown, without
another order. kill -9 at any moment of a delivery leaves a pair at the stable paths, before the restart
and after it. In a mount namespace of its own, as the disk is a tmpfs."""
import os
import random

import pytest

import acme
import fake_ca
import harness
from harness import DOMAIN, until

MS_RDONLY, MS_REMOUNT, MS_BIND = 1, 32, 4096

if not harness.INSIDE:

    def test_in_a_namespace():
        harness.rerun_in_namespace(__file__, "-m")

else:

    @pytest.fixture
    def core():
        dnsd = acme.Renewing()
        ca = fake_ca.FakeCa(dns=dnsd.dns).start()
        dnsd.use(ca)
        os.mkdir(dnsd.tls_dir, 0o700)
        assert harness.LIBC.mount(b"tmpfs", dnsd.tls_dir.encode(), b"tmpfs", 0, b"mode=700,size=128k") == 0
        dnsd.start()
        dnsd.wait_issued(ca)
        yield dnsd, ca
        dnsd.stop()
        ca.stop()
        harness.LIBC.umount2(dnsd.tls_dir.encode(), 2)

    def pair(dnsd):
        """The serial at the stable paths; the key there must be its own."""
        # `current` is followed once: that is how a reader gets both of one moment.
        place = os.path.realpath(os.path.join(dnsd.tls_dir, "wildcard." + DOMAIN, "current"))
        with open(os.path.join(place, "fullchain.pem"), encoding="ascii") as f:
            leaf = acme.pems(f.read())[0]
        public = acme.openssl("pkey", "-pubout", "-in", os.path.join(place, "privkey.pem"))
        assert public == acme.openssl("x509", "-noout", "-pubkey", input=leaf), "not a pair"
        return acme.serial_of(leaf)

    def fill(dnsd):
        path = os.path.join(dnsd.tls_dir, "ballast")
        with open(path, "wb", buffering=0) as f:
            try:
                while True:
                    f.write(b"x" * 4096)
            except OSError:
                pass
        return path

    def renewed(dnsd, ca):
        """Another certificate is in the store."""
        count = len(ca.issued())
        dnsd.force()
        until("another certificate is stored", lambda: len(ca.issued()) > count and acme.serial_of(
            dnsd.certificate()["certPem"]) == ca.issued()[-1], 60, 0.05)

    def test_full(core):
        dnsd, ca = core
        serial = dnsd.serial()
        ballast = fill(dnsd)
        renewed(dnsd, ca)
        until("the status tells", lambda: acme.matched("no space", dnsd.trouble()), 30, 0.1)
        assert dnsd.serial() == serial == pair(dnsd)
        os.unlink(ballast)
        dnsd.reload()
        assert dnsd.wait_issued(ca, 2) == pair(dnsd) != serial
        assert ca.count("newOrder") == 2

    def test_read_only(core):
        dnsd, ca = core
        serial = dnsd.serial()
        there = dnsd.tls_dir.encode()
        # Another mount of the same over it: the one below has a lock file open to be written.
        assert harness.LIBC.mount(there, there, None, MS_BIND, None) == 0
        assert harness.LIBC.mount(None, there, None, MS_REMOUNT | MS_BIND | MS_RDONLY, None) == 0
        try:
            renewed(dnsd, ca)
            until("the status tells", lambda: acme.matched("read-only", dnsd.trouble()), 30, 0.1)
            assert dnsd.serial() == serial == pair(dnsd)
        finally:
            assert harness.LIBC.umount2(there, 2) == 0
        dnsd.reload()
        assert dnsd.wait_issued(ca, 2) == pair(dnsd) != serial
        assert ca.count("newOrder") == 2

    def test_killed_at_any_moment(core):
        dnsd, ca = core
        for turn in range(12):
            count = len(ca.issued())
            dnsd.sql("DELETE FROM acme_attempt")
            dnsd.force()
            until("it is issued", lambda count=count: len(ca.issued()) > count, 60, 0.002)
            spins = random.randrange(400)  # of some 100 microseconds each
            for _ in range(spins):
                os.stat(dnsd.tls_dir)
                dnsd.process.alive()
            dnsd.kill()
            before = pair(dnsd)
            dnsd.start()
            after = dnsd.wait_issued(ca, count + 1)
            assert pair(dnsd) == after and before in ca.issued(), f"turn {turn}"
        assert ca.count("newOrder") == len(ca.issued())
