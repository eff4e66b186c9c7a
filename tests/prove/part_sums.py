# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""unfreed map on real processes, stopped: what the kernel says of each, and what is unknown of it."""

import functools
import subprocess
import sys

import lib

# A word of the cases' names in tests/e2e/test_map.py. JVMs of other versions: part_java.
PROCESSES = ("jvm sums", "sums of: redis", "sums of: python", "sums of: node", "sums of: musl",
             "sums of: postgres", "chromium", "ten thousand")
SECONDS = 300


def sums(word):
    done = subprocess.run([sys.executable, f"{lib.TOP}/tests/e2e/test_map.py", word],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          timeout=SECONDS, check=False)
    lines = done.stdout.splitlines()
    if lines and all(" # SKIP " in line for line in lines[:-1]):
        raise lib.Skip(lines[0].partition(" # SKIP ")[2])
    lib.expect(done.returncode == 0, [line for line in lines if line.startswith("not ok")])
    return {"seen": [line[2:] for line in lines if line.startswith("# ")]}


def steps():
    for word in PROCESSES:
        yield word, functools.partial(sums, word)
