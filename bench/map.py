#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""map.py BUILD-DIR: what unfreed map costs on 10,000 mappings, beside cat of smaps and pmap -XX.

Interleaved, medians of 9 rounds: wall and CPU time of each, and the longest that one mmap and munmap
of the target took meanwhile (tests/targets/mappings --stall).
"""
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time

ROUNDS = 9
MAPPINGS = 10000
AIM_MS = 60  # unfreed map over cat smaps, of CPU


def measure(command):
    """Wall and CPU milliseconds of a command."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    wall = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (1e3 * wall, 1e3 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))


def main():
    target = subprocess.Popen([f"{BUILD}/tests/targets/mappings", str(MAPPINGS), "--stall"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def longest_ms():
        target.stdin.write("\n")
        return json.loads(target.stdout.readline())["longest_ns"] / 1e6

    pid = target.stdout.readline().split()[1]
    ways = {"nothing": ["sleep", "0.1"], "cat smaps": ["cat", f"/proc/{pid}/smaps"],
            "unfreed map": [f"{BUILD}/unfreed", "map", "-p", pid]}
    if shutil.which("pmap"):
        ways["pmap -XX"] = ["pmap", "-XX", pid]
    rows = {name: [] for name in ways}
    try:
        for _ in range(ROUNDS):
            for name, command in ways.items():
                longest_ms()
                rows[name].append((*measure(command), longest_ms()))
    finally:
        target.kill()
    print(f"{MAPPINGS:,} mappings  {'wall ms':>8} {'CPU ms':>8} {'longest mmap stall ms':>22}")
    cost = {}
    for name, row in rows.items():
        wall, cost[name], stall = (statistics.median(column) for column in zip(*row))
        print(f"{name:15} {wall:8.1f} {cost[name]:8.1f} {stall:22.3f}")
    over = cost["unfreed map"] - cost["cat smaps"]
    print(f"unfreed map takes {over:.1f} ms of CPU over cat smaps (aim: {AIM_MS} ms at most: "
          f"{'reached' if over <= AIM_MS else 'missed'})")


if len(sys.argv) != 2:
    sys.exit(__doc__)
BUILD = os.path.abspath(sys.argv[1])
main()
