#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""walks.py BUILD-DIR [--verify EVENTS]: what a walk costs in the kernel, above a program that does all
but walk; beside it bpf_get_stack, by frame pointers. The least of some interleaved rounds.

With --verify, walks each stack twice instead, with cached rules and without, and counts differences.
"""
import argparse
import contextlib
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROUNDS = 5
CALLS = 50000
JAVA_ASKS = 100  # each makes 200 Inflaters
JAVA_WARM = 20000
JAVA_LEVELS = (0, 24)
TABLES = ("-d", "1h", "--events", "mapping", "-f", "json")


class DeepStacks:
    """tests/targets/deep: C++, so many frames by so many ways."""

    def __init__(self, frames, paths, build="-nofp", calls=CALLS):
        self.path = os.path.join(lib.TARGETS, f"deep{build}")
        self.function = "churn_mark"
        self.target = lib.Target(f"deep{build}", "--frames", frames, "--paths", paths,
                                 "--calls", calls)
        self.calls = calls

    def work(self):
        self.target.go()
        return self.calls


class JavaStacks:
    """A JVM that makes Inflaters: Java, JNI code and zlib."""

    def __init__(self, levels=0):
        self.function = "inflateInit2_"
        self.target = lib.Target("/usr/bin/java", "-XX:+PreserveFramePointer", "-XX:+UseSerialGC",
                                 "-Xmx64m", "-cp", jvms.compile_target("JavaTruth"),
                                 "JavaTruth", JAVA_WARM, levels)
        with open(f"/proc/{self.target.pid}/maps", encoding="utf-8") as maps:
            self.path = re.search(r"(/\S*/libz\.so\S*)", maps.read())[1]

    def work(self):
        return sum(self.target.go()["leaks"] for _ in range(JAVA_ASKS))


def offset_of(path, function):
    text = subprocess.run(["nm", "-D", "--defined-only", path] if ".so" in path else ["nm", path],
                          check=True, stdout=subprocess.PIPE, text=True).stdout
    address = int(re.search(rf"^(\w+) T {function}(@.*)?$", text, re.M)[1], 16)
    text = subprocess.run(["readelf", "-lW", path], check=True, stdout=subprocess.PIPE,
                          text=True).stdout
    for offset, base, size in re.findall(r"LOAD +(0x\w+) (0x\w+) 0x\w+ (0x\w+)", text):
        if int(base, 16) <= address < int(base, 16) + int(size, 16):
            return address - int(base, 16) + int(offset, 16)
    raise ValueError(f"{function} is nowhere in {path}")


@contextlib.contextmanager
def walking(program, stacks, tracer):
    """Walks while it is open; then the dictionary has what was measured."""
    measured = {}
    command = [os.path.join(lib.BUILD, "bench/walks"), os.path.join(lib.BUILD, "bench/walks.o"),
               program, str(tracer.process.pid), str(stacks.target.pid), stacks.path,
               str(offset_of(stacks.path, stacks.function))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as walks:
        lib.expect(walks.stdout.readline() == "ready\n", "no walks")
        yield measured
        measured.update(json.loads(walks.communicate()[0]))


def measure(program, stacks, tracer):
    with walking(program, stacks, tracer) as measured:
        stacks.work()
    lib.expect(measured["runs"], f"{program} did not run")
    return measured


def row(name, stacks, plain=None):
    """One line of the table. plain: the same with frame pointers."""
    least = {}
    frames = {}
    with contextlib.ExitStack() as stack:
        tracers = {}
        for each in {stacks, plain or stacks}:
            stack.enter_context(each.target)
            tracers[each] = stack.enter_context(lib.Trace("-p", each.target.pid, options=TABLES))
        for _ in range(ROUNDS):
            for program in ("walk_none", "walk_tables", "walk_pointers"):
                of = plain or stacks if program == "walk_pointers" else stacks
                measured = measure(program, of, tracers[of])
                ns = measured["ns"] / measured["runs"]
                least[program] = min(ns, least.get(program, ns))
                frames[program] = measured["frames"] / measured["counted"]
        for tracer in tracers.values():
            tracer.stop()
    tables, pointers = (least[name] - least["walk_none"] for name in ("walk_tables", "walk_pointers"))
    print(f"{name:34} {frames['walk_tables']:7.1f} {tables:9.0f} {frames['walk_pointers']:11.1f} "
          f"{pointers:9.0f}", flush=True)


def costs():
    print(f"{'a walk':34} {'frames':>7} {'ns':>9} {'by pointers':>11} {'ns':>9}")
    for frames, paths in ((13, 1), (24, 1), (24, 64), (24, 16384), (64, 1)):
        row(f"C++, {frames} frames, {paths} paths", DeepStacks(frames - 2, paths),
            DeepStacks(frames, paths, ""))
    with contextlib.suppress(lib.Skip):
        for levels in JAVA_LEVELS:
            row(f"Java and native, {levels} calls deeper", JavaStacks(levels))


def verify(name, stacks, events):
    """Walks so many stacks twice; whether all were the same."""
    walked = {"walks": 0, "different": 0, "incomplete": 0}
    with stacks.target, lib.Trace("-p", stacks.target.pid, options=TABLES) as tracer:
        with walking("walk_twice", stacks, tracer) as measured:
            done = 0
            while done < events:
                done += stacks.work()
        walked = measured
        tracer.stop()
    print(f"{name}: {walked['walks']:,} stacks walked twice, {walked['different']:,} differ, "
          f"{walked['incomplete']:,} are not complete", flush=True)
    return not walked["different"] and walked["walks"] >= events


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build")
    parser.add_argument("--verify", type=int, metavar="EVENTS")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("walks: needs root")
    if arguments.verify is None:
        costs()
        return 0
    good = True
    for frames, paths in ((13, 64), (24, 16384), (64, 16384)):
        good &= verify(f"C++, {frames} frames, {paths} paths",
                       DeepStacks(frames - 2, paths, calls=CALLS), arguments.verify * 3 // 10)
    good &= verify("Java", JavaStacks(), arguments.verify // 10)
    return 0 if good else 1


os.environ["O"] = os.path.relpath(sys.argv[1], os.path.dirname(HERE)) if len(sys.argv) > 1 else "build"
sys.path.insert(0, os.path.join(HERE, "../tests/e2e"))
import jvms  # noqa: E402
import lib  # noqa: E402  (it reads O)

if __name__ == "__main__":
    sys.exit(main())
