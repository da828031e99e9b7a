"""Proven: a daemon that is told to stop while its order waits for another core ends at once, cleanly, and with
nothing left that it had taken; started again it goes on where it was."""
import os
import time

import pytest

import acme
import rqlited
from harness import until


@pytest.fixture(name="database")
def fixture_database():
    node = rqlited.Rqlited(rqlited.binaries()[-1]).start()
    yield node
    node.stop()


def test_while_it_waits_for_a_core(database):
    dnsd = acme.Renewing()
    dnsd.config["storages"] = {"platform": {"engine": "rqlite"}, "engines": {"rqlite": {
        "url": database.url, "external": True, "dataDir": os.path.join(dnsd.folder, "rqlite")}}}
    ca = acme.Pebble(dns=dnsd.dns).start()
    dnsd.use(ca)
    dnsd.dnsctl("cores", "set", "core-a", "--ip", "127.0.0.1")
    # Just heard of, and so alive for as long as it may be silent; it will never know the account.
    database.execute(["INSERT INTO heartbeat VALUES ('core-z', 1, 0, '', '{}')"])
    dnsd.start()
    until("there is an account", lambda: database.query("SELECT * FROM acme_account WHERE url <> ''"),
          acme.ISSUE_S, 0.02)
    began = time.monotonic()
    dnsd.stop()
    assert time.monotonic() - began < 5 and ca.orders() == 0, dnsd.process.log()
    database.execute(["DELETE FROM heartbeat WHERE core = 'core-z'"])
    dnsd.start()
    serial = dnsd.wait_issued(ca)
    assert ca.issued() == [serial] and ca.orders() == 1
    dnsd.stop()
    ca.stop()
