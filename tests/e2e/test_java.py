#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""unfreed trace of HotSpot JVMs: stacks are complete, and say what the JVM itself says."""

import glob
import os
import re
import shutil
import subprocess
import sys

import lib
from lib import case, expect, expect_equal

INFLATER = "java.util.zip.Inflater.<init>"
INFLATER_BYTES = 7000  # at least, of each
WARM = 30000  # rounds until C2 has compiled it all; 1 loads the libraries
MODES = {
    "interpreted": (1, "-Xint"),
    "cold": (1,),
    "C1": (WARM, "-XX:TieredStopAtLevel=1"),
    "C2": (WARM, "-XX:-TieredCompilation"),
    "mixed": (WARM,),
    "frame pointers": (WARM, "-XX:+PreserveFramePointer"),
}


ROOT = os.environ.get("JAVA_ROOT", "/")  # where JVMs are looked for: perhaps another system's root


def jvms():
    """Path in ROOT of each java that is installed, by the name of its folder."""
    found = {}
    for folder in sorted(glob.glob(os.path.join(ROOT, "usr/lib/jvm/*"))):
        if os.path.exists(os.path.join(folder, "bin/java")) and not os.path.islink(folder):
            found[os.path.basename(folder)] = "/" + os.path.relpath(folder, ROOT) + "/bin/java"
    return found


JVMS = jvms()


def compile_truth():
    """The folder with the target's class."""
    folder = os.path.join(lib.BUILD, "tests/targets/java")
    source = os.path.join(lib.TOP, "tests/targets/JavaTruth.java")
    made = os.path.join(folder, "JavaTruth.class")
    if not os.path.exists(made) or os.path.getmtime(made) < os.path.getmtime(source):
        try:
            subprocess.run(["javac", "-nowarn", "--release", "8", "-d", folder, source],
                           check=True, stderr=subprocess.PIPE, text=True)
        except FileNotFoundError as error:
            raise lib.Skip("no javac") from error
    if ROOT == "/":
        return folder
    shutil.copy(made, os.path.join(ROOT, "tmp"))
    return "/tmp"


def java_frames(site):
    """"class.method:line" of a site's Java frames, innermost first."""
    return [f"{frame['name']}:{frame['line']}" for frame in site["frames"]
            if frame["type"] in ("java", "interpreted")
            or (frame["type"] == "inlined" and not frame.get("module"))]


def names_of(site):
    return [frame["name"] for frame in site["frames"]]


def expect_truth(site, truth):
    """From where Inflater's constructors were called, the stack is the JVM's own."""
    frames = java_frames(site)
    inside = max(i for i, frame in enumerate(frames) if frame.startswith(INFLATER))
    expect_equal(frames[inside + 1:], truth["frames"], "Java frames")
    expect_equal(site["end"], "root", "end")
    root = site["frames"][-1]
    expect(re.match(r"\S*clone3?$|None$", str(root["name"])) and "libc" in root["module"],
           f"root: {root}")


def trace_java(java, rounds, *options):
    # The JVM's own stacks, too, are to have the methods that it does not show by itself.
    arguments = (*options, "-XX:+UnlockDiagnosticVMOptions", "-XX:+ShowHiddenFrames", "-XX:+UseSerialGC", "-Xmx64m", "-cp", compile_truth(), "JavaTruth")
    command = (java,) if ROOT == "/" else (shutil.which("chroot"), ROOT, java)
    with lib.Target(*command, *arguments, rounds) as target:
        with lib.Trace("-p", target.pid) as trace:
            truth = target.go()
            return trace.stop(), truth


@case(*(f"{name}, {mode}" for name in JVMS for mode in MODES))
def stacks_are_those_of_the_jvm(which):
    name, mode = which.split(", ")
    report, truth = trace_java(JVMS[name], *MODES[mode])
    sites = [site for site in report["sites"]
             if site["kind"] == "heap" and INFLATER in names_of(site)]
    expect(sites, "no site of an Inflater")
    for site in sites:
        expect_truth(site, truth)
    top = next(site for site in report["sites"] if site["kind"] == "heap")
    expect(INFLATER in names_of(top), f"top site: {names_of(top)}")
    found = sum(site["bytes"] for site in sites)
    expect(found >= truth["leaks"] * INFLATER_BYTES, f"{found} bytes by Inflaters")
    expect(report["stacks_complete"] >= 0.999, f"complete: {report['stacks_complete']}")
    print(f"# {which}: {100 * report['stacks_complete']:.2f} % complete, {len(sites)} sites")


if __name__ == "__main__":
    sys.exit(lib.run_cases())
