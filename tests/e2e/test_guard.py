#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What reads the target's files is a child without privileges; when it dies, names are missing, and
nothing else."""

import contextlib
import os
import re
import signal
import sys

import lib
from lib import case, expect, expect_equal

SECONDS = 60
PARSER = "unfreed-parser"


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return dict(re.findall(r"^(\w+):[ \t]*(.*)$", file.read(), re.M))


def parsers(pid):
    """The children of a tracer that parse, by pid."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        children = list(map(int, file.read().split()))
    return [child for child in children if status_of(child)["Name"] == PARSER]


@contextlib.contextmanager
def tracing(target, options=lib.EXACT):
    """A trace that goes on when its child dies, and that child's pid."""
    os.environ.pop("UNFREED_STRICT", None)
    try:
        trace = lib.Trace("-p", target.pid, options=options)
    finally:
        os.environ["UNFREED_STRICT"] = "1"
    with trace:
        children = parsers(trace.process.pid)
        expect_equal(len(children), 1, f"children called {PARSER}")
        yield trace, children[0]


def stopped(pid):
    """Until a process stands still."""
    os.kill(pid, signal.SIGSTOP)
    lib.eventually(lambda: status_of(pid)["State"][0] != "T" and status_of(pid)["State"], "stopped")


def waits_for(tracer):
    """Until a tracer has asked its child, and waits for the answer: in poll(2), for a second."""

    def why():
        with open(f"/proc/{tracer}/syscall", encoding="ascii") as file:
            words = file.read().split()
        return (words[0] not in ("7", "73") or words[2:4] != ["0x1", "0x3e8"]) and words

    lib.eventually(why, "it asks nothing")


@case()
def parser_has_no_privileges():
    with lib.Target("heap_truth") as target, tracing(target) as (trace, child):
        status = status_of(child)
        files = {os.readlink(f"/proc/{child}/fd/{name}").split("[")[0].split(":")[0]
                 for name in os.listdir(f"/proc/{child}/fd")}
        with open(f"/proc/{child}/maps", encoding="utf-8") as maps:
            shared = [line for line in maps if line.split()[1].endswith("s")]
        target.go()
        trace.stop()
    expect_equal(set(status["Uid"].split()), {"65534"}, "its user")
    expect_equal(status["Groups"], "", "its groups")
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        expect_equal(int(status[name], 16), 0, name)
    expect_equal((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"), "NoNewPrivs, Seccomp")
    foreign = {name for name in files if not name.startswith("/")} - {"socket", "pipe"}
    expect(not foreign, f"it holds {foreign}")
    expect(not shared, f"it shares {shared}")


@case()
def parser_ends_with_its_tracer():
    with lib.Target("heap_truth") as target, tracing(target) as (trace, child):
        trace.process.kill()
        trace.process.wait()
        lib.eventually(lambda: os.path.exists(f"/proc/{child}") and
                       status_of(child)["State"][0] != "Z" and status_of(child)["State"],
                       "the child lives on")


@case()
def parser_killed_at_rest_costs_nothing():
    with lib.Target("heap_truth") as target, tracing(target) as (trace, child):
        truth = target.go()
        os.kill(child, signal.SIGKILL)
        report = trace.stop()
    lib.compare(report, truth["sites"])
    expect_equal(report["losses"]["parser_deaths"], 1, "losses")
    expect("died of them 1 time (signal 9)" in trace.errors[-1], trace.errors)


@case()
def parser_killed_at_work_costs_names():
    with lib.Target("heap_truth") as target, tracing(target) as (trace, child):
        stopped(child)
        truth = target.go()
        trace.process.send_signal(signal.SIGINT)
        waits_for(trace.process.pid)
        os.kill(child, signal.SIGKILL)
        report = trace.report()
    blocks = sum(site["blocks"] for site in report["sites"] if site["kind"] == "heap")
    expect_equal(blocks, sum(site["blocks"] for site in truth["sites"]), "blocks")
    expect_equal(report["losses"]["parser_deaths"], 1, "losses")
    images = {}
    for site in report["sites"]:
        for frame in site["frames"][1:]:  # the first is the probed function, known by its probe
            images.setdefault(frame["module"], set()).add(frame["name"] is not None)
    nameless = [module for module, named in images.items() if named == {False}]
    expect_equal(len(nameless), 1, f"images without a name of {images}")
    expect("some names or figures are missing" in trace.errors[-1], trace.errors)


@case()
def death_is_no_secret_to_tests():
    with lib.Target("heap_truth") as target, lib.Trace("-p", target.pid) as trace:
        target.go()
        os.kill(parsers(trace.process.pid)[0], signal.SIGKILL)
        trace.process.send_signal(signal.SIGINT)
        _, errors = trace.process.communicate(timeout=SECONDS)
    expect_equal(trace.process.returncode, -signal.SIGABRT, "status")
    expect(f"{PARSER} died: signal 9" in errors, errors)


if __name__ == "__main__":
    sys.exit(lib.run_cases())
