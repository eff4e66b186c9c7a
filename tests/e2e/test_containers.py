#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""unfreed trace -c: programs of known truth in containers of every runtime that works here.

Usage: test_containers.py [RUNTIME…] [WORD…]: of these runtimes, the cases with one of the words
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import lib
import runtimes

TARGET = os.path.join(lib.BUILD, "tests/targets/heap_truth")
WINDOW = ("-d", "60s", "-f", "json", "--max-overhead", "off", "--min-age", "0s", "--events", "heap")
SECONDS = 60


COMMAND = runtimes.Program.command("heap_truth")


class Program(runtimes.Program):
    """heap_truth in a container."""

    def __init__(self, container):
        super().__init__(container)
        self.hear()

    def truth(self):
        return {site["function"]: site for site in json.loads(self.say("go"))["sites"]}


def trace(key, *options):
    """Result of a trace that is expected to end by itself."""
    return subprocess.run([lib.UNFREED, "trace", "-c", key, *options], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
                          timeout=SECONDS)


def trace_while(key, action):
    """Traces the container while action() runs: the report, and what action returned."""
    return run_while([lib.UNFREED, "trace", "-c", key, *WINDOW], action)


def run_while(command, action, interrupt=True):
    """The same by a command that traces, and ends by itself unless it is interrupted."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               stdin=subprocess.DEVNULL, text=True)
    try:
        seen = []
        for line in process.stderr:
            seen.append(line)
            if line.startswith("tracing"):
                break
        else:
            raise AssertionError(f"no 'tracing' line: {''.join(seen).strip()}")
        result = action()
        if interrupt:
            process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=SECONDS)
        if process.returncode:
            raise AssertionError(f"status {process.returncode}: {errors.strip()}")
        return json.loads(output), result
    finally:
        process.kill()
        process.communicate()


def compare(report, truth):
    """Sites of the report against the program's own count, by the site's function."""
    found = {}
    for site in report["sites"]:
        names = [frame["name"] or "" for frame in site["frames"]]
        name = next((name for name in names if name.startswith(("leak_", "churn_"))), None)
        if name:
            sums = found.setdefault(name, [0, 0])
            sums[0] += site["bytes"]
            sums[1] += site["blocks"]
    for name, site in truth.items():
        expected = [site["bytes"], site["blocks"]]
        if found.get(name, [0, 0]) != expected:
            raise AssertionError(f"{name}: {found.get(name)} bytes and blocks, not {expected}")
    return len(truth)


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def pids_of(report):
    return {process["pid"] for process in report["processes"]}


# -- cases -----------------------------------------------------------------------------------------

def case_known_truth(rig):
    """a container is traced by its name, and every site holds what the program says"""
    container = rig.run("unfreed-truth", COMMAND)
    program = Program(container)
    with contextlib.closing(program):
        report, truth = trace_while(container.name, program.truth)
        compare(report, truth)
        expect(container.pid in pids_of(report), f"no pid {container.pid} in {pids_of(report)}")
        expect(len(pids_of(report)) == 2, f"{pids_of(report)}: not the program and its child")


def case_id_prefix(rig):
    """a container is found by the beginning of its id"""
    container = rig.run("unfreed-prefix", ["/bin/sleep", "1000"])
    done = trace(container.id[:-1] if len(container.id) < 64 else container.id[:12], "-d", "1s",
                 "-f", "json")
    expect(done.returncode == 0, done.stderr)
    expect(pids_of(json.loads(done.stdout)) == {container.pid}, done.stdout[:500])


def case_entered(rig):
    """a process that entered a container is of it"""
    container = rig.run("unfreed-entered", ["/bin/sleep", "1000"])
    rig.command(container.name, ["/bin/sleep", "777"])
    runtimes.wait_for(lambda: len(members(container)) == 2, "second process")
    done = trace(container.name, "-d", "1s", "-f", "json")
    expect(done.returncode == 0, done.stderr)
    expect(pids_of(json.loads(done.stdout)) == members(container), done.stdout[:500])
    # Its second look asks anew who is in it.
    done = subprocess.run([lib.UNFREED, "heap", "-c", container.name, "-d", "100ms", "--json"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, text=True,
                          timeout=SECONDS)
    pids = [process["pid"] for process in json.loads(done.stdout)["processes"]]
    expect(sorted(pids) == sorted(members(container)), f"looked at: {pids}")


def members(container):
    """Pids in the container's pid namespace that run what its init runs."""
    init = f"/proc/{container.pid}"
    wanted = os.readlink(f"{init}/ns/pid")
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            # The runtime's own helper is there for a moment.
            if os.readlink(f"/proc/{pid}/ns/pid") == wanted and \
                    os.path.samefile(f"/proc/{pid}/exe", f"{init}/exe"):
                found.add(int(pid))
    return found


def case_stopped(rig):
    """a container is refused when it has stopped"""
    # While another runs, its monitor tells where this rig's podman keeps its state.
    rig.run("unfreed-beside", ["/bin/sleep", "1000"])
    container = rig.run("unfreed-stopped", ["/bin/sleep", "1000"])
    rig.stop(container)
    done = trace(container.name, "-d", "1s")
    expect(done.returncode == 1, f"status {done.returncode}")
    expect("is not running" in done.stderr, done.stderr)
    expect(len(done.stderr.splitlines()) == 1, done.stderr)


def case_several(rig):
    """the beginning of two ids is refused, and both are listed"""
    if rig.name not in ("runc", "containerd", "crun"):
        raise runtimes.Unavailable(f"{rig.name} chooses the ids")
    for name in ("unfreed-pair-a", "unfreed-pair-b"):
        rig.run(name, ["/bin/sleep", "1000"])
    done = trace("unfreed-pair", "-d", "1s")
    expect(done.returncode == 1, f"status {done.returncode}")
    expect("unfreed-pair-a" in done.stderr and "unfreed-pair-b" in done.stderr, done.stderr)


def case_neighbour(rig):
    """another container of the same image is left alone"""
    neighbour = Program(rig.run("unfreed-neighbour", COMMAND))
    container = rig.run("unfreed-watched", COMMAND)
    program = Program(container)
    with contextlib.closing(neighbour), contextlib.closing(program):
        report, _ = trace_while(container.name, neighbour.truth)
        expect(report["heap"]["allocated_blocks"] == 0, f"{report['heap']}")


# -- unfreed in a container ------------------------------------------------------------------------

def privileged_runc(host_pid):
    """What changes in a container's configuration: all rights, the host's files at /host."""
    def change(spec):
        allowed = ["CAP_" + name.upper() for name in lib.own_capabilities()]
        spec["process"]["capabilities"] = {kind: allowed for kind in
                                           ("bounding", "effective", "permitted")}
        spec["process"]["noNewPrivileges"] = False
        spec["linux"]["resources"]["devices"] = [{"allow": True, "access": "rwm"}]
        for key in ("maskedPaths", "readonlyPaths", "seccomp"):
            spec["linux"].pop(key, None)
        spec["mounts"] = [mount for mount in spec["mounts"]
                          if mount["destination"] not in ("/sys", "/sys/fs/cgroup")]
        spec["mounts"] += [{"destination": "/sys", "type": "none", "source": "/sys",
                            "options": ["rbind"]},
                           {"destination": "/host", "type": "none", "source": "/",
                            "options": ["rbind", "rslave"]}]
        if host_pid:
            spec["linux"]["namespaces"] = [row for row in spec["linux"]["namespaces"]
                                           if row["type"] != "pid"]
    return {"change": change}


def privileged_docker(host_pid):
    """The same as its options: --privileged, less the rights that root lacks here."""
    rights = [name for name in lib.own_capabilities()
              if name not in ("perfmon", "bpf", "checkpoint_restore")]  # parts of sys_admin
    options = [f"--cap-add={name.upper()}" for name in rights]
    options += [f"--security-opt={name}=unconfined" for name in ("seccomp", "apparmor", "systempaths")]
    return {"options": [*options, *(["--pid=host"] if host_pid else []), "-v=/:/host", "-v=/sys:/sys"]}


PRIVILEGED = {"runc": privileged_runc, "docker": privileged_docker}


def inside(rig, container, *arguments):
    """The command that runs unfreed in a container."""
    client = (rig.name,)
    if rig.name == "docker":
        client = ("/usr/bin/docker", "-H", f"unix://{rig.path('sock')}")
    return [*client, "exec", container.name, "/bin/unfreed", *arguments]


def run_inside(rig, container, *arguments):
    return subprocess.run(inside(rig, container, *arguments), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
                          timeout=SECONDS)


def case_daemon_set(rig):
    """unfreed in a privileged container with the host's pids traces another container"""
    place = rig.run("unfreed-place", ["/bin/sleep", "1000"], **PRIVILEGED[rig.name](host_pid=True))
    done = run_inside(rig, place, "check")
    expect(done.returncode == 0, f"check: {done.stdout}{done.stderr}")
    container = rig.run("unfreed-beside-place", COMMAND)
    with contextlib.closing(Program(container)) as program:
        def work():
            truth = program.truth()
            program.tell("quit")  # docker passes no signal on to what exec runs
            return truth

        report, truth = run_while(inside(rig, place, "trace", "-c", container.name,
                                         "--host-root", "/host", *WINDOW), work, interrupt=False)
    compare(report, truth)
    expect(container.pid in pids_of(report), f"no pid {container.pid} in {pids_of(report)}")


def case_own_pids(rig):
    """unfreed in a privileged container with pids of its own traces those, and says what it misses"""
    container = rig.run("unfreed-own", COMMAND, **PRIVILEGED[rig.name](host_pid=False))
    other = rig.run("unfreed-other", ["/bin/sleep", "1000"])
    with contextlib.closing(Program(container)) as program:
        for options, remedy in (((), "--host-root"), (("--host-root", "/host"), "--pid=host")):
            done = run_inside(rig, container, "trace", "-c", other.name, "-d", "1s", *options)
            expect(done.returncode == 1, f"status {done.returncode}: {done.stderr}")
            expect(len(done.stderr.splitlines()) == 1 and remedy in done.stderr, done.stderr)
        report, truth = run_while(inside(rig, container, "trace", "-p", "1", *WINDOW),
                                  program.truth)
    compare(report, truth)
    expect(1 in pids_of(report), f"{pids_of(report)}: not its own pids")


CASES = (case_known_truth, case_id_prefix, case_entered, case_stopped, case_several, case_neighbour)
PLACES = {"runc": (case_daemon_set, case_own_pids), "docker": (case_daemon_set,)}


def check_runtime(shop, name, rootfs, words):
    try:
        with shop.rig(name, rootfs) as rig:
            for case in CASES + PLACES.get(name, ()):
                if words and not any(word in case.__doc__ for word in words):
                    continue
                title = f"{name}: {case.__doc__}"
                begin = time.monotonic()
                try:
                    case(rig)
                except runtimes.Unavailable as reason:
                    lib.skip(title, reason)
                except (AssertionError, subprocess.TimeoutExpired) as failure:
                    lib.not_ok(title, failure)
                else:
                    lib.ok(f"{title} ({time.monotonic() - begin:.1f} s)")
                rig.clear()
    except runtimes.Unavailable as reason:
        lib.skip(f"{name}: all", reason)


def main():
    names = [word for word in sys.argv[1:] if word in runtimes.RIGS] or list(runtimes.RIGS)
    words = [word for word in sys.argv[1:] if word not in runtimes.RIGS]
    with runtimes.workshop() as shop:
        rootfs = shop.rootfs([TARGET, lib.UNFREED])
        for name in names:
            check_runtime(shop, name, rootfs, words)
    done = trace("unfreed-no-such-container", "-d", "1s")
    title = "a container that does not exist is one line and status 1"
    if done.returncode == 1 and "no container 'unfreed-no-such-container'" in done.stderr:
        lib.ok(title)
    else:
        lib.not_ok(title, done.stderr)
    return lib.summary()


if __name__ == "__main__":
    sys.exit(main())
