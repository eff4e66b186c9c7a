# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Containers that the kernel kills for their memory: each time, a report of their last moment.

A step has a recorder that follows a container by its name through so many lives; in each it is
killed, and the report is compared with the program's own count. (Where several processes allocate,
the kernel may take a second one before the first has given back what it held: that is another report.) With every call traced, at least 99 %
of what was outstanding is in it, complete and with names; within the default budget its first site
is the right one.
"""

import contextlib
import dataclasses
import functools
import glob
import os
import shutil
import time

import flights
import jvms
import lib
import runtimes
from lib import expect

KILLS = 6  # in a step
RUNTIMES = ("runc", "docker", "podman")
INFLATER = "java.util.zip.Inflater.<init>"
INFLATER_BYTES = 7000  # at least, of each
LIVES = 60  # seconds that one may take


def java_line(kind):
    name = max(jvms.JVMS, default=None)
    if not name:
        raise lib.Skip("no JVM")
    return (f"{jvms.JVMS[name]} -Xmx48m -XX:+UseSerialGC -XX:MaxDirectMemorySize=2g -cp /app "
            f"JavaGreedy {kind} /tmp/count0")


def expect_java(function, report, truth, exact):
    """The first site is of this method; of all of its sites the sum is what the program counted."""
    sites = [site for site in report["sites"] if site["kind"] == "heap"]
    expect(any((frame["name"] or "").startswith(function) for frame in sites[0]["frames"]),
           f"first site: {[frame['name'] for frame in sites[0]['frames']]}")
    if not exact:
        return 1
    own = [site for site in sites
           if any((frame["name"] or "").startswith(function) for frame in site["frames"])]
    found = sum(site["bytes"] for site in own)
    wanted = truth[0] or truth[1] * INFLATER_BYTES
    expect(found >= 0.99 * wanted, f"{found} bytes of {wanted}")
    top = sites[0]
    expect(top["end"] == "root" and all(frame["name"] for frame in top["frames"]),
           f"first site: end {top['end']}, {[frame['name'] for frame in top['frames']]}")
    expect(report["stacks_complete"] >= 0.99, f"complete: {report['stacks_complete']}")
    return min(found / wanted, 1)


def expect_greedy(report, truth, exact):
    flights.expect_named(report)
    pid = report["incidents"][0]["pid"] if len(report["processes"]) > 3 else None
    return flights.expect_leak(report, truth, pid) if exact else 1


GREEDY = "/bin/greedy --file /tmp/count0 "
# What runs, whether as the first process, its memory, and how the report is looked at.
KINDS = {
    "C, four threads": (lambda: GREEDY + "--threads 4 --size 1500", True, "64m", expect_greedy),
    "C, a child": (lambda: GREEDY + "--size 3000", False, "64m", expect_greedy),
    "C, a bomb of six": (lambda: GREEDY + "--processes 6 --size 2000", True, "64m", expect_greedy),
    "JVM, direct buffers": (lambda: java_line("direct"), True, "256m", functools.partial(
        expect_java, "JavaGreedy.leak_buffer")),
    "JVM, Inflaters": (lambda: java_line("inflater"), True, "256m", functools.partial(
        expect_java, INFLATER)),
}


def rootfs(shop):
    root = shop.rootfs([flights.GREEDY])
    name = max(jvms.JVMS, default=None)
    if name and jvms.ROOT == "/":
        runtimes.copy_folder(root, f"/usr/lib/jvm/{name}",
                             ("jmods", "legal", "man", "include", "docs", "src.zip", "classes*.jsa",
                              "ct.sym"))
        os.makedirs(f"{root}/app")
        for path in glob.glob(f"{jvms.compile_target('JavaGreedy')}/JavaGreedy*.class"):
            shutil.copy(path, f"{root}/app")
    return root


def command(line, first):
    if first:
        return runtimes.Program.command(line)
    return ["/bin/sh", "-c", f"mkfifo /tmp/in /tmp/out; {line} </tmp/in >/tmp/out; sleep 1000"]


def truth_of(counts, report):
    """What the victim counted; of several processes, by the number that it has in the container."""
    rows = counts.rows()
    if len(rows) == 1:
        return next(iter(rows.values()))
    found = flights.leak_of(report, report["incidents"][0]["pid"])
    return min(rows.values(), key=lambda row: abs(row[0] - found[0]))


class Step:
    """So many lives of one container, and who watches them."""

    def __init__(self, rig, kind, exact):
        self.rig, self.exact, self.flight = rig, exact, None
        self.line, self.first, self.memory, self.check = KINDS[kind]
        self.figures = {"kills": 0, "reports": 0, "least_share": 1, "most_seconds": 0}

    def watch(self, container):
        """From now on it is watched, by one who is new or has followed to it."""
        if self.flight:
            self.flight.wait_for("tracing ")
        else:
            self.flight = flights.Flight("-c", "unfreed-kills", "--on-oom", "--follow-restarts",
                                         *(flights.EXACT if self.exact else ()))
        flights.wait_probed(container)

    def start(self):
        return self.rig.run("unfreed-kills", command(self.line(), self.first), self.memory)

    def life(self):
        container = self.start()
        with flights.Greedy(container) as program:
            self.watch(container)
            self.figures["kills"] += 1
            program.tell("go")
            begin = time.monotonic()
            report = self.flight.next_report()
            seconds = time.monotonic() - begin
            flights.expect_oom(report, runtimes.bytes_of(self.memory))
            share = self.check(report, truth_of(program.counts, report), self.exact)
        self.figures["reports"] += 1
        self.figures["least_share"] = min(self.figures["least_share"], round(share, 5))
        self.figures["most_seconds"] = max(self.figures["most_seconds"], round(seconds, 2))
        self.clear()

    def clear(self):
        self.rig.clear()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.flight:
            self.flight.__exit__()


class Restarted(Step):
    """Docker itself starts the container again."""

    def start(self):
        if not self.flight:
            return self.rig.run("unfreed-kills", command(self.line(), self.first), self.memory,
                                options=("--restart", "always"))
        before = self.rig.containers[-1]
        pid = runtimes.wait_for(lambda: self.next_pid(before.pid), "restart")
        self.rig.containers[-1] = dataclasses.replace(before, pid=pid)
        return self.rig.containers[-1]

    def next_pid(self, before):
        pid = int(self.rig.tool("inspect", "-f", "{{.State.Pid}}", "unfreed-kills"))
        return pid if pid not in (0, before) else None

    def clear(self):
        pass


def kill_many(runtime, kind, exact, kind_of_step=Step):
    with runtimes.workshop() as shop, contextlib.ExitStack() as stack:
        try:
            rig = stack.enter_context(shop.rig(runtime, rootfs(shop)))
        except runtimes.Unavailable as reason:
            raise lib.Skip(reason) from reason
        step = stack.enter_context(kind_of_step(rig, kind, exact))
        try:
            for _ in range(KILLS):
                step.life()
            step.flight.end(interrupt=True)
        except AssertionError as failure:
            failure.figures = step.figures
            raise
    return step.figures


def steps():
    yield ("docker that restarts it, every call traced: C, four threads", functools.partial(
        kill_many, "docker", "C, four threads", True, Restarted))
    for exact in (True, False):
        for runtime in RUNTIMES:
            for kind in KINDS:
                mode = "every call traced" if exact else "within the budget"
                yield (f"{runtime}, {mode}: {kind}",
                       functools.partial(kill_many, runtime, kind, exact))
