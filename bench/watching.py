#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""watching.py BUILD-DIR: what recording (-w) and looking on (watch) cost the target over a trace.

Three programs that do nothing but malloc and free share a CPU, each with a C library of its own, the
tools and all else have the others. One is traced, one traced and recorded, one watched, all at once with
a snapshot each 200 ms: whatever else goes on slows them alike. In a round each of them has each part
once. Compared is the CPU time of a pair of calls; printed are medians, and of the ratios of the rounds
the middle of the averages of any two, with the interval that holds it with 95 % (Wilcoxon's signed
ranks). Goal: no more than 1 %.
"""
import collections
import contextlib
import json
import math
import os
import pty
import random
import re
import select
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROUNDS = int(os.environ.get("ROUNDS", "12"))
SECONDS = 2  # with each part
START_SECONDS = 60
GOAL = 1.01
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


def libc():
    """The one that a program here has."""
    with open("/proc/self/maps", encoding="utf-8") as maps:
        return next(line.split()[5] for line in maps if re.search(r"/libc\.so\.6$", line))


class Spin:
    """The program, on the last CPU."""

    def __init__(self, folder, cpu):
        os.mkdir(folder)
        shutil.copy(libc(), folder)
        self.process = subprocess.Popen([SPIN, "--seconds", "0"], text=True, bufsize=1,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env=dict(os.environ, LD_LIBRARY_PATH=folder))
        os.sched_setaffinity(self.process.pid, {cpu})
        self.pid = self.process.stdout.readline().split()[1]

    def since(self, word="since"):
        """What it did since the last question."""
        self.process.stdin.write(word + "\n")
        return json.loads(self.process.stdout.readline())


@contextlib.contextmanager
def spinning(folder, count):
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        sys.exit("watching: needs two CPUs")
    spins = []
    try:
        for i in range(count):
            spins.append(Spin(os.path.join(folder, str(i)), cpus[-1]))
        os.sched_setaffinity(0, cpus[:-1])
        for spin in spins:
            spin.since("go")
        yield spins
    finally:
        for spin in spins:
            spin.process.kill()
            spin.process.communicate()


def measure(parts):
    """CPU nanoseconds of a pair: {name: (spin, command)} -> {name: nanoseconds}."""
    with contextlib.ExitStack() as stack:
        for spin, command in parts.values():
            stack.enter_context(tool(*(word.replace("PID", spin.pid) for word in command)))
        for spin, _ in parts.values():
            spin.since()
        time.sleep(SECONDS)
        done = {name: spin.since() for name, (spin, _) in parts.items()}
    return {name: did["cpu_ns"] / did["pairs"] for name, did in done.items()}


def interval(ratios):
    """The middle of the averages of any two, and the bounds that hold it with 95 %."""
    count, logs = len(ratios), [math.log(ratio) for ratio in ratios]
    averages = sorted((a + b) / 2 for i, a in enumerate(logs) for b in logs[i:])
    edge = max(int(count * (count + 1) / 4 - 1.96 * math.sqrt(count * (count + 1) * (2 * count + 1) / 24)), 0)
    return (math.exp(value) for value in
            (statistics.median(averages), averages[edge], averages[-1 - edge]))


def main():
    if os.geteuid() != 0:
        sys.exit("watching: needs root")
    with tempfile.TemporaryDirectory(prefix="unfreed-bench-") as folder:
        trace = ("trace", "-p", "PID", "-d", "1h", *COMMON, "-f", "json", "-o", "/dev/null")
        ways = {"trace": trace, "trace -w": (*trace, "-w", os.path.join(folder, "rec")),
                "watch": ("watch", "-p", "PID", *COMMON)}
        costs = {name: [] for name in ways}
        with spinning(folder, len(ways)) as spins:
            for number in range(1, ROUNDS + 1):
                print(f"\rround {number} of {ROUNDS}", end="", file=sys.stderr, flush=True)
                names, logs = random.sample(sorted(ways), len(ways)), collections.Counter()
                for turn in range(len(ways)):
                    parts = {name: (spins[i - turn], ways[name]) for i, name in enumerate(names)}
                    for name, cost in measure(parts).items():
                        logs[name] += math.log(cost) / len(ways)
                for name in ways:
                    costs[name].append(math.exp(logs[name]))
    print("\r" + " " * 40 + "\r", end="", file=sys.stderr)
    missed = False
    print("|  | CPU ns of a pair | beside trace | 95 % |\n|---|---|---|---|")
    for name, row in costs.items():
        middle, low, high = interval([cost / trace for cost, trace in zip(row, costs["trace"])])
        print(f"| {name} | {statistics.median(row):.0f} | {middle:.4f} | {low:.4f} to {high:.4f} |")
        missed |= low > GOAL
    if missed:
        sys.exit("watching: it costs the target more than a trace")


if len(sys.argv) != 2:
    sys.exit(__doc__)
UNFREED = os.path.join(os.path.abspath(sys.argv[1]), "unfreed")
SPIN = os.path.join(os.path.abspath(sys.argv[1]), "tests/targets/spin")
main()
