# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Samples for fuzz_heap: words of a heap of glibc, forged."""

from seeds import BIG, sample, u

LIBC_PAGE, BRK_PAGE, HEAP_PAGE, MMAPPED_PAGE = 0, 4, 20, 28  # of tests/unit/heap_image.h
LIBC, BRK, HEAP = 0x7f0000000000, 0x555500000000, 0x7e0000000000
MAIN_ARENA = 0x1c80  # from LIBC on


def heap():
    def put(title, *words, version=6):
        """words: page, offset from its start, what to put there"""
        data = u(version, 1)
        for page, offset, value in words:
            page += offset // 4096 if page < 0x80 else 0
            data += u(page, 1) + u(offset % 4096 // 8, 2) + u(value, 8)
        sample("heap", title, data)

    for version in range(9):
        put(f"version-{version}", version=version)
    main, second = MAIN_ARENA + 112, 48 + 112  # where bins begin
    put("arena-is-its-own-next", (HEAP_PAGE, second + 2048, HEAP + 48))
    put("ring-is-open", (HEAP_PAGE, second + 2048, 0))
    put("heap-before-itself", (HEAP_PAGE, 8, HEAP))
    put("heap-of-all-memory", (HEAP_PAGE, 16, 1 << 46))
    put("system-of-all-memory", (LIBC_PAGE, main + 2048 + 24, 1 << 46))
    put("top-in-a-library", (LIBC_PAGE, main - 16, LIBC))
    put("top-at-the-end-of-all", (LIBC_PAGE, main - 16, BIG - 15))
    put("top-of-all-memory", (LIBC_PAGE, main - 16, BRK + (1 << 45)), (LIBC_PAGE, main + 2048 + 24, 1 << 46))
    put("chunk-of-no-bytes", (BRK_PAGE, 0x298, 0))
    put("chunk-of-all-memory", (BRK_PAGE, 0x298, BIG - 14))
    put("chunk-that-ends-elsewhere", (BRK_PAGE, 0x298, 0x211 + 16))
    fast = 0x290 + 20 * 512 + 3 * 4096 + 16
    put("fastbin-in-a-ring", (BRK_PAGE, fast, BRK + fast - 16 ^ BRK + fast >> 12))
    put("fastbin-in-a-library", (LIBC_PAGE, main - 96 + 16, LIBC + 256))
    put("tcache-in-a-ring", (BRK_PAGE, 16 + 128 + 8, BRK + 16))
    put("tcache-of-all-counts", (BRK_PAGE, 16, BIG))
    put("bins-of-junk", *((LIBC_PAGE, main + 16 * i, BIG) for i in range(8)))
    put("mmapped-of-all-memory", (MMAPPED_PAGE, 8, (1 << 47) + 2))
    put("page-swapped-out", (0x80 + BRK_PAGE + 1, 0, 1))
    put("no-library", *((0x80 + page, 0, 0) for page in range(4)))
