# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Recordings, for seeds.py: those of tests/golden, whole and damaged, and contents that cannot be."""
import os
import struct
import zlib

from seeds import HERE, sample, u

GOLDEN = os.path.join(os.path.dirname(HERE), "golden")
HEAD = 24
TYPES = {b"SNAP": 0, b"ABOU": 1, b"foot": 2, b"DONE": 3}


def golden(name):
    with open(os.path.join(GOLDEN, f"{name}.rec"), "rb") as file:
        return file.read()


def blocks(data):
    """(type, contents) of each block."""
    at = HEAD
    while at < len(data):
        kind, stored, _, _ = struct.unpack_from("<4sIII", data, at)
        yield kind, zlib.decompress(data[at + 16:at + 16 + stored])
        at += 16 + stored


def file_of(*parts):
    """A file as fuzz_recording.c makes it of these."""
    return b"\1" + b"".join(u(TYPES[kind], 1) + u(len(body), 2) + body for kind, body in parts)


def number(value):
    data = b""
    while value >= 0x80:
        data += u(value & 0x7f | 0x80, 1)
        value >>= 7
    return data + u(value, 1)


def section(tag, body):
    return number(tag) + number(len(body)) + body


def sections(data):
    """{tag: body} of a snapshot's contents, of less than 2^14 bytes each."""
    found, at = {}, 0

    def take():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        tag, size = take(), take()
        found[tag] = data[at:at + size]
        at += size
    return found


def of_sections(found):
    return b"".join(section(tag, body) for tag, body in found.items())


def recording():
    def put(title, *parts):
        sample("recording", title, file_of(*parts))

    java = golden("java")
    sample("recording", "file", b"\0" + java)
    sample("recording", "file-of-one-scene-hostile", b"\0" + golden("hostile"))
    sample("recording", "file-empty", b"\0")
    sample("recording", "file-cut-in-its-head", b"\0" + java[:20])
    sample("recording", "file-cut-in-a-block", b"\0" + java[:-60])
    sample("recording", "file-without-its-end", b"\0" + java[:-25])
    sample("recording", "file-damaged", b"\0" + java[:300] + b"\xff" + java[301:])
    newer = java[:10] + b"\2\0" + java[12:20]
    sample("recording", "file-of-the-future", b"\0" + newer + u(zlib.crc32(newer), 4) + java[24:])
    feature = java[:12] + b"\1" + java[13:20]
    sample("recording", "file-with-a-feature", b"\0" + feature + u(zlib.crc32(feature), 4) + java[24:])
    sample("recording", "file-of-json", b'\0{"kind":"map"}')
    for scene in ("java", "services", "windowed", "empty", "hostile"):
        put(scene, *blocks(golden(scene)))
    series = list(blocks(golden("series")))
    put("series", *series[:8])
    put("series-without-the-first", series[0], *series[3:8])
    put("footprint-first", *series[2:3], *series[:2])
    put("footprint-broken", *series[:2], (b"foot", b"{"))

    snapshot = next(body for kind, body in blocks(java) if kind == b"SNAP")
    whole = sections(snapshot)

    def changed(title, **other):
        put(title, (b"SNAP", of_sections(whole | {int(tag[1:]): body for tag, body in other.items()})))

    changed("of-all-sections")
    changed("unknown-section", _99=b"what")
    changed("text-with-a-nul", _1=whole[1][:2] + b"\0" + whole[1][3:])
    changed("texts-without-end", _1=number(2**40) + whole[1][1:])
    changed("text-longer-than-all", _1=b"\1" + number(2**63))
    changed("frame-of-a-text-that-is-not-there", _2=b"\1" + number(999) + bytes(5))
    changed("frame-of-no-type", _2=b"\1" + bytes(5) + b"\x09")
    changed("stack-of-a-frame-that-is-not-there", _3=b"\1\1" + number(999))
    changed("stack-of-no-frames", _3=b"\1\0")
    changed("stack-of-many-frames", _3=b"\1" + number(2000) + b"\1" * 2000)
    changed("site-of-no-kind", _4=b"\1\1\x07\1\1\0")
    changed("site-of-a-stack-that-is-not-there", _4=b"\1\1\0\1" + number(99) + b"\0")
    changed("pid-of-64-bits", _4=b"\1\1\0" + number(2**63) + b"\1\0")
    changed("number-too-long", _4=b"\1" + b"\xff" * 11)
    changed("double-that-is-none", _11=bytes(3) + b"\0\0\0\0\0\0\xf8\x7f" + bytes(50))
    changed("loss-without-a-name", _9=b"\1\0\0\5")
    changed("sites-not-in-order", _12=b"\2\4\3" + bytes(40))
    changed("site-twice", _12=b"\2\2\0" + bytes(40))
    changed("more-sites-than-bytes", _12=number(2**32) + bytes(40))
    changed("sites-beside-none", _4=b"\0" + whole[4][1:])
    changed("no-sites-known", _4=b"\1\0")
    changed("more-young-than-all", _12=b"\1\2" + bytes(4) + b"\2\2" + bytes(14))
    huge = number((2**63 - 2) * 2)  # a difference
    changed("more-than-64-bits-in-all", _12=b"\2\2\2" + bytes(4) + huge + huge + bytes(34))
    changed("end-that-is-none", _12=b"\1\2" + bytes(19) + b"\x20")
    put("end-alone", (b"DONE", b"\0"))
    put("facts-without-end", (b"ABOU", number(2**50) + b"\1a\1b"), (b"SNAP", snapshot))
