#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""unfreed heap: equal to what malloc_info(3) says in the target itself, for several glibcs, and while
the target runs at full speed."""

import os
import shutil
import subprocess
import sys
import tempfile

import lib
from heaps import Walker, heap, of_arena
from lib import case, expect, expect_equal

SUITES = ("bullseye", "trixie", "sid")  # 2.31, 2.41, the newest; bookworm or trixie is our own


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


@case(1, 2)
def a_main_arena_in_pieces(how):
    """brk(2) cannot grow, and the arena goes on in mappings; or others call it, and leave gaps."""
    with Walker("--threads", 0, "--brk", how) as target:
        report = heap(target.pid)
        expect_equal(of_arena(report["arenas"][0]), target.truth()["arenas"][0], "arena")
        expect_equal(report["arenas"][0]["heaps"], 3 if how == 1 else 1, "heaps")
        expect(report["losses"]["unread_bytes"] < 40000, f"losses: {report['losses']}")


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


MUSL = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static void *blocks[30010];
int main(void)
{
    long held = 0;
    for (int i = 0; i < 30010; i++) {
        size_t size = i < 30000 ? 1 + i * 7919 % 3000 : 300000;
        blocks[i] = memset(malloc(size), 1, size);
        held += size;
    }
    for (int i = 0; i < 30000; i += 3) {
        held -= 1 + i * 7919 % 3000;
        free(blocks[i]);
    }
    printf("%ld\\n", held);
    fflush(stdout);
    return getchar();
}
"""


@case("-static", "-dynamic")
def musl_without_symbols(how):
    """Its blocks exactly; what they take is more than was asked for, as slots have certain sizes."""
    if not shutil.which("musl-gcc"):
        raise lib.Skip("no musl-gcc (Debian package musl-tools)")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "held")
        subprocess.run(["musl-gcc", *([how] if how == "-static" else []), "-s", "-x", "c", "-O1", "-o",
                        path, "-"], input=MUSL, text=True, check=True)
        with subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True) as target:
            try:
                held = int(target.stdout.readline())
                found = heap(target.pid)["processes"][0]
            finally:
                target.kill()
    expect_equal(found["allocator"], "musl", "allocator")
    expect_equal(found["allocator_in_use_blocks"], 20010, "blocks")
    expect(held < found["allocator_in_use_bytes"] < 1.2 * held, f"{found} of {held}")
    slots = found["allocator_in_use_bytes"] + found["allocator_free_bytes"]
    expect(abs(slots - found["allocator_mapped_bytes"]) < 0.03 * slots, f"{found}")


if __name__ == "__main__":
    sys.exit(lib.run_cases())
