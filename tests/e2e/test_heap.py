#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""unfreed trace against programs that count their own blocks: every site, exactly."""

import os
import signal
import sys

import lib
from lib import case, compare, expect, expect_equal, expect_no_losses, trace_truth

REALLOCS = ("leak_realloc_failing", "leak_reallocarray", "churn_realloc_zero")
LIVE_BLOCKS = 1200000


def expect_totals(report):
    """The sums of the sites are those of the report."""
    heap = report["heap"]
    for total, key in (("live_bytes", "bytes"), ("live_blocks", "blocks"),
                       ("allocated_bytes", "allocated_bytes"),
                       ("allocated_blocks", "allocated_blocks")):
        found = sum(site[key] for site in report["sites"] if site["kind"] == "heap")
        expect_equal(found, heap[total], f"sum of {key} over all sites")
    expect_equal(heap["allocated_blocks"] - heap["freed_blocks"], heap["live_blocks"],
                 "allocated less freed blocks")


def known_truth(program, threads):
    report, truth = trace_truth(program, "--threads", threads)
    compare(report, truth["sites"])
    expect_equal(report["heap"]["unmatched_frees"], truth["unmatched_frees"], "unmatched frees")
    expect_totals(report)
    expect_no_losses(report)
    return report


@case(1, 2, 3, 4)
def known_truth_with_threads(threads):
    known_truth("heap_truth", threads)


@case(1, 4)
def known_truth_without_frame_pointers_with_threads(threads):
    known_truth("heap_truth-nofp", threads)


@case("session", "multi", "perf")
def known_truth_by_each_way_to_attach(method):
    with lib.Target("heap_truth", "--threads", 2) as target:
        try:
            trace = lib.Trace("-p", target.pid, "--probe", method)
        except AssertionError as failure:
            raise lib.Skip(failure) from failure
        with trace:
            truth = target.go()
            compare(trace.stop(), truth["sites"])


@case("heap_truth", "heap_truth-nofp")
def stacks_reach_the_root(program):
    report = known_truth(program, 2)
    expect(report["stacks_complete"] > 0.999, f"complete: {report['stacks_complete']}")
    for site in report["sites"]:
        names = [frame["name"] for frame in site["frames"]]
        if site["kind"] == "heap" and (lib.site_function(site) or "").startswith("leak_"):
            expect("main" in names or "work" in names, f"neither main nor work in {names}")


@case()
def failing_realloc_keeps_its_block_and_realloc_to_0_frees():
    report, truth = trace_truth("heap_truth")
    compare(report, truth["sites"], only=REALLOCS)


@case()
def realloc_of_a_block_from_before_is_a_free_and_an_allocation():
    report, truth = trace_truth("heap_truth", "--operations", 0)
    compare(report, truth["sites"])
    expect_equal(report["heap"]["unmatched_frees"], truth["unmatched_frees"], "unmatched frees")


@case("arena", "arena-nofp")
def malloc_that_creates_an_arena(program):
    report, truth = trace_truth(program)
    compare(report, truth["sites"])
    expect_no_losses(report)


@case()
def malloc_above_the_mmap_threshold_is_counted_once():
    report, truth = trace_truth("big")
    compare(report, truth["sites"])
    compare(report, truth["mappings"], kind="mapping")
    expect_equal(report["heap"]["live_bytes"], truth["sites"][0]["bytes"], "live bytes")
    expect_no_losses(report)


@case()
def many_live_blocks_are_all_kept():
    with lib.Target("many_blocks", "--blocks", LIVE_BLOCKS) as target:
        with lib.Trace("-p", target.pid, "--max-blocks", 2 * LIVE_BLOCKS) as trace:
            truth = target.go()
            report = trace.stop()
    compare(report, truth["sites"])
    expect_no_losses(report)


@case()
def many_blocks_that_are_freed_are_gone():
    with lib.Target("many_blocks", "--blocks", 200000) as target:
        with lib.Trace("-p", target.pid) as trace:
            target.go()
            truth = target.say("free")
            report = trace.stop()
    compare(report, truth["sites"])
    expect_equal(report["heap"]["freed_blocks"], 200000, "freed blocks")


@case()
def full_live_set_is_counted():
    blocks, kept = 100000, 20000
    with lib.Target("many_blocks", "--blocks", blocks) as target:
        with lib.Trace("-p", target.pid, "--max-blocks", kept) as trace:
            target.go()
            report = trace.stop()
    lost = sum(report["losses"].values())
    expect_equal(report["heap"]["live_blocks"] + lost, blocks, "kept and lost blocks")
    expect(lost, "no loss is told")


@case("many_stacks", "many_stacks-nofp")
def many_distinct_stacks_are_all_kept(program):
    report, truth = trace_truth(program)
    compare(report, truth["sites"])
    sites = [site for site in report["sites"]
             if site["kind"] == "heap" and lib.site_function(site) == "leak_stack"]
    expect_equal(len(sites), truth["stacks"], "distinct stacks")
    expect_no_losses(report)


@case("--status 0", "--status 7", "--signal 9", "--exec 1")
def target_that_is_gone_ends_the_window(how):
    with lib.Target("exits", *how.split()) as target:
        with lib.Trace("-p", target.pid) as trace:
            truth = target.go()
            report = trace.report()
    compare(report, truth["sites"])
    for site in report["sites"]:
        if lib.site_function(site):
            files = [frame.get("file") or "" for frame in site["frames"]]
            expect(any(file.endswith("exits.c") for file in files), f"no source line in {files}")


@case()
def nothing_is_left_attached():
    with lib.Target("heap_truth", "--operations", 2000) as target:
        expect_equal(lib.changed_code(target.pid), [], "code before the attach")
        with lib.Trace("-p", target.pid) as trace:
            expect(lib.changed_code(target.pid), "no probe is seen while tracing")
            target.go()
            trace.stop()
            lib.eventually(lambda: lib.changed_code(target.pid), "probes left")
            lib.expect_gone(trace.objects)
        expect_equal(target.quit(), 0, "exit status of the target")


@case()
def nothing_is_left_attached_after_sigkill():
    with lib.Target("heap_truth", "--operations", 2000) as target:
        with lib.Trace("-p", target.pid) as trace:
            os.kill(trace.process.pid, signal.SIGKILL)
            trace.process.wait()
            lib.eventually(lambda: lib.changed_code(target.pid), "probes left")
            lib.expect_gone(trace.objects)
        target.go()
        expect_equal(target.quit(), 0, "exit status of the target")


if __name__ == "__main__":
    sys.exit(lib.run_cases())
