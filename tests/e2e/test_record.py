#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Recordings of traces: drawn later they say what the trace said itself."""
import glob
import json
import os
import signal
import subprocess
import sys
import tempfile

from lib import (EXACT, UNFREED, Target, Trace, case, compare, eventually, expect, expect_equal,
                 run_cases)

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


@case("table", "json", "folded", "svg")
def report_says_what_trace_said(form):
    recording, drawn = path_of(f"{form}.rec"), path_of(f"drawn.{form}")
    options = ("-d", "600s", "--max-overhead", "off", "-f", form, "-o", drawn, "-w", recording)
    with Target("heap_truth", "--operations", 500) as target:
        with Trace("-p", target.pid, options=options) as trace:
            target.go()
            trace.process.send_signal(signal.SIGINT)
            expect_equal(trace.process.wait(60), 0, "status")
    with open(drawn, "rb") as file:
        expect_equal(unfreed("report", recording, "-f", form, text=False), file.read(),
                     "the report")
    expect(not asides(f"{form}.rec"), "an aside file is left")


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


if __name__ == "__main__":
    sys.exit(run_cases())
