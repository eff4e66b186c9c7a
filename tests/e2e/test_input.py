#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What unfreed says to what it cannot do: one line, the right exit status, and no file left behind."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

import lib
import runtimes
from lib import case, expect, expect_equal

DONE, FAILED, USAGE, OVER = range(4)
NOBODY = 65534
SECONDS = 60

FOLDER = None


def unfreed(*arguments, program=lib.UNFREED, **options):
    """Runs it to its end: status, output, errors."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.run([program, *map(str, arguments)], stdin=subprocess.DEVNULL, text=True,
                          timeout=SECONDS, check=False, **streams)


def trace(*arguments, **options):
    return unfreed("trace", *arguments, "-d", "100ms", **options)


def expect_refused(done, status, *words):
    """One line that says why, with these words in it. No report."""
    lines = [line for line in done.stderr.splitlines() if not line.startswith("tracing ")]
    expect_equal(done.returncode, status, f"status, with {lines}")
    expect(len(lines) == 1 and lines[0].startswith("unfreed: "), f"not one line: {lines}")
    for word in words:
        expect(str(word) in lines[0], f"no '{word}' in {lines[0]}")
    expect(not done.stdout, f"output: {done.stdout}")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


@contextlib.contextmanager
def running(*command, **options):
    """A process that waits for its input to end. Ends with the case."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                               **options)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


# -- targets that cannot be traced -----------------------------------------------------------------


@case()
def pid_that_is_gone():
    gone = subprocess.Popen(["true"])
    gone.wait()
    expect_refused(trace("-p", gone.pid), FAILED, "no process", gone.pid)


@case()
def kernel_thread():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            if int(stat.read().rpartition(")")[2].split()[6]) & 0x200000:  # PF_KTHREAD
                expect_refused(trace("-p", pid), FAILED, "kernel thread", pid)
                return
    raise lib.Skip("no kernel thread is seen in this pid namespace")


@case()
def thread_of_a_process():
    with contextlib.ExitStack() as stack:
        end = threading.Event()
        stack.callback(end.set)
        thread = threading.Thread(target=end.wait)
        thread.start()
        expect_refused(trace("-p", thread.native_id), FAILED, f"-p {os.getpid()}")


@case()
def zombie():
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    expect_refused(trace("-p", process.pid), FAILED, "has exited")
    process.wait()


@case()
def program_of_32_bits():
    # pause() for ever, in one page: an ELF header, a program header, 9 bytes of code.
    code = bytes.fromhex("b81d000000 cd80 ebf7")
    words = [0x464C457F, 0x00010101, 0, 0, 0x00030002, 1, 0x08048054, 0x34, 0, 0, 0x00200034, 1,
             0, 1, 0, 0x08048000, 0x08048000, 0x54 + len(code), 0x54 + len(code), 5, 0x1000]
    path = os.path.join(FOLDER, "pause32")
    with open(path, "wb") as program:
        program.write(b"".join(word.to_bytes(4, "little") for word in words) + code)
    os.chmod(path, 0o755)
    try:
        with running(path) as process:
            expect_refused(trace("-p", process.pid), FAILED, "32-bit")
    except OSError as error:
        raise lib.Skip(f"this kernel runs no 32-bit program: {error}") from error


@case()
def container_that_is_not_there():
    expect_refused(trace("-c", "unfreed-no-such"), FAILED, "no container 'unfreed-no-such'")


@case()
def container_that_stopped_and_prefix_of_two():
    with runtimes.workshop() as shop, contextlib.ExitStack() as stack:
        try:
            rig = stack.enter_context(shop.rig("runc", shop.rootfs()))
            pair = [rig.run(f"unfreed-input-{which}", ["/bin/sleep", "1000"]) for which in "ab"]
        except runtimes.Unavailable as reason:
            raise lib.Skip(reason) from reason
        expect_refused(trace("-c", "unfreed-input"), FAILED, *(each.id for each in pair))
        rig.stop(pair[0])
        expect_refused(trace("-c", pair[0].name), FAILED, "is not running")


# -- privileges and arguments ----------------------------------------------------------------------


@case()
def no_privilege():
    program = os.path.join(FOLDER, "unfreed")
    shutil.copy(lib.UNFREED, program)
    as_nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    with running("cat") as other, running("cat", **as_nobody) as own:
        for pid in (other.pid, own.pid):
            expect_refused(trace("-p", pid, program=program, **as_nobody), FAILED, "root")
    check = unfreed("check", program=program, **as_nobody)
    expect_equal(check.returncode, FAILED, "status of check")
    expect("run as root" in check.stdout and not check.stderr, check.stdout + check.stderr)
    expect("newer kernel" not in check.stdout, "the kernel is blamed for a lack of rights")


@case("", "trace", "trace -p", "trace -p 1 -c x", "trace -p x", "trace -p 1 more", "trace -p 1 -d x",
      "trace -p 1 -d -1s", "trace -p 1 -t x", "trace -p 1 -f x", "trace -p 1 -i 0s",
      "trace -p 1 -i 1s -f html",
      "trace -p 1 --events x", "trace -p 1 --events ,", "trace -p 1 --stack x",
      "trace -p 1 --max-overhead x", "trace -p 1 --max-blocks 0", "trace -p 1 --probe x",
      "trace -p 1 --fail-over x", "trace -p 1 --no-such", "trace -p 1 -X", "no-such", "check more")
def usage(line):
    done = unfreed(*line.split())
    if line:
        expect_refused(done, USAGE)
    else:
        expect_equal(done.returncode, USAGE, "status")
        expect(done.stderr.startswith("usage: ") and not done.stdout, "no usage on stderr")


# -- outputs ---------------------------------------------------------------------------------------


@case()
def output_into_a_folder_that_is_not_there():
    with running("cat") as cat:
        expect_refused(trace("-p", cat.pid, "-o", f"{FOLDER}/none/x"), FAILED, f"{FOLDER}/none/x")
        expect_refused(trace("-p", cat.pid, "-o", FOLDER), FAILED, "directory")


@case("table", "json", "svg", "pprof")  # nothing happens: folded writes nothing
def full_device(form):
    with running("cat") as cat, open("/dev/full", "w", encoding="ascii") as full:
        for where in {"stdout": full}, {}:
            done = trace("-p", cat.pid, "-f", form, *(() if where else ("-o", "/dev/full")), **where)
            expect_refused(done, FAILED, "No space left")


@case()
def closed_pipe():
    reading, writing = os.pipe()
    os.close(reading)
    with running("cat") as cat:
        done = trace("-p", cat.pid, stdout=writing)
    os.close(writing)
    expect_refused(done, FAILED, "Broken pipe")


@case()
def output_is_whole_or_not_there():
    folder = tempfile.mkdtemp(dir=FOLDER)
    path = os.path.join(folder, "report")
    write(path, "old")
    with running("cat") as cat:
        with lib.Trace("-p", cat.pid, "-o", path, options=("-d", "600s")) as tracer:
            expect_equal(read(path), "old", "the file, while its successor is made")
            tracer.process.send_signal(signal.SIGINT)
            tracer.process.communicate(timeout=SECONDS)
        expect_equal(os.listdir(folder), ["report"], "files")
        expect("COVERAGE" in read(path), "no report in the file")
    expect_refused(trace("-p", 0, "-o", path + "2"), FAILED)
    expect_equal(os.listdir(folder), ["report"], "files after a failure")


# -- windows ---------------------------------------------------------------------------------------


@case()
def fail_over():
    for limit, status in (("1K", OVER), ("1T", DONE)):
        with lib.Target("heap_truth") as target, lib.Trace(
                "-p", target.pid, options=(*lib.EXACT, "--fail-over", limit)) as tracer:
            target.go()
            tracer.process.send_signal(signal.SIGINT)
            output, errors = tracer.process.communicate(timeout=SECONDS)
            expect_equal(tracer.process.returncode, status, f"status over {limit}")
            expect(output.startswith('{"unfreed":1') and not errors, f"no report, {errors}")


@case("--status 0", "--status 3", "--signal 9", "--exec 1")
def target_that_ends_in_the_window(how):
    with lib.Target("exits", *how.split()) as target, lib.Trace("-p", target.pid) as tracer:
        truth = target.go()
        report = tracer.report()
    lib.compare(report, truth["sites"])
    expect_equal(report["window"]["ended_by"], "target exited", "end of the window")
    names = {frame["name"] for site in report["sites"] for frame in site["frames"]}
    expect({"leak_before_exit", "main"} <= names, f"not symbolised: {names}")


@case()
def window_of_no_length():
    with running("cat") as cat:
        done = unfreed("trace", "-p", cat.pid, "-d", "0")
    expect_equal(done.returncode, DONE, done.stderr)
    expect("COVERAGE" in done.stdout, done.stdout)


# -- programs that say little ----------------------------------------------------------------------


@case()
def no_known_allocator():
    busybox = shutil.which("busybox")
    if not busybox or runtimes.libraries(busybox):
        raise lib.Skip("no static busybox (Debian package busybox-static)")
    with running(busybox, "sh") as shell, lib.Trace("-p", shell.pid) as tracer:
        print("x=x; while [ ${#x} -lt 4000000 ]; do x=$x$x; done; echo grown", file=shell.stdin,
              flush=True)
        expect_equal(shell.stdout.readline(), "grown\n", "busybox")
        report = tracer.stop()
    expect_equal(report["processes"][0]["allocator"], None, "allocator")
    expect(any("no known allocator" in note for note in report["notes"]), report["notes"])
    expect(report["mapping"]["live_bytes"] >= 4000000, report["mapping"])


@case()
def stripped_program():
    program = os.path.join(FOLDER, "stripped")
    runtimes.run("strip", "-s", "-o", program, os.path.join(lib.TARGETS, "heap_truth"))
    with lib.Target(program) as target, lib.Trace("-p", target.pid) as tracer:
        truth = target.go()
        report = tracer.stop()
    expect_equal(sum(site["blocks"] for site in report["sites"] if site["kind"] == "heap"),
                 sum(site["blocks"] for site in truth["sites"]), "blocks of all sites")
    frames = [frame for site in report["sites"] for frame in site["frames"]
              if frame["module"] == program]
    expect(frames and all(frame["name"] is None and frame["offset"] for frame in frames),
           f"frames of a program without symbols: {frames[:3]}")


def main():
    global FOLDER
    with tempfile.TemporaryDirectory(prefix="unfreed-") as FOLDER:
        os.chmod(FOLDER, 0o755)
        return lib.run_cases()


if __name__ == "__main__":
    sys.exit(main())
