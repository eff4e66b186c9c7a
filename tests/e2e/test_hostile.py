#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Targets that attack their tracer, by what it reads of them: nothing outside of their root is
opened, nothing hangs, no escape reaches the terminal, and the tool goes on."""

import contextlib
import ctypes
import json
import os
import re
import resource
import shutil
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import xml.dom.minidom

import lib
import runtimes
from lib import case, expect, expect_equal

SECONDS = 60
# Clears, sets the title, begins a line, begins another way, turns the direction.
ESCAPES = "\x1b[2J\x1b]0;pwned\x07\nunfreed: all is well\r\x9b31m\u202e"

FOLDER = None


def folder(*names):
    path = os.path.join(FOLDER, *names)
    os.makedirs(path, exist_ok=True)
    return path


TRACERS = set()  # pids


def openers(watch):
    """Who has opened what is watched: fanotify(7)."""
    pids = set()
    with contextlib.suppress(BlockingIOError):
        while events := os.read(watch, 4096):
            for event in struct.iter_unpack("<IBBHQii", events):
                os.close(event[5])
                pids.add(event[6])
    return pids


@contextlib.contextmanager
def not_opened(path):
    """Fails where a tracer, or a child of it, opens this file meanwhile: anybody, that is."""
    libc = ctypes.CDLL(None, use_errno=True)
    watch = libc.fanotify_init(1 | 2, os.O_RDONLY)  # FAN_CLOEXEC | FAN_NONBLOCK
    if watch < 0 or libc.fanotify_mark(watch, 1, ctypes.c_uint64(0x20), -100, os.fsencode(path)):
        raise lib.Skip(f"no fanotify: {os.strerror(ctypes.get_errno())}")
    try:
        yield
        pids = openers(watch)
        expect(not pids - {os.getpid()}, f"{path} was opened, by {pids} of tracers {TRACERS}")
        with open(path, "rb"):  # else this proves nothing
            expect(os.getpid() in openers(watch), "fanotify sees nothing")
    finally:
        os.close(watch)


def rootfs(*programs):
    try:
        return runtimes.make_rootfs(tempfile.mkdtemp(dir=FOLDER), programs)
    except runtimes.Unavailable as reason:
        raise lib.Skip(reason) from reason


# As a container: a root of its own, from which no path leads to ours.
ENTER = """mount --bind "$1" "$1" && cd "$1" && pivot_root . . && /bin/busybox umount -l . &&
exec /bin/busybox chroot . "$2" """


def in_root(root, program, chroot=False):
    if chroot:  # the kernel then shows its paths as they are here
        return lib.Target("/usr/sbin/chroot", root, program)
    return lib.Target("/usr/bin/unshare", "--mount", "/bin/sh", "-c", ENTER, "sh", root,
                      program)


def split(name="prog"):
    """heap_truth without symbols, and its debug file: (program, debug)."""
    place = tempfile.mkdtemp(dir=FOLDER)
    program, debug = os.path.join(place, name), os.path.join(place, name + ".debug")
    source = os.path.join(lib.TARGETS, "heap_truth")
    runtimes.run("objcopy", "--only-keep-debug", source, debug)
    runtimes.run("objcopy", "-S", f"--add-gnu-debuglink={debug}", source, program)
    return program, debug


def sites_named(report):
    return {lib.site_function(site) for site in report["sites"]} - {None}


def blocks(report):
    return sum(site["blocks"] for site in report["sites"] if site["kind"] == "heap")


def expect_blocks(report, truth):
    expect_equal(blocks(report), sum(site["blocks"] for site in truth["sites"]), "blocks")


def unfreed(*arguments):
    with subprocess.Popen([lib.UNFREED, *map(str, arguments)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        TRACERS.add(process.pid)
        try:
            output, errors = process.communicate(timeout=SECONDS)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def trace(pid):
    tracer = lib.Trace("-p", pid)
    TRACERS.add(tracer.process.pid)
    return tracer


# -- paths that lead out ---------------------------------------------------------------------------


def trace_in_root(root, program="/bin/prog", attack=lambda: None, chroot=False):
    """What a trace of a program in root says that it has named; its blocks must be right."""
    with in_root(root, program, chroot) as target, trace(target.pid) as tracer:
        attack()
        truth = target.go()
        report = tracer.stop()
    expect_blocks(report, truth)
    return sites_named(report)


@case()
def debug_file_inside_is_read():
    program, debug = split()
    root = rootfs(program)
    shutil.copy(debug, root + "/bin/prog.debug")
    names = trace_in_root(root)
    expect("leak_malloc" in names, f"{names}: the debug file is not used: the others prove nothing")


@case("absolute link", "link that climbs", "link of links", "/proc/self/root",
      "link of a chroot")
def debug_file_is_a_link_out_of_the_root(how):
    program, debug = split()
    root = rootfs(program)
    place = {"absolute link": debug, "link that climbs": "../" * 30 + debug.lstrip("/"),
             "link of links": "/bin/a", "/proc/self/root": "/proc/self/root" + debug,
             "link of a chroot": debug}[how]
    os.symlink(place, root + "/bin/prog.debug")
    os.symlink("b", root + "/bin/a")
    os.symlink("/../.." + debug, root + "/bin/b")
    with not_opened(debug):
        expect_equal(trace_in_root(root, chroot="chroot" in how), set(), "names")


@case()
def debug_file_is_only_on_the_host():
    program, debug = split()
    root = rootfs()
    inside = root + program
    os.makedirs(os.path.dirname(inside))
    shutil.copy(program, inside)
    for library in runtimes.libraries(os.path.join(lib.TARGETS, "heap_truth")):
        runtimes.copy_in(root, library)
    with not_opened(debug):
        expect_equal(trace_in_root(root, program), set(), "names")


@case("before", "meanwhile")
def program_and_libraries_replaced(when):
    source = os.path.join(lib.TARGETS, "heap_truth")
    root = rootfs(source)
    secret = os.path.join(folder("secret"), "file")
    shutil.copy(source, secret)

    def attack():
        for path in ["/bin/heap_truth", *runtimes.libraries(source)]:
            os.symlink(secret, root + path + ".new")
            os.rename(root + path + ".new", root + path)

    with in_root(root, "/bin/heap_truth") as target, not_opened(secret):
        if when == "before":
            attack()
        with trace(target.pid) as tracer:
            if when == "meanwhile":
                attack()
            truth = target.go()
            report = tracer.stop()
    lib.compare(report, truth["sites"])


@case("debug file", "folder of debug files", "program")
def pipe_in_the_place_of(what):
    program, debug = split()
    root = rootfs(program)
    if what == "folder of debug files":
        os.mkfifo(root + "/bin/.debug")
    if what == "debug file":
        os.mkfifo(root + "/bin/prog.debug")

    def attack():
        if what == "program":
            os.mkfifo(root + "/bin/new")
            os.rename(root + "/bin/new", root + "/bin/prog")

    with not_opened(debug):
        expect_equal(trace_in_root(root, attack=attack), set(), "names")


# -- files that are too much -----------------------------------------------------------------------

SHT = {"PROGBITS": 1, "SYMTAB": 2, "STRTAB": 3, "RELA": 4, "DYNAMIC": 6, "NOTE": 7, "DYNSYM": 11,
       "VERDEF": 0x6ffffffd, "VERSYM": 0x6fffffff}
SECTION = "<IIQQQQIIQQ"
GIB, HALF = 1 << 30, 1 << 29
NAMES = b"\0.eh_frame\0.debug_frame\0.debug_info\0.debug_str\0.gnu_debuglink\0.rela.plt\0"


def add_sections(path, kinds, flags=0):
    """Gives a program 65,000 sections, all of the same half of a gigabyte of nothing."""
    places = [NAMES.index(name) for name in re.findall(rb"[^\0]+", NAMES)]
    with open(path, "r+b") as file:
        file.truncate(GIB)
        file.seek(GIB)
        file.write(NAMES)
        table = file.tell()
        for i in range(65000):
            row = (places[i % len(places)], kinds[i % len(kinds)], flags, 0, HALF - HALF % 24,
                   HALF - HALF % 24, 1, 0, 1, 24)
            if i < 2:
                row = (0, SHT["STRTAB"] * i, 0, 0, GIB, len(NAMES), 0, 0, 1, 0)
            file.write(struct.pack(SECTION, *row))
        file.seek(40)
        file.write(struct.pack("<Q", table))
        file.seek(60)
        file.write(struct.pack("<HH", 65000, 1))


@case("of each kind", "of versions", "compressed")
def gigabyte_of_sections(what):
    path = os.path.join(folder("big"), "heap_truth")
    shutil.copy(os.path.join(lib.TARGETS, "heap_truth"), path)
    add_sections(path, [SHT["VERSYM"]] if what == "of versions" else list(SHT.values()),
                 0x800 if what == "compressed" else 0)
    with lib.Target(path) as target, trace(target.pid) as tracer:
        truth = target.go()
        with open(f"/proc/{tracer.process.pid}/status", encoding="utf-8") as status:
            peak = int(re.search(r"VmHWM:\s*(\d+)", status.read())[1])
        report = tracer.stop()
    os.unlink(path)
    expect_blocks(report, truth)
    peak = max(peak, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
    expect(peak < 3 << 19, f"the tracer took {peak >> 10} MiB")


# -- names -----------------------------------------------------------------------------------------


def expect_harmless(output, what, lines=True):
    """Text that a terminal shows as it is."""
    text = output.decode("utf-8")
    bad = sorted({hex(ord(c)) for c in text
                  if (c < " " and c not in "\t\n") or "\x7f" <= c < "\xa0" or c in "\u202e\u2028"})
    expect(not bad, f"{what}: {bad} gets through")
    expect(not lines or not re.search(r"^(.*pwned.*\n)?unfreed: all is well", text, re.M),
           f"{what}: a name begins a line of its own")


@contextlib.contextmanager
def evil_program():
    """A program whose file, process and functions have names that act on a terminal."""
    place = os.path.join(folder("evil"), ESCAPES.replace("/", "") + "x")
    runtimes.run("objcopy", "-g", "--redefine-sym", f"main=main{ESCAPES}", "--redefine-sym",
                 f"leak_malloc={ESCAPES}leak", os.path.join(lib.TARGETS, "heap_truth"), place)
    with lib.Target(place) as target:
        with open(f"/proc/{target.pid}/comm", "rb") as comm:
            expect(b"\x1b" in comm.read(), "a harmless name: this proves nothing")
        yield target


@case("table", "folded", "svg", "json", "jeprof", "html")
def names_that_act_on_a_terminal(form):
    with evil_program() as target:
        options = (*lib.EXACT[:-1], form, "-t", "1000")
        with lib.Trace("-p", target.pid, options=options) as tracer:
            target.go()
            tracer.process.send_signal(signal.SIGINT)
            output, errors = tracer.process.communicate(timeout=SECONDS)
    expect_equal(tracer.process.returncode, 0, errors)
    output, errors = output.encode(), ("".join(tracer.errors) + errors).encode()
    expect_harmless(output, form)
    expect_harmless(errors, "stderr")
    expect(b"pwned" in output, f"the names are not there: {output[:300]}")
    if form == "svg":
        xml.dom.minidom.parseString(output)
    if form == "folded":
        wrong = [line for line in output.decode().splitlines()
                 if not re.fullmatch(r".*;.* \d+", line)]
        expect(not wrong, f"no stacks: {wrong[:3]}")
    if form == "json":
        sites = json.loads(output)["sites"]
        names = {frame["name"] for site in sites for frame in site["frames"]}
        expect(any("pwned" in (name or "") for name in names), "json has other names")


@case()
def name_of_a_process_that_is_refused():
    with evil_program() as target:
        with open(f"/proc/{target.pid}/comm", "rb") as file:
            comm = file.read()[:-1]
        for name in (comm, b"\n" + comm[:12]):
            done = unfreed("trace", "-n", os.fsdecode(name), "-d", "100ms")
            expect_harmless(done.stdout + done.stderr, name)
            if name != comm:
                expect_equal(done.returncode, 1, "status")
                expect_equal(done.stderr.count(b"\n"), 1, f"lines of {done.stderr}")


# -- numbers of processes --------------------------------------------------------------------------


class Taken(Exception):
    """The number belongs to a process that is none of ours."""


class Reborn(lib.Target):
    """A target with a number that another one had."""

    def __init__(self, pid, program):
        self.wanted = pid
        try:
            super().__init__(program)
        except AssertionError as failure:
            if os.path.exists(f"/proc/{pid}"):
                raise Taken from failure
            raise

    def start(self, arguments):
        # The number behind the last is the next: of the last of many tries, where others are born.
        script = ('import os, sys\n'
                  'wanted = int(sys.argv[1])\n'
                  'for _ in range(200):\n'
                  '    with open("/proc/sys/kernel/ns_last_pid", "w") as file:\n'
                  '        file.write(str(wanted - 1))\n'
                  '    pid = os.fork()\n'
                  '    if not pid and os.getpid() == wanted:\n'
                  '        os.execv(sys.argv[2], sys.argv[2:])\n'
                  '    if not pid:\n'
                  '        os._exit(0)\n'
                  '    os.waitpid(pid, 0)\n'
                  '    if pid == wanted:\n'
                  '        break\n')
        return [sys.executable, "-c", script, str(self.wanted), *super().start(arguments)]


@case()
def number_of_a_target_goes_to_another_process():
    with open("/proc/sys/kernel/ns_last_pid", "r+", encoding="ascii") as file:
        try:
            file.write(file.read())
        except OSError as error:
            raise lib.Skip(f"no process can be given a number: {error}") from error
    for _ in range(8):
        try:
            return number_goes_to_another_process()
        except Taken:
            pass
    raise AssertionError("each number was taken by a process of somebody else")


def number_goes_to_another_process():
    with lib.Target("heap_truth") as first, lib.Target("many_blocks", "--blocks", 1000) as second:
        with trace(f"{first.pid},{second.pid}") as tracer:
            first.go()
            first.process.kill()
            first.process.wait()
            with Reborn(first.pid, "heap_truth") as other:
                expect_equal(other.pid, first.pid, "its number")
                other.go()
                expect(not lib.changed_code(other.pid), "another process has probes")
                more = second.go()
                report = tracer.stop()
                expect_equal(other.quit(), 0, "status of the other")
    lib.compare(report, more["sites"])  # what has ended holds nothing
    states = {(row["pid"], row["state"]) for row in report["processes"]}
    expect_equal(states, {(first.pid, "exited"), (second.pid, "running")}, "processes")


# -- state files -----------------------------------------------------------------------------------


def runc_state(**other):
    return json.dumps({"id": "forged", "init_process_pid": os.getpid(), "init_process_start": 1,
                       **other})


def forge(text=None):
    """A host's root with one state file of runc: (root, path of the file)."""
    root = tempfile.mkdtemp(dir=FOLDER)
    path = os.path.join(root, "run/runc/forged/state.json")
    os.makedirs(os.path.dirname(path))
    if text is not None:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    return root, path


def expect_no_container(root, *words, key="forged"):
    done = unfreed("trace", "-c", key, "--host-root", root, "-d", "100ms")
    expect_equal(done.returncode, 1, f"status, {done.stderr}")
    expect_harmless(done.stderr, "stderr")
    expect_equal(done.stderr.count(b"\n"), 1, f"lines of {done.stderr}")
    expect(not done.stdout, done.stdout)
    for word in words:
        expect(word.encode() in done.stderr, f"no '{word}' in {done.stderr}")


@case()
def forged_state_of_a_process_that_runs():
    with lib.Target("heap_truth") as target:
        with open(f"/proc/{target.pid}/stat", encoding="utf-8") as file:
            start = int(file.read().rpartition(")")[2].split()[19])
        root, path = forge(runc_state(init_process_pid=target.pid, init_process_start=start + 1))
        expect_no_container(root, "is not running")
        with open(path, "w", encoding="utf-8") as file:
            file.write(runc_state(init_process_pid=target.pid, init_process_start=start))
        done = unfreed("trace", "-c", "forged", "--host-root", root, "-d", "100ms")
        expect_equal(done.returncode, 0, f"status of a true one: {done.stderr}")


@case("own pid", "kernel thread", "init of all", "no pid", "a text", "escapes", "cut", "depth",
      "empty")
def forged_state(what):
    text = {"own pid": runc_state(), "kernel thread": runc_state(init_process_pid=2),
            "init of all": runc_state(init_process_pid=1),
            "no pid": runc_state(init_process_pid=1 << 40),
            "a text": runc_state(init_process_pid="1"),
            "escapes": runc_state(id="forged" + ESCAPES),
            "cut": runc_state()[:-5], "depth": "[" * 1000000, "empty": ""}[what]
    expect_no_container(forge(text)[0])


@case("pipe", "folder", "link out", "link that climbs", "gigabyte", "device", "socket")
def state_file_is_a(what):
    root, path = forge()
    outside = os.path.join(folder("outside"), "state.json")
    with open(outside, "w", encoding="utf-8") as file:
        file.write(runc_state())
    if what == "pipe":
        os.mkfifo(path)
    elif what == "folder":
        os.mkdir(path)
    elif what.startswith("link"):
        os.symlink(outside if what == "link out" else "../" * 30 + outside.lstrip("/"), path)
    elif what == "gigabyte":
        with open(path, "w", encoding="utf-8") as file:
            file.truncate(GIB)
    else:
        os.mknod(path, 0o600 | (stat.S_IFSOCK if what == "socket" else stat.S_IFCHR),
                 os.makedev(1, 5) if what == "device" else 0)  # 1:5 is /dev/zero
    with not_opened(outside):
        expect_no_container(root, "no container 'forged' among the 0")


# -- file systems ----------------------------------------------------------------------------------

MUTE = r"""
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
folder, *command = sys.argv[1:]
fd = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={fd},rootmode=40000,user_id=0,group_id=0"
if libc.mount(b"mute", folder.encode(), b"fuse.mute", 0, options.encode()):
    sys.exit(f"cannot mount: {os.strerror(ctypes.get_errno())}")
os.set_inheritable(fd, True)
os.execvp(command[0], command)
"""


class BesideMute(lib.Target):
    """Its debug files are on a file system that nobody serves."""

    def start(self, arguments):
        return ["unshare", "--mount", sys.executable, "-c", MUTE, "/usr/lib/debug",
                *super().start(arguments)]


@case()
def file_system_that_never_answers():
    if not os.path.exists("/dev/fuse") or not os.path.isdir("/usr/lib/debug"):
        raise lib.Skip("no /dev/fuse, or no /usr/lib/debug to mount it on")
    with BesideMute("heap_truth") as target:
        with trace(target.pid) as tracer:
            truth = target.go()
            report = tracer.stop()
        expect_equal(target.quit(), 0, "its exit status")
    lib.compare(report, truth["sites"])
    lib.expect_no_losses(report)
    expect_equal([line for line in tracer.errors[-1].splitlines() if "does not answer" in line],
                 [f"unfreed: the file system at /usr/lib/debug of pid {target.pid} does not answer: "
                  "its files are left out"], "what it says")


def main():
    global FOLDER
    with tempfile.TemporaryDirectory(prefix="unfreed-") as FOLDER:
        os.chmod(FOLDER, 0o755)
        return lib.run_cases()


if __name__ == "__main__":
    sys.exit(main())
