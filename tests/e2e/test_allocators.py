#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Every allocator, preloaded, linked and bundled, against programs that count their own blocks.

Ends with the matrix: for each cell the sites in C and those in C++, and a program whose operator new
throws (allocators.py).
"""

import os
import sys

import allocators
import lib
from allocators import VARIANTS
from lib import case

HERE = allocators.Place()


@case(*VARIANTS)
def sites_in_c(variant):
    allocators.test(HERE, variant, "C")


@case(*(variant for variant in VARIANTS if "C++" in variant.columns()))
def sites_in_cxx(variant):
    allocators.test(HERE, variant, "C++")


@case(*(variant for variant in VARIANTS if "throws" in variant.columns()))
def operator_new_that_throws(variant):
    allocators.test(HERE, variant, "throws")


@case("", "je_", "_rjem_")
def jemalloc_by_its_own_functions_with_prefix(prefix):
    allocators.jemalloc_by_its_own_functions(HERE, prefix)


@case()
def mimalloc_by_its_own_functions():
    allocators.mimalloc_by_its_own_functions(HERE)


@case()
def rust():
    allocators.rust(HERE)


@case()
def threads_that_end():
    allocators.threads_that_end(HERE, os.path.join(lib.TARGETS, "stress"))


@case()
def stripped_static_program_is_told():
    allocators.stripped_static_program_is_told(HERE)


if __name__ == "__main__":
    exit_status = lib.run_cases()
    allocators.print_matrix()
    sys.exit(exit_status)
