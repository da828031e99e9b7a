"""Proven, without a daemon, for platforms that hash their users' names (platform.piiMode: hashed): dnsctl
takes names as operators know them and writes the rows that the platform itself writes; what would hide
a user is refused; no name is in the database's files."""
import base64
import glob
import hashlib
import hmac

import pytest

import harness

FAILED, NOTHING = 1, 2
KEY = bytes(range(7, 39))
NAMES = ["gertrude", "maximilian", "a-user-with-a-name-that-is-not-short"]


def token(name, key=KEY):
    """As the platform makes it: HMAC-SHA256 over the field's name, NUL and the name."""
    return hmac.new(key, b"username\0" + name.encode(), hashlib.sha256).hexdigest()


def hashed(key=KEY, **platform):
    d = harness.Dnsd({"platform": {"piiMode": "hashed", "piiHmacKey": base64.b64encode(key).decode(),
                                   **platform}})
    d.dnsctl("cores", "set", "core-a", "--ip", "192.0.2.1")
    d.dnsctl("cores", "set", "core-b", "--ip", "192.0.2.2")
    return d


@pytest.fixture
def store():
    return hashed()


def users(d):
    return {key[len("user-core/"):]: value for key, value in d.sql(
        "SELECT key, value FROM keyValue WHERE key LIKE 'user-core/%'")}


def expect_no_name_in_files(d, names):
    """Neither in the database nor in what lies beside it (the log of changes, the shared memory)."""
    files = glob.glob(d.database + "*")
    assert files
    for path in files:
        with open(path, "rb") as f:
            content = f.read()
        for name in names:
            assert name.encode() not in content, (path, name)


def test_tokens_are_the_published_construction():
    """A literal, as `openssl dgst -sha256 -mac HMAC` makes it: token() is not its own witness."""
    assert token("alice", bytes(range(32))) == \
        "cb77926710e5e61f22e338e0e93e3e9aefb8884ae30137809185f4657d655056"


def test_set_get_delete(store):
    assert store.dnsctl("users", "set", "gertrude", "core-a").out == "user gertrude added to core-a\n"
    assert users(store) == {token("gertrude"): "core-a"}
    assert store.dnsctl("users", "get", "gertrude").out == "core-a\n"
    assert store.dnsctl("users", "get", "GerTrude").out == "core-a\n", "names are of any case"
    assert store.dnsctl("users", "set", "Gertrude", "core-b").out == "user gertrude moved to core-b\n"
    assert store.dnsctl("users", "set", "gertrude").out == "user gertrude stays on core-b\n"
    assert users(store) == {token("gertrude"): "core-b"}
    assert store.dnsctl("users", "set", "maximilian").out == "user maximilian added to core-a\n", \
        "the emptier core"
    assert store.dnsctl("users", "get", "nobody-yet", expect=NOTHING).err == \
        "dnsctl: there is no user nobody-yet\n"
    expect_no_name_in_files(store, NAMES)
    assert store.dnsctl("users", "delete", "gertrude").out == "user gertrude deleted\n"
    assert users(store) == {token("maximilian"): "core-a"}
    store.dnsctl("users", "delete", "gertrude", expect=NOTHING)
    expect_no_name_in_files(store, NAMES)


def test_json_tells_the_token_beside_the_name(store):
    assert store.dnsctl("users", "set", "Gertrude", "core-a", "--json").json() == {
        "user": {"name": "gertrude", "core": "core-a", "token": token("gertrude")}, "change": "added to"}
    assert store.dnsctl("users", "get", "gertrude", "--json").json() == {
        "user": {"name": "gertrude", "core": "core-a", "token": token("gertrude")}}
    assert store.dnsctl("users", "list", "--json").json() == {
        "users": [{"token": token("gertrude"), "core": "core-a"}]}
    assert store.dnsctl("users", "delete", "gertrude", "--json").json() == {"deleted": "gertrude"}


def test_list_shows_tokens_and_says_so(store):
    for name in NAMES:
        store.dnsctl("users", "set", name, "core-b")
    head, *lines = store.dnsctl("users", "list").out.splitlines()
    assert "HASHED" in head and "piiMode" in head and head.endswith(" CORE")
    assert lines == [f"{t} core-b" for t in sorted(map(token, NAMES))]
    assert head.index("CORE") == lines[0].index("core-b"), "in columns"


def test_what_the_list_shows_can_be_named(store):
    store.dnsctl("users", "set", "gertrude", "core-a")
    t = token("gertrude")
    assert store.dnsctl("users", "get", t).out == "core-a\n"
    assert store.dnsctl("users", "get", t, "--json").json() == {"user": {"core": "core-a", "token": t}}
    assert store.dnsctl("users", "set", t, "core-b").out == f"user {t} moved to core-b\n"
    assert "64 characters" in store.dnsctl("users", "set", token("x"), "core-b", expect=FAILED).err, \
        "a new user needs a name"
    assert store.dnsctl("users", "get", t.upper(), expect=NOTHING).code == NOTHING
    assert store.dnsctl("users", "delete", t).out == f"user {t} deleted\n"
    assert users(store) == {}


def test_rows_of_the_platform_are_found(store):
    """Written as it writes them: INSERT OR REPLACE, whatever tool comes afterwards."""
    store.sql(*[("INSERT OR REPLACE INTO keyValue (key, value) VALUES (?, ?)",
                 ("user-core/" + token(name), "core-a")) for name in NAMES])
    for name in NAMES:
        assert store.dnsctl("users", "get", name).out == "core-a\n"
    assert store.dnsctl("users", "set", NAMES[0], "core-b").out == f"user {NAMES[0]} moved to core-b\n"
    assert users(store)[token(NAMES[0])] == "core-b"


def test_a_name_in_clear_counts_for_nothing_and_can_be_removed(store):
    """What was written before names were hashed, or by mistake."""
    store.sql(("INSERT INTO keyValue (key, value) VALUES ('user-core/gertrude', 'core-a')"),
              ("INSERT INTO keyValue (key, value) VALUES ('user-core/Odd_Name', 'core-a')"))
    store.dnsctl("users", "get", "gertrude", expect=NOTHING)
    assert store.dnsctl("users", "set", "gertrude", "core-b").out == "user gertrude added to core-b\n"
    assert users(store) == {"gertrude": "core-a", "Odd_Name": "core-a", token("gertrude"): "core-b"}
    shown = store.dnsctl("users", "list", "--json").json()["users"]
    assert {"name": "gertrude", "core": "core-a"} in shown
    assert store.dnsctl("users", "delete", "Odd_Name").out == "user Odd_Name deleted\n"
    store.dnsctl("users", "delete", "gertrude")
    assert users(store) == {"gertrude": "core-a"}, "first the one that counts"
    assert store.dnsctl("users", "delete", "gertrude").out == "user gertrude deleted\n"
    assert users(store) == {}


def test_load(store):
    store.dnsctl("users", "set", "gertrude", "core-b")
    text = "name,core\nGertrude,core-a\nmaximilian,core-b\n# a comment\n" + "".join(
        f"loaded-{i:05d},core-{'ab'[i % 2]}\n" for i in range(60000))
    assert store.dnsctl("users", "load", "-", input=text).out == \
        "Users: +60001 added, ~1 moved, =0 unchanged\n"
    assert store.dnsctl("users", "load", "-", input=text).out == \
        "Users: +0 added, ~0 moved, =60002 unchanged\n"
    got = users(store)
    assert len(got) == 60002
    assert got[token("gertrude")] == "core-a" and got[token("maximilian")] == "core-b"
    for i in (0, 1, 49999, 50000, 59999):
        assert got[token(f"loaded-{i:05d}")] == f"core-{'ab'[i % 2]}"
    expect_no_name_in_files(store, NAMES + ["loaded-"])


def test_load_judges_names_as_they_are(store):
    store.tool("set", "taken", "A", "192.0.2.9")
    tool = store.dnsctl("users", "load", "-", expect=FAILED,
                        input="gertrude,core-a\ntaken,core-a\ncore-b,core-a\nno good,core-a\n"
                              "GERTRUDE,core-b\nmaximilian,core-x\n")
    for why in ("-:2: taken is a stored record", "-:3: core-b is a core", "-:4: no good is not one label",
                "-:5: gertrude is on line 1 already", "-:6: there is no core core-x"):
        assert why in tool.err, tool.err
    assert users(store) == {}


def test_what_would_hide_a_user_is_refused(store):
    store.dnsctl("users", "set", "gertrude", "core-a")
    for words in (["cores", "set", "gertrude", "--ip", "192.0.2.3"],
                  ["records", "set", "Gertrude", "A", "192.0.2.3"],
                  ["records", "import-zone", "-"], ["records", "load", "-"]):
        text = "gertrude A 192.0.2.3\n" if words[1] == "import-zone" else \
            "records: [{subdomain: gertrude, records: {a: 192.0.2.3}}]\n"
        tool = store.dnsctl(*words, input=text, expect=FAILED)
        assert "gertrude is a user" in tool.err, tool.err
    store.dnsctl("records", "set", "below.gertrude", "A", "192.0.2.3")
    store.dnsctl("records", "set", "_dmarc", "TXT", "v=DMARC1")
    for name in ("lsc", "reg", "core-b", "_dmarc", "below.gertrude", "*"):
        store.dnsctl("users", "set", name, "core-a", expect=FAILED)
    assert users(store) == {token("gertrude"): "core-a"}


def test_what_would_hide_one_of_many_is_refused(store):
    """From some number of names on, one scan of all users takes the place of a question for each."""
    store.dnsctl("users", "load", "-", input="".join(f"user-{i},core-a\n" for i in range(300)))
    entries = "".join(f"  - subdomain: {name}\n    records: {{a: 192.0.2.3}}\n" for name in
                      [f"free-{i}" for i in range(100)] + ["user-7", "user-299", "_x", "deep.user-8"])
    tool = store.tool("load", "-", input="records:\n" + entries, expect=FAILED)
    assert "user-7 is a user" in tool.err and "user-299 is a user" in tool.err
    assert "nothing was changed: 2 problems" in tool.err
    free = entries.replace("subdomain: user-7\n", "subdomain: free-x\n")
    free = free.replace("subdomain: user-299\n", "subdomain: free-y\n")
    assert "+104 added" in store.tool("load", "-", input="records:\n" + free).out


def test_another_key_is_another_platform(store):
    """Rows by another key are there, and nobody's."""
    store.dnsctl("users", "set", "gertrude", "core-a")
    other = bytes(32)
    store.config["platform"]["piiHmacKey"] = base64.b64encode(other).decode()
    store.write_config()
    store.dnsctl("users", "get", "gertrude", expect=NOTHING)
    store.dnsctl("users", "set", "gertrude", "core-b")
    assert users(store) == {token("gertrude"): "core-a", token("gertrude", other): "core-b"}


def test_the_key_is_never_shown(store):
    text = store.config["platform"]["piiHmacKey"]
    said = [store.dnsctl("users", "set", "gertrude", "core-a"), store.dnsctl("users", "list", "--json"),
            store.dnsctl("users", "set", "no good", expect=FAILED), store.dnsctl("status", expect=None)]
    for tool in said:
        assert text not in tool.out + tool.err and KEY.hex() not in tool.out + tool.err
    expect_no_name_in_files(store, [text, text[:20]])


def test_status_counts_hashed_users(store):
    store.dnsctl("users", "set", "gertrude", "core-a")
    assert store.dnsctl("status", "--json", expect=None).json()["store"]["users"] == 1
    cores = {c["id"]: c["users"] for c in store.dnsctl("cores", "list", "--json").json()["cores"]}
    assert cores == {"core-a": 1, "core-b": 0}
    assert "users" in store.dnsctl("cores", "delete", "core-a", expect=FAILED).err
