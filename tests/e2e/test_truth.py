#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Stacks of real programs are those that gdb sees at the same calls: a few of them, tests/prove/truth.py
looks at more."""

import os
import random
import shutil
import sys

import lib
from lib import case, expect

sys.path.insert(0, os.path.join(lib.TOP, "tests/prove"))
import truth  # noqa: E402

STACKS = 40


@case("redis", "python3")
def stacks_are_those_that_gdb_sees(name):
    if not shutil.which("gdb"):
        raise lib.Skip("no gdb")
    seed = random.randrange(1 << 32)
    sites, drawn, different = truth.prove(name, STACKS, seed)
    print(f"# {name}, seed {seed}: {len(drawn)} of {len(sites)} stacks")
    expect(len(drawn) == STACKS, f"{len(drawn)} stacks only")
    expect(not different, f"seed {seed}: {'; '.join(different)}")


if __name__ == "__main__":
    sys.exit(lib.run_cases())
