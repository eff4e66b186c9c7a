# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The static program of make dist, inside of roots: the end-to-end tests run in there with it.

The programs under test are built by the root's own compiler. A root of busybox and musl has no
Python: there the tests run out here, and the program under test and unfreed in there.
"""

import contextlib
import functools
import os
import re
import subprocess
import tempfile

import allocators
import lib
from part_roots import SUITES, busybox, debian_root, matrix_row

PROGRAM = os.path.join(lib.BUILD, "dist/unfreed")
TESTS = ("heap", "mappings", "follow", "input", "targets", "allocators", "containers")
INSIDE = "/tmp/unfreed-dist"  # where the root builds
RESULT = re.compile(r"(not )?ok (.*?)(?: # SKIP (.*))?$", re.MULTILINE)
SECONDS = 900


@functools.lru_cache(maxsize=None)
def ready_root(suite):
    """A root with this tree in /src, and the programs under test."""
    root, versions = debian_root(suite)
    os.makedirs(f"{root}/src", exist_ok=True)
    subprocess.run(["mount", "--bind", lib.TOP, f"{root}/src"], check=True)
    done = subprocess.run(["chroot", root, "make", "-C", "/src", f"O={INSIDE}", "-j2", "targets"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    lib.expect_equal(done.returncode, 0, f"make targets: {done.stdout[-500:]}: status")
    return root, versions


def enter(root):
    """Begins a command in a root, as that of its mount namespace, too: who enters a container that
    is started from there gets to the container's."""
    script = 'cd "$0" && mount --move . / && exec chroot . "$@"'
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, root]


def end_to_end(suite, test):
    """Runs a file of tests/e2e in a root: what each of its tests gave."""
    if not os.path.exists(PROGRAM):
        raise lib.Skip(f"no {PROGRAM}: make dist")
    root, versions = ready_root(suite)
    environment = {"HOME": "/root", "LC_ALL": "C.UTF-8", "O": INSIDE, "PYTHONDONTWRITEBYTECODE": "1",
                   "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                   "UNFREED": os.path.join("/src", os.path.relpath(PROGRAM, lib.TOP))}
    done = subprocess.run([*enter(root), "python3", f"/src/tests/e2e/test_{test}.py"],
                          env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=SECONDS, check=False)
    figures = {"versions": versions, "tests": {"passed": 0, "failed": [], "skipped": []}}
    for failed, name, why in RESULT.findall(done.stdout):
        if failed or why:
            figures["tests"]["failed" if failed else "skipped"].append(name + (why and f": {why}"))
        else:
            figures["tests"]["passed"] += 1
    if done.returncode or figures["tests"]["failed"] or not figures["tests"]["passed"]:
        failure = AssertionError("; ".join(figures["tests"]["failed"]) or
                                 f"status {done.returncode}: {done.stdout[-500:]}")
        failure.figures = figures
        raise failure
    return figures


@contextlib.contextmanager
def unfreed_in(root):
    """As long as it lasts, unfreed is the static program in a root."""
    subprocess.run(["cp", PROGRAM, f"{root}/unfreed"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/unfreed", "w", encoding="utf-8") as script:
            script.write(f'#!/bin/sh\nexec chroot {root} /unfreed "$@"\n')
        os.chmod(f"{folder}/unfreed", 0o755)
        lib.UNFREED, before = f"{folder}/unfreed", lib.UNFREED
        try:
            yield
        finally:
            lib.UNFREED = before


def in_busybox(variant):
    if not os.path.exists(PROGRAM):
        raise lib.Skip(f"no {PROGRAM}: make dist")
    place, _ = busybox()
    with unfreed_in(place.root):
        return matrix_row(busybox, variant)


def steps():
    for suite, name in SUITES.items():
        for test in TESTS:
            yield f"{name}: {test}", functools.partial(end_to_end, suite, test)
    for variant in allocators.VARIANTS:
        if variant.libc == "musl":
            yield f"busybox: {variant}", functools.partial(in_busybox, variant)
