#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""unfreed trace of programs without .eh_frame: by .debug_frame wherever it is, else a named end."""

import os
import shutil
import subprocess
import sys
import tempfile

import lib
from lib import case, expect, expect_equal

SOURCE = """
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#define SITE __attribute__((noinline, noclone, noipa))
SITE void leak_here(char *kept[], long n) { kept[n] = malloc(1000 + n); }
SITE void through_array(char *kept[], long n, long depth)
{
	volatile char array[40];
	array[n % 40] = 1;
	if (depth)
		through_array(kept, n, depth - 1);
	else
		leak_here(kept, n);
	array[0] = 2;
}
#ifndef LIBRARY
int main(void)
{
	static char *kept[100];
	char line[8];
	printf("ready %d\\n", (int)getpid());
	fflush(stdout);
	if (read(0, line, sizeof(line)) > 0)
		for (long n = 0; n < 100; n++)
			through_array(kept, n, 20);
	puts("{}");
	fflush(stdout);
	read(0, line, sizeof(line));
	_exit(0);
}
#endif
"""
BARE = ("-O2", "-fomit-frame-pointer", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables",
        "-fno-exceptions", "-fcf-protection=none", "-Wno-unused-result")
FOLDER = None


def run(*command, text=None):
    subprocess.run(command, cwd=FOLDER, input=text, text=True, check=True,
                   stderr=subprocess.PIPE)


def compile_program(name, *flags):
    run(os.environ.get("CC", "gcc"), "-x", "c", *BARE, *flags, "-o", name, "-", text=SOURCE)
    return os.path.join(FOLDER, name)


def trace(program):
    with lib.Target(program) as target:
        with lib.Trace("-p", target.pid) as tracer:
            target.go()
            return tracer.stop()


def sites_of(report):
    return [site for site in report["sites"]
            if any(frame["name"] == "leak_here" for frame in site["frames"])]


def expect_complete(program):
    """main called through_array, which called itself twenty times and then leak_here."""
    report = trace(program)
    sites = sites_of(report)
    expect_equal(sum(site["blocks"] for site in sites), 100, "blocks below leak_here")
    for site in sites:
        names = [frame["name"] for frame in site["frames"]]
        expect_equal(site["end"], "root", f"end of {names}")
        expect_equal(names[:24], ["malloc", "leak_here"] + 21 * ["through_array"] + ["main"], "frames")
    expect_equal(report["ends"], [], "ends")


def has_section(program, name):
    shown = subprocess.run(["readelf", "-SW", program], stdout=subprocess.PIPE, check=True,
                           text=True).stdout
    return f" {name} " in shown


@case("none", "zlib", "zlib-gnu")
def debug_frame_compressed(how):
    program = compile_program("plain", "-g")
    run("objcopy", f"--compress-debug-sections={how}", "plain", how)
    program = os.path.join(FOLDER, how)
    section = ".zdebug_frame" if how == "zlib-gnu" else ".debug_frame"
    expect(has_section(program, section), f"no {section}: this proves nothing")
    expect_complete(program)


@case("debuglink", "build-id")
def debug_frame_in_a_separate_file(how):
    program = compile_program("separate", "-g", "-Wl,--build-id")
    run("objcopy", "--only-keep-debug", "separate", "separate.debug")
    run("strip", "--strip-debug", "separate")
    placed = None
    if how == "debuglink":
        run("objcopy", "--add-gnu-debuglink=separate.debug", "separate")
    else:
        notes = subprocess.run(["readelf", "-n", program], stdout=subprocess.PIPE, check=True,
                               text=True).stdout
        name = notes.split("Build ID:")[1].split()[0]
        placed = f"/usr/lib/debug/.build-id/{name[:2]}/{name[2:]}.debug"
        os.makedirs(os.path.dirname(placed), exist_ok=True)
        shutil.move(os.path.join(FOLDER, "separate.debug"), placed)
    try:
        expect(not has_section(program, ".debug_frame"), "it has .debug_frame: this proves nothing")
        expect_complete(program)
    finally:
        if placed:
            os.unlink(placed)


@case()
def code_without_rows_is_named():
    compile_program("libbare.so", "-shared", "-fPIC", "-DLIBRARY")
    run(os.environ.get("CC", "gcc"), "-x", "c", "-O2", "-Wno-unused-result", "-o", "uses", "-",
        "-L.", "-lbare", "-Wl,-rpath,$ORIGIN", text=SOURCE.split("SITE void leak_here")[0] +
        "void through_array(char *kept[], long n, long depth);\n#ifndef" +
        SOURCE.split("#ifndef")[1])
    report = trace(os.path.join(FOLDER, "uses"))
    sites = sites_of(report)
    held = sum(range(1000, 1100))
    expect_equal(sum(site["bytes"] for site in sites), held, "bytes below leak_here")
    library = os.path.join(FOLDER, "libbare.so")
    expect_equal([row for row in report["ends"] if row["module"] == library],
                 [{"end": "no table", "module": library, "bytes": held, "sites": len(sites)}],
                 "what cut them")


def main():
    global FOLDER
    with tempfile.TemporaryDirectory(prefix="unfreed-") as FOLDER:
        return lib.run_cases()


if __name__ == "__main__":
    sys.exit(main())
