#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""unfreed watch on terminals of tmux: its screens are those of screens/*.txt, but for what changes
from run to run, and the terminal is given back whatever ends it. REFRESH=1 draws the screens anew:
read the difference before you commit it."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import lib
from lib import case, eventually, expect, expect_equal

SCREENS = os.path.join(lib.TOP, "tests/e2e/screens")
EXACT = ("--max-overhead", "off", "--min-age", "0s", "--events", "heap", "-i", "500ms")
# What changes from run to run keeps its width, where it stands in a column.
VOLATILE = (
    (r"(, )[\d.]+ m?s(?=, exact)", r"\1TIME"),
    (r"(, TIME, exact) +", r"\1 "),
    (r"\bpid \d+", "pid PID"),
    (r"\b\d+ grow\b", "PID grow"),
    (r"grow-\d+", "grow-PID"),
    (r"(\[)?glibc [\d.]+", "glibc VERSION"),
    (r"RSS [\d.]+ \w+.*", "RSS SIZE"),
    (r"[\d,]+ hits", "N hits"),
    (r"[\d,]+ probe hits.*", "N probe hits"),
    (r"[+-][\d.]+ (?:B|[KMG]iB)/s|(?<=B) {13}(?= +\d)", lambda found: " " * len(found[0])),
    (r"(?m)^(.{8}B) [ +-].{8}(?= )", r"\1" + " " * 10),
    (r"(?<=B) [ \d.]{8,12} m?s(?= +[▁▂▃▄▅▆▇█])", lambda found: " " * len(found[0])),
    (r"[▁▂▃▄▅▆▇█]+", "▇"),
    (r" +▇", " ▇"),
    (r"(__libc_start_\w+)  .*", r"\1  PLACE"),
    (r"[.\w/]*/(\w+)\.c:\d+", r"\1.c:LINE"),
    (r"(\w+)\.c:\d+", r"\1.c:LINE"),
    (r"growth +\+([\d.]+ \w+) in the last [\d.]+ m?s", r"growth +\1 in the last TIME"),
    (r"oldest +[\d.]+ m?s", "oldest TIME"),
)


class Terminal:
    """A shell on a terminal of its own, in which a command runs."""

    def __init__(self, columns=80, lines=24):
        if not shutil.which("tmux"):
            raise lib.Skip("no tmux")
        self.folder = tempfile.mkdtemp(prefix="unfreed-watch-")
        self.socket = os.path.join(self.folder, "socket")
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", columns, "-y", lines,
                  "-c", self.folder, "env PS1='$ ' LC_ALL=C.UTF-8 sh")
        eventually(lambda: "$" not in self.text() and self.text(), "a prompt")

    def tmux(self, *arguments):
        done = subprocess.run(["tmux", "-S", self.socket, *map(str, arguments)],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env=dict(os.environ, LC_ALL="C.UTF-8"), check=False)
        expect(done.returncode == 0, f"tmux {arguments}: {done.stdout}")
        return done.stdout

    def text(self):
        return self.tmux("capture-pane", "-p")

    def keys(self, *keys):
        self.tmux("send-keys", *keys)

    def type(self, text):
        self.tmux("send-keys", "-l", text)

    def wait(self, pattern, seconds=30):
        """Until the screen has what matches; the screen."""
        eventually(lambda: not re.search(pattern, self.text()) and self.text(), pattern, seconds)
        return self.text()

    def settings(self):
        """What a program may leave behind."""
        file = os.path.join(self.folder, "settings")
        self.type(f"stty -g >{file}.new; mv {file}.new {file}")
        self.keys("Enter")
        eventually(lambda: not os.path.exists(file) and self.text(), "the terminal's settings")
        with open(file, encoding="ascii") as text:
            left = text.read()
        os.unlink(file)
        flags = "#{alternate_on} #{cursor_flag} #{keypad_cursor_flag} #{keypad_flag}"
        return left, self.tmux("display-message", "-p", flags)

    def path(self, name):
        return os.path.join(self.folder, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["tmux", "-S", self.socket, "kill-server"], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


class Watch(Terminal):
    """unfreed watch on a terminal, from its first screen on."""

    def __init__(self, target, *options, unfreed=lib.UNFREED, **size):
        super().__init__(**size)
        self.settings_before = self.settings()
        pid_file = self.path("pid")
        words = " ".join((unfreed, "watch", "-p", str(target.pid), *EXACT, *options))
        self.type(f"clear; sh -c 'echo $$ >{pid_file}; exec {words}'; echo status $?")
        self.keys("Enter")
        self.wait(r"coverage .* hits|heap .* outstanding")
        with open(pid_file, encoding="ascii") as text:
            self.pid = int(text.read())
        self.objects = lib.bpf_objects(self.pid)

    def expect_restored(self, status):
        screen = self.wait(r"(?m)^status \d+")
        expect_equal(int(re.search(r"(?m)^status (\d+)", screen)[1]), status, f"status: {screen}")
        expect_equal(self.settings(), self.settings_before, "the terminal")
        lib.expect_gone(self.objects)


def masked(screen):
    for pattern, stands_for in VOLATILE:
        screen = re.sub(pattern, stands_for, screen)
    return "".join(line.rstrip() + "\n" for line in screen.splitlines()).rstrip("\n") + "\n"


def expect_screen(terminal, name, pattern):
    """What stands in screens/NAME.txt, once the screen has what matches."""
    path = os.path.join(SCREENS, f"{name}.txt")
    found = masked(terminal.wait(pattern))
    if os.environ.get("REFRESH") == "1":
        with open(path, "w", encoding="utf-8") as file:
            file.write(found)
    with open(path, encoding="utf-8") as file:
        expected = file.read()
    expect(found == expected, f"{name}: {found!r}, not {expected!r}")


STYLES = {"1": "bold", "2": "dim", "7": "reversed", "31": "red", "32": "green"}


def styled(terminal):
    """(character, its styles) of each place of each line."""
    lines, styles = [[]], frozenset()
    for change, character in re.findall(r"\x1b\[([\d;]*)m|([^\x1b])",
                                        terminal.tmux("capture-pane", "-e", "-N", "-p")):
        if character == "\n":
            lines.append([])
        elif character:
            lines[-1].append((character, styles))
        for code in change.split(";") if not character else ():
            styles = frozenset() if code in ("", "0") else styles - {"red", "green"} \
                if code == "39" else styles | {STYLES[code]} if code in STYLES else styles
    return lines


def expect_styles(watch):
    """What stands out does so from edge to edge; what has grown is red."""
    reds, bars = [], []
    for line in styled(watch):
        text = "".join(character for character, _ in line)
        if line and all("reversed" in styles for _, styles in line):
            bars.append((len(text), text.split()[0], "bold" in line[0][1]))
        if any("red" in styles for _, styles in line):
            reds.append(text.split()[-2])
    expect_equal(bars, [(80, "unfreed:", False), (80, "LIVE*", False), (80, "58.6", True),
                        (80, "STACK", False)], "bars: title, columns, chosen row, its stack")
    expect_equal(reds, ["leak_steady", "leak_same"], "rows with red")


@case()
def screens_and_keys():
    with lib.Target("grow") as target, Watch(target) as watch:
        target.go()
        watch.wait(r"34\.2 KiB\s.*leak_once")
        target.go()
        target.go()
        watch.wait(r"58\.6 KiB \+58\.6 KiB .*leak_late")
        watch.wait(r"14\.1 KiB \+14\.1 KiB +\+[\d.]+ KiB/s +300 .*[▃▄▅]█+ H leak_steady")
        expect_screen(watch, "table", r"58\.6 KiB .*leak_late")
        expect_styles(watch)
        watch.keys("s", "s", "s")
        expect_screen(watch, "sorted-by-blocks", r"BLOCKS\*")
        watch.keys("l", "Down")
        watch.keys("Enter")
        expect_screen(watch, "stack", r"allocated +14\.1 KiB in 300 blocks")
        watch.keys("Escape")
        watch.keys("t")
        expect_screen(watch, "tree", r"FROM THEIR ROOTS[^*]*\+ leak_same")
        watch.keys("t", "h")
        expect_screen(watch, "help", r"Ctrl-C +quit")
        watch.keys("h", "/")
        watch.type("leak_(late|same")
        watch.keys("Enter")
        watch.wait("is no regular expression")
        watch.keys("/")
        watch.type("leak_(late|same)")
        expect_screen(watch, "typing", r"regex\): leak_\(late\|same\)")
        watch.keys("Enter")
        expect_screen(watch, "filtered", r"exact +/leak_\(late\|same\)/")
        watch.keys("Escape", "b")
        expect_screen(watch, "by-function", r"sums by function")
        watch.keys("k")
        watch.wait("shows heap only")
        watch.keys("k")
        expect_screen(watch, "nothing", r"Nothing is outstanding")
        watch.keys("q")
        watch.expect_restored(0)


@case()
def it_is_resized_and_the_target_exits():
    with lib.Target("grow") as target, Watch(target) as watch:
        target.go()
        watch.wait(r"34\.2 KiB\s.*leak_once")
        for columns, lines, name in ((40, 10, "small"), (19, 4, "too-small"), (132, 40, "large"),
                                     (80, 24, "as-before")):
            watch.tmux("resize-window", "-x", columns, "-y", lines)
            expect_screen(watch, name, r"too small" if lines == 4 else r"34\.2 KiB\s.*leak_once"
                          if lines < 40 else r"ALLOCATED[^@]*34\.2 KiB\s.*leak_once")
        target.quit()
        expect_screen(watch, "exited", "EXITED")
        watch.keys("c")
        watch.wait("ended by target exited")
        watch.keys("c", "q")
        watch.expect_restored(0)


def is_sanitized():
    with open(lib.UNFREED, "rb") as file:
        return b"__asan_init" in file.read()


@case("C-c", signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGSEGV)
def the_terminal_is_given_back(how):
    with lib.Target("grow") as target, Watch(target) as watch:
        if how == "C-c":
            watch.keys("C-c")
            watch.expect_restored(0)
            return
        if how in (signal.SIGQUIT, signal.SIGSEGV) and is_sanitized():
            raise lib.Skip("the sanitizer has these signals")
        os.kill(watch.pid, how)
        watch.expect_restored(128 + how if how in (signal.SIGQUIT, signal.SIGSEGV) else 0)


@case("a recording", "none")
def a_pause_stands_still_with(recording):
    def looks():
        return int(re.search(r"REC (\d+)", watch.text())[1])

    recorded = recording != "none"
    with lib.Target("grow") as target, \
            Watch(target, *(("-w", "rec") if recorded else ())) as watch:
        target.go()
        watch.wait(r"34\.2 KiB\s.*leak_once")
        watch.keys("p")
        still = watch.wait("PAUSED")
        target.go()
        if recorded:
            after = looks() + 3
            eventually(lambda: looks() < after and watch.text(), "looks that are recorded")
        watch.keys("h")
        watch.wait(r"Ctrl-C +quit")
        watch.keys("h")
        watch.wait("leak_once")
        count = re.compile(r"REC \d+")
        expect_equal(count.sub("REC N", watch.text()), count.sub("REC N", still), "the screen of a pause")
        watch.keys("p")
        watch.wait("leak_late")


@case()
def it_writes_and_records():
    with lib.Target("grow") as target, Watch(target, "--site", "leak_") as watch:
        target.go()
        watch.wait(r"34\.2 KiB\s.*leak_once")
        for name, begins in (("a.svg", "<svg"), ("b.html", "<!doctype html"), ("c.json", "{")):
            watch.keys("w", *["BSpace"] * len("unfreed.html"))
            watch.type(name)
            watch.keys("Enter")
            watch.wait(f"wrote {name}")
            with open(watch.path(name), encoding="utf-8") as file:
                text = file.read()
            expect(begins in text[:200].lower() and "leak_once" in text, f"{name}: {text[:200]}")
        sites = json.loads(text)["sites"]
        expect_equal({lib.site_function(site): site["bytes"] for site in sites},
                     {"leak_once": 35000, "leak_steady": 4800, "leak_same": 64}, "sites")
        watch.keys("w")
        watch.type(".what")
        watch.keys("Enter")
        watch.wait("no ending that says a format")
        watch.keys("R", "Enter")
        watch.wait(r"REC [1-9]")
        target.go()
        watch.wait("leak_late")
        watch.keys("q")
        watch.wait(r"recorded \d+ snapshots in unfreed.rec")
        watch.expect_restored(0)
        report = subprocess.run([lib.UNFREED, "report", watch.path("unfreed.rec"), "--json"],
                                stdout=subprocess.PIPE, check=True).stdout
        lib.compare(json.loads(report), [{"function": "leak_late", "bytes": 30000, "blocks": 1}],
                    only=("leak_late",))


@case()
def hostile_names_do_not_act_on_the_terminal():
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "\033[2J\033]2;x\a\u202e")
        shutil.copy(os.path.join(lib.TARGETS, "grow"), program)

        class Hostile(lib.Target):
            def start(self, arguments):
                return [program]

        with Hostile("grow") as target, Watch(target) as watch:
            target.go()
            screen = watch.wait(r"34\.2 KiB\s.*leak_once")
            expect(r"\x1b[2J\x1b]2;x" in screen, f"the name is not shown escaped: {screen}")
            expect("x" != watch.tmux("display-message", "-p", "#{pane_title}").strip(), "the title is set")


@case()
def without_a_terminal_it_says_so():
    with lib.Target("grow") as target:
        done = subprocess.run([lib.UNFREED, "watch", "-p", str(target.pid)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    expect_equal((done.returncode, done.stdout), (1, ""), "status and output")
    expect(re.fullmatch(r"unfreed: watch needs a terminal .*\n", done.stderr), done.stderr)


@case()
def a_system_that_describes_no_terminal():
    hide = "for folder in /etc/terminfo /lib/terminfo /usr/share/terminfo; do " \
           "[ ! -d $folder ] || mount -t tmpfs none $folder; done; "
    with lib.Target("grow") as target, Terminal() as terminal:
        terminal.type(f"TERM=screen-256color unshare -m sh -c '{hide} exec {lib.UNFREED} watch -p {target.pid} "
                      f"--events heap --min-age 0s -i 200ms'; echo status $?")
        terminal.keys("Enter")
        terminal.wait("heap .* outstanding")
        target.go()
        terminal.wait(r"34\.2 KiB\s.*leak_once")
        terminal.keys("Down", "Enter")
        terminal.wait("4,800 B|4.7 KiB outstanding in 100 blocks")
        terminal.keys("Escape", "q")
        terminal.wait("status 0")


@case()
def a_terminal_that_nobody_knows():
    with lib.Target("grow") as target, Terminal() as terminal:
        terminal.type(f"TERM=nobody {lib.UNFREED} watch -p {target.pid} --events heap; echo status $?")
        terminal.keys("Enter")
        terminal.wait(r"cannot draw on a terminal of type 'nobody'(?s:.*)status 1")


if __name__ == "__main__":
    sys.exit(lib.run_cases())
