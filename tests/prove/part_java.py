# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the end-to-end tests say of the JVMs of this machine, of JDK 8, 11, 17, 21 and 25 in a root."""

import functools
import os
import re
import subprocess
import sys

import lib
from part_roots import debian_root

VERSIONS = (8, 11, 17, 21, 25)
PACKAGES = tuple(f"openjdk-{version}-jre-headless" for version in VERSIONS) + ("libc6",)
# A file of tests/e2e, a word of the names of its cases, the lines that say what was seen.
TESTS = (("real", "top site", "# "), ("java", "those of the jvm", "# "),
         ("java", "comes and goes", "# "), ("java", "in the place", "# "),
         ("java", "virtual threads", "# "), ("complete", "native code", "| "))
RESULT = re.compile(r"(not )?ok (.*)")
SECONDS = 600


def end_to_end(version, test, word, seen):
    root, versions = debian_root("sid", "jvms", PACKAGES)
    name = f"java-{version}-openjdk-amd64"
    if not os.path.exists(f"{root}/usr/lib/jvm/{name}/bin/java"):
        raise lib.Skip(f"no JDK {version} in sid any more")
    done = subprocess.run([sys.executable, f"{lib.TOP}/tests/e2e/test_{test}.py", word],
                          env=dict(os.environ, JAVA_ROOT=root, JVM=name), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=SECONDS, check=False)
    results = RESULT.findall(done.stdout)
    own = {package: versions[package] for package in versions if package in
           ("libc6", f"openjdk-{version}-jre-headless")}
    figures = {"versions": own, "seen": [line[len(seen):] for line in done.stdout.splitlines()
                                         if line.startswith(seen)]}
    failed = [name for wrong, name in results if wrong]
    skipped = [name for _, name in results if " # SKIP " in name]
    figures["passed"] = len(results) - len(failed) - len(skipped)
    if results and len(skipped) == len(results):
        raise lib.Skip(skipped[0].partition(" # SKIP ")[2])
    if done.returncode or failed or skipped or not results:
        failure = AssertionError("; ".join(failed + skipped) or
                                 f"status {done.returncode}: {done.stdout[-500:]}")
        failure.figures = figures
        raise failure
    return figures


def steps(tests=TESTS):
    for version in VERSIONS:
        for test, word, seen in tests:
            # A step is known by its name.
            name = f"{test}, all" if word == "openjdk" else word
            yield (f"JDK {version}: {name}",
                   functools.partial(end_to_end, version, test, word, seen))
