# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the checks of this folder share: the files of the tree, and a line of TAP for each check."""
import os
import shlex
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


def make(*words):
    """Builds; yields what make prints where it fails."""
    command = shlex.split(os.environ.get("MAKE", "make"))
    command += [f"-j{os.environ.get('jobs', '2')}", "V=0", f"SAN={os.environ.get('SAN', '')}", *words]
    # Not the calling make's: its job server is out of reach here.
    environment = {name: value for name, value in os.environ.items() if name != "MAKEFLAGS"}
    done = subprocess.run(command, cwd=TOP, env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        yield from done.stdout.decode(errors="replace").splitlines()


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
