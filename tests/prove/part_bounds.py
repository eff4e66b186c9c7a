# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the tool holds, and what that takes: ten million live blocks and a hundred thousand stacks
with nothing lost, within 1.5 GB in all; and a small target with defaults, within 60 MB. Beyond a
bound, what is dropped is told, and what is kept is exact."""

import lib
from part_soak import memory_bytes

BLOCKS, STACKS = 10_000_000, 100_000
MANY_BYTES, SMALL_BYTES = 1_500_000_000, 60_000_000


def cost_of(report, tracer_bytes):
    """The tracer's own figure, and what the kernel says while it runs."""
    cost = report["cost"]
    return {"told_bytes": cost["tool_rss_bytes"] + cost["kernel_map_bytes"],
            "seen_bytes": tracer_bytes, "cost": cost, "losses": report["losses"]}


def many():
    with lib.Target("many_blocks", "--blocks", BLOCKS) as blocks, \
            lib.Target("many_stacks", "--stacks", STACKS) as stacks, \
            lib.Trace("-p", f"{blocks.pid},{stacks.pid}", "--max-blocks", BLOCKS * 21 // 20,
                      "--max-stacks", STACKS * 21 // 20) as tracer:
        truth = [*stacks.go()["sites"], *blocks.go()["sites"]]
        seen = memory_bytes(tracer.process.pid)
        report = tracer.stop()
    figures = cost_of(report, seen)
    figures["sites"] = len(report["sites"])
    lib.compare(report, truth)
    lib.expect_no_losses(report)
    lib.expect(len(report["sites"]) >= STACKS, f"{len(report['sites'])} sites")
    lib.expect(max(figures["told_bytes"], seen) < MANY_BYTES, f"{figures}")
    return figures


def more():
    """A tenth of it fits."""
    with lib.Target("many_blocks", "--blocks", BLOCKS // 10) as target, \
            lib.Trace("-p", target.pid, "--max-blocks", BLOCKS // 100) as tracer:
        target.go()
        report = tracer.stop()
    lost = report["losses"]["live_set_full"]
    lib.expect_equal(report["heap"]["live_blocks"] + lost, BLOCKS // 10, "kept and lost blocks")
    lib.expect(lost > 0, "no loss is told")
    return cost_of(report, 0)


def small():
    with lib.Target("heap_truth") as target, \
            lib.Trace("-p", target.pid, options=("-d", "600s", "-f", "json")) as tracer:
        truth = target.go()
        seen = memory_bytes(tracer.process.pid)
        report = tracer.stop()
    figures = cost_of(report, seen)
    lib.expect(report["mode"] != "exact" or not lib.compare(report, truth["sites"]), "sums")
    lib.expect(max(figures["told_bytes"], seen) < SMALL_BYTES, f"{figures}")
    return figures


def steps():
    yield "10 million blocks, 100,000 stacks", many
    yield "more blocks than --max-blocks", more
    yield "small target", small
