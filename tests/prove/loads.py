# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Programs under load that leak, and say what they have leaked until now, as tests/targets/drizzle
does: say("count") gives {"sites": [{"function", "bytes"}…], "seconds"}. NAME.site(site) is the
name of what a site of a report belongs to."""

import contextlib
import os
import re
import socket
import subprocess
import tempfile
import threading
import time

import jvms
import lib
import programs

DRIZZLE = os.path.join(lib.TOP, "tests/targets/drizzle.c")


def by_frames(site):
    """The target's function; of what is not in one, the functions that lead to it."""
    names = [str(frame["name"]) for frame in site["frames"]]
    found = [found[0] for found in map(lib.SITE.search, names) if found]
    return found[0] if found else " < ".join(names[1:4])


class Drizzle(lib.Target):
    """The drizzle with another allocator."""

    site = staticmethod(by_frames)

    def __init__(self, *arguments, preload=None, path=None):
        self.preload, self.path = preload, path
        super().__init__("drizzle", *arguments)

    def start(self, arguments):
        environment = [f"LD_PRELOAD={self.preload}"] if self.preload else []
        path = self.path or os.path.join(lib.TARGETS, "drizzle")
        return ["env", *environment, path, *map(str, arguments)]


@contextlib.contextmanager
def jemalloc():
    library = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"
    if not os.path.exists(library):
        raise lib.Skip("no libjemalloc.so.2")
    with Drizzle(preload=library) as target:
        yield target


@contextlib.contextmanager
def musl():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "drizzle")
        subprocess.run([programs.program("musl-gcc"), "-g", "-O1", "-fno-omit-frame-pointer",
                        "-D_GNU_SOURCE", "-pthread", "-o", path, DRIZZLE], check=True)
        with Drizzle(path=path) as target:
            yield target


class Java(lib.Target):
    """JavaDrizzle; how much an Inflater takes is what an exact trace of some says."""

    LEAKED = 200

    def __init__(self, java, folder):
        self.command = [java, "-Xmx64m", "-XX:+UseSerialGC", "-cp", folder, "JavaDrizzle"]
        self.inflater_bytes = 0
        super().__init__("java")

    def start(self, arguments):
        return self.command

    site = staticmethod(by_frames)

    def learn(self):
        with lib.Trace("-p", self.pid, options=(*lib.EXACT, "--events", "heap")) as trace:
            for _ in range(self.LEAKED):
                super().say("leak")
            report = trace.stop()
        held = sum(site["bytes"] for site in report["sites"]
                   if self.site(site) == "leak_inflater")
        self.inflater_bytes = held / self.LEAKED

    def say(self, word):
        answer = super().say(word)
        return {"seconds": answer["seconds"],
                "sites": [{"function": "leak_inflater",
                           "bytes": answer["leaked"] * self.inflater_bytes}]}


@contextlib.contextmanager
def java():
    folder = jvms.compile_target("JavaDrizzle")
    if not jvms.JVMS:
        raise lib.Skip("no JVM")
    with Java(next(iter(jvms.JVMS.values())), folder) as target:
        target.learn()
        yield target


class RedisScripts:
    """redis under redis-benchmark, and a client whose scripts all differ: redis keeps each for ever."""

    BATCH = 50

    def __init__(self, folder):
        self.server = programs.Redis(folder)
        self.pid = self.server.pid
        self.ended = False
        self.load = None
        self.thread = threading.Thread(target=self.leak)

    @staticmethod
    def site(site):
        names = {frame["name"] for frame in site["frames"]}
        return "leak_script" if names & {"luaCreateFunction", "evalGenericCommand"} else by_frames(site)

    def connect(self):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(60)
        connection.connect(self.server.path)
        return connection

    def leak(self):
        number = 0
        with self.connect() as connection:
            while not self.ended:
                commands = "".join(f'EVAL "return {number + i}" 0\r\n' for i in range(self.BATCH))
                connection.sendall(commands.encode())
                answers = 0
                while answers < self.BATCH:
                    answers += connection.recv(65536).count(b"\n")
                number += self.BATCH
                time.sleep(0.02)  # a rate

    def go(self):
        self.load = subprocess.Popen(
            [programs.program("redis-benchmark"), "-s", self.server.path, "-t",
             "set,lpush,lpop,sadd,spop,hset,zadd,zpopmin", "-r", "10000", "-d", "200", "-n", "100000",
             "-P", "8", "-c", "10", "-l", "-q"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.thread.start()

    def say(self, _):
        with self.connect() as connection:
            connection.sendall(b"INFO memory\r\n")
            text = b""
            while b"used_memory_scripts_eval" not in text or not text.endswith(b"\n"):
                text += connection.recv(65536)
        held = sum(int(re.search(rb"^" + name + rb":(\d+)", text, re.M)[1])
                   for name in (b"used_memory_vm_eval", b"used_memory_scripts_eval"))
        return {"seconds": time.monotonic(), "sites": [{"function": "leak_script", "bytes": held}]}

    def close(self):
        self.ended = True
        self.thread.join()
        self.load.kill()
        self.load.wait()
        self.server.close()


@contextlib.contextmanager
def redis():
    with tempfile.TemporaryDirectory() as folder, \
            contextlib.closing(RedisScripts(folder)) as load:
        load.go()
        yield load


STARTERS = {"jemalloc": jemalloc, "musl": musl, "java": java, "redis": redis}
