"""Proven: SIGHUP re-reads the configuration and no query is lost while it does; connections stay; a new
configuration that is wrong changes nothing, and the log says what is wrong and that the old one stays."""
import threading
import time

import pytest

import harness
from harness import Reply, Tcp, query


@pytest.fixture(scope="module")
def dnsd(started):
    d = started(harness.Dnsd())
    d.rows({"user-core/alice": "core-a"})
    return d


class Stream:
    """Asks without pause from a thread; counts what was not answered or answered wrongly."""

    def __init__(self, address):
        self.address = address
        self.asked = 0
        self.lost = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _run(self):
        while not self._stop.is_set():
            self.asked += 1
            got = harness.ask_udp(self.address, query("alice"), deadline_s=2)
            if got is None or Reply(got).answer != ["alice 300 A 192.0.2.1"]:
                self.lost.append((time.monotonic(), got))


def with_static(dnsd, number):
    dnsd.config["dns"]["staticEntries"] = {f"fixed{number}": {"a": f"198.51.100.{number}"}}
    dnsd.write_config()


def test_reload_loses_no_query(dnsd):
    with Stream(dnsd.address) as one, Stream(dnsd.address) as two, Tcp(dnsd.address) as connection:
        for i in range(1, 21):
            with_static(dnsd, i)
            dnsd.reload()
            harness.until(f"reload {i} is served",
                          lambda: dnsd.ask(f"fixed{i}").answer == [f"fixed{i} 300 A 198.51.100.{i}"])
            connection.send(query("alice"))
            assert Reply(connection.receive()).an == 1, "the connection outlives the reload"
        assert dnsd.ask("fixed19").rcode == "NXDOMAIN", "what went from the file is gone"
    assert one.asked + two.asked > 100
    assert not one.lost and not two.lost, (one.asked, two.asked, one.lost, two.lost)


def test_rows_survive_a_reload(dnsd):
    with_static(dnsd, 30)
    dnsd.rows({"user-core/during": "core-a"})
    dnsd.reload()
    harness.until("the reload is served", lambda: dnsd.ask("fixed30").an == 1)
    assert dnsd.ask("during").an == 1
    dnsd.rows({"user-core/after": "core-a"})
    assert dnsd.ask("after").an == 1, "the feed goes on after a reload"


BAD = {
    "no YAML at all": "dns: [unclosed\n",
    "unknown key": "dns:\n  activ: true\n",
    "wrong type": "dns:\n  active: true\n  domain: mc.example.com\n  defaultTTL: soon\n",
    "empty": "",
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_bad_configuration_keeps_the_old(dnsd, text):
    before = dnsd.ask("@", "SOA").answer
    mark = dnsd.process.mark()
    dnsd.write_config(text)
    with Stream(dnsd.address) as stream:
        dnsd.reload()
        dnsd.process.wait_log(r"dnsd\.yml", since=mark)
        dnsd.process.wait_log(r"(kept|keep|stays|remains|unchanged)", since=mark)
        assert dnsd.ask("alice").answer == ["alice 300 A 192.0.2.1"]
        assert dnsd.ask("@", "SOA").answer == before
    assert not stream.lost and dnsd.process.alive()
    with_static(dnsd, 40)
    dnsd.reload()
    harness.until("a good one is taken again", lambda: dnsd.ask("fixed40").an == 1)


def test_missing_file_keeps_the_old(dnsd):
    import os
    mark = dnsd.process.mark()
    os.rename(dnsd.path, dnsd.path + ".away")
    dnsd.reload()
    dnsd.process.wait_log(r"dnsd\.yml", since=mark)
    assert dnsd.ask("alice").an == 1
    os.rename(dnsd.path + ".away", dnsd.path)


def test_a_storm_of_signals(dnsd):
    """Signals faster than reloads: the last state of the file counts."""
    with Stream(dnsd.address) as stream:
        for i in range(100, 200):
            with_static(dnsd, i)
            dnsd.reload()
        harness.until("the last one is served", lambda: dnsd.ask("fixed199").an == 1, 10)
    assert not stream.lost


def test_overrides_are_read_again(dnsd):
    """override-config.yml beside the file wins, at reload too."""
    import os
    path = os.path.join(dnsd.folder, "override-config.yml")
    with open(path, "w", encoding="utf-8") as out:
        out.write('dns:\n  staticEntries:\n    laid-over:\n      a: 198.51.100.250\n')
    dnsd.reload()
    harness.until("the override is served", lambda: dnsd.ask("laid-over").an == 1)
    os.unlink(path)
    dnsd.reload()
    harness.until("it is gone", lambda: dnsd.ask("laid-over").rcode == "NXDOMAIN")


def test_what_needs_a_restart_is_told():
    """Addresses, workers, store and account stay as they were, and the log says which key waits."""
    d = harness.Dnsd().start()
    for section, key, value, told in [
            ("dns", "port", harness.free_port(), "dns.port"), ("dns", "workers", 1, "dns.workers"),
            ("core", "id", "core-z", "core.id"), ("dns", "ip", "127.0.0.5", "dns.ip")]:
        mark = d.process.mark()
        before = d.config[section].get(key)
        d.config[section][key] = value
        d.write_config()
        d.reload()
        d.process.wait_log(f"warn.*{told}", since=mark)
        d.process.wait_log("was read again", since=mark)
        assert d.ask("core-a").an == 1
        d.config[section][key] = before
    d.stop()


def test_another_domain_is_refused():
    d = harness.Dnsd().start()
    mark = d.process.mark()
    d.config["dns"]["domain"] = "other.example.org"
    d.write_config()
    d.reload()
    d.process.wait_log("dns.domain", since=mark)
    assert d.ask("core-a").an == 1
    d.stop()


def test_what_follows_at_once():
    """TTL, CHAOS, service names, wildcard, SOA and this core's own address."""
    d = harness.Dnsd().start()
    d.config["dns"].update({"defaultTTL": 77, "chaos": False, "serviceNames": ["hello"],
                            "wildcard": "cores"})
    d.config["core"]["ip"] = "192.0.2.111"
    d.write_config()
    d.reload()
    harness.until("the TTL follows", lambda: d.ask("hello").answer[:1] and
                  d.ask("hello").answer[0].split()[1] == "77")
    assert d.ask("version.bind.", "TXT", qclass=3).rcode == "REFUSED"
    assert d.ask("reg").answer, "no service name any more, but the wildcard has it"
    harness.until("this core's address follows",
                  lambda: [line.split()[3] for line in d.ask("core-a").answer] == ["192.0.2.111"])
    d.stop()


def test_challenges_survive_a_reload(dnsd):
    import time
    dnsd.sql(("INSERT INTO challenge(name, value, order_id, expires_ms) VALUES(?, ?, 'o', ?)",
              ("_acme-challenge", "kept", int(time.time() * 1000) + 60000)))
    harness.until("it is there", lambda: dnsd.ask("_acme-challenge", "TXT").an == 1)
    for i in range(210, 215):
        with_static(dnsd, i)
        dnsd.reload()
        while not dnsd.ask(f"fixed{i}").an:
            assert dnsd.ask("_acme-challenge", "TXT").an == 1
        assert dnsd.ask("_acme-challenge", "TXT").an == 1
