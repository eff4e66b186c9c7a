# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""many.py METHOD COUNT: workers of multiprocessing that malloc and free, and say how often.

After "go" they exist: their pids. After "work" each holds blocks of malloc, called by ctypes. See
targets/protocol.h.
"""

import ctypes
import json
import multiprocessing
import os
import sys

HELD, FREED, BYTES = 300, 200, 12345
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]


def worker(start, done, end):
    done.put(os.getpid())
    start.wait()
    blocks = [libc.malloc(BYTES) for _ in range(HELD + FREED)]
    for block in blocks[HELD:]:
        libc.free(block)
    done.put((os.getpid(), HELD))
    end.wait()


def say(line):
    os.write(1, line.encode() + b"\n")


def hear():
    return os.read(0, 64).decode().strip()


def main():
    context = multiprocessing.get_context(sys.argv[1])
    count = int(sys.argv[2])
    start, end, done = context.Event(), context.Event(), context.Queue()
    workers = [context.Process(target=worker, args=(start, done, end)) for _ in range(count)]
    say(f"ready {os.getpid()}")
    while (word := hear()):
        if word == "go":
            for one in workers:
                one.start()
            say(json.dumps({"pids": [done.get() for _ in workers]}))
        elif word == "work":
            start.set()
            say(json.dumps({"held": dict(done.get() for _ in workers), "bytes": BYTES}))
        else:
            break
    start.set()
    end.set()
    for one in workers:
        if one.pid:
            one.join()


if __name__ == "__main__":
    main()
