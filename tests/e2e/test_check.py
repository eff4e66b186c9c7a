#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""unfreed check, and trace, with fewer rights: what is missing is named, feature by feature."""

import ctypes
import glob
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

import lib
from lib import case, expect, expect_equal

SECONDS = 60
FEWEST = ("bpf", "perfmon", "sys_ptrace")
BPF = {"CAP_BPF", "CAP_PERFMON"}

CHILD = {"CAP_SETUID", "CAP_SETGID"}

# Those that are held, and what is said to be missing, and for what; but for CHILD, for the sandbox.
SETS = {
    "bpf perfmon sys_ptrace": {"map_files": {"CAP_CHECKPOINT_RESTORE"},
                               "uprobe_perf": {"CAP_SYS_ADMIN"}},
    "bpf perfmon": {"processes": {"CAP_SYS_PTRACE"}, "map_files": {"CAP_CHECKPOINT_RESTORE"},
                    "uprobe_perf": {"CAP_SYS_ADMIN"}},
    "sys_admin": {"processes": {"CAP_SYS_PTRACE"}},
    "sys_admin sys_ptrace": {},
    "sys_ptrace": {"bpf": BPF, "ring_buffer": {"CAP_BPF"}, "process_events": BPF, "deaths": BPF,
                   "page_faults": BPF, "syscall_tracepoints": BPF, "uprobe_perf": {"CAP_SYS_ADMIN"},
                   "uprobe_multi": BPF, "uprobe_session": BPF,
                   "map_files": {"CAP_CHECKPOINT_RESTORE"}},
}


def holding(names):
    """The beginning of a command that root runs with these capabilities alone."""
    if not set(names) <= set(lib.own_capabilities()):
        raise lib.Skip(f"we are not allowed {', '.join(names)} ourselves")
    those = ",".join(["-all"] + [f"+{name}" for name in names])
    return ["setpriv", f"--inh-caps={those}", f"--bounding-set={those}"]


# What root loses with one of them, by feature: the table of unfreed-check(1), read the other way.
WITHOUT = {
    "bpf": (), "perfmon": (), "checkpoint_restore": (), "dac_read_search": (), "sys_resource": (),
    "sys_ptrace": ("processes",), "sys_admin": ("uprobe_perf",), "setuid": ("sandbox",),
    "setgid": ("sandbox",),
}
# The same of another user, who has these.
USER = ("bpf", "perfmon", "sys_ptrace", "checkpoint_restore", "dac_read_search", "setuid", "setgid")
USER_WITHOUT = {
    "bpf": ("bpf", "ring_buffer", "process_events", "syscall_tracepoints", "page_faults",
            "uprobe_multi", "uprobe_session", "deaths"),
    "perfmon": ("bpf", "deaths", "process_events", "syscall_tracepoints", "page_faults", "uprobe_multi",
                "uprobe_session"),
    "sys_ptrace": ("processes",), "checkpoint_restore": ("map_files",),
    "dac_read_search": ("files",), "setuid": (),
}
TRACE_KEEPS = {"dac_read_search", "dac_override", "fowner", "chown", "setuid", "setgid", "setpcap",
               "sys_ptrace", "checkpoint_restore", "sys_admin", "bpf", "perfmon", "sys_resource",
               "sys_nice"}


def run(*command, **options):
    return subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=SECONDS, check=False, **options)


def check(*before, program=lib.UNFREED, **options):
    """(status, {name: feature}) of unfreed check behind the beginning of a command."""
    done = run(*before, program, "check", "--json", **options)
    expect(not done.stderr, done.stderr)
    return done.returncode, {row["name"]: row for row in json.loads(done.stdout)["features"]}


def expect_one_line(done, *words):
    lines = done.stderr.splitlines()
    expect_equal(done.returncode, 1, f"status, with {lines}")
    expect(len(lines) == 1 and not done.stdout, f"not one line: {lines}")
    for word in words:
        expect(word in lines[0], f"no '{word}' in {lines[0]}")


@case(*SETS)
def capabilities_are_named_by_feature(held):
    _, all_rights = check()
    status, features = check(*holding(held.split()))
    missing = {name: set(row["missing_capabilities"]) for name, row in features.items()
               if row["missing_capabilities"]}
    # What does not work with all of them is missing for another reason.
    expected = {name: rights for name, rights in {**SETS[held], "sandbox": CHILD}.items()
                if all_rights[name]["works"] or name in missing}
    expect_equal(missing, expected, "missing")
    for name in missing:
        expect(all(right in features[name]["remedy"] for right in missing[name]),
               f"{name}: {features[name]['remedy']}")
    possible = all(row["works"] or not row["required"] for row in features.values())
    expect_equal(status, 0 if possible else 1, "status")
    with lib.Target("heap_truth") as target:
        done = run(*holding(held.split()), lib.UNFREED, "trace", "-p", target.pid, "-d", "100ms")
    if possible:
        expect_equal(done.returncode, 0, done.stderr)
    else:
        wanted = set().union(*(missing[name] for name in missing if features[name]["required"]))
        expect_one_line(done, "root", "unfreed check")
        expect(any(right in done.stderr for right in wanted), f"{wanted}: {done.stderr}")


def broken(*before):
    """The features that do not work for want of capabilities."""
    return {name for name, row in check(*before)[1].items() if row["missing_capabilities"]}


@case(*WITHOUT)
def root_without(one):
    all_of_them = set(lib.own_capabilities())
    if one not in all_of_them:
        raise lib.Skip(f"we are not allowed {one} ourselves")
    expect_equal(broken(*holding(all_of_them - {one})), broken() | set(WITHOUT[one]), "broken")


def as_user(names):
    those = ",".join(["-all"] + [f"+{name}" for name in names])
    return ["setpriv", "--reuid=65533", "--regid=65533", "--clear-groups", f"--inh-caps={those}",
            f"--ambient-caps={those}", f"--bounding-set={those}"]


@case("nothing", *USER_WITHOUT)
def user_without(one):
    if not set(USER) <= set(lib.own_capabilities()):
        raise lib.Skip(f"we are not allowed {', '.join(USER)} ourselves")
    before = as_user([name for name in USER if name != one])
    always = {"uprobe_perf"}
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        program = shutil.copy(lib.UNFREED, folder)
        status, features = check(*before, program=program)
    found = {name for name, row in features.items() if row["missing_capabilities"]}
    works = {name for name, row in check()[1].items() if row["works"]}  # of what this kernel has
    expect_equal(found & works, (always | set(USER_WITHOUT.get(one, ()))) & works, "broken")


def capabilities_of(text):
    bits = int(re.search(r"^CapPrm:\s*(\w+)", text, re.M)[1], 16)
    return {name for bit, name in enumerate(lib.CAPABILITIES) if bits >> bit & 1}


@case()
def what_is_not_needed_is_dropped():
    with lib.Target("heap_truth") as target, lib.Trace("-p", target.pid) as tracer:
        with open(f"/proc/{tracer.process.pid}/status", encoding="utf-8") as status:
            kept = capabilities_of(status.read())
        truth = target.go()
        report = tracer.stop()
    lib.compare(report, truth["sites"])
    expect(kept <= TRACE_KEEPS, f"it keeps {kept - TRACE_KEEPS}")
    expect({"bpf", "sys_ptrace"} & set(lib.own_capabilities()) <= kept, f"it keeps only {kept}")


@case()
def command_keeps_what_we_were_given():
    done = run(lib.UNFREED, "trace", "-o", "/dev/null", "--", "cat", "/proc/self/status")
    expect_equal(capabilities_of(done.stdout), set(lib.own_capabilities()), "capabilities")


@case()
def fewest_capabilities_give_all_of_the_truth():
    _, features = check()
    if not features["uprobe_multi"]["works"]:
        raise lib.Skip("perf events take CAP_SYS_ADMIN, and this kernel has no other probes")
    # As a library for all: a tracer of fewer rights is started in its stead.
    with lib.Target("heap_truth") as target:
        process = subprocess.Popen(
            [*holding(FEWEST), lib.UNFREED, "trace", "-p", str(target.pid), *lib.EXACT],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            line = process.stderr.readline()
            expect(line.startswith("tracing "), line)
            truth = target.go()
            process.send_signal(2)
            report = json.loads(process.communicate(timeout=SECONDS)[0])
        finally:
            process.kill()
            process.communicate()
    lib.compare(report, truth["sites"])
    lib.expect_no_losses(report)


def instructions(module, symbol):
    """Where the instructions begin of a function's start, as objdump decodes it."""
    names = run("nm", "-D", "--defined-only", module).stdout
    start = next(int(line.split()[0], 16) for line in names.splitlines()
                 if line.split()[-1].split("@")[0] == symbol)
    lines = run("objdump", "-d", f"--start-address={start}", f"--stop-address={start + 48}", module)
    return {int(line.split(":")[0], 16) - start for line in lines.stdout.splitlines()
            if line.startswith("  ") and "\t" in line}


@case()
def places_of_probes_and_what_a_call_takes():
    with lib.Target("heap_truth") as target:
        done = run(lib.UNFREED, "check", "-p", target.pid, "--json")
        table = run(lib.UNFREED, "check", "-p", target.pid).stdout
        expect(not lib.changed_code(target.pid), "a probe is on")
    expect_equal(done.returncode, 0, done.stderr)
    places = {row["function"]: row for row in json.loads(done.stdout)["places"]}
    for function, traps in {"free": 1, "malloc": 2, "calloc": 2, "realloc": 2}.items():
        place = places[function]
        expect_equal((place["traps"], place["single_steps"], place["why"]), (traps, 0, None), place)
        expect(place["skip_bytes"] in instructions(place["module"], function),
               f"{place} is inside an instruction")
        expect(f"{traps}     0 {function}+{place['skip_bytes']}: {place['instruction']}" in table,
               f"{place} is not in the table")
    expect(len(table.splitlines()) > len(places), table)
    expect_one_line(run(lib.UNFREED, "check", "-p", target.pid), "no process")


class Preloaded(lib.Target):
    def start(self, arguments):
        return ["/usr/bin/env", f"LD_PRELOAD={arguments[0]}", *super().start(())]


@case()
def operator_new_of_an_allocator_is_single_stepped_at_its_ends():
    libraries = glob.glob("/usr/lib/*/libjemalloc.so.2")
    if not libraries:
        raise lib.Skip("no libjemalloc.so.2")
    with Preloaded("heap_truth", libraries[0]) as target:
        done = run(lib.UNFREED, "check", "-p", target.pid, "--json")
    places = {row["function"]: row for row in json.loads(done.stdout)["places"]
              if "jemalloc" in row["module"]}
    place = places["_Znwm"]
    expect(place["single_steps"] >= 1 and place["traps"] == 2 + place["single_steps"], place)


def forbid_bpf():
    """A filter of system calls, as a container's: bpf(2) is not permitted."""
    program = struct.pack("<HBBI", 0x20, 0, 0, 0)  # A = number
    program += struct.pack("<HBBI", 0x15, 0, 1, {"x86_64": 321, "aarch64": 280}[os.uname().machine])
    program += struct.pack("<HBBI", 0x06, 0, 0, 0x00050001)  # it: EPERM
    program += struct.pack("<HBBI", 0x06, 0, 0, 0x7fff0000)  # others: allowed
    libc = ctypes.CDLL(None)
    code = ctypes.create_string_buffer(program, len(program))
    rows = ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", 4, ctypes.addressof(code)))
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, rows, 0, 0):
        os._exit(99)


@case()
def filter_of_system_calls():
    status, features = check(preexec_fn=forbid_bpf)
    expect_equal(status, 1, "status")
    expect("seccomp" in (features["seccomp"]["why"] or ""), features["seccomp"])
    expect(features["seccomp"]["required"], features["seccomp"])
    expect(not features["bpf"]["missing_capabilities"], "rights are blamed for a filter")


@case()
def user_namespace():
    done = run("unshare", "-U", "-r", "true")
    if done.returncode:
        raise lib.Skip(f"no user namespace here: {done.stderr}")
    status, features = check("unshare", "-U", "-r")
    expect_equal(status, 1, "status")
    expect(not features["user_namespace"]["works"], features["user_namespace"])


@case("confidentiality", "integrity")
def lockdown(mode):
    words = " ".join(f"[{word}]" if word == mode else word
                     for word in ("none", "integrity", "confidentiality"))
    script = ('mount -t tmpfs lockdown "$1" && echo "$2" >"$1/lockdown" || exit 77; shift 2; '
              'exec "$@"')
    before = ("unshare", "--mount", "sh", "-c", script, "sh", "/sys/kernel/security", words)
    if run(*before, "true").returncode:
        raise lib.Skip("nothing can be mounted at /sys/kernel/security")
    _, features = check(*before)
    expect_equal(features["lockdown"]["works"], mode == "integrity", "lockdown")


if __name__ == "__main__":
    sys.exit(lib.run_cases())
