#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""bench.py BUILD-DIR: what watching costs a program that does nothing but malloc and free.

Four ways, interleaved, medians of 5 rounds: nobody watches; unfreed, every call counted; an
equivalent bpftrace script (leak.bt); memleak of Debian 13's libbpf-tools, from a root file system of
its own (tests/prove/root), where one can be made. Printed are CPU time per malloc/free pair, the
slowdown, and the ratios of the costs. tests/targets/spin does the work, anew for each measurement.
"""
import contextlib
import glob
import json
import os
import re
import select
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = 5
DEADLINE_SECONDS = 60  # of one measurement
SECONDS = 1  # of work in each measurement
START_SECONDS = 60
TARGET_RATIOS = {"bpftrace": 5, "memleak": 6}  # unfreed should cost one part in so many, at most


def wait_for_line(process, stream, start):
    """Returns when the tool has printed a line that begins with start; ends with what it said."""
    end = time.monotonic() + START_SECONDS
    seen = b""
    while time.monotonic() < end:
        if select.select([stream], [], [], 0.1)[0]:
            chunk = os.read(stream.fileno(), 65536)
            seen += chunk
            if re.search(rb"^" + start, seen, re.MULTILINE):
                return
            if not chunk:
                break
    process.kill()
    sys.exit(f"bench: {process.args[0]} does not trace: {seen.decode(errors='replace').strip()}")


class Spin:
    """The program under test, ready to begin."""

    def __init__(self):
        self.process = subprocess.Popen([SPIN, "--seconds", str(SECONDS)], text=True, bufsize=1,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        word, pid = self.process.stdout.readline().split()
        assert word == "ready"
        self.pid = int(pid)

    def measure(self):
        """CPU nanoseconds of one pair, and pairs in a second."""
        self.process.stdin.write("go\n")
        truth = json.loads(self.process.stdout.readline())
        return truth["cpu_ns"] / truth["pairs"], truth["pairs"] / SECONDS

    def libc(self):
        with open(f"/proc/{self.pid}/maps", encoding="utf-8") as maps:
            return re.search(r"(/\S*/libc\.so\S*)", maps.read())[1]

    def close(self):
        self.process.communicate("quit\n")


@contextlib.contextmanager
def killed_at_the_end(tool):
    """A tracer that hangs must not keep its probes on everybody's libc."""
    try:
        yield
    finally:
        tool.kill()


def give_up(_number, _frame):
    raise TimeoutError(f"bench: a measurement took longer than {DEADLINE_SECONDS} s")


@contextlib.contextmanager
def nobody(_spin):
    yield


@contextlib.contextmanager
def unfreed(spin):
    command = [UNFREED, "trace", "-p", str(spin.pid), "-d", "1h", "--max-overhead", "off",
               "--events", "heap", "-o", "/dev/null"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as tool:
        with killed_at_the_end(tool):
            wait_for_line(tool, tool.stderr, b"tracing")
            yield
            tool.send_signal(signal.SIGINT)
            tool.communicate()


@contextlib.contextmanager
def bpftrace(spin):
    with open(os.path.join(HERE, "leak.bt"), encoding="utf-8") as script:
        text = script.read().replace("LIBC", spin.libc())
    with tempfile.NamedTemporaryFile("w", suffix=".bt") as file:
        file.write(text)
        file.flush()
        with subprocess.Popen(["bpftrace", "-q", file.name, str(spin.pid)],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT) as tool:
            with killed_at_the_end(tool):
                wait_for_line(tool, tool.stdout, b"tracing")
                yield
                tool.send_signal(signal.SIGINT)
                output, _ = tool.communicate()
            if b"@outstanding" not in output:
                sys.exit("bench: the bpftrace script has seen nothing")


def peers_root():
    """Where memleak is, made if it is not there; None: it cannot be made."""
    done = subprocess.run([os.path.join(HERE, "../tests/prove/root"), "trixie", "peers"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    return done.stdout.strip() or None


def memleak_of(root):
    @contextlib.contextmanager
    def memleak(spin):
        libraries = f"{root}/usr/lib/{os.uname().machine}-linux-gnu"
        [loader] = glob.glob(f"{libraries}/ld-linux-*.so.*")
        command = ["stdbuf", "-oL", loader, "--library-path", libraries,
                   f"{root}/usr/sbin/memleak-libbpf", "-p", str(spin.pid), str(DEADLINE_SECONDS)]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT) as tool:
            with killed_at_the_end(tool):
                wait_for_line(tool, tool.stdout, b"Tracing")
                yield
                tool.send_signal(signal.SIGINT)
                tool.communicate()
    return memleak


def main():
    if os.geteuid() != 0:
        sys.exit("bench: needs root")
    if not shutil.which("bpftrace"):
        sys.exit("bench: no bpftrace: run contrib/deps.sh bench")
    signal.signal(signal.SIGALRM, give_up)
    ways = {"none": nobody, "unfreed": unfreed, "bpftrace": bpftrace}
    root = peers_root()
    if root:
        ways["memleak"] = memleak_of(root)
    else:
        print("bench: no root file system with memleak can be made here", file=sys.stderr)
    costs, rates = {name: [] for name in ways}, {name: [] for name in ways}
    for number in range(1, ROUNDS + 1):
        for name, way in ways.items():
            print(f"\rround {number} of {ROUNDS}: {name:10}", end="", file=sys.stderr, flush=True)
            signal.alarm(DEADLINE_SECONDS)
            spin = Spin()
            with killed_at_the_end(spin.process):
                with way(spin):
                    cost, rate = spin.measure()
                spin.close()
            signal.alarm(0)
            costs[name].append(cost)
            rates[name].append(rate)
    print("\r" + " " * 40 + "\r", end="", file=sys.stderr)

    cost = {name: statistics.median(row) for name, row in costs.items()}
    rate = {name: statistics.median(row) for name, row in rates.items()}
    print(f"{'':10} {'CPU µs/pair':>12} {'lowest':>8} {'highest':>8} {'slowdown':>9}")
    for name, row in costs.items():
        print(f"{name:10} {cost[name] / 1e3:12.3f} {min(row) / 1e3:8.3f} {max(row) / 1e3:8.3f} "
              f"{rate['none'] / rate[name]:8.1f}x")
    for name, aim in TARGET_RATIOS.items():
        if name not in ways:
            continue
        ratio = cost[name] / cost["unfreed"]
        print(f"unfreed costs 1/{ratio:.1f} of {name} (aim: 1/{aim} at most: "
              f"{'reached' if ratio >= aim else 'missed'})")


if len(sys.argv) != 2:
    sys.exit(__doc__)
HERE = os.path.dirname(os.path.abspath(__file__))
UNFREED = os.path.join(os.path.abspath(sys.argv[1]), "unfreed")
SPIN = os.path.join(os.path.abspath(sys.argv[1]), "tests/targets/spin")
main()
