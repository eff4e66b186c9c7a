# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The JVMs that are installed, and targets in Java."""

import glob
import os
import shutil
import subprocess

import lib

ROOT = os.environ.get("JAVA_ROOT", "/")  # where JVMs are looked for: perhaps another system's root


def jvms():
    """Path in ROOT of each java that is installed (or of $JVM), by the name of its folder."""
    found = {}
    for folder in sorted(glob.glob(os.path.join(ROOT, "usr/lib/jvm", os.environ.get("JVM", "*")))):
        if os.path.exists(os.path.join(folder, "bin/java")) and not os.path.islink(folder):
            found[os.path.basename(folder)] = "/" + os.path.relpath(folder, ROOT) + "/bin/java"
    return found


JVMS = jvms()


def command(name):
    """What starts it."""
    return (JVMS[name],) if ROOT == "/" else (shutil.which("chroot"), ROOT, JVMS[name])


def put_in_root(*paths):
    """Puts files where the JVMs find them; the folder there."""
    for path in paths if ROOT != "/" else ():
        shutil.copy(path, os.path.join(ROOT, "tmp"))
    return os.path.dirname(paths[0]) if ROOT == "/" else "/tmp"


def compile_target(name):
    """The folder with a target's classes."""
    folder = os.path.join(lib.BUILD, "tests/targets/java")
    source = os.path.join(lib.TOP, f"tests/targets/{name}.java")
    made = os.path.join(folder, f"{name}.class")
    if not os.path.exists(made) or os.path.getmtime(made) < os.path.getmtime(source):
        try:
            subprocess.run(["javac", "-nowarn", "--release", "8", "-d", folder, source],
                           check=True, stderr=subprocess.PIPE, text=True)
        except FileNotFoundError as error:
            raise lib.Skip("no javac") from error
    return put_in_root(*glob.glob(os.path.join(folder, "*.class")))
