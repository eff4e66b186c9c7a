#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Layers: a file under user/ includes its own folder and those to its left in its chain, only."""
import re

import tap

PURE = ("base", "model", "record", "report")
LIVE = ("base", "process", "elf", ("symbol", "unwind", "hotspot", "glibc", "musl"), "sandbox", "collect", "survey", "cmd")
# Folders of the live chain that may also include some of the pure one. cmd calls every layer.
ALSO = {"collect": {"model"}, "survey": {"model"}, "cmd": set(PURE)}
# What is shared with the kernel side, and who may include it.
SHARED = {
    "abi.h": {"collect", "unwind"},
    "thread.bpf.h": {"collect"},  # the skeleton names its struct
    "unfreed.skel.h": {"collect"},
}
# Headers of libraries that the pure chain does without: it runs anywhere.
LIVE_ONLY = re.compile(r"<(bpf/|linux/|libelf|gelf|elfutils/|dwarf|elf\.h|sys/ptrace|Zydis/)")
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<][^">]+)[">]', re.MULTILINE)


def allowed():
    """Folder -> the folders that it may include."""
    result = {}
    for chain in (PURE, LIVE):
        left = set()
        for place in chain:
            beside = (place,) if isinstance(place, str) else place
            for folder in beside:
                result.setdefault(folder, {folder}).update(left)
            left.update(beside)
    for folder, more in ALSO.items():
        result[folder] |= more
    return result


def includes(prefix):
    for name in tap.files():
        if name.startswith(prefix) and name.endswith((".c", ".h")):
            for include in INCLUDE.findall(tap.text(name)):
                yield name, include


def layers():
    """user/ keeps to its two chains"""
    rules = allowed()
    for name, include in includes("user/"):
        folder = name.split("/")[1]
        if include.endswith((".inc", ".sum")):  # made from a file beside it, below the build directory
            include = include.replace('"user/', '"', 1)
        if folder not in rules:
            yield f"{name}: no layer is called {folder}"
        elif include.startswith("<"):
            if folder in PURE and LIVE_ONLY.match(include):
                yield f"{name}: {folder} is pure and must not include {include}>"
        elif include[1:] in SHARED:
            if folder not in SHARED[include[1:]]:
                yield f'{name}: {include}" is for {", ".join(sorted(SHARED[include[1:]]))} only'
        elif "/" not in include:
            yield f'{name}: write {include}" with its folder'
        elif include[1:].split("/")[0] not in rules[folder]:
            yield f'{name}: {folder} must not include {include}"'


# What may be used of the parsers' folders beside the sandbox: constants and structs, what reads no
# file and no name, and what asks a JVM. The rest lives in the sandbox's child.
PARSERS = {"elf", "symbol", "unwind", "hotspot"}
OUTSIDE = {"elf/place.h", "unwind/stubs.h", "hotspot/hotspot.h", "hotspot/nmt.h", "hotspot/attach.h"}
INSIDE = re.compile(r"\b(hotspot_(open|names|facts|areas)|nmt_parse|place_probe|state_parse)\(")
# Who parses JSON: what runs in a child, and what reads one's own files.
JSON = {"user/process/state.c", "user/record/footprint_file.c"}


def parsers_live_in_the_child():
    """what parses the target's files is called by the sandbox's child alone"""
    for name, include in includes("user/"):
        path = include[1:]
        if include == "<jansson.h" and name not in JSON:
            yield f"{name}: JSON is parsed in {', '.join(sorted(JSON))}"
        if not name.startswith(("user/collect/", "user/survey/", "user/cmd/")):
            continue
        if path.split("/")[0] in PARSERS | {"sandbox"} and path not in OUTSIDE | {"sandbox/sandbox.h"}:
            yield f"{name}: ask the sandbox, instead of {path}"
    for name in tap.files():
        if name.startswith(("user/collect/", "user/survey/", "user/cmd/")) and INSIDE.search(tap.text(name)):
            yield f"{name}: calls {INSIDE.search(tap.text(name))[0]}"


def kernel_side():
    """bpf/ includes nothing of user/"""
    for name, include in includes("bpf/"):
        if include.startswith('"') and "/" in include:
            yield f'{name}: includes {include}"'


tap.run(layers, parsers_live_in_the_child, kernel_side)
