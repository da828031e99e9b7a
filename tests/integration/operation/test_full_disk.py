"""Proven: a full disk loses nothing. On a file system of one megabyte, in a mount namespace of its own:
the tools' writes fail with one clear line and 1, and leave the database as it was; the daemon goes on
answering and says that it could not write; after there is room again everything works, and a restart
finds all that was ever committed."""
import ctypes
import os
import re

import pytest

import harness

if not harness.INSIDE:

    def test_in_mounts_of_its_own():
        harness.rerun_in_namespace(__file__, "-m")

else:

    @pytest.fixture(scope="module")
    def disk():
        folder = harness.temp_folder()
        mounted = harness.LIBC.mount(b"tmpfs", folder.encode(), b"tmpfs", 0, b"size=2m,mode=755")
        assert mounted == 0, os.strerror(ctypes.get_errno())
        yield folder
        harness.LIBC.umount2(folder.encode(), 2)

    @pytest.fixture(scope="module")
    def dnsd(disk, started):
        d = started(harness.Dnsd(folder=disk))
        d.rows({"user-core/alice": "core-a", "dns-record/web": {"a": ["192.0.2.80"]}})
        return d

    def fill(disk):
        """Until not an octet fits."""
        with open(os.path.join(disk, "ballast"), "ab", buffering=0) as f:
            for size in (65536, 4096, 512, 1):
                try:
                    while True:
                        f.write(b"x" * size)
                except OSError:
                    continue

    def free(disk):
        os.unlink(os.path.join(disk, "ballast"))

    def test_tools_say_so_and_change_nothing(disk, dnsd):
        fill(disk)
        big = "".join(f"bulk{i},core-a\n" for i in range(20000))
        tool = dnsd.dnsctl("users", "load", "-", input=big, expect=1)
        assert re.search(r"(full|space)", tool.err), tool.err
        assert dnsd.database in tool.err and len(tool.err.strip().splitlines()) <= 3, tool.err
        for i in (0, 19999):
            assert dnsd.ask(f"bulk{i}").rcode == "NXDOMAIN", "all or nothing"
        assert dnsd.ask("alice").an == 1 and dnsd.ask("web").an == 1
        assert dnsd.process.alive()
        free(disk)

    def test_daemon_goes_on(disk, dnsd):
        """Reload, questions and the snapshot's writing with no room: it warns and lives."""
        fill(disk)
        for _ in range(20):
            assert dnsd.ask("alice").an == 1
        dnsd.reload()
        assert dnsd.ask("alice").an == 1
        free(disk)
        dnsd.rows({"user-core/after": "core-a"})
        assert dnsd.ask("after").an == 1
        dnsd.dnsctl("users", "set", "tool-after", "core-a")
        harness.until("the tool's change is answered", lambda: dnsd.ask("tool-after").an == 1)

    def test_stop_with_no_room_keeps_the_old_snapshot(disk, dnsd):
        """What was on disk before stays whole; the next start has everything that was committed."""
        dnsd.rows({"user-core/last": "core-a"})
        fill(disk)
        dnsd.process.signal(15)
        code = dnsd.process.wait_exit()
        assert code in (0, 1), dnsd.process.log()
        free(disk)
        assert not [name for name in os.listdir(disk) if "tmp" in name]
        dnsd.start()
        for name in ("alice", "web", "after", "last"):
            assert dnsd.ask(name).an == 1, name

    def test_start_with_no_room(disk, dnsd):
        """Serving needs no free octet."""
        dnsd.stop()
        fill(disk)
        dnsd.start()
        assert dnsd.ask("alice").an == 1
        free(disk)

    def test_first_start_with_no_room(disk):
        """No database yet and no room to make one: it says so and ends with 1."""
        fill(disk)
        folder = os.path.join(disk, "fresh")
        try:
            os.mkdir(folder)
        except OSError:
            free(disk)
            os.mkdir(folder)
            fill(disk)
        d = harness.Dnsd()
        d.config["storages"]["engines"]["sqlite"]["path"] = os.path.join(folder, "platform.db")
        d.write_config()
        d.spawn()
        code = d.process.wait_exit()
        free(disk)
        assert code == 1, d.process.log()
        assert re.search(r"(full|space)", d.process.log()), d.process.log()
