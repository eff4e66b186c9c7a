#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Other versions of glibc than this machine's: the oldest known one, a new one, and the newest.

One program, linked for the oldest, runs by each, in a root of nothing but its libc and libstdc++.
The roots are unpacked once, from the Debian archive that this machine uses. Ends with the matrix.
"""

import functools
import os
import shutil
import subprocess
import sys

import allocators
import lib
from lib import Skip, case

OLDEST = "bullseye"
SUITES = (OLDEST, "trixie", "sid")
RUN = ("libc6", "libstdc++6", "libgcc-s1")
LINK = ("libc6-dev", "linux-libc-dev", "libcrypt-dev", "libstdc++-10-dev", "libgcc-10-dev")
HERE = os.path.dirname(os.path.abspath(__file__))
SHARED = allocators.VARIANTS[0]
STRIPPED = allocators.Variant("glibc", "shared stripped", strip=True)


@functools.lru_cache(maxsize=None)
def root_of(suite):
    packages = RUN + LINK if suite == OLDEST else RUN
    if not shutil.which("apt-get"):
        raise Skip("no apt-get: no other glibc")
    done = subprocess.run([f"{HERE}/libc-root", suite, *packages], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise Skip(f"no packages of {suite}: {done.stderr.strip().splitlines()[-1:]}")
    return done.stdout.strip()


def flags_of(root):
    """For compilers of here: headers and libraries of a root."""
    arch = "x86_64-linux-gnu"
    libraries = (f"{root}/usr/lib/{arch}", f"{root}/lib/{arch}", f"{root}/usr/lib/gcc/{arch}/10")
    return (f"--sysroot={root}", f"-B{libraries[0]}", *(f"-L{path}" for path in libraries),
            f"-Wl,-rpath-link,{libraries[1]}", "-isystem", f"{root}/usr/include/c++/10", "-isystem",
            f"{root}/usr/include/{arch}/c++/10")


@functools.lru_cache(maxsize=None)
def place_of(suite):
    """Where programs run by a suite's libc, and what its row of the matrix is called."""
    place = allocators.Place(root_of(suite))
    if suite == OLDEST:
        place.flags = flags_of(place.root)
    else:
        for program in "heap_truth", "throws":
            shutil.copy(allocators.build(place_of(OLDEST)[0], program, SHARED), place.scratch.name)
    with open(f"{place.root}/version", encoding="ascii") as version:
        return place, f"glibc {version.read().strip()}"


@case(*SUITES)
def sites_in_c(suite):
    place, name = place_of(suite)
    allocators.test(place, SHARED, "C", row=name)


@case(*SUITES)
def sites_in_cxx(suite):
    place, name = place_of(suite)
    allocators.test(place, SHARED, "C++", row=name)


@case(*SUITES)
def operator_new_that_throws(suite):
    place, name = place_of(suite)
    allocators.test(place, SHARED, "throws", row=name)


@case(*SUITES)
def version_is_told(suite):
    place, name = place_of(suite)
    report, _ = allocators.heap_truth(place, SHARED)
    lib.expect_equal(report["processes"][0]["allocator"], name, "allocator")


@case(*SUITES)
def threads_that_end(suite):
    place, _ = place_of(suite)
    oldest, _ = place_of(OLDEST)
    path = oldest.compile("gcc", "stress.c", "-ldl", name="stress")
    if place is not oldest:
        path = shutil.copy(path, place.scratch.name)
    allocators.threads_that_end(place, path)


@case(OLDEST)
def names_of_a_stripped_program_in_a_chroot(suite):
    """Its debug file lies beside it, as it sees that, and not as we do."""
    allocators.operator_new_that_throws(place_of(suite)[0], STRIPPED)


if __name__ == "__main__":
    exit_status = lib.run_cases()
    allocators.print_matrix()
    sys.exit(exit_status)
