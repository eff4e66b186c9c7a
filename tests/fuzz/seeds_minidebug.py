# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""seeds.py's part for .gnu_debugdata: an ELF file of symbols alone, packed by xz."""
import lzma
import struct
import zlib

from seeds import sample, u

NAMES = b"\0main\0helper\0"
SECTION_NAMES = b"\0.text\0.symtab\0.strtab\0.shstrtab\0"
X86_64, ARM64 = 62, 183
TOO_MUCH = 70 << 20


def header(kind, name, address=0, at=0, size=0, link=0, entry=0):
    return struct.pack("<IIQQQQIIQQ", name, kind, 6 if kind == 8 else 0, address, at, size, link, 0, 8, entry)


def elf(machine=X86_64, names=NAMES, link=3, bits=2):
    """Two functions, at 0x100 and 0x200; what they are is not there."""
    symbols = bytes(24) + struct.pack("<IBBHQQ", 1, 2, 0, 1, 0x100, 0x80) \
        + struct.pack("<IBBHQQ", 6, 2, 0, 1, 0x200, 0)
    parts, at = [symbols, names, SECTION_NAMES], [64]
    for part in parts:
        at.append(at[-1] + len(part))
    sections = header(0, 0) + header(8, 1, 0x100, 64, 0x1000) \
        + header(2, 7, 0, at[0], len(symbols), link, 24) + header(3, 15, 0, at[1], len(names)) \
        + header(3, 23, 0, at[2], len(SECTION_NAMES))
    head = b"\x7fELF" + bytes((bits, 1, 1)) + bytes(9) \
        + struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, 0, at[3], 0, 64, 0, 0, 64, 5, 4)
    return head + b"".join(parts) + sections


def dictionary_of(packed, size):
    """With another size of its dictionary, which the block's header has behind the filter's number."""
    length = (packed[12] + 1) * 4
    block = packed[12:12 + length - 4].replace(b"\x21\x01" + packed[16:17], b"\x21\x01" + u(size, 1))
    return packed[:12] + block + u(zlib.crc32(block), 4) + packed[12 + length:]


def minidebug():
    def put(title, packed):
        sample("minidebug", title, b"\0" + packed)

    def put_made(title, data, place=0, change=0):
        sample("minidebug", title, b"\1" + u(place, 2) + u(change, 1) + data)

    sound = lzma.compress(elf())
    put("sound", sound)
    put("sound-as-it-is-made-on-fedora", lzma.compress(elf(), preset=9))
    put("sound-with-more-behind", sound + sound)
    put("empty", b"")
    put("cut-off", sound[:-20])
    put("cut-off-in-the-header", sound[:9])
    put("another-format", lzma.compress(elf(), format=lzma.FORMAT_ALONE))
    put("not-packed", elf())
    put("more-than-is-unpacked", lzma.compress(elf() + bytes(TOO_MUCH)))
    put("dictionary-of-all-memory", dictionary_of(sound, 40))
    put_made("made", elf())
    put_made("made-and-damaged", elf(), 60, 0x10)
    put_made("no-elf", b"symbols")
    put_made("of-nothing", b"")
    put_made("of-another-machine", elf(ARM64))
    put_made("of-32-bits", elf(bits=1))
    put_made("names-without-end", elf(names=NAMES[:-1]))
    put_made("names-that-are-none", elf(link=99))
