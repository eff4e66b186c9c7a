# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""10 million inputs for each parser, 200,000 a step: each begins with what the ones before found
worth to be tried. They count as long as the parser's code is the same. MILLIONS=n: so many;
"prove.py fuzz cfi dwarf": of these only."""

import functools
import glob
import os
import re
import subprocess

import lib
from lib import expect

STEP = 200000
MILLIONS = int(os.environ.get("MILLIONS", "10"))
FUZZ = os.path.join(lib.TOP, "tests/fuzz")


@functools.lru_cache(maxsize=None)
def build():
    out = os.environ.get("O", "build")
    subprocess.run(["make", "-C", lib.TOP, f"O={out}", "programs-fuzz"], check=True)


def parsers():
    return sorted(os.path.basename(path)[len("fuzz_"):-len(".c")]
                  for path in glob.glob(f"{FUZZ}/fuzz_*.c"))


def fuzz(name, seed):
    build()
    done = subprocess.run([f"{FUZZ}/run", name], stdout=subprocess.PIPE, text=True, check=False,
                          env=dict(os.environ, FUZZ_RUNS=str(STEP), FUZZ_SEED=str(seed)))
    lines = done.stdout.splitlines() or ["no output"]
    failed = [line for line in lines if line.startswith("not ok")]
    expect(done.returncode == 0, (failed or lines)[-1])
    commit = subprocess.run(["git", "-C", lib.TOP, "rev-parse", "--short", "HEAD"],
                            stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    return {"inputs": int(re.search(r"(\d+) inputs", lines[-1])[1]), "seed": seed, "commit": commit}


def folders_of(paths):
    """Folders of what these files include, as "user/elf"."""
    found = set()
    for path in paths:
        with open(path, encoding="utf-8") as file:
            found |= {f"user/{name}" for name in re.findall(r'^#include "(\w+)/', file.read(), re.M)}
    return {folder for folder in found if os.path.isdir(os.path.join(lib.TOP, folder))}


@functools.lru_cache(maxsize=None)
def sources(name):
    """What a fuzzer is made of: the folders that it uses, and those that they use."""
    own = [f"tests/fuzz/fuzz_{name}.c"] + ["tests/unit/heap_image.h"] * (name == "heap")
    folders, new = set(), folders_of(os.path.join(lib.TOP, path) for path in own)
    while new:
        folders |= new
        new = folders_of(path for folder in new
                         for path in glob.glob(f"{lib.TOP}/{folder}/*.[ch]")) - folders
    return (*own, "tests/fuzz/fuzz.c", "tests/fuzz/fuzz.h", "bpf/abi.h", *sorted(folders))


def steps():
    # By turns: what is cut short has seen all of them.
    for seed in range(1, MILLIONS * 1000000 // STEP + 1):
        for name in parsers():
            yield f"{name} {seed}", functools.partial(fuzz, name, seed), sources(name)
