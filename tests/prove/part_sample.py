# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Sampling is unbiased, and as sure as it says: many runs of one program whose leaks are known."""

import functools
import math

import lib
import test_sample

RUNS = 50
SAMPLE_BYTES, OPERATIONS = 256, 200000
BIAS = 0.02
Z = 1.645  # of 90 %
COVERED = (0.85, 0.97)
FEWEST = 30  # samples of a site whose interval is judged: fewer are not normal


def run_all(options):
    """Of each site: its truth, and (estimate, standard error, samples) of each run."""
    truths, runs = {}, {}
    for _ in range(RUNS):
        report, truth = test_sample.sampled(SAMPLE_BYTES, *options,
                                            operations=OPERATIONS)
        for function, (estimate, bytes_, error) in test_sample.deviations(report, truth).items():
            truths[function] = bytes_
            runs.setdefault(function, []).append((estimate, error))
    return truths, runs


def unbiased(options):
    truths, runs = run_all(options)
    wrong, figures, inside, judged = [], {}, 0, 0
    for function, truth in truths.items():
        if truth < FEWEST * SAMPLE_BYTES:
            continue
        mean = sum(estimate for estimate, _ in runs[function]) / RUNS
        spread = math.sqrt(truth * SAMPLE_BYTES / RUNS)  # of the mean, at most
        figures[function] = round(mean / truth - 1, 4)
        # With few samples, chance alone leads further: that has a wider bar.
        if abs(mean - truth) > max(BIAS * truth, 4 * spread):
            wrong.append(f"{function}: {mean:.0f} in the mean, not {truth}")
        for estimate, error in runs[function]:
            inside += abs(estimate - truth) <= Z * error
            judged += 1
    share = inside / judged
    lib.expect(not wrong, "; ".join(wrong))
    lib.expect(COVERED[0] <= share <= COVERED[1], f"{share:.3f} of {judged} intervals hold it")
    return {"runs": RUNS, "relative bias": figures, "sites": len(figures),
            "intervals": judged, "that hold the truth": round(share, 4)}


def steps():
    """(name, function) of each step."""
    yield "heap only", functools.partial(unbiased, ("--events", "heap"))
    yield "with mappings", functools.partial(unbiased, ())
    yield "perf probes", functools.partial(unbiased, ("--probe", "perf"))
