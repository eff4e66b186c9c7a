#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""unfreed trace -c against real programs in containers: a JVM, CPython, PostgreSQL.

Each says by its own means what it holds; the report says the same. Afterwards nothing is attached.

Usage: test_real.py [WORD…]
"""

import contextlib
import functools
import glob
import json
import os
import re
import shutil
import subprocess
import sys

import jvms
import lib
import runtimes
from lib import case, expect, expect_equal

HERE = os.path.dirname(os.path.abspath(__file__))
INFLATERS = 3000
WARM = 20000  # rounds of JavaTruth until it is compiled
OBJECTS = 20000
STATEMENTS = 2000
POSTGRES_USER = 70

SHOP = None


# -- containers ------------------------------------------------------------------------------------


@contextlib.contextmanager
def container(runtime, root, command, **settings):
    """A container of a runtime, by the name unfreed-real; the case is skipped where none starts."""
    with contextlib.ExitStack() as stack:
        try:
            rig = stack.enter_context(SHOP.rig(runtime, root))
            started = rig.run("unfreed-real", command, **settings)
        except runtimes.Unavailable as reason:
            raise lib.Skip(reason) from reason
        yield started


def add_jvm(root, home):
    runtimes.copy_folder(root, home, ("jmods", "legal", "man", "include", "docs", "src.zip",
                                      "classes*.jsa", "ct.sym"))


@functools.lru_cache(maxsize=None)
def java_root():
    """The machine's own JDK, and Leak.class in /app: (root, path of java in it)."""
    compiler = shutil.which("javac", path="/usr/bin")
    if not compiler:
        raise lib.Skip("no javac (Debian package openjdk-17-jdk-headless)")
    home = os.path.dirname(os.path.dirname(os.path.realpath(compiler)))
    root = SHOP.rootfs()
    add_jvm(root, home)
    runtimes.run(compiler, "-d", f"{root}/app", f"{HERE}/java/Leak.java")
    return root, f"{home}/bin/java"


def jvm_root(name):
    """A root with this JVM, and a folder in it with JavaTruth's class."""
    classes = jvms.compile_target("JavaTruth")
    if jvms.ROOT != "/":
        return jvms.ROOT, classes
    root = SHOP.rootfs()
    add_jvm(root, f"/usr/lib/jvm/{name}")
    shutil.copytree(classes, f"{root}/app")
    return root, "/app"


@functools.lru_cache(maxsize=None)
def python_root():
    """The machine's own python3, with keep.py in /app."""
    program = os.path.realpath("/usr/bin/python3")
    if not os.path.exists(program):
        raise lib.Skip("no /usr/bin/python3")
    root = SHOP.rootfs([program])
    runtimes.copy_folder(root, f"/usr/lib/{os.path.basename(program)}",
                         ("test", "idlelib", "lib2to3", "__pycache__", "config-*"))
    runtimes.copy_in(root, f"{HERE}/python/keep.py", "/app/keep.py")
    return root, f"/bin/{os.path.basename(program)}"


@functools.lru_cache(maxsize=None)
def postgres_root():
    """The machine's own PostgreSQL, and a user for it: (root, folder of its programs in it)."""
    homes = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    if not homes:
        raise lib.Skip("no PostgreSQL (Debian package postgresql)")
    home = os.path.dirname(os.path.dirname(homes[-1]))
    root = SHOP.rootfs()
    runtimes.copy_folder(root, home, ("bitcode", "pgxs"))
    runtimes.copy_folder(root, f"/usr/share/postgresql/{os.path.basename(home)}", ("man",))
    runtimes.copy_in(root, "/usr/share/zoneinfo/UTC")
    with open(f"{root}/etc/passwd", "a", encoding="ascii") as users:
        users.write(f"postgres:x:{POSTGRES_USER}:{POSTGRES_USER}::/tmp:/bin/sh\n")
    os.chmod(f"{root}/tmp", 0o1777)
    return root, f"{home}/bin"


# -- reading reports -------------------------------------------------------------------------------


def sites_naming(report, *functions):
    """Heap sites with all these functions in their stacks."""
    return [site for site in report["sites"] if site["kind"] == "heap" and
            set(functions) <= {frame["name"] for frame in site["frames"]}]


def sum_of(sites, key):
    return sum(site[key] for site in sites)


def process_of(report, pid):
    found = [process for process in report["processes"] if process["pid"] == pid]
    expect(len(found) == 1, f"pid {pid} is not in {report['processes']}")
    return found[0]


def expect_sensible(report, pid):
    """What is true of every report of a program on glibc."""
    expect_equal(process_of(report, pid)["allocator"].split()[0], "glibc", "allocator")
    expect(report["heap"]["live_bytes"] > 0, "nothing is outstanding")
    expect(report["stacks_complete"] >= 0, "no share of complete stacks")
    tax = report["cost"]["syscall_tax_ns"]
    expect(isinstance(tax, (int, float)) and tax >= 0, f"tax on system calls: {tax}")
    lib.expect_no_losses(report)


# -- after a trace ---------------------------------------------------------------------------------


def expect_untouched(trace, *pids):
    """Of a trace that has ended in any way, nothing is left: in the kernel or in the code."""
    lib.expect_gone(trace.objects)
    for pid in pids:
        lib.eventually(lambda pid=pid: lib.changed_code(pid), f"code of pid {pid} changed")


def kill_tracer(key, action, *pids):
    """SIGKILL of the tracer in its window, while action() runs: nothing is left either."""
    with lib.Trace("-c", key) as trace:
        action()
        expect(any(map(lib.changed_code, pids)), "no probe was on")
        trace.process.kill()
        trace.process.wait()
        expect_untouched(trace, *pids)
    action()


# -- a JVM -----------------------------------------------------------------------------------------


@case("runc", "docker")
def jvm_that_leaks_inflaters_in(runtime):
    root, java = java_root()
    command = f"{java} -XX:+UseSerialGC -Xmx64m -cp /app Leak {INFLATERS}"
    with container(runtime, root, runtimes.Program.command(command)) as jvm, \
            runtimes.Program(jvm) as program:
        expect(program.hear().startswith("ready "), "the JVM is not ready")
        with lib.Trace("-c", jvm.name) as trace:
            truth = json.loads(program.say("go"))
            report = trace.stop()
        expect_untouched(trace, jvm.pid)
        expect_inflaters(report, truth["inflaters"])
        expect_sensible(report, jvm.pid)
        kill_tracer(jvm.name, lambda: program.say("go"), jvm.pid)


def expect_inflaters(report, count):
    """One z_stream by JNI code and one state by zlib for each; no window before it inflates."""
    init = sites_naming(report, "Java_java_util_zip_Inflater_init")
    state = sites_naming(report, "Java_java_util_zip_Inflater_init", "inflateInit2_")
    expect_equal(sum_of(state, "blocks"), count, "states of zlib")
    expect_equal(sum_of(init, "blocks"), 2 * count, "blocks of Inflaters")
    each = sum_of(state, "bytes") / count
    expect(each.is_integer() and 4096 < each < 16384, f"{each} bytes a state")
    share = sum_of(init, "bytes") / report["heap"]["live_bytes"]
    expect(share > 0.8, f"Inflaters are {share:.0%} of what is outstanding")
    expect(report["sites"][0] in state, f"first is {report['sites'][0]['frames'][:4]}")


@case(*jvms.JVMS)
def inflaters_that_leak_in_a_container_are_the_top_site(name):
    root, classes = jvm_root(name)
    command = f"{jvms.JVMS[name]} -XX:+UseSerialGC -Xmx64m -cp {classes} JavaTruth {WARM}"
    with container("runc", root, runtimes.Program.command(command)) as jvm, \
            runtimes.Program(jvm) as program:
        expect(program.hear().startswith("ready "), "the JVM is not ready")
        with lib.Trace("-c", jvm.name) as trace:
            program.say("go")
            report = trace.stop()
    top = next(site for site in report["sites"] if site["kind"] == "heap")
    frames = [(frame["name"], os.path.basename(frame["module"] or "")) for frame in top["frames"]]
    names = [name for name, _ in frames]
    expect_equal(names[0], "malloc", "innermost")
    expect(re.match(r"lib(z|zip)\.so", frames[1][1]), f"its caller: {frames[1]}")
    own = [names.index("java.util.zip.Inflater.<init>"), names.index("JavaTruth.inner"),
           names.index("JavaTruth.run"), names.index("java.lang.Thread.run")]
    expect_equal(own, sorted(own), "order")
    expect_equal(top["end"], "root", "end")
    expect(report["stacks_complete"] >= 0.999, f"complete: {report['stacks_complete']}")
    lib.expect_no_losses(report)
    print(f"# {name}: {top['bytes']} bytes by {' < '.join(map(str, names))}")


# -- CPython ---------------------------------------------------------------------------------------


@case()
def python_that_keeps_bytes():
    root, python = python_root()
    command = runtimes.Program.command(f"{python} -S /app/keep.py {OBJECTS}")
    with container("runc", root, command) as keeper, runtimes.Program(keeper) as program:
        expect(program.hear().startswith("ready "), "python is not ready")
        with lib.Trace("-c", keeper.name) as trace:
            truth = json.loads(program.say("go"))
            report = trace.stop()
        expect_untouched(trace, keeper.pid)
        expect_kept(report, truth)
        expect_sensible(report, keeper.pid)
        kill_tracer(keeper.name, lambda: program.say("go"), keeper.pid)


def expect_kept(report, truth):
    """One site holds the objects; another the list, which is reallocated as it grows."""
    objects = report["sites"][0]
    names = {frame["name"] for frame in objects["frames"]}
    expect({"malloc", "PyObject_Malloc", "_PyEval_EvalFrameDefault"} <= names, f"first: {names}")
    expect_equal(objects["blocks"], truth["objects"], "bytes objects")
    expect_equal(objects["bytes"], truth["bytes"], "their bytes")
    lists = [site["bytes"] for site in sites_naming(report, "realloc") if site["blocks"] == 1]
    expect(truth["list_bytes"] in lists, f"no list of {truth['list_bytes']} bytes in {lists}")


# -- PostgreSQL ------------------------------------------------------------------------------------

POSTGRES = """
initdb -D /tmp/db -A trust -E UTF8 --locale=C --no-sync >/tmp/initdb.log 2>&1 &&
pg_ctl -w -D /tmp/db -l /tmp/log -o "-k /tmp -c listen_addresses= -c fsync=off" start >/dev/null &&
mkfifo /tmp/in /tmp/out && exec psql -XqAt -h /tmp postgres </tmp/in >/tmp/out
"""
MEMORY = "SELECT sum(total_bytes) FROM pg_backend_memory_contexts;"
HOLD = f"""DO $$ BEGIN FOR i IN 1..{STATEMENTS} LOOP
EXECUTE format('PREPARE held_%s AS SELECT relname, %s FROM pg_class WHERE oid = $1', i, i);
END LOOP; END $$; SELECT count(*) FROM pg_prepared_statements;"""


def host_pid(pid_in_container, init):
    """A process of a container by its pid in there."""
    wanted = os.readlink(f"/proc/{init}/ns/pid")
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/status", encoding="utf-8") as status:
            inner = re.search(r"^NSpid:.*\t(\d+)$", status.read(), re.M)
            if inner and int(inner[1]) == pid_in_container and \
                    os.readlink(f"/proc/{pid}/ns/pid") == wanted:
                return int(pid)
    raise AssertionError(f"no process {pid_in_container} in the container")


@case()
def postgres_session_that_holds_statements():
    root, programs = postgres_root()
    command = ["/bin/sh", "-c", f"PATH=$PATH:{programs}; export TZ=UTC; {POSTGRES}"]
    with container("runc", root, command, user=POSTGRES_USER) as server, \
            runtimes.Program(server) as session:
        backend = host_pid(int(session.say("SELECT pg_backend_pid();")), server.pid)
        before = int(session.say(MEMORY))
        with lib.Trace("-c", server.name) as trace:
            expect_equal(session.say(HOLD.replace("\n", " ")), str(STATEMENTS), "statements")
            truth = int(session.say(MEMORY)) - before
            report = trace.stop()
        expect_untouched(trace, backend, server.pid)
        expect_equal(session.say("SELECT sum(i) FROM generate_series(1, 1000) i;"), "500500",
                     "a query afterwards")
        held = sum_of([site for site in report["sites"]
                       if site["kind"] == "heap" and site["pid"] == backend], "bytes")
        expect(0.9 * truth < held < 1.1 * truth, f"{held} bytes held, by its own count {truth}")
        expect(sites_naming(report, "AllocSetContextCreateInternal", "CreateCachedPlan"),
               "no plan in any stack")
        expect(len(report["processes"]) > 5, f"{report['processes']}")
        expect_sensible(report, backend)
        kill_tracer(server.name, lambda: session.say("SELECT count(*) FROM pg_class;"), backend)


# -- a neighbour -----------------------------------------------------------------------------------


@case()
def neighbour_of_the_same_image_is_not_hit():
    root = SHOP.rootfs([os.path.join(lib.TARGETS, "heap_truth")])
    command = runtimes.Program.command("heap_truth")
    with contextlib.ExitStack() as stack:
        try:
            rig = stack.enter_context(SHOP.rig("runc", root))
            watched = rig.run("unfreed-watched", command)
            other = rig.run("unfreed-other", command)
        except runtimes.Unavailable as reason:
            raise lib.Skip(reason) from reason
        program = stack.enter_context(runtimes.Program(watched))
        neighbour = stack.enter_context(runtimes.Program(other))
        program.hear()
        neighbour.hear()
        runs = stack.enter_context(lib.counted_runs())
        trace = stack.enter_context(lib.Trace("-c", watched.name))
        probes = lib.changed_code(watched.pid)
        expect(len(probes) > 5 and all("libc" in probe for probe in probes), f"probes: {probes}")
        expect_equal(lib.changed_code(other.pid), [], "probes in the neighbour")
        neighbour.say("go")
        expect_equal(lib.counted_runs.of_heap(trace), 0, "runs while the neighbour allocates")
        truth = json.loads(program.say("go"))
        expect(lib.counted_runs.of_heap(trace) > 0, "no run while the target allocates")
        report = trace.stop()
        lib.compare(report, truth["sites"])
        expect_untouched(trace, watched.pid, other.pid)


def main():
    global SHOP
    with runtimes.workshop() as SHOP:
        return lib.run_cases()


if __name__ == "__main__":
    sys.exit(main())
