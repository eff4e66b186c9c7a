#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The verdicts of unfreed heap on JVMs: the right one, and what its remedy would give back is what it
does give back when it is applied."""

import json
import re
import subprocess
import sys

import lib
from jvms import JVMS, compile_target
from lib import case, expect
from verdicts import MIB, expect_gain, expect_verdict

NEWEST = max(JVMS) if JVMS else None


class Jvm(lib.Target):
    """JavaHeld, with options and environment variables of its own."""

    def __init__(self, name, *options, **environment):
        if not name:
            raise lib.Skip("no JVM")
        self.command = ["env", *(f"{key}={value}" for key, value in environment.items()),
                        JVMS[name], *options, "-Xmx128m", "-cp", compile_target("JavaHeld"),
                        "JavaHeld"]
        super().__init__("JavaHeld")

    def start(self, arguments):
        return self.command

    def _hear(self):
        line = super()._hear()
        return f"ready {self.process.pid}" if line == "ready" else line

    def rss(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) << 10

    def look(self, *options):
        return subprocess.Popen([lib.UNFREED, "heap", "-p", str(self.pid), "--json", *options],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def verdict(self, *words, seconds=2):
        """While it does as the words say, or by one look."""
        with self.look(*(("-d", f"{seconds}s") if words else ())) as tool:
            if words:
                expect(tool.stderr.readline().startswith("watching "), "no first look")
            for word in words:
                self.say(word)
            output, errors = tool.communicate(timeout=60)
        expect(tool.returncode == 0, f"status {tool.returncode}: {errors}")
        return json.loads(output)["verdict"]

    def drop(self, given_back):
        """Lets go of all. Threads of the JVM's own give it back, after a collection or two."""
        before = self.rss()
        self.say("drop")

        def left():
            self.say("gc")
            return before - self.rss() < 0.8 * given_back and f"{before - self.rss()} of {given_back}"

        lib.eventually(left, "given back")
        last = before
        while last - self.rss() > MIB:
            last = self.rss()
            self.say("gc")

    def trim(self):
        done = subprocess.run([lib.UNFREED, "jvm", "-p", str(self.pid), "--trim"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=60, check=False)
        expect(done.returncode == 0, done.stderr)


def inflaters_that_nobody_ends(name):
    with Jvm(name) as target:
        target.say("inflaters 6000")
        verdict = target.verdict("inflaters 2000")
        before = target.rss()
        target.drop(0)

        def left():
            target.say("gc")
            target.trim()
            return before - target.rss() < 0.8 * verdict["gain_bytes"] and "too little was freed"

        lib.eventually(left, "trimmed")
        expect_verdict(verdict, "leak", "leak", "Inflater")
        expect_gain(verdict, before - target.rss())


def direct_buffers(name):
    with Jvm(name, "-XX:MaxDirectMemorySize=200m") as target:
        target.say("direct 60")
        verdict = target.verdict("direct 20")
        before = target.rss()
        target.drop(verdict["gain_bytes"])
        expect_verdict(verdict, "leak", "leak", "-XX:MaxDirectMemorySize")
        expect_gain(verdict, before - target.rss())


def class_loaders_that_stay(name):
    with Jvm(name) as target:
        target.say("classes 5000")
        verdict = target.verdict()
        before = target.rss()
        target.drop(verdict["gain_bytes"])
        expect_verdict(verdict, "outside of malloc", "metaspace", "class loaders")
        expect_gain(verdict, before - target.rss())


def arenas_of_threads(name):
    """Freed at once, and kept by each thread's arena."""
    with Jvm(name) as target, Jvm(name, MALLOC_ARENA_MAX=2) as other:
        target.say("churn 14")
        other.say("churn 14")
        verdict = target.verdict()
        expect_verdict(verdict, "retention", "arenas", "MALLOC_ARENA_MAX=2")
        expect_gain(verdict, target.rss() - other.rss())


def code_that_was_compiled(name):
    """All that runs is compiled; with the bound of the remedy, half as much is kept."""
    options = ("-Xcomp", "-XX:TieredStopAtLevel=1", "-XX:ReservedCodeCacheSize=120m")
    with Jvm(name, *options) as target:
        target.say("classes 2000")
        verdict = target.verdict()
        before = target.rss()
    expect_verdict(verdict, "outside of malloc", "code cache", "-XX:ReservedCodeCacheSize")
    bound = verdict["gain_bytes"] >> 10
    with Jvm(name, *options, f"-XX:ReservedCodeCacheSize={bound}k") as target:
        target.say("classes 2000")
        given_back = before - target.rss()
    if int(re.search(r"\d+", name)[0]) < 23:
        expect_gain(verdict, given_back)
    else:  # half of what belongs to code lies in malloc
        expect(verdict["gain_bytes"] < given_back, f"gain {verdict['gain_bytes']}, {given_back}")


QUICK = (inflaters_that_nobody_ends, direct_buffers, class_loaders_that_stay, arenas_of_threads)


def main():
    for scenario in QUICK:
        case(NEWEST)(scenario)
    return lib.run_cases()


if __name__ == "__main__":
    sys.exit(main())
