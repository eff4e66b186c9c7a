#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Recordings of traces: drawn later they say what the trace said itself."""
import contextlib
import glob
import json
import os
import re
import signal
import subprocess
import sys
import tempfile

from lib import (EXACT, UNFREED, Target, Trace, case, compare, eventually, expect, expect_equal,
                 run_cases, site_function)

FOLDER = tempfile.TemporaryDirectory(prefix="unfreed-")


def path_of(name):
    return os.path.join(FOLDER.name, name)


def asides(name):
    """What a trace that has not ended has written of a recording."""
    return glob.glob(path_of(f".{name}.??????"))


def unfreed(*arguments, status=0, text=True):
    """Standard output; what is said beside it goes to the test's."""
    done = subprocess.run([UNFREED, *arguments], stdin=subprocess.DEVNULL, text=text,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    expect_equal(done.returncode, status, f"status of {arguments}: {done.stderr}")
    return done.stdout if status == 0 else done.stderr


def report_json(path, *arguments):
    return json.loads(unfreed("report", path, "-f", "json", *arguments))


@case("table", "json", "folded", "svg", "json --site leak_ --exclude malloc$ --by function")
def report_says_what_trace_said(form):
    recording, drawn = path_of("same.rec"), path_of("same.drawn")
    window = ("-d", "600s", "--max-overhead", "off", "-o", drawn, "-w", recording)
    with Target("heap_truth", "--operations", 500) as target:
        with Trace("-p", target.pid, options=(*window, "-f", *form.split())) as trace:
            target.go()
            trace.process.send_signal(signal.SIGINT)
            expect_equal(trace.process.wait(60), 0, "status")
    with open(drawn, "rb") as file:
        expect_equal(unfreed("report", recording, "-f", *form.split(), text=False), file.read(),
                     "the report")
    expect(not asides("same.rec"), "an aside file is left")


@case()
def recorded_truth_is_exact():
    recording = path_of("truth.rec")
    with Target("heap_truth", "--operations", 5000) as target:
        with Trace("-p", target.pid, options=(*EXACT[:-2], "-w", recording)) as trace:
            truth = target.go()
            trace.process.send_signal(signal.SIGINT)
            output, said = trace.process.communicate(timeout=60)
            expect_equal(output, "", "standard output without a format")
            expect("recorded 1 snapshot in" in said, f"no word of the recording: {said}")
    compare(report_json(recording), truth["sites"])


def grown(before, after):
    """{function: (state, growth)} that two truths of the target grow tell."""
    found = {}
    for old, new in zip(before["sites"], after["sites"]):
        growth = new["bytes"] - old["bytes"], new["blocks"] - old["blocks"]
        state = "new" if not old["blocks"] else "vanished" if not new["blocks"] else "grown"
        if growth != (0, 0):
            found[old["function"]] = (state, *growth)
    return found


def expect_growth(expected, *arguments):
    changed = json.loads(unfreed("diff", *arguments, "--json", "--kind", "heap", "--site", "leak_"))
    found = {site_function(site): (site["state"], site["growth_bytes"], site["growth_blocks"])
             for site in changed["sites"]}
    expect_equal(found, expected, "growth")
    expect_equal(sum(row["growth_bytes"] for row in changed["classes"]),
                 sum(row[1] for row in expected.values()), "growth of all classes")
    return changed


RECORDS = ("-d", "600s", "-i", "100ms", "--max-overhead", "off", "--min-age", "0s")


@case()
def growth_between_snapshots_is_exact():
    recording = path_of("grow.rec")

    def moments_with(truth):
        """The first snapshot that has all of truth."""
        done = subprocess.run([UNFREED, "report", asides("grow.rec")[0], "--list"], check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for number in range(1, len(re.findall(r"^ +\d+  \d{4}-", done.stdout, re.M)) + 1):
            try:
                compare(report_json(asides("grow.rec")[0], "--snapshot", str(number)), truth)
                return number
            except AssertionError:
                continue
        return None

    with Target("grow") as target:
        with Trace("-p", target.pid, options=(*RECORDS, "--classes", "-w", recording)) as trace:
            first = target.go()
            eventually(lambda: not moments_with(first["sites"]) and "none", "a snapshot of it")
            number = moments_with(first["sites"])
            target.go()
            last = target.go()
            trace.process.send_signal(signal.SIGINT)
            trace.process.wait(60)
    changed = expect_growth(grown(first, last), recording, "--before", str(number))
    expect(changed["same_watch"], "two watches")
    expect(any(row["name"] == "main heap (brk)" for row in changed["map"]), f"map: {changed['map']}")
    for site in changed["sites"]:
        rate = site["growth_bytes"] * 3600 / changed["seconds"]
        expect(abs(site["bytes_per_hour"] - rate) <= 1e-5 * abs(rate), f"rate: {site}")
    expect("HEAP: grown" in unfreed("diff", recording, "--before", str(number)), "no table")
    folded = unfreed("diff", recording, "--before", str(number), "-f", "folded")
    expect(re.search(r";leak_once;malloc 35000 0$", folded, re.M), folded)


@case("grow", "grow-nofp")
def growth_across_a_restart_is_exact(program):
    """Code and data lie elsewhere then, and the pid is another one."""
    truths, bases = [], set()
    for rounds in (1, 3):
        with Target(program) as target:
            with open(f"/proc/{target.pid}/maps", encoding="utf-8") as maps:
                bases.add(maps.readline().split("-")[0])
            with Trace("-p", target.pid, options=(*RECORDS, "-w", path_of(f"{rounds}.rec"))) as trace:
                for _ in range(rounds):
                    truth = target.go()
                trace.process.send_signal(signal.SIGINT)
                trace.process.wait(60)
        truths.append(truth)
    expect_equal(len(bases), 2, "bases: not randomised")
    changed = expect_growth(grown(*truths), path_of("1.rec"), path_of("3.rec"))
    expect(not changed["same_watch"], "one watch")
    back = expect_growth({}, path_of("3.rec"), path_of("3.rec"))
    expect(back["same_watch"], "two watches")


@case()
def killed_writer_leaves_whole_snapshots():
    recording = path_of("killed.rec")
    options = ("-d", "600s", "-i", "100ms", "--max-overhead", "off", "-w", recording)

    def kept():
        """The aside file, once it has a second snapshot."""
        for aside in asides("killed.rec"):
            done = subprocess.run([UNFREED, "report", aside, "--json"], check=False,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            if done.returncode == 0 and json.loads(done.stdout)["window"]["seconds"] >= 0.2:
                return aside
        return None

    with Target("heap_truth") as target, Trace("-p", target.pid, options=options) as trace:
        target.go()
        eventually(lambda: not kept() and "none", "snapshots in the aside file")
        trace.process.kill()
        trace.process.wait()
    expect(not os.path.exists(recording), "a recording that is not complete has its name")
    expect_equal(report_json(kept())["window"]["ended_by"], "interval", "ended by")
    said = unfreed("report", recording, status=1)
    expect(kept() in said, f"the aside file is not named: {said}")


def children(process):
    with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as file:
        return [int(pid) for pid in file.read().split()]


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file)


@contextlib.contextmanager
def reading(*arguments, strict):
    """A command that waits for its recording, and the child that is to read it."""
    environment = {name: value for name, value in os.environ.items() if name != "UNFREED_STRICT"}
    with subprocess.Popen([UNFREED, *arguments], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE,
                          env=environment | ({"UNFREED_STRICT": "1"} if strict else {})) as process:
        eventually(lambda: [status_of(pid)["Seccomp"] for pid in children(process)] != ["2"],
                   "no child with a filter of system calls")
        yield process, children(process)[0]


@case("report -", "diff -")
def what_reads_a_recording_is_confined(words):
    with Target("heap_truth") as target, Trace("-p", target.pid, options=(
            *EXACT, "-i", "100ms", "-w", path_of("outside.rec"))) as trace:
        trace.report_that(lambda report: True, 60)
        target.go()
        trace.stop()
    with open(path_of("outside.rec"), "rb") as file:
        recording = file.read()
    with reading(*words.split(), strict=False) as (process, child):
        status = status_of(child)
        expect_equal(set(status["Uid"].split()), {"65534"}, "its user")
        expect_equal(int(status["CapPrm"], 16) | int(status["CapBnd"], 16), 0, "its capabilities")
        said = process.communicate(recording, 60)[1].decode()
        expect_equal(process.returncode, 0, f"status, with {said}")
    for strict in False, True:
        with reading(*words.split(), strict=strict) as (process, child):
            os.kill(child, signal.SIGSYS)
            said = process.stderr.read().decode()
            expect_equal(process.wait(60), -signal.SIGABRT if strict else 1, f"status, with {said}")
            expect("a forbidden system call" in said, said)


if __name__ == "__main__":
    sys.exit(run_cases())
