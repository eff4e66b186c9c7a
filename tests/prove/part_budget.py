# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Within the budget: leaks are named with their rates.

Leaks: tests/targets/drizzle leaks one block in 100, in 1,000 and in 5,000. A run passes when within
60 s all three are called leaks in this order, no innocent site is above the smallest, and at their
end the rates are within 20 % of the truth, which is counted by the program itself.
"""

import contextlib
import functools
import json
import math
import os
import re
import statistics
import subprocess
import threading
import time

import lib
import loads
import programs

LEAKS = ("leak_hundredth", "leak_thousandth", "leak_rare")
SECONDS = 60
WITHIN = 0.2
RUNS, AT_ONCE, MAY_FAIL = 20, 5, 1
OPTIONS = ("--events", "heap", "-i", "2s", "-f", "json")
TRACED_SECONDS, ALONE_SECONDS = 10, 5  # two slices of the budget; twice, before and after
PAIRS = (6, 30)  # at least, at most
ALLOWED = 1.2  # times the budget, of slowdown
NICE = -15  # of what is measured, and of the tool beside it


@contextlib.contextmanager
def figures_of(figures):
    """A step that fails shows them, too."""
    try:
        yield figures
    except AssertionError as failure:
        failure.figures = figures
        raise


# -- leaks -----------------------------------------------------------------------------------------


def by_name(report, name_of):
    """The report's sites, by what they belong to: (bytes, error, verdict)."""
    found = {}
    for site in report["sites"]:
        name = name_of(site)
        bytes_, error, verdict = found.get(name, (0, 0, None))
        found[name] = (bytes_ + site["bytes"], error + site["standard_error_bytes"],
                       "leak" if "leak" in (verdict, site["verdict"]) else site["verdict"])
    return found


def why_not_named(found, leaks=LEAKS):
    """What is wrong with the order of sites; None: nothing is."""
    for name in leaks:
        if found.get(name, (0, 0, None))[2] != "leak":
            return f"{name} is no leak"
    for more, less in zip(leaks, leaks[1:]):
        if found[more][0] <= found[less][0]:
            return f"{less} is above {more}"
    for name, (bytes_, _, _) in found.items():
        if name not in leaks and bytes_ >= found[leaks[-1]][0]:
            return f"{name} is above {leaks[-1]}"
    return None


def truth_rates(before, after):
    """Bytes a second of each leak between two truths."""
    seconds = after["seconds"] - before["seconds"]
    held = [{site["function"]: site["bytes"] for site in truth["sites"]}
            for truth in (before, after)]
    return {name: (held[1][name] - held[0][name]) / seconds for name in held[0]}


def watch_leaks(target, leaks=LEAKS, within=WITHIN, name_of=lib.site_function):
    """One run: (what went wrong, figures)."""
    named_after = None
    with lib.Trace("-p", target.pid, "-d", f"{SECONDS}s", options=OPTIONS) as trace:
        before = target.say("count")
        for line in trace.process.stdout:
            latest = json.loads(line)
            if latest["window"]["seconds"] >= SECONDS:
                break  # comes later: until then the heap was walked
            after, report = target.say("count"), latest
            found = by_name(report, name_of)
            if named_after is None and not why_not_named(found, leaks):
                named_after = report["window"]["seconds"]
        trace.process.communicate()
    truth = truth_rates(before, after)
    seconds = report["window"]["seconds"]
    off = {name: round(found.get(name, (0,))[0] / seconds / truth[name] - 1, 3) for name in leaks}
    figures = {"named_after": named_after, "off": off,
               "standard_error": {name: round(found[name][1] / seconds / truth[name], 3)
                                  for name in leaks if name in found},
               "truth_bytes_a_second": {name: round(truth[name]) for name in leaks},
               "used_share": report["cost"]["used_share"],
               "worst_share": report["cost"]["worst_share"],
               "windows": sum(epoch["windows"] for epoch in report["epochs"]),
               "tool_cpu_share": round(report["cost"]["tool_cpu_ns"] / 1e9 / seconds, 4)}
    wrong = why_not_named(found, leaks)
    if not wrong and max(map(abs, off.values())) > within:
        wrong = f"rates are off: {off}"
    if not wrong and report["cost"]["worst_share"] > report["cost"]["budget_share"]:
        wrong = "over the budget"
    return wrong, figures


def drizzle_run(program, threads):
    with lib.Target(program, "--threads", threads) as target:
        target.go()
        return watch_leaks(target)


def drizzle_runs(program, failed):
    """Some of the runs; failed: those of all runs that have failed until now."""
    rows = []
    for _ in range(AT_ONCE):
        wrong, figures = drizzle_run(program, 1)
        rows.append({"wrong": wrong, **figures})
        failed += [wrong] if wrong else []
    with figures_of({"failed": len(failed), "runs": rows}) as figures:
        lib.expect(len(failed) <= MAY_FAIL, f"{len(failed)} of {RUNS} runs: {'; '.join(failed)}")
    return figures


# Where the heap cannot be walked, its growth is that of what is resident.
LOADS = {"jemalloc": LEAKS[:2], "musl": LEAKS[:2], "java": ("leak_inflater",),
         "redis": ("leak_script",)}


def load_run(name):
    with loads.STARTERS[name]() as target:
        target.say("go")
        wrong, figures = watch_leaks(target, LOADS[name], math.inf, target.site)
    with figures_of(figures):
        lib.expect(not wrong, wrong)
    return figures


# -- the slowdown ----------------------------------------------------------------------------------

T95 = (6.31, 2.92, 2.35, 2.13, 2.02, 1.94, 1.89, 1.86, 1.83, 1.81, 1.80, 1.78, 1.77, 1.76, 1.75)


def upper_bound(values):
    """The one-sided 95 % bound of their mean."""
    n = len(values)
    t = T95[n - 2] if n - 2 < len(T95) else 1.72
    return statistics.mean(values) + t * statistics.stdev(values) / math.sqrt(n)


class Spinning:
    """The pure loop."""

    def __init__(self, threads):
        self.target = lib.Target("spin", "--threads", threads, "--seconds", 0)
        self.pid = self.target.pid
        self.target.go()

    def count(self):
        """Since the last count: (CPU time, operations)."""
        done = self.target.say("count")
        return done["cpu_ns"], done["pairs"]

    def close(self):
        self.target.process.kill()
        self.target.process.communicate()


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Working:
    """A real program with the same work again and again (tests/e2e/programs.py)."""

    def __init__(self, name):
        self.context = programs.start(name)
        self.program = self.context.__enter__()
        self.pid = self.program.pid
        self.rounds, self.ended = 0, False
        self.thread = threading.Thread(target=self.run)
        self.last = (0, cpu_seconds(self.pid))
        self.thread.start()

    def run(self):
        while not self.ended:
            self.program.work()
            self.rounds += 1

    def count(self):
        """To whole rounds: else a long one would be noise."""
        before = self.rounds
        lib.eventually(lambda: self.rounds == before, "no work is done", 60)
        now, last = (self.rounds, cpu_seconds(self.pid)), self.last
        self.last = now
        return now[1] - last[1], now[0] - last[0]

    def close(self):
        self.ended = True
        self.thread.join()
        self.context.__exit__(None, None, None)


def pin(pid, cpus):
    """A whole process to some CPUs, ahead of whatever else the machine does."""
    for thread in map(int, os.listdir(f"/proc/{pid}/task")):
        os.sched_setaffinity(thread, sorted(os.sched_getaffinity(0))[:cpus])
        os.setpriority(os.PRIO_PROCESS, thread, NICE)


@contextlib.contextmanager
def ahead():
    """So is what is started meanwhile, however nice the proof is."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    os.setpriority(os.PRIO_PROCESS, 0, NICE)
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, before)


def counts(works):
    return [work.count() for work in works]


def counts_alone(works):
    counts(works)
    time.sleep(ALONE_SECONDS)
    return counts(works)


def counts_traced(works, share):
    """The first is traced, from the start of the tool to its report."""
    options = ("--events", "heap", "-f", "json", "--max-overhead", f"{share:.0%}")
    counts(works)
    with ahead(), lib.Trace("-p", works[0].pid, "-d", f"{TRACED_SECONDS}s", options=options) as trace:
        report = trace.process.stdout.readline()
        done = counts(works)
        trace.process.communicate()
    return done, json.loads(report)


def cost_ratio(done):
    """What an operation of the first work costs, of the other's."""
    (first_cpu, first), (other_cpu, other) = done
    return first_cpu / max(1, first) / (other_cpu / max(1, other))


def one_pair(works, share):
    """Alone, traced, traced, alone: what changes slowly is in both. The works take turns on their
    CPUs every few milliseconds: what happens to one happens to the other."""
    before = counts_alone(works)
    traced, report = counts_traced(works, share)
    alone = [tuple(map(sum, zip(*both))) for both in zip(before, counts_alone(works))]
    return cost_ratio(traced) / cost_ratio(alone), report


def slowdown_bound(ratios):
    """(mean, one-sided 95 % bound) of ratios: of their logarithms, else those above 1 weigh more."""
    logarithms = list(map(math.log, ratios))
    return math.exp(statistics.mean(logarithms)), math.exp(upper_bound(logarithms))


def slowdown(begin, share, cpus):
    """Pairs of runs until the bound is low enough, or there are too many."""
    ratios, worst, used, modes = [], [], [], set()
    limit = 1 + ALLOWED * share
    with contextlib.ExitStack() as stack:
        works = [stack.enter_context(contextlib.closing(begin())) for _ in range(2)]
        for work in works:
            pin(work.pid, cpus)
        while len(ratios) < PAIRS[0] or (
                len(ratios) < PAIRS[1] and slowdown_bound(ratios)[1] > limit):
            ratio, report = one_pair(works, share)
            ratios.append(round(ratio, 4))
            worst.append(report["cost"]["worst_share"])
            used.append(report["cost"]["used_share"])
            modes |= {epoch["mode"] for epoch in report["epochs"]}
    mean, bound = slowdown_bound(ratios)
    figures = {"pairs": len(ratios), "slowdown": round(mean, 4), "bound": round(bound, 4),
               "worst_slice": max(worst), "used": round(statistics.mean(used), 4),
               "modes": sorted(modes), "ratios": ratios}
    with figures_of(figures):
        lib.expect(bound <= limit, f"the slowdown is up to {bound:.3f}")
        lib.expect(max(worst) <= share, f"{max(worst):.4f} of a slice of 5 s, not {share}")
    return figures


# -- attach and detach -----------------------------------------------------------------------------

ATTACHES, ATTACHES_AT_ONCE = 1000, 50
GAP_SECONDS, GAP_US = 20, 5000
SHORT = ("-d", "100ms", "--events", "heap", "-f", "json")


def attach_once(pid):
    """What one short trace takes of memory."""
    with lib.Trace("-p", pid, options=SHORT) as trace:
        return trace.report()["cost"]["tool_rss_bytes"]


def kernel_warnings():
    text = subprocess.run(["dmesg"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return [line for line in text.splitlines() if re.search(r"WARNING|BUG|Oops", line)]


def attaches(memory):
    """Some of them, on 16 busy threads; memory: what they all have taken until now."""
    warnings = kernel_warnings()
    with contextlib.closing(Spinning(16)) as work:
        before = {kind: lib.ids(kind) for kind in ("prog", "link", "map")}
        with ahead():  # 16 threads leave nothing to a tool that waits
            memory += [attach_once(work.pid) for _ in range(ATTACHES_AT_ONCE)]
        changed = lib.changed_code(work.pid)
        lib.expect(work.count() > 0, "it works no more")
        after = {kind: lib.ids(kind) - before[kind] for kind in before}
    with figures_of({"attaches": len(memory), "memory_bytes": [min(memory), max(memory)],
                     "new_objects": {kind: len(new) for kind, new in after.items()}}) as figures:
        lib.expect(not changed, f"code is changed: {changed}")
        new = [line for line in kernel_warnings() if line not in warnings]
        lib.expect(not new, f"the kernel says: {new[:3]}")
        lib.expect(max(memory[-5:]) < 1.1 * max(memory[:5]), "it takes ever more memory")
    return figures


def gaps():
    """A one-thread program alone, and under one trace after the other."""
    differences, rows = [], []
    with contextlib.closing(Spinning(1)) as work:
        while len(differences) < PAIRS[0] or (
                len(differences) < PAIRS[1] and upper_bound(differences) > GAP_US):
            work.target.say("count")
            time.sleep(GAP_SECONDS)
            alone = work.target.say("count")
            until, traces = time.monotonic() + GAP_SECONDS, 0
            while time.monotonic() < until:
                attach_once(work.pid)
                traces += 1
            traced = work.target.say("count")
            differences.append(traced["gap_p999_us"] - alone["gap_p999_us"])
            rows.append({"traces": traces,
                         **{f"{name}_{key}": row[f"gap_{key}_us"] for key in ("p50", "p999", "most")
                            for name, row in (("alone", alone), ("traced", traced))}})
    with figures_of({"grows_by_us": round(statistics.mean(differences)),
                     "bound_us": round(upper_bound(differences)), "runs": rows}) as figures:
        lib.expect(upper_bound(differences) < GAP_US, f"by up to {upper_bound(differences):.0f} µs")
    return figures


# -- steps -----------------------------------------------------------------------------------------


def steps():
    """(name, function) of each step."""
    for program in ("drizzle", "drizzle-nofp"):
        failed = []
        for i in range(RUNS // AT_ONCE):
            yield (f"leaks: {program}, {i * AT_ONCE + 1} to {(i + 1) * AT_ONCE}",
                   functools.partial(drizzle_runs, program, failed))
    for name in LOADS:
        yield f"leak: {name}", functools.partial(load_run, name)
    for threads in (1, 2, 4, 16):
        yield f"slowdown: {threads} threads", functools.partial(
            slowdown, functools.partial(Spinning, threads), 0.05, threads)
    for share in (0.02, 0.1):
        yield f"slowdown: budget of {share:.0%}", functools.partial(
            slowdown, functools.partial(Spinning, 1), share, 1)
    for name in programs.STARTERS:
        yield f"slowdown: {name}", functools.partial(
            slowdown, functools.partial(Working, name), 0.05, 1)
    yield "gaps", gaps
    memory = []
    for i in range(ATTACHES // ATTACHES_AT_ONCE):
        yield (f"attaches {i * ATTACHES_AT_ONCE + 1} to {(i + 1) * ATTACHES_AT_ONCE}",
               functools.partial(attaches, memory))
