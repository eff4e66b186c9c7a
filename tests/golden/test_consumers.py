#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Reports, read by programs that are not ours: each finds the sums that our own JSON has."""

import collections
import csv
import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../e2e"))

from lib import BUILD, Skip, case, expect, expect_equal, run_cases  # noqa: E402
from reports import FOLDER, RENDER, SCENES, draw, name_of, sites_of, stack_of, sums  # noqa: E402


def run(*command, stdin=None):
    """What a command prints; what it says besides is in the error where it fails."""
    if not shutil.which(command[0]):
        raise Skip(f"no {command[0]}")
    environment = dict(os.environ, PPROF_TMPDIR=FOLDER.name, JEPROF_TMPDIR=FOLDER.name,
                       LC_ALL="C.UTF-8")
    done = subprocess.run(command, input=stdin, capture_output=True, env=environment, timeout=120,
                          check=False)
    expect(done.returncode == 0, f"{' '.join(command)}: {done.stderr.decode(errors='replace')}")
    return done.stdout.decode(errors="replace")


# -- all ---------------------------------------------------------------------------------------------


def draws_fifty_thousand_stacks_within_two_seconds(form):
    with open(os.devnull, "wb") as nowhere:
        with subprocess.Popen([RENDER, "bulk", form], stdout=nowhere) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
    expect_equal(process.returncode, 0, "status")
    # Of its own: this machine may be busy. The stacks are made up within it, too.
    expect(usage.ru_utime + usage.ru_stime < 2, f"{usage.ru_utime + usage.ru_stime:.1f} s")
    expect(usage.ru_maxrss < 500 << 10, f"{usage.ru_maxrss >> 10} MiB")


if os.path.basename(BUILD) != "san":  # sanitizers take their time
    case("table", "json", "folded", "svg", "html", "pprof", "jeprof", "callgrind", "dot",
         "speedscope", "csv")(draws_fifty_thousand_stacks_within_two_seconds)


# -- folded ------------------------------------------------------------------------------------------

# A line as flamegraph.pl and its kin read it: the last number weighs, semicolons part functions.
FOLDED = re.compile(r"^(.*)\s+?(\d+(?:\.\d*)?)$")


@case(*SCENES, "series", "empty")
def folded_lines_have_the_sums_of(scene):
    with open(draw(scene, "folded"), encoding="utf-8", newline="\n") as stream:
        lines = stream.read().splitlines()
    found = {kind: collections.Counter() for kind in ("heap", "mapping")}
    for line in lines:
        stack, weight = FOLDED.match(line).groups()
        _, kind, *names = stack.split(";")
        expect(all(names), f"a function without a name: {line}")
        found[kind.strip("[]")][tuple(names)] += int(weight)
    for kind, of_kind in found.items():
        expected = collections.Counter()
        for site in sites_of(scene, kind):
            names = [name_of(frame) + {"inlined": "_[i]", "kernel": "_[k]"}.get(frame["type"], "")
                     for frame in site["frames"]]
            cut = [f"[stack cut: {site['end']}]"] * (site["end"] not in ("root", "barrier"))
            expected[tuple((names + cut)[::-1])] += site["bytes"]
        if scene != "hostile":
            expect_equal(of_kind, +expected, f"{kind} by stack")
        expect_equal(sum(of_kind.values()), sum(expected.values()), f"{kind} in all")
    expect_equal(len(lines), sum(map(len, found.values())), "each stack once")


# -- pprof -------------------------------------------------------------------------------------------

PPROF_ROW = re.compile(r"^\s*(-?\d+)B?\s+\S+\s+\S+\s+(-?\d+)B?\s+\S+  (.*?)(?: \(inline\))?$")
PPROF_TYPES = (("heap", "inuse_space", "bytes"), ("heap", "inuse_objects", "blocks"),
               ("heap", "alloc_space", "allocated_bytes"),
               ("heap", "alloc_objects", "allocated_blocks"),
               ("mapping", "mapping_inuse_space", "bytes"),
               ("mapping", "mapping_committed_space", "committed_bytes"))


def pprof_top(path, sample):
    text = run("go", "tool", "pprof", "-symbolize=none", "-top", "-unit=B", "-nodefraction=0",
               "-edgefraction=0", "-nodecount=0", f"-sample_index={sample}", path)
    rows = (PPROF_ROW.match(line) for line in text.splitlines())
    return {row[3]: (int(row[1]), int(row[2])) for row in rows if row}


@case("java", "services", "windowed")
def go_tool_pprof_finds_the_sums_of(scene):
    path = draw(scene, "pprof")
    for kind, sample, key in PPROF_TYPES:
        sites = sites_of(scene, kind)
        if sites:
            expect_equal(pprof_top(path, sample), sums(sites, key), f"{sample} by function")


@case()
def go_tool_pprof_peeks_and_knows_builds_and_labels():
    path = draw("java", "pprof")
    text = run("go", "tool", "pprof", "-symbolize=none", "-peek=^inflateInit2_$", path)
    callers = re.findall(r"\| +(\S+)$", text, re.M)
    expect_equal(callers, ["Java_java_util_zip_Inflater_init", "inflateInit2_", "zcalloc"],
                 "caller, function and what it calls")
    raw = run("go", "tool", "pprof", "-raw", path)
    expect(re.search(r"libjvm\.so 0b284562[0-9a-f]{32}", raw), "libjvm.so has its build-id")
    expect("Inflater.c:71" in raw and "GzipBlockReader.java:58" in raw, "lines are known")
    expect("kind:[mapping] owner:[glibc arena] process:[java (7123)]" in raw, "labels are there")
    inlined = run("go", "tool", "pprof", "-raw", draw("services", "pprof"))
    expect(re.search(r"new_allocator.h:137 .*\n +std::map.*stl_map.h:511 .*\n"
                     r" +gateway::SessionCache::remember.*session_cache.cc:214", inlined),
           "inlined functions share a location, the innermost first")
    tags = run("go", "tool", "pprof", "-tags", "-unit=B", path)
    expect(re.search(r"651173888\.0B \( *100%\): java \(7123\)", tags), f"by process: {tags}")
    expect(re.search(r"357572608\.0B \(54\.91%\): com\.example\.codec\.GzipBlockReader\.open", tags),
           f"by thread: {tags}")


@case(*SCENES, "empty")
def protoc_decodes(scene):
    packed = subprocess.run(["gzip", "-dc", draw(scene, "pprof")], capture_output=True, check=True)
    text = run("protoc", f"-I{HERE}", "--decode=perftools.profiles.Profile", "profile.proto",
               stdin=packed.stdout)
    # protoc shows what it has no name for by its number
    expect(not re.search(r"^ *\d+[:{ ]", text, re.M), "all fields are those of the layout")
    expect_equal(text.count("\nsample {"), len(sites_of(scene, "heap") + sites_of(scene, "mapping")),
                 "samples")


# -- jeprof ------------------------------------------------------------------------------------------

JEPROF_ROW = re.compile(r"^\s*(-?\d+)\s+\S+\s+\S+\s+(-?\d+)\s+\S+ (.*?)(?: \(inline\))?$")
ALLOCATORS = ("malloc", "realloc", "operator new(unsigned long)")


def jeprof_name(name):
    """As jeprof shortens it."""
    for pattern in (r"\([^()]*\)(\s*const)?", r"<[^<>]*>"):
        while re.search(pattern, name):
            name = re.sub(pattern, "", name)
    return re.sub(r"^.*\s+(\w+::)", r"\1", name)


def jeprof_stack(site):
    """Without the allocator's own functions, which jeprof leaves out."""
    names = stack_of(site)
    while names[0] in ALLOCATORS:
        names.pop(0)
    return [jeprof_name(name) for name in names]


def jeprof_rows(tool, *options):
    text = run(tool, "--text", "--show_bytes", *options)
    rows = (JEPROF_ROW.match(line) for line in text.splitlines())
    found = {row[3]: (int(row[1]), int(row[2])) for row in rows if row}
    return int(re.search(r"^Total: (\d+) B", text, re.M)[1]) if found else 0, found


@case("jeprof", "google-pprof")
def finds_the_sums(tool):
    for scene in ("java", "services", "windowed"):
        heap = sites_of(scene, "heap")
        for option, key in (("--inuse_space", "bytes"), ("--alloc_space", "allocated_bytes")):
            total, found = jeprof_rows(tool, option, draw(scene, "jeprof"))
            expect_equal(total, sum(site[key] for site in heap), f"{scene}: total {option}")
            expected = sums(heap, key, jeprof_stack)
            found = {name: sums for name, sums in found.items() if any(sums)}
            expect_equal(found, expected, f"{scene}: {option} by function")


@case("jeprof", "google-pprof")
def subtracts_a_base(tool):
    base = draw("services", "jeprof", "shaped")
    before = sites_of("services", "heap", "shaped")
    after = sums(sites_of("services", "heap"), "bytes", jeprof_stack)
    for name, (own, all_of) in sums(before, "bytes", jeprof_stack).items():
        after[name] = (after[name][0] - own, after[name][1] - all_of)
    _, found = jeprof_rows(tool, f"--base={base}", draw("services", "jeprof"))
    expect_equal({name: sums for name, sums in found.items() if any(sums)},
                 {name: sums for name, sums in after.items() if any(sums)}, "difference")


@case()
def jeprof_draws_and_survives_hostile_names():
    for scene in ("java", "hostile"):
        picture = run("jeprof", "--svg", draw(scene, "jeprof"))
        expect("<svg" in picture and "</svg>" in picture, f"{scene}: no picture")
    total, found = jeprof_rows("jeprof", draw("hostile", "jeprof"))
    expect(total >= 4 << 60, f"total {total}")
    expect(any(name.startswith(r"semi;colon\x0anewline") for name in found), f"{list(found)}")


# -- callgrind ---------------------------------------------------------------------------------------

def callgrind_rows(path, event, *options):
    """Function -> what it holds, as callgrind_annotate says."""
    text = run("callgrind_annotate", "--threshold=100", "--auto=no", f"--show={event}",
               f"--sort={event}", *options, path)
    total = re.search(r"^([\d,]+) \(100\.0%\) +PROGRAM TOTALS", text, re.M)
    rows = collections.Counter()
    for number, name in re.findall(r"^ *([\d,]+) \([ \d.]+%\)  [^:\n]*:(\S.*?)(?: \[.*\])?$", text,
                                   re.M):
        rows[name] += int(number.replace(",", ""))
    return int(total[1].replace(",", "")) if total else 0, dict(rows)


@case("java", "services", "windowed")
def callgrind_annotate_finds_the_sums_of(scene):
    path = draw(scene, "callgrind")
    for kind, event in (("heap", "HeapBytes"), ("mapping", "MappingBytes")):
        sites = sites_of(scene, kind)
        if not sites:
            continue
        expected = sums(sites, "bytes")
        total, found = callgrind_rows(path, event)
        expect_equal(total, sum(site["bytes"] for site in sites), f"{event} in all")
        expect_equal(found, {name: own for name, (own, _) in expected.items() if own},
                     f"{event}: functions themselves")
        _, found = callgrind_rows(path, event, "--inclusive=yes")
        expect_equal(found, {name: both for name, (_, both) in expected.items()},
                     f"{event}: with what they call")


@case()
def callgrind_annotate_counts_recursion_once():
    _, found = callgrind_rows(draw("recursive", "callgrind"), "HeapBytes", "--inclusive=yes")
    expected = sums(sites_of("recursive", "heap"), "bytes")
    expect_equal(found, {name: both for name, (_, both) in expected.items()}, "by function")


@case()
def callgrind_annotate_survives_hostile_names():
    total, found = callgrind_rows(draw("hostile", "callgrind"), "MappingBytes", "--inclusive=yes")
    expect_equal((total, found.get(r"]]>\u{9b}31m")), (4096, 4096), f"total, and by function {found}")


# -- dot ---------------------------------------------------------------------------------------------


def drawn_by_dot(scene):
    """Titles of nodes -> their lines of text; and edges, of the picture."""
    picture = xml.etree.ElementTree.fromstring(run("dot", "-Tsvg", draw(scene, "dot")))
    space = "{http://www.w3.org/2000/svg}"
    groups = {kind: [] for kind in ("node", "edge")}
    for group in picture.iter(f"{space}g"):
        if group.get("class") in groups:
            groups[group.get("class")].append(
                [text.text.replace("\xa0", " ") for text in group.iter(f"{space}text")])
    return groups["node"], groups["edge"]


@case("services", "hostile", "recursive")
def dot_draws(scene):
    nodes, edges = drawn_by_dot(scene)
    names = {name_of(frame) for kind in ("heap", "mapping") for site in sites_of(scene, kind)
             for frame in site["frames"] if site["bytes"]}
    short = [name for name in names if len(name) < 50 and name.isascii() and name.isprintable()]
    for name in short:
        expect(any(node[0] == name for node in nodes), f"{name} in {nodes}")
    expect(edges, "no call")


@case()
def dot_shows_the_sums_and_few_of_many():
    nodes, _ = drawn_by_dot("services")
    expect(["operator new(unsigned long)", "12.0 MiB (94.6%)"] in nodes, f"{nodes}")
    expect(["gateway::Worker::run()", "12.0 MiB (94.6%)"] in nodes, f"{nodes}")
    nodes, _ = drawn_by_dot("recursive")
    expect(["node", "30 B (2.4%)", "of 1.2 KiB (100%)"] in nodes, f"recursion counts once: {nodes}")
    nodes, edges = drawn_by_dot("bulk")
    expect(20 <= len(nodes) <= 160, f"{len(nodes)} functions")
    expect(edges, "no call")


# -- speedscope --------------------------------------------------------------------------------------


def expect_keys(found, needed, allowed, what):
    expect(set(needed) <= set(found) <= set(needed) | set(allowed), f"{what}: {set(found)}")


@case(*SCENES, "empty")
def speedscope_keeps_to_its_schema(scene):
    """As the format's own schema has it: what must be there, of which type, and nothing else."""
    with open(draw(scene, "speedscope"), encoding="utf-8") as stream:
        document = json.load(stream)
    expect_keys(document, ("$schema", "profiles", "shared"), ("name", "exporter"), "document")
    expect_equal(document["$schema"], "https://www.speedscope.app/file-format-schema.json", "schema")
    expect_keys(document["shared"], ("frames",), (), "shared")
    for frame in document["shared"]["frames"]:
        expect_keys(frame, ("name",), ("file", "line", "col"), "frame")
        expect(all(isinstance(text, str) for text in frame.values()), f"texts of {frame}")
    frames = document["shared"]["frames"]
    for profile, kind in zip(document["profiles"],
                             [kind for kind in ("heap", "mapping") if sites_of(scene, kind)]):
        expect_keys(profile, ("type", "name", "unit", "startValue", "endValue", "samples",
                              "weights"), (), "profile")
        expect_equal((profile["type"], profile["unit"]), ("sampled", "bytes"), "type and unit")
        expect_equal(len(profile["samples"]), len(profile["weights"]), "a weight for each sample")
        expect(all(0 <= number < len(frames) for stack in profile["samples"] for number in stack),
               "frames that are there")
        expect_equal(sum(profile["weights"]), profile["endValue"], "the end of the weights")
        sites = [site for site in sites_of(scene, kind) if site["bytes"]]
        expect_equal(profile["endValue"], sum(site["bytes"] for site in sites), f"{kind} in all")


# -- csv ---------------------------------------------------------------------------------------------


@case(*SCENES)
def csv_is_read_back(scene):
    with open(draw(scene, "csv"), encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, strict=True))
    for kind in ("heap", "mapping"):
        sites = sites_of(scene, kind)
        for key in ("bytes", "blocks", "allocated_bytes"):
            expect_equal([int(row[key]) for row in rows if row["kind"] == kind],
                         [site[key] for site in sites], f"{kind} {key}")
    cells = [cell for row in rows for cell in row.values()]
    expect(not any(re.match(r"[=+@-]|.*[\x00-\x1f\x7f]", cell, re.S) for cell in cells),
           f"a cell that acts: {cells}")


@case()
def csv_has_each_moment():
    with open(draw("series", "csv"), encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["function"].startswith("shop::Session::")]
    expect_equal(len({row["site"] for row in rows}), 1, "one number at all moments")
    expect_equal([int(row["bytes"]) for row in rows], [(2 << 20) + i * 1700000 for i in range(37)],
                 "what leaks")
    expect_equal({float(b["unix_seconds"]) - float(a["unix_seconds"])
                  for a, b in zip(rows, rows[1:])}, {1200.0}, "seconds between")


if __name__ == "__main__":
    sys.exit(run_cases(traces=False))
