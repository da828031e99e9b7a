"""Proven: a hundred renewals of certificates that live for six seconds (Debian's Pebble) and a score by
profile (the newest), each due at half of its lifetime. Clients who believe Pebble's root alone shake
hands all the while, on HTTPS and DNS over TLS, and connections that stay are asked all the while: not
one fails, nobody is shown a certificate that is over. Files, rows, descriptors, threads and memory stay
what they were. The lifetime is the certificate's; the ledger's times are moved back by eight days after
each renewal, as if these had passed, so that its limits of a week are met as in life."""
import os
import re
import socket
import ssl
import threading
import time

import pytest

import acme
import harness
from harness import DOMAIN, until

LIFE_S = 6
WEEK_MS = 8 * 86400 * 1000
# ASan keeps what was freed for a while; not so much of it that a leak would be lost in it.
QUIET = {"ASAN_OPTIONS": "detect_leaks=1:exitcode=66:quarantine_size_mb=4:malloc_context_size=8"}


class Visitors:
    """Newcomers, and connections that stay, on both ports."""

    def __init__(self, dnsd, root_file):
        self.ports = [dnsd.https, dnsd.dot]
        self.trust = ssl.create_default_context(cafile=root_file)
        self.serials, self.failures = set(), []
        self.came, self.asked = 0, [0] * 4
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.newcomers)] + [
            threading.Thread(target=self.stay, args=(i,)) for i in range(4)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join(30)

    def connect(self, port):
        plain = socket.create_connection(("127.0.0.1", port), 10)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.trust.wrap_socket(plain, server_hostname=DOMAIN)

    def ask(self, port, tls):
        if port == self.ports[0]:
            tls.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b" 200 " in tls.recv(65536)
        else:
            wire = harness.query("@", "SOA")
            tls.sendall(len(wire).to_bytes(2, "big") + wire)
            assert len(tls.recv(65536)) > 2

    def newcomers(self):
        while not self.over.wait(0.02):
            port = self.ports[self.came % 2]
            try:
                with self.connect(port) as tls:
                    self.serials.add(acme.plain(tls.getpeercert()["serialNumber"]))
                    self.ask(port, tls)
                self.came += 1
            except (OSError, AssertionError) as failure:
                self.failures.append((time.time(), "newcomer", port, repr(failure)))

    def stay(self, index):
        port = self.ports[index % 2]
        try:
            with self.connect(port) as tls:
                while not self.over.wait(0.05):
                    self.ask(port, tls)
                    self.asked[index] += 1
        except (OSError, AssertionError) as failure:
            self.failures.append((time.time(), "stays", port, repr(failure)))


def size(dnsd):
    """What may grow."""
    pid = dnsd.process.pid
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        status = f.read()
    files = [os.path.join(top, name) for top, folders, names in os.walk(dnsd.tls_dir)
             for name in folders + names]
    return {"fds": len(os.listdir(f"/proc/{pid}/fd")),
            "threads": int(re.search(r"Threads:\s+(\d+)", status).group(1)),
            "rss": int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) // 1024, "files": len(files),
            "rows": {t: len(dnsd.table(t)) for t in ("acme_order", "challenge", "acme_account", "acme_renewal",
                                                     "acme_job", "acme_attempt", "acme_witness", "lease")},
            "database": os.path.getsize(dnsd.database) // 1024}


def move_back(dnsd):
    """What the ledger has of today happened more than a week ago."""
    dnsd.sql(("UPDATE acme_attempt SET at_ms = at_ms - ? WHERE at_ms > ?",
              (WEEK_MS, int(time.time() * 1000) - WEEK_MS // 2)))


def at_rest(dnsd):
    """The least of a lifetime: a renewal has files and a connection of its own while it lasts."""
    end = time.monotonic() + LIFE_S / 2
    samples = []
    while time.monotonic() < end:
        move_back(dnsd)
        samples.append(size(dnsd))
        time.sleep(0.2)
    return {**samples[-1], **{key: min(s[key] for s in samples) for key in ("fds", "files")}}


def renewals(dnsd, ca, count):
    """Waits for COUNT more, and moves the ledger back before each."""
    for _ in range(count):
        move_back(dnsd)
        issued = len(ca.issued())
        began = time.monotonic()
        until("another renewal", lambda issued=issued: len(ca.issued()) > issued, 30, 0.02)
        until("it is stored", lambda: acme.serial_of(dnsd.certificate()["certPem"]) == ca.issued()[-1],
              20, 0.02)
        assert time.monotonic() - began < LIFE_S, f"a renewal took {time.monotonic() - began:.1f} s"


@pytest.mark.parametrize("path,count", [(acme.pebbles()[0], 100), (acme.pebbles()[-1], 20)],
                         ids=["100", "profile"])
def test_renewals(started, path, count):
    new = acme.is_new(path)
    dnsd = acme.Renewing(lets_encrypt={"profile": "seconds"} if new else {}, env=acme.scaled(**QUIET))
    more = {"profiles": {"seconds": LIFE_S}} if new else {"validity_s": LIFE_S}
    ca = started(acme.Pebble(path, dns=dnsd.dns, **more))
    started(dnsd.use(ca))
    if new:
        threading.Thread(target=later, args=(ca,), daemon=True).start()
    dnsd.wait_issued(ca)
    began = time.monotonic()
    with Visitors(dnsd, ca.root_file) as visitors:
        renewals(dnsd, ca, count // 4)
        early = at_rest(dnsd)
        renewals(dnsd, ca, count - count // 4)
        last = at_rest(dnsd)
        serial = dnsd.wait_serial(lambda s: s in ca.issued()[-2:])
    took = time.monotonic() - began
    print(f"{len(ca.issued())} certificates in {took:.0f} s; {visitors.came} newcomers saw "
          f"{len(visitors.serials)}, {sum(visitors.asked)} questions on {len(visitors.asked)} connections "
          f"that stayed; failed {len(visitors.failures)}\nafter a quarter {early}\nat the end   {last}")
    assert visitors.failures == [] and visitors.came > took and min(visitors.asked) > took
    assert len(visitors.serials) >= count and serial
    assert ca.invalid() == 0 and len(ca.issued()) == ca.orders()
    assert last["fds"] <= early["fds"] + 2 and last["threads"] == early["threads"], (early, last)
    assert last["files"] == early["files"] < 24, (early, last)
    assert last["rss"] < early["rss"] + 24, (early, last)
    rows = last["rows"]
    assert rows["acme_order"] <= 1 and rows["challenge"] <= 2 and rows["acme_account"] == 1, rows
    assert rows["acme_renewal"] <= 1 and rows["lease"] == 1 and rows["acme_attempt"] <= 500, rows
    assert rows["acme_witness"] <= 200 and rows["acme_job"] == 0, rows


def later(ca):
    """Renewal information of a certificate of seconds: Pebble's own window is two days wide. In the
    future, so that the lifetime's end decides."""
    told = 0
    while ca.process.alive():
        for serial in ca.issued()[told:]:
            known = ca.status(serial)
            ca.set_renewal_info(known["Certificate"], "none")
            told += 1
        time.sleep(0.01)
