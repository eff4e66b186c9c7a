#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What make dist makes: a program that needs nothing of the root it runs in, and its packages."""

import contextlib
import functools
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile

import lib
from lib import case, compare, expect, expect_equal, expect_no_losses, trace_truth

DIST = os.path.join(lib.BUILD, "dist")
PROGRAM = os.path.join(DIST, "unfreed")
IMAGE = os.path.join(DIST, "unfreed-image.tar")

# In a mount namespace of its own, which ends with it: the root, and what the kernel shows.
ENTER = """#!/bin/sh
exec unshare --mount --propagation private sh -c '
	mount --rbind /proc {root}/proc
	mount --rbind /sys {root}/sys
	exec chroot {root} /busybox sh -c "exec /unfreed \\"\\$@\\"" sh "$@"
' sh "$@"
"""


def output_of(*command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, **options).stdout


def make(*goals):
    """Exit status, and what make says."""
    command = [*shlex.split(os.environ.get("MAKE", "make")), f"O={os.path.relpath(lib.BUILD, lib.TOP)}"]
    done = subprocess.run([*command, *goals], cwd=lib.TOP, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, text=True)
    return done.returncode, done.stdout


@functools.lru_cache(maxsize=None)
def build():
    """Builds all of it, once."""
    with open(os.path.join(lib.BUILD, "flags"), encoding="utf-8") as flags:
        if "-fsanitize" in flags.read():
            raise lib.Skip("sanitizers need a dynamic program")
    if not shutil.which("dpkg-deb"):
        raise lib.Skip("no dpkg-deb")
    for name in ("elf", "dw", "bpf", "z", "iberty", "jansson", "lzma", "bz2"):
        path = output_of("gcc", f"-print-file-name=lib{name}.a").strip()
        if not os.path.isabs(path):
            raise lib.Skip(f"no lib{name}.a: make dist installs it")
    status, said = make("programs-dist")
    why = re.search(r"no source of Zydis: .*", said)
    if status and why:
        raise lib.Skip(why[0])
    expect_equal(status, 0, f"make programs-dist: {said[-400:]}: exit status")


def package():
    found = [name for name in os.listdir(DIST) if name.endswith(".deb")]
    expect_equal(len(found), 1, "packages")
    return os.path.join(DIST, found[0])


@contextlib.contextmanager
def bare_root():
    """A program that enters a root of the static program and a busybox, and is unfreed there."""
    busybox = shutil.which("busybox")
    if not busybox or "INTERP" in output_of("readelf", "--wide", "--program-headers", busybox):
        raise lib.Skip("no static busybox")
    with tempfile.TemporaryDirectory() as root:
        for name in ("proc", "sys"):
            os.mkdir(os.path.join(root, name))
        shutil.copy(PROGRAM, os.path.join(root, "unfreed"))
        shutil.copy(busybox, os.path.join(root, "busybox"))
        with tempfile.NamedTemporaryFile("w", suffix=".sh", delete=False) as script:
            script.write(ENTER.format(root=shlex.quote(root)))
        os.chmod(script.name, 0o755)
        try:
            yield script.name
        finally:
            os.unlink(script.name)


@case()
def program_is_static():
    build()
    headers = output_of("readelf", "--wide", "--program-headers", "--dynamic", PROGRAM)
    for word in ("INTERP", "(NEEDED)"):
        expect(word not in headers, f"the program has {word}")
    expect("Advanced Micro Devices X86-64" in output_of("readelf", "--file-header", PROGRAM),
           "it is not for x86-64")


@case()
def program_loads_no_library_later():
    build()
    with open(PROGRAM, "rb") as program:
        expect(b"libnss_" not in program.read(), "the program knows libnss_")
    done = subprocess.run([PROGRAM, "check"], stdout=subprocess.PIPE, check=False, text=True,
                          env=dict(os.environ, DEBUGINFOD_URLS="file:///dev/null"))
    row = next(line for line in done.stdout.splitlines() if " debuginfod " in line)
    expect(not row.startswith("ok"), f"check says: {row}")


@case()
def bare_root_is_enough():
    build()
    with bare_root() as unfreed:
        expect_equal(output_of(unfreed, "--version"), output_of(lib.UNFREED, "--version"),
                     "version")
        features = re.findall(r"^(\w+) +(\w+)", output_of(lib.UNFREED, "check"), re.MULTILINE)
        expect_equal(re.findall(r"^(\w+) +(\w+)", output_of(unfreed, "check"), re.MULTILINE),
                     features, "what check says")


@case("heap_truth", "heap_truth-nofp")
def known_truth_from_a_bare_root(program):
    build()
    with bare_root() as unfreed:
        lib.UNFREED, dynamic = unfreed, lib.UNFREED
        try:
            report, truth = trace_truth(program, "--threads", 2)
        finally:
            lib.UNFREED = dynamic
    compare(report, truth["sites"])
    expect_equal(report["heap"]["unmatched_frees"], truth["unmatched_frees"], "unmatched frees")
    expect_no_losses(report)


@case()
def package_is_whole():
    build()
    expect_equal(output_of("dpkg-deb", "--field", package(), "Package", "Architecture", "Depends"),
                 "Package: unfreed\nArchitecture: amd64\n", "fields")
    with tempfile.TemporaryDirectory() as root:
        output_of("dpkg-deb", "--extract", package(), root)
        with open(PROGRAM, "rb") as program, open(f"{root}/usr/bin/unfreed", "rb") as packed:
            expect(program.read() == packed.read(), "it holds another program")
        for path in ("man/man1/unfreed.1.gz", "man/man1/unfreed-trace.1.gz",
                     "bash-completion/completions/unfreed", "doc/unfreed/copyright"):
            expect(os.path.getsize(f"{root}/usr/share/{path}"), f"{path} is empty")


@case()
def image_is_the_program_alone():
    build()
    with tarfile.open(IMAGE) as image:
        expect_equal([(file.name, file.mode, file.uid) for file in image.getmembers()],
                     [("unfreed", 0o755, 0)], "the image")
        with open(PROGRAM, "rb") as program:
            expect(program.read() == image.extractfile("unfreed").read(), "of another program")


@case()
def packing_again_gives_the_same_bytes():
    build()

    def read():
        contents = []
        for path in (package(), IMAGE):
            with open(path, "rb") as file:
                contents.append(file.read())
        return contents

    before = read()
    os.utime(PROGRAM)
    status, said = make("programs-dist")
    expect_equal(status, 0, f"make programs-dist: {said[-400:]}: exit status")
    expect(read() == before, "they differ")


if __name__ == "__main__":
    sys.exit(lib.run_cases())
