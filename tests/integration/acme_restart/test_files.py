"""Proven: the files of a certificate heal. Whatever is done to them (deleted, emptied, spoilt, made
readable for all, exchanged), a look (SIGHUP, or the next one by itself) makes them again from the store,
0600 in folders of 0700, a pair that fits; the listeners never show anything else. Links of stable
names lead to them. Only three generations are kept. A second dnsd on the same folder is refused."""
import os
import stat

import pytest

import acme
import fake_ca
import harness
from harness import DOMAIN, until


@pytest.fixture(scope="module")
def core():
    dnsd = acme.Renewing()
    ca = fake_ca.FakeCa(dns=dnsd.dns).start()
    dnsd.use(ca).start()
    dnsd.wait_issued(ca)
    yield dnsd, ca
    dnsd.stop()
    ca.stop()


def place(dnsd):
    return os.path.join(dnsd.tls_dir, "wildcard." + DOMAIN)


def good(dnsd, serial):
    """The pair at the stable paths is SERIAL's, and private."""
    try:
        with open(os.path.join(place(dnsd), "fullchain.pem"), encoding="ascii") as f:
            leaf = acme.pems(f.read())[0]
        with open(os.path.join(place(dnsd), "privkey.pem"), encoding="ascii") as f:
            key = f.read()
    except (OSError, UnicodeDecodeError, IndexError):
        return False
    public = acme.openssl("pkey", "-pubout", input=key, expect=None)
    certified = acme.openssl("x509", "-noout", "-pubkey", input=leaf, expect=None)
    for top, folders, names in os.walk(dnsd.tls_dir):
        if stat.S_IMODE(os.stat(top).st_mode) != 0o700:
            return False
        for name in names:
            path = os.path.join(top, name)
            if not os.path.islink(path) and stat.S_IMODE(os.stat(path).st_mode) != 0o600:
                return False
    return public == certified and acme.serial_of(leaf) == serial


def real(dnsd, name):
    return os.path.realpath(os.path.join(place(dnsd), name))


def put(path, octets):
    with open(path, "wb") as f:
        f.write(octets)


FAULTS = {
    "key deleted": lambda d: os.unlink(real(d, "privkey.pem")),
    "chain deleted": lambda d: os.unlink(real(d, "fullchain.pem")),
    "links deleted": lambda d: [os.unlink(os.path.join(place(d), n)) for n in ("fullchain.pem", "privkey.pem")],
    "current deleted": lambda d: os.unlink(os.path.join(place(d), "current")),
    "current leads nowhere": lambda d: (os.unlink(os.path.join(place(d), "current")), os.symlink(
        "generations/00000099", os.path.join(place(d), "current"))),
    "generation deleted": lambda d: harness.take_away(os.path.dirname(real(d, "privkey.pem"))),
    "all deleted": lambda d: harness.take_away(place(d)),
    "chain emptied": lambda d: put(real(d, "fullchain.pem"), b""),
    "key cut off": lambda d: os.truncate(real(d, "privkey.pem"), 40),
    "key spoilt": lambda d: put(real(d, "privkey.pem"), b"\xff" * 300),
    "key of another": lambda d: put(real(d, "privkey.pem"), acme.openssl(
        "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256").encode()),
    "read by all": lambda d: (os.chmod(real(d, "privkey.pem"), 0o644), os.chmod(place(d), 0o755)),
    "a file instead of a link": lambda d: (os.unlink(os.path.join(place(d), "privkey.pem")), put(
        os.path.join(place(d), "privkey.pem"), b"mine")),
}


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
@pytest.mark.parametrize("fault", FAULTS)
def test_heals(core, fault, running):
    dnsd, ca = core
    serial = dnsd.serial()
    assert good(dnsd, serial)
    if not running:
        dnsd.stop()
    FAULTS[fault](dnsd)
    assert not good(dnsd, serial), "the fault is none"
    if running:
        dnsd.reload()
    else:
        dnsd.start()
    until("the files are as they were", lambda: good(dnsd, serial), 20, 0.05)
    dnsd.wait_serial(lambda s: s == serial)
    assert ca.count("newOrder") == len(ca.issued())


def test_by_itself(core):
    """Without being told to look: within half a minute."""
    dnsd, _ = core
    serial = dnsd.serial()
    os.unlink(real(dnsd, "privkey.pem"))
    until("the files are as they were", lambda: good(dnsd, serial), 45, 0.2)


def test_generations(core):
    dnsd, ca = core
    first = ca.issued()[0]
    for _ in range(4):
        count = len(ca.issued())
        dnsd.sql("DELETE FROM acme_attempt")
        dnsd.force()
        serial = dnsd.wait_issued(ca, count + 1)
        until("the files follow", lambda serial=serial: good(dnsd, serial), 20, 0.05)
    kept = os.listdir(os.path.join(place(dnsd), "generations"))
    assert len(kept) == 3, kept
    assert not any(first in acme.serial_of(open(os.path.join(top, "fullchain.pem"), encoding="ascii").read())
                   for top, _, names in os.walk(os.path.join(place(dnsd), "generations"))
                   if "fullchain.pem" in names)


def test_a_folder_that_cannot_be_written(core):
    """A file where a folder has to be: told, and what is shown is shown on."""
    dnsd, _ = core
    serial = dnsd.serial()
    harness.take_away(place(dnsd))
    put(place(dnsd), b"")
    dnsd.reload()
    until("the status tells", lambda: acme.matched("wildcard." + DOMAIN, dnsd.trouble()), 30, 0.1)
    assert dnsd.serial() == serial
    os.unlink(place(dnsd))
    dnsd.reload()
    until("the files are as they were", lambda: good(dnsd, serial), 45, 0.1)


def test_second_dnsd(core):
    dnsd, ca = core
    other = acme.Renewing(ca, lets_encrypt={"tlsDir": dnsd.tls_dir})
    process = other.spawn()
    assert process.wait_exit() != 0
    assert acme.matched("tls|lock|another dnsd", process.log())
    assert good(dnsd, dnsd.serial()) and harness.program("dnsd")
