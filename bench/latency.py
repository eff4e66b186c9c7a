#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""How long a user waits, and what the tool takes: from the start to the first event, from the end
of the window to the report, and its own memory. On a small target, and on one that allocates a
million blocks in the window."""

import os
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
os.environ["O"] = sys.argv[1]
sys.path.insert(0, os.path.join(HERE, "../tests/e2e"))
import lib  # noqa: E402  (it reads O)

ROUNDS = 5
MILLION = 1000000


def measure(blocks, *options):
    with lib.Target("many_blocks", "--blocks", blocks) as target:
        start = time.monotonic()
        with lib.Trace("-p", target.pid, options=(*lib.EXACT, *options)) as trace:
            attached = time.monotonic()
            target.go()
            end = time.monotonic()
            report = trace.stop_and_read()
            read = time.monotonic()
            # Not killed while its probes come off: the kernel would leak some of them.
            trace.process.communicate()
    lib.expect(report["heap"]["live_blocks"] == blocks, "blocks are missing")
    cost = report["cost"]
    memory = cost["tool_rss_bytes"] + cost["kernel_map_bytes"]
    return attached - start, read - end, memory


def show(name, rows):
    attach, report, memory = (statistics.median(column) for column in zip(*rows))
    print(f"{name:30} {attach:8.3f} s {report:8.3f} s {memory / 1e6:8.1f} MB")


def main():
    if os.geteuid() != 0:
        sys.exit("bench: needs root")
    print(f"{'':30} {'attach':>10} {'report':>10} {'memory':>11}")
    show("10 blocks", [measure(10) for _ in range(ROUNDS)])
    show("1,000,000 blocks", [measure(MILLION, "--max-blocks", str(MILLION))])


main()
