#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""unfreed trace against programs that book their own address space: every site, exactly."""

import sys

import lib
from lib import case, compare, expect, expect_equal, expect_no_losses, trace_truth

ARENA_BYTES = 64 << 20
MAPPINGS = ("--events", "mapping")

# What the peers get wrong: one test for each.
DEFECTS = {
    "head": ["leak_head_unmapped"],
    "tail": ["leak_tail_unmapped"],
    "hole": ["leak_hole_unmapped"],
    "spanning": ["leak_spanning_low", "leak_spanning_high", "churn_spanning"],
    "MAP_FIXED": ["leak_fixed_over", "leak_fixed_under"],
    "mremap": ["leak_mremap_shrink", "leak_mremap_grow", "leak_mremap_grow_base",
               "leak_mremap_move", "leak_mremap_move_base", "leak_mremap_fixed_base",
               "leak_mremap_fixed_under", "leak_mremap_dontunmap", "leak_mremap_dontunmap_base",
               "leak_mremap_shared", "leak_mremap_shared_base"],
    "brk": ["leak_brk"],
    "mprotect": ["leak_reserved", "leak_decommitted"],
    "madvise": ["leak_advised"],
    "from before": ["leak_grown_preexisting", "churn_preexisting", "preexisting_map"],
}


@case(*DEFECTS)
def part_of_a_mapping(defect):
    report, truth = trace_truth("mapping_truth", options=MAPPINGS)
    compare(report, truth["sites"], kind="mapping", only=DEFECTS[defect])


@case("mapping_truth", "mapping_truth-nofp")
def known_truth(program):
    report, truth = trace_truth(program, options=MAPPINGS)
    compare(report, truth["sites"], kind="mapping")
    mapping = report["mapping"]
    for total, key in (("live_bytes", "bytes"), ("committed_bytes", "committed_bytes")):
        expect_equal(sum(site[key] for site in report["sites"] if site["kind"] == "mapping"),
                     mapping[total], f"sum of {key} over all sites")
    expect_equal(mapping["preexisting_unmapped_bytes"], truth["preexisting_unmapped_bytes"],
                 "unmapped of what was there before")
    expect_no_losses(report)


@case(2, 4)
def known_truth_while_threads_swap_address_space(threads):
    report, truth = trace_truth("mapping_truth", "--threads", threads, options=MAPPINGS)
    compare(report, truth["sites"], kind="mapping")
    expect_no_losses(report)


@case("arena", "arena-nofp")
def glibc_arena_is_recognised(program):
    report, truth = trace_truth(program)
    sites = [site for site in report["sites"]
             if site["kind"] == "mapping" and site.get("owner") == "glibc arena"]
    expect_equal(sum(site["bytes"] for site in sites), truth["arenas"] * ARENA_BYTES,
                 "bytes of arenas")
    committed = lib.sums_of(report, "mapping", ("committed_bytes",))
    heap = {site["function"]: site["bytes"] for site in truth["sites"]}
    expect(committed["leak_growth"]["committed_bytes"] > 0.9 * heap["leak_growth"],
           f"the stacks that grew the arenas hold {committed}")
    expect(sum(sums["committed_bytes"] for sums in committed.values()) < 2 * sum(heap.values()),
           f"more committed than the blocks need: {committed}")


@case()
def blocks_and_mappings_are_two_ledgers():
    report, truth = trace_truth("big")
    compare(report, truth["mappings"], kind="mapping")
    expect_equal(report["heap"]["live_bytes"], truth["sites"][0]["bytes"], "live bytes of blocks")
    expect_equal(report["mapping"]["live_bytes"], truth["mappings"][0]["bytes"],
                 "live bytes of mappings")


@case()
def mappings_alone_set_no_probe():
    with lib.Target("mapping_truth") as target:
        with lib.Trace("-p", target.pid, options=(*lib.EXACT, *MAPPINGS)) as trace:
            expect_equal(lib.changed_code(target.pid), [], "code while tracing mappings alone")
            target.go()
            trace.stop()
            lib.expect_gone(trace.objects)


if __name__ == "__main__":
    sys.exit(lib.run_cases())
