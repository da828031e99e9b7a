"""Proven: a core with the embedded engine becomes the first of several by a change of its configuration: with rqlite it has
all its users, records and accounts, once; what is changed afterwards stays changed over further starts; and then a
second core joins."""
import os

import pytest

import cluster as c
import harness
import joined
from harness import merged

USERS = 1500

if not harness.INSIDE:

    def test_in_namespaces():
        harness.rerun_in_namespace(__file__, "-n", "-m", deadline_s=300)

else:

    @pytest.fixture
    def pair():
        made = joined.Joining()
        yield made
        made.end()

    def test_a_change_of_the_configuration(pair):
        a, b = pair
        with_rqlite, small = a.config, os.path.join(a.folder, "small")
        os.makedirs(small)
        path = {"storages": {"engines": {"sqlite": {"path": os.path.join(small, "platform.db")}}}}
        a.config = merged(with_rqlite, merged({"storages": {"platform": {"engine": "sqlite"}}}, path))
        a.write_config()
        a.spawn()
        pair.everywhere("core-a", [a.ip], cores=[a], deadline_s=20)
        csv = a.file("users.csv", "".join(f"user{n},core-a\n" for n in range(USERS)))
        a.dnsctl("users", "load", csv)
        a.dnsctl("records", "set", "web", "A", "192.0.2.80")
        a.stop()

        a.config = merged(with_rqlite, path)
        a.write_config()
        a.spawn()
        pair.everywhere(f"user{USERS - 1}", [a.ip], cores=[a], deadline_s=30)
        pair.everywhere("web", ["192.0.2.80"], cores=[a], deadline_s=5)
        joined.said(a.process, f"the rows of the embedded store were brought along .*rows={USERS + 2}")
        assert len(a.dnsctl("users", "list").out.split()) >= USERS
        a.dnsctl("users", "delete", "user7")
        a.stop()
        a.spawn()
        pair.everywhere("user8", [a.ip], cores=[a], deadline_s=30)
        harness.until("user7 is gone for good", lambda: a.values("user7") == ["NXDOMAIN"], 20)
        assert "brought along" not in a.process.log()

        bundle = pair.bundle(b)
        pair.until("core-a admits cores", lambda: a.status()["cluster"]["joining"], 20, 0.1)
        b.join(bundle)
        pair.available(a, b)
        pair.everywhere(f"user{USERS - 1}", [a.ip], deadline_s=c.SECOND_S * 5)
