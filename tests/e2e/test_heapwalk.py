#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""unfreed heap: equal to what malloc_info(3) says in the target itself, for several glibcs, while the
target runs at full speed, and without a trace in it."""

import glob
import json
import os
import re
import subprocess
import sys

import lib
from lib import case, expect, expect_equal

WALKER = os.path.join(lib.TARGETS, "heap_walk")
SUITES = ("bullseye", "trixie", "sid")  # 2.31, 2.41, the newest; bookworm or trixie is our own


class Walker(lib.Target):
    """heap_walk, with the C library of a Debian suite, or ours."""

    def __init__(self, *arguments, suite=None):
        self.command = [WALKER]
        if suite:
            self.command = loader_of(suite) + self.command
        super().__init__("heap_walk", *arguments)

    def start(self, arguments):
        return [*self.command, *map(str, arguments)]

    def truth(self):
        """{arenas: [{system, fast, binned, …}], mmapped: (blocks, bytes)}"""
        return parse_truth(self.go()["xml"])


def loader_of(suite):
    done = subprocess.run([os.path.join(lib.TOP, "tests/libc6"), suite], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False, timeout=300)
    if done.returncode:
        raise lib.Skip(f"no libc6 of {suite}: {done.stderr.strip().splitlines()[-1:]}")
    tree = done.stdout.strip()
    libc = next(path for path in glob.glob(f"{tree}/**/libc.so.6", recursive=True))
    folder = os.path.dirname(libc)
    loader = glob.glob(f"{folder}/ld-linux-*.so.*")[0]
    # Before 2.34, threads are a library of their own.
    return [loader, "--library-path", folder, "--preload", f"{folder}/libpthread.so.0"]


def numbers(text, pattern):
    found = re.search(pattern, text)
    return tuple(map(int, found.groups())) if found else (0, 0)


def parse_truth(xml):
    arenas = []
    for heap in re.findall(r"<heap nr='\d+'>(.*?)</heap>", xml, re.S):
        fast = numbers(heap, r"<total type='fast' count='(\d+)' size='(\d+)'/>")
        rest = numbers(heap, r"<total type='rest' count='(\d+)' size='(\d+)'/>")
        system = numbers(heap, r"<system type='current' size='(\d+)'/>")[0]
        # The sizes of chunks in bins are summed up with their lowest bit, which is a flag.
        arenas.append({"system_bytes": system, "fastbin_blocks": fast[0], "fastbin_bytes": fast[1],
                       "binned_blocks": rest[0] - 1, "free": rest[1] - (rest[0] - 1)})
    mmapped = numbers(xml, r"<total type='mmap' count='(\d+)' size='(\d+)'/>")
    return {"arenas": arenas, "mmapped": {"blocks": mmapped[0], "bytes": mmapped[1]}}


def heap(pid, *options):
    done = subprocess.run([lib.UNFREED, "heap", "-p", str(pid), "--json", *options],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60,
                          check=False)
    expect(done.returncode == 0, f"status {done.returncode}: {done.stderr}")
    return json.loads(done.stdout)


def of_arena(arena):
    """What unfreed says of an arena, in the words of malloc_info."""
    found = {key: arena[key] for key in
             ("system_bytes", "fastbin_blocks", "fastbin_bytes", "binned_blocks")}
    found["free"] = arena["binned_bytes"] + arena["top_bytes"]
    return found


def expect_truth(report, truth):
    expect_equal(len(report["arenas"]), len(truth["arenas"]), "arenas")
    for arena, expected in zip(report["arenas"], truth["arenas"]):
        expect_equal(of_arena(arena), expected, "arena")
        expect_equal(arena["system_bytes"], arena["in_use_bytes"] + arena["free_bytes"], "sum")
        expect(arena["tcache_blocks"] > 50, f"tcache: {arena['tcache_blocks']} blocks")
    expect_equal(report["mmapped"], truth["mmapped"], "mmapped")
    losses = {name: count for name, count in report["losses"].items() if count}
    expect(not losses, f"losses: {losses}")
    in_use = sum(arena["in_use_bytes"] for arena in report["arenas"]) + truth["mmapped"]["bytes"]
    sizes = sum(row["bytes"] for row in report["sizes"])
    # An arena's own structure, and what closes a heap, are in use and no blocks.
    expect(0 <= in_use - sizes <= 4096 * len(report["arenas"]), f"sizes: {sizes} of {in_use}")


@case("own", *SUITES)
def equals_malloc_info(suite):
    with Walker(suite=None if suite == "own" else suite) as target:
        report = heap(target.pid)
        expect_truth(report, target.truth())
        expect(len(report["arenas"]) >= 3, f"{len(report['arenas'])} arenas")


@case()
def equals_malloc_info_with_one_thread():
    with Walker("--threads", 0) as target:
        expect_truth(heap(target.pid), target.truth())


@case()
def a_heap_of_several_mappings_per_arena():
    """A thread's arena beyond 64 MiB has more than one heap."""
    with Walker("--threads", 1, "--blocks", 60000) as target:
        report = heap(target.pid)
        expect(report["arenas"][1]["heaps"] > 1, f"heaps: {report['arenas'][1]['heaps']}")
        expect_truth(report, target.truth())


@case()
def within_a_percent_at_full_speed():
    with Walker("--threads", 2, "--blocks", 20000, "--busy", 1) as target:
        target.say("run")
        reports = [heap(target.pid) for _ in range(3)]
        truth = target.truth()
        expected = sum(arena["system_bytes"] - arena["free"] - arena["fastbin_bytes"]
                       for arena in truth["arenas"])
        for report in reports:
            found = sum(arena["in_use_bytes"] + arena["tcache_bytes"] for arena in report["arenas"])
            unread = report["losses"]["unread_bytes"]
            print(f"# in use {found}, at rest {expected}, unread {unread}, "
                  f"read again {report['losses']['reads_again']}")
            expect(abs(found - expected) < 0.01 * expected, f"{found}, at rest {expected}")
            expect(unread < 0.01 * expected, f"unread: {unread}")


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return {line.split(":")[0]: line.split()[1] for line in status
                if line.startswith(("VmRSS", "VmPTE", "VmSwap"))}


@case()
def leaves_no_trace_in_the_target():
    with Walker("--untouched", 4 << 30) as target:
        before = status_of(target.pid)
        report = heap(target.pid)
        heap(target.pid, "--peek", "64")
        heap(target.pid, "--peek", str(next(row["size_bytes"] for row in report["sizes"]
                                            if row["size_bytes"] >= 4 << 30)))
        expect_equal(status_of(target.pid), before, "memory of the target")
        expect(report["mmapped"]["bytes"] > 4 << 30, "the untouched block is not there")


if __name__ == "__main__":
    sys.exit(lib.run_cases())
