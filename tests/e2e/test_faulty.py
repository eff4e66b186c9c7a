#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The fault table: what goes wrong with the tracer, its target or the machine, what the user sees of
it, and that what is reported is right. Each case is a row."""

import contextlib
import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time

import lib
from lib import case, expect, expect_equal

SECONDS = 60
KILLS = int(os.environ.get("FAULTY_KILLS", "5"))
PLAIN = ("-d", "200ms", "--max-overhead", "off")

FOLDER = None


def unfreed(*arguments, **options):
    return subprocess.run([lib.UNFREED, *map(str, arguments)], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=SECONDS,
                          check=False, **options)


def expect_refused(done, *words):
    """One line that says what is wrong, and no report."""
    lines = [line for line in done.stderr.splitlines() if not line.startswith("tracing ")]
    expect_equal(done.returncode, 1, f"status, with {lines}")
    expect(len(lines) == 1 and lines[0].startswith("unfreed: "), f"not one line: {lines}")
    for word in words:
        expect(word in lines[0], f"no '{word}' in {lines[0]}")
    expect(not done.stdout, f"output: {done.stdout[:300]}")


def expect_unharmed(target):
    """Nothing is attached to it, and it ends well."""
    lib.eventually(lambda: lib.changed_code(target.pid), "its code has probes")
    expect_equal(target.quit(), 0, "its exit status")


def expect_traceable(target):
    """The same of one that has yet to work: the next trace of it is exact."""
    lib.eventually(lambda: lib.changed_code(target.pid), "its code has probes")
    with lib.Trace("-p", target.pid) as tracer:
        truth = target.go()
        report = tracer.stop()
    lib.compare(report, truth["sites"])
    lib.expect_no_losses(report)
    expect_unharmed(target)


# -- the tracer ------------------------------------------------------------------------------------


@case()
def tracer_killed_at_any_moment():
    seed = int(os.environ.get("FAULTY_SEED", "0")) or time.time_ns() % 1000000
    moments = random.Random(seed)
    for _ in range(KILLS):
        with lib.Target("heap_truth") as target:
            tracer = subprocess.Popen([lib.UNFREED, "trace", "-p", str(target.pid), "-d", "300ms",
                                       "-f", "json"], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            delay = moments.random() * 0.9
            with contextlib.suppress(subprocess.TimeoutExpired):
                tracer.wait(delay)
            tracer.kill()
            tracer.wait()
            try:
                expect_traceable(target)
            except AssertionError as failure:
                raise AssertionError(f"seed {seed}, killed after {delay:.3f} s: {failure}") \
                    from failure


DISK = """mount -t tmpfs -o size=12k none "$1" || exit 77
"$2" trace -p "$3" -d 3s -i 50ms --max-overhead off -f json "$4" "$1/file" >/dev/null
status=$?
for file in "$1"/.file.*; do
    if test -e "$file"; then "$2" report "$file" -f json >/dev/null && echo "whole: $file" >&2; fi
done
exit $status"""


@case("-o", "-w")
def disk_full(what):
    """A report is whole or not there; a recording has all that was recorded until then."""
    folder = tempfile.mkdtemp(dir=FOLDER)
    with lib.Target("heap_truth") as target:
        done = subprocess.Popen(["unshare", "--mount", "sh", "-c", DISK, "sh", folder, lib.UNFREED,
                                 str(target.pid), what], stdin=subprocess.DEVNULL, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        line = done.stderr.readline()
        expect(line.startswith("tracing "), line)
        target.go()
        lines = done.communicate(timeout=SECONDS)[1].splitlines()
        expect_equal(done.returncode, 1, f"status, with {lines}")
        expect(lines[0].startswith("unfreed: ") and "No space left" in lines[0], lines)
        if what == "-w":
            expect("what was recorded until then is in " in lines[0], lines)
        expect(lines[-1].startswith("whole: ") if what == "-w" else len(lines) == 1, lines)
        expect_unharmed(target)


def waits_to_write(process):
    """Its main thread is inside of write(2)."""
    with open(f"/proc/{process.pid}/syscall", encoding="ascii") as file:
        return file.read().split()[0] == "1"


@case()
def reader_of_the_reports_is_slow():
    """A signal in the middle of a write leaves no half of a report."""
    with lib.Target("heap_truth") as target:
        target.go()
        with subprocess.Popen([lib.UNFREED, "trace", "-p", str(target.pid), "-d", "600s", "-i",
                               "10ms", "-f", "json", "--max-overhead", "off"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True) as tracer:
            lib.eventually(lambda: not all(waits_to_write(tracer) or time.sleep(0.01)
                                           for _ in range(30)), "it waits nowhere")
            tracer.send_signal(signal.SIGINT)
            reports, said = tracer.communicate(timeout=SECONDS)
        expect_equal(tracer.returncode, 0, f"status, with {said}")
        expect(len([json.loads(line) for line in reports.splitlines()]) > 1, "no reports")
        expect_unharmed(target)


CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
int clock_gettime(clockid_t clock, struct timespec *now)
{
	static int (*real)(clockid_t, struct timespec *);
	static int calls;
	if (!real)
		real = dlsym(RTLD_NEXT, "clock_gettime");
	int error = real(clock, now);
	if (clock == CLOCK_REALTIME && !error)
		now->tv_sec += ++calls % 2 ? -86400 * 400 : 86400 * 400;
	return error;
}
"""


@case()
def clock_jumps():
    library = os.path.join(FOLDER, "clock.so")
    subprocess.run(["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", library, "-ldl"], input=CLOCK,
                   text=True, check=True)
    if subprocess.run(["env", f"LD_PRELOAD={library}", lib.UNFREED, "--version"], check=False,
                      stderr=subprocess.PIPE, stdout=subprocess.DEVNULL).stderr:
        raise lib.Skip("this build takes no LD_PRELOAD")
    os.environ["LD_PRELOAD"] = library
    try:
        with lib.Target("heap_truth") as target:
            begin = time.monotonic()
            with lib.Trace("-p", target.pid, options=(*lib.EXACT, "-i", "200ms")) as tracer:
                truth = target.go()
                tracer.report_that(lambda report: lib.sums_of(report, "heap"), SECONDS)
                report = tracer.stop()
            took = time.monotonic() - begin
    finally:
        del os.environ["LD_PRELOAD"]
    lib.compare(report, truth["sites"])
    seconds = report["window"]["seconds"]
    expect(0 < seconds < took, f"a window of {seconds} s, in {took} s")
    ages = [site["max_age_seconds"] for site in report["sites"] if site["kind"] == "heap"]
    expect(all(0 <= age < took for age in ages if age is not None), f"ages: {ages}")


@case(16, 40)
def few_file_descriptors(limit):
    with lib.Target("heap_truth") as target:
        done = unfreed("trace", "-p", target.pid, *PLAIN, "--probe", "perf",
                       preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
        if done.returncode:
            expect_refused(done, "Too many open files")
        else:
            expect("COVERAGE" in done.stdout, done.stdout)
        expect_traceable(target)


@case(40, 96)
def little_memory(mib):
    limit = mib << 20
    if subprocess.run([lib.UNFREED, "--version"], check=False, stdout=subprocess.DEVNULL,
                      stderr=subprocess.DEVNULL, preexec_fn=lambda: resource.setrlimit(
                          resource.RLIMIT_AS, (limit, limit))).returncode:
        raise lib.Skip(f"this build does not even start within {mib} MiB")
    with lib.Target("heap_truth") as target:
        done = unfreed("trace", "-p", target.pid, *PLAIN,
                       preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
        if done.returncode == 0:
            expect("COVERAGE" in done.stdout, done.stdout)
        else:
            expect(done.returncode in (1, 127, -signal.SIGABRT), f"status {done.returncode}")
            expect(done.stderr.strip().count("\n") < 3 and
                   re.search("memory|cannot", done.stderr), done.stderr)
        expect_traceable(target)


MAPPER = """import mmap
print("ready", flush=True)
input()
for i in range(150000):
    mmap.mmap(-1, 4096).close()
print("done", flush=True)
input()"""


@case()
def ring_full():
    """The tracer stands still while another maps: what is lost is told, the heap is exact."""
    with subprocess.Popen([sys.executable, "-c", MAPPER], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as other:
        expect_equal(other.stdout.readline(), "ready\n", "it")
        with lib.Target("heap_truth") as target:
            with lib.Trace("-p", f"{other.pid},{target.pid}") as tracer:
                tracer.process.send_signal(signal.SIGSTOP)
                truth = target.go()
                print(file=other.stdin, flush=True)
                expect_equal(other.stdout.readline(), "done\n", "it")
                tracer.process.send_signal(signal.SIGCONT)
                report = tracer.stop()
            expect_unharmed(target)
        other.communicate("\n")
    lib.compare(report, truth["sites"], only={site["function"] for site in truth["sites"]})
    expect(report["losses"]["mapping_records"] > 0, f"nothing is lost: {report['losses']}")
    expect_equal(other.returncode, 0, "its exit status")


# -- the target ------------------------------------------------------------------------------------


@case()
def target_killed():
    with lib.Target("heap_truth") as target, lib.Trace("-p", target.pid) as tracer:
        truth = target.go()
        target.process.kill()
        report = tracer.report()
    lib.compare(report, truth["sites"])
    lib.expect_no_losses(report)
    expect_equal(report["window"]["ended_by"], "target exited", "end of the window")


@case()
def target_unmaps_its_libc():
    with lib.Target("faulty", "--unmap", 1) as target, lib.Trace("-p", target.pid) as tracer:
        truth = target.go()
        expect_equal(target.hear_line(), "gone", "it")
        expect_equal(target.quit(), 5, "its exit status")
        report = tracer.report()
    lib.compare(report, truth["sites"], only={"leak_first"})
    lib.expect_no_losses(report)


@case()
def target_leaves_its_namespaces():
    with lib.Target("faulty", "--move", 1) as target, lib.Trace("-p", target.pid) as tracer:
        truth = target.go()
        report = tracer.stop()
        expect_equal(target.quit(), 0, "its exit status")
    lib.compare(report, truth["sites"])
    lib.expect_no_losses(report)


@case("session", "multi", "perf")
def target_with_a_filter_of_system_calls(method):
    """A return probe's way back is a system call of its own from Linux 6.11 on (x86-64)."""
    with lib.Target("faulty", "--filter", 1) as target:
        with lib.Trace("-p", target.pid, options=(*lib.EXACT, "--probe", method)) as tracer:
            truth = target.go()
            report = tracer.stop()
        expect_equal(target.quit(), 0, "its exit status")
    lib.compare(report, truth["sites"], only={"leak_first"})
    lib.expect_no_losses(report)


@contextlib.contextmanager
def freezer(pid):
    """A control group with a process in it: a function that freezes it, or lets it go."""
    old, new = "/sys/fs/cgroup/freezer", "/sys/fs/cgroup"
    first = os.path.isdir(old)
    folder = f"{old if first else new}/unfreed-faulty-{os.getpid()}"
    try:
        os.mkdir(folder)
    except OSError as error:
        raise lib.Skip(f"no control group to freeze: {error}") from error
    name, states = ("freezer.state", ("THAWED", "FROZEN")) if first else ("cgroup.freeze", "01")

    def set_state(frozen):
        with open(f"{folder}/{name}", "w", encoding="ascii") as file:
            file.write(states[frozen])

        def why():
            with open(f"{folder}/{name if first else 'cgroup.events'}", encoding="ascii") as file:
                text = file.read()
            done = states[frozen] in text if first else f"frozen {states[frozen]}" in text
            return not done and text

        lib.eventually(why, "its state")

    try:
        with open(f"{folder}/cgroup.procs", "w", encoding="ascii") as file:
            file.write(str(pid))
        yield set_state
    finally:
        with contextlib.suppress(OSError):
            set_state(False)
        with contextlib.suppress(OSError), \
                open(f"{old if first else new}/cgroup.procs", "w", encoding="ascii") as file:
            file.write(str(pid))
        lib.eventually(lambda: subprocess.run(["rmdir", folder], stderr=subprocess.PIPE,
                                              check=False).stderr, "the group stays")


@case("before the attach", "in the window", "to its end")
def target_frozen(when):
    with lib.Target("heap_truth") as target, freezer(target.pid) as freeze:
        freeze(when == "before the attach")
        with lib.Trace("-p", target.pid) as tracer:
            if when == "before the attach":
                freeze(False)
            target.tell("go")
            if when == "in the window":
                freeze(True)
                freeze(False)
            truth = target.hear()
            if when == "to its end":
                freeze(True)
            report = tracer.stop()
            freeze(False)
        lib.compare(report, truth["sites"])
        lib.expect_no_losses(report)
        expect_unharmed(target)


def main():
    global FOLDER
    with tempfile.TemporaryDirectory(prefix="unfreed-") as FOLDER:
        os.chmod(FOLDER, 0o755)
        return lib.run_cases()


if __name__ == "__main__":
    sys.exit(main())
