# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the tests of unfreed heap share: a target with any glibc, and what malloc_info(3) says."""

import glob
import json
import os
import re
import subprocess

import lib
from lib import expect

WALKER = os.path.join(lib.TARGETS, "heap_walk")


class Walker(lib.Target):
    """heap_walk, with the C library of a Debian suite, or ours."""

    def __init__(self, *arguments, suite=None):
        self.command = [WALKER]
        if suite:
            self.command = loader_of(suite) + self.command
        super().__init__("heap_walk", *arguments)

    def start(self, arguments):
        return [*self.command, *map(str, arguments)]

    def truth(self):
        """{arenas: [{system, fast, binned, …}], mmapped: (blocks, bytes)}"""
        return parse_truth(self.go()["xml"])


def loader_of(suite):
    done = subprocess.run([os.path.join(lib.TOP, "tests/libc6"), suite], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False, timeout=300)
    if done.returncode:
        raise lib.Skip(f"no libc6 of {suite}: {done.stderr.strip().splitlines()[-1:]}")
    tree = done.stdout.strip()
    libc = next(path for path in glob.glob(f"{tree}/**/libc.so.6", recursive=True))
    folder = os.path.dirname(libc)
    loader = glob.glob(f"{folder}/ld-linux-*.so.*")[0]
    # Before 2.34, threads are a library of their own.
    return [loader, "--library-path", folder, "--preload", f"{folder}/libpthread.so.0"]


def numbers(text, pattern):
    found = re.search(pattern, text)
    return tuple(map(int, found.groups())) if found else (0, 0)


def parse_truth(xml):
    arenas = []
    for heap in re.findall(r"<heap nr='\d+'>(.*?)</heap>", xml, re.S):
        fast = numbers(heap, r"<total type='fast' count='(\d+)' size='(\d+)'/>")
        rest = numbers(heap, r"<total type='rest' count='(\d+)' size='(\d+)'/>")
        system = numbers(heap, r"<system type='current' size='(\d+)'/>")[0]
        # The sizes of chunks in bins are summed up with their lowest bit, which is a flag.
        arenas.append({"system_bytes": system, "fastbin_blocks": fast[0], "fastbin_bytes": fast[1],
                       "binned_blocks": rest[0] - 1, "free": rest[1] - (rest[0] - 1)})
    mmapped = numbers(xml, r"<total type='mmap' count='(\d+)' size='(\d+)'/>")
    return {"arenas": arenas, "mmapped": {"blocks": mmapped[0], "bytes": mmapped[1]}}


def heap(pid, *options):
    done = subprocess.run([lib.UNFREED, "heap", "-p", str(pid), "--json", *options],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60,
                          check=False)
    expect(done.returncode == 0, f"status {done.returncode}: {done.stderr}")
    return json.loads(done.stdout)


def of_arena(arena):
    """What unfreed says of an arena, in the words of malloc_info."""
    found = {key: arena[key] for key in
             ("system_bytes", "fastbin_blocks", "fastbin_bytes", "binned_blocks")}
    found["free"] = arena["binned_bytes"] + arena["top_bytes"]
    return found
