#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""heap.py BUILD-DIR: how fast unfreed heap walks 2 GB of glibc's heap: gigabytes a second by the clock
and by its own CPU time, medians of 5 rounds. The target (tests/targets/heap_walk) waits meanwhile; it
is not stopped, and its memory stays what it is."""
import json
import os
import resource
import statistics
import subprocess
import sys

ROUNDS = 5
HEAP_BYTES = 2 << 30
TARGET_GB_A_SECOND = 2
DEADLINE_SECONDS = 120


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def walk(unfreed, pid):
    """(bytes, seconds, CPU seconds, bytes not read)"""
    before = cpu_seconds()
    done = subprocess.run([unfreed, "heap", "-p", str(pid), "--json"], stdout=subprocess.PIPE,
                          timeout=DEADLINE_SECONDS, check=True)
    report = json.loads(done.stdout)
    process = report["processes"][0]
    return (process["resident_bytes"], process["walk_seconds"], cpu_seconds() - before,
            report["losses"]["unread_bytes"])


def main():
    build = sys.argv[1]
    unfreed = os.path.join(build, "unfreed")
    target = subprocess.Popen([os.path.join(build, "tests/targets/heap_walk"), "--threads", "0",
                               "--bytes", str(HEAP_BYTES)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    try:
        pid = int(target.stdout.readline().split()[1])
        rounds = [walk(unfreed, pid) for _ in range(ROUNDS)]
    finally:
        target.kill()
        target.wait()
    size = rounds[0][0] / 1e9
    speed = size / statistics.median(row[1] for row in rounds)
    cpu_speed = size / statistics.median(row[2] for row in rounds)
    print(f"heap walk: {size:.2f} GB at {speed:.1f} GB/s, {cpu_speed:.1f} GB per second of CPU; "
          f"not read: {max(row[3] for row in rounds)} bytes "
          f"({'at least' if speed >= TARGET_GB_A_SECOND else 'NOT'} {TARGET_GB_A_SECOND} GB/s)")


if __name__ == "__main__":
    main()
