# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the sandbox's child answers, sound and not."""
from seeds import BIG, sample, u


def message_text(text):
    return u(len(text) + 1, 4) + text + b"\0" if text is not None else u(0, 4)


def message_frame(i, name, file, line=7, flags=b"\0\0\0\0"):
    return u(i, 4) + u(line, 4) + flags + message_text(name) + message_text(file)


def message():
    image = u(3, 4) + b"\0" + u(62, 2) + b"\1\0" + bytes(64) + u(20, 4) + message_text(b"x.debug") \
        + u(1, 4) + message_text(b"") + u(1, 4) + bytes(32) + b"\1" + message_text(b"2.36")
    sample("message", "image-sound", b"\0" + image)
    sample("message", "image-cut", b"\0" + image[:-7])
    sample("message", "image-of-17-segments", b"\0" + image.replace(
        message_text(b"") + u(1, 4), message_text(b"") + u(17, 4)))
    sample("message", "probe-of-no-cost", b"\1" + b"\1\1" + bytes(26) + u(9, 4) + bytes(8))
    frames = [message_frame(0, b"main", b"a.c"), message_frame(1, None, None)]
    sample("message", "frames-sound", b"\2" + b"".join(frames))
    sample("message", "frames-text-without-end", b"\2" + frames[0].replace(b"main\0", b"main!"))
    sample("message", "frames-text-too-long", b"\2" + frames[0].replace(u(5, 4), u(BIG, 4)))
    sample("message", "jvm-of-5-heaps", b"\3" + u(17, 4) + u(5, 4) + bytes(900))
    sample("message", "exits-too-many", b"\4" + bytes(8) + message_text(b"") + u(BIG, 8) + bytes(40))
    sample("message", "exits-sound", b"\4" + bytes(8) + message_text(b"") + u(2, 8) + bytes(34))
    category = message_text(b"Java Heap") + bytes(48)
    sample("message", "nmt-sound", b"\5" + bytes(32) + u(1, 4) + category + u(0, 4))
    sample("message", "nmt-of-65-categories", b"\5" + bytes(32) + u(65, 4) + category + u(0, 4))
    sample("message", "empty", b"")
