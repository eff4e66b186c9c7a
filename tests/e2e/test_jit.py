#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""unfreed trace through code made at run time: complete, and by the names of its perf map."""

import contextlib
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

import lib
from lib import case, expect, expect_equal

OPTIMISED = ("optimised", "file:///app/my page.js", 12, "native", "[perf map]")
PYTHON = ("Shop.keep", "/app/shop.py", None, "interpreted", "[perf map]")
PLAIN = ("LazyCompile:plain name", None, None, "native", "[perf map]")


def site_of(report, function):
    """The heap site of a function of the target."""
    sites = [site for site in report["sites"]
             if site["kind"] == "heap" and lib.site_function(site) == function]
    expect_equal(len(sites), 1, f"sites of {function}")
    return sites[0]


def caller_of(report, function):
    """The frame from which it was called; its stack is complete."""
    site = site_of(report, function)
    names = [frame["name"] for frame in site["frames"]]
    expect_equal(site["end"], "root", f"end of {names}")
    expect("main" in names, f"no main in {names}")
    frame = site["frames"][names.index(function) + 1]
    return tuple(frame[key] for key in ("name", "file", "line", "type", "module"))


def trace(target, pid):
    with lib.Trace("-p", pid) as tracer:
        truth = target.go()
        report = tracer.stop()
    expect_equal(target.quit(), 0, "exit status")  # it removes its map
    lib.compare(report, truth["sites"])
    lib.expect_no_losses(report)
    return report


@case("jit", "jit-nofp")
def names_and_complete_stacks(program):
    with lib.Target(program) as target:
        report = trace(target, target.pid)
    expect_equal(caller_of(report, "leak_optimised"), OPTIMISED, "caller")
    expect_equal(caller_of(report, "leak_replaced"), PLAIN, "caller")
    expect_equal(caller_of(report, "leak_python"), PYTHON, "caller")


@case()
def map_that_comes_later():
    with lib.Target("jit", "--map", "late") as target:
        report = trace(target, target.pid)
    expect_equal(caller_of(report, "leak_optimised")[0], None, "caller")
    expect_equal(caller_of(report, "leak_python"), PYTHON, "caller")


@case("fifo", "link")
def what_is_no_map(kind):
    with lib.Target("jit", "--map", kind) as target:
        report = trace(target, target.pid)
    expect_equal(caller_of(report, "leak_python"), (None, None, None, "native", "[anonymous]"),
                 "caller")


@case()
def in_namespaces_of_its_own():
    """It calls itself pid 1, and has another /tmp."""
    if not shutil.which("unshare"):
        raise lib.Skip("no unshare")
    with open("/tmp/perf-1.map", "w", encoding="ascii") as decoy:
        decoy.write("0 ffffffff wrong\n")
    with contextlib.ExitStack() as stack:
        stack.callback(os.unlink, "/tmp/perf-1.map")
        target = stack.enter_context(lib.Target(
            "/usr/bin/unshare", "--pid", "--fork", "--mount", "--kill-child", "/bin/sh", "-c",
            # We may lie in /tmp ourselves.
            f"mount --bind {lib.TARGETS} /mnt && mount -t tmpfs none /tmp && exec /mnt/jit"))
        expect_equal(target.pid, 1, "pid in its own namespace")
        with open(f"/proc/{target.process.pid}/task/{target.process.pid}/children",
                  encoding="ascii") as children:
            pid = int(children.read())
        report = trace(target, pid)
    expect_equal(caller_of(report, "leak_optimised"), OPTIMISED, "caller")
    expect_equal(caller_of(report, "leak_python"), PYTHON, "caller")


@case()
def map_of_another_user():
    """Whoever else can write to /tmp has no say."""
    with lib.Target("jit") as target:
        os.chown(f"/tmp/perf-{target.pid}.map", 1234, -1)
        report = trace(target, target.pid)
    expect_equal(caller_of(report, "leak_python")[0], None, "caller")


# -- real ones -------------------------------------------------------------------------------------

NODE = """
const kept = [];
function leakyInner() { for (let i = 0; i < 20; i++) kept.push(Buffer.allocUnsafeSlow(20000)); }
function leakyOuter() { leakyInner(); }
process.stdin.once('data', () => {
    for (let i = 0; i < 50; i++) leakyOuter();
    console.log('{"sites":[]}');
});
console.log('ready ' + process.pid);
"""
PYTHON_SOURCE = """
import os, sys
kept = []
def leaky_inner():
    for _ in range(20):
        kept.append(bytearray(20000))
def leaky_outer():
    leaky_inner()
print("ready", os.getpid(), flush=True)
sys.stdin.readline()
for _ in range(50):
    leaky_outer()
print('{"sites":[]}', flush=True)
sys.stdin.readline()
"""
REAL_BYTES = 50 * 20 * 20000


def expect_leak(report, names, share=0.999):
    """So many bytes, most of them below these functions, on complete stacks."""
    heap = [site for site in report["sites"] if site["kind"] == "heap"]
    below = [site for site in heap
             if names <= {re.sub(r".*\.", "", frame["name"] or "") for frame in site["frames"]}]
    held = sum(site["bytes"] for site in below)
    expect(held >= 0.9 * REAL_BYTES, f"{held} bytes below {names}, not {REAL_BYTES}")
    expect(report["stacks_complete"] >= share, f"{report['stacks_complete']} complete")
    lib.expect_no_losses(report)


def trace_real(*command):
    with tempfile.TemporaryDirectory(prefix="unfreed-") as folder:
        source = os.path.join(folder, "leak")
        with open(source, "w", encoding="utf-8") as stream:
            stream.write(command[-1])
        # node leaves a log where it is started.
        with lib.Target("/usr/bin/env", "-C", folder, *command[:-1], source) as target:
            try:
                with lib.Trace("-p", target.pid) as tracer:
                    target.go()
                    return tracer.stop()
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(f"/tmp/perf-{target.pid}.map")


@case()
def node():
    program = shutil.which("node") or shutil.which("nodejs")
    if not program:
        raise lib.Skip("no node (Debian package nodejs)")
    report = trace_real(program, "--perf-basic-prof", "--interpreted-frames-native-stack", NODE)
    expect_leak(report, {"leakyInner", "leakyOuter"})


def pythons():
    """Interpreters that know -X perf, by their real paths."""
    found = set()
    for name in ("python3.12", "python3.13", "python3.14", "python3"):
        for path in (shutil.which(name), *glob.glob(f"/usr/local/bin/{name}")):
            probe = path and subprocess.run(
                [path, "-c", "import sys, sysconfig; print(sys.executable); sys.exit("
                 "not sysconfig.get_config_var('PY_HAVE_PERF_TRAMPOLINE'))"],
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
            if probe and probe.returncode == 0:
                found.add(os.path.realpath(probe.stdout.strip()))
    return sorted(found)


@case()
def python():
    found = pythons()
    if not found:
        raise lib.Skip("no python3 with -X perf (3.12 or later)")
    for program in found:
        report = trace_real(program, "-X", "perf", PYTHON_SOURCE)
        expect_leak(report, {"leaky_inner", "leaky_outer"})


if __name__ == "__main__":
    sys.exit(lib.run_cases())
