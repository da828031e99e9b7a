"""One core on the embedded store, at several sizes: how long until it answers, what it weighs, how
soon a change is answered.

  load      `dnsctl users load` of a CSV, the daemon down
  start     from exec to the first right answer for the last user of the file; the store is scanned,
            no snapshot file
  restart   the same with the snapshot file of a clean stop
  memory    PSS once it has come to rest, after each way of starting; bytes per name from the slope
            between the sizes, started from the snapshot file
  row       a user's row written by a plain SQLite client: from the commit's return to the answer
  command   `dns-records set`: from the command's start to the answer, process start included
"""

import argparse
import os
import statistics
import sys

import core


def measure(users, rounds, changes):
    c = core.Core("embedded-%d" % users)
    last = "%s.%s" % (core.user_name(users - 1), core.DOMAIN)
    ip = core.core_ip(core.user_core(users - 1))
    r = {"users": users}
    try:
        c.set_cores()
        r["load_s"] = c.run("dnsctl", "users", "load", c.write_users(users))
        r["store_bytes"] = os.path.getsize(c.db)
        r["start_ms"], r["restart_ms"] = [], []
        for _ in range(rounds):
            c.forget()
            r["start_ms"].append(c.start(last, ip))
            c.ask_some(users, 5000)
            c.stop()
            r["restart_ms"].append(c.start(last, ip))
            c.stop()
        c.forget()
        c.start(last, ip)
        c.ask_some(users, 20000)
        r["pss_scanned_kib"] = c.memory_at_rest_kib()
        c.stop()
        c.start(last, ip)
        c.ask_some(users, 20000)
        r["pss_kib"] = c.memory_at_rest_kib()
        r["row_ms"] = core.spread(c.changes_by_row(changes)[1])
        r["command_ms"] = core.spread(c.changes_by_command(changes))
        r["pss_after_changes_kib"] = c.memory_at_rest_kib()
        c.stop()
    finally:
        if c.alive():
            c.process.kill()
            c.process.wait()
    return r


def main():
    p = argparse.ArgumentParser(prog="tools/bench/run embedded --")
    p.add_argument("--users", default="100000,1000000", help="sizes, with commas between")
    p.add_argument("--rounds", type=int, default=3, help="starts; the median counts")
    p.add_argument("--changes", type=int, default=200)
    a = p.parse_args()
    sizes = [int(n) for n in a.users.split(",")]
    core.warn_if_busy()
    results = []
    for users in sizes:
        print("bench: embedded, %d users" % users, file=sys.stderr, flush=True)
        results.append(measure(users, a.rounds, a.changes))

    figures = {"machine": core.machine(), "sizes": results}
    if len(results) > 1:
        small, large = results[0], results[-1]
        grown = (large["pss_kib"] - small["pss_kib"]) * 1024
        figures["bytes_per_name"] = grown / (large["users"] - small["users"])

    def row(what, show):
        return [what, *[show(r) for r in results]]

    def spread(key):
        return lambda r: "%.1f / %.1f ms" % (r[key]["p50"], r[key]["p99"])

    rows = [
        row("load users from CSV", lambda r: "%.1f s" % r["load_s"]),
        row(
            "start to first right answer, from the store",
            lambda r: "%.0f ms" % statistics.median(r["start_ms"]),
        ),
        row(
            "the same, with the snapshot file",
            lambda r: "%.0f ms" % statistics.median(r["restart_ms"]),
        ),
        row("memory (PSS) after that", lambda r: "%.1f MiB" % (r["pss_kib"] / 1024)),
        row(
            "the same, after a start from the store",
            lambda r: "%.1f MiB" % (r["pss_scanned_kib"] / 1024),
        ),
        row("row committed to answered, p50 / p99", spread("row_ms")),
        row("`dns-records set` to answered, p50 / p99", spread("command_ms")),
    ]
    m = figures["machine"]
    core.table(
        "%s, %d CPUs, Linux %s" % (m["cpu"], m["cpus"], m["kernel"]),
        ["", *["{:,} users".format(n) for n in sizes]],
        rows,
    )
    if "bytes_per_name" in figures:
        print("\nmemory per name, from the slope: %.0f bytes" % figures["bytes_per_name"])
    core.save("embedded", figures)


main()
