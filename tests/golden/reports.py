# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Reports of the scenes of tests/golden/render, and what their consumers should find in them."""

import collections
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e"))

from lib import BUILD  # noqa: E402

RENDER = os.path.join(BUILD, "tests/golden/render")
SCENES = ("java", "services", "windowed", "hostile")
FOLDER = tempfile.TemporaryDirectory(prefix="unfreed-consumers-")


def draw(scene, form, *options):
    """The path of a report."""
    path = os.path.join(FOLDER.name, ".".join((scene, *options, form)))
    with open(path, "wb") as stream:
        subprocess.run([RENDER, scene, form, *options], stdout=stream, check=True)
    return path


def sites_of(scene, kind, *options):
    with open(draw(scene, "json", *options), encoding="utf-8") as stream:
        report = json.load(stream)
    return [site for site in report["sites"] if site["kind"] == kind]


def name_of(frame):
    """As every format calls it, before it escapes."""
    if frame["name"]:
        return frame["name"]
    if frame["module"]:
        return f"{os.path.basename(frame['module'])}+{frame['offset']:#x}"
    return f"[{frame['offset']:#x}]" if frame["offset"] else "[unknown]"


def stack_of(site):
    """Names, leaf first; a cut stack stands on what says so."""
    cut = [] if site["end"] in ("root", "barrier") else [f"[stack cut: {site['end']}]"]
    return [name_of(frame) for frame in site["frames"]] + cut


def sums(sites, key, stack=stack_of):
    """Function -> (own, with what it calls) of those that hold anything."""
    own, all_of = collections.Counter(), collections.Counter()
    for site in sites:
        names = stack(site)
        own[names[0]] += site[key]
        for name in set(names):
            all_of[name] += site[key]
    return {name: (own[name], all_of[name]) for name in all_of if all_of[name]}
