#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The verdicts of unfreed heap on JVMs: the right one, and what its remedy would give back is what it
does give back when it is applied."""

import json
import re
import subprocess
import sys

import lib
import jvms
from jvms import JVMS, compile_target
from lib import case, expect, expect_equal
from verdicts import MIB, expect_gain, expect_verdict



def version_of(name):
    return int(re.search(r"\d+", name)[0])


NEWEST = max(JVMS, key=version_of) if JVMS else None


class Jvm(lib.Target):
    """JavaHeld, with options and environment variables of its own."""

    def __init__(self, name, *options, **environment):
        if not name:
            raise lib.Skip("no JVM")
        self.command = ["env", *(f"{key}={value}" for key, value in environment.items()),
                        *jvms.command(name), *options, "-Xmx128m", "-cp", compile_target("JavaHeld"),
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

    def bytes_of(self, name):
        """What is resident of a class of memory."""
        done = subprocess.run([lib.UNFREED, "map", "-p", str(self.pid), "--json"], check=True,
                              stdout=subprocess.PIPE, timeout=60)
        return next(row["rss_bytes"] for row in json.loads(done.stdout)["classes"]
                    if row["name"] == name)

    def look(self, *options):
        return subprocess.Popen([lib.UNFREED, "heap", "-p", str(self.pid), "--json", *options],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def verdict(self, *words, seconds=3):
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
        """As far as it can: 17.0.9 and later."""
        done = subprocess.run([lib.UNFREED, "jvm", "-p", str(self.pid), "--trim"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=60, check=False)
        expect(done.returncode == 0 or "its JVM says" in done.stderr, done.stderr)


def inflaters_that_nobody_ends(name):
    if version_of(name) == 8:
        raise lib.Skip("JDK 8 cannot trim")
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
        expect("direct buffers hold 80.0 MiB, 8" in verdict["evidence"], verdict["evidence"])
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


def arenas_that_are_trimmed(name):
    """The JVM's own remedy."""
    if version_of(name) < 17:
        raise lib.Skip("no JDK before 17 trims by itself")
    with Jvm(name) as target, Jvm(name, "-XX:TrimNativeHeapInterval=500") as other:
        target.say("churn 14")
        other.say("churn 14")
        verdict = target.verdict()
        expect_verdict(verdict, "retention", "arenas", "-XX:TrimNativeHeapInterval")
        lib.eventually(lambda: target.rss() - other.rss() < 0.8 * verdict["gain_bytes"] and
                       f"{target.rss() - other.rss()} of {verdict['gain_bytes']}", "trimmed")


def code_that_was_compiled(name):
    """All that runs is compiled; with the bound of the remedy, half as much is kept."""
    if version_of(name) < 17:
        raise lib.Skip("where there is no room, this JDK stops to compile for good")
    options = ("-Xcomp", "-XX:TieredStopAtLevel=1", "-XX:ReservedCodeCacheSize=120m")
    with Jvm(name, *options) as target:
        target.say("classes 2000")
        verdict = target.verdict()
        before, code = target.rss(), target.bytes_of("code cache")
    expect_verdict(verdict, "outside of malloc", "code cache", "-XX:ReservedCodeCacheSize")
    bound = code >> 11
    with Jvm(name, *options, f"-XX:ReservedCodeCacheSize={bound}k") as target:
        target.say("classes 2000")
        given_back = before - target.rss()
    expect_equal(verdict["gain_is_least"], version_of(name) >= 20, "a lower bound")
    expect_equal(" of malloc belong " in verdict["evidence"], version_of(name) >= 23, "in malloc")
    if verdict["gain_is_least"]:
        print(f"# code cache: at least {verdict['gain_bytes'] / MIB:.1f} MiB to be had back, "
              f"{given_back / MIB:.1f} were")
        expect(verdict["gain_bytes"] <= given_back, f"{verdict['gain_bytes']} of {given_back}")
    else:
        expect_gain(verdict, given_back)


QUICK = (inflaters_that_nobody_ends, arenas_of_threads)
ONLY_BY_NAME = (direct_buffers, class_loaders_that_stay, code_that_was_compiled,
                arenas_that_are_trimmed)


def main():
    for scenario in (*QUICK, *(ONLY_BY_NAME if sys.argv[1:] else ())):
        case(NEWEST)(scenario)
    return lib.run_cases()


if __name__ == "__main__":
    sys.exit(main())
