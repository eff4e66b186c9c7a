#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Several tracers at once: of one target, of two, and beside a tracer that is not ours."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile

import lib
from lib import case, compare, expect, expect_equal, expect_no_losses


@case("session session", "session perf", "multi perf")
def two_tracers_of_one_target_are_both_exact(methods):
    first, second = methods.split()
    with lib.Target("heap_truth", "--threads", 2, "--operations", 20000) as target:
        with lib.Trace("-p", target.pid, options=(*lib.EXACT, "--probe", first)) as one:
            with lib.Trace("-p", target.pid, options=(*lib.EXACT, "--probe", second)) as two:
                truth = target.go()
                reports = [one.stop(), two.stop()]
        lib.eventually(lambda: lib.changed_code(target.pid), "probes left")
    for report in reports:
        compare(report, truth["sites"])
        expect_no_losses(report)


@case()
def two_targets_do_not_mix():
    with lib.Target("heap_truth", "--operations", 20000) as one, \
         lib.Target("heap_truth", "--operations", 30000) as two:
        with lib.Trace("-p", one.pid) as trace_one, lib.Trace("-p", two.pid) as trace_two:
            truths = [one.go(), two.go()]
            reports = [trace_one.stop(), trace_two.stop()]
    for report, truth in zip(reports, truths):
        compare(report, truth["sites"])
        expect_no_losses(report)


@case()
def the_first_tracer_outlives_the_second():
    with lib.Target("heap_truth", "--operations", 20000) as target:
        with lib.Trace("-p", target.pid) as one:
            with lib.Trace("-p", target.pid) as two:
                two.process.send_signal(signal.SIGKILL)
                two.process.wait()
            truth = target.go()
            report = one.stop()
    compare(report, truth["sites"])
    expect_no_losses(report)


def libc_of(pid):
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        return next(line.split()[-1] for line in maps if "/libc.so" in line)


def bpftrace_on(pid):
    libc = libc_of(pid)
    script = f"uprobe:{libc}:malloc,uretprobe:{libc}:malloc,uprobe:{libc}:free /pid == {pid}/ " \
             "{ @calls = count(); } interval:ms:50 { if (!@on) { printf(\"on\\n\"); @on = 1; } }"
    tool = subprocess.Popen(["bpftrace", "-q", "-e", script], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    expect("on\n" in tool.stdout, "bpftrace does not start")
    return tool


@case()
def beside_bpftrace():
    if not shutil.which("bpftrace"):
        raise lib.Skip("no bpftrace")
    with lib.Target("heap_truth", "--operations", 5000) as target:
        tool = bpftrace_on(target.pid)
        try:
            with lib.Trace("-p", target.pid) as trace:
                truth = target.go()
                report = trace.stop()
        finally:
            tool.kill()
            tool.communicate()
        lib.eventually(lambda: lib.changed_code(target.pid), "probes left")
    compare(report, truth["sites"])
    expect_no_losses(report)


# -- perf ------------------------------------------------------------------------------------------


@case("uprobe", "trace")
def beside_perf(how):
    """Its own probe on the same function, or its own tracepoints on the same system calls."""
    if not shutil.which("perf"):
        raise lib.Skip("no perf (Debian package linux-perf)")
    with lib.Target("heap_truth", "--operations", 5000) as target, \
            tempfile.TemporaryDirectory() as folder:
        with lib.Trace("-p", target.pid) as trace, perf_on(target.pid, how, folder) as tool:
            truth = target.go()
            seen = tool.count()
            report = trace.stop()
        lib.eventually(lambda: lib.changed_code(target.pid), "probes left")
    compare(report, truth["sites"])
    expect_no_losses(report)
    expect(seen > 0, "perf has seen nothing: this proves nothing")


class Perf:
    """perf stat: what it counts."""

    def __init__(self, pid, event, folder):
        self.output = f"{folder}/counts"
        fifos = [f"{folder}/{name}" for name in ("control", "answer")]
        for fifo in fifos:
            os.mkfifo(fifo)
        self.process = subprocess.Popen(
            ["perf", "stat", "-x,", "-o", self.output, "-e", event, "-p", str(pid), "--delay=-1",
             "--control", f"fifo:{','.join(fifos)}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        # Opening waits for the other end: for perf, once its events are there, or has failed.
        self.control = self.answer = None
        try:
            lib.eventually(self.open_control, "perf")
            self.answer = open(fifos[1], encoding="ascii")
            print("enable", file=self.control, flush=True)
            expect(self.answer.readline().startswith("ack"), "perf does not answer")
        except BaseException:
            self.close()
            raise

    def open_control(self):
        if self.process.poll() is not None:
            raise lib.Skip(f"perf stat: {' '.join(self.process.stdout.read().split())}")
        try:
            fd = os.open(os.path.join(os.path.dirname(self.output), "control"),
                         os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return "has not opened its control"
        self.control = os.fdopen(fd, "w", encoding="ascii")
        return None

    def count(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(lib.DEADLINE_SECONDS)
        with open(self.output, encoding="ascii") as file:
            rows = [line.split(",") for line in file if line.strip() and not line.startswith("#")]
        return sum(int(row[0]) for row in rows)

    def close(self):
        self.process.kill()
        self.process.communicate()
        for file in (self.control, self.answer):
            if file:
                with contextlib.suppress(BrokenPipeError):
                    file.close()


@contextlib.contextmanager
def perf_on(pid, how, folder):
    name = f"unfreed_{os.getpid()}"
    event = "syscalls:sys_enter_brk,syscalls:sys_enter_mmap,syscalls:sys_enter_write"
    if how == "uprobe":
        event = f"probe_libc:{name}"
        done = subprocess.run(["perf", "probe", "-q", "-x", libc_of(pid), f"{name}=malloc"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise lib.Skip(f"perf probe: {done.stdout}")
    try:
        perf = Perf(pid, event, folder)
        try:
            yield perf
        finally:
            perf.close()
    finally:
        if how == "uprobe":
            subprocess.run(["perf", "probe", "-q", "-d", event], check=False)


# -- a debugger ------------------------------------------------------------------------------------


class Gdb:
    """gdb, attached to a process, and spoken to line by line."""

    def __init__(self, pid):
        if not shutil.which("gdb"):
            raise lib.Skip("no gdb")
        self.process = subprocess.Popen(
            ["gdb", "-q", "-nx", "-p", str(pid)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
        self.say("set pagination off", "set confirm off", "set breakpoint pending on")

    def say(self, *commands):
        """What it answers to the last one."""
        for command in commands:
            print(command, file=self.process.stdin)
        print("echo \\nunfreed-done\\n", file=self.process.stdin, flush=True)
        lines = []
        for line in self.process.stdout:
            if line.strip() == "unfreed-done":
                return "".join(lines)
            lines.append(line)
        raise AssertionError(f"gdb has ended: {''.join(lines)}")

    def go_on(self):
        """Lets the target run, as long as nothing stops it."""
        return self.say("continue &")

    def stop(self):
        print("interrupt", file=self.process.stdin, flush=True)
        expect(any("received signal SIGINT" in line for line in self.process.stdout),
               "gdb does not stop the target")

    def detach(self):
        self.stop()
        self.process.communicate("delete\ndetach\nquit\n", timeout=60)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


def probed_places(pid):
    """Addresses of the probes that are on now."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        base = next(int(line.split("-")[0], 16) for line in maps if "/libc.so" in line)
    return [base + int(place.split("+")[1], 16) for place in lib.changed_code(pid)
            if place.startswith("libc.so")]


def traced_under(gdb, target, meanwhile=None):
    """(report, truth) of a target that runs under gdb."""
    gdb.go_on()
    with lib.Trace("-p", target.pid) as trace:
        if meanwhile:
            meanwhile()
        truth = target.go()
        report = trace.stop()
    return report, truth


def expect_told(report, gdb):
    expect(any(f"traced by pid {gdb.process.pid}" in note for note in report["notes"]),
           f"no word of the debugger: {report['notes']}")


@case("attached", "with breakpoints on all probes", "stopped and continued")
def beside_gdb(how):
    with lib.Target("heap_truth", "--operations", 300) as target:
        with lib.Trace("-p", target.pid) as trace:
            places = probed_places(target.pid)
            trace.stop()
        expect(len(places) > 5, f"probes: {places}")
        lib.eventually(lambda: lib.changed_code(target.pid), "probes left")
        with Gdb(target.pid) as gdb:
            if how != "attached":
                gdb.say(*(f"break *{place}" for place in places))
                gdb.say(*(f"ignore {i + 1} 1000000" for i in range(len(places))))
            stop = (lambda: (gdb.stop(), gdb.go_on())) if "stopped" in how else None
            report, truth = traced_under(gdb, target, stop)
            gdb.detach()
        lib.eventually(lambda: lib.changed_code(target.pid), "probes or breakpoints left")
        expect_equal(target.quit(), 0, "exit status of the target")
    compare(report, truth["sites"])
    expect_no_losses(report)
    expect_told(report, gdb)


@case()
def probes_that_gdb_takes_away_are_told():
    with lib.Target("heap_truth", "--operations", 300) as target:
        with lib.Trace("-p", target.pid) as trace:
            places = probed_places(target.pid)
            trace.stop()
        lib.eventually(lambda: lib.changed_code(target.pid), "probes left")
        with Gdb(target.pid) as gdb:
            gdb.say(*(f"break *{place}" for place in places[:3]))

            def take_away():
                gdb.stop()
                gdb.say("delete")
                gdb.go_on()

            report, _ = traced_under(gdb, target, take_away)
            gdb.detach()
        lib.eventually(lambda: lib.changed_code(target.pid), "probes or breakpoints left")
        expect_equal(target.quit(), 0, "exit status of the target")
    expect_equal(report["losses"]["probes_gone"], 3, "probes that are gone")
    expect_told(report, gdb)


if __name__ == "__main__":
    sys.exit(lib.run_cases())
