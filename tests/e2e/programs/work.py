# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a Python program does, at each line on its input: the same again. Answers "done"."""
import ast
import collections
import decimal
import hashlib
import io
import itertools
import json
import os
import pickle
import re
import struct
import sys
import zlib

TEXT = "the quick brown fox jumps over the lazy dog " * 2


class Node:
    __slots__ = ("left", "right", "name")

    def __init__(self, depth):
        self.name = f"node {depth}"
        self.left = Node(depth - 1) if depth else None
        self.right = Node(depth - 1) if depth else None


def recurse(depth, action):
    return recurse(depth - 1, action) if depth else action()


def parse():
    data = {"list": list(range(30)), "text": TEXT, "nested": {str(i): [i, None] for i in range(6)}}
    return json.loads(json.dumps(data, indent=1)), pickle.loads(pickle.dumps(data))


def match():
    re.purge()
    return [re.findall(pattern, TEXT) for pattern in (r"(\w+) (\w+)", r"(?P<a>[aeiou]+)x*|z?")]


def compress():
    return zlib.decompress(zlib.compress(TEXT.encode(), 9)), hashlib.sha256(TEXT.encode()).digest()


def numbers():
    with decimal.localcontext() as context:
        context.prec = 300
        root = decimal.Decimal(2).sqrt()
    return root, 3 ** 2000 // 7 ** 500, str(2 ** 1500), struct.pack("<600q", *range(600))


def containers():
    queue = collections.deque(range(280, 300), 700)
    counts = collections.Counter(TEXT)
    ordered = collections.OrderedDict((i, i) for i in range(20))
    chain = sorted(itertools.chain(range(20), range(40)), key=lambda n: -n)
    return queue, counts, ordered, chain, set(range(60)) - set(range(10)), Node(2)


def source():
    tree = ast.parse("def f(x):\n    return [y ** 2 for y in range(x) if y % 3]\n")
    names = {}
    exec(compile(tree, "made", "exec"), names)  # pylint: disable=exec-used
    return names["f"](30)


def files():
    with open(__file__, encoding="utf-8") as file:
        text = file.read(500).upper()
    return io.StringIO(text).readlines(), os.listdir("/"), text.encode("utf-16")


def fail():
    try:
        recurse(8, lambda: {}["no such key"])
    except KeyError as error:
        return str(error)
    return None


print("ready", os.getpid(), flush=True)
for line in sys.stdin:
    for depth, work in enumerate((parse, match, compress, numbers, containers, source, files, fail)):
        recurse(depth, work)
        recurse(depth * 3, work)
    print("done", flush=True)
