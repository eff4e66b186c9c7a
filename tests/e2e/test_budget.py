#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The budget: what is too busy to be traced all the time is traced in windows, and says so."""

import sys

import lib
from lib import case, expect, expect_equal

HEAP = ("-d", "600s", "--events", "heap", "-f", "json")
LATEST_SECONDS = 100


def of_function(report, name):
    return [site for site in report["sites"] if lib.site_function(site) == name]


def names_the_leak(report):
    """Has it concluded, from windows, that the site which leaks most does?"""
    first = report["sites"][0]
    return (report["mode"] == "windowed" and first["verdict"] == "leak"
            and lib.site_function(first) == "leak_hundredth")


@case("drizzle", "drizzle-nofp")
def leaks_are_found_in_windows(program):
    """However busy the machine: it takes as many windows as it takes."""
    with lib.Target(program, "--seconds", 2 * LATEST_SECONDS) as target:
        target.tell("go")
        with lib.Trace("-p", target.pid, "-i", "2s", options=HEAP) as trace:
            report = trace.report_that(names_the_leak, LATEST_SECONDS)
            objects = trace.objects
    lib.expect_gone(objects)
    modes = [epoch["mode"] for epoch in report["epochs"]]
    expect_equal(modes[:2], ["exact", "windowed"], "epochs")
    expect(report["epochs"][1]["windows"] > 1, f"windows: {report['epochs']}")
    expect(0 < report["cost"]["used_share"] < 1, f"cost: {report['cost']}")
    leak = report["sites"][0]
    expect(leak["standard_error_bytes"] > 0, f"no standard error: {leak}")
    expect(leak["sampled_live_blocks"] >= 3, f"so few samples: {leak}")
    for site in of_function(report, "churn_plain"):
        expect_equal(site["bytes"], 0, "held by plain churn")


@case()
def what_is_calm_is_traced_exactly():
    with lib.Target("heap_truth", "--operations", 200) as target:
        with lib.Trace("-p", target.pid,
                       options=("-d", "600s", "--min-age", "0s", "-f", "json")) as trace:
            truth = target.go()
            report = trace.stop()
    expect_equal([epoch["mode"] for epoch in report["epochs"]], ["exact"], "epochs")
    expect_equal(report["mode"], "exact", "mode")
    lib.compare(report, truth["sites"])


@case()
def without_windows_the_probes_come_off():
    """Perf-event uprobes cannot be opened and closed in time."""
    with lib.Target("drizzle", "--seconds", 600) as target:
        target.tell("go")
        with lib.Trace("-p", target.pid,
                       options=(*HEAP, "--probe", "perf")) as trace:
            lib.eventually(lambda: lib.changed_code(target.pid), "the probes do not come off")
            report = trace.stop()
    expect_equal([epoch["mode"] for epoch in report["epochs"]], ["exact", "stopped"], "epochs")
    expect(any("uprobe_multi" in note for note in report["notes"]), f"notes: {report['notes']}")


if __name__ == "__main__":
    sys.exit(lib.run_cases())
