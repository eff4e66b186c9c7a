#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Builds that only have to succeed: the other compiler, the other architecture."""
import os
import shlex
import shutil
import subprocess

import tap

OUT = os.environ.get("O", "build")


def make(*words):
    command = shlex.split(os.environ.get("MAKE", "make"))
    command += [f"-j{os.environ.get('jobs', '2')}", "V=0", "SAN=", *words]
    # Not this make's: its job server is out of reach here.
    environment = {name: value for name, value in os.environ.items() if name != "MAKEFLAGS"}
    done = subprocess.run(command, cwd=tap.TOP, env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        yield from done.stdout.decode(errors="replace").splitlines()


def arm64():
    """the kernel side compiles for arm64"""
    yield from make(f"O={OUT}", "bpf-arm64")


def other_compiler():
    """clang compiles what gcc compiles"""
    if not shutil.which("clang"):
        raise tap.Skip("no clang")
    yield from make(f"O={os.path.join(OUT, 'clang')}", "CC=clang", "all")


tap.run(arm64, other_compiler)
