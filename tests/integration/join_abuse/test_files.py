"""Proven: what is wrong with the bundle, the passphrase file, the configuration or the machine is told in one
line with exit code 2, before a file is written and before anybody is called; what is wrong with a disk or a
folder is told with exit code 1, nothing is left half-written, the bundle is kept, and the same command goes on
when the trouble is gone. Some of it in a mount namespace of its own, as root of a user namespace."""
import os
import re
import shutil

import pytest

import bundles
import harness
from bundles import Authority
from harness import DOMAIN
from issuer import Issuer
from joining import Joiner

NODE = ["core-a", "127.0.0.1"]
MS_RDONLY, MS_REMOUNT, MS_BIND = 1, 32, 4096


@pytest.fixture(scope="module")
def ca():
    return Authority()


@pytest.fixture
def issuer(ca):
    one = Issuer(ca.node("core-a", NODE))
    yield one
    one.stop()


@pytest.fixture
def j(ca, issuer):
    joiner = Joiner()
    joiner.seal(joiner.content(ca, issuer))
    return joiner


if not harness.INSIDE:

    def test_in_a_namespace():
        harness.rerun_in_namespace(__file__, "-m")

    # ---- the bundle -------------------------------------------------------------------------------

    def expired(content):
        content["issuedAt"] = bundles.iso(bundles.now() - 3 * bundles.DAY)
        content["expiresAt"] = bundles.iso(bundles.now() - bundles.DAY)

    def early(content):
        content["issuedAt"] = bundles.iso(bundles.now() + bundles.DAY)
        content["expiresAt"] = bundles.iso(bundles.now() + 2 * bundles.DAY)

    def newer(content):
        content["version"] = 5

    def nobody(content):
        del content["node"]["id"]

    def strange_key(content):
        content["node"]["keyPem"] = Authority().node("core-b", ["core-b"])[1]

    def strange_ca(content):
        content["cluster"]["ca"]["certPem"] = Authority().pem

    @pytest.mark.parametrize("change,pattern", [
        (expired, "the bundle expired at .*new-core --id core-b"),
        (early, "issued in the future"),
        (newer, "made by a newer dnsd"),
        (nobody, "node.id"),
        (strange_key, "node.certPem and node.keyPem"),
        (strange_ca, "node.certPem"),
    ])
    def test_bundle(ca, issuer, change, pattern):
        j = Joiner()
        content = j.content(ca, issuer)
        change(content)
        j.seal(content)
        j.fails(2, pattern)
        j.untouched()
        assert issuer.connections == 0

    @pytest.mark.parametrize("spoil,pattern", [
        (lambda text: "", "bundle"),
        (lambda text: "hello\n", "bundle"),
        (lambda text: text[:-60], "bundle"),
        (lambda text: text.replace("\n", "\nA", 1), "."),
        (lambda text: text + "x" * 400 * 1024, "larger|more than|bundle"),
    ], ids=["empty", "text", "cut", "tampered", "large"])
    def test_no_bundle(j, issuer, spoil, pattern):
        with open(j.bundle, encoding="ascii") as text:
            whole = text.read()
        j.write(j.bundle, spoil(whole))
        j.fails(2, pattern)
        j.untouched()
        assert issuer.connections == 0

    def test_bundle_is_no_file(j):
        os.unlink(j.bundle)
        j.fails(2, "No such file")
        os.mkdir(j.bundle)
        j.fails(2, "is not a regular file")
        os.rmdir(j.bundle)
        os.mkfifo(j.bundle)
        j.fails(2, "is not a regular file")
        j.untouched()

    # ---- the passphrase ---------------------------------------------------------------------------

    @pytest.mark.parametrize("text,pattern", [
        ("WRNG-WRNG-WRNG-WRNG-WRNG-WRNG\n", "the passphrase is wrong, or"),
        ("", "the passphrase is empty"),
        ("\n", "the passphrase is empty"),
        (bundles.PASSPHRASE + "\nand more\n", "must be one line"),
        (bundles.PASSPHRASE + "\0\n", "must be one line"),
        ("x" * 5000, "more than a passphrase"),
    ], ids=["wrong", "empty", "line", "two", "nul", "long"])
    def test_passphrase(j, issuer, text, pattern):
        j.write(j.passphrase, text)
        j.fails(2, pattern)
        j.untouched()
        assert issuer.connections == 0

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o777])
    def test_passphrase_open_to_others(j, issuer, mode):
        os.chmod(j.passphrase, mode)
        j.fails(2, rf"is open to others \(mode 0{mode:o}\): chmod 600 ")
        j.untouched()
        assert issuer.connections == 0

    def test_passphrase_is_no_file(j, issuer):
        os.unlink(j.passphrase)
        j.fails(2, "No such file")
        os.mkfifo(j.passphrase, 0o600)
        j.fails(2, "is not a regular file")
        os.unlink(j.passphrase)
        os.mkdir(j.passphrase, 0o700)
        j.fails(2, "is not a regular file")
        os.rmdir(j.passphrase)
        os.symlink("/dev/null", j.passphrase)
        j.fails(2, "is not a regular file")
        j.untouched()
        assert issuer.connections == 0

    def test_passphrase_as_people_write_it(j):
        j.write(j.passphrase, bundles.PASSPHRASE.lower().replace("-", " ") + "\r\n", 0o400)
        j.joins()

    # ---- the command line ---------------------------------------------------------------------------

    @pytest.mark.parametrize("arguments,pattern", [
        (["--bootstrap", "b"], "needs --bootstrap-passphrase-file"),
        (["--bootstrap-passphrase-file", "p"], "need --bootstrap BUNDLE"),
        (["--bootstrap-as-voter"], "need --bootstrap BUNDLE"),
        (["--bootstrap-ack-trust-system-ca"], "need --bootstrap BUNDLE"),
        (["--bootstrap", "b", "--bootstrap-passphrase-file", "p", "--check"], "do not go together"),
        (["--bootstrap"], "requires an argument"),
    ])
    def test_usage(arguments, pattern):
        process = harness.Process([harness.program("dnsd"), *arguments])
        assert process.wait_exit() == 2
        assert re.search(pattern, process.log()), process.log()

    # ---- the configuration ----------------------------------------------------------------------------

    def told(j, *lines):
        process = j.spawn()
        assert process.wait_exit() == 2, process.log()
        for line in lines:
            assert line in process.log(), process.log()
        assert process.lines[-1].startswith(f"dnsd: {len(lines)} problem"), process.log()
        j.untouched()

    def test_override_says_otherwise(j, issuer):
        j.write(j.override, "core: {id: core-c}\ndns:\n  domain: other.example\n"
                            "storages: {platform: {engine: sqlite}}\n")
        told(j, f"{j.override}:1: core.id: \"core-c\" is not the core that the bundle is for, `core-b`",
             f"{j.override}:3: dns.domain: \"other.example\" is not the domain of the bundle's cluster",
             f"{j.override}:4: storages.platform.engine: \"sqlite\" cannot be the engine")
        assert issuer.connections == 0
        # In the main file it is no matter what the engine was.
        os.unlink(j.override)
        j.write(j.path, harness.yaml(harness.merged(
            j.config, {"core": {"id": "core-b"}, "dns": {"domain": DOMAIN.upper() + "."},
                       "storages": {"platform": {"engine": "sqlite"}}})))
        j.joins()

    def test_main_file_of_another_core(j, issuer):
        j.write(j.path, "core: {id: single}\n" + harness.yaml(j.config))
        told(j, f"{j.path}:1: core.id: \"single\" is not the core")
        assert issuer.connections == 0

    def test_broken_configuration(j, issuer):
        j.write(j.path, "dns: [\n")
        told(j, f"{j.path}:2: YAML:")
        assert issuer.connections == 0

    def test_no_main_file(j, ca, issuer):
        """A core that joins needs none: what has to be different here stands in the override."""
        os.rename(j.path, j.override)
        j.joins()
        assert j.joins()

    def test_nothing_to_go_on_with(j):
        os.unlink(j.bundle)
        j.fails(2, "No such file")
        assert not os.path.exists(j.tls)

    # ---- the machine ----------------------------------------------------------------------------------

    def test_member_of_something_else(j, ca, issuer):
        os.mkdir(j.data)
        j.write(os.path.join(j.data, "raft.db"), "")
        j.fails(2, "this machine is a member already: there is a database in")
        shutil.rmtree(j.data)
        j.untouched()
        j.joins()
        assert len(issuer.requests) == 1
        # Now it is core-b. A bundle for another core, or of another cluster:
        j.seal(j.content(ca, issuer, ident="core-c"))
        j.fails(2, "this machine is a member already: .* has the certificate of core `core-b`")
        j.seal(j.content(Authority("another"), issuer))
        j.fails(2, "another (CA|cluster)|cluster's CA|ca.crt")
        assert len(issuer.requests) == 1
        # Another one for this core is fine.
        j.seal(j.content(ca, issuer))
        j.joins()
        assert len(issuer.requests) == 2

    def test_generated_by_another(j, issuer):
        j.write(j.generated, "# Written by dnsd\n{\"core\": {\"id\": \"core-z\"}}\n")
        j.fails(2, "this machine is a member already: bootstrap-config.yml is that of core `core-z`")
        assert not os.path.exists(j.tls) and issuer.connections == 0

    def test_generated_is_damaged(j, issuer):
        j.write(j.generated, "core: yes\n")
        j.fails(2, "is not as dnsd writes it; move it away")
        assert issuer.connections == 0
        os.unlink(j.generated)
        j.joins()

    def test_keeps_what_is_its_own(j):
        """Members of the generated file that the bundle says nothing of stay; what it takes back goes."""
        j.write(j.generated, '{"core": {"id": "core-b", "url": "https://old.example.com"},\n'
                             '"log": {"level": "debug"}}\n')
        j.joins()
        assert j.settings()["log"] == {"level": "debug"} and "url" not in j.settings()["core"]

else:
    # Root of a user namespace: folders cannot be made unwritable by their modes, but by mounts.

    def tmpfs(path, options):
        os.makedirs(path, exist_ok=True)
        assert harness.LIBC.mount(b"tmpfs", path.encode(), b"tmpfs", 0, options.encode()) == 0

    def read_only(path):
        there = path.encode()
        assert harness.LIBC.mount(there, there, None, MS_BIND, None) == 0
        assert harness.LIBC.mount(None, there, None, MS_REMOUNT | MS_BIND | MS_RDONLY, None) == 0

    def release(path):
        assert harness.LIBC.umount2(path.encode(), 2) == 0

    def fill(folder):
        path = os.path.join(folder, "ballast")
        with open(path, "wb", buffering=0) as f:
            try:
                while True:
                    f.write(b"x" * 4096)
            except OSError:
                pass
        return path

    def test_tls_folder_read_only(j, issuer):
        os.mkdir(j.tls, 0o700)
        read_only(j.tls)
        j.fails(1, "Read-only file system")
        release(j.tls)
        assert os.listdir(j.tls) == [] and os.listdir(j.conf) == ["dnsd.yml"]
        assert issuer.connections == 0 and os.path.exists(j.bundle)
        j.joins()

    def test_configuration_folder_read_only(j, issuer):
        read_only(j.conf)
        j.fails(1, "bootstrap-config.yml.*Read-only file system")
        release(j.conf)
        assert os.listdir(j.conf) == ["dnsd.yml"]
        assert issuer.connections == 0 and os.path.exists(j.bundle)
        j.joins()

    def test_bundle_folder_read_only(j, issuer):
        """It has joined; what remains is told, at every start."""
        folder = os.path.join(j.folder, "media")
        os.mkdir(folder)
        os.rename(j.bundle, os.path.join(folder, "bundle"))
        j.bundle = os.path.join(folder, "bundle")
        read_only(folder)
        assert "cannot be deleted; delete it by hand" in j.joins()
        assert "cannot be deleted; delete it by hand" in j.joins()
        release(folder)
        assert "cannot be deleted" not in j.joins()
        assert len(issuer.requests) == 1 and not os.path.exists(j.bundle)

    @pytest.mark.parametrize("which", ["tls", "conf"])
    def test_disk_full(j, issuer, which):
        folder = getattr(j, which)
        kept = {name: open(os.path.join(folder, name), encoding="utf-8").read()
                for name in (os.listdir(folder) if os.path.isdir(folder) else [])}
        tmpfs(folder, "mode=700,size=64k")
        for name, text in kept.items():
            j.write(os.path.join(folder, name), text)
        ballast = fill(folder)
        j.fails(1, "No space left on device")
        left = [n for n in os.listdir(folder) if n not in ("ballast", *kept)]
        assert [n for n in left if n not in (".lock", "generations")] == [], left
        assert issuer.connections == 0 and os.path.exists(j.bundle)
        os.unlink(ballast)
        j.joins()
        j.whole()
        release(folder)

    def test_disk_full_after_the_ack(j, issuer):
        """The issuer has heard it, but that cannot be written down: the same ack again."""
        tmpfs(j.tls, "mode=700,size=128k")
        ballast = []

        def heard(handler):
            ballast.append(fill(j.tls))
            good(handler)
        good = issuer.behaviours[0]
        issuer.behaviours[:] = [heard, good]
        j.fails(1, "joined.*No space left on device")
        assert os.path.exists(j.bundle)
        os.unlink(ballast[0])
        j.joins()
        assert len(issuer.requests) == 2
        release(j.tls)
