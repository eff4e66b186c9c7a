#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""unfreed trace --on-oom, --on-exit, --when: the report of the moment, though the target is gone."""

import json
import os
import signal
import subprocess
import sys
import tempfile

import lib
import runtimes
from flights import EXACT, GREEDY, Flight, Greedy, Holder, expect_leak, expect_named, \
    expect_oom, leak_of, limited_group, wait_probed
from lib import case, expect, expect_equal

MEMORY = 64 << 20
LIMIT = f"{MEMORY >> 20}m"
RIG = None  # of runc, for all cases


def rig():
    if not RIG:
        raise lib.Skip(f"no runc: {WHY}")
    RIG.clear()
    return RIG


def host_pids(spec):
    """Its processes are in the pid namespace of the host."""
    spec["linux"]["namespaces"] = [row for row in spec["linux"]["namespaces"]
                                   if row["type"] != "pid"]


def unfreed_json(*arguments):
    done = subprocess.run([lib.UNFREED, *map(str, arguments), "--json"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)
    expect_equal(done.returncode, 0, f"status of unfreed {arguments[0]}: {done.stderr}")
    return json.loads(done.stdout)


# -- killed for its memory -------------------------------------------------------------------------

@case()
def a_container_dies_and_its_last_moment_is_reported():
    container = rig().run("unfreed-oom", Greedy.command("--threads", 4, "--size", 1500), LIMIT)
    with Greedy(container) as greedy, Flight("-c", "unfreed-oom", "--on-oom", *EXACT) as flight:
        greedy.tell("go")
        report = flight.next_report()
        flight.end()
        (truth,) = greedy.counts.rows().values()
        share = expect_leak(report, truth)
        expect_named(report)
        expect_equal(expect_oom(report, MEMORY)["pid"], container.pid, "victim")
        # Who is killed within malloc does not come back from it.
        losses = {name: count for name, count in report["losses"].items() if count}
        expect(losses.pop("missed_returns", 0) <= 4 and not losses, f"losses: {losses}")
        expect_equal([os.stat(file).st_mode & 0o777 for file in flight.files()], [0o600] * 2,
                     f"modes of {flight.files()}")
        recording = next(file for file in flight.files() if file.endswith(".rec"))
        expect_equal(unfreed_json("report", recording)["incidents"], report["incidents"],
                     "the recording's incidents")
        grown = unfreed_json("diff", recording, "--before", 1)["sites"][0]
        expect(any(frame["name"] == "leak_greedily" for frame in grown["frames"]),
               f"what has grown most: {grown}")
    print(f"# {100 * share:.3f} % of {truth[0]} bytes")


@case()
def within_the_budget_the_first_site_is_the_right_one():
    container = rig().run("unfreed-oom", Greedy.command("--threads", 4, "--size", 1500), LIMIT)
    with Greedy(container) as greedy, Flight("-c", "unfreed-oom", "--on-oom") as flight:
        greedy.tell("go")
        report = flight.next_report()
        flight.end()
    expect_named(report)
    expect_oom(report, MEMORY)


@case()
def a_child_is_killed_and_the_next_one_too_while_the_container_goes_on():
    command = Greedy.command("--size", 3000, first=False, again=1)
    container = rig().run("unfreed-oom", command, LIMIT)
    victims = []
    # Between two of them somebody has to hold the pipe.
    with Greedy(container) as greedy, open(f"/proc/{container.pid}/root/tmp/out", "w",
                                           encoding="ascii"), \
            Flight("-c", "unfreed-oom", "--on-oom", "--max-reports", 2, *EXACT) as flight:
        for life in range(2):
            if life:
                expect(greedy.hear().startswith("ready "), "the next one is not ready")
            wait_probed(container)
            greedy.tell("go")
            expect_equal(greedy.hear(), "{}", "answer")
            report = flight.next_report()
            victims.append(expect_oom(report, MEMORY)["pid"])
            (truth,) = Greedy.counts_of(container, life).rows().values()
            expect_leak(report, truth, victims[-1])
            expect_equal(leak_of(report), leak_of(report, victims[-1]), "what others leak")
        expect(victims[0] != victims[1], "the same victim twice")
        flight.end()
        expect(runtimes.alive(container.pid), "the container is gone")


@case()
def the_victim_is_one_of_many_that_allocate():
    container = rig().run("unfreed-oom", Greedy.command("--processes", 6, "--size", 2000), LIMIT,
                          change=host_pids)
    with Greedy(container) as greedy:
        with Flight("-c", "unfreed-oom", "--on-oom", "--max-reports", 1, *EXACT) as flight:
            greedy.tell("go")
            report = flight.next_report()
            flight.end()
        counts = greedy.counts.rows()
        victim = expect_oom(report, MEMORY)["pid"]
        expect(victim in counts, f"victim {victim} of {list(counts)}")
        expect_leak(report, counts[victim], victim)


@case()
def it_attaches_again_to_what_comes_by_the_same_name():
    runc = rig()
    with_name = Greedy.command("--size", 5000)
    container = runc.run("unfreed-oom", with_name, LIMIT)
    greedy = Greedy(container)
    with Flight("-c", "unfreed-oom", "--on-oom", "--follow-restarts", "--max-reports", 2,
                *EXACT) as flight:
        for life in range(2):
            if life:
                runc.clear()
                container = runc.run("unfreed-oom", with_name, LIMIT)
                greedy = Greedy(container)
                flight.wait_for("tracing ")
            with greedy:
                wait_probed(container)
                greedy.tell("go")
                report = flight.next_report()
                expect_leak(report, next(iter(greedy.counts.rows().values())))
                expect_equal(expect_oom(report, MEMORY)["pid"], container.pid, "victim")
        flight.end()
        expect_equal(len(flight.files()), 4, f"files {flight.files()}")


@case("by its group", "by its pid")
def a_process_of_a_limited_group_is_killed(which):
    with tempfile.TemporaryDirectory() as folder, limited_group(MEMORY) as group, \
            Holder(folder, "--threads", 3, "--size", 2500, group=group) as holder:
        target = ("--cgroup", group) if "group" in which else ("-p", holder.pid)
        with Flight(*target, "--on-oom", *EXACT) as flight:
            holder.tell("go")
            report = flight.next_report()
            flight.end()
        share = expect_leak(report, holder.truth(), holder.pid)
        expect_named(report)
        expect_equal(expect_oom(report, MEMORY)["pid"], holder.pid, "victim")
    print(f"# {100 * share:.3f} % of {holder.truth()[0]} bytes")


@case()
def a_recorder_that_was_started_in_the_group_leaves_it_and_lives():
    with tempfile.TemporaryDirectory() as folder, limited_group(MEMORY) as group, \
            Holder(folder, "--size", 5000, group=group) as holder:
        with Flight("--cgroup", group, "--on-oom", *EXACT, group=group) as flight:
            with open(f"{group}/cgroup.procs", encoding="ascii") as processes:
                expect_equal(processes.read().split(), [str(holder.pid)], "who is in the group")
            holder.tell("go")
            expect_oom(flight.next_report(), MEMORY)
            flight.end()


# -- other ends ------------------------------------------------------------------------------------

@case("SIGTERM", "SIGKILL", "SIGABRT")
def who_ended_it_is_told(name):
    number = getattr(signal, name)
    with tempfile.TemporaryDirectory() as folder, Holder(folder, "--most", 1 << 20) as holder:
        with Flight("-p", holder.pid, "--on-exit", *EXACT) as flight:
            holder.fill()
            os.kill(holder.pid, number)
            report = flight.next_report()
            flight.end()
        incident = report["incidents"][0]
        expect_leak(report, holder.truth(), share=1)
        expect_named(report)
        expect_equal((incident["reason"], incident["exit_signal"], incident["signal"],
                      incident["sender_pid"], incident["pid"]),
                     ("exit", number, number, os.getpid(), holder.pid), "how it ended")


@case()
def a_plain_exit_is_reported_with_its_status():
    with subprocess.Popen(["/bin/sh", "-c", "echo ready; read line; exit 3"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as shell:
        expect_equal(shell.stdout.readline(), "ready\n", "the shell")
        with Flight("-p", shell.pid, "--on-exit", *EXACT) as flight:
            print("go", file=shell.stdin, flush=True)
            incident = flight.next_report()["incidents"][0]
            flight.end()
        expect_equal((incident["reason"], incident.get("exit_status")), ("exit", 3), "how it ended")


# -- before the end --------------------------------------------------------------------------------

@case()
def a_threshold_is_reported_once_and_the_command_runs_with_the_files():
    with tempfile.TemporaryDirectory() as folder, Holder(folder, "--most", 1 << 20) as holder:
        seen = os.path.join(folder, "seen")
        command = f'echo "$UNFREED_REASON $(wc -c <"$UNFREED_REPORT")" >>{seen}'
        with Flight("-p", holder.pid, "--when", "live>512K", "--when", "blocks>1000000", "--exec",
                    command, *EXACT) as flight:
            holder.fill()
            report = flight.next_report()
            expect_equal([row["reason"] for row in report["incidents"]], ["live>512K"], "reasons")
            expect(report["readings"][-1]["live_bytes"] >= 512 << 10, f"{report['readings'][-1]}")
            expect("live-512K" in report["path"], report["path"])
            lib.eventually(lambda: not os.path.exists(seen) and "not run", "the command")
            flight.process.send_signal(signal.SIGUSR1)
            expect_equal(flight.next_report()["incidents"][0]["reason"], "signal", "reason")
            flight.end(interrupt=True)
            expect_equal(len(flight.files()), 4, f"files {flight.files()}")
        with open(seen, encoding="utf-8") as file:
            expect(file.readline().startswith("live>512K "), "what the command saw")
        expect(not lib.changed_code(holder.pid), "probes are left")


@case("cgroup>50%", "cgroup>24M", "rss>24M")
def a_container_is_reported_on_its_way_to_the_limit(when):
    command = Greedy.command("--most", 40 << 20, "--size", 4000)
    container = rig().run("unfreed-oom", command, LIMIT)
    with Greedy(container) as greedy, Flight("-c", "unfreed-oom", "--when", when,
                                             *EXACT) as flight:
        greedy.tell("go")
        report = flight.next_report()
        expect_equal(report["incidents"][0]["reason"], when, "reason")
        reading = report["readings"][-1]
        expect_equal(reading["limit_bytes"], MEMORY, "limit")
        expect(any(note.startswith("RSS by classes") for note in report["notes"]),
               f"notes: {report['notes']}")
        expect_named(report)
        flight.end(interrupt=True)
        expect(runtimes.alive(container.pid), "it is gone")


@case()
def a_report_that_cannot_be_written_is_missed_and_the_next_one_is_written():
    with tempfile.TemporaryDirectory() as folder, Holder(folder, "--most", 1 << 20) as holder:
        with Flight("-p", holder.pid, "--when", "rss>1T", *EXACT) as flight:
            for file in flight.files():
                os.unlink(file)  # its names cannot be given to them any more
            flight.process.send_signal(signal.SIGUSR1)
            flight.wait_for("cannot write ")
            holder.fill()
            flight.process.send_signal(signal.SIGUSR1)
            expect_leak(flight.next_report(), holder.truth(), share=1)
            flight.end(interrupt=True, status=1)


def main():
    global RIG, WHY
    why = lib.why_not_here()
    if why or not os.path.exists(GREEDY):
        return lib.run_cases()
    with runtimes.workshop() as shop:
        try:
            with shop.rig("runc", shop.rootfs([GREEDY])) as RIG:
                return lib.run_cases()
        except runtimes.Unavailable as reason:
            RIG, WHY = None, reason
            return lib.run_cases()


if __name__ == "__main__":
    sys.exit(main())
