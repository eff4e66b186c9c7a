# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Allocators by name, each in every way that a program comes by it, and programs of known truth with
them, built and run here or in a root file system.

What is exact has each site with its bytes and blocks, and the program says and does what it does
untraced.
"""

import contextlib
import functools
import glob
import os
import shutil
import subprocess
import tempfile

import lib
from lib import Skip, compare, expect, expect_equal, expect_no_losses

LIBRARIES = "/usr/lib/x86_64-linux-gnu"
THREADS = 4
CXX_SITES = ("leak_new", "leak_new_array", "leak_new_nothrow", "leak_new_aligned", "leak_string",
             "leak_vector", "churn_cxx")
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

    def columns(self):
        """Of the matrix: what there is to test."""
        if self.libc == "musl":
            return ("C",)
        return ("C", "C++", "throws") if self.throws else ("C", "C++")


def static(name):
    return f"{LIBRARIES}/lib{name}.a"


# What jemalloc wants, from libm, and from a libc that is not yet all of one piece. A static program
# takes all of libpthread: what it refers to weakly would else not be there.
LIBM = ("-lm", "-ldl", "-Wl,--whole-archive", "-lpthread", "-Wl,--no-whole-archive")
JEMALLOC = {"allocator": "jemalloc", "pvalloc": False}
VARIANTS = (
    Variant("glibc", "shared"),
    Variant("glibc", "static", link=["-static"]),
    Variant("musl", "shared", libc="musl"),
    Variant("musl", "static", libc="musl", link=["-static"]),
    Variant(how="preloaded", preload="libjemalloc.so", **JEMALLOC),
    Variant(how="linked", link=["-ljemalloc"], **JEMALLOC),
    Variant(how="bundled", link=[static("jemalloc"), *LIBM], **JEMALLOC),
    Variant(how="bundled stripped", link=[static("jemalloc"), *LIBM], strip=True,
            label="unknown malloc", **JEMALLOC),
    Variant(how="static", link=["-static", static("jemalloc"), *LIBM], **JEMALLOC),
    Variant("tcmalloc", "preloaded", preload="libtcmalloc.so"),
    Variant("tcmalloc", "linked", link=["-ltcmalloc"]),
    Variant("tcmalloc", "bundled", link=[static("tcmalloc"), "-lunwind"]),
    Variant("tcmalloc", "minimal preloaded", preload="libtcmalloc_minimal.so"),
    Variant("tcmalloc", "minimal bundled", link=[static("tcmalloc_minimal")]),
    Variant("tcmalloc", "minimal bundled stripped", link=[static("tcmalloc_minimal")], strip=True,
            label="unknown malloc"),
    Variant("tcmalloc", "minimal static", link=["-static", static("tcmalloc_minimal")]),
    # Built as C: its operator new ends the program where it cannot throw.
    Variant("mimalloc", "preloaded", preload="libmimalloc.so", throws=False),
    Variant("mimalloc", "linked", link=["-lmimalloc"], throws=False),
)


# -- where programs are built and run --------------------------------------------------------------


class Place:
    """Here; or a root, where programs run, and maybe the compilers are, too."""

    def __init__(self, root="", compilers="", flags=()):
        self.root, self.compilers, self.flags = root, compilers, flags
        self.scratch = tempfile.TemporaryDirectory(prefix="unfreed-allocators-",
                                                   dir=f"{root}/tmp" if root else lib.BUILD)
        self.sources = SOURCES
        if compilers:
            self.sources = shutil.copytree(SOURCES, self.file("targets"))

    def file(self, name):
        return os.path.join(self.scratch.name, name.replace(" ", "-"))

    def need(self, pattern):
        """A file that compilers need."""
        if not glob.glob(self.compilers + pattern):
            raise Skip(f"no {os.path.basename(pattern)} here")

    def tool(self, *command):
        """Runs a compiler, or a kin of it."""
        if self.compilers:
            self.need(f"/usr/bin/{command[0]}")
            command = ("chroot", self.root, *(word.replace(self.root, "") for word in command))
        elif not shutil.which(command[0]):
            raise Skip(f"no {command[0]} here")
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        expect(done.returncode == 0, f"{' '.join(command)}: {done.stdout}")

    def compile(self, compiler, source, *flags, name=None):
        """The path of an object, or of a program where flags say so and it has a name."""
        name = name or "-".join([compiler, os.path.basename(source), *flags]) + ".o"
        path = self.file(name)
        if not os.path.exists(path):
            mode = () if not name.endswith(".o") else ("-c",)
            self.tool(compiler, "-g", "-O1", "-D_GNU_SOURCE", "-fno-omit-frame-pointer", "-pthread",
                      f"-I{self.sources}", *self.flags, *mode, f"{self.sources}/{source}", "-o", path,
                      *flags)
        return path

    def target(self, path, *arguments, preload=None):
        """The program, running."""
        command = [path.removeprefix(self.root), *arguments]
        if preload:
            command = ["/usr/bin/env", f"LD_PRELOAD={LIBRARIES}/{preload}", *command]
        if self.root:
            command = [shutil.which("chroot"), self.root, *command]
        return lib.Target(*command)


def objects_of(place, program, variant):
    if program == "throws":
        return [place.compile("g++", "throws.cc", "-std=gnu++17")]
    if variant.libc == "musl":
        return [place.compile("musl-gcc", "heap_truth.c", "-DC_ONLY")]
    # A static program must not pull in the libc's malloc.
    flags = () if variant.pvalloc else ("-DNO_PVALLOC",)
    return [place.compile("gcc", "heap_truth.c", *flags),
            place.compile("g++", "heap_truth_cxx.cc", "-std=gnu++17")]


def need_libraries(place, variant):
    for word in variant.link or ():
        if word.startswith("/"):
            place.need(word)
        if word.startswith("-l"):
            place.need(f"{LIBRARIES}/lib{word[2:]}.*")
    if variant.preload:
        place.need(f"{LIBRARIES}/{variant.preload}")


def strip(place, path):
    """No symbol table is left; the names for reports are in a separate debug file."""
    place.tool("objcopy", "--only-keep-debug", path, f"{path}.debug")
    place.tool("strip", path)
    place.tool("objcopy", f"--add-gnu-debuglink={path}.debug", path)


def build(place, program, variant):
    """The path of a program, made with an allocator."""
    need_libraries(place, variant)
    path = place.file(f"{program}-{variant.allocator}-{variant.how}")
    if not os.path.exists(path):
        place.tool("musl-gcc" if variant.libc == "musl" else "g++", *place.flags, "-pthread", "-o",
                   path, *objects_of(place, program, variant), *(variant.link or ()))
        if variant.strip:
            strip(place, path)
    return path


def target(place, program, variant, *arguments):
    return place.target(build(place, program, variant), *arguments, preload=variant.preload)


def traced_like_untraced(place, program, variant, *arguments):
    """(report, truth) of a traced run that said and did what an untraced one does."""
    try:
        untraced = target(place, program, variant, *arguments)
    except AssertionError as failure:  # jemalloc in a static program of glibc 2.31 crashes
        if variant.link and "-static" in variant.link:
            raise Skip(f"not even untraced: {failure}") from failure
        raise
    with untraced as running:
        said, status = running.go(), running.quit()
    with target(place, program, variant, *arguments) as running:
        with lib.Trace("-p", running.pid) as trace:
            truth = running.go()
            report = trace.stop()
        expect_equal(truth, said, "what it says when it is traced")
        expect_equal(running.quit(), status, "exit status when it is traced")
    return report, truth


# -- the matrix ------------------------------------------------------------------------------------

COLUMNS = ("C", "C++", "throws")
_matrix = {}


class Cell:
    """Notes the outcome of a test in the matrix."""

    def __init__(self, row, column):
        self.cells, self.column = _matrix.setdefault(str(row), {}), column

    def __enter__(self):
        return self

    def __exit__(self, kind, value, _):
        self.cells[self.column] = ("exact" if kind is None else
                                   "skipped" if issubclass(kind, Skip) else "WRONG")


def print_matrix():
    if not _matrix:
        return
    width = max(map(len, _matrix))
    print(f"| {'4 threads, every site':{width}} | " + " | ".join(f"{c:7}" for c in COLUMNS) + " |")
    for name, cells in _matrix.items():
        print(f"| {name:{width}} | " + " | ".join(f"{cells.get(c, '-'):7}" for c in COLUMNS) + " |")


def expect_allocator(report, variant):
    found = report["processes"][0]["allocator"] or ""
    expect(found.split(", ")[0].split(" ")[0] == variant.label.split(" ")[0],
           f"the allocator is called '{found}', not {variant.label}")


@functools.lru_cache(maxsize=None)
def heap_truth(place, variant):
    return traced_like_untraced(place, "heap_truth", variant, "--threads", THREADS, "--pvalloc",
                                int(variant.pvalloc))


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


def sites_in_c(place, variant):
    report, truth = heap_truth(place, variant)
    only = {site["function"] for site in truth["sites"]} - set(CXX_SITES)
    if variant.libc == "musl":
        without_tables(report, truth["sites"])
        only -= {"leak_strdup", "leak_strndup"}
    compare(report, truth["sites"], only=only)
    # glibc 2.42 begins a thread's first free anew when it has made the thread's cache. A static
    # program does not tell its version.
    extra = THREADS if str(variant) == "glibc, static" else 0
    unmatched = report["heap"]["unmatched_frees"] - truth["unmatched_frees"]
    expect(0 <= unmatched <= extra, f"unmatched frees: {unmatched} more than there are")
    expect_no_losses(report)
    expect_allocator(report, variant)


def sites_in_cxx(place, variant):
    report, truth = heap_truth(place, variant)
    compare(report, truth["sites"], only=CXX_SITES)


def operator_new_that_throws(place, variant):
    report, truth = traced_like_untraced(place, "throws", variant)
    expect(truth["caught"], "nothing was thrown")
    compare(report, truth["sites"])
    expect_no_losses(report)


TESTS = dict(zip(COLUMNS, (sites_in_c, sites_in_cxx, operator_new_that_throws)))


def test(place, variant, column, row=None):
    """A cell of the matrix."""
    with Cell(row or variant, column):
        TESTS[column](place, variant)


# -- beside the matrix -----------------------------------------------------------------------------


def trace_of(place, path):
    with place.target(path) as running:
        with lib.Trace("-p", running.pid) as trace:
            truth = running.go()
            report = trace.stop()
        expect_equal(running.quit(), 0, "exit status")
    compare(report, truth["sites"])
    expect_no_losses(report)
    return report


def prefixed_jemalloc(place, prefix):
    """libjemalloc.a with its functions under other names."""
    place.need(static("jemalloc"))
    path = place.file(f"lib{prefix}jemalloc.a")
    names = ("malloc calloc realloc free posix_memalign aligned_alloc memalign valloc mallocx "
             "rallocx xallocx sallocx dallocx sdallocx nallocx mallctl mallctlnametomib "
             "mallctlbymib malloc_usable_size malloc_stats_print malloc_conf malloc_message "
             "__malloc_hook __free_hook __realloc_hook __memalign_hook")
    place.tool("objcopy", *(f"--redefine-sym={name}={prefix}{name}" for name in names.split()),
               static("jemalloc"), path)
    return path


def jemalloc_by_its_own_functions(place, prefix=""):
    flags, libraries = (), ["-ljemalloc"]
    place.need(f"{LIBRARIES}/libjemalloc.so")
    if prefix:
        flags = (f"-DPREFIX={prefix}",)
        libraries = [prefixed_jemalloc(place, prefix), *LIBM, "-lstdc++"]
    path = place.compile("gcc", "linked/jemalloc_api.c", *flags, *libraries,
                         name=f"jemalloc_api-{prefix}")
    allocator = trace_of(place, path)["processes"][0]["allocator"]
    expect_equal(allocator.split(", ")[0], f"jemalloc ({prefix})" if prefix else "jemalloc",
                 "allocator")


def mimalloc_by_its_own_functions(place):
    place.need("/usr/include/mimalloc.h")
    trace_of(place, place.compile("gcc", "linked/mimalloc_api.c", "-lmimalloc", name="mimalloc_api"))


def rust(place):
    path = place.file("rust_truth")
    place.tool("rustc", "-O", "-g", "-o", path, f"{place.sources}/linked/rust_truth.rs")
    trace_of(place, path)


def threads_that_end(place, path):
    """With its threads ends what they cached of freed blocks: that is no second free of them."""
    with place.target(path, "--threads", 20, "--operations", 500) as running:
        with lib.Trace("-p", running.pid) as trace:
            truth = running.go()
            report = trace.stop()
        expect_equal(running.quit(), 0, "exit status")
    compare(report, truth["sites"])
    expect_equal(report["heap"]["unmatched_frees"], 0, "unmatched frees")
    expect_no_losses(report)


def stripped_static_program_is_told(place):
    variant = Variant("glibc", "static stripped", link=["-static"], strip=True)
    with target(place, "heap_truth", variant, "--operations", 1000) as running:
        with lib.Trace("-p", running.pid) as trace:
            running.go()
            report = trace.stop()
        expect_equal(running.quit(), 0, "exit status")
    expect_equal(report["processes"][0]["allocator"], None, "allocator")
    expect(any("static program without a symbol table" in note for note in report["notes"]),
           f"not told: {report['notes']}")
