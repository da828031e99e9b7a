"""What pytest needs to know about these tests: where the harness is, and to clean up after them."""
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import harness  # noqa: E402  (only importable after the line above)


@pytest.fixture(scope="session", autouse=True)
def _leave_nothing():
    yield
    harness.end_processes()
    harness.remove_folders()


@pytest.fixture(scope="module")
def started():
    """started(thing): starts a Dnsd or a Peer that is stopped, and judged, when the module ends."""
    running = []

    def start(thing):
        running.append(thing)
        thing.start()
        return thing

    yield start
    failures = []
    for thing in reversed(running):
        try:
            thing.stop()
        except AssertionError as failure:
            failures.append(str(failure))
    assert not failures, "\n".join(failures)
