"""Proven: dnsctl certs against a store whose rows were put there by hand, without a daemon and without a CA:
what the predecessor wrote, what we write, what cannot be read; the documents of --json, the exit codes, and
no key in anything that is printed. rewrap: all or what is left of it, never what it cannot open, not before
every core has the key, and again after it was interrupted."""
import base64
import json
import os
import sqlite3
import time

import pytest

import acme
import fake_ca
import harness
import sealed
from acme import NAMES, WILDCARD

FAILED, NOTHING, UNAVAILABLE = 1, 2, 3
DAY_MS = 86_400_000
OTHER = "other.example.com"
DIRECTORY = "https://ca.example.net/directory"


class Shelf(harness.Dnsd):
    """A store with certificates. OLD is the key they are sealed with; everything secret is in `secrets`."""

    def __init__(self, keys=None, config=None, **lets_encrypt):
        super().__init__(config)
        self.old = acme.at_rest_key()
        self.config["letsEncrypt"] = harness.merged({
            "enabled": True, "email": "hostmaster@example.com", "atRestKey": keys or self.old,
            "directoryUrl": DIRECTORY, "tlsDir": os.path.join(self.folder, "tls")}, lets_encrypt)
        self.ca = fake_ca.FakeCa()
        self.secrets = [self.old]
        self.write_config()
        self.dnsctl("cores", "set", "core-a", "--ip", "192.0.2.1")

    def keys(self, *keys):
        self.config["letsEncrypt"]["atRestKey"] = list(keys)
        self.secrets += keys
        self.write_config()

    def pem(self):
        """A private key nobody has seen yet, and its public one."""
        leaf = fake_ca.ec.generate_private_key(fake_ca.ec.SECP256R1())
        text = leaf.private_bytes(fake_ca.serialization.Encoding.PEM,
                                  fake_ca.serialization.PrivateFormat.PKCS8,
                                  fake_ca.serialization.NoEncryption())
        self.secrets += text.decode().splitlines()[1:-1]
        return text, leaf.public_key()

    def put(self, hostname, row):
        self.rows({"tls-cert/" + hostname: row}, settle=False)

    def add(self, hostname, generation=None, names=None, key=None, **more):
        """A whole certificate; without a GENERATION as the predecessor stored it."""
        text, public = self.pem()
        master = sealed.master(key or self.old)
        chain = acme.pems(self.ca.issue(names or [hostname], public))
        now = int(time.time() * 1000)
        row = {"certPem": chain[0], "chainPem": "".join(chain[1:]), "issuedAt": now,
               "expiresAt": now + 89 * DAY_MS + DAY_MS // 2}
        if generation is None:
            row["keyPem"] = sealed.close_v1(master, text)
        else:
            row |= {"generation": generation, "directory": DIRECTORY,
                    "keyPem": sealed.close(master, "leaf", [hostname, str(generation)], text)}
        self.secrets.append(row["keyPem"])
        self.put(hostname, row | more)
        return row, text

    def account(self, directory=DIRECTORY, pending=False):
        text, _ = self.pem()
        master = sealed.master(self.old)
        key = sealed.close(master, "account", [directory], text)
        coming = sealed.close(master, "pending", [directory], self.pem()[0]) if pending else None
        self.secrets += [key, coming] if pending else [key]
        self.sql(("INSERT INTO acme_account(directory, url, key, pending_key, thumbprint, contact, issuer,"
                  " created_ms) VALUES(?, ?, ?, ?, 'print', 'hostmaster@example.com', 'ca.example.net', 1)",
                  (directory, directory + "/account/1", key, coming)))
        return text

    def row(self, hostname):
        rows = self.sql(("SELECT value FROM keyValue WHERE key = ?", ("tls-cert/" + hostname,)))
        return json.loads(rows[0][0])

    def accounts(self):
        return {row[0]: row[1:] for row in
                self.sql("SELECT directory, key, pending_key FROM acme_account")}

    def everything(self):
        return self.sql("SELECT * FROM keyValue ORDER BY key"), self.accounts()

    def certs(self, *words, **more):
        """What a command says; never a key."""
        tool = self.dnsctl("certs", *words, **more)
        for secret in self.secrets:
            assert secret not in tool.out + tool.err, "a key is printed"
        assert "PRIVATE KEY" not in tool.out + tool.err
        return tool


@pytest.fixture
def shelf():
    return Shelf()


# ---- list -----------------------------------------------------------------------------------------------


def test_list(shelf):
    first, _ = shelf.add(WILDCARD, names=NAMES, vendor="x")
    second, _ = shelf.add(OTHER, 7)
    got = shelf.certs("list", "--json")
    assert got.json() == {"certs": [
        {"hostname": WILDCARD, "issuedAt": first["issuedAt"], "expiresAt": first["expiresAt"],
         "generation": 0},
        {"hostname": OTHER, "issuedAt": second["issuedAt"], "expiresAt": second["expiresAt"],
         "generation": 7}]}
    lines = [line.split() for line in shelf.certs("list").out.splitlines()]
    assert lines[0] == ["HOSTNAME", "ISSUED", "EXPIRES", "DAYS", "GENERATION"]
    assert [(line[0], line[-2:]) for line in lines[1:]] == [(WILDCARD, ["89", "0"]), (OTHER, ["89", "7"])]
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(first["issuedAt"] / 1000)).split()
    assert lines[1][1:4] == when + ["UTC"]


def test_list_of_what_is_odd(shelf):
    """Rows that say less or nothing: the rest is listed, and they are told of."""
    shelf.add("expired.example.com", 1, expiresAt=int(time.time() * 1000) - 1)
    shelf.add("unknown.example.com", expiresAt=None, issuedAt=None)
    for name, row in (("broken", "{"), ("list", "[]"), ("text", {"generation": "x"})):
        shelf.put(name + ".example.com", row)
    tool = shelf.certs("list")
    lines = {line.split()[0]: line.split()[1:] for line in tool.out.splitlines()[1:]}
    assert set(lines) == {"expired.example.com", "unknown.example.com"}
    assert lines["expired.example.com"][-2:] == ["EXPIRED", "1"]
    assert lines["unknown.example.com"] == ["-", "-", "-", "0"]
    for name in ("broken", "list", "text"):
        assert name + ".example.com" in tool.err
    unknown = shelf.certs("list", "--json").json()["certs"][1]
    assert unknown == {"hostname": "unknown.example.com", "issuedAt": None, "expiresAt": None,
                       "generation": 0}


def test_nothing_is_stored(shelf):
    assert shelf.certs("list", "--json").json() == {"certs": []}
    assert shelf.certs("list").out.split() == ["HOSTNAME", "ISSUED", "EXPIRES", "DAYS", "GENERATION"]
    assert f"{WILDCARD}: nothing is stored" in shelf.certs("show", expect=NOTHING).out
    assert shelf.certs("show", "--json", expect=NOTHING).json() == {"cert": None, "managed": None}
    assert shelf.certs("history", "--json", expect=NOTHING).json() == {"attempts": []}
    assert "nothing was tried yet" in shelf.certs("history", expect=NOTHING).err
    assert shelf.certs("rewrap", "--json").json() == {
        "key": sealed.key_id(sealed.master(shelf.old)), "rewrapped": 0, "unchanged": 0, "failed": 0}


@pytest.mark.parametrize("words", ["list", "show", "history", "renew --no-wait", "rewrap"])
def test_no_store(words):
    d = harness.Dnsd({"letsEncrypt": {"enabled": True, "email": "a@example.com",
                                      "atRestKey": acme.at_rest_key()}})
    tool = d.dnsctl("certs", *words.split(), expect=NOTHING)
    assert "there is no store yet" in tool.err and tool.out == ""
    assert not os.path.exists(d.database)


# ---- show -----------------------------------------------------------------------------------------------


def test_show_the_predecessors(shelf):
    row, _ = shelf.add(WILDCARD, names=NAMES, vendor="x")
    begin, end = acme.dates(row["certPem"])
    got = shelf.certs("show", "--json").json()
    assert got == {"managed": None, "cert": {
        "hostname": WILDCARD, "issuedAt": row["issuedAt"], "expiresAt": row["expiresAt"], "generation": 0,
        "certPem": row["certPem"], "chainPem": row["chainPem"], "directory": None, "sealedWith": "v1",
        "serial": got["cert"]["serial"], "notBefore": begin * 1000, "notAfter": end * 1000}}
    assert acme.plain(got["cert"]["serial"]) == acme.serial_of(row["certPem"])
    said = shelf.certs("show").out
    assert said.startswith(WILDCARD + "\n") and "sealed with  key v1" in said and "issued by    -" in said
    assert "no daemon answers here" in said


@pytest.mark.parametrize("name", [OTHER, OTHER.upper(), OTHER + "."])
def test_show_another_one(shelf, name):
    """Names as people write them."""
    row, _ = shelf.add(OTHER, 7)
    got = shelf.certs("show", name, "--json").json()["cert"]
    assert got["generation"] == 7 and got["directory"] == DIRECTORY
    assert got["sealedWith"] == sealed.key_id(sealed.master(shelf.old))
    assert acme.plain(got["serial"]) == acme.serial_of(row["certPem"])


def test_show_what_cannot_be_read(shelf):
    shelf.put(WILDCARD, "{")
    tool = shelf.certs("show", "--json", expect=FAILED)
    assert "its row is not a certificate's" in tool.err
    assert tool.json()["error"]["id"] == "failed"
    shelf.put(OTHER, {"certPem": "no PEM", "keyPem": "no seal", "chainPem": None})
    got = shelf.certs("show", OTHER, "--json").json()["cert"]
    assert got["certPem"] == "no PEM" and not {"sealedWith", "serial", "notAfter"} & set(got)
    assert shelf.certs("show", OTHER).code == 0
    assert "certs show" not in shelf.certs("show", "no name", expect=NOTHING).out


def test_show_without_a_name_of_its_own():
    d = Shelf(config={"dns": {"active": False, "domain": None}}, enabled=False)
    tool = d.certs("show", expect=FAILED)
    assert "which certificate?" in tool.err and "dnsLess.publicUrl" in tool.err
    d.add(OTHER, 1)
    assert OTHER in d.certs("show", OTHER).out


# ---- history ----------------------------------------------------------------------------------------------


def test_history(shelf):
    rows = [("a", WILDCARD, "order", "failed", "rateLimited", "too\x1b[31m many", 1_700_000_000_000,
             1_700_000_600_000),
            ("b", OTHER, "order", "ok", "", "", 1_700_000_001_000, 0),
            ("c", WILDCARD, "certificate", "ok", "", "generation 3", 1_700_000_002_000, 0)]
    shelf.sql(*[("INSERT INTO acme_attempt(id, hostname, directory, kind, outcome, problem, text, core,"
                 " at_ms, retry_ms) VALUES(?, ?, 'https://ca/', ?, ?, ?, ?, 'core-b', ?, ?)", row)
                for row in rows])
    got = shelf.certs("history", "--json").json()["attempts"]
    assert [a["hostname"] for a in got] == [WILDCARD, OTHER, WILDCARD], "the newest first"
    assert got[2] == {"at": 1_700_000_000_000, "hostname": WILDCARD, "kind": "order", "outcome": "failed",
                      "problem": "rateLimited", "text": "too\x1b[31m many", "core": "core-b",
                      "directory": "https://ca/", "notBefore": 1_700_000_600_000}
    assert got[0]["notBefore"] is None
    said = shelf.certs("history").out.splitlines()
    assert said[0].split() == ["2023-11-14", "22:13:22", "UTC", "certificate", "ok", "core-b", WILDCARD + ":",
                               "generation", "3"]
    assert "rateLimited: too" in said[2] and "\x1b" not in said[2]
    assert said[3].strip() == "not before 2023-11-14 22:23:20 UTC"
    assert len(shelf.certs("history", OTHER.upper(), "--json").json()["attempts"]) == 1
    assert shelf.certs("history", "none.example.com", expect=NOTHING).out == ""


# ---- renew without a daemon ---------------------------------------------------------------------------------


def jobs(d):
    return d.sql("SELECT id, hostname, state, asked_by, passes_over FROM acme_job")


def test_renew_asks_once(shelf):
    """The row is what counts; nobody is waited for that cannot come."""
    job = shelf.certs("renew", "--no-wait", "--override", "floor", "--json").json()["job"]
    assert job.pop("askedAt") > 1_700_000_000_000
    assert job == {"id": job["id"], "hostname": WILDCARD, "kind": "renew", "state": "waiting", "text": "",
                   "by": "dnsctl core-a", "endedAt": None}
    assert jobs(shelf) == [(job["id"], WILDCARD, "waiting", "dnsctl core-a", "floor")]
    assert shelf.certs("renew", "--no-wait", WILDCARD.upper()).out == f"asked for: job {job['id']}\n"
    tool = shelf.certs("renew", expect=FAILED)
    assert f"no daemon runs here; job {job['id']} waits for it" in tool.err
    assert len(jobs(shelf)) == 1


@pytest.mark.parametrize("words, code, says", [
    ("renew --override all", NOTHING, "one of order, floor, certs, authz, backoff, paused"),
    ("renew --override", NOTHING, "--override needs a value"),
    ("renew " + OTHER, NOTHING, OTHER + ": no core manages such a certificate"),
    ("renew a b", NOTHING, "too many words"),
    ("list --no-wait", NOTHING, "certs list does not take --no-wait"),
    ("rewrap " + OTHER, NOTHING, "too many words"),
])
def test_what_is_refused(shelf, words, code, says):
    assert says in shelf.certs(*words.split(), expect=code).err
    assert jobs(shelf) == []


def test_another_cores_certificate(shelf):
    """Where each core has a certificate of its own: who ever had its lease is asked."""
    shelf.sql(("INSERT INTO lease(name, holder, term, beat) VALUES(?, 'core-b', 3, 1)", ("acme/" + OTHER,)))
    assert shelf.certs("renew", OTHER, "--no-wait", "--json").json()["job"]["hostname"] == OTHER


def test_not_managed():
    d = Shelf(enabled=False)
    assert "letsEncrypt.enabled is false" in d.certs("renew", expect=FAILED).err
    assert jobs(d) == []


# ---- rewrap ---------------------------------------------------------------------------------------------------


def ids(d):
    """Which keys seal what is stored."""
    texts = [json.loads(value)["keyPem"] for (value,) in
             d.sql("SELECT value FROM keyValue WHERE key LIKE 'tls-cert/%'")]
    texts += [text for row in d.accounts().values() for text in row if text]
    return {sealed.id_of(text) if base64.b64decode(text)[:2] == sealed.MAGIC else "v1" for text in texts}


@pytest.fixture
def full(shelf):
    """Of each kind one, and two keys in the list; (shelf, new key, what opens to what)."""
    new = acme.at_rest_key()
    plain = {WILDCARD: shelf.add(WILDCARD, names=NAMES, vendor="kept")[1], OTHER: shelf.add(OTHER, 7)[1],
             "account": shelf.account(), "pending": shelf.account(DIRECTORY + "2", True)}
    shelf.keys(new, shelf.old)
    return shelf, new, plain


def test_rewrap(full):
    shelf, new, plain = full
    ident = sealed.key_id(sealed.master(new))
    before = shelf.everything()
    dry = shelf.certs("rewrap", "--dry-run")
    assert dry.out.count("(not done: --dry-run)") == 4 and f"key {ident}: 4 rewrapped" in dry.out
    assert shelf.everything() == before
    assert shelf.certs("rewrap", "--dry-run", "--json").json()["rewrapped"] == 4
    (feed,), = shelf.sql("SELECT max(rev) FROM change")

    said = shelf.certs("rewrap").out
    assert f"certificate {WILDCARD}: v1 -> {ident}\n" in said
    assert f"account {DIRECTORY}: {sealed.key_id(sealed.master(shelf.old))} -> {ident}\n" in said
    assert said.endswith(f"key {ident}: 4 rewrapped, 0 had it already, 0 failed\n")
    assert ids(shelf) == {ident}
    key = sealed.master(new)
    for hostname, generation in ((WILDCARD, "0"), (OTHER, "7")):
        assert sealed.open_(key, "leaf", [hostname, generation], shelf.row(hostname)["keyPem"]) \
            == plain[hostname]
    kept = shelf.accounts()
    assert sealed.open_(key, "account", [DIRECTORY], kept[DIRECTORY][0]) == plain["account"]
    assert sealed.open_(key, "account", [DIRECTORY + "2"], kept[DIRECTORY + "2"][0]) == plain["pending"]
    assert sealed.open_(key, "pending", [DIRECTORY + "2"], kept[DIRECTORY + "2"][1])
    assert kept[DIRECTORY][1] is None

    row, old_row = shelf.row(WILDCARD), json.loads(dict(before[0])["tls-cert/" + WILDCARD])
    assert row | {"keyPem": 0} == old_row | {"keyPem": 0}, "another member was changed"
    told = {key for (key,) in shelf.sql(("SELECT key FROM change WHERE rev > ?", (feed,)))}
    assert told == {"tls-cert/" + WILDCARD, "tls-cert/" + OTHER}, "CAA is not to be made anew"
    after = shelf.everything()
    assert shelf.certs("rewrap", "--json").json() == \
        {"key": ident, "rewrapped": 0, "unchanged": 4, "failed": 0}
    assert shelf.everything() == after


def test_rewrap_with_a_wrong_key(full):
    """What cannot be opened stays as it is, and is named with the key it wants; the rest is done."""
    shelf, new, _ = full
    stranger = acme.at_rest_key()
    row, _ = shelf.add("stranger.example.com", 1, key=stranger)
    shelf.put("odd.example.com", {"certPem": "x", "keyPem": "no seal"})
    tool = shelf.certs("rewrap", expect=FAILED)
    lacked = sealed.key_id(sealed.master(stranger))
    assert any("stranger.example.com" in line and lacked in line for line in tool.err.splitlines())
    assert "certificate odd.example.com: what is stored is not a sealed key" in tool.err
    assert tool.out.endswith("4 rewrapped, 0 had it already, 2 failed\n")
    assert shelf.row("stranger.example.com") == row
    again = shelf.certs("rewrap", "--json", expect=FAILED).json()
    assert again == {"key": sealed.key_id(sealed.master(new)), "rewrapped": 0, "unchanged": 4, "failed": 2}


def test_rewrap_without_the_old_key(full):
    shelf, new, _ = full
    shelf.keys(new)
    before = shelf.everything()
    tool = shelf.certs("rewrap", expect=FAILED)
    assert tool.err.count(sealed.key_id(sealed.master(shelf.old))) == 3, "v1 names no key"
    assert shelf.everything() == before and "0 rewrapped" in tool.out


def test_rewrap_without_keys(shelf):
    shelf.config["letsEncrypt"] |= {"atRestKey": None, "enabled": False}
    shelf.write_config()
    assert "atRestKey" in shelf.certs("rewrap", expect=FAILED).err
    shelf.config["letsEncrypt"].pop("atRestKey")
    shelf.config["letsEncrypt"]["atRestKeyFile"] = os.path.join(shelf.folder, "none")
    shelf.write_config()
    assert "none" in shelf.certs("rewrap", expect=FAILED).err


def beat(shelf, core, detail):
    shelf.sql(("INSERT INTO heartbeat(core, beat, revision, digest, detail) VALUES(?, 1, 1, '', ?)",
               (core, detail if isinstance(detail, str) else json.dumps(detail))))


def test_rewrap_waits_for_every_core(full):
    shelf, new, _ = full
    old_id, new_id = (sealed.key_id(sealed.master(k)) for k in (shelf.old, new))
    for core, detail in (("core-a", {"version": "1"}), ("core-x", "{"), ("core-y", "[]"),
                         ("core-b", {"certificate": {"keys": [old_id, new_id]}}),
                         ("core-z", {"certificate": {"keys": 7}})):
        beat(shelf, core, detail)
    assert "4 rewrapped" in shelf.certs("rewrap", "--dry-run").out
    beat(shelf, "core-c", {"certificate": {"keys": [7, None, old_id]}})
    before = shelf.everything()
    tool = shelf.certs("rewrap", expect=FAILED)
    assert f"core core-c does not have key {new_id}" in tool.err and "--force" in tool.err
    assert tool.out == "" and shelf.everything() == before
    assert shelf.certs("rewrap", "--json", expect=FAILED).json()["error"]["id"] == "failed"
    assert "4 rewrapped" in shelf.certs("rewrap", "--force").out
    assert ids(shelf) == {new_id}


def test_rewrap_is_interrupted(full):
    """A row is changed between reading and writing: it is not lost, told, and done the next time."""
    shelf, new, _ = full
    other = sealed.close(sealed.master(shelf.old), "leaf", [OTHER, "7"], shelf.pem()[0])
    # The first row's write changes the second one, as a renewal at that moment would.
    shelf.sql("CREATE TRIGGER meanwhile AFTER UPDATE ON acme_account WHEN NEW.directory = '" + DIRECTORY
              + "' BEGIN UPDATE acme_account SET key = '" + other + "' WHERE directory = '" + DIRECTORY
              + "2'; END")
    tool = shelf.certs("rewrap", expect=FAILED)
    assert f"account {DIRECTORY}2: it was changed meanwhile; run this again" in tool.err
    assert "3 rewrapped, 0 had it already, 1 failed" in tool.out
    assert shelf.accounts()[DIRECTORY + "2"][0] == other, "what came meanwhile was overwritten"
    shelf.sql("DROP TRIGGER meanwhile", (
        "UPDATE acme_account SET key = ? WHERE directory = ?",
        (sealed.close(sealed.master(shelf.old), "account", [DIRECTORY + "2"], shelf.pem()[0]),
         DIRECTORY + "2")))
    assert "1 rewrapped, 3 had it already, 0 failed" in shelf.certs("rewrap").out
    assert ids(shelf) == {sealed.key_id(sealed.master(new))}


def test_rewrap_of_a_store_that_is_held(full):
    """By somebody else: told as such, and all that is not done is left as it was."""
    shelf = full[0]
    before = shelf.everything()
    holder = sqlite3.connect(shelf.database, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        tool = shelf.certs("rewrap", expect=UNAVAILABLE)
    finally:
        holder.execute("ROLLBACK")
        holder.close()
    assert "nothing was written; try again" in tool.err and len(tool.err.splitlines()) == 1
    assert shelf.everything() == before
    assert "4 rewrapped" in shelf.certs("rewrap").out
