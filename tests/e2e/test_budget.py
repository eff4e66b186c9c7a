#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The budget: what is too busy to be traced all the time is traced in windows, and says so."""

import contextlib
import os
import sys

import lib
from lib import case, expect, expect_equal

HEAP = ("-d", "600s", "--events", "heap", "-f", "json")
LATEST_SECONDS = 100
WINDOW_SECONDS = 0.05  # at most, but where the tool waits for a CPU


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
    with lib.Target(program) as target:
        target.go()
        with lib.Trace("-p", target.pid, "-i", "2s", options=HEAP) as trace:
            report = trace.report_that(names_the_leak, LATEST_SECONDS)
            objects = trace.objects
    lib.expect_gone(objects)
    expect_equal(modes(report)[:2], ["exact", "windowed"], "epochs")
    expect(report["epochs"][1]["windows"] > 1, f"windows: {report['epochs']}")
    expect(0 < report["cost"]["used_share"] < 1, f"cost: {report['cost']}")
    leak = report["sites"][0]
    expect(leak["standard_error_bytes"] > 0, f"no standard error: {leak}")
    expect(leak["sampled_live_blocks"] >= 3, f"so few samples: {leak}")
    for site in of_function(report, "churn_plain"):
        expect_equal(site["bytes"], 0, "held by plain churn")


def calm(report):
    """What is shown of the blocks that are leaked one by one: (live, not known to live)."""
    sites = of_function(report, "leak_calm")
    return (sum(site["blocks"] for site in sites), sum(site["unverified_blocks"] for site in sites))


def modes(report):
    return [epoch["mode"] for epoch in report["epochs"]]


@case()
def a_load_rises_and_falls_and_rises():
    """What a window found stays found, and what was seen before a gap is never shown as exact."""
    with lib.Target("drizzle") as target:
        with lib.Trace("-p", target.pid, "-i", "1s", options=HEAP) as trace:
            for _ in range(10):
                target.say("leak")
            first = trace.report_that(lambda report: report["sites"], LATEST_SECONDS)
            target.go()
            trace.report_that(names_the_leak, LATEST_SECONDS)
            target.say("rest")
            trace.report_that(lambda report: modes(report)[2:] == ["exact"], LATEST_SECONDS)
            for _ in range(5):
                target.say("leak")
            calm_again = trace.report_that(lambda report: calm(report)[0], LATEST_SECONDS)
            target.go()
            last = trace.report_that(lambda report: modes(report)[3:] == ["windowed"],
                                     LATEST_SECONDS)
    [exact] = of_function(first, "leak_calm")
    expect_equal((first["mode"], exact["blocks"], exact["bytes"]), ("exact", 10, 1000), "at first")
    expect_equal(modes(last), ["exact", "windowed"] * 2, "epochs")
    found = 1
    for report, known in ((calm_again, (5, 10)), (last, (0, 15))):
        expect_equal(report["mode"], "windowed", "mode")
        expect_equal(calm(report), known, "blocks, and those that are not known to live")
        [leak] = of_function(report, "leak_hundredth")
        expect(leak["verdict"] == "leak" and leak["standard_error_bytes"] > 0, f"leak: {leak}")
        expect(leak["bytes"] >= found, f"{leak['bytes']} bytes, and {found} before")
        found = leak["bytes"]


@case()
def on_one_cpu_with_many_threads():
    """Of target and tool: windows stay short, and what they take is told."""
    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cpus)})
    try:
        with lib.Target("drizzle", "--threads", 8) as target:
            target.go()
            with lib.Trace("-p", target.pid, "-i", "2s", options=HEAP) as trace:
                trace.report_that(names_the_leak, LATEST_SECONDS)
                report = trace.stop()
    finally:
        os.sched_setaffinity(0, cpus)
    [_, epoch] = report["epochs"]
    cost = report["cost"]
    expect(epoch["on_seconds"] / epoch["windows"] < 4 * WINDOW_SECONDS, f"long windows: {epoch}")
    expect(cost["worst_share"] < 1.2 * cost["budget_share"], f"over the budget: {cost}")
    expect(epoch["on_seconds"] <= cost["used_share"] * report["window"]["seconds"] + 0.001,
           f"windows that are not spent: {epoch}, {cost}")


@case()
def all_that_is_hit_is_charged():
    """Also while probes are put on the other processes, when a hit counts for nothing yet."""
    with contextlib.ExitStack() as stack:
        runs = stack.enter_context(lib.counted_runs())
        busy = stack.enter_context(lib.Target("spin", "--seconds", 0))
        calm = [stack.enter_context(lib.Target("drizzle")) for _ in range(20)]
        busy.go()
        pids = ",".join(str(target.pid) for target in (busy, *calm))
        with lib.Trace("-p", pids) as trace:
            lib.eventually(lambda: not runs.of_heap(trace), "nothing is hit")
            busy.pause()
            hits = runs.of_heap(trace)
            report = trace.stop()
    expect_equal(report["cost"]["hits"], hits, "hits")


@case()
def what_is_calm_is_traced_exactly():
    with lib.Target("heap_truth", "--operations", 200) as target:
        with lib.Trace("-p", target.pid,
                       options=("-d", "600s", "--min-age", "0s", "-f", "json")) as trace:
            truth = target.go()
            report = trace.stop()
    expect_equal(modes(report), ["exact"], "epochs")
    expect_equal(report["mode"], "exact", "mode")
    lib.compare(report, truth["sites"])


@case()
def without_windows_the_probes_come_off():
    """Perf-event uprobes cannot be opened and closed in time."""
    with lib.Target("drizzle") as target:
        target.go()
        with lib.Trace("-p", target.pid,
                       options=(*HEAP, "--probe", "perf")) as trace:
            lib.eventually(lambda: lib.changed_code(target.pid), "the probes do not come off")
            report = trace.stop()
    expect_equal(modes(report), ["exact", "stopped"], "epochs")
    expect(any("uprobe_multi" in note for note in report["notes"]), f"notes: {report['notes']}")


if __name__ == "__main__":
    sys.exit(lib.run_cases())
