#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""record.py BUILD-DIR: recordings, made up: how large a day is, and what a report of many stacks takes.

A day is a snapshot a minute of 5,000 stacks of 20 frames, of which so many allocate and free in
each minute: goal 50 MB. Drawn are 50,000 stacks, 1,000,000 frames: goal 2 s and 500 MB in every format.
"""
import os
import re
import subprocess
import sys
import tempfile
import time

SNAPSHOTS, SITES, DEPTH = 1440, 5000, 20
ACTIVE = (30, 100)  # per cent
MANY = 50000
GOAL_SECONDS, GOAL_MB, GOAL_DAY_MB = 2, 500, 50


def run(*command):
    """Output, seconds of CPU, and the most memory in MB."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        output = said.read().decode(errors="replace")
    if process.returncode:
        sys.exit(f"{command}: {output}")
    return output, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000


def formats(unfreed):
    """Those that 'unfreed report' has."""
    text = subprocess.run([unfreed, "report", "--help"], check=True, stdout=subprocess.PIPE,
                          text=True).stdout
    return re.search(r"--format FORMAT\s+([^(]*) \(", text)[1].split(", ")


def main():
    build = sys.argv[1] if len(sys.argv) > 1 else "build"
    unfreed, make = os.path.join(build, "unfreed"), os.path.join(build, "bench/recording")
    missed = False
    with tempfile.TemporaryDirectory(prefix="unfreed-bench-") as folder:
        path = os.path.join(folder, "rec")
        print("| a day of 5,000 stacks | file | to write a snapshot | to open and draw it |")
        print("|---|---|---|---|")
        for active in ACTIVE:
            said, _, _ = run(make, path, str(SNAPSHOTS), str(SITES), str(DEPTH), str(active))
            size = os.path.getsize(path) / 1e6
            missed |= size > GOAL_DAY_MB
            _, seconds, memory = run(unfreed, "report", path, "-o", "/dev/null")
            print(f"| {active}% of them active | {size:.1f} MB | "
                  f"{re.search(r'([0-9.]+) ms', said)[1]} ms | {seconds:.2f} s, {memory:.0f} MB |",
                  flush=True)
        run(make, path, "1", str(MANY), str(DEPTH), "100")
        print("\n| 50,000 stacks | CPU | elapsed | memory | report |\n|---|---|---|---|---|")
        for form in formats(unfreed):
            drawn, start = os.path.join(folder, "drawn"), time.monotonic()
            _, seconds, memory = run(unfreed, "report", path, "-f", form, "-o", drawn)
            elapsed = time.monotonic() - start
            missed |= seconds > GOAL_SECONDS or memory > GOAL_MB
            print(f"| {form} | {seconds:.2f} s | {elapsed:.2f} s | {memory:.0f} MB | "
                  f"{os.path.getsize(drawn) / 1e6:.1f} MB |", flush=True)
    if missed:
        sys.exit(f"record: a report took more than {GOAL_SECONDS} s or {GOAL_MB} MB, or a day more "
                 f"than {GOAL_DAY_MB} MB")


if __name__ == "__main__":
    main()
