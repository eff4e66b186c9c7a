# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Within the budget: leaks are named with their rates.

Leaks: tests/targets/drizzle leaks one block in 100, in 1,000 and in 5,000. A run passes when within
60 s all three are called leaks in this order, no innocent site is above the smallest, and at their
end the rates are within 20 % of the truth, which is counted by the program itself.
"""

import functools
import json
import time

import lib

LEAKS = ("leak_hundredth", "leak_thousandth", "leak_rare")
SECONDS = 60
WITHIN = 0.2
RUNS, AT_ONCE, MAY_FAIL = 20, 5, 1
OPTIONS = ("--events", "heap", "-i", "2s", "-f", "json")


# -- leaks -----------------------------------------------------------------------------------------


def by_function(report):
    """The report's sites, by the target's function that they are in: (bytes, error, verdict)."""
    found = {}
    for site in report["sites"]:
        name = lib.site_function(site)
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


def watch_leaks(target, options=OPTIONS, leaks=LEAKS):
    """One run: (what went wrong, figures)."""
    named_after = None
    with lib.Trace("-p", target.pid, "-d", f"{SECONDS}s", options=options) as trace:
        before = target.say("count")
        for line in trace.process.stdout:
            report = json.loads(line)
            found = by_function(report)
            if named_after is None and not why_not_named(found, leaks):
                named_after = report["window"]["seconds"]
        after = target.say("count")
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
    if not wrong and max(map(abs, off.values())) > WITHIN:
        wrong = f"rates are off: {off}"
    if not wrong and report["cost"]["worst_share"] > report["cost"]["budget_share"]:
        wrong = "over the budget"
    return wrong, figures


def drizzle_run(program, threads):
    with lib.Target(program, "--threads", threads) as target:
        target.go()
        return watch_leaks(target)


def drizzle_runs(program, runs, threads=1):
    rows = []
    for _ in range(runs):
        wrong, figures = drizzle_run(program, threads)
        rows.append({"wrong": wrong, **figures})
    failed = [row["wrong"] for row in rows if row["wrong"]]
    try:
        lib.expect(len(failed) <= MAY_FAIL, f"{len(failed)} of {runs} runs: {'; '.join(failed)}")
    except AssertionError as failure:
        failure.figures = {"runs": rows}
        raise
    return {"failed": len(failed), "runs": rows}


def steps():
    """(name, function) of each step."""
    for program in ("drizzle", "drizzle-nofp"):
        yield f"leaks: {program}", functools.partial(drizzle_runs, program, RUNS)
