# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Runs within gdb: notes the stack at each hit of given addresses, until interrupted or at the end.

In $STACKS_CONFIG: {"places": [[path of a file, file offset]…], "output": path}. Written to output,
JSON: {"hits", "stacks": [[[pc, kind of frame, function or null]…]…], "starts": {pc: where its function
starts}, "maps": text}.
"""
# pylint: disable=import-error
import json
import os
import re
import signal

import gdb

FRAMES_MAX = 200
PEEK_WORDS = 256  # of a stack whose likes were seen already
KINDS = {gdb.NORMAL_FRAME: "native", gdb.INLINE_FRAME: "inlined", gdb.SIGTRAMP_FRAME: "signal"}

config = json.loads(os.environ["STACKS_CONFIG"])
hits = 0
stacks = {}  # in order
starts = {}
peeked = set()
code = []  # (start, end) of what is executable


def read_maps():
    with open(f"/proc/{gdb.selected_inferior().pid}/maps", encoding="utf-8") as file:
        return file.read()


def rows_of(maps):
    for line in maps.splitlines():
        columns = line.split(maxsplit=5)
        start, end = (int(word, 16) for word in columns[0].split("-"))
        yield start, end, columns[1], int(columns[2], 16), (columns[5:] or [""])[0]


def seen(frame):
    """Whether a stack with the same words that may be return addresses was noted already."""
    sp = int(frame.read_register("sp"))
    try:
        raw = gdb.selected_inferior().read_memory(sp, 8 * PEEK_WORDS)
    except gdb.MemoryError:
        return False
    words = memoryview(bytes(raw)).cast("Q")
    low, high = code
    key = (frame.pc(), sp, tuple(word for word in words if low <= word < high))
    if key in peeked:
        return True
    peeked.add(key)
    return False


def find_start(pc, returned_to):
    """An instruction's function has several names, perhaps, but only one first byte."""
    if pc not in starts:
        found = gdb.execute(f"info symbol {pc - returned_to}", to_string=True)
        offset = re.match(r"\S.*? \+ (\d+) in section", found)
        starts[pc] = pc - returned_to - int(offset[1]) if offset else pc - returned_to


def note():
    frame = gdb.newest_frame()
    if seen(frame):
        return
    frames = []
    while frame is not None and len(frames) < FRAMES_MAX:
        if frame.type() in KINDS:  # those of tail calls are nowhere on the stack
            frames.append((frame.pc(), KINDS[frame.type()], frame.name()))
            find_start(frame.pc(), len(frames) > 1)
        try:
            frame = frame.older()
        except gdb.error:
            break
    stacks.setdefault(tuple(frames))


class Place(gdb.Breakpoint):
    def stop(self):
        global hits
        hits += 1
        note()
        return False


def main():
    global code
    for line in ("set pagination off", "set confirm off", "set backtrace past-main on",
                 "set backtrace past-entry on", "handle all nostop noprint pass",
                 "handle SIGINT stop nopass", "set print inferior-events off",
                 "set print thread-events off", "set breakpoint pending off"):
        gdb.execute(line, to_string=True)
    if not gdb.selected_inferior().pid:
        gdb.execute("starti", to_string=True)
        gdb.execute("tcatch load libc.so", to_string=True)  # by then, all that it links to is there
        gdb.execute("continue", to_string=True)
    text = read_maps()
    maps = list(rows_of(text))
    for path, offset in config["places"]:
        for start, end, _, at, name in maps:
            if name == path and at <= offset < at + end - start:
                # In hardware: a tracer of another process that leaves the same file restores its
                # code in all that were ever traced, and would take ours for its own.
                Place(f"*{start + offset - at}", gdb.BP_HARDWARE_BREAKPOINT, internal=True)
    executable = [row for row in maps if "x" in row[2] and row[0] < 1 << 47]
    code = (min(row[0] for row in executable), max(row[1] for row in executable))
    print("watching", flush=True)
    gdb.execute("continue", to_string=True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # once is enough
    alive = gdb.selected_inferior().pid
    result = {"hits": hits, "stacks": list(stacks), "starts": starts,
              "maps": read_maps() if alive else text}
    with open(config["output"], "w", encoding="utf-8") as file:
        json.dump(result, file)
    if alive:
        gdb.execute("detach", to_string=True)


main()
