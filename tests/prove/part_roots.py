# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Each allocator in each way, in roots of other C libraries: built and run in there, traced from here.

The roots are made once (tests/prove/root); what they hold is in the results, by version.
"""

import functools
import os
import subprocess

import allocators
import lib
import runtimes

HERE = os.path.dirname(os.path.abspath(__file__))
SUITES = {"bullseye": "Debian 11", "bookworm": "Debian 12", "trixie": "Debian 13", "sid": "sid"}
PACKAGES = ("libc6", "g++", "musl", "libjemalloc2", "libgoogle-perftools4", "libgoogle-perftools4t64",
            "libmimalloc2.0", "libmimalloc3", "rustc")


def mount(root):
    """What the kernel shows appears in it; and container runtimes want a root to be a mount."""
    subprocess.run(["mount", "--bind", root, root], check=True)
    for folder in ("proc", "sys", "dev"):
        subprocess.run(["mount", "--rbind", f"/{folder}", f"{root}/{folder}"], check=True)


@functools.lru_cache(maxsize=None)
def debian_root(suite, group="guest", packages=PACKAGES):
    """The root of a suite with a group of packages, made if there is none, with what the kernel
    shows; and its versions."""
    done = subprocess.run([os.path.join(HERE, "root"), suite, group], stdout=subprocess.PIPE,
                          text=True, check=False)
    if done.returncode:
        raise lib.Skip(f"no root of {suite} can be made here")
    root = done.stdout.strip()
    mount(root)
    found = subprocess.run(["chroot", root, "dpkg-query", "-W", "-f", "${Package} ${Version}\n",
                            *packages], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                           check=False).stdout
    return root, dict(line.split(" ", 1) for line in found.splitlines() if line.split(" ", 1)[1])


@functools.lru_cache(maxsize=None)
def debian(suite):
    root, versions = debian_root(suite)
    return allocators.Place(root, compilers=root), versions


@functools.lru_cache(maxsize=None)
def busybox():
    """A root of busybox and musl, with programs that are built here. It stays where it is: nobody
    removes by mistake what is mounted in it."""
    root = os.path.join(os.environ.get("UNFREED_CACHE", "/var/tmp/unfreed-roots"), "busybox")
    if not os.path.exists(f"{root}/lib"):
        runtimes.make_rootfs(root, [])
        runtimes.copy_in(root, "/lib/ld-musl-x86_64.so.1")
    mount(root)
    return allocators.Place(root), {}


def matrix_row(place_of, variant):
    """All cells of a variant in a place. The step fails with the first that is wrong."""
    place, versions = place_of()
    cells, wrong = {}, []
    for column in variant.columns():
        try:
            allocators.TESTS[column](place, variant)
            cells[column] = "exact"
        except AssertionError as failure:
            cells[column] = "WRONG"
            wrong.append(f"{column}: {failure}")
    figures = {"versions": versions, "cells": cells}
    if wrong:
        failure = AssertionError("; ".join(wrong))
        failure.figures = figures
        raise failure
    return figures


def alone(place_of, test, *arguments):
    place, versions = place_of()
    test(place, *arguments)
    return {"versions": versions}


def steps_in(name, place_of):
    for variant in allocators.VARIANTS:
        yield f"{name}: {variant}", functools.partial(matrix_row, place_of, variant)
    for prefix in "", "je_", "_rjem_":
        yield (f"{name}: jemalloc's own functions with prefix {prefix or 'none'}",
               functools.partial(alone, place_of, allocators.jemalloc_by_its_own_functions, prefix))
    for test in (allocators.mimalloc_by_its_own_functions, allocators.rust,
                 allocators.stripped_static_program_is_told):
        yield (f"{name}: {test.__name__.replace('_', ' ')}",
               functools.partial(alone, place_of, test))


def steps():
    for suite, name in SUITES.items():
        yield from steps_in(name, functools.partial(debian, suite))
    for variant in allocators.VARIANTS:
        if variant.libc == "musl":
            yield f"busybox: {variant}", functools.partial(matrix_row, busybox, variant)
