#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""prove.py [PART [WORD…]]: the proofs that take too long for make check; lists them without PART.

A part is a row of PARTS and a file part_NAME.py beside this one. Its function steps() gives pairs
of a name and a function, which returns the raw figures of the step (a dictionary) or raises, as the
cases of tests/e2e do: an AssertionError where it failed, lib.Skip where it cannot run here. A third
element, if there is one, names the files that the step depends on: it is kept as long as these are
the same. With WORDs, only steps whose names contain one of them are run.

What each step gave is kept in results/NAME.jsonl as soon as it is known. Run again on the same
state of the tree, a part goes on with what has not passed; on another state it begins anew. The
first line says which state, when, and on what machine.
"""

import datetime
import functools
import hashlib
import importlib
import json
import os
import platform
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "tests/e2e"))
import lib  # noqa: E402  (it is found by the line above)

# Rows are added at the end: their numbers stay.
PARTS = {
    "roots": "every allocator in roots of Debian 11, 12, 13, sid and of musl, against its truth",
    "dist": "the static program passes the end-to-end tests inside of those roots",
    "stress": "30 minutes of threads, forks and dlopens at once: exact at the end",
    "truth": "at least 200 stacks in each of five programs, frame by frame against gdb",
    "fuzz": "10 million hostile inputs for each parser of outside data",
    "sample": "sampling is unbiased over 50 runs, and its intervals hold what they say",
    "java": "JDK 8, 11, 17, 21, 25: a leak in a container, the JVM's own stacks, maps, NMT, verdicts",
    "limit": "a container like Flink's on its way to the limit: which class grows, and when it is full",
    "record": "200 traces that record are killed at random moments: all whole snapshots are there",
    "budget": "within the budget: leaks named, rates right; the slowdown; 1,000 attaches",
    "kills": "containers killed for their memory: 90 reports with all that was outstanding, 90 in the budget",
    "sums": "the classes of unfreed map add up to the kernel's figures, on ten kinds of processes",
    "bounds": "10 million live blocks and 100,000 stacks within 1.5 GB, a small target within 60 MB",
    "fault": "tracers killed at 200 random moments, 10,000 forks: the rest of tests/e2e/test_faulty.py",
    "soak": "a busy JVM, and threads and forks, for SOAK_MINUTES=30: memory flat, counters exact",
}
NOT_RESULTS = (".", ":!tests/prove/results")


def git(*arguments):
    return subprocess.run(("git", *arguments), cwd=TOP, stdout=subprocess.PIPE, text=True,
                          check=True).stdout


@functools.lru_cache(maxsize=None)
def state(*paths):
    """The last commit that changed any of these, or more than results; and of what is not committed,
    a hash."""
    paths = paths or NOT_RESULTS
    commit = git("log", "-1", "--format=%h", "--", *paths).strip()
    changes = git("diff", "HEAD", "--", *paths).encode()
    for name in git("ls-files", "--others", "--exclude-standard", "--", *paths).splitlines():
        with open(os.path.join(TOP, name), "rb") as file:
            changes += name.encode() + file.read()
    return commit + ("+" + hashlib.sha1(changes).hexdigest()[:7] if changes else "")


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


def machine():
    return {"cores": os.cpu_count(), "memory_bytes": os.sysconf("SC_PAGE_SIZE") *
            os.sysconf("SC_PHYS_PAGES"), "kernel": platform.release(),
            "architecture": platform.machine(), "glibc": os.confstr("CS_GNU_LIBC_VERSION")}


class Results:
    """The file of a part's results: a header, then a line for each step that was run."""

    def __init__(self, part, states):
        """states: {step: the state that it depends on}"""
        self.path = os.path.join(HERE, "results", part + ".jsonl")
        header = {"part": part, "commit": state(), "date": now(), "machine": machine()}
        rows = self.read()
        was = rows[0]["commit"] if rows else None
        kept = [row for row in rows[1:] if row.get("state", was) == states.get(row["step"])]
        self.passed = {row["step"] for row in kept if row["result"] == "passed"}
        if was == header["commit"]:
            return
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        with open(self.path, "w", encoding="utf-8") as file:
            for row in (header, *kept):
                print(json.dumps(row), file=file)

    def read(self):
        try:
            with open(self.path, encoding="utf-8") as file:
                return [json.loads(line) for line in file]
        except FileNotFoundError:
            return []

    def add(self, row):
        with open(self.path, "a", encoding="utf-8") as file:
            print(json.dumps(row), file=file)


def run_step(name, function):
    """Runs one, and says so: its row of results."""
    begin, row = time.monotonic(), {"step": name, "date": now()}
    try:
        figures = function()
        row.update(result="passed")
        lib.ok(name)
    except lib.Skip as reason:
        figures = {"why": str(reason)}
        row.update(result="skipped")
        lib.skip(name, reason)
    except Exception as failure:  # a broken report breaks a step in any way
        why = str(failure) if isinstance(failure, AssertionError) else repr(failure)
        figures = {"why": why, **getattr(failure, "figures", {})}
        row.update(result="failed")
        lib.not_ok(name, why)
    row.update(seconds=round(time.monotonic() - begin, 1), **figures or {})
    return row


def run(part, words):
    why = lib.why_not_here()
    if why:
        sys.exit(f"prove: {why}")
    steps = list(importlib.import_module("part_" + part).steps())
    states = {name: state(*(paths[0] if paths else ())) for name, _, *paths in steps}
    results = Results(part, states)
    for name, function, *paths in steps:
        if words and not any(word in name for word in words):
            continue
        if name in results.passed:
            lib.ok(f"{name} (kept)")
        else:
            results.add({**run_step(name, function), **({"state": states[name]} if paths else {})})
    print(f"prove: {os.path.relpath(results.path, TOP)}", file=sys.stderr)
    return lib.summary()


def main():
    names = list(PARTS)
    part, *words = sys.argv[1:] or [""]
    if part.isdigit() and 1 <= int(part) <= len(names):
        part = names[int(part) - 1]
    if part not in PARTS:
        for number, name in enumerate(names, 1):
            print(f"{number} {name:8} {PARTS[name]}")
        return 2 if part else 0
    # What a part mounts goes with its last process.
    if not os.environ.get("PROVE_INSIDE"):
        os.environ["PROVE_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable,
                              *sys.argv])
    return run(part, words)


if __name__ == "__main__":
    sys.exit(main())
