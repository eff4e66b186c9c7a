# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The stacks are true: gdb sees the same at the same calls, and cached rules lead to no other."""

import functools
import os
import random
import re
import subprocess
import sys

import lib
import programs
import truth

EVENTS = 10_000_000
SECONDS = 3600


def of_gdb(name):
    seed = random.randrange(1 << 32)
    sites, drawn, different = truth.prove(name, truth.STACKS, seed)
    lib.expect(len(drawn) >= truth.STACKS, f"{len(drawn)} distinct stacks only")
    lib.expect(not different, f"seed {seed}: {'; '.join(different)}")
    return {"seed": seed, "distinct": len(sites), "compared": len(drawn), "different": 0}


def twice():
    done = subprocess.run([sys.executable, os.path.join(lib.TOP, "bench/walks.py"), lib.BUILD,
                           "--verify", str(EVENTS)], stdout=subprocess.PIPE, text=True,
                          timeout=SECONDS, check=False)
    lib.expect(done.returncode == 0, done.stdout)
    return {line.split(": ")[0]: [int(figure.replace(",", "")) for figure in
                                  re.findall(r"([\d,]+) (?:stacks|differ|are)", line)]
            for line in done.stdout.splitlines()}


def steps():
    """(name, function) of each step."""
    for name in (*programs.STARTERS, *programs.COMMANDS):
        yield f"gdb: {name}", functools.partial(of_gdb, name)
    yield "walked twice", twice
