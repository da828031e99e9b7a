"""Proven: the bootstrap commands on one machine. Everything is checked before anything is done, and every
refusal is one line; the bundle is opened by a second implementation and holds what a core needs; secrets are
where they belong and nowhere else; the CA's holder is made once, and mended; tokens are listed and revoked."""
import base64
import hashlib
import json
import os
import re
import stat
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

import bundles
import harness
import rqlited

FAILED, NOTHING, UNAVAILABLE = 1, 2, 3
ADMIN = "an-admin-key-of-the-tests"
NEW = ("new-core", "--id", "core-b", "--ip", "192.0.2.2")


def platform(config=None):
    """A core that may let others in; not started."""
    folder = harness.temp_folder()
    os.mkdir(os.path.join(folder, "data"))
    return harness.Dnsd(harness.merged({
        "auth": {"adminAccessKey": ADMIN},
        "cluster": {"ca": {"path": os.path.join(folder, "ca")}, "tlsDir": os.path.join(folder, "tls"),
                    "joinPort": harness.free_port()},
        "storages": {"platform": {"engine": "rqlite"}, "engines": {"sqlite": None, "rqlite": {
            "binPath": rqlited.binaries()[-1], "dataDir": os.path.join(folder, "data"),
            "raftPort": harness.free_port(), "url": f"http://127.0.0.1:{harness.free_port()}"}}},
    }, config or {}), folder=folder)


def begin(d):
    d.spawn().wait_log(r" app: ready\b")
    harness.until("the store is there", lambda: d.dnsctl("cores", "list", expect=None).code == 0, 30, 0.1)
    return d


def bootstrap(d, *arguments, **more):
    return d.tool(*arguments, name="bootstrap", **more)


def refused(d, *arguments, code=FAILED):
    """The one line that says why; nothing on stdout."""
    tool = bootstrap(d, *arguments, expect=code)
    assert re.fullmatch(r"bootstrap: [^\n]+\n", tool.err), tool.err
    assert tool.out == ""
    return tool.err[len("bootstrap: "):].rstrip("\n")


def nothing_made(d):
    assert not os.path.exists(os.path.join(d.folder, "ca"))
    assert not os.path.exists(os.path.join(d.folder, "tls"))
    assert not os.path.exists(os.path.join(d.folder, "bootstrap-config.yml"))
    assert not [name for name in os.listdir(d.folder) if "bundle" in name]


def opened(path, passphrase):
    """The JSON of a bundle (lib/seal_phrase.h), by other means than ours."""
    with open(path, encoding="ascii") as f:
        lines = f.read().splitlines()
    assert lines[0] == "-----BEGIN DNSD BOOTSTRAP BUNDLE-----"
    assert lines[-1] == "-----END DNSD BOOTSTRAP BUNDLE-----"
    assert max(map(len, lines[1:-1])) == 64
    octets = base64.b64decode("".join(lines[1:-1]), validate=True)
    version, log2_n, r, p = octets[:4]
    assert version == 2
    key = hashlib.scrypt(bundles.fold(passphrase).encode(), salt=octets[4:20], n=1 << log2_n, r=r, p=p, dklen=32,
                         maxmem=1 << 28)
    return json.loads(AESGCM(key).decrypt(octets[20:32], octets[32:], octets[:32]))


# ---- nothing is done before all is checked -------------------------------------------------------------------


def test_words():
    d = platform()
    for tool in (bootstrap(d, expect=NOTHING), d.dnsctl("bootstrap", expect=NOTHING)):
        for verb in ("new-core", "init-ca-holder", "list-tokens", "revoke-token", "renew-node", "remove-core",
                     "promote-core"):
            assert verb in tool.err
    assert "  bootstrap new-core --id ID" in bootstrap(d, "new-core", "--help").out
    assert "  dnsctl bootstrap new-core --id ID" in d.dnsctl("bootstrap", "new-core", "--help").out
    assert "did you mean new-core?" in bootstrap(d, "new-cor", expect=NOTHING).err
    assert "does not take --force" in bootstrap(d, *NEW, "--force", expect=NOTHING).err
    nothing_made(d)


def test_missing_options_are_wrong_usage():
    said = refused(platform(), "new-core", code=NOTHING)
    assert "--id is missing" in said and "--ip is missing" in said


def test_all_problems_are_told_at_once():
    d = platform({"auth": None, "storages": {"platform": {"engine": "sqlite"}}})
    arguments = ("new-core", "--id", "core_b", "--ip", "192.0.2.300", "--ipv6", "fe80::1", "--url", "http://x.org",
                 "--hosting", "", "--ttl", "31d", "--out", "-", "--ack-url", "http://y.org")
    said = refused(d, *arguments)
    for wanted in ("--id core_b", "--ip 192.0.2.300", "--ipv6 fe80::1", "--url http://x.org", "--hosting:", "--ttl 31d",
                   "--out:", "--ack-url http://y.org", "storages.platform.engine: rqlite first",
                   "auth.adminAccessKey is not set"):
        assert wanted in said, (wanted, said)
    error = bootstrap(d, *arguments, "--json", expect=FAILED).json()["error"]
    assert error["id"] == "failed" and error["message"] == said
    nothing_made(d)


@pytest.mark.parametrize("config, wanted", [
    ({"storages": {"platform": {"engine": "sqlite"}}},
     "set storages.platform.engine: rqlite first, see docs/OPERATIONS.md"),
    ({"auth": {"adminAccessKey": "REPLACE ME"}}, "auth.adminAccessKey is not set, or a placeholder"),
    ({"auth": {"adminAccessKey": "${ADMIN_KEY}"}}, "auth.adminAccessKey is not set, or a placeholder"),
    ({"letsEncrypt": {"enabled": True, "email": "a@example.org", "atRestKey": "REPLACE ME"}},
     "letsEncrypt.atRestKey: is missing"),
    ({"platform": {"piiMode": "hashed", "piiHmacKey": "REPLACE ME"}}, "platform.piiHmacKey: is missing"),
    ({"cluster": {"joinPort": 0}}, "cluster.joinPort is 0"),
    ({"core": {"ip": None, "ipv6": None}}, "core.ip is not set"),
    ({"dns": {"active": False, "domain": None}, "dnsLess": {"isActive": True, "publicUrl": "https://p.example.org"}},
     "--url is missing"),
])
def test_a_configuration_that_is_not_one_of_a_cluster(config, wanted):
    d = platform(config)
    tool = bootstrap(d, *NEW, expect=None)
    assert tool.code in (FAILED, NOTHING) and wanted in tool.err and ADMIN not in tool.err
    nothing_made(d)


def test_a_key_file_that_cannot_be_read_is_named():
    d = platform({"letsEncrypt": {"enabled": True, "email": "a@example.org", "atRestKeyFile": "/nowhere/key"}})
    assert "/nowhere/key" in refused(d, *NEW)


def test_without_a_database_nothing_is_made():
    d = platform()
    tool = bootstrap(d, *NEW, expect=UNAVAILABLE)
    assert "is dnsd running?" in tool.err
    nothing_made(d)
    assert "is dnsd running?" in bootstrap(d, "list-tokens", expect=UNAVAILABLE).err
    assert "is dnsd running?" in bootstrap(d, "revoke-token", "core-b", expect=UNAVAILABLE).err


# ---- the holder of the CA --------------------------------------------------------------------------------------


def node_cert(d):
    with open(os.path.join(d.folder, "tls", "node.crt"), "rb") as f:
        return x509.load_pem_x509_certificate(f.read())


def files(d):
    return {os.path.join(root, name): os.stat(os.path.join(root, name)).st_mtime_ns
            for top in ("ca", "tls") for root, _, names in os.walk(os.path.join(d.folder, top)) for name in names}


def test_a_holder_is_made_once():
    d = platform()
    first = bootstrap(d, "init-ca-holder").out
    assert "(made)" in first and "BACK UP" in first and os.path.join(d.folder, "ca") in first
    with open(os.path.join(d.folder, "bootstrap-config.yml"), encoding="utf-8") as f:
        assert json.loads(f.read().split("\n", 1)[1])["storages"]["engines"]["rqlite"]["tls"] == {
            "caFile": d.folder + "/tls/ca.crt", "certFile": d.folder + "/tls/node.crt",
            "keyFile": d.folder + "/tls/node.key"}
    was = files(d)
    second = bootstrap(d, "init-ca-holder").out
    assert "(made)" not in second and "BACK UP" not in second and "names these files already" in second
    told = bootstrap(d, "init-ca-holder", "--json").json()
    assert told["caCreated"] is told["certCreated"] is told["configWritten"] is told["recorded"] is False
    assert int(told["serial"], 16) == node_cert(d).serial_number
    assert files(d) == was


def test_an_expired_certificate_is_replaced_and_a_good_one_is_not():
    d = platform()
    harness.run_tool("bootstrap", "-c", d.path, "init-ca-holder", env={"DNSD_TEST_NODE_LIFETIME_S": "1"})
    old = node_cert(d)
    harness.until("it expires", lambda: subprocess.run(
        ["openssl", "x509", "-checkend", "0", "-noout", "-in", d.folder + "/tls/node.crt"],
        stdout=subprocess.DEVNULL, check=False).returncode == 1, 10, 0.1)
    assert bootstrap(d, "init-ca-holder", "--json").json()["certCreated"] is True
    assert node_cert(d).serial_number != old.serial_number
    assert bootstrap(d, "init-ca-holder", "--json").json()["certCreated"] is False


@pytest.mark.parametrize("change", [{"core": {"ip": "192.0.2.9"}}, {"core": {"ipv6": "2001:db8::9"}},
                                    {"dns": {"domain": "other.example.com"}}, {"core": {"id": "core-n"}}])
def test_a_certificate_names_what_the_core_is_now(change):
    """Nodes are verified by the address that they are dialled by: with another one, another certificate."""
    d = platform()
    bootstrap(d, "init-ca-holder")
    old = node_cert(d)
    d.config = harness.merged(d.config, change)
    d.write_config()
    assert bootstrap(d, "init-ca-holder", "--json").json()["certCreated"] is True
    assert node_cert(d).serial_number != old.serial_number
    assert bootstrap(d, "init-ca-holder", "--json").json()["certCreated"] is False


def test_half_a_ca_is_refused():
    d = platform()
    bootstrap(d, "init-ca-holder")
    os.unlink(os.path.join(d.folder, "ca", "ca.crt"))
    was = files(d)
    assert "ca.crt" in refused(d, "init-ca-holder")
    assert files(d) == was


def test_the_ca_is_elsewhere():
    d = platform()
    bootstrap(d, "init-ca-holder")
    for name in ("ca.crt", "ca.key"):
        os.unlink(os.path.join(d.folder, "ca", name))
    assert "the cluster's CA is not here" in refused(d, "init-ca-holder")
    assert os.listdir(os.path.join(d.folder, "ca")) == []
    assert "dnsd has to run" in refused(d, "renew-node", code=UNAVAILABLE)


def test_two_at_a_time():
    d = platform()
    bootstrap(d, "init-ca-holder")
    with subprocess.Popen(["flock", os.path.join(d.folder, "ca"), "sh", "-c", "echo held; read x"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        assert "another process works in" in refused(d, "init-ca-holder")
        holder.stdin.close()
        holder.wait()
    bootstrap(d, "init-ca-holder")


def test_wrong_owner():
    """Whoever may not read the CA's key is told, and nothing changes."""
    d = platform()
    bootstrap(d, "init-ca-holder")
    was = files(d)
    key = os.path.join(d.folder, "ca", "ca.key")
    if os.geteuid() == 0:
        os.chmod(d.folder, 0o755)
        os.chmod(os.path.join(d.folder, "bootstrap-config.yml"), 0o644)
        done = subprocess.run([harness.package_program("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups",
                               harness.program("bootstrap"), "-c", d.path, "init-ca-holder"],
                              capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (FAILED, "")
        assert re.fullmatch(r"bootstrap: [^\n]+\n", done.stderr) and d.folder in done.stderr, done.stderr
    os.chmod(key, 0o644)
    assert key in refused(d, "init-ca-holder")
    os.chmod(key, 0o600)
    bootstrap(d, "init-ca-holder")
    assert files(d) == was


def test_renewed_here_without_a_daemon():
    d = platform()
    bootstrap(d, "init-ca-holder")
    old = node_cert(d)
    tool = bootstrap(d, "renew-node")
    new = node_cert(d)
    assert new.serial_number != old.serial_number and f"{new.serial_number:x}" in tool.out
    assert "the database was not reached" in tool.err


def test_tls_files_of_somebody_else_stay():
    d = platform()
    folder = harness.temp_folder()
    for name in ("ca.crt", "node.crt", "node.key"):
        with open(os.path.join(folder, name), "w", encoding="ascii") as out:
            out.write("x")
    d.config["storages"]["engines"]["rqlite"]["tls"] = {
        "caFile": folder + "/ca.crt", "certFile": folder + "/node.crt", "keyFile": folder + "/node.key"}
    d.write_config()
    assert "names other files" in bootstrap(d, "init-ca-holder").out
    assert not os.path.exists(os.path.join(d.folder, "bootstrap-config.yml"))


# ---- a core that runs --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def running():
    d = platform({"letsEncrypt": {"enabled": False, "atRestKey": [base64.b64encode(bytes(32)).decode()]},
                  "dns": {"staticEntries": {"fixed": {"a": ["192.0.2.77"]}}}})
    begin(d)
    yield d
    d.stop()


def out_of(d, name):
    return os.path.join(d.folder, name + ".bundle")


def test_the_first_new_core(running):
    """The whole way: the CA is made, the database's TLS switched on, the core listed, the bundle whole."""
    d, out = running, out_of(running, "first")
    tool = bootstrap(d, *NEW, "--ipv6", "2001:DB8::2", "--url", "https://b.example.org/", "--hosting", "eu-west", "--ttl",
                     "2h", "--out", out)
    told = re.match(r"Bundle written:\n  file:       (\S+)\n  passphrase: (\S+)\n"
                    r"  expires:    (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) \(UTC\)\n  ack URL:    (\S+)\n\nNext:\n", tool.out)
    assert told, tool.out
    assert told[1] == out
    assert told[4] == f"https://192.0.2.1:{d.config['cluster']['joinPort']}/system/admin/cores/ack"
    assert "BACK UP THIS FOLDER NOW" in tool.out and os.path.join(d.folder, "ca") in tool.out
    assert "--bootstrap first.bundle --bootstrap-passphrase-file" in tool.out and "umask 077" in tool.out
    assert "restart" not in tool.out  # the daemon was told
    assert stat.S_IMODE(os.stat(out).st_mode) == 0o600
    assert not os.path.exists(out + ".tmp")
    assert re.fullmatch(r"([0-9A-Z]{4}-){5}[0-9A-Z]{4}", told[2]), told[2]
    b = opened(out, told[2])
    assert b["version"] == 4 and b["cluster"]["issuer"] == "core-a" and b["cluster"]["domain"] == harness.DOMAIN
    assert b["cluster"]["ackUrl"] == told[4] and not b["cluster"].get("ackPins")
    assert b["cluster"]["members"] == [{"id": "core-a", "ip": "192.0.2.1", "ipv6": "2001:db8::1"}]
    assert b["expiresAt"][:19] == told[3].replace(" ", "T")
    node = b["node"]
    assert (node["id"], node["ip"], node["ipv6"], node["url"], node["hosting"]) == \
        ("core-b", "192.0.2.2", "2001:db8::2", "https://b.example.org/", "eu-west")
    assert b["platformSecrets"]["auth"]["adminAccessKey"] == ADMIN
    assert b["platformSecrets"]["letsEncrypt"]["atRestKey"] == base64.b64encode(bytes(32)).decode()
    assert b["rqlite"]["raftPort"] == d.config["storages"]["engines"]["rqlite"]["raftPort"]
    assert f":{b['rqlite']['httpPort']}" in d.config["storages"]["engines"]["rqlite"]["url"]
    assert b["config"]["dns"]["staticEntries"] == {"fixed": {"a": ["192.0.2.77"]}}
    certificate(d, b)
    d.process.wait_log("the Raft port is guarded")
    said = d.process.log() + tool.err
    for secret in (told[2], b["cluster"]["joinToken"], ADMIN, "PRIVATE KEY"):
        assert secret not in said
    harness.until("the database is back", lambda: d.dnsctl("cores", "list", expect=None).code == 0, 30, 0.1)


def certificate(d, b):
    """What the new core is to show is of the CA, and says what it should."""
    leaf = x509.load_pem_x509_certificate(b["node"]["certPem"].encode())
    ca = x509.load_pem_x509_certificate(b["cluster"]["ca"]["certPem"].encode())
    with open(os.path.join(d.folder, "ca", "ca.crt"), encoding="ascii") as f:
        assert b["cluster"]["ca"]["certPem"] == f.read()
    ca.public_key().verify(leaf.signature, leaf.tbs_certificate_bytes, ec.ECDSA(hashes.SHA256()))
    key = serialization.load_pem_private_key(b["node"]["keyPem"].encode(), None)
    assert key.public_key().public_numbers() == leaf.public_key().public_numbers()
    assert leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "core-b"
    names = leaf.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    assert names.get_values_for_type(x509.DNSName) == ["core-b", "core-b." + harness.DOMAIN]
    assert [str(a) for a in names.get_values_for_type(x509.IPAddress)] == ["192.0.2.2", "2001:db8::2"]
    assert set(leaf.extensions.get_extension_for_oid(ExtensionOID.EXTENDED_KEY_USAGE).value) == \
        {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    assert 364 <= (leaf.not_valid_after - leaf.not_valid_before).days <= 366


def test_it_is_listed_and_not_available(running):
    cores = {c["id"]: c for c in running.dnsctl("cores", "list", "--json").json()["cores"]}
    assert cores["core-b"]["available"] is False and cores["core-b"]["ip"] == "192.0.2.2"
    assert cores["core-b"]["hosting"] == "eu-west"
    tokens = bootstrap(running, "list-tokens", "--json").json()["tokens"]
    assert [(t["core"], t["state"], t["expiresAt"] - t["issuedAt"]) for t in tokens] == [("core-b", "active", 7200000)]
    assert not any("hash" in key.lower() for key in tokens[0])


def test_an_unfinished_one_is_put_in_its_place(running):
    """The same again, no --replace: nobody has come with the first bundle. Its token is revoked."""
    out = out_of(running, "second")
    told = bootstrap(running, *NEW, "--out", out, "--json").json()
    assert set(told) == {"core", "file", "passphrase", "expiresAt", "ackUrl", "caCreated", "restartNeeded"}
    assert told["caCreated"] is False and told["restartNeeded"] is False and told["file"] == out
    assert opened(out, told["passphrase"])["node"]["id"] == "core-b"
    states = [t["state"] for t in bootstrap(running, "list-tokens", "--all", "--json").json()["tokens"]]
    assert states == ["revoked", "active"]


def test_a_file_that_is_there_stays(running):
    out = out_of(running, "there")
    with open(out, "w", encoding="ascii") as f:
        f.write("mine")
    assert out + ": there is a file already" in refused(running, *NEW, "--out", out)
    with open(out, encoding="ascii") as f:
        assert f.read() == "mine"
    assert "No such file or directory" in refused(running, *NEW, "--out", os.path.join(running.folder, "none", "x"))
    if os.geteuid() != 0:
        os.mkdir(os.path.join(running.folder, "closed"), 0o500)
        assert "Permission denied" in refused(running, *NEW, "--out", os.path.join(running.folder, "closed", "x"))
    # The bundle that was there before is still good.
    assert [t["state"] for t in bootstrap(running, "list-tokens", "--json").json()["tokens"]] == ["active"]


@pytest.mark.parametrize("name, wanted", [("lsc", "lsc"), ("reg", "service"), ("dns1", "name server"),
                                          ("fixed", "staticEntries"), ("stored", "record"), ("alice", "user")])
def test_names_that_mean_something_already(running, name, wanted):
    if name == "stored":
        running.tool("set", "stored", "A", "192.0.2.78")
    if name == "alice":
        running.dnsctl("users", "set", "alice", "core-a")
    assert wanted in refused(running, "new-core", "--id", name, "--ip", "192.0.2.9", "--out", out_of(running, name))
    assert not os.path.exists(out_of(running, name))


def test_a_core_that_is_there_needs_replace(running):
    running.dnsctl("cores", "set", "core-x", "--ip", "192.0.2.20")
    said = refused(running, "new-core", "--id", "core-x", "--ip", "192.0.2.21", "--out", out_of(running, "x"))
    assert "core-x is there already (192.0.2.20, available); --replace" in said
    said = refused(running, "new-core", "--id", "core-y", "--ip", "192.0.2.20", "--out", out_of(running, "y"))
    assert "core-x" in said and not os.path.exists(out_of(running, "y"))
    assert not os.path.exists(out_of(running, "y") + ".tmp")
    assert "that is the core you are on" in refused(running, "new-core", "--id", "core-a", "--ip", "192.0.2.9")
    bootstrap(running, "new-core", "--id", "core-x", "--ip", "192.0.2.21", "--replace", "--out", out_of(running, "x"))
    tool = bootstrap(running, "revoke-token", "core-x")
    assert tool.out == "Revoked 1 active token(s) for core-x.\nCore core-x is again what it was before.\n"
    cores = {c["id"]: c for c in running.dnsctl("cores", "list", "--json").json()["cores"]}
    assert (cores["core-x"]["ip"], cores["core-x"]["available"]) == ("192.0.2.20", True)


def test_another_way_in_is_pinned(running):
    """--ack-url: the public key that is shown there now."""
    folder = harness.temp_folder()
    key, crt = os.path.join(folder, "k.pem"), os.path.join(folder, "c.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=front", "-keyout", key,
                    "-out", crt, "-days", "1"], check=True, capture_output=True)
    port = harness.free_port()
    with subprocess.Popen(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-key", key, "-cert", crt, "-quiet"],
                          stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as front:
        out = out_of(running, "pin")
        words = ("new-core", "--id", "core-p", "--ip", "192.0.2.30", "--ack-url", f"https://127.0.0.1:{port}/", "--out", out)
        told = harness.until("the front answers", lambda: (
            lambda tool: tool.code == 0 and tool.json())(bootstrap(running, *words, "--json", expect=None)), 15, 0.2)
        front.kill()
    with open(crt, encoding="ascii") as f:
        pin = bundles.pin(f.read())
    b = opened(out, told["passphrase"])
    assert b["cluster"]["ackPins"] == [pin]
    assert b["cluster"]["ackUrl"] == told["ackUrl"] == f"https://127.0.0.1:{port}/system/admin/cores/ack"
    bootstrap(running, "revoke-token", "core-p")
    os.unlink(out)
    said = refused(running, *words)
    assert "its public key cannot be looked at" in said and not os.path.exists(out)


def test_a_placeless_passphrase_is_taken_back(running):
    """Nobody reads stdout: the passphrase is lost, and so nothing is left of the core."""
    out = out_of(running, "full")
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([harness.program("bootstrap"), "-c", running.path, "new-core", "--id", "core-f", "--ip",
                               "192.0.2.40", "--out", out], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == FAILED and "core-f was not let in" in done.stderr
    assert not os.path.exists(out) and not os.path.exists(out + ".tmp")
    assert "core-f" not in running.dnsctl("cores", "list").out
    assert "core-f" not in bootstrap(running, "list-tokens").out


def test_revoke_as_in_the_guide(running):
    tool = bootstrap(running, "revoke-token", "core-b", "--ip", "192.0.2.2")
    assert tool.out == ("Revoked 1 active token(s) for core-b.\n"
                        "Cleaned up DNS/PlatformDB: coreInfoDeleted=true, perCoreDeleted=true, "
                        "lscIpsAfter=[192.0.2.1, 192.0.2.20]\n")
    assert bootstrap(running, "list-tokens").out == "(no active join tokens)\n"
    assert "core-b" not in running.dnsctl("cores", "list").out
    again = bootstrap(running, "revoke-token", "core-b", "--ip", "192.0.2.2", "--json").json()
    assert again == {"core": "core-b", "tokensRevoked": 0, "certsRevoked": 0, "coreInfoDeleted": False,
                     "coreInfoRestored": False, "perCoreDeleted": False, "lscIpsAfter": ["192.0.2.1", "192.0.2.20"]}
    assert "--ip 192.0.2: not an address" in refused(running, "revoke-token", "core-b", "--ip", "192.0.2")
    assert "core_b" in refused(running, "revoke-token", "core_b")


def test_a_core_that_has_arrived_is_not_revoked_but_removed(running):
    tool = bootstrap(running, "revoke-token", "core-x", "--ip", "192.0.2.20", expect=FAILED)
    assert tool.out.startswith("Revoked 0 active token(s) for core-x.\n") and "coreInfoDeleted=false" in tool.out
    assert "remove-core core-x" in tool.err
    assert "core-x" in running.dnsctl("cores", "list").out


def test_remove_core(running):
    running.dnsctl("users", "set", "bob", "core-x")
    assert "1 user is on it" in refused(running, "remove-core", "core-x")
    assert '"available": true' in json.dumps(
        [c for c in running.dnsctl("cores", "list", "--json").json()["cores"] if c["id"] == "core-x"])
    running.dnsctl("users", "set", "bob", "core-a")
    tool = bootstrap(running, "remove-core", "core-x")
    assert tool.out.startswith("core core-x removed; the database's cluster had no node of that name\nrevoked: ")
    assert "there is no core core-x" in refused(running, "remove-core", "core-x", code=NOTHING)
    running.dnsctl("users", "delete", "bob")
    running.dnsctl("users", "delete", "alice")
    assert "the only voter" in refused(running, "remove-core", "core-a")
    told = {c["id"]: c for c in running.dnsctl("cores", "list", "--json").json()["cores"]}
    assert list(told) == ["core-a"] and told["core-a"]["available"] is True


def test_remove_a_core_that_has_not_come(running):
    bootstrap(running, "new-core", "--id", "core-z", "--ip", "192.0.2.60", "--out", out_of(running, "z"))
    told = bootstrap(running, "remove-core", "core-z", "--json").json()
    assert told == {"removed": "core-z", "nodeRemoved": False, "certsRevoked": 1, "tokensRevoked": 1}
    assert bootstrap(running, "list-tokens").out == "(no active join tokens)\n"


def test_promote_guards(running):
    assert "has no node core-q" in refused(running, "promote-core", "core-q", code=NOTHING)
    assert "votes already" in refused(running, "promote-core", "core-a")
    assert "votes already" in refused(running, "promote-core", "core-a", "--force")


def test_renewed_by_the_daemon(running):
    old = node_cert(running)
    told = bootstrap(running, "renew-node", "--json").json()
    new = node_cert(running)
    assert told["by"] == "daemon" and int(told["serial"], 16) == new.serial_number != old.serial_number


def test_secrets_are_nowhere(running):
    """Not in the log of the daemon, nor in a row: tokens are hashed."""
    out = out_of(running, "last")
    told = bootstrap(running, "new-core", "--id", "core-s", "--ip", "192.0.2.50", "--out", out, "--json").json()
    b = opened(out, told["passphrase"])
    token, key = b["cluster"]["joinToken"], b["node"]["keyPem"].splitlines()[1]
    assert len(token) == 43
    log = running.process.log()
    found = []
    for root, _, names in os.walk(running.folder):
        for name in filter(lambda name: not name.endswith(".sock"), names):
            with open(os.path.join(root, name), "rb") as f:
                octets = f.read()
            found += [(name, s) for s in (told["passphrase"], token, key) if s.encode() in octets]
    assert found == []
    assert told["passphrase"] not in log and token not in log and key not in log
    bootstrap(running, "revoke-token", "core-s")


def test_sqlite_has_the_lists_too():
    d = harness.Dnsd()
    assert "there is no store yet" in bootstrap(d, "list-tokens", expect=NOTHING).err
    d.dnsctl("cores", "set", "core-b", "--ip", "192.0.2.2")
    assert bootstrap(d, "list-tokens").out == "(no active join tokens)\n"
    assert bootstrap(d, "list-tokens", "--all").out == "(no join tokens)\n"
    assert bootstrap(d, "revoke-token", "core-c").out == "Revoked 0 active token(s) for core-c.\n"
    assert "with SQLite there is no cluster" in refused(d, "promote-core", "core-b")
    assert bootstrap(d, "remove-core", "core-b").out.startswith("core core-b removed\n")
