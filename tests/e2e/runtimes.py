# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Containers for tests: each runtime on sockets and folders of its own, without a network.

    with runtimes.workshop() as shop:               # a folder, gone afterwards with all that ran in it
        rootfs = shop.rootfs(["/path/to/program"])  # busybox, the programs and their libraries
        with shop.rig("docker", rootfs) as rig:     # Unavailable, with a reason, where it cannot run
            container = rig.run("demo", ["/path/to/program"], memory="64m")
            ...                                     # container.id, .name and .pid, as the runtime says

Debian packages: runc, docker.io, containerd, podman, crun, busybox-static.
"""

import contextlib
import json
import os
import re
import select
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
from dataclasses import dataclass

START_SECONDS = 30
ANSWER_SECONDS = 60
IMAGE = "unfreed-test:1"


class Unavailable(Exception):
    """The runtime is not installed or does not start here; says why."""


@dataclass
class Container:
    runtime: str
    name: str
    id: str
    pid: int  # of its init, on the host


def run(*argv, **options):
    """Output of a command; its errors are in the exception's text."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          stdin=subprocess.DEVNULL, timeout=120, **options)
    if done.returncode:
        tail = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise Unavailable(f"{os.path.basename(argv[0])}: {''.join(tail) or done.returncode}")
    return done.stdout.strip()


def wait_for(condition, what, seconds=START_SECONDS):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.05)
    raise Unavailable(f"no {what} within {seconds} s")


# -- root file systems -----------------------------------------------------------------------------

def libraries(*programs):
    """Paths of the shared libraries and the loader that programs need; none when it is static."""
    done = subprocess.run(["ldd", *programs], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          check=False, text=True)
    if done.returncode and len(programs) == 1:
        return []
    return sorted(set(re.findall(r"(?:=> |^\s+)(/\S+) ", done.stdout, re.M)))


def copy_in(root, path, target=None):
    place = root + (target or path)
    os.makedirs(os.path.dirname(place), exist_ok=True)
    if not os.path.exists(place):
        shutil.copy2(os.path.realpath(path), place)


def copy_folder(root, folder, leave_out=()):
    """A folder with what it links to in /etc, and the libraries of the programs in it."""
    shutil.copytree(folder, root + folder, symlinks=True, dirs_exist_ok=True,
                    ignore=shutil.ignore_patterns(*leave_out))
    programs = []
    for place, _, names in os.walk(root + folder):
        for path in (os.path.join(place, name) for name in names):
            if os.path.islink(path) and os.readlink(path).startswith("/etc/"):
                copy_in(root, os.readlink(path))
            elif os.path.isfile(path) and is_elf(path):
                programs.append(path)
    for library in libraries(*programs) if programs else ():
        if not library.startswith(root + "/"):
            copy_in(root, library)


def is_elf(path):
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def make_rootfs(root, programs):
    """busybox and its commands, the programs at /bin/NAME, and the libraries where they were."""
    busybox = shutil.which("busybox")
    if not busybox or libraries(busybox):
        raise Unavailable("no static busybox (Debian package busybox-static)")
    for folder in ("bin", "dev", "etc", "proc", "sys", "tmp", "run"):
        os.makedirs(os.path.join(root, folder), exist_ok=True)
    copy_in(root, busybox, "/bin/busybox")
    for command in ("sh", "sleep", "mkfifo", "dd", "sync"):
        os.symlink("busybox", os.path.join(root, "bin", command))
    with open(os.path.join(root, "etc/passwd"), "w", encoding="ascii") as passwd:
        passwd.write("root:x:0:0:root:/:/bin/sh\n")
    for program in programs:
        copy_in(root, program, "/bin/" + os.path.basename(program))
        for library in libraries(program):
            copy_in(root, library)
    return root


# -- runtimes --------------------------------------------------------------------------------------

class Program:
    """A program in a container, spoken to by two pipes in its /tmp (tests/targets/protocol.h)."""

    @staticmethod
    def command(line):
        """What a container runs so that the program of this shell command can be spoken to."""
        return ["/bin/sh", "-c",
                f"mkfifo /tmp/in /tmp/out; sleep 1000 & exec {line} </tmp/in >/tmp/out"]

    def __init__(self, container):
        folder = os.path.join("/proc", str(container.pid), "root", "tmp")
        wait_for(lambda: os.path.exists(f"{folder}/out"), "program in the container")
        # Both ends of a pipe wait for each other: open them in the shell's order.
        self.input = open(f"{folder}/in", "w", encoding="ascii", buffering=1)
        self.output = open(f"{folder}/out", encoding="ascii")

    def hear(self):
        if not select.select([self.output], [], [], ANSWER_SECONDS)[0]:
            raise AssertionError("the program is silent")
        return self.output.readline().rstrip("\n")

    def tell(self, word):
        self.input.write(word + "\n")

    def say(self, word):
        """Says a word; the answer."""
        self.tell(word)
        return self.hear()

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self.input.close()
        self.output.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Rig:
    """One runtime; subclasses say how to start it, run and remove a container."""

    programs = ()

    def __init__(self, work, rootfs):
        self.work = work
        self.rootfs = rootfs
        self.containers = []
        self.daemons = []

    def __enter__(self):
        for program in self.programs:
            if not shutil.which(program):
                raise Unavailable(f"{program} is not installed")
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def clear(self):
        """Ends and removes its containers."""
        for container in reversed(self.containers):
            with contextlib.suppress(Unavailable, subprocess.TimeoutExpired):
                self.remove(container.name)
        self.containers.clear()

    def close(self):
        self.clear()
        for daemon in reversed(self.daemons):
            stop(daemon)
        self.daemons.clear()

    def path(self, *names):
        return os.path.join(self.work, *names)

    def start(self):
        pass

    def daemon(self, *argv, ready, environment=None):
        """Starts a daemon and waits until ready() is true."""
        with open(self.path(os.path.basename(argv[0]) + ".log"), "wb") as log:
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       start_new_session=True, env=environment)
        self.daemons.append(process)
        wait_for(lambda: ready() or process.poll() is not None, argv[0])
        if process.poll() is not None:
            with open(log.name, encoding="utf-8", errors="replace") as text:
                tail = text.read().strip().splitlines()[-1:]
            raise Unavailable(f"{argv[0]} does not start here: {''.join(tail)}")

    def run(self, name, argv, memory="256m", **settings):
        container = Container(self.name, name, "", 0)
        self.containers.append(container)
        container.id, container.pid = self.launch(name, argv, memory, **settings)
        return container

    def stop(self, container):
        """Ends its processes, while the runtime still knows of it."""
        self.kill(container.name)
        wait_for(lambda: not alive(container.pid), f"end of {container.name}")

    def launch(self, name, argv, memory):
        raise NotImplementedError

    def kill(self, name):
        raise NotImplementedError

    def remove(self, name):
        raise NotImplementedError

    def command(self, name, argv):
        """Runs another process in the container, and leaves it running."""
        raise NotImplementedError


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def stop(process):
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def bytes_of(size):
    return int(size[:-1]) << {"k": 10, "m": 20, "g": 30}[size[-1].lower()]


class Runc(Rig):
    """runc (and crun) by hand: an overlay root, a memory limit, pid and mount namespaces."""

    name = "runc"
    programs = ("runc",)
    def tool(self, *argv):
        return run(self.name, *argv)

    def launch(self, name, argv, memory, user=0, change=lambda spec: None):
        bundle = self.path(name)
        for folder in ("upper", "overlay", "rootfs"):
            os.makedirs(os.path.join(bundle, folder))
        run("mount", "-t", "overlay", "overlay", "-o",
            f"lowerdir={self.rootfs},upperdir={bundle}/upper,workdir={bundle}/overlay",
            f"{bundle}/rootfs")
        run(self.name, "spec", cwd=bundle)
        with open(os.path.join(bundle, "config.json"), encoding="utf-8") as file:
            spec = json.load(file)
        spec["process"].update(terminal=False, args=argv, user={"uid": user, "gid": user})
        spec["root"]["readonly"] = False
        spec["hostname"] = name
        spec["linux"]["resources"]["memory"] = {"limit": bytes_of(memory)}
        change(spec)
        with open(os.path.join(bundle, "config.json"), "w", encoding="utf-8") as file:
            json.dump(spec, file)
        # Its output outlives runc: a pipe of ours would be waited for.
        with open(os.path.join(bundle, "log"), "w+", encoding="utf-8") as log:
            done = subprocess.run([self.name, "run", "-d", "-b", bundle, name],
                                  stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=60)
            log.seek(0)
            if done.returncode:
                raise Unavailable(f"{self.name}: {log.read().strip()[-300:]}")
        return name, json.loads(self.tool("state", name))["pid"]

    def kill(self, name):
        self.tool("kill", name, "KILL")

    def remove(self, name):
        self.tool("delete", "-f", name)
        run("umount", self.path(name, "rootfs"))
        shutil.rmtree(self.path(name))

    def command(self, name, argv):
        subprocess.run([self.name, "exec", "-d", name, *argv], check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=60)


class Crun(Runc):
    name = "crun"
    programs = ("crun",)

    def start(self):
        with open("/proc/self/cgroup", encoding="utf-8") as text:
            lines = text.read().splitlines()
        if len(lines) > 1 and any(line.startswith("0::") for line in lines):
            raise Unavailable("crun refuses hybrid cgroups")


class Docker(Rig):
    name = "docker"
    programs = ("/usr/sbin/dockerd", "/usr/bin/docker", "containerd", "runc")

    def tool(self, *argv):
        # /usr/bin: a newer client may hide behind another docker in PATH.
        return run("/usr/bin/docker", "-H", f"unix://{self.path('sock')}", *argv)

    def start(self):
        with open(self.path("daemon.json"), "w", encoding="ascii") as config:
            config.write("{}")  # instead of the machine's own
        self.daemon("/usr/sbin/dockerd", "--iptables=false", "--ip6tables=false", "--bridge=none",
                    "--data-root", self.path("data"), "--exec-root", self.path("exec"),
                    "-H", f"unix://{self.path('sock')}", "-p", self.path("pid"),
                    "--config-file", self.path("daemon.json"), ready=self.ready)
        tar = self.path("rootfs.tar")
        with tarfile.open(tar, "w") as archive:
            archive.add(self.rootfs, ".")
        self.tool("import", tar, IMAGE)

    def ready(self):
        with contextlib.suppress(Unavailable):
            return self.tool("version", "-f", "{{.Server.Version}}")

    def launch(self, name, argv, memory, options=()):
        full_id = self.tool("run", "-d", "--name", name, "--network", "none", "--memory", memory,
                            "--ulimit", "nofile=1024:4096", *options, IMAGE, *argv)
        return full_id, int(self.tool("inspect", "-f", "{{.State.Pid}}", name))

    def kill(self, name):
        self.tool("kill", name)

    def remove(self, name):
        self.tool("rm", "-f", name)

    def command(self, name, argv):
        self.tool("exec", "-d", name, *argv)


class Containerd(Rig):
    name = "containerd"
    programs = ("containerd", "ctr", "runc")

    def tool(self, *argv):
        return run("ctr", "-a", self.path("sock"), "-n", self.namespace, *argv)

    def start(self):
        self.namespace = f"unfreed-{os.getpid()}"
        with open(self.path("config.toml"), "w", encoding="ascii") as config:
            config.write('version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n')
        self.daemon("containerd", "-c", self.path("config.toml"), "--root", self.path("root"),
                    "--state", self.path("state"), "-a", self.path("sock"), ready=self.ready)

    def ready(self):
        with contextlib.suppress(Unavailable):
            return self.tool("version")

    def launch(self, name, argv, memory):
        self.tool("run", "-d", "--memory-limit", str(bytes_of(memory)), "--null-io", "--rootfs",
                  self.copy(name), name, *argv)
        tasks = self.tool("tasks", "ls").splitlines()
        return name, next(int(line.split()[1]) for line in tasks if line.split()[0] == name)

    def copy(self, name):
        """ctr runs on the folder itself, and writes to it."""
        return shutil.copytree(self.rootfs, self.path("rootfs-" + name), symlinks=True)

    def kill(self, name):
        self.tool("tasks", "kill", "-s", "KILL", name)

    def remove(self, name):
        with contextlib.suppress(Unavailable):
            self.tool("tasks", "kill", "-s", "KILL", name)
        wait_for(lambda: not re.search(rf"^{name}\s.*RUNNING", self.tool("tasks", "ls"), re.M),
                 f"end of {name}")
        with contextlib.suppress(Unavailable):
            self.tool("tasks", "rm", name)
        self.tool("containers", "rm", name)

    def command(self, name, argv):
        self.tool("tasks", "exec", "-d", "--exec-id", "more", name, *argv)


class Podman(Rig):
    name = "podman"
    programs = ("podman", "conmon", "runc")

    def tool(self, *argv):
        return run("podman", "--root", self.path("root"), "--runroot", self.path("run"),
                   "--tmpdir", self.path("tmp"), "--runtime", "runc", "--cgroup-manager", "cgroupfs",
                   "--events-backend", "file", *argv)

    def start(self):
        tar = self.path("rootfs.tar")
        with tarfile.open(tar, "w") as archive:
            archive.add(self.rootfs, ".")
        self.tool("import", tar, IMAGE)

    def launch(self, name, argv, memory):
        # Root may lack the right to raise limits: ask for low ones.
        full_id = self.tool("run", "-d", "--name", name, "--network", "none", "--memory", memory,
                            "--ulimit", "nofile=1024:4096", "--ulimit", "nproc=1024:2048",
                            "--log-driver", "none", "localhost/" + IMAGE, *argv)
        return full_id, int(self.tool("inspect", "-f", "{{.State.Pid}}", name))

    def kill(self, name):
        self.tool("kill", name)

    def remove(self, name):
        self.tool("rm", "-f", "-t", "0", name)

    def command(self, name, argv):
        self.tool("exec", "-d", name, *argv)


RIGS = {rig.name: rig for rig in (Runc, Docker, Containerd, Podman, Crun)}


# -- the workshop ----------------------------------------------------------------------------------

class Workshop:
    def __init__(self, folder):
        self.folder = folder
        self.count = 0

    def subfolder(self, name):
        self.count += 1
        return os.path.join(self.folder, f"{self.count}-{name}")

    def rootfs(self, programs=()):
        return make_rootfs(self.subfolder("rootfs"), programs)

    def rig(self, name, rootfs):
        work = self.subfolder(name)
        os.makedirs(work)
        return RIGS[name](work, rootfs)

    def close(self):
        """What a runtime has left behind: shims and monitors first, then their mounts, then files."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    of_ours = (self.folder + "/").encode() in file.read()
                if of_ours and int(pid) != os.getpid():
                    os.kill(int(pid), signal.SIGKILL)
        with open("/proc/self/mounts", encoding="utf-8") as file:
            points = [line.split()[1] for line in file]
        for point in reversed(points):
            if point.startswith(self.folder + "/"):
                subprocess.run(["umount", "-l", point], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def workshop():
    """A folder for rigs; emptied and removed at the end, also when interrupted or terminated."""
    def interrupted(number, _):
        signal.signal(number, signal.SIG_IGN)  # once is enough: let the cleaning finish
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, interrupted) for number in (signal.SIGINT, signal.SIGTERM)}
    shop = Workshop(tempfile.mkdtemp(prefix="unfreed-"))
    try:
        yield shop
    finally:
        shop.close()
        for number, handler in before.items():
            signal.signal(number, handler)
