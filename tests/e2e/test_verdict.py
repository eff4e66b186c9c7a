#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The verdict of unfreed heap: the right one for heaps whose story is known, and what its remedy would
give back is what it does give back."""

import glob
import json
import re
import shutil
import subprocess
import sys
import tempfile

import lib
import runtimes
from lib import case, expect, expect_equal
from verdicts import MIB, expect_gain, expect_verdict

CASES = {"arenas": 1, "trim": 2, "late trim": 3, "leak": 4, "cache": 5, "fragments": 6, "stacks": 7}


class Heap(lib.Target):
    """A heap of one kind, with environment variables of its own."""

    def __init__(self, what, **environment):
        self.environment = environment
        super().__init__("verdicts", "--case", CASES[what])

    def start(self, arguments):
        return ["env", *(f"{name}={value}" for name, value in self.environment.items()),
                *super().start(arguments)]

    def rss(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) << 10

    def verdict(self, *options):
        done = subprocess.run([lib.UNFREED, "heap", "-p", str(self.pid), "--json", *options],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=60, check=False)
        expect(done.returncode == 0, f"status {done.returncode}: {done.stderr}")
        return json.loads(done.stdout)["verdict"]


def judge_and_remedy(what, kind, rule, remedy, *options):
    """The remedy is the program's own."""
    with Heap(what) as heap:
        verdict = heap.verdict(*options)
        before = heap.rss()
        heap.go()
        expect_verdict(verdict, kind, rule, remedy)
        expect_gain(verdict, before - heap.rss())


def judge_and_restart(what, kind, rule, remedy, **environment):
    """The remedy is another start."""
    with Heap(what) as heap, Heap(what, **environment) as other:
        verdict = heap.verdict()
        expect_verdict(verdict, kind, rule, remedy)
        expect_gain(verdict, heap.rss() - other.rss())


@case()
def arenas_that_keep_what_threads_freed():
    judge_and_restart("arenas", "retention", "arenas", "MALLOC_ARENA_MAX=2", MALLOC_ARENA_MAX=2)


@case()
def free_memory_below_a_block_in_use():
    judge_and_remedy("trim", "retention", "retention", "malloc_trim")


@case()
def thresholds_that_a_large_block_has_moved():
    judge_and_remedy("late trim", "retention", "late trim", "MALLOC_TRIM_THRESHOLD_")


@case()
def a_leak():
    judge_and_remedy("leak", "leak", "leak", "unfreed trace", "-d", "2s")


@case()
def a_cache_that_has_its_size():
    judge_and_remedy("cache", "pool or cache", "plateau", "cache", "-d", "1s")


@case()
def pages_that_small_blocks_keep():
    library = glob.glob("/usr/lib/*/libjemalloc.so.2")
    if not library:
        raise lib.Skip("no libjemalloc")
    judge_and_restart("fragments", "fragmentation", "fragmentation", "jemalloc",
                      LD_PRELOAD=library[0], MALLOC_CONF="dirty_decay_ms:0,muzzy_decay_ms:0")


@case()
def stacks_of_many_threads():
    judge_and_remedy("stacks", "outside of malloc", "thread stacks", "fewer threads")


def page_cache_of(pid):
    """What reads the bytes of the memory group that a process is in, and what drops them."""
    with open(f"/proc/{pid}/cgroup", encoding="ascii") as groups:
        rows = [line.strip().split(":") for line in groups]
    version_1 = [path for _, kind, path in rows if "memory" in kind.split(",")]
    folder = f"/sys/fs/cgroup/memory{version_1[0]}" if version_1 else f"/sys/fs/cgroup{rows[0][2]}"

    def drop():
        name = "memory.force_empty" if version_1 else "memory.reclaim"
        with open(f"{folder}/{name}", "w", encoding="ascii") as file:
            file.write("0" if version_1 else "1G")

    def read():
        with open(f"{folder}/memory.stat", encoding="ascii") as text:
            stat = dict(line.split() for line in text)
        return int(stat["total_cache"] if version_1 else stat["file"])

    return read, drop


@case()
def files_that_a_container_has_read():
    script = "dd if=/dev/zero of=/tmp/file bs=1M count=120 2>/dev/null; sync; exec sleep 1000"
    with runtimes.workshop() as shop:
        try:
            with shop.rig("runc", shop.rootfs()) as rig:
                judge_page_cache(rig.run("unfreed-cache", ["/bin/sh", "-c", script]))
        except runtimes.Unavailable as reason:
            raise lib.Skip(reason) from None


def judge_page_cache(container):
    read, drop = page_cache_of(container.pid)
    lib.eventually(lambda: read() < 120 * MIB and f"{read()} bytes", "page cache")
    # The shell has become sleep: nothing else is left in the group.
    with open(f"/proc/{container.pid}/comm", encoding="ascii") as comm:
        lib.eventually(lambda: comm.seek(0) or comm.read() != "sleep\n", "sleep")
    report = json.loads(subprocess.run(
        [lib.UNFREED, "heap", "-c", container.name, "--json"], stdout=subprocess.PIPE,
        timeout=60, check=True).stdout)
    before = read()
    expect_verdict(report["verdict"], "not native", "page cache", "page cache")

    def left():
        drop()  # what is just being written to the disk stays, and the kernel counts later
        return before - read() < 0.8 * report["verdict"]["gain_bytes"] and f"{read()} bytes"

    lib.eventually(left, "page cache")
    expect_gain(report["verdict"], before - read())


@case()
def a_trace_ends_with_the_verdict():
    with Heap("leak") as leak, Heap("arenas") as arenas:
        with lib.Trace("-p", f"{leak.pid},{arenas.pid}", options=("-d", "3s", "--json")) as trace:
            rows = {row["pid"]: row for row in trace.report()["verdicts"]}
        expect_verdict(rows[leak.pid], "leak", "leak", "unfreed trace")
        expect_verdict(rows[arenas.pid], "retention", "arenas", "MALLOC_ARENA_MAX=2")
        kept = arenas.rss()
        arenas.go()
        expect_equal(round(rows[arenas.pid]["retained_bytes"] / (kept - arenas.rss()), 1), 1.0,
                     "retained, of what a trim gave back")


@case("jemalloc.so.2", "tcmalloc.so.4", "mimalloc.so.2*")
def an_allocator_that_is_not_walked(name):
    """What it has resident is known, and whether that grows."""
    library = glob.glob(f"/usr/lib/*/lib{name}")
    if not library:
        raise lib.Skip(f"no lib{name}")
    with Heap("leak", LD_PRELOAD=library[0]) as heap:
        verdict, rss = heap.verdict(), heap.rss()
        expect_equal((verdict["kind"], verdict["rule"]), ("in use", "closed books"), "verdict")
        resident = float(re.search(r"has ([\d.]+) MiB of", verdict["evidence"])[1]) * MIB
        expect(0.7 * rss < resident <= rss, f"{verdict['evidence']}: RSS {rss}")
        verdict = heap.verdict("-d", "3s")
        expect_verdict(verdict, "leak", "growth", "unfreed trace")


@case()
def libraries_that_have_remedies_of_their_own():
    """By their names, which some are unpacked under to /tmp."""
    library = glob.glob("/lib/*-linux-gnu/libm.so.6")[0]
    with tempfile.TemporaryDirectory() as folder:
        names = [shutil.copy(library, f"{folder}/{name}") for name in
                 ("librocksdbjni123.so", "libnetty_transport_native_epoll_x86_64.so")]
        with Heap("leak") as plain, Heap("leak", LD_PRELOAD=" ".join(names)) as loaded:
            expect("is loaded" not in plain.verdict()["remedy"], "nothing is loaded")
            remedy = loaded.verdict()["remedy"]
    for word in ("WriteBufferManager", "-Dio.netty.maxDirectMemory"):
        expect(word in remedy, remedy)


@case()
def one_look_tells_no_leak():
    with Heap("leak") as heap:
        expect_equal(heap.verdict()["kind"], "in use", "verdict")


if __name__ == "__main__":
    sys.exit(lib.run_cases())
