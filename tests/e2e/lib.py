# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the end-to-end tests are made of: targets with known truth, traces of them, and TAP.

A test never sleeps: a target says what it has done (tests/targets/protocol.h), the tracer says when
it is on (its line "tracing …"), and a window ends by SIGINT. Where only the kernel knows (probes
coming off), eventually() asks until a deadline.
"""

import contextlib
import ctypes
import functools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import traceback

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, os.environ.get("O", "build"))
UNFREED = os.environ.get("UNFREED", os.path.join(BUILD, "unfreed"))
TARGETS = os.path.join(BUILD, "tests/targets")
DEADLINE_SECONDS = 120
# Where it is ignored, as in a shell's background, what is started here would ignore it, too.
signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.setdefault("UNFREED_STRICT", "1")  # what reads a target's files must not die of them
EXACT = ("-d", "600s", "--max-overhead", "off", "--min-age", "0s", "-f", "json")
SITE = re.compile(r"(?:leak|churn|preexisting)_\w+")


class Skip(Exception):
    """Raised by a case that cannot run here; says why."""


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def expect_equal(found, expected, what):
    expect(found == expected, f"{what}: {found}, not {expected}")


def eventually(condition, what, seconds=20):
    """Waits until condition() is empty or false; what it still was says why it failed."""
    deadline = time.monotonic() + seconds
    while True:
        left = condition()
        if not left:
            return
        expect(time.monotonic() < deadline, f"{what}: {left}")
        time.sleep(0.05)


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


# -- results ---------------------------------------------------------------------------------------

_counts = {"passed": 0, "failed": 0, "skipped": 0}


def _line(text):
    print(" ".join(str(text).split()), flush=True)


def ok(name):
    _counts["passed"] += 1
    _line(f"ok {name}")


def not_ok(name, why):
    _counts["failed"] += 1
    _line(f"not ok {name}: {why}")


def skip(name, reason):
    _counts["skipped"] += 1
    _line(f"ok {name} # SKIP {reason}")


def summary():
    """Prints the sums; the exit status."""
    print(", ".join(f"{count} {what}" for what, count in _counts.items()), flush=True)
    return 1 if _counts["failed"] else 0


_cases = []


def case(*arguments):
    """Marks a function as a test: its name is the test's. Arguments: run it once for each."""

    def mark(function):
        name = function.__name__.replace("_", " ")
        for argument in arguments:
            _cases.append((f"{name}: {argument}", functools.partial(function, argument)))
        if not arguments:
            _cases.append((name, function))
        return function

    return mark


def run_cases(traces=True):
    """Runs all cases, or those whose names contain a word of the command line. The exit status.
    traces: they need a kernel, and rights, to trace with."""
    why = why_not_here() if traces else None
    words = sys.argv[1:]
    for name, function in _cases:
        if words and not any(word in name for word in words):
            continue
        try:
            if why:
                raise Skip(why)
            function()
        except Skip as reason:
            skip(name, reason)
        except Exception as failure:  # a broken report breaks a test in any way
            not_ok(name, failure if isinstance(failure, AssertionError) else repr(failure))
            if os.environ.get("V") == "1":
                traceback.print_exc()
        else:
            ok(name)
    return summary()


@functools.lru_cache(maxsize=None)
def why_not_here():
    """Why nothing can be traced here; None where it can."""
    if os.geteuid():
        return "needs root"
    if not os.path.exists("/sys/kernel/btf/vmlinux"):
        return "this kernel has no BTF"
    try:
        ids("prog")
    except (OSError, subprocess.CalledProcessError, ValueError) as error:
        return f"no BPF here: {error}"
    return None


# In the order of their bits (capabilities(7)).
CAPABILITIES = """chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap
    linux_immutable net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module
    sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin sys_boot sys_nice sys_resource sys_time
    sys_tty_config mknod lease audit_write audit_control setfcap mac_override mac_admin syslog
    wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore""".split()


def own_capabilities():
    """The names of what this process may."""
    with open("/proc/self/status", encoding="utf-8", errors="replace") as status:
        bits = int(re.search(r"^CapPrm:\s*(\w+)", status.read(), re.M)[1], 16)
    return [name for bit, name in enumerate(CAPABILITIES) if bits >> bit & 1]


# -- targets ---------------------------------------------------------------------------------------


class Target:
    """A running program of tests/targets."""

    def __init__(self, program, *arguments):
        self.program = program
        self.process = subprocess.Popen(self.start(arguments), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        word, pid = (self._hear() + " ").split(" ")[:2]
        expect(word == "ready", f"{program} is not ready")
        self.pid = int(pid)

    def start(self, arguments):
        """What runs: the program, unless a subclass knows better."""
        return [os.path.join(TARGETS, self.program), *map(str, arguments)]

    def _hear(self):
        late = threading.Event()
        timer = threading.Timer(DEADLINE_SECONDS, lambda: (late.set(), self.process.kill()))
        timer.start()
        line = self.process.stdout.readline()
        timer.cancel()
        expect(line or not late.is_set(), f"{self.program}: no answer in {DEADLINE_SECONDS} s")
        if not line:
            status = self.process.wait(DEADLINE_SECONDS)
            raise AssertionError(f"{self.program} ended with {status} instead of an answer")
        return line.rstrip("\n")

    def tell(self, word):
        """Says a word; the target is at work, and answers later."""
        print(word, file=self.process.stdin, flush=True)

    def hear_line(self):
        return self._hear()

    def hear(self):
        """What the target answers: its truth."""
        return json.loads(self._hear())

    def say(self, word):
        """Says a word; what the target answers is its truth."""
        self.tell(word)
        return self.hear()

    def go(self):
        return self.say("go")

    def pause(self):
        """Until all its threads stand still."""
        os.kill(self.pid, signal.SIGSTOP)

        def running():
            return [task for task in os.listdir(f"/proc/{self.pid}/task")
                    if not re.search(r"\) T ", read(f"/proc/{self.pid}/task/{task}/stat"))]

        eventually(running, "it does not stop")

    def quit(self):
        """Lets it end; its exit status."""
        with contextlib.suppress(BrokenPipeError):
            self.process.communicate("quit\n", timeout=DEADLINE_SECONDS)
        return self.process.wait(DEADLINE_SECONDS)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


# -- traces ----------------------------------------------------------------------------------------


class Trace:
    """A running unfreed trace, from its line "tracing …" on."""

    def __init__(self, *arguments, options=EXACT):
        self.process = subprocess.Popen(
            [UNFREED, "trace", *map(str, arguments), *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.errors = []
        for line in self.process.stderr:
            self.errors.append(line)
            if line.startswith("tracing "):
                break
        else:
            status = self.process.wait()
            raise AssertionError(f"no line 'tracing', status {status}: {''.join(self.errors)}")
        self.objects = bpf_objects(self.process.pid)
        self.processes = int(re.search(r"(\d+) process", self.errors[-1])[1])
        self.links = self._heap_links()

    def _heap_links(self):
        """How many links its programs on allocator functions have."""
        programs = {number for number, name in names_of("prog").items()
                    if ("prog", number) in self.objects and name.startswith("heap_")}
        return sum(program in programs for program in linked_programs(self.process.pid))

    def wait_probed(self, processes):
        """Until the heaps of so many processes are traced, and of no others.

        A child is born with the breakpoints of its parent: its code does not tell.
        """
        wanted = self.links // self.processes * processes
        eventually(lambda: self._heap_links() != wanted and
                   f"{self._heap_links()} links, not {wanted}", "processes probed")

    def text(self):
        """What it prints until its window ends by itself."""
        output, errors = self.process.communicate(timeout=DEADLINE_SECONDS)
        self.errors.append(errors)
        expect(self.process.returncode == 0,
               f"status {self.process.returncode}: {''.join(self.errors)}")
        return output

    def report(self):
        return json.loads(self.text().splitlines()[-1])

    def report_that(self, condition, seconds):
        """The first of the reports of -i for which condition holds."""
        deadline = time.monotonic() + seconds
        for line in self.process.stdout:
            report = json.loads(line)
            if condition(report):
                return report
            expect(time.monotonic() < deadline, f"no such report, the last is {line[:2000]}")
        raise AssertionError("the trace ended before such a report")

    def stop(self):
        """Ends the window, as Ctrl-C does; the report."""
        self.process.send_signal(signal.SIGINT)
        return self.report()

    def stop_and_read(self):
        """The same, but does not wait for the probes to come off."""
        self.process.send_signal(signal.SIGINT)
        return json.loads(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


def trace_truth(program, *arguments, options=()):
    """Traces a target at its work: (report, truth)."""
    with Target(program, *arguments) as target:
        with Trace("-p", target.pid, options=(*EXACT, *options)) as trace:
            truth = target.go()
            return trace.stop(), truth


# -- comparing -------------------------------------------------------------------------------------


def site_function(site):
    """The innermost frame that is a site of a target: "leak_malloc", or None."""
    for frame in site["frames"]:
        found = SITE.match(frame["name"] or "")
        if found:
            return found[0]
    return None


def sums_of(report, kind, keys=("bytes", "blocks")):
    """{function: {key: sum}} over all sites of a kind; None stands for all other functions."""
    sums = {}
    for site in report["sites"]:
        if site["kind"] == kind:
            of_function = sums.setdefault(site_function(site), dict.fromkeys(keys, 0))
            for key in keys:
                of_function[key] += site.get(key, 0)
    return sums


def compare(report, truth, kind="heap", only=None):
    """All sites of the truth, and no other function of the target above zero."""
    wrong = []
    expected = {site["function"]: {key: site[key] for key in site if key != "function"}
                for site in truth}
    keys = tuple(next(iter(expected.values())))
    found = sums_of(report, kind, keys)
    nothing = dict.fromkeys(keys, 0)
    for function in sorted(set(expected) | set(found) - {None}):
        if only and function not in only:
            continue
        if found.get(function, nothing) != expected.get(function, nothing):
            wrong.append(f"{function}: {found.get(function, nothing)}, "
                         f"not {expected.get(function, nothing)}")
    expect(not wrong, "; ".join(wrong))


def expect_no_losses(report):
    losses = {name: count for name, count in report["losses"].items() if count}
    expect(not losses, f"losses: {losses}")


# -- what is attached ------------------------------------------------------------------------------


def rows_of(kind):
    """What bpftool says of all BPF objects of the machine: "prog", "link" or "map"."""
    tool = next((path for path in ("/usr/sbin/bpftool", "/usr/local/sbin/bpftool")
                 if os.path.exists(path)), "bpftool")
    output = subprocess.run([tool, "-j", kind, "list"], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, check=True, text=True).stdout
    return json.loads(output or "[]")


def ids(kind):
    return {row["id"] for row in rows_of(kind)}


def names_of(kind):
    """{id: name} of all BPF objects of the machine."""
    return {row["id"]: row.get("name", "") for row in rows_of(kind)}


class counted_runs:
    """While it is open, the kernel counts runs of BPF programs (bpf(2), BPF_ENABLE_STATS: 5.8)."""

    SYS_BPF = {"x86_64": 321, "aarch64": 280}
    BPF_ENABLE_STATS = 32

    def __enter__(self):
        attributes = ctypes.create_string_buffer(128)
        self.fd = ctypes.CDLL(None, use_errno=True).syscall(
            self.SYS_BPF[os.uname().machine], self.BPF_ENABLE_STATS, attributes, 4)
        if self.fd < 0:
            raise Skip(f"BPF_ENABLE_STATS: {os.strerror(ctypes.get_errno())}")
        return self

    def __exit__(self, *_):
        os.close(self.fd)

    @staticmethod
    def of_heap(trace):
        """Runs of a trace's programs on allocator functions; a count goes when nobody asks."""
        return sum(row.get("run_cnt", 0) for row in rows_of("prog")
                   if ("prog", row["id"]) in trace.objects and row["name"].startswith("heap_"))


def linked_programs(pid):
    """The program of each link that a process holds open."""
    found = []
    folder = f"/proc/{pid}/fdinfo"
    for name in os.listdir(folder):
        with contextlib.suppress(OSError), open(f"{folder}/{name}", encoding="ascii") as info:
            text = info.read()
            if "link_id:" in text:
                found += map(int, re.findall(r"^prog_id:\s*(\d+)$", text, re.M))
    return found


def bpf_objects(pid):
    """{(kind, id)} of the BPF objects that a process holds open."""
    found = set()
    folder = f"/proc/{pid}/fdinfo"
    for name in os.listdir(folder):
        with contextlib.suppress(OSError), open(f"{folder}/{name}", encoding="ascii") as info:
            for kind, number in re.findall(r"^(prog|link|map)_id:\s*(\d+)$", info.read(), re.M):
                found.add((kind, int(number)))
    return found


def expect_gone(objects):
    """Nothing that a tracer held is left in the kernel, pinned or attached."""

    def left():
        return [(kind, number) for kind in ("prog", "link", "map") for number in ids(kind)
                if (kind, number) in objects]

    expect(objects, "the tracer held no BPF object")
    eventually(left, "left in the kernel")


def changed_code(pid):
    """Where a process's code differs from its files: probes, as "libc.so.6+0x98bd0"."""
    changed = []
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        rows = [line.split(maxsplit=5) for line in maps]
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for row in rows:
            if "x" not in row[1] or row[4] == "0":
                continue
            start, end = (int(address, 16) for address in row[0].split("-"))
            offset = int(row[2], 16)
            with open(f"/proc/{pid}/map_files/{start:x}-{end:x}", "rb") as image:
                image.seek(offset)
                expected = image.read(end - start)
            memory.seek(start)
            found = memory.read(len(expected))
            if found != expected:
                name = os.path.basename(row[5].strip())
                changed += [f"{name}+{offset + i:#x}" for i in range(len(expected))
                            if found[i] != expected[i]]
    return changed
