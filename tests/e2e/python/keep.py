# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Keeps bytes objects in a growing list, and says how many. See targets/protocol.h.

Objects of more than 512 bytes are malloc's, one block each, of the size that getsizeof() says. What
is heard and said is smaller, so that these blocks are the only ones of their kind.
"""

import os
import sys

COUNT = int(sys.argv[1])
kept = []


def keep(count):
    for i in range(count):
        kept.append(b"x" * (600 + i % 1000))


def say(line):
    os.write(1, line.encode() + b"\n")


keep(1)
say(f"ready {os.getpid()}")
while os.read(0, 64) == b"go\n":
    before = len(kept)
    keep(COUNT)
    new = kept[before:]
    say('{"objects":%d,"bytes":%d,"list_bytes":%d}' % (
        len(new), sum(map(sys.getsizeof, new)), sys.getsizeof(kept) - sys.getsizeof([])))
