# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A busy JVM, and a C program of threads and forks, traced for SOAK_MINUTES (30) in all: the tool's
memory is flat, its counters are exact at the end, and it has lost nothing.

What a fork's child did before it was seen is told (FORKS), and is no loss of anybody else's.
"""

import contextlib
import functools
import json
import os
import re
import signal
import threading
import time

import jvms
import lib
from part_stress import NOT_SHOWN, plugins

MINUTES = float(os.environ.get("SOAK_MINUTES", "30"))
LONGEST = ("-d", "30d", "--max-overhead", "off", "--min-age", "0s", "-i", "20s",
           "-f", "json")
FORKS = ("late_attaches", "short_lived")
SAMPLE_SECONDS = 5
# Of the second half over the first, which begins when a fifth is over.
GROWTH, GROWTH_BYTES = 1.03, 1 << 20
ENDED_BYTES = 6 << 10  # that a process takes, which has ended and is still in the report: 4,096 do


def rss_bytes(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return sum(int(kib) << 10 for kib in re.findall(r"^Rss(?:Anon|File):\s*(\d+)",
                                                        file.read(), re.M))
    return 0


def is_parser(pid):
    """Other children share the tracer's memory."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/comm", encoding="utf-8") as file:
        return file.read() == "unfreed-parser\n"
    return False


def memory_parts(pid):
    """Of a tracer, its child that parses, and its maps in the kernel."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        children = sum(rss_bytes(child) for child in file.read().split() if is_parser(child))
    maps, folder = 0, f"/proc/{pid}/fdinfo"
    for name in os.listdir(folder):
        with contextlib.suppress(OSError), open(f"{folder}/{name}", encoding="ascii") as file:
            maps += sum(map(int, re.findall(r"^memlock:\s*(\d+)", file.read(), re.M)))
    return {"tracer": rss_bytes(pid), "parser": children, "maps": maps}


def memory_bytes(pid):
    return sum(memory_parts(pid).values())


class Reports:
    """Reads those of a tracer as they come: how many processes are in the last, and the last."""

    def __init__(self, tracer):
        self.tracer, self.last, self.processes = tracer, None, 1
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        for line in self.tracer.process.stdout:
            self.last = line
            self.processes = line.count('"comm":')

    def stop(self):
        self.tracer.process.send_signal(signal.SIGINT)
        self.thread.join()
        status = self.tracer.process.wait()
        lib.expect_equal(status, 0, f"status of {self.tracer.process.stderr.read()}")
        return json.loads(self.last)


def work(target, reports, seconds):
    """Rounds of it: (how many, what it said last, samples of the tracer's memory, by part)."""
    begin, rounds, said, samples = time.monotonic(), 0, None, []
    while time.monotonic() < begin + seconds:
        said = target.go()
        rounds += 1
        if time.monotonic() > begin + SAMPLE_SECONDS * (len(samples) + 1):
            samples.append({**memory_parts(reports.tracer.process.pid),
                            "ended": -ENDED_BYTES * reports.processes})
    return rounds, said, samples


def check_flat(samples):
    lib.expect(len(samples) >= 10, f"{len(samples)} samples: too short a soak")
    fifth, half = len(samples) // 5, len(samples) // 2
    samples = [sum(sample.values()) for sample in samples]
    before, after = max(samples[fifth:half]), max(samples[half:])
    lib.expect(after <= before * GROWTH + GROWTH_BYTES, f"its memory grows: {before} to {after}")


def soak(make, check, may_lose, seconds):
    with make() as target, lib.Trace("-p", target.pid, options=LONGEST) as tracer:
        reports = Reports(tracer)
        try:
            rounds, said, samples = work(target, reports, seconds)
            report = reports.stop()
        finally:
            tracer.process.kill()
            reports.thread.join()
    figures = {"rounds": rounds, "heap": report["heap"], "losses": report["losses"],
               "memory_bytes": samples[::max(1, len(samples) // 40)], "cost": report["cost"],
               "window_seconds": report["window"]["seconds"],
               "stacks_complete": report["stacks_complete"],
               "processes": len(report["processes"])}
    try:
        check_flat(samples)
        check(report, said, rounds)
        heap = report["heap"]
        lib.expect_equal(heap["allocated_blocks"] - heap["freed_blocks"], heap["live_blocks"],
                         "allocated less freed blocks")
        lost = {name: count for name, count in report["losses"].items()
                if count and name not in (*may_lose, *NOT_SHOWN)}
        lib.expect(not lost, f"losses: {lost}")
    except AssertionError as failure:
        failure.figures = figures
        raise
    return figures


# -- what is traced --------------------------------------------------------------------------------


class Java(lib.Target):
    def start(self, arguments):
        return [*jvms.command(self.program), "-Xmx64m", "-cp", jvms.compile_target("JavaBusy"),
                "JavaBusy"]


@contextlib.contextmanager
def java():
    if not jvms.JVMS:
        raise lib.Skip("no JVM")
    with Java(sorted(jvms.JVMS)[0]) as target:
        yield target


def check_java(report, said, rounds):
    """One block of inflateInit2_ an Inflater."""
    sites = [site for site in report["sites"] if site["kind"] == "heap" and
             "inflateInit2_" in [frame["name"] for frame in site["frames"][:2]]]
    lib.expect_equal(sum(site["allocated_blocks"] for site in sites), said["made"], "Inflaters")
    lib.expect_equal(sum(site["blocks"] for site in sites), said["left"], "Inflaters left")


@contextlib.contextmanager
def threads_and_forks():
    with plugins() as folder, lib.Target("stress", "--threads", 32, "--operations", 500, "--forks",
                                         40, "--dlopens", 10, "--plugins", folder) as target:
        yield target


def check_sites(report, said, rounds):
    lib.compare(report, said["sites"])


class Both:
    """Two targets of one trace, at work at the same time."""

    def __init__(self, first, second):
        self.targets = first, second
        self.pid = f"{first.pid},{second.pid}"

    def go(self):
        for target in self.targets:
            target.tell("go")
        return [target.hear() for target in self.targets]


@contextlib.contextmanager
def both():
    with java() as first, threads_and_forks() as second:
        yield Both(first, second)


def check_both(report, said, rounds):
    check_java(report, said[0], rounds)
    check_sites(report, said[1], rounds)


def steps():
    seconds = MINUTES * 60 / 3
    yield "busy JVM", functools.partial(soak, java, check_java, (), seconds)
    yield "threads, forks and dlopens", functools.partial(soak, threads_and_forks, check_sites,
                                                          FORKS, seconds)
    yield "both at once", functools.partial(soak, both, check_both, FORKS, seconds)
