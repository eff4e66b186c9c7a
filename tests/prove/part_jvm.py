# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What is said of the memory of the JVMs of part_java: classes, NMT, direct buffers, verdicts."""

import part_java

TESTS = (("map", "jvm sums: ", "# "), ("jvm", "openjdk", "# "), ("verdict_jvm", "openjdk", "# "))


def steps():
    return part_java.steps(TESTS)
