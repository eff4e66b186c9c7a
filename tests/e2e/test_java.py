#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""unfreed trace of HotSpot JVMs: stacks are complete, and say what the JVM itself says."""

import os
import re
import sys

import jvms
import lib
from jvms import JVMS, ROOT, compile_target
from lib import case, expect, expect_equal

INFLATER = "java.util.zip.Inflater.<init>"
INFLATER_BYTES = 7000  # at least, of each
CHURN_ROUNDS = 60
REPLACED = 40
MADE = "JavaReplaced$Made"
NAMELESS = 0.5  # at most: whoever is slow finds other code there, on a machine that is busy
WARM = 30000  # rounds until C2 has compiled it all; 1 loads the libraries
MODES = {
    "interpreted": (1, "-Xint"),
    "cold": (1,),
    "C1": (WARM, "-XX:TieredStopAtLevel=1"),
    "C2": (WARM, "-XX:-TieredCompilation"),
    "mixed": (WARM,),
    "frame pointers": (WARM, "-XX:+PreserveFramePointer"),
}


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


def trace_java(target, name, rounds, *options):
    # The JVM's own stacks, too, are to have the methods that it does not show by itself.
    arguments = (*options, "-XX:+UnlockDiagnosticVMOptions", "-XX:+ShowHiddenFrames",
                 "-XX:+UseSerialGC", "-Xmx64m", "-cp", compile_target(target), target)
    with lib.Target(*jvms.command(name), *arguments, rounds) as process:
        with lib.Trace("-p", process.pid) as trace:
            truth = process.go()
            return trace.stop(), truth


@case(*(f"{name}, {mode}" for name in JVMS for mode in MODES))
def stacks_are_those_of_the_jvm(which):
    name, mode = which.split(", ")
    report, truth = trace_java("JavaTruth", name, *MODES[mode])
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


def expect_merged(report):
    """No two sites show the same: where the code of a method lies makes no difference."""
    seen = set()
    for site in report["sites"]:
        frames = tuple(tuple(frame.values()) for frame in site["frames"])
        key = (site["kind"], site["pid"], site["owner"], site["end"], frames)
        expect(not frames or key not in seen, f"twice: {java_frames(site)}")
        seen.add(key)
        expect(not [frame for frame in site["frames"]
                    if frame["type"] in ("java", "interpreted") and frame["name"] and frame["offset"]],
               "a method's address")
    heap = [site for site in report["sites"] if site["kind"] == "heap"]
    for what in ("allocated_bytes", "allocated_blocks"):
        expect_equal(sum(site[what] for site in heap), report["heap"][what], what)


CHURN = re.compile(r"JavaChurn.inner:18 (JavaChurn.narrow:33 (JavaChurn.narrow:32 ){0,6}|"
                   r"JavaChurn.wide:26 (JavaChurn.wide:23 ){0,4})"
                   r"JavaChurn.run:(39|40) java.lang.Thread.(runWith:\d+ java.lang.Thread.)?run:\d+")


@case(*JVMS)
def stacks_are_right_while_compiled_code_comes_and_goes(name):
    report, truth = trace_java("JavaChurn", name, CHURN_ROUNDS, "-XX:Tier3DelayOn=0")
    sites = [site for site in report["sites"]
             if site["kind"] == "heap" and INFLATER in names_of(site)]
    nameless = 0  # what has a frame whose code was gone
    for site in sites:
        frames = java_frames(site)
        if "None:None" in frames:
            nameless += site["allocated_blocks"]
            continue
        inside = max(i for i, frame in enumerate(frames) if frame.startswith(INFLATER))
        expect(CHURN.fullmatch(" ".join(frames[inside + 1:])), f"frames: {frames}")
        expect_equal(site["end"], "root", "end")
    expect_merged(report)
    blocks = sum(site["allocated_blocks"] for site in sites)
    expect(blocks >= truth["calls"], f"{blocks} blocks in {truth['calls']} calls")
    expect(nameless == 0 or report["losses"]["java_names"], "names are missing, and not counted")
    expect(nameless < NAMELESS * blocks, f"{nameless} of {blocks} blocks without names")
    print(f"# {name}: {len(sites)} stacks, {blocks} blocks, {nameless} of them not named")


@case(*(f"{name}, {mode}" for name in JVMS for mode in ("C1", "-Xint")))
def code_in_the_place_of_other_code_has_its_own_name(which):
    name, mode = which.split(", ")
    options = ("-XX:TieredStopAtLevel=1",) if mode == "C1" else (mode,)
    report, truth = trace_java("JavaReplaced", name, REPLACED, *options)
    made, found, nameless = truth["made"], dict.fromkeys(truth["made"], 0), 0
    for site in report["sites"]:
        names = names_of(site)
        if site["kind"] != "heap" or names[1] != "inflateInit2_":
            continue
        classes = {name.rpartition(".")[0] for name in names if (name or "").startswith(MADE)}
        expect(len(classes) <= 1 and classes <= set(made), f"frames: {names}")
        nameless += 0 if classes else site["allocated_blocks"]
        for each in classes:
            found[each] += site["allocated_blocks"]
    wrong = {each: found[each] - count for each, count in made.items() if found[each] > count}
    print(f"# {which}: {len(made)} classes, {sum(made.values())} Inflaters, {nameless} of no "
          f"class, {report['losses']['java_names']} frames without a name")
    expect(not wrong, f"Inflaters of others: {wrong}")
    expect_equal(sum(found.values()) + nameless, sum(made.values()), "Inflaters")
    expect(nameless == 0 or report["losses"]["java_names"], "names are missing, and not counted")
    expect(nameless < NAMELESS * sum(made.values()), f"{nameless} Inflaters of no class")


def version(name):
    """The JDK's feature number; 8 is not always in the place where the others are."""
    try:
        with open(os.path.join(ROOT, "usr/lib/jvm", name, "release"), encoding="utf-8") as release:
            return int(re.search(r'JAVA_VERSION="(\d+)', release.read())[1])
    except OSError:
        return 8


@case(*(f"{name}, {rounds}" for name in JVMS for rounds in (1, 200)))
def virtual_threads_end_at_the_root_or_where_they_were_parked(which):
    name, rounds = which.split(", ")
    if version(name) < 21:
        raise lib.Skip("no virtual threads")
    report, truth = trace_java("JavaVirtual", name, rounds)
    blocks = {"root": 0, "barrier": 0}
    for site in report["sites"]:
        names = names_of(site)
        if site["kind"] != "heap" or "inflateInit2_" not in names:
            continue
        own = [frame for frame in names if (frame or "").startswith("JavaVirtual.")]
        parked = ["JavaVirtual.leak", "JavaVirtual.parked", "JavaVirtual.run"]
        expect(own == parked[:len(own)] if site["end"] == "barrier" else
               own in (["JavaVirtual.leak", "JavaVirtual.run"], parked),
               f"frames: {names}, end: {site['end']}")
        blocks[site["end"]] += site["blocks"]
    expect_equal(sum(blocks.values()), truth["leaks"], "Inflaters")
    expect(report["stacks_complete"] >= 0.999, f"complete: {report['stacks_complete']}")
    print(f"# {which}: {blocks}")


if __name__ == "__main__":
    sys.exit(lib.run_cases())
