#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Processes that begin while watched: forked, executed, spawned, many at once."""

import sys

import lib
from lib import case, compare, expect, expect_equal


@case("family", "family-nofp")
def children_are_followed(program):
    with lib.Target(program) as target:
        with lib.Trace("-p", target.pid) as trace:
            children = target.go()["children"]
            trace.wait_probed(1 + len(children))
            truth = target.say("work")
            report = trace.stop()
    compare(report, truth["sites"])
    expect_equal(report["heap"]["inherited_frees"], truth["inherited_frees"], "inherited frees")
    held = {}
    for site in report["sites"]:
        if site["kind"] == "heap" and lib.site_function(site) == "leak_in_child":
            held[site["pid"]] = held.get(site["pid"], 0) + site["blocks"]
    expect_equal(held, {pid: 20 for pid in children.values()}, "blocks by child")
    running = {process["pid"] for process in report["processes"] if process["state"] == "running"}
    expect(set(children.values()) <= running, f"children {children}, running {running}")
    expect(report["losses"]["late_attaches"] >= len(children), "the gap is no loss")


@case("family")
def blocks_of_children_that_ended_are_not_outstanding(program):
    with lib.Target(program, "--storm", 200) as target:
        with lib.Trace("-p", target.pid) as trace:
            target.go()
            report = trace.stop()
        expect_equal(target.quit(), 0, "exit status of the target")
    expect_equal(report["heap"]["live_bytes"], 0, "outstanding bytes")
    for site in report["sites"]:
        expect_equal(site["pid"], target.pid, "a site's process")
    for name in ("missed_frees", "process_records", "mapping_records", "threads_full"):
        expect_equal(report["losses"][name], 0, name)


if __name__ == "__main__":
    sys.exit(lib.run_cases())
