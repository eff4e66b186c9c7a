#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Reports, read by speedscope's own importers: its page in a browser loads each as speedscope's command
does, and what it saves then has the sums that our own JSON has."""

import base64
import collections
import functools
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../e2e"))

import browser  # noqa: E402
from lib import BUILD, Skip, case, eventually, expect, expect_equal, run_cases  # noqa: E402
from reports import FOLDER, draw, sites_of, sums  # noqa: E402

PACKAGE = "speedscope@1.25.0"
SHA512 = "cpf9HWTZf1ijLXBJrk87Ve/54tnYx6rlf0gUThvn3ook6h63hLXVOQiMf44PT+XoV503cPfvfiT5gP5vojp6Ag=="
# What it would have the user download, kept instead.
KEEP_SAVED = "window.saved = []; URL.createObjectURL = (blob) => { saved.push(blob); return '#'; }; 0"
SAVE = "window.dispatchEvent(new KeyboardEvent('keydown', {key: 's', ctrlKey: true})); 0"


@functools.lru_cache(maxsize=None)
def speedscope():
    """The folder of its page, fetched once for a build."""
    folder = os.path.join(BUILD, PACKAGE)
    if not os.path.isdir(folder):
        if not shutil.which("npm"):
            raise Skip("no npm")
        with tempfile.TemporaryDirectory(prefix="unfreed-npm-") as new:
            done = subprocess.run(["timeout", "120", "npm", "pack", "--silent", PACKAGE], cwd=new,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            if done.returncode:
                raise Skip(f"npm pack {PACKAGE}: {done.stdout.decode(errors='replace').strip()}")
            with open(os.path.join(new, done.stdout.decode().split()[-1]), "rb") as stream:
                packed = stream.read()
        digest = base64.b64encode(hashlib.sha512(packed).digest()).decode()
        expect_equal(digest, SHA512, f"checksum of {PACKAGE}")
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(folder + ".new")
        os.rename(folder + ".new", folder)
    return os.path.join(folder, "package/dist/release")


def read_back(scene, form):
    """What speedscope makes of a report: a document of its own format."""
    page = os.path.join(speedscope(), "index.html")
    with open(draw(scene, form), "rb") as stream:
        data = base64.b64encode(stream.read()).decode()
    script = os.path.join(FOLDER.name, f"{scene}.{form}.js")
    with open(script, "w", encoding="ascii") as stream:
        stream.write(f"speedscope.loadFileFromBase64('{scene}.{form}', '{data}')")
    with browser.Tab(browser.shared()) as tab:
        tab.open(f"{page}#localProfilePath={script}")
        tab.run(KEEP_SAVED)
        eventually(lambda: " - speedscope" not in tab.run("document.title") and (tab.complaints or "no"),
                   f"{scene}.{form} is loaded", seconds=60)
        tab.run(SAVE)
        return json.loads(tab.run("saved[0].text()"))


def functions_of(profile, frames):
    """Function -> (own, with what it calls) of a profile of openings and closings."""
    own, all_of, stack, at = collections.Counter(), collections.Counter(), [], 0
    for event in profile["events"]:
        size, at = event["at"] - at, event["at"]
        if stack:
            own[stack[-1]] += size
        for name in set(stack):
            all_of[name] += size
        name = frames[event["frame"]]["name"]
        if event["type"] == "O":
            stack.append(name)
        else:
            expect_equal(stack.pop(), name, "what closes")
    return {name: (own[name], all_of[name]) for name in all_of if all_of[name]}


def expect_sums(document, number, sites, roots=lambda name: False):
    """roots: tells names that stand below a stack besides its functions, which are given back."""
    profile = document["profiles"][number]
    found = functions_of(profile, document["shared"]["frames"])
    below = {name: found.pop(name)[1] for name in [*found] if roots(name)}
    expect_equal(profile["endValue"], sum(site["bytes"] for site in sites),
                 f"{profile['name']} in all")
    expect_equal({name.removesuffix("_[i]"): both for name, both in found.items()},
                 sums(sites, "bytes"), f"{profile['name']} by function")
    return below


def is_process(name):
    return name.rpartition("-")[2].isdigit()


@case("java", "services", "series")
def speedscope_finds_the_sums_of(scene):
    document = read_back(scene, "speedscope")
    expect_equal(len(document["profiles"]), 2, "profiles")
    for number, kind in enumerate(("heap", "mapping")):
        expect_equal(document["profiles"][number]["unit"], "bytes", "unit")
        below = expect_sums(document, number, sites_of(scene, kind), is_process)
        expect_equal(sum(below.values()), document["profiles"][number]["endValue"], "processes")


@case()
def speedscope_reads_folded_stacks():
    sites = {kind: sites_of("series", kind) for kind in ("heap", "mapping")}
    below = expect_sums(read_back("series", "folded"), 0, sites["heap"] + sites["mapping"],
                        lambda name: is_process(name) or name in ("[heap]", "[mapping]"))
    for kind, its in sites.items():
        expect_equal(below[f"[{kind}]"], sum(site["bytes"] for site in its), kind)


@case()
def speedscope_reads_pprof():
    """All but inlined functions: it takes one function of a location."""
    document = read_back("series", "pprof")
    expect_equal(document["profiles"][0]["unit"], "bytes", "unit")
    sites = [dict(site, frames=[frame for frame in site["frames"] if frame["type"] != "inlined"])
             for site in sites_of("series", "heap")]
    expect_sums(document, 0, sites)


@case()
def speedscope_survives_hostile_names():
    document = read_back("hostile", "speedscope")
    names = [frame["name"] for frame in document["shared"]["frames"]]
    expect(r"mal\x1b[31mloc\x1b]0;owned\x07" in names, f"names {names}")


if __name__ == "__main__":
    sys.exit(run_cases(traces=False))
