#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""How long a user waits, and what the tool takes: from the start to the first event, from the end
of the window to the report, and its own memory. On a small target, on one that allocates a million
blocks in the window, on a running JVM; and what the tables of ten JVMs take."""

import contextlib
import os
import re
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
os.environ["O"] = sys.argv[1]
sys.path.insert(0, os.path.join(HERE, "../tests/e2e"))
import jvms  # noqa: E402
import lib  # noqa: E402  (it reads O)

ROUNDS = 5
MILLION = 1000000
JVMS = 10
TABLES = ("targets", "code_table", "rows", "jvms", "rule_cache", "walks")


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


def jvm():
    """A JVM that runs, its code loaded and some of it compiled."""
    return lib.Target(next(iter(jvms.JVMS.values())), "-XX:+UseSerialGC", "-Xmx64m", "-cp",
                      jvms.compile_target("JavaTruth"), "JavaTruth", 3000)


def measure_jvm():
    with jvm() as target:
        start = time.monotonic()
        with lib.Trace("-p", target.pid) as trace:
            attached = time.monotonic()
            target.go()
            end = time.monotonic()
            report = trace.stop_and_read()
            read = time.monotonic()
            trace.process.communicate()
    lib.expect(report["stacks_complete"] >= 0.999, "stacks are cut")
    cost = report["cost"]
    return attached - start, read - end, cost["tool_rss_bytes"] + cost["kernel_map_bytes"]


def table_bytes(pid):
    """What the kernel has reserved for a tracer's tables, by its maps' fdinfo."""
    names = {row["id"]: row["name"] for row in lib.rows_of("map")}
    found = {}
    for name in os.listdir(f"/proc/{pid}/fdinfo"):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/fdinfo/{name}", encoding="ascii") as info:
            text = info.read()
            number = re.search(r"^map_id:\s*(\d+)$", text, re.M)
            if number and names.get(int(number[1])) in TABLES:
                found[number[1]] = int(re.search(r"^memlock:\s*(\d+)$", text, re.M)[1])
    return sum(found.values())


def tables_of_many():
    with contextlib.ExitStack() as stack:
        targets = [stack.enter_context(jvm()) for _ in range(JVMS)]
        pids = ",".join(str(target.pid) for target in targets)
        with lib.Trace("-p", pids) as trace:
            found = table_bytes(trace.process.pid)
            trace.stop()
    return found


def main():
    if os.geteuid() != 0:
        sys.exit("bench: needs root")
    print(f"{'':30} {'attach':>10} {'report':>10} {'memory':>11}")
    show("10 blocks", [measure(10) for _ in range(ROUNDS)])
    if jvms.JVMS:
        show(f"a JVM ({next(iter(jvms.JVMS))})", [measure_jvm() for _ in range(ROUNDS)])
        print(f"tables of {JVMS} JVMs: {tables_of_many() / 1e6:.1f} MB")
    show("1,000,000 blocks", [measure(MILLION, "--max-blocks", str(MILLION))])


main()
