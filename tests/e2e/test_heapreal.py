#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""unfreed heap on real programs: equal to what malloc_info(3) says when a debugger calls it in them, or
to a JVM's own System.native_heap_info; and a JVM's leak of Inflaters, by its verdict and contents."""

import contextlib
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import lib
from heaps import heap, of_arena, parse_truth
from lib import case, expect, expect_equal

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = """
import threading, time
kept = [{str(i): i} for i in range(100000)]
del kept[::3]
def work():
    kept.append(["x" * i for i in range(3000)])
    done.wait()
    time.sleep(1000)
done = threading.Barrier(4)
for _ in range(3):
    threading.Thread(target=work, daemon=True).start()
done.wait()
print("all set", flush=True)
time.sleep(1000)
"""
INFLATERS = 2000


def needed(program):
    path = shutil.which(program)
    if not path:
        raise lib.Skip(f"no {program}")
    return path


@contextlib.contextmanager
def started(word, *command, **environment):
    """(pid, file of its output) of a program that has printed word."""
    with tempfile.TemporaryDirectory(prefix="unfreed-heap.") as folder:
        path = os.path.join(folder, "output")
        with open(path, "w", encoding="utf-8") as output:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, cwd=folder,
                                       stderr=subprocess.STDOUT, start_new_session=True,
                                       env={**os.environ, **environment})

        def missing():
            expect(process.poll() is None, f"{command[0]}: status {process.returncode}")
            return word not in text_of(path) and f"no '{word}': {text_of(path)[-200:]}"

        try:
            lib.eventually(missing, command[0], 60)
            yield process.pid, path
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def text_of(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def called_truth(pid, path):
    """malloc_info, called in the process by gdb; it goes to its standard output."""
    needed("gdb")
    before = len(text_of(path))
    subprocess.run(["gdb", "-q", "-nx", "-batch", "-p", str(pid),
                    "-ex", "handle SIGSEGV nostop noprint pass",
                    "-ex", "call (int)malloc_info(0, *(void **)&stdout)",
                    "-ex", "call (int)fflush(0)"], stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, check=True)
    return parse_truth(text_of(path)[before:].replace('"', "'"))


def expect_equal_heaps(report, truth):
    expect(truth["arenas"], "the program told nothing")
    expect_equal([of_arena(arena) for arena in report["arenas"]], truth["arenas"], "arenas")
    expect_equal(report["mmapped"], truth["mmapped"], "mmapped")
    expect(not any(report["losses"].values()), f"losses: {report['losses']}")


def system_bytes(arenas):
    return sum(arena["system_bytes"] for arena in arenas)


def in_use(arenas):
    return sum(arena["system_bytes"] - arena["free"] - arena["fastbin_bytes"] for arena in arenas)


def expect_close_heaps(report, truth, part):
    """Of a program that does something by itself all the time."""
    arenas = [of_arena(arena) for arena in report["arenas"]]
    expect_equal(len(arenas), len(truth["arenas"]), "arenas")
    for figure in (system_bytes, in_use):
        found, expected = figure(arenas), figure(truth["arenas"])
        print(f"# {figure.__name__}: {found}, the program says {expected}")
        expect(abs(found - expected) <= part * expected, f"{figure.__name__}: {found}, {expected}")
    expect_equal(report["losses"]["broken_heaps"], 0, "broken heaps")


@case()
def python():
    with started("all set", "/usr/bin/python3", "-c", PYTHON, PYTHONMALLOC="malloc") as (pid, path):
        called_truth(pid, path)  # the first call may get a buffer for it
        report = heap(pid)
        expect_equal_heaps(report, called_truth(pid, path))
        expect_equal(len(report["arenas"]), 4, "arenas")


@case()
def node():
    script = "kept = []; for (i = 0; i < 50000; i++) kept.push(Buffer.alloc(300 + i % 5000));" \
             "console.log('all set'); setTimeout(() => {}, 1e6)"
    with started("all set", needed("node"), "-e", script) as (pid, path):
        expect_close_heaps(heap(pid), called_truth(pid, path), 0.02)


def is_starting(pid):
    """Before its first second is over. Some end in it (8.0 in Debian 13, linked with jemalloc)."""
    socket = f"/proc/{pid}/cwd/socket"
    done = subprocess.run([needed("redis-cli"), "-s", socket, "info", "server"], check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT, timeout=60)
    uptime = re.search(r"^uptime_in_seconds:(\d+)", done.stdout, re.M)
    if not uptime:
        raise lib.Skip(f"redis ends by itself with the malloc of glibc: {done.stdout.strip()}")
    return not int(uptime[1]) and "is starting"


@case()
def redis_with_the_malloc_of_glibc():
    libc = glob.glob("/lib/*-linux-gnu/libc.so.6")[0]
    with started("eady to accept", needed("redis-server"), "--port", "0", "--unixsocket", "socket",
                 "--save", "", LD_PRELOAD=libc) as (pid, path):
        lib.eventually(lambda: is_starting(pid), "redis")
        expect_close_heaps(heap(pid), called_truth(pid, path), 0.01)


def jdk(version):
    """The newest JDK of that version; it runs as it is."""
    for java in glob.glob(f"/usr/lib/jvm/*{version}*/bin/java"):
        if os.path.exists(os.path.join(os.path.dirname(java), "javac")):
            return os.path.dirname(java)
    raise lib.Skip(f"no JDK {version}")


class Leak(lib.Target):
    """e2e/java/Leak.java: keeps Inflaters."""

    def __init__(self, version, folder):
        tools = jdk(version)
        subprocess.run([f"{tools}/javac", "-d", folder, f"{HERE}/java/Leak.java"], check=True)
        self.command = [f"{tools}/java", "-Xmx64m", "-XX:+UseSerialGC", "-cp", folder, "Leak",
                        str(INFLATERS)]
        super().__init__("Leak")

    def start(self, arguments):
        return self.command


@case()
def jvm_25_by_its_own_command():
    tools = jdk(25)
    with tempfile.TemporaryDirectory(prefix="unfreed-heap.") as folder, Leak(25, folder) as target:
        # The first command makes threads, and memory for them.
        ask = [f"{tools}/jcmd", str(target.pid), "System.native_heap_info"]
        subprocess.run(ask, stdout=subprocess.DEVNULL, check=True, timeout=60)
        report = heap(target.pid)
        xml = subprocess.run(ask, stdout=subprocess.PIPE, check=True, timeout=60, text=True).stdout
        truth = parse_truth(xml.replace('"', "'"))
        other = [(found, expected) for found, expected in
                 zip(map(of_arena, report["arenas"]), truth["arenas"]) if found != expected]
        expect_equal(len(report["arenas"]), len(truth["arenas"]), "arenas")
        # The command writes its answer to a buffer of 1 MiB, which only it sees in use.
        expect(len(other) <= 1 and all(found["system_bytes"] == expected["system_bytes"] and
                                       (1 << 20) <= found["free"] - expected["free"] < 1100000
                                       for found, expected in other), f"arenas: {other}")
        print(f"# {len(report['arenas'])} arenas, {system_bytes(truth['arenas'])} bytes")


@case()
def jvm_17_leaks_inflaters():
    with tempfile.TemporaryDirectory(prefix="unfreed-heap.") as folder, Leak(17, folder) as target:
        command = [lib.UNFREED, "heap", "-p", str(target.pid), "--json", "-d", "3s"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True) as watch:
            expect(watch.stderr.readline().startswith("watching "), "no first look")
            target.go()
            output, _ = watch.communicate(timeout=60)
        report = json.loads(output.splitlines()[-1])
        verdict = report["verdict"]
        print(f"# {verdict['evidence']}")
        expect_equal((verdict["kind"], verdict["rule"]), ("leak", "leak"), "verdict")
        expect("end()" in verdict["remedy"], verdict["remedy"])
        size = int(re.search(r"chunks of (\d+) bytes", verdict["evidence"])[1])
        row = next(row for row in report["sizes"] if row["size_bytes"] == size)
        expect(row["blocks"] >= INFLATERS, f"{row}")
        # inflateInit() puts a pointer to the stream into its state, and functions for memory.
        peek = heap(target.pid, "--peek", str(size))["processes"][0]["peek"]
        expect(peek["matching_blocks"] >= INFLATERS and peek["blocks"][0]["hex"], f"{peek}")


if __name__ == "__main__":
    sys.exit(lib.run_cases())
