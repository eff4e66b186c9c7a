#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""extract-btf.py VMLINUZ BTF: the raw BTF of a kernel image, plain, gzip, EFI zboot or bzImage."""
import lzma
import struct
import subprocess
import sys
import zlib

BTF_MAGIC = b"\x9f\xeb\x01\x00"  # magic, version 1, flags 0: struct btf_header in <linux/btf.h>


def gunzip(data):
    return zlib.decompressobj(wbits=31).decompress(data)


def unxz(data):
    return lzma.LZMADecompressor().decompress(data)


def unzstd(data):
    # What follows the frame is no zstd: the exit status tells nothing, the output does.
    return subprocess.run(["zstd", "-dqc"], input=data, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=False).stdout


UNPACKERS = ((b"\x1f\x8b\x08", gunzip), (b"\xfd7zXZ\x00", unxz), (b"\x28\xb5\x2f\xfd", unzstd))


def find_btf(image):
    """The largest blob in image whose header and sections fit together, or None."""
    best = None
    at = image.find(BTF_MAGIC)
    while at >= 0:
        if at + 24 <= len(image):
            header, type_at, type_bytes, text_at, text_bytes = struct.unpack_from("<5I", image, at + 4)
            size = header + text_at + text_bytes
            if header == 24 and type_at == 0 and text_at == type_bytes and at + size <= len(image):
                blob = image[at:at + size]
                if best is None or len(blob) > len(best):
                    best = blob
        at = image.find(BTF_MAGIC, at + 1)
    return best


def unpacked(image):
    """The image itself, then whatever can be unpacked from inside it."""
    yield image
    for magic, unpack in UNPACKERS:
        at = image.find(magic)
        while at >= 0:
            try:
                yield unpack(image[at:])
            except (zlib.error, lzma.LZMAError, EOFError):
                pass
            at = image.find(magic, at + 1)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], "rb") as stream:
        image = stream.read()
    for candidate in unpacked(image):
        blob = find_btf(candidate)
        if blob and len(blob) > 1 << 20:
            with open(sys.argv[2], "wb") as stream:
                stream.write(blob)
            return
    sys.exit(f"{sys.argv[1]}: no BTF in this image")


main()
