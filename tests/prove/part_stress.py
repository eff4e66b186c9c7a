# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Programs that do too much at once, for minutes (tests/targets/stress.c): all is exact at the end.

A step traces rounds of work for some minutes, then has an untraced process do as many: it must say
the same. Sites are compared with the truth; which losses may be told, and no others, is in STEPS.
"""

import contextlib
import functools
import os
import subprocess
import tempfile
import time

import lib

SECONDS = 200
PLUGINS = 8
FORKS = ("late_attaches", "short_lived")
NOT_SHOWN = ("mapping_calls",)  # by a kernel that is too busy; the maps are read again
THREADS = ("--threads", 100)
MANY_FORKS = ("--forks", 400)
MANY_DLOPENS = ("--dlopens", 10000)

# Name, arguments, the losses that it may tell.
STEPS = (
    ("100 threads", (*THREADS, "--operations", 5000), ()),
    ("100 threads that end at once", (*THREADS, "--operations", 100), ()),
    ("fork storm", MANY_FORKS, FORKS),
    ("10,000 dlopens", MANY_DLOPENS, ()),
    ("forks of 100 threads", (*THREADS, "--operations", 1000, *MANY_FORKS), FORKS),
    ("dlopens beside 100 threads", (*THREADS, "--operations", 1000, "--dlopens", 100), ()),
    ("all of it", (*THREADS, "--operations", 1000, "--forks", 200, "--dlopens", 100), FORKS),
)


@contextlib.contextmanager
def plugins():
    """A folder of copies of the plugin: files of their own, as a host of plugins has them."""
    with tempfile.TemporaryDirectory(prefix="unfreed-stress-") as folder:
        for i in range(PLUGINS):
            subprocess.run(["gcc", "-g", "-O1", "-shared", "-fPIC", f"-Wl,-soname,{i}.so", "-o",
                            os.path.join(folder, f"{i}.so"),
                            os.path.join(lib.TOP, "tests/targets/linked/stress_plugin.c")],
                           check=True)
        yield folder


def rounds_for(target, seconds):
    """What it says after each round."""
    end, said = time.monotonic() + seconds, []
    while time.monotonic() < end:
        said.append(target.go())
    return said


def figures_of(report, rounds):
    return {"rounds": rounds, "heap": report["heap"], "losses": report["losses"],
            "stacks_complete": report["stacks_complete"], "cost": report["cost"],
            "window_seconds": report["window"]["seconds"], "processes": len(report["processes"])}


def stress(arguments, may_lose):
    with plugins() as folder:
        command = ("stress", *arguments, "--plugins", folder)
        with lib.Target(*command) as target:
            with lib.Trace("-p", target.pid) as trace:
                said = rounds_for(target, SECONDS)
                report = trace.stop()
            status = target.quit()
        with lib.Target(*command) as target:
            untraced = [target.go() for _ in said]
            lib.expect_equal(status, target.quit(), "exit status when traced")
    figures = figures_of(report, len(said))
    try:
        lib.expect_equal(said, untraced, "what it says when traced")
        lib.compare(report, said[-1]["sites"])
        heap = report["heap"]
        lib.expect_equal(heap["allocated_blocks"] - heap["freed_blocks"], heap["live_blocks"],
                         "allocated less freed blocks")
        if "--forks" not in arguments:  # children free what they began with
            lib.expect_equal(heap["unmatched_frees"], 0, "frees of blocks that were not seen")
        lost = {name: count for name, count in report["losses"].items()
                if count and name not in (*may_lose, *NOT_SHOWN)}
        lib.expect(not lost, f"losses: {lost}")
    except AssertionError as failure:
        failure.figures = figures
        raise
    return figures


def steps():
    for name, arguments, may_lose in STEPS:
        yield name, functools.partial(stress, arguments, may_lose)
