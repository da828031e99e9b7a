"""Proven: a stranger without a good certificate of the cluster gets nowhere, at the Raft port or the join port of either core: plain TCP,
no certificate, another CA's, an expired one, a revoked one. Not in the handshake, not a word of data; the nodes are who they
were, and the core tells and counts it. A real rqlited with such a certificate cannot join or read either, and one that is
revoked while it is connected is cut off. The good one is served all the while."""
import concurrent.futures
import datetime
import hashlib
import json
import os
import socket
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import bundles
import cluster as c
import harness
import joined
from harness import merged, until

HOUR = datetime.timedelta(hours=1)
PORTS = {"raft": c.RAFT_PORT, "join": joined.JOIN}


def pem(thing):
    return thing.public_bytes(serialization.Encoding.PEM)


def key_pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


def made(name, issuer, issuer_key, begins=-HOUR, ends=HOUR):
    """(certificate, key) for a node called NAME."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.timezone.utc)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH,
                                   x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH])
    builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer or subject)
               .public_key(key.public_key()).serial_number(x509.random_serial_number())
               .not_valid_before(now + begins).not_valid_after(now + ends)
               .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
               .add_extension(usage, False))
    return builder.sign(issuer_key or key, hashes.SHA256()), key


if not harness.INSIDE:

    def test_in_namespaces():
        harness.rerun_in_namespace(__file__, "-n", "-m", deadline_s=560)

else:

    class World(joined.Joining):
        """Two cores that have joined, a third machine for the stranger, and his papers."""

        def __init__(self):
            super().__init__(count=3)
            a, b, self.stranger = self
            self.begin()
            bundle = self.bundle(b)
            self.until("core-a admits cores", lambda: a.status()["cluster"]["joining"], 20, 0.1)
            b.join(bundle)
            self.available(a, b)
            with open(os.path.join(a.ca, "ca.crt"), "rb") as f:
                self.ca = x509.load_pem_x509_certificate(f.read())
            with open(os.path.join(a.ca, "ca.key"), "rb") as f:
                self.ca_key = serialization.load_pem_private_key(f.read(), None)
            other, other_key = made("other CA", None, None)
            self.papers = {
                "no certificate": None,
                "another CA's": made("core-b", other.subject, other_key),
                "self-signed": made("core-b", None, None),
                "expired": made("core-b", self.ca.subject, self.ca_key, -2 * HOUR, -HOUR),
                "not yet valid": made("core-b", self.ca.subject, self.ca_key, HOUR, 2 * HOUR),
                "revoked": made("core-b", self.ca.subject, self.ca_key),
            }
            self.good = made("core-b", self.ca.subject, self.ca_key)
            self.revoke(self.papers["revoked"][0])

        def revoke(self, certificate):
            """As the store has it after bootstrap remove-core."""
            now = int(datetime.datetime.now().timestamp() * 1000)
            number = certificate.serial_number
            serial = number.to_bytes((number.bit_length() + 7) // 8, "big").hex()
            self[0].execute(
                "INSERT INTO node_cert(serial, core, fingerprint, issued_ms, expires_ms, revoked_ms, reason) VALUES("
                f"'{serial}', 'core-b', '{certificate.fingerprint(hashes.SHA256()).hex()}',"
                f" {now}, {now + 3600000}, {now}, 'a test')")

        def dial(self, core, port, papers=None, tls=True, source=""):
            """A connection from the stranger's machine; None: it was refused."""
            here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
            try:
                assert harness.LIBC.setns(self.stranger.net, c.CLONE_NEWNET) == 0
                try:
                    raw = socket.create_connection((core.ip, port), 10, (source, 0))
                finally:
                    assert harness.LIBC.setns(here, c.CLONE_NEWNET) == 0
            finally:
                os.close(here)
            if not tls:
                return raw
            trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
            if papers:
                path = os.path.join(self.folder, "papers.pem")
                with open(path, "wb") as f:
                    f.write(pem(papers[0]) + key_pem(papers[1]))
                trust.load_cert_chain(path)
            try:
                return trust.wrap_socket(raw)
            except (ssl.SSLError, OSError):
                raw.close()
                return None

        def answered(self, core, papers, words, port=c.RAFT_PORT, source=""):
            """What comes back for WORDS; None: the handshake or the connection ended."""
            connection = self.dial(core, port, papers, source=source)
            if connection is None:
                return None
            with connection:
                try:
                    connection.sendall(words)
                    return connection.recv(4096) or None
                except (ssl.SSLError, OSError):
                    return None

    # The mux header of rqlite's own protocol between nodes, and a request for this node's address.
    NODE_WORDS = b"\x02" + (2).to_bytes(8, "little") + b"\x08\x01"

    @pytest.fixture(scope="module")
    def world():
        made_world = World()
        yield made_world
        made_world.end()

    def http(path, body=b"{}"):
        return (f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
                "\r\nConnection: close\r\n\r\n").encode() + body

    def test_good_papers(world):
        """What the others are measured by: with a good certificate there is an answer."""
        for core in (world[0], world[1]):
            assert world.answered(core, world.good, NODE_WORDS)
        assert b" 400 " in world.answered(world[0], world.good, http("/cluster/node-certificate"), joined.JOIN)

    @pytest.mark.parametrize("which", ["no certificate", "another CA's", "self-signed", "expired", "not yet valid",
                                       "revoked"])
    def test_refused_at_the_raft_port(world, which):
        if which == "revoked":
            for core in (world[0], world[1]):
                until("the core knows who is revoked", lambda core=core: world.answered(
                    core, world.papers[which], NODE_WORDS) is None, 15, 0.5)
        for core in (world[0], world[1]):
            before = core.status()["cluster"]["gate"]
            assert world.answered(core, world.papers[which], NODE_WORDS) is None
            until("it is counted", lambda core=core, before=before: core.status()["cluster"]["gate"]["refused"]
                  + core.status()["cluster"]["gate"]["revoked"] > before["refused"] + before["revoked"], 5, 0.1)

    def test_plain(world):
        for core in (world[0], world[1]):
            for port in (c.RAFT_PORT, joined.JOIN) if core is world[0] else (c.RAFT_PORT,):
                with world.dial(core, port, tls=False) as connection:
                    connection.settimeout(15)
                    try:
                        connection.sendall(NODE_WORDS)
                        got = connection.recv(4096)
                    except ConnectionError:
                        got = b""
                    assert got == b"" or got[:1] == b"\x15", got  # nothing, or a TLS alert

    @pytest.mark.parametrize("which", ["another CA's", "self-signed", "expired", "not yet valid", "revoked"])
    def test_refused_at_the_join_port(world, which):
        got = world.answered(world[0], world.papers[which], http("/cluster/node-certificate"), joined.JOIN)
        assert got is None or (which == "revoked" and b" 403 " in got), got

    def test_join_port_without_papers(world):
        assert b" 401 " in world.answered(world[0], None, http("/cluster/node-certificate"), joined.JOIN)
        for path in ("/system/admin/cores", "/reg/records", "/metrics", "/"):
            assert b" 404 " in world.answered(world[0], None, http(path), joined.JOIN), path

    def test_cut_when_revoked(world):
        """While it is connected."""
        papers = made("core-b", world.ca.subject, world.ca_key)
        with world.dial(world[1], c.RAFT_PORT, papers) as connection:
            connection.sendall(NODE_WORDS)
            assert connection.recv(4096)
            world.revoke(papers[0])
            connection.settimeout(15)
            try:
                while connection.recv(4096):  # what is left of the answer
                    pass
            except (ConnectionError, ssl.SSLError):
                pass  # a timeout is none of these
        assert world.answered(world[1], papers, NODE_WORDS) is None

    def test_one_winner(world):
        """Twenty with one token, each from an address of its own, at one moment: one is let in. The same one again
        is, too, and nobody else; what the others are told is the same for all, whatever is wrong."""
        bundle = world.bundle(world.stranger)
        with open(bundle["file"], encoding="ascii") as f:
            inside = bundles.opened(f.read(), bundle["passphrase"])
        serves = x509.load_pem_x509_certificate(inside["node"]["certPem"].encode())
        ack = {"coreId": world.stranger.id, "token": inside["cluster"]["joinToken"],
               "tlsFingerprint": serves.fingerprint(hashes.SHA256()).hex()}
        sources = [f"10.77.0.{100 + i}" for i in range(20)]
        world.stranger.run("ip", "-batch", "-", input="".join(f"addr add {s}/24 dev eth0\n" for s in sources))

        def acked(source, **other):
            body = json.dumps(merged(ack, other)).encode()
            got = world.answered(world[0], None, http("/system/admin/cores/ack", body), joined.JOIN, source=source)
            return got.split(b"\r\n\r\n", 1)
        for wrong in ({"token": "x" * 43}, {"coreId": "core-b"}, {"tlsFingerprint": "00" * 32}):
            assert b" 401 " in acked(sources[0], **wrong)[0]
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            replies = dict(zip(sources, pool.map(acked, sources)))
        won = [source for source, (head, _) in replies.items() if b" 200 " in head]
        assert len(won) == 1, replies
        lost = {body for source, (_, body) in replies.items() if source not in won}
        assert len(lost) == 1 and b"token-invalid" in lost.pop()
        assert b" 200 " in acked(won[0])[0]
        assert b" 401 " in acked(next(s for s in sources if s not in won))[0]
        assert world[0].listed()[world.stranger.id] is False
        log = world[0].process.log()
        assert ack["token"] not in log and hashlib.sha256(ack["token"].encode()).hexdigest() not in log
        done = world[0].bootstrap("revoke-token", world.stranger.id, "--ip", world.stranger.ip)
        assert "coreInfoDeleted=true" in done.out and world.stranger.id not in world[0].listed()

    def test_nothing_has_changed(world):
        a, b = world[0], world[1]
        assert set(a.nodes()) == {"core-a", "core-b"} and a.listed() == {"core-a": True, "core-b": True}
        a.dnsctl("users", "set", "after", "core-b")
        world.everywhere("after", [b.ip], cores=[a, b])
        joined.said(a.process, "refused at the Raft port")
