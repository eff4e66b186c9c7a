#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""unfreed trace with DEBUGINFOD_URLS: a server that has the file, one that never answers, others."""

import contextlib
import http.server
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time

import lib
from lib import case, expect, expect_equal

SOURCE = """
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
__attribute__((noinline, noipa)) void leak_here(char **kept) { *kept = malloc(1000); }
int main(void)
{
	static char *kept[100];
	char line[8];
	printf("ready %d\\n", (int)getpid());
	fflush(stdout);
	if (read(0, line, sizeof(line)) > 0)
		for (int n = 0; n < 100; n++)
			leak_here(&kept[n]);
	puts("{}");
	fflush(stdout);
	read(0, line, sizeof(line));
	_exit(0);
}
"""
LIMIT_SECONDS = 2
FOLDER = None


def run(*command, **more):
    return subprocess.run(command, cwd=FOLDER, check=True, text=True, stdout=subprocess.PIPE, **more).stdout


def compile_program():
    """A program without symbols, program.debug with them; its build-id."""
    run("gcc", "-x", "c", "-O1", "-g", "-Wno-unused-result", "-Wl,--build-id", "-o", "program", "-",
        input=SOURCE)
    run("objcopy", "--only-keep-debug", "program", "program.debug")
    run("strip", "program")
    return re.search(r"Build ID: (\w+)", run("readelf", "-n", "program"))[1]


@contextlib.contextmanager
def server(answer):
    """A server on this machine that is asked for by $DEBUGINFOD_URLS; the paths that it was asked."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            body = answer(self.path)
            self.send_response(200 if body is not None else 404)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            with contextlib.suppress(OSError):  # whoever asked has gone
                self.wfile.write(body or b"")

        def log_message(self, *_):
            pass

    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(dir=FOLDER) as cache:
        more = {"DEBUGINFOD_URLS": "http" + f"://127.0.0.1:{listening.server_port}",
                "DEBUGINFOD_CACHE_PATH": cache, "DEBUGINFOD_MAXTIME": str(LIMIT_SECONDS)}
        os.environ.update(more)
        try:
            yield asked
        finally:
            for name in more:
                del os.environ[name]
            listening.shutdown()
            listening.server_close()


def trace():
    """The frame that allocates, the report, and how long it took from the end of the window."""
    with lib.Target(os.path.join(FOLDER, "program")) as target:
        with lib.Trace("-p", target.pid) as tracer:
            target.go()
            began = time.monotonic()
            report = tracer.stop_and_read()
            seconds = time.monotonic() - began
    site = max((site for site in report["sites"] if site["kind"] == "heap"),
               key=lambda site: site["blocks"])
    expect_equal(site["blocks"], 100, "blocks")
    return site["frames"][1], report, seconds


def needs_library():
    """Skips where it is not installed, or cannot be loaded."""
    shown = subprocess.run([lib.UNFREED, "check", "--json"], stdout=subprocess.PIPE, check=False,
                           env=dict(os.environ, DEBUGINFOD_URLS="x"))
    row = next(row for row in json.loads(shown.stdout)["features"] if row["name"] == "debuginfod")
    if not row["works"]:
        raise lib.Skip(row["why"])


@case()
def file_of_a_server():
    needs_library()
    build_id = compile_program()
    with open(os.path.join(FOLDER, "program.debug"), "rb") as stream:
        debug = stream.read()
    wanted = f"/buildid/{build_id}/debuginfo"
    with server(lambda path: debug if path == wanted else None) as asked:
        frame, report, _ = trace()
    expect(wanted in asked, f"asked for {asked}")
    expect_equal((frame["name"], frame["line"]), ("leak_here", 5), "frame")
    expect(not any("debug" in note for note in report["notes"]), f"notes: {report['notes']}")


@case("garbage", "another program's")
def file_that_does_not_belong(what):
    needs_library()
    compile_program()
    with open("/bin/true", "rb") as stream:
        body = b"\x7fELF garbage" * 1000 if what == "garbage" else stream.read()
    with server(lambda path: body):
        frame, report, _ = trace()
    expect_equal(frame["name"], None, "frame")
    expect(any("program" in note and "not used" in note for note in report["notes"]),
           f"notes: {report['notes']}")


@case()
def server_that_never_answers():
    needs_library()
    compile_program()
    over = threading.Event()
    with server(lambda path: over.wait(60) and None) as asked:
        frame, report, seconds = trace()
        over.set()
    expect(asked, "it was not asked")
    expect_equal(frame["name"], None, "frame")
    expect(LIMIT_SECONDS - 1 < seconds < LIMIT_SECONDS + 6, f"{seconds:.1f} s")
    expect(any("no time for the debug files" in note for note in report["notes"]),
           f"notes: {report['notes']}")


@case()
def no_server_is_asked_unless_wanted():
    compile_program()
    with server(lambda path: None) as asked:
        del os.environ["DEBUGINFOD_URLS"]
        frame, report, _ = trace()
        os.environ["DEBUGINFOD_URLS"] = ""
    expect_equal(asked, [], "asked for")
    expect_equal((frame["name"], report["notes"]), (None, []), "frame and notes")


def main():
    global FOLDER
    with tempfile.TemporaryDirectory(prefix="unfreed-") as FOLDER:
        return lib.run_cases()


if __name__ == "__main__":
    sys.exit(main())
