# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The fault table at length: tests/e2e/test_faulty.py with 200 kills of the tracer instead of 5, and
10,000 forks of a target, all of whose sites are right."""

import functools
import os
import subprocess
import sys

import lib
from part_stress import plugins

STEPS, KILLS, FORKS = 10, 20, 10000


def cases(words, **environment):
    """Runs cases of the table: what it printed."""
    done = subprocess.run([sys.executable, os.path.join(lib.TOP, "tests/e2e/test_faulty.py"),
                           *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env=dict(os.environ, **environment), check=False)
    wrong = [line for line in done.stdout.splitlines() if line.startswith("not ok")]
    lib.expect(done.returncode == 0 and not wrong, wrong or done.stdout[-500:])
    return {"said": done.stdout.splitlines()[-1]}


def kills(seed):
    return {"kills": KILLS, "seed": seed,
            **cases(["tracer killed"], FAULTY_KILLS=str(KILLS), FAULTY_SEED=str(seed))}


def forks():
    with plugins() as folder, lib.Target("stress", "--threads", 4, "--operations", 1000, "--forks",
                                         FORKS, "--plugins", folder) as target:
        with lib.Trace("-p", target.pid) as tracer:
            truth = target.go()
            report = tracer.stop()
        lib.expect_equal(target.quit(), 0, "its exit status")
    lib.compare(report, truth["sites"])
    lost = {name: count for name, count in report["losses"].items()
            if count and name not in ("late_attaches", "short_lived", "mapping_calls")}
    lib.expect(not lost, f"losses: {lost}")
    return {"losses": report["losses"], "processes": len(report["processes"])}


def steps():
    for i in range(STEPS):
        yield f"{KILLS} kills, {i + 1} of {STEPS}", functools.partial(kills, 1000 + i)
    yield f"{FORKS} forks", forks
    yield "the rest of the table", functools.partial(cases, [
        "disk", "clock", "few", "little", "ring", "target"])
