#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""watching.py BUILD-DIR: what recording (-w) and looking on (watch) cost the target over a trace.

Each round measures all three ways on a program that does nothing but malloc and free, in an order of
its own, with a snapshot each 200 ms; what is compared are CPU times of a pair in one round. Printed
are medians, and of the ratio the interval that holds its median with 95 %. Goal: no more than 1 %.
"""
import contextlib
import json
import os
import pty
import random
import re
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROUNDS = int(os.environ.get("ROUNDS", "15"))
SECONDS = 1  # of work in each measurement
START_SECONDS = 60
GOAL = 1.01
# Of 15 sorted values the 4th and the 12th hold the median with 96 % (binomial); of others likewise.
EDGE = 0.28
COMMON = ("--max-overhead", "off", "--events", "heap", "-i", "200ms")


def heard(descriptor, pattern):
    """Reads until there is what matches."""
    end, seen = time.monotonic() + START_SECONDS, b""
    while time.monotonic() < end:
        if select.select([descriptor], [], [], 0.1)[0]:
            seen += os.read(descriptor, 65536)
            if re.search(pattern, seen):
                return
    sys.exit(f"watching: no {pattern} in {seen[-500:]}")


@contextlib.contextmanager
def tool(*arguments):
    """unfreed on a terminal of its own, which somebody reads."""
    main, other = pty.openpty()
    with subprocess.Popen([UNFREED, *arguments], stdin=other, stdout=other, stderr=other,
                          env=dict(os.environ, TERM="xterm")) as process:
        os.close(other)
        try:
            heard(main, rb"tracing ")
            reader = threading.Thread(target=drain, args=(main,))
            reader.start()
            yield
            process.send_signal(signal.SIGINT)
            status = process.wait()
            reader.join()
            if status:
                sys.exit(f"watching: status {status} of {arguments}")
        finally:
            process.kill()
            os.close(main)


def drain(descriptor):
    with contextlib.suppress(OSError):  # the last one has closed it
        while os.read(descriptor, 65536):
            pass


def measure(command):
    """CPU nanoseconds of a pair."""
    spin = subprocess.Popen([SPIN, "--seconds", str(SECONDS)], text=True, bufsize=1,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        pid = spin.stdout.readline().split()[1]
        with tool(*(word.replace("PID", pid) for word in command)):
            spin.stdin.write("go\n")
            truth = json.loads(spin.stdout.readline())
        return truth["cpu_ns"] / truth["pairs"]
    finally:
        spin.kill()
        spin.communicate()


def main():
    if os.geteuid() != 0:
        sys.exit("watching: needs root")
    with tempfile.TemporaryDirectory(prefix="unfreed-bench-") as folder:
        path = os.path.join(folder, "rec")
        trace = ("trace", "-p", "PID", "-d", "1h", *COMMON, "-f", "json", "-o", "/dev/null")
        ways = {"trace": trace, "trace -w": (*trace, "-w", path),
                "watch": ("watch", "-p", "PID", *COMMON)}
        costs = {name: [] for name in ways}
        for number in range(1, ROUNDS + 1):
            for name in random.sample(sorted(ways), len(ways)):
                print(f"\rround {number} of {ROUNDS}: {name:10}", end="", file=sys.stderr, flush=True)
                costs[name].append(measure(ways[name]))
    print("\r" + " " * 40 + "\r", end="", file=sys.stderr)
    missed = False
    print("|  | CPU ns of a pair | beside trace | 95 % |\n|---|---|---|---|")
    for name, row in costs.items():
        ratios = sorted(cost / trace for cost, trace in zip(row, costs["trace"]))
        low, high = ratios[int(EDGE * ROUNDS) - 1], ratios[ROUNDS - int(EDGE * ROUNDS)]
        print(f"| {name} | {statistics.median(row):.0f} | {statistics.median(ratios):.4f} | "
              f"{low:.4f} to {high:.4f} |")
        missed |= low > GOAL
    if missed:
        sys.exit("watching: it costs the target more than a trace")


if len(sys.argv) != 2:
    sys.exit(__doc__)
UNFREED = os.path.join(os.path.abspath(sys.argv[1]), "unfreed")
SPIN = os.path.join(os.path.abspath(sys.argv[1]), "tests/targets/spin")
main()
