#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Page faults: who touched the memory that is resident, and what was given back is not in it."""

import math
import sys

import lib
from lib import case, expect, expect_equal

PAGE_BYTES, HUGE_BYTES = 4096, 2 << 20
EVERY = 16  # fault is recorded
FAR = 6  # standard errors: once in 500 million
FAULTS = ("--events", "fault")


def faults(*arguments):
    try:
        return lib.trace_truth("faults", *arguments, options=FAULTS)
    except AssertionError as failure:
        if "check" in str(failure):
            raise lib.Skip(f"this kernel cannot: {failure}") from failure
        raise


def of(report, function, key):
    return sum(site[key] for site in report["sites"]
               if site["kind"] == "fault" and lib.site_function(site) == function)


@case()
def pages_belong_to_who_touched_them_until_they_are_given_back():
    report, truth = faults()
    missed = report["losses"].pop("missed_faults")
    expect(missed < truth["faults"] / 1000, f"{missed} faults are missing")
    for site in truth["sites"]:
        found, pages = of(report, site["function"], "bytes"), site["blocks"]
        far = (FAR * math.sqrt(pages * (EVERY - 1)) + missed * EVERY) * PAGE_BYTES
        expect(abs(found - site["bytes"]) <= far, f"{site}: {found}, {found - site['bytes']} off")
    for churn in ("churn_advised", "churn_unmapped"):
        expect(of(report, churn, "allocated_bytes") > 0, f"{churn} is not seen at all")
    expect(report["fault"]["faults"] + missed >= truth["faults"], f"{report['fault']}: not all counted")
    expect_equal(report["fault"]["resident_bytes"],
                 sum(site["bytes"] for site in report["sites"]), "resident bytes in all")
    pids = {site["pid"] for site in report["sites"] if lib.site_function(site) == "leak_in_child"}
    expect_equal(pids, {truth["child"]}, "process of the child's pages")
    expect(report["stacks_complete"] > 0.99, report["stacks_complete"])
    lib.expect_no_losses({**report, "losses": {**report["losses"], "late_attaches": 0}})


@case()
def huge_pages_count_as_what_they_are():
    report, truth = faults("--huge", 256)
    if truth["huge"] < 100 * HUGE_BYTES:
        raise lib.Skip(f"only {truth['huge']} bytes are in huge pages")
    if any("huge" in note for note in report["notes"]):
        raise lib.Skip(report["notes"])
    found, pages = of(report, "leak_huge", "bytes"), of(report, "leak_huge", "blocks")
    expect(pages > 0 and found / pages > HUGE_BYTES / 2, f"{found} bytes in {pages} pages")


@case()
def nothing_is_left_behind():
    with lib.Target("faults", "--pages", 64) as target:
        with lib.Trace("-p", target.pid, options=(*lib.EXACT, *FAULTS)) as trace:
            target.go()
            trace.stop()
        lib.expect_gone(trace.objects)


if __name__ == "__main__":
    sys.exit(lib.run_cases())
