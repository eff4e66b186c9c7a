# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Verdicts on every JVM that is installed: each scenario, its remedy applied, the gain measured."""

import functools
import re

import verdicts
from jvms import JVMS
from test_verdict_jvm import QUICK, code_that_was_compiled


def measured(scenario, name):
    """The figures of the comparison: those that it prints."""
    figures = {}

    def keep(verdict, given_back):
        figures.update(rule=verdict["rule"], evidence=verdict["evidence"],
                       gain_bytes=verdict["gain_bytes"], given_back_bytes=given_back)
        compare(verdict, given_back)

    compare = verdicts.expect_gain
    scenario.__globals__["expect_gain"] = keep
    try:
        scenario(name)
    finally:
        scenario.__globals__["expect_gain"] = compare
    return figures


def steps():
    for name in JVMS:
        for scenario in (*QUICK, code_that_was_compiled):
            words = re.sub("_", " ", scenario.__name__)
            yield f"{words}: {name}", functools.partial(measured, scenario, name)
