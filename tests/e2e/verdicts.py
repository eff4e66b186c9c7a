# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the tests of verdicts share."""

from lib import expect, expect_equal

MIB = 1 << 20


def expect_gain(verdict, given_back):
    print(f"# {verdict['rule']}: {verdict['gain_bytes'] / MIB:.1f} MiB to be had back, "
          f"{given_back / MIB:.1f} were")
    expect(abs(verdict["gain_bytes"] - given_back) <= 0.2 * given_back,
           f"gain {verdict['gain_bytes']}, given back {given_back}")


def expect_verdict(verdict, kind, rule, remedy):
    expect_equal((verdict["kind"], verdict["rule"]), (kind, rule), verdict["evidence"])
    expect(remedy in verdict["remedy"], f"remedy: {verdict['remedy']}")
