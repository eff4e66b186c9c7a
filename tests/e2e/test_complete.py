#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What share of stacks, by bytes allocated, reaches the thread's root: a table, and a bar for each."""

import collections
import glob
import os
import shutil
import subprocess
import sys

import jvms
import lib
import programs
from lib import case, expect

BAR = 0.999
WARM = 20000
NATIVE = {"C, -O2, no frame pointers": ("many_stacks-nofp", "--stacks", 3000),
          "C++, -O2, no frame pointers": ("heap_truth-nofp",),
          "signal handlers, 100 frames": ("handler",),
          "the same, no frame pointers": ("handler-nofp",)}
MODES = {"warm": (WARM,), "-Xint": (1, "-Xint"), "C1": (WARM, "-XX:TieredStopAtLevel=1"),
         "C2": (WARM, "-XX:-TieredCompilation")}
JAVA = [f"{name}, {mode}" for i, name in enumerate(jvms.JVMS) for mode in MODES if not i or
        mode == "warm"]


def judge(name, report):
    """Adds a row to the table. What is allocated counts, given back or not."""
    ends = collections.Counter()
    for site in report["sites"]:
        ends[site["end"]] += site["allocated_bytes"]
    whole = sum(ends.values())
    share = ends["root"] / whole if whole else 0
    others = ", ".join(f"{end} {100 * part / whole:.3f} %" for end, part in ends.items()
                       if end != "root" and part)
    print(f"| {name:36} {100 * share:8.3f} % of {len(report['sites']):5} stacks  {others}")
    expect(whole and share >= BAR, f"{share:.5f} complete: {others}")


@case(*NATIVE)
def complete(name):
    program, *arguments = NATIVE[name]
    report, truth = lib.trace_truth(program, *arguments)
    lib.compare(report, truth["sites"])
    judge(name, report)


@case(*programs.STARTERS)
def complete_in_a_real_program(name):
    with programs.start(name) as program, lib.Trace("-p", program.pid) as trace:
        program.work()
        report = trace.stop()
    judge(name, report)


@case()
def complete_in_Rust():
    if not shutil.which("rustc"):
        raise lib.Skip("no rustc")
    path = os.path.join(lib.TARGETS, "rust_truth")
    subprocess.run(["rustc", "-O", "-o", path, f"{lib.TOP}/tests/targets/linked/rust_truth.rs"],
                   check=True)
    report, truth = lib.trace_truth("rust_truth")
    lib.compare(report, truth["sites"])
    judge("Rust", report)


def java_library():
    """The C++ side of JavaNative, for any JDK."""
    path = os.path.join(lib.TARGETS, "libjava_native.so")
    headers = glob.glob("/usr/lib/jvm/*/include/jni.h")
    if not headers:
        raise lib.Skip("no jni.h")
    folder = os.path.dirname(headers[0])
    subprocess.run(["g++", "-std=gnu++17", "-O2", "-fomit-frame-pointer", "-shared", "-fPIC",
                    f"-I{folder}", f"-I{folder}/linux", "-o", path,
                    f"{lib.TOP}/tests/targets/linked/java_native.cc"], check=True)
    return os.path.join(jvms.put_in_root(path), os.path.basename(path))


@case(*JAVA)
def complete_in_Java_with_native_code(which):
    name, mode = which.split(", ")
    rounds, *options = MODES[mode]
    command = (*jvms.command(name), *options, "-XX:+UseSerialGC", "-Xmx64m", "-cp",
               jvms.compile_target("JavaNative"), "JavaNative", java_library(), rounds)
    with lib.Target(*command) as target, lib.Trace("-p", target.pid) as trace:
        target.go()
        report = trace.stop()
    judge(f"{name} {mode}", report)


if __name__ == "__main__":
    sys.exit(lib.run_cases())
