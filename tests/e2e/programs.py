# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Real programs with work to do: the same again and again, so that two looks can be compared.

    with programs.start("redis") as program:    # lib.Skip, with a reason, where it is not installed
        program.work()                          # once; program.pid does it

Debian packages: redis-server, postgresql, nodejs.
"""

import contextlib
import glob
import os
import shutil
import socket
import subprocess
import tempfile

import lib

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs")
SECONDS = 300  # for the work, perhaps under a debugger
PLAIN_PATH = "/usr/bin:/usr/sbin"  # the distribution's own, not a newer one in PATH


def program(name):
    path = shutil.which(name, path=PLAIN_PATH)
    if not path:
        raise lib.Skip(f"no {name}")
    return path


class Talker:
    """A program that says "ready PID", and "done" at the end of the work that any line asks for."""

    def __init__(self, *command, **options):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, **options)
        word, pid = self.process.stdout.readline().split()
        lib.expect(word == "ready", f"{command[0]} is not ready")
        self.pid = int(pid)

    def work(self):
        print("go", file=self.process.stdin, flush=True)
        lib.expect(self.process.stdout.readline() == "done\n", "the program has ended")

    def close(self):
        self.process.kill()
        self.process.communicate()


@contextlib.contextmanager
def talker(*command, rounds=2, **options):
    with contextlib.closing(Talker(*command, **options)) as running:
        for _ in range(rounds):  # what is done but once is done then
            running.work()
        yield running


def python():
    return talker(program("python3"), f"{HERE}/work.py",
                  env={**os.environ, "PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "1"})


def node():
    # Collections come at the same moments each time.
    return talker(program("node"), "--expose-gc", "--single-threaded", "--hash-seed=1",
                  f"{HERE}/work.js", rounds=6)


# -- redis -----------------------------------------------------------------------------------------

REDIS = """SET s 1|GETSET s 12|APPEND s 345|SETRANGE s 9 x|GETRANGE s 0 3|INCRBYFLOAT f 1.5|INCR n
MSET a 1 b 2 c 3|MGET a b c s|SETBIT bits 5000 1|BITCOUNT bits|BITOP NOT bits2 bits|BITPOS bits 1
HSET h a 1 b 2 c 3|HINCRBY h a 5|HGETALL h|HSCAN h 0|RPUSH l 5 3 4 1 2|LINSERT l BEFORE 4 9|LRANGE l 0 -1
SORT l|SORT l BY w* GET #|LMOVE l l2 LEFT RIGHT|SADD x 1 2 3|SADD y a b 1|SUNIONSTORE z x y|SINTER x y
SDIFF x y|SPOP x|ZADD q 1 a 2 b 3 c|ZRANGEBYSCORE q 1 2 WITHSCORES|ZUNIONSTORE q2 1 q|ZRANDMEMBER q 2
ZADD lex 0 a 0 b 0 c|ZRANGEBYLEX lex - +|GEOADD g 13.36 38.11 p 15.08 37.5 r|GEODIST g p r
GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km ASC|PFADD p a b c|PFCOUNT p|PFMERGE p2 p
XADD st 1-1 k v|XADD st 1-2 k v2|XGROUP CREATE st grp 0|XREADGROUP GROUP grp me COUNT 1 STREAMS st >
XPENDING st grp|XACK st grp 1-1|XRANGE st - +|XTRIM st MAXLEN 1|XINFO STREAM st FULL|DUMP h|TYPE st
EXPIRE s 1000|PERSIST s|RENAME a a2|COPY h h2|OBJECT ENCODING h|OBJECT FREQ s|SCAN 0 COUNT 100|KEYS *
EVAL "local t={} for i=1,50 do t[i]=redis.call('INCR',KEYS[1])..'x' end return t" 1 lua
EVAL "return redis.pcall('NOSUCH')" 0|EVAL "return cjson.encode({1,{a=2}})" 0
EVAL "return cmsgpack.pack({1,2,{3}})" 0|EVAL "return string.rep('x',3000):gsub('x','yy')" 0
SCRIPT LOAD "return 1"|SCRIPT EXISTS abc|SCRIPT FLUSH|FUNCTION LIST|MULTI|SET m 1|LPUSH m 2|EXEC
WATCH s|MULTI|DISCARD|SUBSCRIBE ch|PSUBSCRIBE c*|UNSUBSCRIBE|PUNSUBSCRIBE|CLIENT LIST|CLIENT SETNAME me
CLIENT NO-EVICT on|CONFIG GET max*|CONFIG SET maxmemory-policy allkeys-lru|INFO everything|COMMAND DOCS GET
COMMAND COUNT|ACL LIST|ACL SETUSER u on >p ~k* +get|ACL GETUSER u|ACL DELUSER u|MEMORY USAGE h
MEMORY DOCTOR|DEBUG JMAP|LOLWUT|HELLO 3|HGETALL h|SMEMBERS z|ZRANGE q 0 -1 WITHSCORES|NOSUCH
SET big 0123456789012345678901234567890123456789012345678901234567890123456789|GETDEL big
LPUSH many 1 2 3 4 5 6 7 8 9|LPOS many 3|LTRIM many 1 3|RPOPLPUSH many many2|OBJECT HELP|RESET|FLUSHALL"""


class Redis:
    def __init__(self, folder):
        self.path = f"{folder}/socket"
        self.process = subprocess.Popen(
            [program("redis-server"), "--port", "0", "--unixsocket", self.path, "--save", "",
             "--appendonly", "no", "--dir", folder], stdout=subprocess.DEVNULL)
        self.pid = self.process.pid
        lib.eventually(lambda: not os.path.exists(self.path), "no socket of redis")

    def work(self):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(SECONDS)
            connection.connect(self.path)
            for command in REDIS.replace("\n", "|").split("|"):
                connection.sendall(command.encode() + b"\r\n")
                lib.expect(connection.recv(1 << 20), "redis has hung up")

    def close(self):
        self.process.terminate()
        self.process.wait()


@contextlib.contextmanager
def redis():
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(Redis(folder)) as server:
        server.work()
        server.work()
        yield server


# -- postgres --------------------------------------------------------------------------------------


class Session:
    """psql, and the process of the server that serves it."""

    def __init__(self, psql, folder):
        self.process = subprocess.Popen(
            [psql, "-XqAt", "-h", folder, "postgres"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, user="postgres")
        self.pid = int(self.ask("SELECT pg_backend_pid();"))
        with open(f"{HERE}/work.sql", encoding="utf-8") as file:
            self.queries = file.read()

    def ask(self, query):
        """The last line of the answer."""
        print(query, "\n\\echo done", file=self.process.stdin, flush=True)
        last = ""
        for line in self.process.stdout:
            if line == "done\n":
                return last
            last = line
        raise AssertionError("psql has ended")

    def work(self):
        self.ask(self.queries)

    def close(self):
        self.process.kill()
        self.process.communicate()


@contextlib.contextmanager
def postgres():
    homes = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    if not homes:
        raise lib.Skip("no PostgreSQL")
    with tempfile.TemporaryDirectory() as folder:
        shutil.chown(folder, "postgres")

        def run(*command):
            subprocess.run([f"{homes[-1]}/{command[0]}", "-D", f"{folder}/db", *command[1:]],
                           check=True, user="postgres", cwd=folder, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)

        run("initdb", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        run("pg_ctl", "-w", "-o", f"-k {folder} -c listen_addresses= -c fsync=off -c jit=off "
            "-c autovacuum=off", "start")
        try:
            with contextlib.closing(Session(f"{homes[-1]}/psql", folder)) as session:
                session.work()
                session.work()
                yield session
        finally:
            run("pg_ctl", "-m", "immediate", "stop")


STARTERS = {"redis": redis, "postgres": postgres, "python3": python, "node": node}


def start(name):
    return STARTERS[name]()


def clang():
    return [program("clang"), "-cc1", "-std=c++17", "-fsyntax-only", f"{HERE}/work.cc"]


# Command lines of large programs that run once: in C++, and in Rust.
COMMANDS = {"clang": clang}
