#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""truth.py [--stacks N] [--seed N] [PROGRAM…]: are the stacks of real programs those that gdb sees?

Each program does the same work again: once under unfreed, once under gdb, which stops at the same
allocator functions. Of the distinct stacks that unfreed has reported, N are drawn at random, half of
them from the rarer half. Each must be among gdb's: the same return addresses in the same files, and
the same functions, inlined ones included, by name.
"""
import argparse
import collections
import contextlib
import functools
import json
import os
import random
import re
import signal
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../e2e"))
import lib  # noqa: E402
import programs  # noqa: E402

STACKS = 200
BREAKPOINTS = 4  # that x86-64 has in hardware
# Code without call frame information: gdb guesses from there on. unfreed follows frame pointers, which
# V8 keeps (its frame-constants.h).
GUESSED = re.compile(r"Builtins_|\[anonymous\]")
# These do much but once, filling caches: of their stacks, those that two traces have seen.
WARMS_UP = {"node", "postgres"}
ROUNDS = 2  # of work under gdb: not all of it happens each time
INTERRUPT_SECONDS = 3
SECONDS = 600  # for one program under gdb


# -- addresses in files ----------------------------------------------------------------------------


class Image:
    """Program headers of an ELF file: which image address a file offset has."""

    def __init__(self, path):
        self.loads = []
        with open(path, "rb") as file:
            header = file.read(64)
            start, size, count = struct.unpack_from("<Q", header, 32)[0], 56, \
                struct.unpack_from("<H", header, 56)[0]
            file.seek(start)
            table = file.read(size * count)
        for at in range(0, len(table), size):
            kind, _, offset, address, _, bytes_, _, _ = struct.unpack_from("<IIQQQQQQ", table, at)
            if kind == 1:
                self.loads.append((offset, address, bytes_))

    def address(self, offset):
        return next((address + offset - start for start, address, bytes_ in self.loads
                     if start <= offset < start + bytes_), None)

    def offset(self, address):
        return next((start + address - base for start, base, bytes_ in self.loads
                     if base <= address < base + bytes_), None)


class Space:
    """Where the addresses of a process lie: by the text of its maps."""

    images = {}

    def __init__(self, maps):
        self.rows = []
        for line in maps.splitlines():
            columns = line.split(maxsplit=5)
            start, end = (int(word, 16) for word in columns[0].split("-"))
            self.rows.append((start, end, int(columns[2], 16), (columns[5:] or [""])[0]))

    @classmethod
    def image(cls, path):
        if path not in cls.images:
            cls.images[path] = Image(path)
        return cls.images[path]

    def place(self, address):
        """(module, address in it), as unfreed has it."""
        for start, end, offset, path in self.rows:
            if start <= address < end:
                if path.startswith("/"):
                    return path, self.image(path).address(address - start + offset)
                return ("[anonymous]" if not path else path), address
        return None, address


# -- stacks ----------------------------------------------------------------------------------------


def plain(name):
    """A function's name without what tools write differently: parameters, templates, suffixes."""
    if not name:
        return None
    name = re.sub(r"(\.(constprop|isra|part|cold|lto_priv|llvm)(\.\w+)*|@@?\w[\w.]*)+$", "", name)
    name = re.sub(r" \[clone [^\]]*\]", "", name).replace("(anonymous namespace)", "{anon}")
    name = name.replace("operator()", "operator{}").replace("operator<<", "operator{l}")
    name = name.replace("operator>>", "operator{r}").replace("operator->", "operator{p}")
    name = name.replace("operator<", "operator{s}").replace("operator>", "operator{g}")
    name = name.replace("operator new[]", "operator new{}")
    depth, text = 0, []
    for letter in name:
        depth -= letter in ">)"
        if depth == 0 and letter not in ">)<(":
            text.append(letter)
        depth += letter in "<("
    return "".join(text).split(" [")[0].strip().rsplit(" ", 1)[-1]


def of_report(site):
    """[((module, address), [function, those inlined into it before])…] of a site."""
    frames = []
    inlined = []
    for frame in site["frames"]:
        inlined.append(plain(frame["name"]))
        if frame["type"] == "inlined":
            continue
        frames.append(((frame["module"], frame["offset"]), tuple(inlined)))
        inlined = []
    return tuple(frames)


def of_gdb(stack, space):
    """The same of a stack that gdb has noted; of_gdb(…)[i][2] is the address itself."""
    frames = []
    inlined = []
    exact = True  # the innermost, and what a signal has interrupted
    for pc, kind, name in stack:
        if not space.place(pc)[0]:
            break  # behind the entry of the program or its loader, gdb goes on to what is no code
        inlined.append(plain(name))
        if kind == "inlined":
            continue
        # A trampoline is returned to, but by no call.
        frames.append((space.place(pc if exact else pc - 1), tuple(inlined), pc))
        exact = kind == "signal"
        inlined = []
    return tuple(frames)


def known(frames):
    """Those up to the first that gdb has to guess the caller of, and this."""
    for i, ((module, _), names, *_) in enumerate(frames):
        if GUESSED.match(module or "") or GUESSED.match(names[-1] or ""):
            return frames[:i + 1]
    return frames


def addresses(frames):
    return tuple(frame[0] for frame in frames)


def same_names(ours, theirs, start):
    """Whether two frames name the same functions. gdb may know none, and one may have several
    names: those of the symbols at its first byte."""
    if None in theirs or ours == theirs:
        return True
    return ours[:-1] == theirs[:-1] and ours[-1] in symbols_at(start)


@functools.lru_cache(maxsize=None)
def symbols_of(path):
    found = collections.defaultdict(set)
    for option in ("--dyn-syms", "--syms"):
        text = subprocess.run(["readelf", "-W", option, path], check=True, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True).stdout
        for address, name in re.findall(r"^ *\d+: ([0-9a-f]+) .* \d+ (\S+?)(?:@.*)?$", text, re.M):
            found[int(address, 16)].add(plain(name))
    return found


def symbols_at(place):
    module, address = place
    return symbols_of(module)[address] if (module or "").startswith("/") else set()


# -- looking ---------------------------------------------------------------------------------------


def heap_sites(report):
    lib.expect_no_losses(report)
    return [site for site in report["sites"] if site["kind"] == "heap" and site["allocated_blocks"]]


def trace_command(command):
    done = subprocess.run([lib.UNFREED, "trace", *lib.EXACT[2:], "--", *command], check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return heap_sites(json.loads(done.stdout))


def trace(program):
    with lib.Trace("-p", program.pid) as tracer:
        program.work()
        report = tracer.stop()
    # gdb would take a probe that is still on for a breakpoint of the program's own.
    lib.eventually(lambda: lib.changed_code(program.pid), "probes that are still on")
    return heap_sites(report)


def entry_of(site):
    return site["frames"][0]["module"], site["frames"][0]["offset"]


def busiest(sites):
    """The allocator's functions with the most stacks, as many as gdb can stop at."""
    counts = collections.Counter(map(entry_of, sites))
    return {entry for entry, _ in counts.most_common(BREAKPOINTS)}


def places_of(entries):
    """The same by file and offset."""
    return [(module, Space.image(module).offset(address)) for module, address in sorted(entries)]


def look(target, config, work=None):
    """What gdb notes of a process (its arguments to gdb) while it works, else until it ends."""
    with tempfile.TemporaryDirectory() as folder:
        config = {**config, "output": f"{folder}/stacks.json"}
        with open(f"{folder}/log", "w+", encoding="utf-8", errors="replace") as log:
            gdb = subprocess.Popen(
                ["gdb", "-q", "-batch", "-nx", "-iex", "set debuginfod enabled off", "-iex",
                 "set auto-load off", "-x", f"{HERE}/gdb_stacks.py", *target],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, "STACKS_CONFIG": json.dumps(config)}, start_new_session=True)
            try:
                lib.eventually(lambda: not said(log).count("\nwatching\n") and
                               gdb.poll() is None, "gdb does not watch", SECONDS)
                if work:
                    work()
                    lib.eventually(lambda: interrupt(gdb), "gdb does not end", SECONDS)
                gdb.wait(SECONDS)
            finally:
                gdb.kill()
                gdb.wait()
            lib.expect(os.path.exists(config["output"]), f"gdb: {said(log)[-2000:]}")
        with open(config["output"], encoding="utf-8") as output:
            return json.load(output)


def interrupt(gdb):
    """Ends it; false once it has ended. One that comes while it notes a stack is lost."""
    gdb.send_signal(signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        gdb.wait(INTERRUPT_SECONDS)
    return gdb.poll() is None


def said(log):
    return os.pread(log.fileno(), 1 << 20, 0).decode(errors="replace")


def draw(sites, count, seed):
    """Distinct stacks at random, half of them from those with the fewest calls."""
    ordered = sorted(sites, key=lambda site: site["allocated_blocks"])
    middle = (len(ordered) + 1) // 2
    rare, common = ordered[:middle], ordered[middle:]
    chance = random.Random(seed)
    drawn = chance.sample(rare, min(len(rare), (count + 1) // 2))
    return drawn + chance.sample(common, min(len(common), count - len(drawn)))


def compare(sites, noted):
    """What differs, as text for each site: gdb has not seen its stack, or names a frame otherwise."""
    space = Space(noted["maps"])
    theirs = [of_gdb(stack, space) for stack in noted["stacks"]]
    exact = {addresses(frames): frames for frames in theirs}
    different = []
    for site in sites:
        whole = of_report(site)
        ours = known(whole)
        cut = len(ours) < len(whole) or site["end"] == "depth"
        matching = next((frames for frames in theirs
                         if addresses(frames)[:len(ours)] == addresses(ours)), None) if cut \
            else exact.get(addresses(ours))
        if not matching:
            different.append(explain(ours, theirs))
            continue
        for (place, our_names), (_, their_names, pc) in zip(ours, matching):
            if not same_names(our_names, their_names, space.place(noted["starts"][str(pc)])):
                different.append(f"{place}: {our_names}, gdb: {their_names}")
                break
    return different


def explain(ours, theirs):
    """Where the likest of gdb's stacks goes another way."""
    def common(stack):
        pairs = zip(addresses(ours), addresses(stack))
        return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(ours), len(stack)))
    likest = max(theirs, key=common, default=())
    at = common(likest)
    return (f"frame {at} of {len(ours)}: {ours[at][:2] if at < len(ours) else 'none'}, "
            f"gdb: {likest[at][:2] if at < len(likest) else 'none'}")


def prove(name, count, seed):
    """Distinct stacks, those that were drawn, and how these differ from gdb's."""
    if name in programs.COMMANDS:
        command = programs.COMMANDS[name]()
        sites = trace_command(command)
        entries = busiest(sites)
        noted = look(("--args", *command), {"places": places_of(entries)})
    else:
        with programs.start(name) as program:
            sites = trace(program)
            if name in WARMS_UP:
                again = {addresses(of_report(site)) for site in trace(program)}
                sites = [site for site in sites if addresses(of_report(site)) in again]
            entries = busiest(sites)
            noted = look(("-p", str(program.pid)), {"places": places_of(entries)},
                         lambda: [program.work() for _ in range(ROUNDS)])
    sites = [site for site in sites if entry_of(site) in entries]
    drawn = draw(sites, count, seed)
    return sites, drawn, compare(drawn, noted)


def main(names=(), count=STACKS, seed=None):
    """Prints a line for each program; whether no frame differs."""
    seed = random.randrange(1 << 32) if seed is None else seed
    # A debugger and its target hand over to each other thousands of times: each waits for a CPU.
    os.setpriority(os.PRIO_PROCESS, 0, -20)
    print(f"| {'PROGRAM':10} {'DISTINCT':>8} {'COMPARED':>8} {'DIFFER':>6}   (seed {seed})", flush=True)
    good = True
    for name in names or (*programs.STARTERS, *programs.COMMANDS):
        sites, drawn, different = prove(name, count, seed)
        print(f"| {name:10} {len(sites):8} {len(drawn):8} {len(different):6}", flush=True)
        for text in different:
            print(f"# {name}: {text}")
        good &= not different and len(drawn) >= count
    return good


def arguments_of(command_line):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stacks", type=int, default=STACKS)
    parser.add_argument("--seed", type=int)
    parser.add_argument("programs", nargs="*")
    return parser.parse_args(command_line)


if __name__ == "__main__":
    given = arguments_of(sys.argv[1:])
    sys.exit(0 if main(given.programs, given.stacks, given.seed) else 1)
