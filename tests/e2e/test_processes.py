#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Real programs of several processes: each says by its own means what it holds.

redis that saves in a child, nginx and its workers, PostgreSQL's backends, a JVM and Python that
start others, a shell's thousand. Usage: test_processes.py [WORD…]
"""

import contextlib
import glob
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest.mock

import lib
from lib import Skip, case, compare, expect, expect_equal

HERE = os.path.dirname(os.path.abspath(__file__))
HEAP = (*lib.EXACT, "--events", "heap")
SHORT = 1000
CHILDREN = 2

FOLDER = None


def need(program, package):
    path = shutil.which(program, path="/usr/bin:/usr/sbin:" + os.defpath)
    if not path:
        raise Skip(f"no {program} (Debian package {package})")
    return path


def run(*command, **options):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False, timeout=60, **options)
    expect_equal(done.returncode, 0, f"status of {command[0]}: {done.stdout}")
    return done.stdout


@contextlib.contextmanager
def daemon(*command, ready, **options):
    """A server that runs in the foreground, once ready() is true; terminated in the end."""
    with open(os.path.join(FOLDER, "log"), "wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   **options)
    try:
        lib.eventually(lambda: not ready(), f"{command[0]} is not ready")
        yield process
    finally:
        process.terminate()
        process.wait(lib.DEADLINE_SECONDS)


def children_of(pid):
    children = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
            children += map(int, file.read().split())
    return children


def is_busy(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
        return stat.read().rpartition(")")[2].split()[0] != "S"


def family_of(pid):
    """How many processes: it, its children, and theirs."""
    return 1 + sum(map(family_of, children_of(pid)))


def heap_of(report, pid):
    return sum(site["bytes"] for site in report["sites"]
               if site["kind"] == "heap" and site["pid"] == pid)


def written_by(report, pid):
    return sum(site["allocated_blocks"] for site in report["sites"] if site["pid"] == pid)


def row_of(report, pid):
    rows = [row for row in report["processes"] if row["pid"] == pid]
    expect(rows, f"pid {pid} is not in the report")
    return rows[0]


def expect_losses(report, *known):
    losses = {name: count for name, count in report["losses"].items() if count and name not in known}
    expect(not losses, f"losses: {losses}")


# -- redis -----------------------------------------------------------------------------------------


def run_beside(trace, *command):
    """Runs a command, and reads the reports of -i meanwhile: a tracer waits for room in a full pipe."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        trace.report_that(lambda _: process.poll() is not None, lib.DEADLINE_SECONDS)
    expect_equal(process.returncode, 0, f"{command[0]}: status")


class Redis:
    def __init__(self, path):
        self.path = path

    def say(self, *words):
        return run("redis-cli", "-s", self.path, *map(str, words))

    def info(self, section, key):
        return int(re.search(rf"^{key}:(\d+)", self.say("info", section), re.M)[1])

    def answers(self):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self.path)
            return True
        return False


@case()
def redis_that_saves_in_the_middle():
    server = need("redis-server", "redis-server")
    redis = Redis(os.path.join(FOLDER, "redis"))
    with daemon(server, "--port", "0", "--unixsocket", redis.path, "--save", "", "--dir", FOLDER,
                "--rdb-key-save-delay", "10000", ready=redis.answers) as process:
        fill = ("redis-benchmark", "-s", redis.path, "-q", "-t", "set", "-r", "1000000", "-d", "700")
        run(*fill, "-n", "2000")  # what is allocated once is there
        before = redis.info("memory", "allocator_allocated")
        with lib.Trace("-p", process.pid, "-i", "500ms", options=HEAP) as trace:
            run_beside(trace, *fill, "-n", "10000")
            redis.say("bgsave")
            child, = children_of(process.pid)
            at_work = trace.report_that(lambda report: written_by(report, child) > 20,
                                        lib.DEADLINE_SECONDS)
            run_beside(trace, *fill, "-n", "10000")
            expect_equal(redis.info("persistence", "rdb_bgsave_in_progress"), 1, "saving")
            grown = redis.info("memory", "allocator_allocated") - before
            report = trace.stop()
            lib.eventually(lambda: lib.changed_code(process.pid), "probes left")
        redis.say("config", "set", "rdb-key-save-delay", 0)
        os.kill(child, 9)
    expect("jemalloc" in row_of(report, process.pid)["allocator"], f"{report['processes']}")
    held = report["heap"]["live_bytes"]
    # Asked for is less than handed out: size classes are up to a quarter apart.
    expect(0.75 * grown < held <= grown, f"{held} held, by jemalloc's own count {grown}")
    expect(heap_of(report, child) < held / 20, f"the child holds {heap_of(report, child)}")
    expect(any(site["pid"] == child and site["allocated_blocks"] for site in report["sites"]),
           "the child has not been watched at work: this proves nothing")
    # It gives nothing back of what it began with, and what it writes it frees. What it allocates
    # before it is probed is not told from that: a few words at its start, if they are freed later.
    freed = [one["heap"]["inherited_frees"] for one in (at_work, report)]
    expect_equal(freed[1], freed[0], "inherited blocks freed by the child at work, and before")
    expect(not freed[0] or report["losses"]["late_attaches"], "frees of a gap that nobody named")
    expect(freed[0] < 16, f"{freed[0]} blocks of the gap were freed")
    expect_equal(row_of(report, child)["state"], "running", "the child")
    expect_losses(report, "late_attaches")


# -- nginx -----------------------------------------------------------------------------------------

NGINX = """
worker_processes 2; pid {folder}/nginx.pid; error_log {folder}/error.log; daemon off;
events {{ worker_connections 64; }}
http {{
    access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{ listen unix:{folder}/nginx; location / {{ return 200 "fine"; }} }}
}}
"""


def get(path):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer = b""
        while (part := connection.recv(4096)):
            answer += part
    return answer


@case()
def nginx_and_its_workers():
    server = need("nginx", "nginx")
    folder = os.path.join(FOLDER, "nginx-files")
    os.mkdir(folder)
    os.chmod(folder, 0o777)
    with open(f"{folder}/conf", "w", encoding="ascii") as file:
        file.write(NGINX.format(folder=folder))

    def ready():
        with contextlib.suppress(OSError):
            return get(f"{folder}/nginx").endswith(b"fine")

    with daemon(server, "-c", f"{folder}/conf", "-e", f"{folder}/error.log", ready=ready) as master:
        old = children_of(master.pid)
        for _ in range(200):
            get(f"{folder}/nginx")
        with lib.Trace("-p", ",".join(map(str, [master.pid, *old])), options=HEAP) as trace:
            for _ in range(500):
                get(f"{folder}/nginx")
            master.send_signal(1)  # new workers, and the old ones go
            lib.eventually(lambda: set(old) & set(children_of(master.pid)), "old workers")
            new = children_of(master.pid)
            trace.wait_probed(1 + len(new))
            for _ in range(500):
                get(f"{folder}/nginx")
            lib.eventually(lambda: any(map(is_busy, new)), "workers at work")
            report = trace.stop()
            lib.eventually(lambda: lib.changed_code(master.pid), "probes left")
        expect(get(f"{folder}/nginx").endswith(b"fine"), "it answers afterwards")
    for pid in old:
        expect_equal(row_of(report, pid)["exit"], "exit status 0", "an old worker")
        expect_equal(heap_of(report, pid), 0, "what an old worker holds")
    for pid in new:
        expect_equal(row_of(report, pid)["state"], "running", "a new worker")
    served = [site for site in report["sites"] if site["pid"] in new and
              any("ngx_http_wait_request_handler" == frame["name"] or
                  "ngx_event_accept" == frame["name"] for frame in site["frames"])]
    left = [site for site in served if site["blocks"]]
    expect(not left, f"blocks of requests that were served: {left}")
    requests = sum(site["allocated_blocks"] for site in report["sites"] if site["pid"] in new)
    expect(requests > 1000, f"{requests} blocks allocated by the new workers")
    expect_losses(report, "late_attaches", "missed_returns")


# -- PostgreSQL ------------------------------------------------------------------------------------

MEMORY = "SELECT sum(total_bytes) FROM pg_backend_memory_contexts;"
HOLD = "PREPARE held_{0} AS SELECT relname, {0} FROM pg_class WHERE oid = $1;"


class Session:
    """psql; its backend."""

    def __init__(self, program):
        self.process = subprocess.Popen(
            [program, "-XqAt", "-h", FOLDER, "-U", "postgres", "postgres"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        self.pid = int(self.say("SELECT pg_backend_pid();"))

    def say(self, text):
        print(text, file=self.process.stdin, flush=True)
        return self.process.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.communicate()


@case()
def postgres_backends_that_come_and_go():
    homes = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    if not homes:
        raise Skip("no PostgreSQL (Debian package postgresql)")
    data = os.path.join(FOLDER, "db")
    os.mkdir(data)
    shutil.chown(data, "postgres", "postgres")
    user = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")
    run(*user, f"{homes[-1]}/initdb", "-D", data, "-A", "trust", "-E", "UTF8", "--locale=C",
        "--no-sync", cwd=data)
    with daemon(*user, f"{homes[-1]}/postgres", "-D", data, "-k", FOLDER, "-c", "listen_addresses=",
                "-c", "fsync=off", ready=lambda: glob.glob(f"{FOLDER}/.s.PGSQL.5432"),
                cwd=data) as server:
        with lib.Trace("-p", server.pid, options=HEAP) as trace:
            with Session(f"{homes[-1]}/psql") as gone:
                trace.wait_probed(2)
                gone.say("SELECT sum(i) FROM generate_series(1, 1000) i;")
            lib.eventually(lambda: os.path.exists(f"/proc/{gone.pid}"), "the first backend")
            with Session(f"{homes[-1]}/psql") as session:
                trace.wait_probed(2)
                before = int(session.say(MEMORY))
                for i in range(500):
                    print(HOLD.format(i), file=session.process.stdin)
                truth = int(session.say(MEMORY)) - before
                report = trace.stop()
                lib.eventually(lambda: lib.changed_code(server.pid), "probes left")
                expect_equal(session.say("SELECT 1;"), "1", "a query afterwards")
    held = heap_of(report, session.pid)
    expect(0.9 * truth < held < 1.1 * truth, f"{held} bytes held, by its own count {truth}")
    expect_equal(row_of(report, gone.pid)["state"], "exited", "the first backend")
    expect_equal(heap_of(report, gone.pid), 0, "what the first backend holds")
    expect_losses(report, "late_attaches")


# -- what starts others ----------------------------------------------------------------------------


class Starter(lib.Target):
    """A program that starts others, and passes on what they say."""

    def __init__(self, *command):
        super().__init__(*command)
        self.children = []

    def __exit__(self, *_):
        with contextlib.suppress(Exception):
            self.quit()
        super().__exit__()


def truth_of_children(command):
    """(report, pids, truth) of children that a program has started while watched."""
    with Starter(*command) as starter:
        before = family_of(starter.pid)
        with lib.Trace("-p", starter.pid, options=HEAP) as trace:
            pids = starter.go()["pids"]
            # A helper that is to execute the child has had probes, too: those go when it does.
            lib.eventually(lambda: [pid for pid in pids if not lib.changed_code(pid)],
                           "children without probes")
            trace.wait_probed(1 + family_of(starter.pid) - before)
            truth = starter.say("work")
            return trace.stop(), pids, truth


@case()
def jvm_that_starts_processes():
    compiler = need("javac", "openjdk-17-jdk-headless")
    run(compiler, "-d", FOLDER, f"{HERE}/java/Spawn.java")
    report, pids, truth = truth_of_children(
        (need("java", "openjdk-17-jdk-headless"), "-XX:+UseSerialGC", "-Xmx64m", "-cp", FOLDER,
         "Spawn", CHILDREN, os.path.join(lib.TARGETS, "heap_truth"), "--operations", 5000))
    expect_equal(len(set(pids)), CHILDREN, "children")
    for pid, of_child in zip(pids, truth["truths"]):
        compare({"sites": [site for site in report["sites"] if site["pid"] == pid]},
                of_child["sites"])
        expect_equal(row_of(report, pid)["state"], "running", "a child")
    expect_losses(report, "late_attaches", "missed_returns", "short_lived")


@case("fork", "spawn", "forkserver")
def multiprocessing_of_python_by(method):
    python = os.path.realpath(need("python3", "python3"))
    report, pids, truth = truth_of_children((python, f"{HERE}/python/many.py", method, CHILDREN))
    expect_equal(len(set(pids)), CHILDREN, "children")
    found = {}
    for site in report["sites"]:
        if site["blocks"] and site["bytes"] == site["blocks"] * truth["bytes"]:
            found[site["pid"]] = found.get(site["pid"], 0) + site["blocks"]
    expect_equal(found, {int(pid): count for pid, count in truth["held"].items()}, "blocks held")
    for pid in pids:
        expect_equal(row_of(report, pid)["state"], "running", "a child")
    expect_losses(report, "late_attaches", "missed_returns", "short_lived")


# -- a thousand short ones -------------------------------------------------------------------------

SCRIPT = "i=0; while [ $i -lt {} ]; do /bin/true; i=$((i+1)); done"


@case()
def thousand_short_processes_of_a_command():
    path = os.path.join(FOLDER, "report")
    run(lib.UNFREED, "trace", "--max-overhead", "off", "-f", "json", "-o", path,
        "--", "sh", "-c", SCRIPT.format(SHORT))
    with open(path, encoding="utf-8") as file:
        report = json.load(file)
    known = {row["pid"] for row in report["processes"]}
    expect({site["pid"] for site in report["sites"]} <= known, "a site of nobody")
    watched = {row["pid"] for row in report["processes"] if row["comm"] == "true" and
               row["allocator"]}
    losses = report["losses"]
    expect(losses["short_lived"] + losses["late_attaches"] >= SHORT, f"losses: {losses}")
    expect(len(watched) <= SHORT, f"{len(watched)} of {SHORT}")
    # No process of these maps more than its libraries and a little heap.
    of_process = {}
    for site in report["sites"]:
        if site["kind"] == "mapping":
            of_process[site["pid"]] = of_process.get(site["pid"], 0) + site["bytes"]
    most = max(of_process.values())
    expect(most < 16 << 20, f"{most} bytes mapped by one of them")
    expect_losses(report, "short_lived", "late_attaches")


def sites_in_the_kernel(trace):
    """Elements of the tracer's table of sites."""
    tool = need("bpftool", "bpftool")
    for row in json.loads(run(tool, "-j", "map", "list")):
        if row.get("name") == "sites" and ("map", row["id"]) in trace.objects:
            return len(json.loads(run(tool, "-j", "map", "dump", "id", str(row["id"]))))
    raise AssertionError("no table of sites")


def memory_of(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        return int(re.search(r"^VmRSS:\s+(\d+) kB", status.read(), re.M)[1]) << 10


def unkept():
    """What a sanitizer keeps of memory that was freed would be taken for growth."""
    options = os.environ.get("ASAN_OPTIONS", "")
    return unittest.mock.patch.dict(os.environ, ASAN_OPTIONS=f"{options}:quarantine_size_mb=1:"
                                    "thread_local_quarantine_size_kb=64")


def descriptors_of(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


@contextlib.contextmanager
def control_group():
    with open("/proc/self/mounts", encoding="utf-8") as file:
        tops = [line.split()[1] for line in file if line.split()[2] == "cgroup2"]
    if not tops:
        raise Skip("no cgroup2 is mounted")
    path = os.path.join(tops[0], f"unfreed-processes-{os.getpid()}")
    try:
        os.mkdir(path)
    except OSError as error:
        raise Skip(f"no control group can be made: {error}") from error
    try:
        yield path
    finally:
        lib.eventually(lambda: not is_removed(path), f"cannot remove {path}")


def is_removed(path):
    with contextlib.suppress(OSError):
        os.rmdir(path)
    return not os.path.exists(path)


@case()
def thousand_short_processes_in_a_control_group():
    with control_group() as group, lib.Target("heap_truth") as survivor:
        with open(f"{group}/cgroup.procs", "w", encoding="ascii") as file:
            file.write(str(survivor.pid))

        def storm(count):
            run("sh", "-c", f"echo $$ >{group}/cgroup.procs; {SCRIPT.format(count)}")

        with unkept(), lib.Trace("--cgroup", group) as trace:
            pid = trace.process.pid
            descriptors = descriptors_of(pid)
            storm(SHORT // 4)
            memory = memory_of(pid)
            storm(SHORT)
            truth = survivor.go()
            lib.eventually(lambda: descriptors_of(pid) > descriptors + 8, "descriptors left")
            grown = memory_of(pid) - memory
            expect(grown < 4 << 20, f"the tool has grown by {grown} bytes")
            sites = sites_in_the_kernel(trace)
            report = trace.stop()
    compare(report, truth["sites"])
    expect_equal({site["pid"] for site in report["sites"]}, {survivor.pid}, "pids of sites")
    expect(sites <= 2 * len(report["sites"]) + 100,
           f"{sites} sites in the kernel, {len(report['sites'])} in the report")
    expect_losses(report, "short_lived", "late_attaches", "missed_returns")


@case()
def room_of_the_ended_is_given_back():
    """More blocks and stacks than there is room for, by children that live one after another."""
    rounds, options = 8, (*HEAP, "--max-blocks", "1000", "--max-stacks", "150")
    with lib.Target("family", "--heirs", rounds) as target:
        with lib.Trace("-p", target.pid, options=options) as trace:
            target.tell("go")
            for _ in range(rounds):
                target.say("next")
                trace.wait_probed(2)
                target.say("end")
                trace.wait_probed(1)
            truth = target.hear()
            report = trace.stop()
    compare(report, truth["sites"])
    expect_equal({site["pid"] for site in report["sites"]}, {target.pid}, "pids of sites")
    expect_losses(report, "late_attaches")


def main():
    global FOLDER
    with tempfile.TemporaryDirectory(prefix="unfreed-") as FOLDER:
        os.chmod(FOLDER, 0o777)
        return lib.run_cases()


if __name__ == "__main__":
    sys.exit(main())
