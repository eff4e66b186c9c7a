# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What seeds.py writes of a JVM's direct buffers: a loader, three classes, a mirror, and counters."""
from seeds import BIG, PLACES, STATICS, jvm, sample


def direct():
    """As in test_direct.c."""
    loader, klasses, mirror, counters, names = 0x25000, 0x25100, 0x28100, 0x29000, (
        b"java/lang/Class", b"java/nio/Bits", b"java/util/concurrent/atomic/AtomicLong")

    def forged(*changes):
        memory = jvm()
        memory.put(STATICS + 0x80, 0x25800)
        memory.put(0x25800 + 16, 0x28000)
        memory.put(0x25800 + 24, 0x8000 // 8)
        memory.put(STATICS + 0x88, loader)
        memory.put(loader + 16, klasses)
        for i, name in enumerate(names):
            klass = klasses + 0x100 * i
            memory.put(klass + 8, klass + 0x100 if i < 2 else 0)
            memory.put(klass + 24, klass + 0x40)
            memory.symbol(klass + 0x40, name)
        memory.put(klasses + 0x100 + 32, mirror)
        memory.put(mirror + 8, 0x4000, 4)
        for i, value in enumerate((5000, 4800, 7)):
            memory.put(mirror + 0x84 + 4 * i, (counters + 0x18 * i) >> 3, 4)
            memory.put(counters + 0x18 * i + 8, 0x4000 + (0x200 >> 3), 4)
            memory.put(counters + 0x18 * i + 16, value)
        for change in changes:
            memory.put(*change)
        return b"\0" + memory.encode(*PLACES)

    sample("hotspot", "direct-buffers", forged())
    sample("hotspot", "direct-buffers-below-zero", forged((counters + 16, BIG)))
    sample("hotspot", "direct-buffers-mirror-outside", forged((klasses + 0x100 + 32, BIG)))
    sample("hotspot", "classes-that-go-round", forged((klasses + 0x208, klasses), (klasses + 0x250, BIG)))
    sample("hotspot", "loaders-that-go-round", forged((loader + 8, loader), (klasses + 0x250, BIG)))
