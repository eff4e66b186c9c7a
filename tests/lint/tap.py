# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the checks of this folder share: the files of the tree, and a line of TAP for each check."""
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Skip(Exception):
    """Raised by a check that cannot run here; its text says why."""


def files():
    """The files of the tree, without what is generated: those that git knows or would add."""
    command = ["git", "-c", "safe.directory=*", "-C", TOP, "ls-files", "-z", "-co",
               "--exclude-standard"]
    listing = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode()
    names = (name for name in listing.split("\0") if name)
    return sorted(name for name in names if os.path.isfile(os.path.join(TOP, name)))


def text(name):
    with open(os.path.join(TOP, name), encoding="utf-8") as stream:
        return stream.read()


def run(*checks):
    """Each check yields its findings, one line each; its name and docstring name it."""
    failed = False
    print(f"1..{len(checks)}")
    for number, check in enumerate(checks, 1):
        try:
            findings = list(check())
            for finding in findings:
                print(f"# {finding}")
            print(f"{'not ok' if findings else 'ok'} {number} - {check.__doc__}")
            failed = failed or bool(findings)
        except Skip as skip:
            print(f"ok {number} - {check.__doc__} # SKIP {skip}")
    sys.exit(failed)
