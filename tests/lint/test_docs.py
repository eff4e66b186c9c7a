#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Documentation: man pages are well-formed, and agree with --help and the completion."""
import glob
import os
import re
import shutil
import subprocess

import tap

OUT = os.environ.get("O", "build")
UNFREED = os.path.join(tap.TOP, OUT, "unfreed")
OPTION = re.compile(r"(?<![\w-])--([a-z][a-z-]+)")


def page(command):
    return tap.text(f"man/unfreed-{command}.1")


def commands():
    """The commands that have a man page."""
    for path in glob.glob(os.path.join(tap.TOP, "man/unfreed-*.1")):
        yield os.path.basename(path)[len("unfreed-"):-len(".1")]


def option_of_page(command):
    """Long options that the man page explains: .It Fl d , Fl -duration Ar time"""
    rows = re.findall(r"^\.It (Fl .*)$", page(command), re.MULTILINE)
    return set(re.findall(r"Fl -([a-z][a-z-]+)", "\n".join(rows)))


def well_formed():
    """man pages pass mandoc -Tlint"""
    if not shutil.which("mandoc"):
        raise tap.Skip("no mandoc")
    pages = sorted(glob.glob("man/*.[15]", root_dir=tap.TOP))
    found = subprocess.run(["mandoc", "-Tlint", "-Wstyle", *pages], cwd=tap.TOP, check=False,
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode()
    for line in found.splitlines():
        if "referenced manual not found" not in line:  # not installed here
            yield line


def help_agrees():
    """each option of --help is in the man page, and the other way round"""
    findings = list(tap.make(f"O={OUT}", "all"))
    if findings:
        yield from findings
        return
    for command in commands():
        shown = subprocess.run([UNFREED, command, "--help"], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, check=False)
        if shown.returncode != 0:
            yield f"unfreed {command} --help: exit status {shown.returncode}"
            continue
        rows = re.findall(r"^\s+(?:-\w, )?--.*$", shown.stdout.decode(), re.MULTILINE)
        helped = {OPTION.search(row)[1] for row in rows} | {"help"}
        paged = option_of_page(command)
        for name in sorted(helped - paged):
            yield f"man/unfreed-{command}.1 lacks --{name}"
        for name in sorted(paged - helped):
            yield f"unfreed {command} --help lacks --{name}"


def completion_agrees():
    """the completion knows the options of the man pages"""
    text = tap.text("contrib/completion/unfreed.bash")
    for command in commands():
        words = re.search(rf"^\s*{command}\) options='([^']*)'", text, re.MULTILINE)
        known = set(OPTION.findall(words[1])) if words else set()
        for name in sorted(known ^ option_of_page(command)):
            yield f"unfreed.bash and man/unfreed-{command}.1 differ in --{name}"


tap.run(well_formed, help_agrees, completion_agrees)
