#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The ways to name a target: a command, a name, a control group, a pod; and a pid namespace of our own."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

import lib
import runtimes
from lib import case, expect, expect_equal

DONE, FAILED, USAGE, OVER = range(4)
EVERY = ("--max-overhead", "off")
SHORT = ("-d", "100ms", "-f", "json")
SECONDS = 60
CGROUPS = "/sys/fs/cgroup"

FOLDER = None


def unfreed(*arguments, **options):
    """Runs a trace to its end: status, output, errors."""
    return subprocess.run([lib.UNFREED, "trace", *map(str, arguments)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=SECONDS, check=False, **options)


def expect_refused(done, status, *words):
    """One line that says why, with these words in it. No report."""
    lines = done.stderr.splitlines()
    expect_equal(done.returncode, status, f"status, with {lines}")
    expect(len(lines) == 1 and lines[0].startswith("unfreed: "), f"not one line: {lines}")
    for word in words:
        expect(str(word) in lines[0], f"no '{word}' in {lines[0]}")


def pids_of(report):
    return {process["pid"] for process in report["processes"]}


def trace_command(*command, options=()):
    """(report, what the command wrote) of a traced command."""
    path = os.path.join(FOLDER, "report")
    done = unfreed("-f", "json", "-o", path, *options, "--", *command)
    expect_equal(done.returncode, DONE, done.stderr)
    with open(path, encoding="utf-8") as file:
        return json.load(file), done.stdout


def startup(*arguments, program="startup"):
    return (os.path.join(lib.TARGETS, program), *map(str, arguments))


# -- commands --------------------------------------------------------------------------------------


@case("startup", "startup-nofp")
def command_from_its_first_instruction(program):
    report, output = trace_command(*startup(program=program))
    lib.compare(report, json.loads(output)["sites"])
    expect_equal(report["heap"]["unmatched_frees"], 0, "frees of blocks that were not seen")
    expect_equal(report["window"]["ended_by"], "target exited", "end of the window")
    lib.expect_no_losses(report)


@case()
def constructors_of_libraries_are_seen():
    # The only block that libstdc++ allocates before main: its pool for exceptions.
    report, _ = trace_command(os.path.join(lib.TARGETS, "heap_truth"))
    modules = [(site["blocks"], [os.path.basename(frame["module"] or "") for frame in site["frames"]])
               for site in report["sites"] if site["kind"] == "heap"]
    early = [blocks for blocks, frames in modules
             if len(frames) > 1 and frames[1].startswith("libstdc++") and "heap_truth" not in frames]
    expect_equal(early, [1], f"blocks of libstdc++ in {modules}")


@case()
def status_of_a_command():
    for arguments, ending in ((("--status", 7), {"exit_status": 7}), ((), {"exit_status": 0}),
                              (("--signal", signal.SIGKILL.value), {"signal": 9})):
        report, _ = trace_command(*startup(*arguments))
        expect_equal(report["command"], ending, f"command {arguments}")
    done = unfreed("--fail-over", "1K", "--", *startup("--status", 7))
    expect_equal(done.returncode, OVER, done.stderr)


@case()
def command_and_report_share_the_output():
    done = unfreed(*EVERY, "-f", "json", "--", *startup())
    truth, report = map(json.loads, done.stdout.splitlines())
    lib.compare(report, truth["sites"])


@case()
def table_of_a_command_leaves_nothing_out():
    done = unfreed("--", *startup("--status", 3))
    for word in ("leak_before_main", "leak_in_main", "exit status 3"):
        expect(word in done.stdout, f"no '{word}' in the table: {done.stdout}")


@case()
def command_that_cannot_run():
    text = os.path.join(FOLDER, "text")
    with open(text, "w", encoding="ascii") as file:
        file.write("no program")
    expect_refused(unfreed("--", "/no/such"), FAILED, "/no/such", "No such file")
    expect_refused(unfreed("--", "no-such-command"), FAILED, "no-such-command")
    expect_refused(unfreed("--", text), FAILED, text, "Permission denied")
    expect_refused(unfreed("--"), USAGE)
    expect_refused(unfreed("-p", 1, "--", "true"), USAGE)
    expect_refused(unfreed("true"), USAGE, "--")


@case()
def command_that_its_loader_refuses():
    broken = os.path.join(FOLDER, "broken")
    with open(startup()[0], "rb") as whole, open(broken, "wb") as file:
        file.write(whole.read().replace(b"libc.so.6\0", b"libx.so.6\0"))
    os.chmod(broken, 0o755)
    done = unfreed("--", broken)
    expect_equal(done.returncode, FAILED, done.stderr)
    expect("libx.so.6" in done.stderr and "status 127" in done.stderr, done.stderr)


@contextlib.contextmanager
def waiting_command(*options):
    """A traced command that waits for "go": (unfreed's process, pid of the command)."""
    process = subprocess.Popen(
        [lib.UNFREED, "trace", *EVERY, "-o", os.path.join(FOLDER, "report"), "-f", "json", *options, "--",
         *startup("--wait", 1)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        word, pid = process.stdout.readline().split()
        expect_equal(word, "ready", "the command's first word")
        yield process, int(pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def read_report():
    with open(os.path.join(FOLDER, "report"), encoding="utf-8") as file:
        return json.load(file)


@case()
def command_goes_on_after_the_window():
    with waiting_command("-d", "100ms") as (process, pid):
        expect_equal(process.wait(SECONDS), DONE, "status")
        with open(f"/proc/{pid}/status", encoding="utf-8") as status:
            lines = status.read().splitlines()
        expect("TracerPid:\t0" in lines, f"traced: {lines}")
        lib.eventually(lambda: lib.changed_code(pid), "probes left in the command")
        report = read_report()
        expect_equal(report["window"]["ended_by"], "duration", "end of the window")
        expect("command" not in report, f"status of a command that runs: {report.get('command')}")
        process.stdin.write("go\n")
        process.stdin.flush()
        expect(process.stdout.readline().startswith('{"sites"'), "the command's answer")


@case()
def interrupt_ends_the_window_of_a_command():
    with waiting_command() as (process, pid):
        process.send_signal(signal.SIGINT)
        expect_equal(process.wait(SECONDS), DONE, "status")
        expect_equal(read_report()["window"]["ended_by"], "interrupted", "end of the window")
        expect(runtimes.alive(pid), "the command got a signal that was not for it")
    with waiting_command() as (process, pid):
        os.killpg(process.pid, signal.SIGINT)
        expect_equal(process.wait(SECONDS), DONE, "status")
        lib.eventually(lambda: runtimes.alive(pid), "the command is still there")


@case()
def command_that_becomes_another_or_leaves_a_child():
    report, _ = trace_command("sh", "-c", f"exec {startup()[0]} --status 4")
    expect_equal(report["command"], {"exit_status": 4}, "status behind exec")
    # The second one is not held: it may be over before it is looked at, and is told as a loss then.
    states = [process["state"] for process in report["processes"]]
    expect(states == ["replaced", "exited"] or
           states == ["replaced"] and report["losses"]["short_lived"], f"of the command: {states}")
    report, _ = trace_command("sh", "-c", "sleep 100 >/dev/null 2>&1 & exit 6")
    expect_equal(report["command"], {"exit_status": 6}, "status beside a child")
    child = [process for process in report["processes"] if process["state"] == "running"]
    expect_equal([process["comm"] for process in child], ["sleep"], "processes left")
    os.kill(child[0]["pid"], signal.SIGKILL)


@case()
def static_command():
    busybox = shutil.which("busybox")
    if not busybox or runtimes.libraries(busybox):
        raise lib.Skip("no static busybox (Debian package busybox-static)")
    report, output = trace_command(busybox, "echo", "said")
    expect_equal(output, "said\n", "output")
    expect_equal(report["command"], {"exit_status": 0}, "status")
    expect(report["mapping"]["mapped_bytes"] > 0, f"its mappings: {report['mapping']}")


@case()
def command_of_another_loader():
    if not shutil.which("musl-gcc"):
        raise lib.Skip("no musl-gcc (Debian package musl-tools)")
    program = os.path.join(FOLDER, "musl")
    subprocess.run(["musl-gcc", "-x", "c", "-o", program, "-"], check=True, text=True,
                   input="int main(void) { return 5; }")
    report, _ = trace_command(program)
    expect_equal(report["command"], {"exit_status": 5}, "status")


@case()
def empty_name_is_wrong_usage():
    # Without a privilege: an empty path that were taken for the root of all groups harms nobody.
    for option in ("-p", "-c", "--pod", "--cgroup", "-n"):
        done = subprocess.run(
            ["setpriv", "--reuid=65534", "--clear-groups", "--bounding-set=-all", lib.UNFREED,
             "trace", option, "", *SHORT], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, timeout=SECONDS, check=False)
        expect_refused(done, USAGE, "empty")


# -- names -----------------------------------------------------------------------------------------


@contextlib.contextmanager
def named(name, count):
    """Processes of a name that nothing else has."""
    path = os.path.join(FOLDER, name)
    shutil.copy(startup()[0], path)
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(lib.Target(path, "--wait", 1)) for _ in range(count)]


@case("uf-one", "uf-a-name-of-more-than-15-characters")
def process_by_its_name(name):
    with named(name, 1) as (target,), lib.Trace("-n", name) as trace:
        truth = target.go()
        report = trace.report()
    lib.compare(report, truth["sites"], only=("leak_in_main",))


@case()
def name_of_several_or_none():
    with named("uf-two", 2) as targets:
        expect_refused(unfreed("-n", "uf-two"), FAILED, *(target.pid for target in targets))
        expect_refused(unfreed("-n", "uf-tw"), FAILED, "no process", "uf-tw")


# -- control groups --------------------------------------------------------------------------------


def mounts(kind, option=""):
    """Where control groups of a kind are mounted."""
    with open("/proc/self/mounts", encoding="utf-8") as file:
        rows = [line.split() for line in file]
    return [row[1] for row in rows if row[2] == kind and option in row[3].split(",") + [""]]


@contextlib.contextmanager
def group(top, *names):
    """A control group, and those in it; the path of the last one."""
    made = []
    path = top
    try:
        for name in names:
            path = os.path.join(path, name)
            os.mkdir(path)
            made.append(path)
    except OSError as error:
        raise lib.Skip(f"no control group can be made at {path}: {error}") from error
    try:
        yield path
    finally:
        for path in reversed(made):
            lib.eventually(lambda: not remove(path), f"cannot remove {path}")


def remove(path):
    with contextlib.suppress(OSError):
        os.rmdir(path)
    return not os.path.exists(path)


def enter(path, pid):
    with open(os.path.join(path, "cgroup.procs"), "w", encoding="ascii") as file:
        file.write(str(pid))


@case("cgroup memory", "cgroup pids", "cgroup2")
def control_group(kind):
    tops = mounts(*kind.split())
    if not tops:
        raise lib.Skip(f"no {kind} is mounted")
    name = f"unfreed-{os.getpid()}"
    with group(tops[0], name, "below") as path:
        outer = os.path.dirname(path)
        for key in (name, f"/{name}", outer, f"{name}/below"):
            with lib.Target("heap_truth") as inside, lib.Target("heap_truth") as outside:
                enter(path, inside.pid)
                with lib.Trace("--cgroup", key, options=(*lib.EXACT, "--events", "heap")) as trace:
                    truth = inside.go()
                    outside.go()
                    report = trace.stop()
            lib.compare(report, truth["sites"])
            expect_equal(pids_of(report), {inside.pid}, f"processes of {key}")
        expect_refused(unfreed("--cgroup", name, *SHORT), FAILED, "no running process")


@case("cgroup memory", "cgroup2")
def process_that_enters_a_control_group(kind):
    tops = mounts(*kind.split())
    if not tops:
        raise lib.Skip(f"no {kind} is mounted")
    name = f"unfreed-{os.getpid()}"
    with group(tops[0], name) as path, lib.Target("heap_truth") as first, \
            lib.Target("heap_truth") as later:
        enter(path, first.pid)
        with lib.Trace("--cgroup", name, options=(*lib.EXACT, "--events", "heap")) as trace:
            enter(path, trace.process.pid)  # first: it would be found by now
            enter(path, later.pid)
            lib.eventually(lambda: not lib.changed_code(later.pid), "it is not probed")
            truth = later.go()
            report = trace.stop()
        enter(tops[0], first.pid)
        enter(tops[0], later.pid)
    lib.compare(report, truth["sites"])
    expect_equal(pids_of(report), {first.pid, later.pid}, "processes")


@case()
def control_group_that_is_not_there():
    for path in ("no/such", "/etc", "../../etc", ""):
        if path:
            expect_refused(unfreed("--cgroup", path, *SHORT), FAILED, "no control group", path)


# -- pods ------------------------------------------------------------------------------------------


class Kubelet(runtimes.Containerd):
    """containerd, told by annotations what the CRI plugin would: names are NAMESPACE_POD_CONTAINER."""

    def launch(self, name, argv, memory):
        namespace, pod, container = name.split("_")
        notes = {"container-type": "sandbox" if container == "POD" else "container",
                 "sandbox-namespace": namespace, "sandbox-name": pod}
        if container != "POD":
            notes["container-name"] = container
        self.tool("run", "-d", "--memory-limit", str(runtimes.bytes_of(memory)), "--null-io",
                  *(word for key, value in notes.items()
                    for word in ("--annotation", f"io.kubernetes.cri.{key}={value}")),
                  "--rootfs", self.copy(name), name, *argv)
        tasks = self.tool("tasks", "ls").splitlines()
        return name, next(int(line.split()[1]) for line in tasks if line.split()[0] == name)


def pods(rig):
    sleep = ["/bin/sleep", "1000"]
    rows = {name: rig.run(name, sleep).pid
            for name in ("shop_web_POD", "shop_web_app", "shop_web_proxy", "test_web_app",
                         "test_db_main")}
    for key, names in (("shop/web", ("shop_web_app", "shop_web_proxy")),
                       ("shop/web/app", ("shop_web_app",)), ("web/proxy", ("shop_web_proxy",)),
                       ("db", ("test_db_main",)), ("db/main", ("test_db_main",))):
        done = unfreed("--pod", key, *SHORT)
        expect_equal(done.returncode, DONE, done.stderr)
        expect_equal(pids_of(json.loads(done.stdout)), {rows[name] for name in names}, key)
    expect_refused(unfreed("--pod", "web", *SHORT), FAILED, "shop/web", "test/web")
    expect_refused(unfreed("--pod", "web/app", *SHORT), FAILED, "shop/web/app", "test/web/app")
    for key in ("none", "shop/db", "shop/web/POD"):
        expect_refused(unfreed("--pod", key, *SHORT), FAILED, "no pod", key)
    for key in ("a/b/c/d", "/web"):
        expect_refused(unfreed("--pod", key, *SHORT), FAILED)


@case()
def pod_of_containerd():
    with runtimes.workshop() as shop:
        try:
            work = shop.subfolder("kubelet")
            os.makedirs(work)
            with Kubelet(work, shop.rootfs()) as rig:
                pods(rig)
        except runtimes.Unavailable as reason:
            raise lib.Skip(reason) from reason


# -- unfreed's own place ---------------------------------------------------------------------------


def in_pid_namespace(*command):
    return ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", *command]


@case()
def command_in_a_pid_namespace_of_our_own():
    path = os.path.join(FOLDER, "report")
    done = subprocess.run(
        in_pid_namespace(lib.UNFREED, "trace", *EVERY, "-f", "json", "-o", path, "--", *startup()),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        timeout=SECONDS, check=False)
    expect_equal(done.returncode, DONE, done.stderr)
    report = read_report()
    lib.compare(report, json.loads(done.stdout)["sites"])
    expect(max(pids_of(report)) < 100, f"pids of the host: {pids_of(report)}")
    expect_equal(report["window"]["ended_by"], "target exited", "end of the window")


@case()
def process_in_a_pid_namespace_of_our_own():
    # Its shell ends with the target: what the tracer sees is the kernel's record of that.
    script = ('mkfifo "$1/in" "$1/out"; "$2" <"$1/in" >"$1/out" & target=$!; '
              'exec 3>"$1/in" 4<"$1/out"; read -r ready pid <&4; [ "$pid" = "$target" ] || exit 1; '
              '"$3" trace -p "$target" -d 60s -f json --min-age 0s --max-overhead off 2>"$1/errors" & '
              'until grep -q ^tracing "$1/errors"; do kill -0 $! || exit 2; done; '
              'echo go >&3; read -r truth <&4; echo "$truth"; echo quit >&3; exec 3>&-; wait $!')
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        done = subprocess.run(
            in_pid_namespace("bash", "-c", script, "bash", folder,
                             os.path.join(lib.TARGETS, "heap_truth"), lib.UNFREED),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            timeout=SECONDS, check=False)
    expect_equal(done.returncode, DONE, done.stderr)
    truth, report = map(json.loads, done.stdout.splitlines())
    lib.compare(report, truth["sites"])
    expect_equal(report["window"]["ended_by"], "target exited", "end of the window")
    lib.expect_no_losses(report)


def from_own_namespace(*arguments):
    return subprocess.run(in_pid_namespace(lib.UNFREED, "trace", *arguments, *SHORT), check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=SECONDS)


@case()
def root_of_the_host_elsewhere():
    root = os.path.join(FOLDER, "host")
    os.mkdir(root)
    expect_refused(unfreed("-c", "x", "--host-root", root + "/none", *SHORT), FAILED, "none")
    expect_refused(from_own_namespace("-c", "x", "--host-root", root), FAILED, root, "--pid=host")
    expect_refused(unfreed("--cgroup", "/sys/none", "--host-root", root, *SHORT), FAILED, "/sys/none")
    with runtimes.workshop() as shop:
        try:
            rig = shop.rig("runc", shop.rootfs())
            rig.__enter__()
            container = rig.run("unfreed-host-root", ["/bin/sleep", "1000"])
            runtimes.run("mount", "--rbind", "/", root)
        except runtimes.Unavailable as reason:
            raise lib.Skip(reason) from reason
        try:
            runtimes.run("mount", "--make-rprivate", root)
            done = unfreed("-c", container.name, "--host-root", root, *SHORT)
            expect_equal(done.returncode, DONE, done.stderr)
            expect_equal(pids_of(json.loads(done.stdout)), {container.pid}, "processes")
        finally:
            runtimes.run("umount", "-l", root)
            rig.close()


# -- the end ---------------------------------------------------------------------------------------


@case()
def second_signal_leaves_no_file():
    folder = tempfile.mkdtemp(dir=FOLDER)
    with lib.Target("heap_truth") as target, lib.Trace(
            "-p", target.pid, "-o", os.path.join(folder, "report"), options=("-d", "600s")) as trace:
        expect(os.listdir(folder), "nothing is written aside: this proves nothing")
        # Both are there before it can act on the first.
        for number in (signal.SIGSTOP, signal.SIGINT, signal.SIGTERM, signal.SIGCONT):
            trace.process.send_signal(number)
        status = trace.process.wait(SECONDS)
    expect(status in (-signal.SIGINT, -signal.SIGTERM), f"status {status}")
    expect_equal(os.listdir(folder), [], "files left behind")


def main():
    global FOLDER
    with tempfile.TemporaryDirectory(prefix="unfreed-") as FOLDER:
        os.chmod(FOLDER, 0o755)
        return lib.run_cases()


if __name__ == "__main__":
    sys.exit(main())
