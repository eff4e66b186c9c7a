# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""10 million inputs for each parser, in steps of some minutes: each begins with what the ones
before found worth to be tried. They count as long as what the fuzzer is made of is the same.
MILLIONS=n: so many; "prove.py fuzz cfi dwarf": of these only."""

import functools
import glob
import os
import re
import subprocess

import lib
from lib import expect

# Inputs of a step: half a minute of a core, and some minutes of a busy machine.
STEP = 250000
STEPS = {
    **dict.fromkeys("cgroup command demangle maps place proc text units".split(), 1000000),
    **dict.fromkeys("heap hotspot minidebug sandbox vmstructs".split(), 100000),
}
MILLIONS = int(os.environ.get("MILLIONS", "10"))
FUZZ = os.path.join(lib.TOP, "tests/fuzz")
OUT = os.environ.get("O", "build")


def build():
    subprocess.run(["make", "-C", lib.TOP, f"O={OUT}", "programs-fuzz"], check=True)


def parsers():
    return sorted(os.path.basename(path)[len("fuzz_"):-len(".c")]
                  for path in glob.glob(f"{FUZZ}/fuzz_*.c"))


def fuzz(name, inputs, seed):
    done = subprocess.run([f"{FUZZ}/run", name], stdout=subprocess.PIPE, text=True, check=False,
                          env=dict(os.environ, FUZZ_RUNS=str(inputs), FUZZ_SEED=str(seed)))
    lines = done.stdout.splitlines() or ["no output"]
    failed = [line for line in lines if line.startswith("not ok")]
    expect(done.returncode == 0, (failed or lines)[-1])
    commit = subprocess.run(["git", "-C", lib.TOP, "rev-parse", "--short", "HEAD"],
                            stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    return {"inputs": int(re.search(r"(\d+) inputs", lines[-1])[1]), "seed": seed, "commit": commit}


def sources(name):
    """The files that a fuzzer is made of: those of its objects, say the linker and the compiler."""
    found = set()
    inputs = os.path.join(lib.TOP, OUT, f"fuzz/tests/fuzz/fuzz_{name}.inputs")
    with open(inputs, encoding="utf-8") as file:
        objects = [line.strip() for line in file if line.endswith(".o\n") and line.startswith(OUT)]
    expect(objects, f"no objects of fuzz_{name}")
    for each in objects:
        with open(os.path.join(lib.TOP, each[:-len("o")] + "d"), encoding="utf-8") as file:
            found |= set(re.findall(r"(?:^| )((?:user|bpf|tests)/[^\s:]+)", file.read(), re.M))
    return sorted(found)


def steps():
    build()
    # By turns: what is cut short has seen all of them.
    names = {name: STEPS.get(name, STEP) for name in parsers()}
    made_of = {name: sources(name) for name in names}
    for seed in range(1, MILLIONS * 1000000 // min(names.values()) + 1):
        for name, inputs in names.items():
            if seed * inputs <= MILLIONS * 1000000:
                yield f"{name} {seed}", functools.partial(fuzz, name, inputs, seed), made_of[name]
