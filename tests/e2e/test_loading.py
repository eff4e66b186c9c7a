#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""unfreed trace of a program that loads and unloads more files than are kept: all are named still."""

import os
import re
import shutil
import subprocess
import sys
import tempfile

import lib
from lib import case, expect, expect_equal

REPLACED, CALLS = 5, 20
POLL = ("7", "73")  # poll on x86-64, ppoll on arm64
COUNT, ROUNDS = 400, 4  # 1,600 files, of which at most 1,024 and those mapped are kept open
OPEN_MAX = 2 * (1024 + COUNT) + 100  # two descriptors each
SOURCE = """
#include <stdlib.h>
void leak_library(void) { void *block = malloc(100); __asm__ volatile("" : : "r"(block) : "memory"); }
"""


def open_libraries(pid, folder):
    """Numbers of the libraries that a process holds open."""
    found = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            path = os.readlink(f"/proc/{pid}/fd/{name}")
        except OSError:
            continue
        match = re.fullmatch(rf"{re.escape(folder)}/lib(\d+)\.so", path)
        found |= {int(match[1])} if match else set()
    return found


def busy(pid):
    """What a tracer does now, unless it waits for news: poll, of more than its sandbox's answer."""
    try:
        with open(f"/proc/{pid}/syscall", encoding="ascii") as file:
            call = file.read().split()
    except OSError as error:
        return str(error)
    waits = call[0] in POLL and int(call[2], 16) == 2
    return None if waits else " ".join(call)


@case()
def more_libraries_than_are_kept():
    with tempfile.TemporaryDirectory(prefix="unfreed-") as folder:
        subprocess.run(["gcc", "-x", "c", "-O2", "-shared", "-fPIC", "-s", "-o", f"{folder}/lib0.so",
                        "-"], input=SOURCE, text=True, check=True)
        for number in range(1, COUNT * ROUNDS):
            shutil.copy(f"{folder}/lib0.so", f"{folder}/lib{number}.so")
        with lib.Target("dlopens-nofp", folder, COUNT, ROUNDS) as target:
            with lib.Trace("-p", target.pid) as tracer:
                most = 0
                for first in range(0, COUNT * ROUNDS, COUNT):
                    target.go()
                    wanted = set(range(first, first + COUNT))
                    lib.eventually(lambda: len(wanted - open_libraries(tracer.process.pid, folder)),
                                   "libraries that were not looked at")
                    most = max(most, len(os.listdir(f"/proc/{tracer.process.pid}/fd")))
                    target.go()
                target.go()
                lib.eventually(lambda: max(0, len(os.listdir(f"/proc/{tracer.process.pid}/fd"))
                                           - 2 * 1024 - 100), "files beyond those to be kept")
                report = tracer.stop()
    expect(most <= OPEN_MAX, f"{most} open files")
    sites = [site for site in report["sites"] if site["kind"] == "heap"
             and any(frame["name"] == "leak_library" for frame in site["frames"])]
    named = {frame["module"] for site in sites for frame in site["frames"]
             if frame["name"] == "leak_library"}
    expect(len(named) >= COUNT, f"{len(named)} libraries named, not {COUNT} at least")
    expect(f"{folder}/lib0.so" in named, "the first library is not named any more")
    expect_equal(sum(site["bytes"] for site in sites), 100 * COUNT * ROUNDS, "bytes")


def module_of(site):
    return next((os.path.basename(frame["module"]) for frame in site["frames"]
                 if frame["name"] == "leak_library"), None)


@case("heap", "heap,mapping")
def library_in_the_place_of_another_has_its_own_stacks(events):
    with tempfile.TemporaryDirectory(prefix="unfreed-") as folder:
        for number in range(REPLACED):
            subprocess.run(["gcc", "-x", "c", "-O2", "-shared", "-fPIC", "-s", "-o",
                            f"{folder}/lib{number}.so", "-"], input=SOURCE, text=True, check=True)
        with lib.Target("dlopens-nofp", folder, 1, REPLACED) as target:
            with lib.Trace("-p", target.pid, options=(*lib.EXACT, "--events", events)) as tracer:
                for number in range(REPLACED):
                    target.go()
                    lib.eventually(lambda: {number} - open_libraries(tracer.process.pid, folder),
                                   "library that was not looked at")
                    lib.eventually(lambda: busy(tracer.process.pid), "still looking at it")
                    for _ in range(CALLS):
                        target.say("again")
                    target.go()
                target.go()
                report = tracer.stop()
    found = dict.fromkeys((f"lib{number}.so" for number in range(REPLACED)), 0)
    for site in report["sites"]:
        if module_of(site):
            found[module_of(site)] += site["blocks"]
    # The first call may come before anything is known of the library: it is cut, or, as the code is
    # the same to the byte, taken for the one that was there.
    wrong = {name: count for name, count in found.items() if not CALLS <= count <= CALLS + 2}
    expect(not wrong, f"blocks: {wrong}, not {CALLS} or two more")


if __name__ == "__main__":
    sys.exit(lib.run_cases())
