#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""unfreed jvm: NMT's figures beside what is there, and a JVM that must not be asked is not asked."""

import contextlib
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
import time

import lib
import jvms
from jvms import JVMS, compile_target
from lib import case, expect, expect_equal

MIB = 1 << 20
SECONDS = 60
NEWEST = max(JVMS, key=lambda name: int(re.search(r"\d+", name)[0])) if JVMS else "no JVM"
TMP = os.path.join(jvms.ROOT, "tmp")


def version_of(name):
    return int(re.search(r"\d+", name)[0])


class Jvm:
    """JavaHeld in a JVM; or another command whose process speaks as it does."""

    def __init__(self, name, *options, before=(), command=None):
        if not command and not JVMS:
            raise lib.Skip("no JVM")
        command = command or [*jvms.command(name), *options, "-Xmx256m", "-cp",
                              compile_target("JavaHeld"), "JavaHeld"]
        self.process = subprocess.Popen([*before, *command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.timer = threading.Timer(SECONDS, self.process.kill)
        self.timer.start()
        expect_equal(self.process.stdout.readline(), "ready\n", "target")
        self.pid = self.process.pid

    def say(self, words):
        print(words, file=self.process.stdin, flush=True)
        expect_equal(self.process.stdout.readline(), "{}\n", "answer")

    def rest(self):
        """Ends it; its exit status and all that it has printed since."""
        output, errors = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, output + errors

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.timer.cancel()
        self.process.kill()
        self.process.communicate()


def unfreed(pid, *options):
    return subprocess.run([lib.UNFREED, "jvm", "-p", str(pid), *options], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=SECONDS, check=False)


def report(pid, *options):
    done = unfreed(pid, "--json", *options)
    expect(done.returncode == 0, f"status {done.returncode}: {done.stderr}")
    return json.loads(done.stdout)["processes"][0]


def row(process, name):
    return next(row for row in process["rows"] if row["name"].startswith(name))


def category(process, name):
    return next((row for row in process["nmt"]["categories"] if row["name"] == name), None)


def expect_nothing_left(tmp, pid):
    expect(not os.path.exists(f"{tmp}/.attach_pid{pid}"), "the attach file is still there")


# -- what it says ----------------------------------------------------------------------------------


def of_jcmd(pid):
    """The committed bytes of each category, as jcmd shows them."""
    try:
        text = subprocess.run(["jcmd", str(pid), "VM.native_memory", "summary", "scale=B"],
                              stdout=subprocess.PIPE, text=True, timeout=SECONDS, check=True).stdout
    except FileNotFoundError as error:
        raise lib.Skip("no jcmd") from error
    return {name.strip(): int(size) for name, size in
            re.findall(r"^- *(.+?) \(reserved=\d+, committed=(\d+)", text, re.M)}


@case(*(JVMS if jvms.ROOT == "/" else ()))
def equals_jcmd(name):
    # The heap keeps its size: behind a collection, it is made smaller by and by.
    with Jvm(name, "-XX:NativeMemoryTracking=summary", "-Xms256m") as target:
        target.say("direct 16")
        target.say("gc")
        found, expected = report(target.pid), of_jcmd(target.pid)
        ours = {row["name"]: row["committed_bytes"] for row in found["nmt"]["categories"]}
        expect_equal(set(ours), set(expected), "categories")
        for key in ours:  # it runs meanwhile, and has been asked once more
            expect(abs(ours[key] - expected[key]) <= max(0.05 * expected[key], 2 * MIB),
                   f"{key}: {ours[key]}, jcmd: {expected[key]}")
        if version_of(name) > 8:
            expect_equal(row(found, "direct buffers")["nmt_bytes"] // MIB, 16, "direct buffers")
        expect(row(found, "Java heap")["rss_bytes"] <= row(found, "Java heap")["nmt_bytes"], "heap")
        expect_equal(found["version"], version_of(name), "version")
        expect(found["counters"]["heap_used_bytes"] > 0, "no heap in use after a collection")
        expect_equal(found["flags"]["max_heap_bytes"], 256 * MIB, "-Xmx")
        total = sum(row["rss_bytes"] for row in found["rows"]
                    if "rss_bytes" in row and not row["part"] and row["name"] != "ALL")
        expect_equal(total, row(found, "ALL")["rss_bytes"], "sum of the rows")
        expect_nothing_left(TMP, target.pid)


HEAPS = ("-XX:+UseSerialGC", "-XX:+UseG1GC", "-XX:HeapBaseMinAddress=40g", "-XX:-UseCompressedOops")
NEW_HEAPS = {17: ("-XX:+UseZGC",), 21: ("-XX:+UseZGC -XX:+ZGenerational",),
             25: ("-XX:+UseZGC", "-XX:+UseCompactObjectHeaders",
                  "-XX:+UseZGC -XX:+UseCompactObjectHeaders")}


@case(*JVMS)
def direct_buffers_without_nmt(name):
    """As the JDK counts them, in heaps of every shape; each buffer is at least of its capacity."""
    for options in (*HEAPS, *NEW_HEAPS.get(version_of(name), ())):
        with Jvm(name, *options.split()) as target:
            before = report(target.pid, "--no-attach")
            target.say("direct 37")
            found = report(target.pid, "--no-attach")
            expect(before.get("direct_bytes", 0) < MIB, f"{options}: {before.get('direct_bytes')}")
            grown = found["direct_buffers"] - before.get("direct_buffers", 0)
            expect_equal((found["direct_bytes"] // MIB, grown), (37, 37), options)
            expect_equal(row(found, "direct buffers")["in_use_bytes"], found["direct_bytes"], "row")


@case(NEWEST)
def nmt_does_not_see_what_libraries_ask_for(name):
    """An Inflater's window is zlib's, which asks malloc."""
    with Jvm(name, "-XX:NativeMemoryTracking=summary") as target:
        with subprocess.Popen([lib.UNFREED, "jvm", "-p", str(target.pid), "--json", "-d", "3s"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as tool:
            expect(tool.stderr.readline().startswith("watching "), "no first look")
            target.say("inflaters 2000")
            found = json.loads(tool.communicate(timeout=SECONDS)[0])["processes"][0]
    unseen = row(found, "not NMT's")["growth_bytes"]
    print(f"# 2000 Inflaters: {unseen} bytes of malloc that NMT does not see")
    expect(2000 * 6000 < unseen < 2000 * 12000, f"unseen: {unseen}")
    expect(abs(category(found, "Internal")["growth_bytes"]) < 2 * MIB, "Internal")


@case(NEWEST)
def sites_of_malloc(name):
    with Jvm(name, "-XX:NativeMemoryTracking=detail") as target:
        target.say("direct 16")
        sites = report(target.pid, "--detail")["nmt"]["sites"]
        expect_equal((sites[0]["bytes"], sites[0]["blocks"], sites[0]["category"]),
                     (16 * MIB, 16, "Other" if version_of(name) > 8 else "Internal"), f"{sites[0]}")
        expect(all(site["frames"] for site in sites) and any(" < " in site["frames"]
                                                             for site in sites), f"{sites[:9]}")


@case()
def in_a_container_as_another_user():
    """A pid namespace, a /tmp and an id of its own."""
    # We may lie in /tmp ourselves.
    script = f"mount --bind {compile_target('JavaHeld')} /mnt && " \
             "mount -t tmpfs -o mode=1777 tmpfs /tmp && " \
             "exec setpriv --reuid 65534 --regid 65534 --clear-groups \"$@\""
    if not JVMS or jvms.ROOT != "/":
        raise lib.Skip("no JVM here")
    command = [JVMS[NEWEST], "-XX:NativeMemoryTracking=summary", "-Xmx256m", "-cp", "/mnt", "JavaHeld"]
    with Jvm(None, before=["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c",
                           script, "sh"], command=command) as target:
        with open(f"/proc/{target.pid}/task/{target.pid}/children", encoding="ascii") as children:
            pid = int(children.read().split()[0])
        found = report(pid)
        expect(category(found, "Java Heap")["committed_bytes"] > MIB, f"{found['nmt_why']}")
        expect_nothing_left(f"/proc/{pid}/root/tmp", 1)


@case(NEWEST)
def trims_only_when_asked(name):
    with Jvm(name, "-XX:NativeMemoryTracking=summary") as target:
        target.say("inflaters 1000")
        text = unfreed(target.pid)
        expect("rim native heap" not in text.stdout, "trimmed")
        if version_of(name) > 11:  # from 17.0.9 on
            found = report(target.pid, "--trim")
            expect("Trim native heap" in found["answer"], f"{found['answer_why']}")
        else:
            unfreed(target.pid, "--trim")  # some builds can
        answer = report(target.pid, "--jcmd", "VM.version")["answer"]
        expect("HotSpot" in answer or "OpenJDK" in answer, answer)
        done = unfreed(target.pid, "--jcmd", "No.such_command")
        expect_equal(done.returncode, 1, "status")
        expect("its JVM says" in done.stderr, done.stderr)


# -- who must not be asked -------------------------------------------------------------------------


def expect_refusal(done, why):
    expect_equal(done.returncode, 1, f"status; {done.stderr}")
    expect(why in done.stderr and done.stderr.count("\n") == 1, done.stderr)


def expect_no_dump(target):
    status, text = target.rest()
    expect_equal((status, "thread dump" in text.lower()), (0, False), text[:300])


def state(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        return stat.read().rsplit(")", 1)[1].split()[0]


@contextlib.contextmanager
def frozen(pid):
    """Nothing of it runs, and nothing shows it: a frozen control group."""
    folder = f"/sys/fs/cgroup/freezer/unfreed-jvm-{pid}"
    if not os.path.isdir(os.path.dirname(folder)):
        raise lib.Skip("no freezer of control groups, version 1")
    os.mkdir(folder)
    try:
        write(f"{folder}/cgroup.procs", pid)
        write(f"{folder}/freezer.state", "FROZEN")
        yield
    finally:
        write(f"{folder}/freezer.state", "THAWED")
        write("/sys/fs/cgroup/freezer/cgroup.procs", pid)
        os.rmdir(folder)


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(str(text))


@case(NEWEST)
def a_jvm_without_the_mechanism(name):
    """SIGQUIT would print a thread dump to the application's output."""
    with Jvm(name, "-XX:+DisableAttachMechanism",
             "-XX:NativeMemoryTracking=summary") as target:
        expect("DisableAttachMechanism" in report(target.pid)["nmt_why"], "NMT")
        expect_refusal(unfreed(target.pid, "--trim"), "DisableAttachMechanism")
        expect_no_dump(target)


@case(NEWEST)
def a_jvm_that_leaves_signals_alone(name):
    with Jvm(name, "-Xrs", "-XX:NativeMemoryTracking=summary") as target:
        report(target.pid, "--jcmd", "VM.version")  # it opens its socket by itself
        os.unlink(f"{TMP}/.java_pid{target.pid}")
        expect_refusal(unfreed(target.pid, "--trim"), "-Xrs")
        target.say("direct 1")


@case(NEWEST)
def a_jvm_that_is_stopped(name):
    with Jvm(name, "-XX:NativeMemoryTracking=summary") as target:
        os.kill(target.pid, signal.SIGSTOP)
        lib.eventually(lambda: state(target.pid) != "T" and state(target.pid), "stopped")
        expect_refusal(unfreed(target.pid, "--trim"), "it is stopped")
        os.kill(target.pid, signal.SIGCONT)
        expect_no_dump(target)


@case(NEWEST)
def a_jvm_too_slow_to_look(name):
    """SIGQUIT is pending when the tool gives up; what was to be found must still be there then."""
    with Jvm(name, "-XX:NativeMemoryTracking=summary") as target:
        with frozen(target.pid):
            expect_refusal(unfreed(target.pid, "--trim", "--timeout", "500ms"), "thread dump")
        report(target.pid)
        expect_no_dump(target)
        os.unlink(f"{TMP}/.attach_pid{target.pid}")


@case(NEWEST)
def a_jvm_that_is_not_to_be_asked(name):
    with Jvm(name, "-XX:NativeMemoryTracking=summary") as target:
        expect_equal(report(target.pid, "--no-attach")["nmt_why"], "on, and not asked for", "why")
        expect(not os.path.exists(f"{TMP}/.java_pid{target.pid}"), "it was asked")


PRETENDER = """
import ctypes, signal, sys
ctypes.CDLL(sys.argv[1])
exec(sys.argv[2])
print("ready", flush=True)
for line in sys.stdin:
    print("{}", flush=True)
"""


def pretender(setup="pass"):
    """A process with libjvm in it and no JVM. SIGQUIT would stay pending, or kill it."""
    if not JVMS or jvms.ROOT != "/":
        raise lib.Skip("no JVM here")
    java = os.path.realpath(JVMS[NEWEST])
    found = [os.path.join(place, "libjvm.so") for place, _, names
             in os.walk(os.path.dirname(os.path.dirname(java))) if "libjvm.so" in names]
    return Jvm(None, command=[sys.executable, "-c", PRETENDER, found[0], setup])


def pending(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        sets = re.findall(r"^(?:Sig|Shd)Pnd:\s*(\w+)", status.read(), re.M)
    return any(int(bits, 16) >> (signal.SIGQUIT - 1) & 1 for bits in sets)


@case("pass", "signal.signal(signal.SIGQUIT, signal.SIG_IGN)",
      "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGQUIT])")
def a_process_that_does_not_catch_the_signal(setup):
    with pretender(setup) as target:
        expect_refusal(unfreed(target.pid, "--trim"), "does not catch SIGQUIT")
        expect(not pending(target.pid), "SIGQUIT was sent")
        expect_nothing_left(TMP, target.pid)
        target.say("still there?")


# -- sockets that are traps ------------------------------------------------------------------------


@contextlib.contextmanager
def listening(path, serve):
    """serve(connection) answers each; None: nobody accepts, and the queue is full."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    over = threading.Event()
    with socket.socket(socket.AF_UNIX) as server, contextlib.ExitStack() as clients:
        server.bind(path)
        server.listen(0)

        def accept():
            while not over.is_set():
                with contextlib.suppress(OSError):
                    connection = server.accept()[0]
                    with connection, contextlib.suppress(OSError):
                        serve(connection, over)

        if serve:
            threading.Thread(target=accept, daemon=True).start()
        else:
            for _ in range(2):
                client = clients.enter_context(socket.socket(socket.AF_UNIX))
                client.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    client.connect(path)
        try:
            yield
        finally:
            over.set()
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            os.unlink(path)


def never(_, over):
    over.wait(SECONDS)


def for_ever(connection, _):
    piece = b"0\n" + b"x" * (1 << 20)
    while True:
        connection.sendall(piece)


def drop_by_drop(connection, over):
    while not over.wait(0.05):
        connection.sendall(b"0\n")


def nonsense(connection, _):
    connection.recv(100)
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")


TRAPS = {
    "nobody accepts": (None, "Resource temporarily unavailable"),
    "never answers": (never, "has not answered within 1 s"),
    "streams for ever": (for_ever, "longer than"),
    "drop by drop": (drop_by_drop, "has not answered within 1 s"),
    "answers nonsense": (nonsense, "no JVM"),
}


@case(*TRAPS)
def a_socket_that(what):
    serve, why = TRAPS[what]
    with pretender() as target, listening(f"/tmp/.java_pid{target.pid}", serve):
        begin = time.monotonic()
        expect_refusal(unfreed(target.pid, "--trim", "--timeout", "1s"), why)
        expect(time.monotonic() - begin < 10, f"{time.monotonic() - begin:.1f} s")
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        expect(peak < 400 * 1024, f"{peak} KiB")
        target.say("still there?")


@case()
def a_link_instead_of_a_socket():
    """It could lead to any socket of the machine."""
    asked = []
    with pretender() as target:
        path, other = f"/tmp/.java_pid{target.pid}", f"/tmp/other-{target.pid}"
        with listening(other, lambda *_: asked.append(1)):
            os.symlink(other, path)
            try:
                expect_refusal(unfreed(target.pid, "--trim", "--timeout", "1s"), "no socket of its")
                expect(not asked, "it was followed")
            finally:
                os.unlink(path)


@case()
def a_process_without_a_jvm():
    done = unfreed(os.getpid())
    expect_refusal(done, "no HotSpot JVM runs there")


if __name__ == "__main__":
    sys.exit(lib.run_cases())
