"""Proven: the daemon serves the users of a platform that hashes their names (platform.piiMode: hashed).
Rows are written as the platform writes them, by INSERT OR REPLACE; each user's name is answered and no
other; a snapshot file by another key or another mode is told and not answered; no name is in a file or
in the log."""
import base64
import glob
import hashlib
import hmac
import os

import harness

KEY = bytes(range(7, 39))
OTHER_KEY = bytes(range(8, 40))
NAMES = {"gertrude": "core-a", "maximilian": "core-b", "a-user-with-a-name-that-is-not-short": "core-b"}
ADDRESS = {"core-a": "192.0.2.1", "core-b": "192.0.2.2"}


def token(name, key=KEY):
    return hmac.new(key, b"username\0" + name.encode(), hashlib.sha256).hexdigest()


def platform(key=KEY):
    return {"piiMode": "hashed", "piiHmacKey": base64.b64encode(key).decode()}


def daemon(config=None):
    return harness.Dnsd(harness.merged({"platform": platform()}, config or {}))


def write(d, rows):
    """As the platform does; then waits until the daemon has them."""
    d.sql(*[("INSERT OR REPLACE INTO keyValue (key, value) VALUES (?, ?)", row) for row in rows.items()])
    d.rows({})


def user_rows(names=None, key=KEY):
    return {"user-core/" + token(name, key): core for name, core in (names or NAMES).items()}


def started(config=None):
    d = daemon(config).start()
    write(d, {"core-info/core-b": '{"id":"core-b","url":null,"ip":"192.0.2.2","available":true}',
              **user_rows()})
    return d


def check_users(d, names=None):
    for name, core in (names or NAMES).items():
        assert d.ask(name).answer == [f"{name} 300 A {ADDRESS[core]}"]
        assert d.ask(name, "TXT").rcode == "NOERROR" and d.ask(name, "TXT").an == 0
        assert d.ask("x." + name).rcode == "NXDOMAIN"
    assert d.ask("nobody").rcode == "NXDOMAIN"
    assert d.ask("core-b").answer == ["core-b 300 A 192.0.2.2"]


def break_store(d):
    for path in glob.glob(d.database + "*"):
        os.rename(path, path + ".away")
    os.mkdir(d.database)


def mend_store(d):
    os.rmdir(d.database)
    for path in glob.glob(d.database + "*.away"):
        os.rename(path, path[:-len(".away")])


def test_users_are_answered_and_nobody_else():
    d = started()
    check_users(d)
    assert d.ask("GerTrude").answer == ["GerTrude 300 A 192.0.2.1"], "in any case of letters"
    t = token("gertrude")
    for label in (t[:63], t[:32], t[:46], "gertrud", "gertrudes", t[:32] + "." + t[32:]):
        assert d.ask(label).rcode == "NXDOMAIN", label
    assert d.ask(r"\255" + "".join(rf"\{b:03d}" for b in bytes.fromhex(t)[:23])).rcode == "NXDOMAIN"
    d.stop()


def test_changes_of_the_platform_are_followed():
    d = started()
    write(d, user_rows({"gertrude": "core-b"}))
    check_users(d, {"gertrude": "core-b", "maximilian": "core-b"})
    write(d, user_rows({"newcomer": "core-a"}))
    check_users(d, {"newcomer": "core-a"})
    d.rows({"user-core/" + token("newcomer"): None})
    assert d.ask("newcomer").rcode == "NXDOMAIN"
    # what else has the name comes first, as in clear
    d.rows({"dns-record/gertrude": {"a": ["192.0.2.99"]}, "dns-record/below.maximilian": {"txt": ["t"]}})
    assert d.ask("gertrude").answer == ["gertrude 300 A 192.0.2.99"]
    assert d.ask("maximilian").answer == ["maximilian 300 A 192.0.2.2"]
    d.rows({"dns-record/gertrude": None})
    assert d.ask("gertrude").answer == ["gertrude 300 A 192.0.2.2"]
    d.stop()


def test_tool_and_daemon_agree():
    d = started()
    assert d.dnsctl("users", "get", "gertrude").out == "core-a\n"
    d.dnsctl("users", "set", "gertrude", "core-b")
    d.dnsctl("users", "load", "-", input="from-a-file,core-a\n")
    harness.until("the moved user is answered",
                  lambda: d.ask("gertrude").answer == ["gertrude 300 A 192.0.2.2"])
    harness.until("the loaded user is answered", lambda: d.ask("from-a-file").an == 1)
    d.dnsctl("users", "delete", "from-a-file")
    harness.until("the deleted user is not", lambda: d.ask("from-a-file").rcode == "NXDOMAIN")
    assert d.dnsctl("status", "--json").json()["users"] == 3
    d.stop()


def test_wildcard_is_for_others():
    d = started({"dns": {"wildcard": "cores"}})
    assert sorted(d.ask("nobody").answer) == ["nobody 300 A 192.0.2.1", "nobody 300 A 192.0.2.2"]
    assert d.ask("x.nobody").an == 2
    assert d.ask("gertrude").answer == ["gertrude 300 A 192.0.2.1"]
    assert d.ask("x.gertrude").rcode == "NXDOMAIN", "the closest encloser is the user"
    d.stop()


def test_names_in_clear_are_left_out_and_told():
    d = started()
    mark = d.process.mark()
    write(d, {"user-core/in-clear": "core-a", "user-core/" + token("x").upper(): "core-a"})
    assert d.ask("in-clear").rcode == "NXDOMAIN" and d.ask("x").rcode == "NXDOMAIN"
    d.process.wait_log(r"a row is left out row=user-core/in-clear .*must be hashed", mark)
    check_users(d)
    d.stop()


def test_hashed_rows_in_a_zone_of_names_are_told():
    """The platform's default is hashed, ours is not: whoever forgets the key is told which it is."""
    d = daemon({"platform": None}).start()
    mark = d.process.mark()
    write(d, user_rows())
    d.process.wait_log(r"a row is left out .*platform\.piiMode", mark)
    assert d.ask("gertrude").rcode == "NXDOMAIN"
    d.stop()


def test_restart_from_the_snapshot_file():
    d = started()
    check_users(d)
    d.stop()
    break_store(d)
    d.config["dns"]["port"] = d.port = harness.free_port()
    d.write_config()
    d.spawn()

    def answers():
        assert d.process.alive(), d.process.log()
        return harness.ask_udp(d.address, harness.query("gertrude"), deadline_s=0.05)

    harness.until("it answers", answers, 10)
    check_users(d)
    mend_store(d)
    d.process.wait_log("the store is back")
    write(d, user_rows({"later": "core-a"}))
    check_users(d, {"later": "core-a", **NAMES})
    d.stop()


def test_another_key_is_told_and_all_is_read_anew():
    d = started()
    d.stop()
    d.config["platform"] = platform(OTHER_KEY)
    d.write_config()
    d.start()
    d.process.wait_log(r"zone\.snapshot: its users were hashed with another key \(platform\.piiHmacKey\)")
    d.process.wait_log("feed: loaded")
    for name in NAMES:
        assert d.ask(name).rcode == "NXDOMAIN", "rows by the old key are nobody's"
    write(d, user_rows({"gertrude": "core-b"}, OTHER_KEY))
    check_users(d, {"gertrude": "core-b"})
    d.stop()
    d.config["platform"] = platform()
    d.write_config()
    d.start()
    d.process.wait_log("another key")
    check_users(d)
    d.stop()
    d.start()
    assert "another key" not in d.process.log()
    check_users(d)
    d.stop()


def test_another_mode_is_told():
    d = started()
    d.stop()
    d.config["platform"] = {"piiMode": "cleartext"}
    d.write_config()
    d.start()
    d.process.wait_log(r"zone\.snapshot: its users are hashed \(platform\.piiMode\)")
    assert d.ask("gertrude").rcode == "NXDOMAIN"
    d.rows({"user-core/gertrude": "core-b"})
    assert d.ask("gertrude").answer == ["gertrude 300 A 192.0.2.2"]
    d.stop()
    d.config["platform"] = platform()
    d.write_config()
    d.start()
    d.process.wait_log(r"zone\.snapshot: its users are not hashed \(platform\.piiMode\)")
    check_users(d)
    d.stop()


def test_reload_keeps_the_users_and_refuses_another_key():
    d = started()
    d.config["dns"]["staticEntries"] = {"fixed": {"a": "192.0.2.77"}}
    d.write_config()
    d.reload()
    harness.until("the new entry is served", lambda: d.ask("fixed").an == 1)
    check_users(d)
    for other in (platform(OTHER_KEY), {"piiMode": "cleartext"}):
        mark = d.process.mark()
        d.config["platform"] = other
        d.write_config()
        d.reload()
        d.process.wait_log(r"stays as it was .*piiHmacKey cannot change while running", mark)
        check_users(d)
    d.stop()


def test_no_name_and_no_key_in_files_and_log():
    d = started()
    check_users(d)
    write(d, user_rows({"gertrude": "core-b"}))
    log = d.process.log()
    d.stop()
    log += d.process.log()
    files = [path for path in glob.glob(d.folder + "/*") if os.path.isfile(path) and path != d.path]
    assert any(path.endswith("zone.snapshot") for path in files)
    secrets = [KEY, KEY.hex().encode(), base64.b64encode(KEY)]
    for path in files:
        with open(path, "rb") as f:
            content = f.read()
        for text in [name.encode() for name in NAMES] + secrets:
            assert text not in content, (path, text)
    for text in list(NAMES) + [KEY.hex(), base64.b64encode(KEY).decode()]:
        assert text not in log
