#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Calls that overlap, never return or are of two allocators; code that comes, goes and is replaced."""

import os
import shutil
import subprocess
import sys
import tempfile

import lib
from lib import Skip, case, compare, expect, expect_equal, expect_no_losses

HEAP = (*lib.EXACT, "--events", "heap")
LINKED = os.path.join(lib.TOP, "tests/targets/linked")
FLAGS = ("-std=gnu17", "-g", "-O1", "-D_GNU_SOURCE", "-fno-omit-frame-pointer", "-pthread",
         f"-I{lib.TOP}/tests/targets")
PLUGINS = 3

FOLDER = None


def compile_to(name, *arguments, compiler="gcc"):
    path = os.path.join(FOLDER, name)
    if not shutil.which(compiler):
        raise Skip(f"no {compiler}")
    if not os.path.exists(path):
        subprocess.run([compiler, *FLAGS, *arguments, "-o", path], check=True,
                       stdin=subprocess.DEVNULL, timeout=60)
    return path


def library(name, *sources):
    return compile_to(name, "-shared", "-fPIC", "-fno-builtin", "-fvisibility=hidden",
                      *(os.path.join(LINKED, source) for source in sources))


# -- one process -----------------------------------------------------------------------------------


@case("session races", "multi races", "perf races", "session races-nofp")
def calls_that_overlap_and_never_return(how):
    method, program = how.split()
    # One free list for all threads: an address goes from one to another at once.
    os.environ["GLIBC_TUNABLES"] = "glibc.malloc.arena_max=1"
    try:
        target = lib.Target(program)
    finally:
        del os.environ["GLIBC_TUNABLES"]
    with target, lib.Trace("-p", target.pid, options=(*HEAP, "--probe", method)) as trace:
        truth = target.go()
        report = trace.stop()
        expect_equal(target.quit(), 0, "exit status of the target")
    compare({"sites": [site for site in report["sites"]
                       if lib.site_function(site) != "churn_torn"]}, truth["sites"])
    torn = lib.sums_of(report, "heap").get("churn_torn", {"blocks": 0})["blocks"]
    expect(torn <= truth["torn"], f"{torn} blocks of {truth['torn']} threads that died")
    losses = dict(report["losses"])
    expect(losses.pop("missed_returns") <= truth["torn"], f"losses: {report['losses']}")
    expect(losses.pop("missed_frees") <= truth["torn"], f"losses: {report['losses']}")
    expect(not any(losses.values()), f"losses: {losses}")


@case("1 plugin", f"{PLUGINS} plugins")
def plugins_that_come_and_go_a_thousand_times(many):
    count = int(many.split()[0])
    plugins = [library(f"plugin-{i}.so", "plugin.c") for i in range(count)]
    with lib.Target("plugin_host", *plugins, "--rounds", 1000) as target:
        with lib.Trace("-p", target.pid) as trace:
            truth = target.go()
            report = trace.stop()
    # Until the unwind rows of a plugin are known, stacks end in it; so they say.
    cut = [site for site in report["sites"] if site["kind"] == "heap" and site["end"] != "root"
           and not lib.site_function(site)]
    cut_blocks, cut_bytes = (sum(site[key] for site in cut) for key in ("blocks", "bytes"))
    sums = lib.sums_of(report, "heap")
    leak, expected = sums["leak_in_plugin"], truth["sites"][0]
    expect_equal((leak["blocks"] + cut_blocks, leak["bytes"] + cut_bytes),
                 (expected["blocks"], expected["bytes"]), "blocks and bytes of the plugin")
    expect(cut_blocks < expected["blocks"] / 5, f"{cut_blocks} blocks with cut stacks")
    expect_equal(sums.get("churn_in_plugin", {"blocks": 0})["blocks"], 0, "blocks that were freed")
    held = sums.get(None, {"blocks": 0})["blocks"] - cut_blocks
    expect(held < 50, f"{held} blocks of the loader's own")
    mapped = sum(site["bytes"] for site in report["sites"] if site["kind"] == "mapping")
    expect(mapped < 16 << 20, f"{mapped} bytes mapped")
    expect_no_losses(report)


# -- two allocators --------------------------------------------------------------------------------


@case()
def realloc_from_one_allocator_to_another():
    pool = compile_to("pool.so", "-shared", "-fPIC", "-fno-builtin",
                      os.path.join(LINKED, "pool.c"))
    os.environ["LD_PRELOAD"] = pool
    try:
        target = lib.Target("heap_truth", "--threads", 2, "--operations", 20000)
    finally:
        del os.environ["LD_PRELOAD"]
    with target, lib.Trace("-p", target.pid, options=HEAP) as trace:
        truth = target.go()
        report = trace.stop()
    compare(report, truth["sites"])
    expect_equal(report["heap"]["unmatched_frees"], truth["unmatched_frees"], "unmatched frees")
    expect_no_losses(report)


# -- another program -------------------------------------------------------------------------------


@case("glibc", "musl", "musl static")
def program_that_becomes_one_of(libc):
    program = os.path.join(lib.TARGETS, "heap_truth")
    if libc != "glibc":
        static = ("-static",) if "static" in libc else ()
        program = compile_to(libc.replace(" ", "-"), *static, "-DC_ONLY",
                             os.path.join(lib.TOP, "tests/targets/heap_truth.c"),
                             compiler="musl-gcc")
    script = f"echo ready $$; read word; exec {program} --operations 5000"
    with lib.Target("/bin/bash", "-c", script) as target:
        with lib.Trace("-p", target.pid, options=HEAP) as trace:
            target.tell("become")
            expect_equal(target.hear_line(), f"ready {target.pid}", "the new program")
            trace.wait_probed(1)
            lib.eventually(lambda: not lib.changed_code(target.pid), "the program is not probed")
            truth = target.go()
            report = trace.stop()
        expect_equal(target.quit(), 0, "exit status of the target")
    # musl has no unwind tables: a stack that begins inside of one of its functions ends there.
    ends_early = ("leak_strdup", "leak_strndup") if "musl" in libc else ()
    compare(report, truth["sites"],
            only=[site["function"] for site in truth["sites"] if site["function"] not in ends_early])
    live = sum(site["bytes"] for site in truth["sites"])
    # Where it is probed early, what libstdc++ keeps for exceptions is seen, too.
    unnamed = lib.sums_of(report, "heap").get(None, {"bytes": 0})["bytes"]
    startup = unnamed - sum(site["bytes"] for site in truth["sites"]
                            if site["function"] in ends_early)
    expect(startup < 100000, f"{startup} bytes are held by none of its sites")
    expect_equal(report["heap"]["live_bytes"], live + startup, "live bytes")
    known = [row["allocator"] for row in report["processes"] if row["state"] == "running"]
    expect(known and libc.split()[0] in (known[0] or ""), f"allocators: {known}")
    losses = dict(report["losses"], late_attaches=0)
    expect(not any(losses.values()), f"losses: {losses}")


def main():
    global FOLDER
    with tempfile.TemporaryDirectory(prefix="unfreed-", dir=lib.BUILD) as FOLDER:
        return lib.run_cases()


if __name__ == "__main__":
    sys.exit(main())
