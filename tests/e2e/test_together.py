#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Several tracers at once: of one target, of two, and beside a tracer that is not ours."""

import shutil
import signal
import subprocess
import sys

import lib
from lib import case, compare, expect, expect_no_losses


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


def bpftrace_on(pid):
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        libc = next(line.split()[-1] for line in maps if "/libc.so" in line)
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


if __name__ == "__main__":
    sys.exit(lib.run_cases())
