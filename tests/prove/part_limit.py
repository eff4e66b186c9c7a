# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A container like one of Flink is driven to its limit: a JVM with a heap of fixed size, sixty threads,
and native memory (zlib, through JNI) that nobody gives back. What map -i says of it meanwhile."""

import functools
import os
import shutil

import lib
import runtimes
import test_map
import test_real
from jvms import JVMS, compile_target

LIMIT = "320m"
SECONDS = 60  # until its threads are there


def threads_of(pid):
    """Of the JVM that runs in a container."""
    for name in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{name}/comm", encoding="ascii") as comm:
            yield comm.read().strip()


def to_its_limit(name):
    with runtimes.workshop() as shop:
        try:
            return drive(shop, name)
        except runtimes.Unavailable as reason:
            raise lib.Skip(reason) from reason


def drive(shop, name):
    root = shop.rootfs()
    test_real.add_jvm(root, os.path.dirname(os.path.dirname(JVMS[name])))
    shutil.copytree(compile_target("JavaHeld"), f"{root}/app")
    # Its input comes from a pipe that stays open; the container's first process is the JVM.
    script = ("mkfifo /tmp/words; (echo workers 60; echo leak 1000; sleep 1000) >/tmp/words & exec "
              f"{JVMS[name]} -Xms96m -Xmx96m -XX:+AlwaysPreTouch -XX:+UseSerialGC -cp /app JavaHeld "
              "</tmp/words >/dev/null")
    with shop.rig("runc", root) as rig:
        box = rig.run("unfreed-limit", ["/bin/sh", "-c", script], memory=LIMIT)
        lib.eventually(lambda: list(threads_of(box.pid)).count("leak") != 1 and "no leak yet",
                       "threads", SECONDS)
        off, left, largest = test_map.forecast(box, "1s")
    figures = {"seconds_off": round(off, 2), "seconds_before": round(left, 2), "class": largest}
    lib.expect(abs(off) <= 0.2 * left, f"{off} s off, {left} s before the end")
    lib.expect(largest in ("glibc arena", "main heap (brk)"), f"the class is {largest}")
    return figures


def steps():
    for name in JVMS:
        yield f"to its limit: {name}", functools.partial(to_its_limit, name)
