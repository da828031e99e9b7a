"""What test_kill.py and test_pause.py have in common: core-a, which holds the lease, comes to grief at a state
of its order; the others finish it."""
import signal

import acme
import certified

# acme/order.h, without those that are no step of an order's.
STATES = ["directory", "account", "precheck", "new", "ordered", "authorize", "publish", "prove", "challenge",
          "validate", "finalize", "issue", "download", "store", "clean"]


def strike(cluster, state, how):
    holder, others = cluster[0], cluster.others(cluster[0])
    holder.stop()
    holder.env = {**cluster.environment, **acme.fault(state, how)}
    holder.spawn()
    cluster.ready()
    cluster.held_by(holder)
    cluster.forget_attempts()
    term = cluster.lease()[1]
    issued, orders, failed = len(cluster.ca.issued()), cluster.ca.orders(), cluster.ca.invalid()
    watch = certified.Stopwatch(cluster, issued + 1, others)
    cluster.force(others[0])
    certified.wait_fault(holder, how)
    cluster.asked_of(others)
    serial = cluster.newest(issued + 1, others, certified.TAKEOVER_S)
    watch.told(f"{how} at {state}")
    if how == "kill":
        holder.env = dict(cluster.environment)
        holder.spawn()
    else:
        mark = holder.process.mark()
        holder.process.signal(signal.SIGCONT)
    cluster.ready()
    assert cluster.newest(issued + 1) == serial
    cluster.asked_of(cluster)
    cluster.clean()
    # One more order at the most, and one certificate (that the CA may have issued by the first order).
    assert len(cluster.ca.issued()) == issued + 1, f"{state}: {cluster.ca.issued()[issued:]}"
    assert cluster.ca.orders() - orders <= 2, f"{state}: {cluster.ca.orders() - orders} orders"
    assert cluster.ca.invalid() == failed, f"{state}: {cluster.ca.failures()}" + "".join(
        "\n" + core.tail() for core in cluster)
    now = cluster.lease()
    if state != "clean":  # then it was done
        assert now[1] > term, f"{state}: the term is still {term}"
    if how == "stop" and state != "clean":
        holder.process.wait_log("lease|term|passed on|lost", mark)
    jobs = cluster.rows("SELECT * FROM acme_job WHERE state IN ('waiting', 'working')")
    assert not jobs, jobs
    cluster.verified()
    cluster.agree()
