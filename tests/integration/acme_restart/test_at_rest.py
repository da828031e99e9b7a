"""Proven: keys at rest. A core with a wrong key says so, by the id of the key it lacks, orders nothing,
overwrites nothing, and shows what is in its files; given the right one it goes on. A list of keys: the
first seals, all open; after `dnsctl certs rewrap` the old one is not needed. A row that was moved from
another name, spoilt, or is of an older generation is not shown. The predecessor's row is read, and
renewed in its time. In a cluster, one core with a wrong key troubles no other."""
import base64
import shutil
import time

import pytest

import acme
import certified
import fake_ca
import harness
import sealed
from acme import WILDCARD
from harness import until

if not harness.INSIDE:

    def test_in_namespaces():
        harness.rerun_in_namespace(__file__, "-n", "-m")

    @pytest.fixture
    def core():
        """A daemon with a certificate, and its CA."""
        dnsd = acme.Renewing()
        ca = fake_ca.FakeCa(dns=dnsd.dns).start()
        dnsd.use(ca).start()
        dnsd.wait_issued(ca)
        yield dnsd, ca
        dnsd.stop()
        ca.stop()

    def restart(dnsd, key):
        """With other keys at rest."""
        dnsd.stop()
        dnsd.config["letsEncrypt"]["atRestKey"] = key
        dnsd.write_config()
        dnsd.start()

    def everything(dnsd):
        """What must not be written by who cannot read it."""
        return (dnsd.sql("SELECT key, value FROM keyValue WHERE key LIKE 'tls-cert/%'"),
                dnsd.table("acme_account"))

    def test_wrong_key(core):
        dnsd, ca = core
        right = dnsd.config["letsEncrypt"]["atRestKey"]
        serial, before, orders = dnsd.serial(), everything(dnsd), ca.count("newOrder")
        lacked = sealed.key_id(sealed.master(right))
        restart(dnsd, acme.at_rest_key())
        until("the status names the key", lambda: acme.matched(lacked, dnsd.trouble()), 30, 0.1)
        assert dnsd.serial() == serial, "the files are still good"
        acme.bounded(ca, {"newOrder": orders, "newAccount": 1}, 5)
        dnsd.dnsctl("certs", "renew", expect=None)
        acme.bounded(ca, {"newOrder": orders, "newAccount": 1}, 3)
        assert everything(dnsd) == before
        assert right not in dnsd.process.log()
        restart(dnsd, right)
        until("the trouble is over", lambda: not acme.matched(lacked + ".*not", dnsd.present()), 30, 0.1)
        assert dnsd.serial() == serial and ca.count("newOrder") == orders

    def test_wrong_key_without_files(core):
        """A new machine with a slip in its configuration: a placeholder, and told."""
        dnsd, ca = core
        dnsd.stop()
        shutil.rmtree(dnsd.tls_dir)
        lacked = sealed.key_id(sealed.master(dnsd.config["letsEncrypt"]["atRestKey"]))
        dnsd.config["letsEncrypt"]["atRestKey"] = acme.at_rest_key()
        dnsd.write_config()
        before = everything(dnsd)
        dnsd.start()
        until("the status names the key", lambda: acme.matched(lacked, dnsd.trouble()), 30, 0.1)
        assert dnsd.serial() and dnsd.serial() not in ca.issued()
        assert dnsd.dnsctl("status", expect=None).code == 4
        assert everything(dnsd) == before

    def test_key_list(core):
        dnsd, ca = core
        old, new = dnsd.config["letsEncrypt"]["atRestKey"], acme.at_rest_key()
        ids = [sealed.key_id(sealed.master(k)) for k in (old, new)]
        serial = dnsd.serial()

        def sealed_with():
            return {sealed.id_of(dnsd.certificate()["keyPem"]),
                    *(sealed.id_of(row["key"]) for row in dnsd.table("acme_account"))}

        assert sealed_with() == {ids[0]}
        restart(dnsd, [new, old])
        dnsd.wait_serial(lambda s: s == serial)
        assert sealed_with() == {ids[0]}, "nothing is written without being asked for"
        dnsd.dnsctl("certs", "rewrap")
        assert sealed_with() == {ids[1]}
        dnsd.dnsctl("certs", "rewrap")  # again: nothing to do
        restart(dnsd, new)
        dnsd.wait_serial(lambda s: s == serial)
        # All of it works with the new one alone: another certificate, by the same account.
        count = len(ca.issued())
        dnsd.force()
        dnsd.wait_issued(ca, count + 1)
        assert sealed_with() == {ids[1]} and ca.count("newAccount") == 1
        plain = sealed.open_(sealed.master(new), "leaf", [WILDCARD, str(dnsd.certificate()["generation"])],
                             dnsd.certificate()["keyPem"])
        assert b"PRIVATE KEY" in plain

    def write(dnsd, row):
        dnsd.rows({"tls-cert/" + WILDCARD: row}, settle=False)

    @pytest.mark.parametrize("what", ["another name's", "spoilt", "no seal", "no JSON", "another's certificate"])
    def test_row_is_not_ours(core, what):
        dnsd, ca = core
        serial, row = dnsd.serial(), dnsd.certificate()
        octets = bytearray(base64.b64decode(row["keyPem"]))
        octets[60] ^= 1
        stranger = fake_ca.ec.generate_private_key(fake_ca.ec.SECP256R1())
        chain = acme.pems(ca.issue(acme.NAMES, stranger.public_key()))
        newer = {**row, "generation": row["generation"] + 1, "certPem": chain[0]}
        bad = {
            "another name's": newer,  # sealed for another row than it is in
            "spoilt": {**newer, "keyPem": base64.b64encode(bytes(octets)).decode()},
            "no seal": {**newer, "keyPem": "bm90aGluZw=="},
            "no JSON": "{",
            "another's certificate": {**row, "certPem": chain[0]},
        }[what]
        orders = ca.count("newOrder")
        write(dnsd, bad)
        until("the status tells", lambda: dnsd.dnsctl("status", expect=None).code != 0
              or acme.matched(" warn (store|certs): .*(tls-cert|row cannot be read)", dnsd.process.log()), 20, 0.1)
        end = time.monotonic() + 2
        while time.monotonic() < end:
            assert dnsd.serial() == serial
            time.sleep(0.05)
        dnsd.stop()
        dnsd.start()
        dnsd.wait_serial(lambda s: s == serial)
        assert ca.count("newOrder") <= orders + 1
        write(dnsd, row)
        until("the trouble is over", lambda: dnsd.dnsctl("status", expect=None).code == 0, 20, 0.1)

    def test_older_generation(core):
        """An old backup of the row is put back: what is shown stays, and it is told."""
        dnsd, ca = core
        old = dnsd.certificate()
        dnsd.force()
        serial = dnsd.wait_issued(ca, 2)
        mark = dnsd.process.mark()
        write(dnsd, old)
        dnsd.process.wait_log("older|generation", mark)
        for _ in range(2):
            assert dnsd.serial() == serial
            dnsd.stop()
            dnsd.start()
            dnsd.wait_serial(lambda s: s == serial)

    def test_predecessors_row(core):
        """Sealed as it did, without a generation: shown."""
        dnsd, ca = core
        dnsd.stop()
        key = sealed.master(dnsd.config["letsEncrypt"]["atRestKey"])
        leaf = fake_ca.ec.generate_private_key(fake_ca.ec.SECP256R1())
        text = leaf.private_bytes(fake_ca.serialization.Encoding.PEM,
                                  fake_ca.serialization.PrivateFormat.PKCS8,
                                  fake_ca.serialization.NoEncryption())
        chain = acme.pems(ca.issue(acme.NAMES, leaf.public_key()))
        now = int(time.time() * 1000)
        shutil.rmtree(dnsd.tls_dir)
        write(dnsd, {"certPem": chain[0], "chainPem": "".join(chain[1:]), "keyPem": sealed.close_v1(key, text),
                     "issuedAt": now, "expiresAt": now + 89 * 86400000})
        dnsd.start()
        shown = dnsd.wait_serial(lambda s: s in ca.issued())
        assert shown

else:

    def test_one_core_with_a_wrong_key():
        cluster = certified.Certified()
        try:
            odd = cluster[2]
            odd.config["letsEncrypt"]["atRestKey"] = acme.at_rest_key()
            odd.config["letsEncrypt"]["certRenewer"] = False
            odd.write_config()
            lacked = sealed.key_id(sealed.master(cluster[0].config["letsEncrypt"]["atRestKey"]))
            cluster.form()
            good = cluster.others(odd)
            cluster.newest(1, good)
            said = until("it says which key it lacks", lambda: acme.matched(
                lacked, odd.dnsctl("status", "--json", expect=None).out
                + odd.dnsctl("certs", "list", "--json", expect=None).out), 30, 0.2)
            assert said
            assert acme.serial_at((odd.address, certified.HTTPS)) not in cluster.ca.issued()
            cluster.forget_attempts()
            cluster.force(odd)  # whoever is asked: the one that orders has the key
            cluster.newest(2, good)
            assert cluster.ca.orders() == 2 and len(cluster.rows("SELECT * FROM acme_account")) == 1
            # Put right, it shows what the others do.
            odd.stop()
            odd.config["letsEncrypt"]["atRestKey"] = cluster[0].config["letsEncrypt"]["atRestKey"]
            odd.write_config()
            odd.spawn()
            cluster.ready()
            cluster.newest(2)
            assert cluster.ca.orders() == 2
        finally:
            cluster.end()
