#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Looking does not make a target grow: what the kernel says of its memory, page tables and swap, and of
its control group, is the same before and after; with 4 GiB that nobody has touched, and, where the
machine has swap, with memory that is swapped out."""

import contextlib
import ctypes
import itertools
import json
import os
import re
import signal
import struct
import subprocess
import sys

import jvms
import lib
from heaps import WALKER
from lib import case, expect, expect_equal

# 4 GiB; less where a kernel would not promise that.
UNTOUCHED = min(4 << 30, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2 & -1 << 20)
PIECE = 1 << 20
GROUPS = "/sys/fs/cgroup"
MADV_PAGEOUT, SYS_PROCESS_MADVISE = 21, 440  # the same on every architecture (5.10)
PR_SET_THP_DISABLE = 41
LIBC = ctypes.CDLL(None, use_errno=True)
LOOKS = {
    "map": (("map",), ("map", "--by", "mapping"), ("map", "-i", "100ms", "-d", "250ms")),
    "heap": (("heap",), ("heap", "-d", "100ms")),
    "jvm": (("jvm",), ("jvm", "--no-attach", "-d", "100ms")),
}


# -- a target in a control group of its own --------------------------------------------------------


def memory_group():
    """(the folder in which groups of memory can be made, the file in them with their usage)"""
    if os.path.isdir(f"{GROUPS}/memory"):
        return f"{GROUPS}/memory", "memory.usage_in_bytes"
    with contextlib.suppress(OSError), open(f"{GROUPS}/cgroup.subtree_control", "w",
                                            encoding="ascii") as control:
        control.write("+memory")
        control.close()
        return GROUPS, "memory.current"
    raise lib.Skip("no control groups of memory")


class Resting(lib.Target):
    """A program that is ready, and stopped; alone in its group."""

    def __init__(self, *command):
        folder, usage = memory_group()
        self.group, self.usage = f"{folder}/unfreed-harmless-{os.getpid()}", usage
        try:
            os.mkdir(self.group)
        except OSError as error:
            raise lib.Skip(f"no control group of our own: {error}") from error
        self.command = ["sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', self.group, *command]
        try:
            super().__init__(os.path.basename(command[0]))
        except AssertionError:
            self.leave()
            raise

    def start(self, arguments):
        return self.command

    def _hear(self):
        line = super()._hear()
        return f"ready {self.process.pid}" if line == "ready" else line

    def read(self, name):
        with open(f"/proc/{self.pid}/{name}", encoding="utf-8") as file:
            return file.read()

    def status(self):
        """What must stay as it is."""
        return dict(re.findall(r"^(VmRSS|VmPTE|VmSwap|RssAnon|RssFile):\s+(\d+) kB$",
                               self.read("status"), re.M))

    def charged(self):
        with open(f"{self.group}/{self.usage}", encoding="ascii") as file:
            return int(file.read())

    def leave(self):
        def left():
            with contextlib.suppress(FileNotFoundError):
                try:
                    os.rmdir(self.group)
                except OSError as error:
                    return str(error)
            return None

        lib.eventually(left, "control group")

    def __exit__(self, *_):
        super().__exit__()
        self.leave()


def walker():
    return Resting(WALKER, "--untouched", str(UNTOUCHED))


def jvm():
    if not jvms.JVMS or jvms.ROOT != "/":
        raise lib.Skip("no JVM here")
    return Resting(list(jvms.JVMS.values())[-1], "-XX:NativeMemoryTracking=summary", "-XX:+UseSerialGC",
                   f"-Xms{UNTOUCHED}", f"-Xmx{UNTOUCHED}", "-cp", jvms.compile_target("JavaHeld"),
                   "JavaHeld")


# -- looking ---------------------------------------------------------------------------------------


def unfreed(pid, command, *options):
    done = subprocess.run([lib.UNFREED, command, "-p", str(pid), "--json", *options],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60,
                          check=False)
    expect_equal(done.returncode, 0, f"status of {command}, with {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def blocks_to_peek_at(pid):
    """A small size, the size of the untouched block, and a block's address, if the walk finds any."""
    sizes = [row["size_bytes"] for row in unfreed(pid, "heap").get("sizes", ())]
    wanted = [str(next(size for size in sizes if size < 4096))] if sizes else ["64"]
    wanted += [str(size) for size in sizes if size >= UNTOUCHED]
    peek = unfreed(pid, "heap", "--peek", wanted[0])["processes"][0].get("peek", {})
    wanted += [hex(block["address"]) for block in peek.get("blocks", ())[:1]]
    return wanted


def look_in_every_way(target, *commands):
    """Nothing of it is charged to the target, nor given back, at any of the looks."""
    before, charged = target.status(), target.charged()
    looks = list(itertools.chain(*(LOOKS[command] for command in commands)))
    if "heap" in commands:
        looks += [("heap", "--peek", wanted) for wanted in blocks_to_peek_at(target.pid)]
    for look in looks:
        unfreed(target.pid, *look)
        expect_equal(target.status(), before, f"after unfreed {' '.join(look)}")
        # What the kernel has charged in advance, 64 pages a CPU, it may give back at any time.
        expect(target.charged() <= charged, f"after unfreed {' '.join(look)}, its group has "
               f"{target.charged()} bytes, not {charged}")
    print(f"# {len(looks)} looks: {', '.join(f'{name} {kib} kB' for name, kib in before.items())}, "
          f"usage {charged >> 10} kB")


# -- swap ------------------------------------------------------------------------------------------


def expect_swap():
    with open("/proc/swaps", encoding="ascii") as swaps:
        rows = [line.split() for line in swaps][1:]
    if sum(int(row[2]) - int(row[3]) for row in rows) < 16 << 10:
        raise lib.Skip("this machine has no swap, or none left")


def swap_out(target, first=PIECE):
    """Each other MiB of its own memory; each mapping from its byte first on."""
    pieces = b""
    for start, end in re.findall(r"^(\w+)-(\w+) rw-p \w+ 00:00 0", target.read("maps"), re.M):
        start, end = int(start, 16), int(end, 16)
        pieces += b"".join(struct.pack("QQ", at, min(end - at, PIECE)) for at in
                           range(start + first, min(end, start + (64 << 20)), 2 * PIECE))
    pidfd = os.pidfd_open(target.pid)
    for at in range(0, len(pieces), 16 * 512):
        part = pieces[at:at + 16 * 512]
        done = LIBC.syscall(SYS_PROCESS_MADVISE, pidfd, part, ctypes.c_size_t(len(part) // 16),
                            MADV_PAGEOUT, 0)
        expect(done > 0, f"process_madvise: {os.strerror(ctypes.get_errno())}")
    os.close(pidfd)
    expect(int(target.status()["VmSwap"]) > 1024, f"nothing was swapped out: {target.status()}")


# -- cases -----------------------------------------------------------------------------------------


@case()
def a_heap_with_an_untouched_block():
    with walker() as target:
        target.pause()
        look_in_every_way(target, "map", "heap")


@case()
def a_jvm_with_an_untouched_heap():
    with jvm() as target:
        target.say("inflaters 500")
        target.pause()
        look_in_every_way(target, "map", "heap", "jvm")


@case()
def a_heap_that_is_swapped_out_in_part():
    expect_swap()
    with walker() as target:
        target.pause()
        swap_out(target)
        look_in_every_way(target, "map", "heap")
        expect(unfreed(target.pid, "heap")["losses"]["unread_bytes"] > PIECE, "all of it was read")


@case()
def arenas_that_are_swapped_out():
    expect_swap()
    with walker() as target:
        target.pause()
        swap_out(target, first=0)
        look_in_every_way(target, "map", "heap")
        why = unfreed(target.pid, "heap")["processes"][0]["why"]
        expect("swapped out" in why, why)


@case()
def a_jvm_that_is_swapped_out_in_part():
    expect_swap()
    with jvm() as target:
        target.say("inflaters 500")
        target.pause()
        swap_out(target)
        look_in_every_way(target, "map", "heap", "jvm")


if __name__ == "__main__":
    # The kernel makes huge pages of small ones, and of what lies between, at times of its own.
    LIBC.prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)
    sys.exit(lib.run_cases())
