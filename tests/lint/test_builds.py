#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Builds that only have to succeed: the other compiler, the other architecture."""
import os
import shutil

import tap

OUT = os.environ.get("O", "build")


def arm64():
    """the kernel side compiles for arm64"""
    yield from tap.make(f"O={OUT}", "bpf-arm64")


def other_compiler():
    """clang compiles what gcc compiles"""
    if not shutil.which("clang"):
        raise tap.Skip("no clang")
    yield from tap.make(f"O={os.path.join(OUT, 'clang')}", "CC=clang", "SAN=", "all")


tap.run(arm64, other_compiler)
