# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Flight recorders for tests: a trace that waits, its files, and the program greedy in a container."""

import contextlib
import glob
import json
import mmap
import os
import signal
import struct
import subprocess
import tempfile
import threading

import lib
import runtimes
from lib import expect

COUNTS = 64 * 32  # the bytes of greedy's file: 64 times struct count
GREEDY = os.path.join(lib.TARGETS, "greedy")
SECONDS = 60
EXACT = ("--max-overhead", "off")


class Flight:
    """A running unfreed trace that waits for an incident; its files lie in a folder of its own."""

    def __init__(self, *arguments, group=None):
        # What is in the folder is the recorder's, and nobody else's.
        self.folder = tempfile.TemporaryDirectory(prefix="unfreed-flight-")
        self.process = subprocess.Popen(
            within(group, lib.UNFREED, "trace", *map(str, arguments), "-f", "json", "-o",
                   self.folder.name), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.errors = []
        try:
            self.wait_for("tracing ")
        except AssertionError:
            self.folder.cleanup()
            raise

    def wait_for(self, words):
        """Reads what it says until a line has these words; the line."""
        timer = threading.Timer(SECONDS, self.process.kill)
        timer.start()
        try:
            for line in self.process.stderr:
                self.errors.append(line)
                if words in line:
                    return line
        finally:
            timer.cancel()
        raise AssertionError(f"no line '{words}', status {self.process.wait()}: "
                             f"{''.join(self.errors)}")

    def next_report(self):
        """The next report: read, with its path as "path"."""
        line = self.wait_for("report ")
        path = line.split(": ", 1)[1].rstrip("\n")
        with open(path, encoding="utf-8") as file:
            return dict(json.load(file), path=path)

    def end(self, interrupt=False, status=0):
        """Waits for its end, and checks its exit status."""
        if interrupt:
            self.process.send_signal(signal.SIGINT)
        self.errors.append(self.process.communicate(timeout=SECONDS)[1])
        expect(self.process.returncode == status,
               f"status {self.process.returncode}: {''.join(self.errors)}")

    def files(self):
        return sorted(glob.glob(f"{self.folder.name}/*") + glob.glob(f"{self.folder.name}/.??*"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()
        self.folder.cleanup()


class Counts:
    """What the processes of a greedy hold by their own count, also when they are gone."""

    def __init__(self, path):
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), COUNTS)

    def rows(self):
        """{pid as the process sees it: (bytes, blocks, done)}"""
        return {row[0]: row[1:] for row in struct.iter_unpack("4Q", self.memory) if row[0]}


class Greedy(runtimes.Program):
    """greedy in a container: as its first process, or as a child of it."""

    @staticmethod
    def command(*options, first=True, again=0):
        line = " ".join(("/bin/greedy --file /tmp/count0", *map(str, options)))
        if first:
            return runtimes.Program.command(line)
        lines = "; ".join(f"{line.replace('count0', f'count{i}')} </tmp/in >/tmp/out"
                          for i in range(1 + again))
        return ["/bin/sh", "-c", f"mkfifo /tmp/in /tmp/out; {lines}; sleep 1000"]

    def __init__(self, container):
        super().__init__(container)
        expect(self.hear().startswith("ready "), "greedy is not ready")
        self.counts = self.counts_of(container, 0)

    @staticmethod
    def counts_of(container, number):
        """Of the first of them, or of one that came again."""
        return Counts(f"/proc/{container.pid}/root/tmp/count{number}")


def groups_of(pid):
    with open(f"/proc/{pid}/cgroup", encoding="utf-8") as groups:
        return groups.read()


def unprobed(container, names):
    """Those of these names in the container whose code has no probes yet."""
    found = []
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/comm", encoding="utf-8") as comm:
            if comm.read().strip() in names and groups_of(pid) == groups_of(container.pid) and \
                    not lib.changed_code(pid):
                found.append(pid)
    return found


def wait_probed(container, names=("greedy", "java")):
    """Who attaches to a container that has just begun follows what that starts."""
    lib.eventually(lambda: unprobed(container, names), "processes without probes")


# The limit's file, by the memory hierarchy's place: version 1, then version 2.
LIMITS = {"/sys/fs/cgroup/memory": "memory.limit_in_bytes", "/sys/fs/cgroup": "memory.max"}


@contextlib.contextmanager
def limited_group(limit_bytes):
    """The folder of a memory control group with a limit; gone afterwards, with who is in it."""
    top, file = next(((top, file) for top, file in LIMITS.items()
                      if os.path.exists(f"{top}/cgroup.procs")), (None, None))
    if not top:
        raise lib.Skip("no memory control group is mounted")
    folder = f"{top}/unfreed-oom-{os.getpid()}"
    if file == "memory.max":
        write(f"{top}/cgroup.subtree_control", "+memory")
    os.mkdir(folder)
    try:
        write(f"{folder}/{file}", limit_bytes)
        for swap, most in (("memory.swap.max", 0), ("memory.memsw.limit_in_bytes", limit_bytes)):
            if os.path.exists(f"{folder}/{swap}"):
                write(f"{folder}/{swap}", most)
        yield folder
    finally:
        lib.eventually(lambda: not emptied(folder) and "not empty", "the group")


def within(group, *command):
    """The command, started in a control group; None: where we are."""
    enter = ("/bin/sh", "-c", 'echo 0 >"$0/cgroup.procs"; exec "$@"', group)
    return [*(enter if group else ()), *command]


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(str(text))


def emptied(folder):
    with open(f"{folder}/cgroup.procs", encoding="ascii") as processes:
        for pid in processes.read().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
    try:
        os.rmdir(folder)
    except OSError:
        return False
    return True


class Holder(lib.Target):
    """greedy, in no container; its counts lie in a folder of the test's."""

    def __init__(self, folder, *options, group=None):
        self.path = os.path.join(folder, "count")
        self.group = group
        super().__init__("greedy", "--file", self.path, *options)
        self.counts = Counts(self.path)

    def start(self, arguments):
        return within(self.group, *super().start(arguments))

    def truth(self):
        return self.counts.rows()[self.pid]

    def fill(self):
        """Up to what it was to hold at most."""
        self.say("go")
        lib.eventually(lambda: not self.truth()[2] and "not done", "allocating")


def leak_of(report, pid=None):
    """(bytes, blocks) of the leak of greedy, of one process or of all."""
    sites = [site for site in report["sites"]
             if site["kind"] == "heap" and lib.site_function(site) == "leak_greedily"
             and pid in (None, site["pid"])]
    return sum(site["bytes"] for site in sites), sum(site["blocks"] for site in sites)


def expect_leak(report, truth, pid=None, share=0.99):
    """At least this share of what the program counted is in the report; the share."""
    found = leak_of(report, pid)
    shares = [a / b for a, b in zip(found, truth)]
    expect(all(share <= each <= 1.01 for each in shares), f"{found} bytes and blocks of {truth[:2]}")
    return min(shares)


def expect_named(report):
    """The first site of the heap is greedy's, complete, and has names."""
    top = next(site for site in report["sites"] if site["kind"] == "heap")
    names = [frame["name"] for frame in top["frames"]]
    expect(lib.site_function(top) == "leak_greedily" and top["end"] == "root" and all(names),
           f"first site: {names}, end {top['end']}")
    expect(report["stacks_complete"] >= 0.995, f"complete: {report['stacks_complete']}")


def expect_oom(report, limit_bytes=None):
    """The first incident: a victim, killed by SIGKILL, and a limit that was reached."""
    incident = report["incidents"][0]
    expect(incident["reason"] == "oom" and incident.get("exit_signal") == 9, f"{incident}")
    if limit_bytes:
        expect(incident["limit_bytes"] == limit_bytes and
               incident["usage_bytes"] > 0.9 * limit_bytes, f"limit: {incident}")
    expect(incident["asking_pid"] and incident["asking_comm"], f"who asked: {incident}")
    return incident
