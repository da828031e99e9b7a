"""Proven: kill -9 of the core that holds the lease, at each state of its order right after that was saved:
another core takes over with a higher term and goes on; it ends with exactly one certificate, at the most
one order more, no proof left anywhere, no authorization failed; all cores show the new serial, the killed
one too once it is back."""
import pytest

import certified
import faults
import harness

if not harness.INSIDE:

    def test_in_namespaces():
        harness.rerun_in_namespace(__file__, "-n", "-m", deadline_s=1700)

else:

    @pytest.fixture(scope="module")
    def cluster():
        made = certified.Certified()
        made.form().newest(1)
        assert made.ca.invalid() == 0, made.ca.failures()
        yield made
        made.end()

    @pytest.mark.parametrize("state", faults.STATES)
    def test_at(cluster, state):
        faults.strike(cluster, state, "kill")
