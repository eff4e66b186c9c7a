#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Every allocator, preloaded, linked and bundled, against programs that count their own blocks.

Ends with the matrix: for each cell the sites in C and those in C++, and a program whose operator new
throws. A cell is exact where every site has its bytes and blocks, and the program says and does what
it does untraced.
"""

import contextlib
import functools
import glob
import os
import shutil
import subprocess
import sys
import tempfile

import lib
from lib import Skip, case, compare, expect, expect_equal, expect_no_losses

LIBRARIES = "/usr/lib/x86_64-linux-gnu"
THREADS = 4
CXX_SITES = ("leak_new", "leak_new_array", "leak_new_nothrow", "leak_new_aligned", "leak_string",
             "leak_vector", "churn_cxx")
C_FLAGS = ("-std=gnu17", "-g", "-O1", "-D_GNU_SOURCE", "-fno-omit-frame-pointer", "-pthread",
           f"-I{lib.TOP}/tests/targets")
SOURCES = os.path.join(lib.TOP, "tests/targets")


class Variant:
    """One allocator in one way: how heap_truth and throws are made, and run."""

    def __init__(self, allocator, how, *, link=None, preload=None, libc="glibc", strip=False,
                 throws=True, pvalloc=True, label=None):
        self.allocator, self.how, self.link, self.preload = allocator, how, link, preload
        self.libc, self.strip, self.throws, self.pvalloc = libc, strip, throws, pvalloc
        self.label = label or allocator

    def __str__(self):
        return f"{self.allocator}, {self.how}"

    def file(self, program):
        return f"{program}-{self.allocator}-{self.how}".replace(" ", "-")


def static(name):
    return f"{LIBRARIES}/lib{name}.a"


JEMALLOC = {"allocator": "jemalloc", "pvalloc": False}
VARIANTS = (
    Variant("glibc", "shared"),
    Variant("glibc", "static", link=["-static"]),
    Variant("musl", "shared", libc="musl"),
    Variant("musl", "static", libc="musl", link=["-static"]),
    Variant(how="preloaded", preload="libjemalloc.so.2", **JEMALLOC),
    Variant(how="linked", link=["-ljemalloc"], **JEMALLOC),
    Variant(how="bundled", link=[static("jemalloc"), "-lm"], **JEMALLOC),
    Variant(how="bundled stripped", link=[static("jemalloc"), "-lm"], strip=True,
            label="unknown malloc", **JEMALLOC),
    Variant(how="static", link=["-static", static("jemalloc"), "-lm"], **JEMALLOC),
    Variant("tcmalloc", "preloaded", preload="libtcmalloc.so.4"),
    Variant("tcmalloc", "linked", link=["-ltcmalloc"]),
    Variant("tcmalloc", "bundled", link=[static("tcmalloc"), "-lunwind"]),
    Variant("tcmalloc", "minimal preloaded", preload="libtcmalloc_minimal.so.4"),
    Variant("tcmalloc", "minimal bundled", link=[static("tcmalloc_minimal")]),
    Variant("tcmalloc", "minimal bundled stripped", link=[static("tcmalloc_minimal")], strip=True,
            label="unknown malloc"),
    Variant("tcmalloc", "minimal static", link=["-static", static("tcmalloc_minimal")]),
    # Built as C: its operator new ends the program where it cannot throw.
    Variant("mimalloc", "preloaded", preload="libmimalloc.so.2", throws=False),
    Variant("mimalloc", "linked", link=["-lmimalloc"], throws=False),
)

scratch = tempfile.TemporaryDirectory(prefix="unfreed-allocators-", dir=lib.BUILD)


def run_compiler(*command):
    if not shutil.which(command[0]):
        raise Skip(f"no {command[0]} here")
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    expect(done.returncode == 0, f"{' '.join(command)}: {done.stdout}")


def compile_object(compiler, source, name, *flags):
    path = os.path.join(scratch.name, name)
    if not os.path.exists(path):
        run_compiler(compiler, *C_FLAGS, *flags, "-c", os.path.join(SOURCES, source), "-o", path)
    return path


def objects_of(program, variant):
    ready = os.path.join(lib.TARGETS, "%s.o")
    if program == "throws":
        return [ready % "throws"]
    if variant.libc == "musl":
        return [compile_object("musl-gcc", "heap_truth.c", "heap_truth-musl.o", "-DC_ONLY")]
    if not variant.pvalloc:  # a static program must not pull in the libc's malloc
        return [compile_object("gcc", "heap_truth.c", "heap_truth-no-pvalloc.o", "-DNO_PVALLOC"),
                ready % "heap_truth_cxx"]
    return [ready % "heap_truth", ready % "heap_truth_cxx"]


def need_libraries(variant):
    for word in variant.link or ():
        if word.startswith("/") and not os.path.exists(word):
            raise Skip(f"no {word} here")
        if word.startswith("-l") and not glob.glob(f"{LIBRARIES}/lib{word[2:]}.*"):
            raise Skip(f"no lib{word[2:]} here")
    if variant.preload and not os.path.exists(f"{LIBRARIES}/{variant.preload}"):
        raise Skip(f"no {variant.preload} here")


def strip(path):
    """No symbol table is left; the names for reports are in a separate debug file."""
    run_compiler("objcopy", "--only-keep-debug", path, f"{path}.debug")
    run_compiler("strip", path)
    run_compiler("objcopy", f"--add-gnu-debuglink={path}.debug", path)


def build(program, variant):
    """The path of a program, made with an allocator."""
    need_libraries(variant)
    path = os.path.join(scratch.name, variant.file(program))
    if not os.path.exists(path):
        run_compiler("musl-gcc" if variant.libc == "musl" else "g++", "-pthread", "-o", path,
                     *objects_of(program, variant), *(variant.link or ()))
        if variant.strip:
            strip(path)
    return path


@contextlib.contextmanager
def target(program, variant, *arguments):
    before = os.environ.get("LD_PRELOAD")
    path = build(program, variant)
    if variant.preload:
        os.environ["LD_PRELOAD"] = f"{LIBRARIES}/{variant.preload}"
    try:
        running = lib.Target(path, *arguments)
    finally:
        os.environ.pop("LD_PRELOAD", None)
        if before is not None:
            os.environ["LD_PRELOAD"] = before
    with running:
        yield running


def traced_like_untraced(program, variant, *arguments):
    """(report, truth) of a traced run that said and did what an untraced one does."""
    with target(program, variant, *arguments) as running:
        said, status = running.go(), running.quit()
    with target(program, variant, *arguments) as running:
        with lib.Trace("-p", running.pid) as trace:
            truth = running.go()
            report = trace.stop()
        expect_equal(truth, said, "what it says when it is traced")
        expect_equal(running.quit(), status, "exit status when it is traced")
    return report, truth


# -- the matrix ------------------------------------------------------------------------------------

matrix = {}


class Cell:
    """Notes the outcome of a test in the matrix."""

    def __init__(self, variant, column):
        self.cells, self.column = matrix.setdefault(str(variant), {}), column

    def __enter__(self):
        return self

    def __exit__(self, kind, value, _):
        self.cells[self.column] = ("exact" if kind is None else
                                   "skipped" if issubclass(kind, Skip) else "WRONG")


def print_matrix():
    if not matrix:
        return
    width = max(map(len, matrix))
    columns = ("C", "C++", "throws")
    print(f"| {'4 threads, every site':{width}} | " + " | ".join(f"{c:7}" for c in columns) + " |")
    for name, cells in matrix.items():
        print(f"| {name:{width}} | " + " | ".join(f"{cells.get(c, '-'):7}" for c in columns) + " |")


def expect_allocator(report, variant):
    found = report["processes"][0]["allocator"] or ""
    expect(found.split(", ")[0].split(" ")[0] == variant.label.split(" ")[0],
           f"the allocator is called '{found}', not {variant.label}")


@functools.lru_cache(maxsize=None)
def heap_truth(variant):
    report, truth = traced_like_untraced("heap_truth", variant, "--threads", THREADS, "--pvalloc",
                                         int(variant.pvalloc))
    return report, truth


def without_tables(report, truth):
    """musl has no unwind tables: what its own functions allocate is known by them, not by site."""
    inside = {}
    for site in report["sites"]:
        names = [frame["name"] for frame in site["frames"]]
        if site["kind"] == "heap" and len(names) > 1 and names[1] in ("strdup", "strndup"):
            sums = inside.setdefault(f"leak_{names[1]}", [0, 0])
            sums[0] += site["bytes"]
            sums[1] += site["blocks"]
    for site in truth:
        if site["function"] in ("leak_strdup", "leak_strndup"):
            expect_equal(inside.get(site["function"]), [site["bytes"], site["blocks"]],
                         site["function"])


@case(*VARIANTS)
def sites_in_c(variant):
    with Cell(variant, "C"):
        report, truth = heap_truth(variant)
        only = {site["function"] for site in truth["sites"]} - set(CXX_SITES)
        if variant.libc == "musl":
            without_tables(report, truth["sites"])
            only -= {"leak_strdup", "leak_strndup"}
        compare(report, truth["sites"], only=only)
        expect_equal(report["heap"]["unmatched_frees"], truth["unmatched_frees"],
                     "unmatched frees")
        expect_no_losses(report)
        expect_allocator(report, variant)


@case(*(variant for variant in VARIANTS if variant.libc == "glibc"))
def sites_in_cxx(variant):
    with Cell(variant, "C++"):
        report, truth = heap_truth(variant)
        compare(report, truth["sites"], only=CXX_SITES)


@case(*(variant for variant in VARIANTS if variant.libc == "glibc" and variant.throws))
def operator_new_that_throws(variant):
    with Cell(variant, "throws"):
        report, truth = traced_like_untraced("throws", variant)
        expect(truth["caught"], "nothing was thrown")
        compare(report, truth["sites"])
        expect_no_losses(report)


# -- beside the matrix -----------------------------------------------------------------------------


def trace_of(path):
    with lib.Target(path) as running:
        with lib.Trace("-p", running.pid) as trace:
            truth = running.go()
            report = trace.stop()
        expect_equal(running.quit(), 0, "exit status")
    compare(report, truth["sites"])
    expect_no_losses(report)
    return report


def prefixed_jemalloc(prefix):
    """libjemalloc.a with its functions under other names."""
    path = os.path.join(scratch.name, f"lib{prefix}jemalloc.a")
    if not os.path.exists(static("jemalloc")):
        raise Skip("no libjemalloc.a here")
    names = ("malloc calloc realloc free posix_memalign aligned_alloc memalign valloc mallocx "
             "rallocx xallocx sallocx dallocx sdallocx nallocx mallctl mallctlnametomib "
             "mallctlbymib malloc_usable_size malloc_stats_print malloc_conf malloc_message "
             "__malloc_hook __free_hook __realloc_hook __memalign_hook")
    run_compiler("objcopy", *(f"--redefine-sym={name}={prefix}{name}" for name in names.split()),
                 static("jemalloc"), path)
    return path


@case("no", "je_", "_rjem_")
def jemalloc_by_its_own_functions_with_prefix(prefix):
    path = os.path.join(scratch.name, f"jemalloc_api-{prefix}")
    if prefix == "no":
        need_libraries(Variant("jemalloc", "linked", link=["-ljemalloc"]))
        flags, libraries = (), ["-ljemalloc"]
    else:
        flags, libraries = (f"-DPREFIX={prefix}",), [prefixed_jemalloc(prefix), "-lm", "-lstdc++"]
    run_compiler("gcc", *C_FLAGS, *flags, f"{SOURCES}/linked/jemalloc_api.c", "-o", path,
                 *libraries)
    report = trace_of(path)
    allocator = report["processes"][0]["allocator"]
    expect_equal(allocator.split(", ")[0],
                 "jemalloc" if prefix == "no" else f"jemalloc ({prefix})", "allocator")


@case()
def mimalloc_by_its_own_functions():
    if not os.path.exists("/usr/include/mimalloc.h"):
        raise Skip("no mimalloc.h here")
    path = os.path.join(scratch.name, "mimalloc_api")
    run_compiler("gcc", *C_FLAGS, f"{SOURCES}/linked/mimalloc_api.c", "-o", path, "-lmimalloc")
    trace_of(path)


@case()
def rust():
    path = os.path.join(scratch.name, "rust_truth")
    run_compiler("rustc", "-O", "-g", "-o", path, f"{SOURCES}/linked/rust_truth.rs")
    trace_of(path)


@case()
def stripped_static_program_is_told():
    variant = Variant("glibc", "static stripped", link=["-static"], strip=True)
    with target("heap_truth", variant, "--operations", 1000) as running:
        with lib.Trace("-p", running.pid) as trace:
            running.go()
            report = trace.stop()
        expect_equal(running.quit(), 0, "exit status")
    expect_equal(report["processes"][0]["allocator"], None, "allocator")
    expect(any("static program without a symbol table" in note for note in report["notes"]),
           f"not told: {report['notes']}")


if __name__ == "__main__":
    exit_status = lib.run_cases()
    print_matrix()
    sys.exit(exit_status)
