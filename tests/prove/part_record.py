# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Traces that record are killed at any moment: what is left has every snapshot that was written.

A step traces a program that leaks, ends the tracer by SIGKILL after a random time, and compares what
unfreed report finds in the file that is left with the blocks that a reader of ten lines finds in it.
"""

import glob
import os
import random
import re
import struct
import subprocess
import tempfile
import time
import zlib

import lib

KILLS = 200
AT_ONCE = 20  # kills in a step
LONGEST_SECONDS = 1
# What writes a recording and what reads it.
SOURCES = ("user/base", "user/model", "user/record", "user/cmd/recordings.c", "user/cmd/report.c",
           "user/cmd/save.c", "user/cmd/trace.c", "tests/targets/drizzle.c",
           "tests/prove/part_record.py")
OPTIONS = ("-d", "600s", "-i", "10ms", "--max-overhead", "off")
HEAD, BLOCK = 24, 16


def whole_snapshots(path):
    """Blocks of snapshots with the checksum that they should have, up to the first without."""
    with open(path, "rb") as file:
        data = file.read()
    at, found = HEAD, 0
    while at + BLOCK <= len(data):
        kind, stored, _, checksum = struct.unpack_from("<4sIII", data, at)
        end = at + BLOCK + stored
        if end > len(data) or zlib.crc32(data[at + BLOCK:end], zlib.crc32(data[at:at + 12])) != checksum:
            break
        found += kind == b"SNAP"
        at = end
    return found, len(data) - at


def report(path, *arguments):
    return subprocess.run([lib.UNFREED, "report", path, *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)


def asides(folder):
    return glob.glob(os.path.join(folder, ".rec.*"))


def kill_once(folder, target):
    path = os.path.join(folder, "rec")
    with lib.Trace("-p", target.pid, options=(*OPTIONS, "-w", path)) as trace:
        lib.eventually(lambda: not any(os.path.getsize(file) for file in asides(folder)) and "empty",
                       "a recording that has begun", seconds=60)
        time.sleep(random.uniform(0, LONGEST_SECONDS))  # the moment is what is tried
        trace.process.kill()
        trace.process.wait()
    lib.expect(not os.path.exists(path), "a recording that is not complete has its name")
    [left] = asides(folder)
    snapshots, torn = whole_snapshots(left)
    listed = report(left, "--list")
    if snapshots:
        found = len(re.findall(r"^ +\d+  \d{4}-", listed.stdout, re.M))
        lib.expect_equal((listed.returncode, found), (0, snapshots), f"snapshots: {listed.stderr}")
        lib.expect_equal(report(left, "--json").returncode, 0, "status of the report")
    else:
        lib.expect_equal((listed.returncode, len(listed.stderr.splitlines())), (1, 1),
                         f"without a snapshot: {listed.stderr}")
    os.unlink(left)
    return snapshots, torn


def kill_many():
    figures = {"kills": 0, "snapshots": 0, "torn": 0, "without_any": 0}
    with tempfile.TemporaryDirectory(prefix="unfreed-record-") as folder:
        with lib.Target("drizzle") as target:
            target.go()
            for _ in range(AT_ONCE):
                snapshots, torn = kill_once(folder, target)
                figures["kills"] += 1
                figures["snapshots"] += snapshots
                figures["torn"] += torn > 0
                figures["without_any"] += not snapshots
    return figures


def steps():
    for i in range(KILLS // AT_ONCE):
        yield f"kills {i * AT_ONCE + 1} to {(i + 1) * AT_ONCE}", kill_many, SOURCES
