#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Sampling: what a part of the blocks says of all of them, and how sure it is of that."""

import math
import signal
import sys

import lib
from lib import case, expect, expect_equal

SAMPLE_BYTES = 2048
# A normal estimate is off by so many standard errors once in 500 million.
FAR = 6


def sampled(size, *options, operations=50000):
    return lib.trace_truth("heap_truth", "--threads", 2, "--operations", operations,
                           options=("--sample", str(size), *options))


def deviations(report, truth):
    """{function: (estimate, truth, standard error)} in bytes, and the same in blocks, without one."""
    found = {}
    for site in report["sites"]:
        name = lib.site_function(site)
        if site["kind"] == "heap" and name:
            bytes_, variance = found.get(name, (0, 0))
            found[name] = (bytes_ + site["bytes"], variance + site["standard_error_bytes"] ** 2)
    return {site["function"]: (found.get(site["function"], (0, 0))[0], site["bytes"],
                               math.sqrt(found.get(site["function"], (0, 0))[1]))
            for site in truth["sites"]}


@case("session", "multi", "perf")
def estimates_are_near_the_truth_by(method):
    try:
        report, truth = sampled(SAMPLE_BYTES, "--probe", method, "--events", "heap")
    except AssertionError as failure:
        if "cannot" not in str(failure):
            raise
        raise lib.Skip(failure) from failure
    expect_equal(report["mode"], "sampled", "mode")
    expect_equal(report["sample_bytes"], SAMPLE_BYTES, "sample_bytes")
    near(report, truth)


@case()
def estimates_are_near_the_truth_with_mappings():
    near(*sampled(SAMPLE_BYTES))


def near(report, truth):
    for function, (estimate, bytes_, error) in deviations(report, truth).items():
        # The error is estimated, too: of few samples, from few.
        far = FAR * max(error, math.sqrt(bytes_ * SAMPLE_BYTES))
        expect(abs(estimate - bytes_) <= far, f"{function}: {estimate}, not {bytes_} ± {error:.0f}")
    known = sum(site["bytes"] for site in truth["sites"])
    seen = sum(site["sampled_live_blocks"] for site in report["sites"] if site["kind"] == "heap"
               and "sampled_live_blocks" in site)
    expect(seen < sum(site["blocks"] for site in truth["sites"]) / 2, f"{seen} samples are many")
    expect(abs(report["heap"]["live_bytes"] - known) < FAR * math.sqrt(known * SAMPLE_BYTES),
           f"{report['heap']['live_bytes']} in all, not {known}")
    lib.expect_no_losses(report)


@case()
def one_block_in_each_byte_is_every_block():
    report, truth = sampled(1)
    lib.compare(report, [site for site in truth["sites"] if site["bytes"]],
                only={site["function"] for site in truth["sites"] if site["bytes"]})


@case()
def table_says_how_sure_it_is():
    with lib.Target("heap_truth") as target:
        with lib.Trace("-p", target.pid, options=("--max-overhead", "off", "--min-age", "0s",
                                                  "-d", "600s", "--sample", "2K")) as trace:
            target.go()
            trace.process.send_signal(signal.SIGINT)
            table = " ".join(trace.text().split())
    for words in ("mode sampled: a block in 2.0 KiB of the heap", "heap about ", "± ",
                  " samples"):
        expect(words in table, f"no '{words}' in {table}")


@case()
def blocks_larger_than_a_sample_are_exact():
    report, truth = lib.trace_truth("big", options=("--sample", "64K"))
    lib.compare(report, truth["sites"])
    errors = {site["standard_error_bytes"] for site in report["sites"]
              if lib.site_function(site) == truth["sites"][0]["function"]}
    expect_equal(errors, {0}, "standard errors")


if __name__ == "__main__":
    sys.exit(lib.run_cases())
