#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""unfreed map on real programs: the sums are the kernel's, every mapping has a class.

Usage: test_map.py [WORD…]
"""

import contextlib
import functools
import glob
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from xml.etree import ElementTree

import lib
import runtimes
import jvms
from jvms import JVMS
from lib import case, expect, expect_equal

SECONDS = 60
TRIES = 50
FIGURES = ("mappings", "size_bytes", "rss_bytes", "pss_bytes", "private_dirty_bytes", "swap_bytes",
           "huge_bytes", "hugetlb_bytes")
JAVA = """
public class Held {
    static byte[][] heap = new byte[48][];
    static java.nio.ByteBuffer direct;
    public static void main(String[] arguments) throws Exception {
        for (int i = 0; i < heap.length; i++) heap[i] = new byte[1 << 20];
        direct = java.nio.ByteBuffer.allocateDirect(16 << 20);
        java.util.concurrent.CountDownLatch named = new java.util.concurrent.CountDownLatch(6);
        for (int i = 0; i < 6; i++) {
            Thread thread = new Thread(() -> {
                named.countDown();
                try { Thread.sleep(1000000); } catch (InterruptedException e) { }
            }, "held-" + i);
            thread.setDaemon(true);
            thread.start();
        }
        named.await();
        System.out.println("ready");
        System.in.read();
    }
}
"""
MUSL = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(void)
{
    for (int i = 0; i < 300; i++)
        memset(malloc(20000), 1, 20000);
    for (int i = 0; i < 4; i++)
        memset(malloc(1 << 20), 1, 1 << 20);
    free(malloc(100)); /* a program that frees nothing gets another malloc */
    puts("ready");
    fflush(stdout);
    return getchar();
}
"""
CACHED = """
import ctypes, sys
blocks = [bytearray(3 << 20) for _ in range(4)]
objects = [object() for _ in range(200000)]
print("ready", flush=True)
sys.stdin.read()
"""
NODE = """
const held = []; for (let i = 0; i < 200000; i++) held.push({i, text: "t" + i});
console.log("ready"); process.stdin.resume();
"""

FOLDER = None


# -- programs --------------------------------------------------------------------------------------


def tool(name, package):
    path = shutil.which(name, path="/usr/bin:/usr/local/bin:/usr/sbin")
    if not path:
        raise lib.Skip(f"no {name} (Debian package {package})")
    return path


@contextlib.contextmanager
def running(*command, ready="ready", **options):
    """A program that says when it is ready, and waits for its input to end."""
    process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **options)
    timer = threading.Timer(SECONDS, process.kill)
    timer.start()
    try:
        for line in process.stdout:
            if ready.encode() in line:
                break
        else:
            raise AssertionError(f"{command[0]} ended instead of being ready")
        timer.cancel()
        yield process.pid
    finally:
        timer.cancel()
        process.kill()
        process.communicate()


def source(name, text):
    path = os.path.join(FOLDER, name)
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    return path


@functools.lru_cache(maxsize=None)
def java_classes():
    subprocess.run([tool("javac", "openjdk-17-jdk-headless"), "-nowarn", "--release", "8", "-d",
                    FOLDER, source("Held.java", JAVA)], check=True, stderr=subprocess.DEVNULL)
    return jvms.put_in_root(*glob.glob(f"{FOLDER}/Held*.class"))


def jvm(name, *options):
    return running(*jvms.command(name), *options, "-Xmx256m", "-cp", java_classes(), "Held")


def python():
    return running(tool("python3", "python3"), "-c", CACHED)


def node():
    return running(tool("node", "nodejs"), "-e", NODE)


def redis():
    return running(tool("redis-server", "redis-server"), "--port", "0", "--unixsocket",
                   f"{FOLDER}/redis.sock", "--save", "", ready="eady to accept")


def musl():
    path = os.path.join(FOLDER, "held-musl")
    subprocess.run([tool("musl-gcc", "musl-tools"), "-static", "-O0", "-o", path,
                    source("held.c", MUSL)], check=True)
    return running(path)


def many_mappings():
    return running(f"{lib.TARGETS}/mappings", 10000)


def mapped_file():
    """Each other page of a file, so that no two mappings are one."""
    script = ("import mmap,sys; file = open(sys.argv[1], 'w+b'); file.truncate(20000 * 4096)\n"
              "held = [mmap.mmap(file.fileno(), 4096, offset=8192 * i) for i in range(10000)]\n"
              "for i in held: i[0] = 1\n"
              "print('ready', flush=True); sys.stdin.read()")
    return running(tool("python3", "python3"), "-c", script, f"{FOLDER}/mapped")


@contextlib.contextmanager
def postgres():
    homes = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    if not homes:
        raise lib.Skip("no PostgreSQL (Debian package postgresql)")
    folder = os.path.join(FOLDER, "postgres")
    if not os.path.exists(folder):
        os.mkdir(folder)
        os.chown(folder, 65534, 65534)
        subprocess.run([f"{homes[-1]}/initdb", "-D", f"{folder}/db", "--no-sync", "-A", "trust"],
                       check=True, user=65534, group=65534, stdout=subprocess.DEVNULL, cwd="/")
    command = [f"{homes[-1]}/postgres", "-D", f"{folder}/db", "-k", folder, "-c",
               "listen_addresses=", "-c", "shared_buffers=32MB", "-c", "logging_collector=off"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, user=65534, group=65534, text=True, cwd="/")
    try:
        for line in process.stderr:
            if "ready to accept connections" in line:
                break
        yield process.pid
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=SECONDS)


# -- what the kernel says --------------------------------------------------------------------------


def unfreed(*arguments, command="map"):
    done = subprocess.run([lib.UNFREED, command, *map(str, arguments)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=SECONDS, check=False)
    expect_equal(done.returncode, 0, f"status, with {done.stderr}")
    return done.stdout


def footprint(*arguments):
    return json.loads(unfreed(*arguments, "--json", "--by", "mapping"))


def kernel_sums(pid):
    """Bytes of smaps_rollup by its keys."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as file:
        return {row[0]: int(row[1]) << 10 for row in re.findall(r"^(\w+): +(\d+) kB", file.read(), re.M)}


def vm(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        return dict(re.findall(r"^(VmRSS|VmPTE|VmSwap|VmHWM):\s+(\d+) kB$", status.read(), re.M))


def maps(pid):
    with open(f"/proc/{pid}/maps", encoding="utf-8") as file:
        return [line.split()[0] for line in file]


@contextlib.contextmanager
def stopped(pid):
    os.kill(pid, signal.SIGSTOP)
    try:
        lib.eventually(lambda: not re.search(r"\) T ", open(f"/proc/{pid}/stat").read()), "stop")
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def by_name(rows):
    return {row["name"]: row for row in rows}


def footprint_and_truth(pid):
    """The footprint of a stopped process, and what the kernel says of it at that moment.

    Shared pages are told by who else has them: the tool, which runs on until both are known, and
    others, who come and go.
    """
    with subprocess.Popen([lib.UNFREED, "map", "-p", str(pid), "-i", "100ms", "--by", "mapping",
                           "--json"], stdout=subprocess.PIPE, text=True) as tool:
        try:
            for _ in range(TRIES):
                truth = kernel_sums(pid)
                tool.stdout.readline()
                found = json.loads(tool.stdout.readline())
                if kernel_sums(pid) == truth:
                    break
            return found, truth
        finally:
            tool.kill()


def expect_sums(pid, most_unknown=0.02):
    """The sums of classes, and of mappings, are the kernel's; the footprint."""
    with stopped(pid):
        before = vm(pid)
        found, truth = footprint_and_truth(pid)
        expect_equal(vm(pid), before, "what the kernel says of it before and after")
        rows = maps(pid)
    process = found["processes"][0]
    whole = lambda rows, key: sum(row[key] for row in rows)
    for key in FIGURES:
        expect_equal(whole(process["classes"], key), process[key], f"{key} of all classes")
        expect_equal(whole(process["maps"], key), process[key], f"{key} of all mappings")
    expect_equal(process["mappings"], len(rows), "mappings")
    expect_equal(process["rss_bytes"], truth["Rss"], "RSS")
    expect_equal(process["private_dirty_bytes"], truth["Private_Dirty"], "private dirty")
    expect_equal(process["huge_bytes"], truth["AnonHugePages"] + truth["ShmemPmdMapped"] +
                 truth["FilePmdMapped"], "huge pages")
    expect(abs(process["pss_bytes"] - truth["Pss"]) <= 1024 * len(rows),
           f"PSS {process['pss_bytes']}, not {truth['Pss']}")
    unknown = by_name(process["classes"]).get("anonymous, unknown", {"rss_bytes": 0})["rss_bytes"]
    expect(unknown <= most_unknown * truth["Rss"],
           f"{unknown} bytes of {truth['Rss']} unknown: " +
           str([row for row in process["maps"] if row["class"] == "anonymous, unknown"][:5]))
    print(f"# {process['comm']}: RSS {truth['Rss']} and PSS {truth['Pss']} of {len(rows)} mappings, in "
          f"{len(process['classes'])} classes; {unknown / truth['Rss']:.2%} unknown")
    return by_name(process["classes"]), process


# -- sums ------------------------------------------------------------------------------------------


@case(*JVMS)
def jvm_sums(name):
    with jvm(name) as pid:
        classes, process = expect_sums(pid)
    expect(48 << 20 <= classes["Java heap"]["rss_bytes"] <= 80 << 20, classes["Java heap"])
    expect(16 << 20 <= classes["mmapped block"]["rss_bytes"] <= 20 << 20, classes["mmapped block"])
    for needed in ("metaspace", "class space", "code cache", "GC tables", "glibc arena",
                   "thread stack", "stack guard", "library text"):
        expect(needed in classes, f"no {needed}")
    names = {row["name"] for row in process["maps"] if row["class"] == "thread stack"}
    for i in range(6):
        expect(any(str(name).startswith(f"held-{i} (") for name in names), f"held-{i}: {names}")
    expect(any(str(name).startswith("GC Thread#0") or str(name).startswith("VM Thread")
               for name in names), names)


@case("-XX:+UseSerialGC", "-XX:+UseParallelGC", "-XX:+UseZGC", "-Xint -Xshare:off",
      "-XX:-UseCompressedClassPointers")
def jvm_sums_with(options):
    if not JVMS:
        raise lib.Skip("no JVM")
    with jvm(next(iter(JVMS)), *options.split()) as pid:
        classes, _ = expect_sums(pid)
    expect(classes["Java heap"]["rss_bytes"] >= 48 << 20, classes["Java heap"])
    expect("metaspace" in classes, classes.keys())


@case("redis", "python", "node", "musl", "postgres")
def sums_of(name):
    with globals()[name]() as pid:
        classes, process = expect_sums(pid)
    needed = {"redis": ["jemalloc"], "python": ["runtime heap", "mmapped block"],
              "node": ["runtime heap", "glibc arena"], "musl": ["musl malloc"],
              "postgres": ["shared memory"]}[name]
    for each in needed:
        expect(classes.get(each, {"rss_bytes": 0})["rss_bytes"] > 0, f"no {each} in {list(classes)}")
    if name == "postgres":
        expect(classes["shared memory"]["size_bytes"] >= 32 << 20, classes["shared memory"])
    if name == "python":
        expect(12 << 20 <= classes["mmapped block"]["rss_bytes"] <= 16 << 20, classes)
    expect(len(process["maps"]) >= process["mappings"], "not every mapping is listed")


@contextlib.contextmanager
def chromium():
    """The pids of all its processes that have drawn a page."""
    command = [tool("chromium", "chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--no-zygote",
               f"--user-data-dir={FOLDER}/chromium", "--remote-debugging-port=0", "about:blank"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, start_new_session=True)

    def is_large(pid):
        with contextlib.suppress(FileNotFoundError):  # some of them end
            return int(vm(pid).get("VmRSS", 0)) > 80000
        return False

    def pids():
        found = subprocess.run(["pgrep", "-g", str(process.pid)], stdout=subprocess.PIPE, text=True,
                               check=False).stdout.split()
        return [int(pid) for pid in found if is_large(pid)]

    try:
        lib.eventually(lambda: len(pids()) < 5 and f"{len(pids())} processes", "chromium", SECONDS)
        yield process.pid, pids()
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(SECONDS)


@case()
def sums_of_chromium():
    with chromium() as (group, pids):
        seen = 0
        for pid in pids:
            os.killpg(group, signal.SIGSTOP)  # all: they share memory, by which PSS is told
            if not os.path.exists(f"/proc/{pid}"):
                continue  # it has ended meanwhile
            lib.eventually(lambda: not re.search(
                r"\) T ", open(f"/proc/{pid}/stat", encoding="utf-8").read()), "stop")
            expect_sums(pid)
            seen += 1
        expect(seen >= 4, f"only {seen} of {len(pids)} processes were still there")


@case("anonymous", "of a file")
def ten_thousand_mappings(what):
    """Plain pages of nobody's are rightly unknown; of a file, as databases map theirs, all is told."""
    anonymous = what == "anonymous"
    with many_mappings() if anonymous else mapped_file() as pid:
        classes, process = expect_sums(pid, most_unknown=1 if anonymous else 0.02)
    expect(process["mappings"] >= 10000, process["mappings"])
    expect(anonymous or classes["file"]["mappings"] >= 10000, f"files: {classes.get('file')}")


# -- a container -----------------------------------------------------------------------------------


def number(path):
    with open(path, encoding="ascii") as file:
        return int(file.read())


@contextlib.contextmanager
def container(command, memory):
    with contextlib.ExitStack() as stack:
        try:
            shop = stack.enter_context(runtimes.workshop())
            rig = stack.enter_context(shop.rig("runc", shop.rootfs([f"{lib.TARGETS}/mappings"])))
            yield rig.run(f"unfreed-map-{os.getpid()}", command, memory=memory)
        except runtimes.Unavailable as reason:
            raise lib.Skip(reason) from reason


@case()
def container_against_its_limit():
    with container(["/bin/mappings", "2000", "--grow", "20"], "64m") as box:
        lib.eventually(lambda: len(maps(box.pid)) < 2000, "mappings")
        with stopped(box.pid):
            group = footprint("-c", box.name)["cgroup"]
            folder = group["path"]
            before = vm(box.pid)
            unfreed("-c", box.name, "--by", "mapping")
            expect_equal(vm(box.pid), before, "RSS, page tables and swap")
            expect_equal(group["limit_bytes"], 64 << 20, "limit")
            usage, keys = (("memory.usage_in_bytes", "total_") if group["version"] == 1
                           else ("memory.current", ""))

            def inactive():
                with open(f"{folder}/memory.stat", encoding="ascii") as file:
                    return int(dict(line.split() for line in file)[f"{keys}inactive_file"])

            for _ in range(TRIES):  # the kernel moves pages from list to list by and by
                known = inactive()
                group = footprint("-c", box.name)["cgroup"]
                if inactive() == known:
                    break
            # Stopped, and read in between: nothing was charged to it.
            expect_equal(group["usage_bytes"], number(f"{folder}/{usage}"), "usage")
            expect_equal(group["inactive_file_bytes"], known, "inactive")
            expect_equal(group["other_processes"], 0, "others")
            expect_equal(group["oom_kills"], 0, "OOM kills")
        table = unfreed("-c", box.name)
        expect("of 64.0 MiB" in table and "WHICH FIGURE KILLS" in table, table)


def forecast(box, interval):
    """Watched until it is killed: how far off the forecasts of the middle third are (seconds), how
    long before the end they were made, and the class that grew most."""
    process = subprocess.Popen([lib.UNFREED, "map", "-c", box.name, "-i", interval, "--json"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    seen = []
    for line in process.stdout:
        seen.append((time.monotonic(), json.loads(line)["growth"]))
        if not runtimes.alive(box.pid):
            break
    end = seen[-1][0]
    while runtimes.alive(box.pid):
        expect(time.monotonic() < end + SECONDS, "it was not killed")
        time.sleep(0.01)
    end = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=SECONDS)
    expect(len(seen) > 6, f"{len(seen)} reports")
    middle = seen[len(seen) // 3:2 * len(seen) // 3]
    expect(all(each["seconds_to_limit"] for _, each in middle), middle)
    predicted = statistics.median(moment + each["seconds_to_limit"] for moment, each in middle)
    largest = max(middle[-1][1]["classes"], key=lambda row: row["rss_bytes"])
    return predicted - end, end - middle[0][0], largest["name"]


@case()
def growth_names_the_class_and_the_end():
    with container(["/bin/mappings", "1", "--grow", str(14 << 20)], "96m") as box:
        lib.eventually(lambda: not maps(box.pid), "the program")
        off, left, largest = forecast(box, "400ms")
    expect(abs(off) <= 0.2 * left, f"{off} s off, {left} s before the end")
    expect_equal(largest, "mmapped block", "the class that grew most")


# -- files, and what ends ----------------------------------------------------------------------------


@case()
def saved_and_compared():
    before, after = f"{FOLDER}/before", f"{FOLDER}/after"
    with running(f"{lib.TARGETS}/mappings", 1, "--grow", 40 << 20) as pid:
        unfreed("-p", pid, "--save", before)
        first = json.load(open(before, encoding="ascii"))["rss_bytes"]
        lib.eventually(lambda: kernel_sums(pid)["Rss"] < first + (20 << 20), "growth")
        unfreed("-p", pid, "--json", "-o", after)
    found = json.loads(unfreed("--json", before, after, command="diff"))
    changes = by_name(found["classes"])
    expect_equal(sum(row["rss_bytes"] for row in changes.values()), found["rss_bytes"], "sum")
    expect_equal(found["before_rss_bytes"], first, "RSS before")
    expect(changes["mmapped block"]["rss_bytes"] >= 19 << 20, changes["mmapped block"])
    expect("mmapped block" in unfreed(before, after, command="diff"), "no such row in the table")


@case()
def several_processes_and_ends():
    with python() as one, python() as two:
        found = footprint("-p", f"{one},{two}")
        expect_equal([row["pid"] for row in found["processes"]], sorted((one, two)), "processes")
        for key in FIGURES:
            expect_equal(sum(row[key] for row in found["processes"]), found[key], key)
        expect_equal(len(unfreed("-p", one, "-i", "100ms", "-d", "350ms", "--json").splitlines()),
                     4, "reports of 350 ms, each 100 ms")
        plot = unfreed("-p", one, "-i", "100ms", "-d", "350ms", "-f", "svg")
        svg = "{http://www.w3.org/2000/svg}"
        areas = [path.find(f"{svg}title").text for path in ElementTree.fromstring(plot).iter(f"{svg}path")
                 if path.get("class") == "area"]
        expect(any(area.startswith("library text: ") for area in areas), areas)
        table = unfreed("-p", f"{one},{two}", "--by", "process")
        expect(re.search(rf"^{one} python", table, re.M), table)


def refused(status, *arguments, command="map"):
    done = subprocess.run([lib.UNFREED, command, *map(str, arguments)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=SECONDS, check=False)
    expect_equal(done.returncode, status, f"status of {arguments}: {done.stderr}")
    expect(len(done.stderr.splitlines()) == 1 and not done.stdout, done.stderr + done.stdout)


@case()
def what_cannot_be():
    refused(2, "-p", os.getpid(), "-f", "svg")
    broken = source("broken.json", '{"unfreed":1,"classes":[')
    other = source("other.json", '{"unfreed":1}')
    for arguments in ((), ("-p", "x"), ("-p", 1, "--by", "x"), ("-p", 1, "-i", 0),
                      ("-p", 1, "-d", 1), ("-p", 1, "more")):
        refused(2, *arguments)
    refused(1, "-p", 999999999)
    refused(1, "-c", "unfreed-no-such")
    refused(1, broken, command="diff")
    for bad in (broken, other, f"{FOLDER}/none"):
        refused(1, bad, bad, command="diff")


def main():
    global FOLDER
    with tempfile.TemporaryDirectory(prefix="unfreed-") as FOLDER:
        os.chmod(FOLDER, 0o755)
        return lib.run_cases()


if __name__ == "__main__":
    sys.exit(main())
