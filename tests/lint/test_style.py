#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Style: what every file of the tree keeps to."""
import os
import re
import shutil
import subprocess

import tap

SPDX = "SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause"
MAX_LINES = 700
CLANG_FORMAT_MAJOR = 14  # other versions format some lines otherwise
# Places that a text may name: standards that files cite, and XML names.
HOSTS = {"www.w3.org", "kernel.org", "git.kernel.org", "docs.kernel.org", "www.kernel.org",
         "sourceware.org", "refspecs.linuxfoundation.org", "gitlab.com", "github.com",
         "keepachangelog.com", "semver.org", "openjdk.org", "dwarfstd.org", "www.json.org",
         "example.com", "example.org", "www.speedscope.app"}
# And src, where tests/fresh and tests/prove have the tree.
STANDARD_FOLDERS = set("boot dev etc home lib media mnt opt proc root run srv src sys tmp usr var".split())


def is_generated(name):
    return name.endswith("/vmlinux.h")


def is_code(name):
    return name.endswith((".c", ".h", ".cc", ".cpp", ".py", ".sh", ".bash", ".java", ".bt")) or (
        is_script(name))


def is_script(name):
    with open(os.path.join(tap.TOP, name), "rb") as stream:
        return stream.read(2) == b"#!"


def texts():
    for name in tap.files():
        if is_generated(name):
            continue
        try:
            yield name, tap.text(name)
        except UnicodeDecodeError:
            pass  # captured data


def licence():
    """every source file begins with its licence"""
    for name, text in texts():
        lines = text.split("\n", 3)
        first = "\n".join(lines[:2] if text.startswith("#!") else lines[:1])
        if (is_code(name) or name.endswith("Makefile")) and SPDX not in first:
            yield f"{name}: no SPDX line at its head"


def executable():
    """every script with an interpreter line may be executed, and so is run"""
    for name in tap.files():
        if is_script(name) and not os.access(os.path.join(tap.TOP, name), os.X_OK):
            yield f"{name}: chmod +x"


def length():
    """no source file is longer than 700 lines"""
    for name, text in texts():
        lines = text.count("\n")
        if is_code(name) and lines > MAX_LINES:
            yield f"{name}: {lines} lines"


def whitespace():
    """lines end cleanly and files with a newline"""
    for name, text in texts():
        if not is_code(name) and not name.endswith((".md", "Makefile", ".1", ".5")):
            continue
        for number, line in enumerate(text.split("\n"), 1):
            if line != line.rstrip():
                yield f"{name}:{number}: trailing white space"
        if text and not text.endswith("\n"):
            yield f"{name}: no newline at its end"


def formatting():
    """C files are formatted by clang-format"""
    if not shutil.which("clang-format"):
        raise tap.Skip("no clang-format")
    version = subprocess.run(["clang-format", "--version"], stdout=subprocess.PIPE, check=True)
    major = re.search(rb"version (\d+)", version.stdout)
    if not major or int(major[1]) != CLANG_FORMAT_MAJOR:
        raise tap.Skip(f"clang-format is not version {CLANG_FORMAT_MAJOR}")
    names = [name for name, _ in texts() if name.endswith((".c", ".h", ".cc"))]
    if not names:
        return
    found = subprocess.run(["clang-format", "--dry-run", *names], cwd=tap.TOP, check=False,
                           stderr=subprocess.PIPE).stderr.decode()
    for name in sorted(set(re.findall(r"^([^:\n]+\.(?:c|h|cc)):\d+", found, re.MULTILINE))):
        yield f"{name}: run make format"


def shell():
    """shell scripts pass shellcheck"""
    if not shutil.which("shellcheck"):
        raise tap.Skip("no shellcheck")
    names = [name for name, text in texts()
             if re.match(r"#!\S*[/ ](ba)?sh\b|#!/usr/bin/env (ba)?sh\b", text)
             or name.endswith((".sh", ".bash"))]
    found = subprocess.run(["shellcheck", "-f", "gcc", *names], cwd=tap.TOP, check=False,
                           stdout=subprocess.PIPE).stdout.decode()
    yield from found.splitlines()


def places():
    """no file names a machine, or a path of one developer's"""
    first = tap.TOP.split("/")[1]
    own = "" if first in STANDARD_FOLDERS else rf"|{re.escape(first)}/"
    # Not below another folder, as /proc/PID/root/ is.
    paths = re.compile(rf"(?<![\w.$}}])/(?:home/\w|root/\w{own})")
    for name, text in texts():
        for number, line in enumerate(text.split("\n"), 1):
            if paths.search(line) and name != "tests/lint/test_style.py":
                yield f"{name}:{number}: a path of one machine"
            for host in re.findall(r"\b(?:https?|git|ssh)://([\w.-]+)", line):
                if host not in HOSTS:
                    yield f"{name}:{number}: the host {host}"


tap.run(licence, executable, length, whitespace, formatting, shell, places)
