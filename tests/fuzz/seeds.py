#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""seeds.py: writes corpus/NAME/SAMPLE anew, each sample named by what it is.

Those in corpus/*/found-* came from a fuzzer and stay. How each must end stands in corpus/NAME.ends:
run --ends writes what is so now; read the difference before you commit it. What is compiled here
(dwarf, image) differs from compiler to compiler: the corpus is what counts.
"""
import importlib
import os
import struct
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
BIG = 2**64 - 1


def sample(name, title, data):
    folder = os.path.join(HERE, "corpus", name)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, title), "wb") as file:
        file.write(data if isinstance(data, bytes) else data.encode())


def u(value, size):
    return (value & (1 << 8 * size) - 1).to_bytes(size, "little")


# -- call frame information ------------------------------------------------------------------------

SECTION, CODE = 0x100, 0x1000


def entry(body, is_64=False):
    body += bytes(-len(body) % 8)
    return (b"\xff\xff\xff\xff" + u(len(body), 8) if is_64 else u(len(body), 4)) + body


def cie(augmentation=b"zR", data=b"\x1b", rules=b"\x0c\x07\x08\x90\x01", version=1, cie_id=0,
        align=b"\x01\x78\x10", is_64=False, wide_id=False):
    body = u(cie_id, 8 if wide_id else 4) + u(version, 1) + augmentation + b"\0"
    body += b"\x08\0" if version == 4 else b""
    body += align + (u(len(data), 1) + data if augmentation[:1] == b"z" else b"")
    return entry(body + rules, is_64)


def fde(at, start, size, rules, cie_at=0, counted=True):
    """An entry at a place of .eh_frame; pointers are pcrel, 4 bytes."""
    body = u(at + 4 - cie_at, 4) + u(start - (SECTION + at + 8), 4) + u(size, 4)
    return entry(body + (b"\0" if counted else b"") + rules)


PUSH = b"\x41\x0e\x10\x86\x02\x43\x0d\x06\x4f\x0c\x07\x08"  # push rbp; mov rbp, rsp; … ; leave


def eh(*functions, common=None):
    """.eh_frame of functions (start, size, rules)."""
    data = cie() if common is None else common
    for function in functions:
        data += fde(len(data), *function)
    return data


def cfi():
    def put(title, data, which=0):
        sample("cfi", title, u(which, 1) + data)

    good = eh((CODE, 0x40, PUSH), (CODE + 0x40, 0x20, b""), (CODE + 0x80, 0x10, b"\x0a\x0e\x20\x42\x0b"))
    put("sound", good)
    put("sound-with-terminator", good + u(0, 4) + good[:0])
    put("empty", b"")
    put("truncated-entry", good[:-9])
    put("truncated-length", good + b"\x10\0")
    put("length-beyond-the-section", good + u(0x7ffffff0, 4) + b"\0" * 8)
    put("length-64-of-all-ones", good + b"\xff" * 12)
    put("length-64", cie(is_64=True) + good)
    put("no-common-entry", entry(u(0x1234, 4) + u(CODE, 4) + u(8, 4) + b"\0"))
    put("common-entry-is-itself", entry(u(4, 4) + u(CODE, 4) + u(8, 4) + b"\0"))
    put("common-entry-before-the-section", entry(u(BIG, 4) + u(CODE, 4) + u(8, 4) + b"\0"))
    put("range-overflows", eh((CODE, 0x7fffffff, b""), (-0x70000000, 0x7fffffff, b"")))
    put("range-of-no-bytes", eh((CODE, 0, PUSH)))
    put("spans-more-than-4-gib", eh((CODE, 8, b""), (-0x10, 8, b"")))
    put("functions-overlap", eh((CODE, 0x40, PUSH), (CODE + 8, 0x10, PUSH), (CODE, 0x80, b"\x41\x0e\x20")))
    put("many-functions-at-one-place", eh(*[(CODE, 0x40, b"\x41\x0e\x10")] * 200))
    put("remember-without-end", eh((CODE, 0x40, b"\x0a\x41" * 40)))
    put("restore-of-nothing", eh((CODE, 0x40, b"\x0b\x41\x0e\x10")))
    put("advance-back-by-set-loc", eh((CODE, 0x40, b"\x41\x01" + u(-0x200, 4))))
    put("advance-by-nothing", eh((CODE, 0x40, b"\x40" * 64 + b"\x02\0" * 64)))
    put("advance-overflows", eh((CODE, 0x40, b"\x04\xff\xff\xff\xff" * 8)))
    put("code-align-overflows", eh((CODE, 0x40, PUSH), common=cie(align=b"\xff" * 9 + b"\x01\x78\x10")))
    put("data-align-overflows", eh((CODE, 0x40, PUSH), common=cie(align=b"\x01" + b"\x80" * 9 + b"\x7f\x10")))
    put("leb-without-end", eh((CODE, 0x40, b"\x0e" + b"\xff" * 200)))
    put("offset-of-64-bits", eh((CODE, 0x40, b"\x0e" + b"\xff" * 9 + b"\x01\x41\x13" + b"\x80" * 9 + b"\x7f")))
    put("register-of-64-bits", eh((CODE, 0x40, b"\x0d" + b"\xff" * 9 + b"\x01\x41\x05" + b"\xff" * 9 + b"\x01\x01")))
    put("expression-beyond-the-entry", eh((CODE, 0x40, b"\x0f\xff\xff\x7f\x77\x08")))
    put("expression-that-jumps-back", eh((CODE, 0x40, b"\x0f\x03\x2f\xfd\xff")))
    put("expression-of-no-bytes", eh((CODE, 0x40, b"\x0f\0\x41\x10\x06\0")))
    put("expression-of-the-plt", eh((CODE, 0x40, b"\x0e\x10\x46\x0e\x18\x4a\x0f\x0b\x77\x08\x80\x00\x3f\x1a\x3b\x2a\x33\x24\x22")))
    put("unknown-instruction", eh((CODE, 0x40, b"\x3f\x41\x0e\x10")))
    put("unknown-augmentation", eh((CODE, 0x40, PUSH), common=cie(b"zqR", b"\0\x1b")))
    put("augmentation-without-end", entry(u(0, 4) + b"\x01" + b"z" * 90))
    put("augmentation-of-gcc-2", eh((CODE, 0x40, PUSH), common=cie(b"eh")))
    put("augmentation-data-beyond-the-entry", entry(u(0, 4) + b"\x01zR\0\x01\x78\x10\xff\xff\xff\x0f\x1b"))
    put("personality-aligned", eh((CODE, 0x40, PUSH), common=cie(b"zPR", b"\x50" + bytes(15) + b"\x1b")))
    put("personality-omitted", eh((CODE, 0x40, PUSH), common=cie(b"zPLR", b"\xff\xff\x1b")))
    for encoding in (0x00, 0x01, 0x02, 0x09, 0x0a, 0x2b, 0x3b, 0x4b, 0x50, 0x9b, 0xff):
        put(f"pointers-of-encoding-{encoding:02x}", eh((CODE, 0x40, PUSH), common=cie(data=u(encoding, 1))))
    put("version-of-the-future", eh((CODE, 0x40, PUSH), common=cie(version=9)))
    put("version-4-with-segments", cie(version=4).replace(b"\x08\0", b"\x08\x04", 1) + good)
    put("common-entry-too-long", eh((CODE, 0x40, PUSH), common=cie(rules=b"\0" * 1100)))
    put("common-entry-that-advances", eh((CODE, 0x40, PUSH), common=cie(rules=b"\x41\x0e\x10")))
    put("signal-frame", eh((CODE, 0x40, b"\x0f\x04\x77\xa0\x01\x06\x10\x10\x03\x77\xa8\x01\x10\x06\x03\x77\xf8\0"),
                           common=cie(b"zRS")))
    put("root", eh((CODE, 0x40, b"\x07\x10")))
    debug = cie(b"", version=4, cie_id=BIG) + entry(u(0, 4) + u(CODE + 0x200, 8) + u(0x40, 8) + PUSH)
    wide = cie(b"", version=3, cie_id=BIG, is_64=True, wide_id=True)
    put("debug-frame", debug, 1)
    put("debug-frame-64", wide + entry(u(0, 8) + u(CODE, 8) + u(0x40, 8) + PUSH, True), 1)
    put("debug-frame-of-overflowing-function", debug + entry(u(0, 4) + u(BIG - 8, 8) + u(0x40, 8)), 1)
    put("debug-frame-common-entry-far-away", entry(u(BIG - 1, 8) + u(CODE, 8) + u(0x40, 8), True), 1)
    put("both", u(len(good), 2) + good + debug, 2)


# -- code ------------------------------------------------------------------------------------------


def code():
    for title, text in {
            "endbr-and-push": "f30f1efa 4157 4156 c3", "only-a-return": "c3", "empty": "",
            "syscall": "0f05 c3", "nop-with-prefix": "6690 c3", "locked": "f04883042401 c3",
            "mov-ss": "8ed0 c3", "branch-of-16-bits": "66e90000", "cut-in-an-instruction": "48b811",
            "undecodable": "0606 0606", "jump-back-into-the-prologue": "4889f8 50 75fd c3",
            "prefixes-without-end": "66" * 40, "argument-spoilt": "bf01000000 50 c3"}.items():
        sample("place", title, b"\x03" + bytes.fromhex(text))
    for title, text in {
            "returns": "4885ff 7404 31c0 c3 90 ffc0 c3", "loops-for-ever": "ebfe", "empty": "",
            "jumps-to-itself-by-the-table": "ff2500000000", "jump-through-a-pointer": "ffe0",
            "jump-outside-of-the-file": "e9ffffff7f", "jump-to-before-the-file": "e900000080",
            "falls-off-its-end": "9090", "undecodable": "06", "jumps-into-an-instruction": "eb01b8c3909090",
            "calls-what-never-returns": "e800000000 0f0b", "thousand-jumps": "7500" * 1000 + "c3",
            "jumps-to-all-places": "".join(f"75{i:02x}" for i in range(0, 127)) + "c3" * 128}.items():
        bytes_ = bytes.fromhex(text)
        sample("exits", title, u(len(bytes_), 2) + bytes_)
    sample("exits", "stub-behind-the-function", u(5, 2) + bytes.fromhex("e900000000 ff2512000000 c3"))
    sample("exits", "function-longer-than-the-file", u(0xffff, 2) + bytes.fromhex("9090c3"))


# -- texts -----------------------------------------------------------------------------------------


def demangle():
    for title, text in {
            "c++": "_ZN9rocksdb10WriteBatch3PutEPNS_18ColumnFamilyHandleERKNS_5SliceES5_",
            "c++-with-version": "_ZNSt6vectorIiSaIiEE9push_backEOi@@GLIBCXX_3.4",
            "rust-old": "_ZN4core3fmt9Formatter3pad17h0123456789abcdefE",
            "rust": "_RNvMs_NtCs1234_7mycrate3fooNtB4_3Bar3baz", "c": "malloc", "empty": "",
            "lambda": "_ZZ4mainENKUlvE_clEv", "template-nested": "_Z1f" + "I" * 200 + "i" + "E" * 200,
            "substitutions-of-substitutions": "_Z1fDpT_" + "".join(f"S{c}_" for c in "0123456789") * 8,
            "exponential": "_Z3fooI" + "".join(f"ZN{i}aE" for i in range(1, 20)) + "E",
            "pairs-of-pairs": "_Z1f4pairIiiES_IS0_S0_ES_IS1_S1_ES_IS2_S2_ES_IS3_S3_ES_IS4_S4_ES_IS5_S5_E"
                              "S_IS6_S6_ES_IS7_S7_ES_IS8_S8_ES_IS9_S9_ES_ISA_SA_ES_ISB_SB_E",
            "length-overflows": "_Z99999999999999999999f", "length-beyond-the-end": "_Z200f",
            "rust-back-reference-to-itself": "_RB_", "rust-depth": "_R" + "NtNt" * 200 + "C1a",
            "escape": "_Z3\x1b[2Jv", "pointers-without-end": "_Z1f" + "P" * 3000 + "i",
            "functions-of-functions": "_Z1f" + "PF" * 400 + "i" + "E" * 400}.items():
        sample("demangle", title, text)


MAPS = ("55d0c0a00000-55d0c0a01000 r--p 00000000 08:01 131090                     /usr/bin/cat\n"
        "55d0c0a01000-55d0c0a05000 r-xp 00001000 08:01 131090                     /usr/bin/cat\n"
        "55d0c1b00000-55d0c1b21000 rw-p 00000000 00:00 0                          [heap]\n"
        "7f0000000000-7f0000021000 rw-p 00000000 00:00 0 \n"
        "7ffd00000000-7ffd00021000 rw-s 00000000 00:05 77                         /a b (deleted)\n"
        "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n")


def maps():
    line = "1000-2000 r-xp 00000000 08:01 12 /x\n"
    for title, text in {
            "sound": MAPS, "empty": "", "without-last-newline": MAPS[:-1], "cut": MAPS[:100],
            "backwards": "3000-4000 rw-p 0 0:0 0\n1000-2000 rw-p 0 0:0 0\n", "overlap": line + line,
            "end-before-start": "2000-1000 r-xp 0 0:0 0\n", "number-too-long": "1" * 30 + "-2 rw-p 0 0:0 0\n",
            "sign": "-1000-2000 rw-p 0 0:0 0\n", "device-too-large": "1-2 rw-p 0 fffffffff:0 0\n",
            "permissions-unknown": "1-2 rwzp 0 0:0 0\n", "permissions-cut": "1-2 r", "blank-lines": "\n\n" + line,
            "path-with-escapes": "1-2 r-xp 0 0:0 1 /\x1b[2J\\012b\n", "path-of-blanks": "1-2 r-xp 0 0:0 1     \n",
            "inode-of-64-bits": f"1-2 r-xp 0 0:0 {BIG} /x\n", "all-of-memory": "0-ffffffffffffffff rw-p 0 0:0 0\n",
            "path-of-5000-bytes": "1-2 r-xp 0 0:0 1 /" + "p" * 3000 + "\n"}.items():
        sample("maps", title, text)


def proc():
    stat = "12 (cat) S 1 12 12 0 -1 4194304 100 0 0 0 0 0 0 0 20 0 3 0 12345 2000000 100 " + "1 " * 30
    for title, text in {
            "sound": stat, "empty": "", "name-with-parentheses": stat.replace("cat", "a) S 0 (b"),
            "name-with-newline-and-escape": stat.replace("cat", "a\n\x1b[2J"), "cut": stat[:40],
            "no-name": "12 cat S", "parentheses-crossed": "12 )cat( S", "name-of-200-bytes": stat.replace("cat", "x" * 200),
            "two-blanks": stat.replace(" S ", " S  "), "numbers-too-long": stat.replace("1 ", "9" * 30 + " "),
            "kernel-thread": stat.replace("4194304", "2097152"), "nothing-behind-the-name": "1 (a) "}.items():
        sample("proc", f"stat-{title}", "\0" + text)
    status = "Name:\tcat\nTgid:\t12\nTracerPid:\t0\nUid:\t0\t0\t0\t0\nVmRSS:\t     900 kB\nSeccomp:\t2\n"
    for title, text in {
            "sound": status, "empty": "", "no-tgid": "Name:\tcat\n", "rss-overflows": status.replace("900", "9" * 25),
            "name-that-says-tgid": "Name:\tTgid: 7\n" + status, "negative": status.replace("12", "-12"),
            "second-tgid": status + "Tgid:\t99\n"}.items():
        sample("proc", f"status-{title}", "\1" + text)


def cgroup():
    own = "12:memory:/docker/ab\n7:cpu,cpuacct:/x\n5:pids:/docker/ab\n1:name=systemd:/\n0::/system.slice/x\n"
    for title, text in {
            "sound": own, "empty": "", "climbs": "0::/../other\n", "no-path": "0::\n", "no-colons": "0\n:\n",
            "path-with-colons": "4:memory:/a:b:c\n", "not-absolute": "4:memory:a/b\n",
            "controller-cut": "4:memor:/a\n4:memory2:/b\n", "comma-only": "4:,:/a\n4:,memory:/b\n",
            "newline-missing": "0::/a"}.items():
        sample("cgroup", f"own-{title}", "\0" + text)
    mounts = ("30 25 0:26 / /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory\n"
              "31 25 0:27 /a /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
              "32 25 0:28 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 cgroup2 rw,nsdelegate\n")
    for title, text in {
            "sound": mounts, "empty": "", "no-dash": mounts.replace(" - ", " "), "ends-at-the-dash": "1 2 3 / /x rw - \n",
            "escapes": mounts.replace("/sys", "/s\\040y\\134s"), "escape-cut": "1 2 3 / /x\\0 rw - cgroup2 a b\n",
            "escape-of-nul": "1 2 3 / /x\\000y rw - cgroup2 a b\n", "few-fields": "1 - cgroup2 a b\n",
            "blanks-only": "      -      \n", "root-longer-than-the-path": "1 2 3 /a/b/c /x rw - cgroup2 a b\n",
            "root-beside-the-path": "1 2 3 /a/bb /x rw - cgroup2 a b\n"}.items():
        sample("cgroup", f"mounts-{title}", "\1" + text)
    for title, text in {"sound": "1\n22\n333\n", "empty": "", "of-another-namespace": "0\n0\n", "negative": "-1\n",
                        "too-large": "99999999999999999999\n4294967297\n", "words": "a\n1b\n"}.items():
        sample("cgroup", f"procs-{title}", "\2" + text)


DOCKER, PODMAN, CONTAINERD, CRUN, RUNC = "\0\1\2\3\4"


def state():
    docker = '{"ID":"3f0a1b2c3d4e5f","Name":"/demo","State":{"Running":true,"Pid":77}}'
    runc = '{"id":"demo","init_process_pid":77,"init_process_start":123,"rootless":false}'
    pod = ('{"annotations":{"io.kubernetes.cri.container-type":"container","io.kubernetes.cri.sandbox-namespace":"n",'
           '"io.kubernetes.cri.sandbox-name":"p","io.kubernetes.cri.container-name":"c"}}')
    for title, text in {
            "docker-sound": DOCKER + docker, "docker-stopped": DOCKER + docker.replace("true", "false"),
            "docker-pid-is-a-text": DOCKER + docker.replace("77", '"77"'), "docker-no-state": DOCKER + '{"ID":"x"}',
            "docker-name-is-a-number": DOCKER + docker.replace('"/demo"', "5"),
            "docker-name-of-escapes": DOCKER + docker.replace("demo", "\\u001b[2J\\n"),
            "docker-nul-in-the-name": DOCKER + docker.replace("demo", "a\\u0000b"),
            "podman-sound": PODMAN + '[{"id":"ab","names":["demo"]},{"id":"cd"}]',
            "podman-id-that-climbs": PODMAN + '[{"id":"../../../../etc/passwd","names":[]}]',
            "podman-no-list": PODMAN + '{"id":"ab"}', "podman-list-of-lists": PODMAN + "[[[]],1,null]",
            "containerd-sound": CONTAINERD + pod, "containerd-sandbox": CONTAINERD + pod.replace('"container"', '"sandbox"'),
            "containerd-notes-are-a-list": CONTAINERD + '{"annotations":[1]}', "containerd-empty": CONTAINERD + "{}",
            "crun-sound": CRUN + '{"pid":77,"process-start-time":5}', "crun-pid-too-large": CRUN + '{"pid":99999999999}',
            "crun-pid-of-init": CRUN + '{"pid":1}', "runc-sound": RUNC + runc, "runc-cut": RUNC + runc[:40],
            "runc-pid-negative": RUNC + runc.replace("77", "-77"), "runc-pid-overflows": RUNC + runc.replace("77", "9" * 40),
            "runc-pid-with-fraction": RUNC + runc.replace("77", "7.7e1"), "runc-empty": RUNC, "runc-no-json": RUNC + "pid=77",
            "runc-depth": RUNC + "[" * 3000, "runc-twice-the-key": RUNC + '{"id":"a","id":"b","init_process_pid":1}',
            "runc-not-utf-8": b"\4" + b'{"id":"\xff\xfe","init_process_pid":1}',
            "runc-id-of-1000-bytes": RUNC + runc.replace("demo", "x" * 1000)}.items():
        sample("state", title, text)
    for title, words in {
            "dockerd": ["/usr/bin/dockerd", "--data-root", "/data", "--exec-root=/e"], "conmon":
            ["conmon", "-b", "/a/overlay-containers/id/userdata", "-p", "/r/overlay-containers/id/userdata/pidfile"],
            "shim": ["containerd-shim-runc-v2", "-namespace", "x"], "value-missing": ["dockerd", "--data-root"],
            "relative": ["crun", "--root", "state"], "pattern": ["runc", "--root", "/a*"], "empty": [], "empty-words":
            ["", "", ""], "value-empty": ["dockerd", "--data-root="], "climbs": ["conmon", "-b", "/", "-p", "/"],
            "words-without-end": ["runc"] + ["-"] * 600, "dashes": ["dockerd", "-----g=/x", "-g", "-g"]}.items():
        sample("command", title, "".join(word + "\0" for word in words))
    total = "Total: reserved=9KB, committed=8KB\n"
    row, site = "- %s (reserved=2KB, committed=1)\n (malloc=3MB #4)\n", "[0x1]f()+0x1\n (malloc=%s type=GC #2)\n"
    for title, text in {
            "sound": total + row % "Class" + "Details:\n" + site % 7, "off": "Native memory tracking is not enabled\n",
            "cut": total + "- Class (reserved=", "name-without-end": total + row % ("x" * 3000), "numbers-overflow":
            total.replace("9", "9" * 40) + row.replace("3", "99999999999999999999G") % "GC", "rows-without-end": (total + row % 1) * 40,
            "sites-without-end": total + "Details:\n" + "".join(site % i for i in range(80)), "frames-without-end":
            total + "Details:\n" + "[0x1] frame()+0x1\n" * 150 + " (malloc=1 #1)\n", "brackets": "Details:\n" + "[" * 2000,
            "escapes": total + row % "\x1b[2J"}.items():
        sample("nmt", title, text)
    names = "shop/web-1/nginx\nshop/web-1/POD\nshop/web-2/nginx\nk8s_app_web-1_test_uid_0\nplain\n"
    for title, key in {"sound": "web-2", "with-namespace": "shop/web-1", "several": "web-1", "none": "no", "empty": "",
                       "too-many-parts": "a/b/c/d", "slashes": "///", "container": "shop/web-1/nginx", "plain": "plain"}.items():
        sample("pod", title, key + "\n" + names)
    sample("pod", "names-of-slashes", "a\n////////////////\na/a/a/a/a/a/a\nk8s______\nk8s_\n")
    sample("pod", "twenty-pods", "c\n" + "".join(f"n/p{i}/c\nn{i}/p/c\n" for i in range(20)))


def values():
    for title, text in {
            "bytes": "512", "fraction": "1.5G", "binary": "2GiB", "time": "500ms", "empty": "", "dot": "1.", "dots": "1..5",
            "largest": str(BIG), "too-large": str(BIG + 1), "too-large-by-its-unit": "99999999999T", "negative": "-1",
            "blank": " 1", "unit-unknown": "1X", "unit-twice": "1KK", "fraction-of-200-digits": "0." + "9" * 200,
            "digits-without-end": "0" * 500, "hexadecimal": "0x10", "exponent": "1e9", "days": "1d"}.items():
        sample("units", title, text)
    for title, text in {
            "ascii": b"plain", "clear-screen": b"\x1b[2J\x1b]0;title\x07", "c1": b"\xc2\x9b2J \x9b2J", "overlong": b"\xc0\x9b \xe0\x82\x9b",
            "surrogates": b"\xed\xa0\x80\xed\xb0\x80", "cut": b"ab\xf0\x9f\x98", "right-to-left": b"a\xe2\x80\xaeb",
            "newlines": b"a\nb\r\nc\td", "bom": b"\xef\xbb\xbfx", "tags": b"\xf3\xa0\x81\x81", "beyond-unicode": b"\xf4\x90\x80\x80\xf8\x88\x80\x80\x80"}.items():
        sample("text", title, b"\x60" + text)
        sample("text", title + "-in-a-small-buffer", b"\x05" + text)


# -- a JVM -----------------------------------------------------------------------------------------

HEAP, HEAP_END, LOG2, SEGMENTS, INTERPRETER = 0x10000, 0x14000, 7, 0x20000, 0x13000  # much as in test_hotspot.c
BLOB = HEAP + 0x1000 + 16
CODE_AT, SCOPES, PCS, METADATA = BLOB + 0x180, BLOB + 0x300, BLOB + 0x400, BLOB + 0x500
HEAP_OBJECT, HEAPS, QUEUE, STATICS, NAMES, OUTER, INNER = 0x21000, 0x21800, 0x21900, 0x21a00, 0x22000, 0x23000, 0x24000
CALL = CODE_AT + 0x20
EXPORTS = 0x1000


class Memory:
    """Bytes by address, written as fuzz_memory() reads them."""

    def __init__(self):
        self.bytes = {}

    def put(self, address, value, size=8):
        self.text(address, u(value, size))

    def text(self, address, data):
        self.bytes.update(enumerate(data, address))

    def symbol(self, address, text):
        self.put(address + 4, len(text), 2)
        self.text(address + 6, text)

    def method(self, method, holder, name):
        const, pool, klass, symbols = (method + offset for offset in (0x100, 0x300, 0x500, 0x600))
        self.put(method + 8, const)
        self.put(const + 8, pool)
        self.put(const + 32, 40, 2)
        self.put(const + 34, 2, 2)
        self.put(const + 28, 1, 2)
        self.text(const + 48 + 40, b"\x0a\x13\xff\x0a\x0a\0")  # lines
        self.put(pool + 24, klass)
        self.put(pool + 60, 4, 4)
        self.put(pool + 54, 3, 2)
        for i, text in enumerate((holder, name, b"File.java"), 1):
            self.put(pool + 72 + 8 * i, symbols + 0x100 * i | 1)
            self.symbol(symbols + 0x100 * i, text)
        self.put(klass + 24, symbols + 0x100)

    def encode(self, *places):
        data, run, last = b"", b"", None
        for address in sorted(self.bytes):
            if run and (address != last + 1 or len(run) == 255):
                data += u(last + 1 - len(run), 3) + u(len(run), 1) + run
                run = b""
            run += u(self.bytes[address], 1)
            last = address
        if run:
            data += u(last + 1 - len(run), 3) + u(len(run), 1) + run
        data += u(0xffffff, 3)
        for address, bytecode, interpreted in places:
            data += u(address, 3) + u(bytecode, 3) + u(interpreted, 1)
        return data


PLACES = ((CALL, 0, 0), (CODE_AT + 4, 0, 0), (OUTER, OUTER + 0x130 + 5, 1), (INTERPRETER + 8, 0, 0))


def jvm(**other):
    memory = Memory()
    memory.put(STATICS, HEAPS)
    memory.put(STATICS + 8, QUEUE)
    memory.put(STATICS + 16, HEAP_OBJECT)
    memory.put(STATICS + 24, other.get("version", 17), 4)
    memory.put(HEAPS, 1, 4)
    memory.put(HEAPS + 8, HEAPS + 0x40)
    memory.put(HEAPS + 0x40, HEAP_OBJECT)
    memory.put(HEAP_OBJECT + 8, HEAP)
    memory.put(HEAP_OBJECT + 16, HEAP_END)
    memory.put(HEAP_OBJECT + 136, SEGMENTS)
    memory.put(HEAP_OBJECT + 256, LOG2, 4)
    memory.put(QUEUE + 8, INTERPRETER)
    memory.put(QUEUE + 20, 0x1000, 4)
    memory.text(SEGMENTS, b"\xff" * ((HEAP_END - HEAP) >> LOG2))
    memory.text(SEGMENTS + ((BLOB - 16 - HEAP) >> LOG2), bytes(range(0x800 >> LOG2)))
    memory.put(BLOB - 16, 0x800 >> LOG2, 4)
    memory.put(BLOB + 96, NAMES)
    memory.text(NAMES, b"nmethod\0")
    memory.put(BLOB + 12, 0x800 - 16, 4)
    memory.put(BLOB + 32, CODE_AT)
    memory.put(BLOB + 112, OUTER)
    memory.put(BLOB + 120, SCOPES)
    memory.put(BLOB + 268, PCS - BLOB, 4)
    memory.put(BLOB + 272, PCS - BLOB + 64, 4)
    memory.put(BLOB + 260, METADATA - BLOB, 4)
    memory.put(METADATA, OUTER)
    memory.put(METADATA + 8, INNER)
    memory.text(SCOPES + 4, bytes((0, 1, 10)))
    memory.text(SCOPES + 8, bytes((4, 2, 6)))
    for i, offset in enumerate((-1, 0x10, 0x20, 0x7fffffff)):
        memory.put(PCS + 16 * i, offset, 4)
        memory.put(PCS + 16 * i + 4, 8 if i == 2 else 4, 4)
    memory.method(OUTER, b"a/b/Outer", b"outer")
    memory.method(INNER, b"Inner", b"<init>")
    return memory


# What is wrong with a JVM: (address, value, bytes).
BROKEN_JVM = {
    "sound": (0x2f000, 0, 1), "no-heaps": (STATICS, 0, 8), "heaps-at-the-end-of-memory": (STATICS, 0x2fffc, 8),
    "heap-of-all-memory": (HEAP_OBJECT + 16, BIG >> 1, 8), "heap-that-ends-before-its-start": (HEAP_OBJECT + 16, HEAP - 1, 8),
    "heap-at-the-end-of-addresses": (HEAP_OBJECT + 8, BIG - 8, 8), "four-thousand-million-heaps": (HEAPS, BIG, 4),
    "segments-of-2-to-the-255": (HEAP_OBJECT + 256, 255, 4), "segment-map-outside": (HEAP_OBJECT + 136, BIG - 64, 8),
    "segment-map-that-goes-round": (SEGMENTS + ((BLOB - 16 - HEAP) >> LOG2), 1, 1),
    "segment-map-that-leads-before-the-heap": (SEGMENTS + ((BLOB - 16 - HEAP) >> LOG2), 0xfe, 1),
    "interpreter-outside": (QUEUE + 8, 0x5000, 8), "interpreter-of-4-gib": (QUEUE + 20, BIG, 4), "no-interpreter": (STATICS + 8, 0, 8),
    "blob-of-4-gib": (BLOB + 12, BIG, 4), "blob-of-no-bytes": (BLOB + 12, 0, 4), "blob-name-outside": (BLOB + 96, BIG, 8),
    "blob-name-without-end": (NAMES, BIG, 8), "pcs-backwards": (BLOB + 272, 0, 4), "pcs-of-4-gib": (BLOB + 272, BIG, 4),
    "pcs-outside": (BLOB + 268, BIG, 4), "scopes-that-go-round": (SCOPES + 4, 8, 1), "scopes-outside": (BLOB + 120, BIG, 8),
    "scope-of-a-method-far-away": (SCOPES + 9, 0xbf, 1), "scope-packed-without-end": (SCOPES + 8, BIG, 8),
    "method-outside": (METADATA, BIG - 4, 8), "method-is-itself": (OUTER + 8, OUTER, 8), "pool-outside": (OUTER + 0x108, BIG, 8),
    "pool-of-no-length": (OUTER + 0x300 + 60, 0, 4), "name-index-beyond-the-pool": (OUTER + 0x122, 0xffff, 2),
    "symbol-of-65535-bytes": (OUTER + 0x704, 0xffff, 2), "lines-without-end": (OUTER + 0x158, 0x0808080808080808, 8),
    "lines-that-overflow": (OUTER + 0x158, 0xffffffffffffffff, 8),
}


def hotspot():
    for title, (address, value, size) in BROKEN_JVM.items():
        memory = jvm()
        memory.put(address, value, size)
        sample("hotspot", title, b"\0" + memory.encode(*PLACES))
    sample("hotspot", "empty", b"")
    sample("hotspot", "places-outside", b"\0" + jvm().encode((0, 0, 0), (0xffffff, 1, 1), (HEAP, 0, 0), (HEAP_END, 0, 0)))
    old = jvm()
    old.put(BLOB + 120, SCOPES - BLOB, 4)
    sample("hotspot", "jdk-8", b"\1" + old.encode(*PLACES))
    new = jvm()
    new.put(HEAP + 0x3000 - 16, 0x10, 4)
    sample("hotspot", "jdk-21-without-continuations", b"\2" + new.encode(*PLACES))
    new.text(NAMES, b"Continuation stub\0")
    new.put(HEAP, 0x20, 4)
    sample("hotspot", "jdk-21", b"\2" + new.encode(*PLACES))
    loops = jvm()
    loops.put(HEAP, 1, 4)
    for block in range(HEAP, HEAP_END, 1 << LOG2):
        loops.put(block, 1, 4)
        loops.put(SEGMENTS + ((block - HEAP) >> LOG2), 0, 1)
    sample("hotspot", "jdk-21-of-blocks-only", b"\2" + loops.encode(*PLACES))
    apart = jvm()
    apart.put(BLOB + 32, 0x180, 4)
    apart.put(BLOB + 40, METADATA)
    apart.put(BLOB + 48, 0, 4)
    apart.put(BLOB + 120, PCS)
    apart.put(BLOB + 128, 0x40, 4)
    apart.put(BLOB + 268, 0, 4)
    apart.text(PCS + 0x44, bytes((1, 2, 11, 0, 5, 3, 7)))
    sample("hotspot", "jdk-25", b"\3" + apart.encode(*PLACES))
    apart.put(HEAP, (BLOB - 16 - HEAP) >> LOG2, 4)
    apart.put(BLOB - 16 + 8, 1, 1)
    apart.put(BLOB + 120, 0x26010)
    apart.put(0x26008, 0x155)
    sample("hotspot", "jdk-25-data-in-malloc", b"\3" + apart.encode(*PLACES))


# The members of HotSpot 17's structures, where jvm() has them.
FIELDS = [
    ("GenericGrowableArray", "_len", 0), ("GrowableArray<int>", "_data", 8), ("CodeHeap", "_memory", 8),
    ("CodeHeap", "_segmap", 120), ("CodeHeap", "_log2_segment_size", 256), ("VirtualSpace", "_low_boundary", 0),
    ("VirtualSpace", "_high_boundary", 8), ("VirtualSpace", "_low", 16), ("HeapBlock::Header", "_length", 0), ("HeapBlock::Header", "_used", 8), ("nmethod", "_compile_id", 290),
    ("StubQueue", "_stub_buffer", 8), ("StubQueue", "_buffer_limit", 20), ("CodeBlob", "_name", 96),
    ("CodeBlob", "_size", 12), ("CodeBlob", "_frame_size", 28), ("CodeBlob", "_code_begin", 32),
    ("CompiledMethod", "_method", 112), ("CompiledMethod", "_scopes_data_begin", 120), ("nmethod", "_metadata_offset", 260),
    ("nmethod", "_scopes_pcs_offset", 268), ("nmethod", "_dependencies_offset", 272), ("PcDesc", "_pc_offset", 0),
    ("PcDesc", "_scope_decode_offset", 4), ("Method", "_constMethod", 8), ("ConstMethod", "_constants", 8),
    ("ConstMethod", "_flags", 28), ("ConstMethod", "_code_size", 32), ("ConstMethod", "_name_index", 34),
    ("ConstantPool", "_pool_holder", 24), ("ConstantPool", "_length", 60), ("ConstantPool", "_source_file_name_index", 54),
    ("Klass", "_name", 24), ("Symbol", "_length", 4), ("Symbol", "_body[0]", 6)]
STATIC = [("CodeCache", "_heaps", STATICS), ("AbstractInterpreter", "_code", STATICS + 8),
          ("Abstract_VM_Version", "_vm_major_version", STATICS + 24)]
SIZES = [("CodeHeap", 344), ("HeapBlock", 16), ("PcDesc", 16), ("ConstMethod", 48), ("ConstantPool", 72)]
FIELD_TABLE, SIZE_TABLE, CONSTANT_TABLE, TEXTS = 0x2000, 0x3000, 0x3800, 0x4000


def with_tables(memory):
    texts = {}

    def text(string):
        if string not in texts:
            texts[string] = TEXTS + sum(len(known) + 1 for known in texts)
            memory.text(texts[string], string.encode() + b"\0")
        return texts[string]

    # as exported by fuzz_vmstructs.c: type, field, type's name, static, offset, address
    for i, value in enumerate((FIELD_TABLE, 0, 8, 16, 24, 32, 40, SIZE_TABLE, 0, 8, 16, CONSTANT_TABLE, 0, 8, 16)):
        memory.put(EXPORTS + 8 * i, value)
    for i, (kind, field, offset) in enumerate(FIELDS + STATIC):
        row = FIELD_TABLE + 40 * i
        is_static = (kind, field, offset) in STATIC
        for at, value in ((0, text(kind)), (8, text(field)), (16, is_static), (32 if is_static else 24, offset)):
            memory.put(row + at, value)
    for i, (kind, size) in enumerate(SIZES):
        memory.put(SIZE_TABLE + 16 * i, text(kind))
        memory.put(SIZE_TABLE + 16 * i + 8, size)
    memory.put(CONSTANT_TABLE, text("ConstMethod::_has_linenumber_table"))
    memory.put(CONSTANT_TABLE + 8, 1)
    return memory


def vmstructs():
    def put(title, *changes):
        memory = with_tables(jvm())
        for address, value, size in changes:
            memory.put(address, value, size)
        sample("vmstructs", title, memory.encode(*PLACES))

    put("sound")
    put("version-25", (STATICS + 24, 25, 4))
    put("table-at-null", (EXPORTS, 0, 8))
    put("table-at-the-end-of-memory", (EXPORTS, 0x2ffff, 8))
    put("table-at-the-end-of-addresses", (EXPORTS, BIG - 7, 8))
    put("table-is-itself", (EXPORTS, EXPORTS, 8))
    put("stride-of-nothing", (EXPORTS + 48, 0, 8))
    put("stride-of-all-ones", (EXPORTS + 48, BIG, 8))
    put("entries-without-end", (EXPORTS, SEGMENTS, 8), (EXPORTS + 48, 8, 8), *((SEGMENTS + 8 * i, NAMES, 8) for i in range(64)))
    put("offset-of-a-name-overflows", (EXPORTS + 8, BIG - 4, 8))
    put("names-that-point-at-themselves", *((FIELD_TABLE + 40 * i, FIELD_TABLE + 40 * i, 8) for i in range(8)))
    put("names-without-end", *((TEXTS + 8 * i, 0x4141414141414141, 8) for i in range(160)))
    put("offsets-of-64-bits", *((FIELD_TABLE + 40 * i + 24, BIG, 8) for i in range(len(FIELDS))))
    put("offsets-of-65534", *((FIELD_TABLE + 40 * i + 24, 65534, 8) for i in range(len(FIELDS))))
    put("statics-outside", *((FIELD_TABLE + 40 * (len(FIELDS) + i) + 32, BIG - 2, 8) for i in range(3)))
    put("sizes-of-nothing", *((SIZE_TABLE + 16 * i + 8, 0, 8) for i in range(5)))
    put("sizes-of-64-bits", *((SIZE_TABLE + 16 * i + 8, BIG, 8) for i in range(5)))
    for title in "heap-of-all-memory", "four-thousand-million-heaps", "segment-map-that-goes-round", "blob-of-4-gib", "scopes-that-go-round":
        put(title, BROKEN_JVM[title])
    sample("vmstructs", "empty", b"")


# -- ELF and DWARF ---------------------------------------------------------------------------------

SOURCE = """
#define INLINE static inline __attribute__((always_inline))
struct list { struct list *next; int value; };
void *heap;
INLINE void *take(long n) { heap = (char *)heap + n; return heap; }
INLINE void *twice(long n) { for (int i = 0; i < n; i++) { if (take(i)) return take(n); } return take(n); }
void *malloc(unsigned long n) { return twice((long)n * 3); }
void free(void *block) { ((struct list *)block)->next = heap; heap = block; }
void *f(struct list *list) { void *sum = malloc(8); while (list) { sum = malloc(list->value); list = list->next; } return sum; }
"""
DWARF_NAMES = (".debug_info .debug_abbrev .debug_str .debug_line .debug_ranges .debug_line_str .debug_rnglists .debug_addr "
               ".debug_loc .debug_str_offsets .gnu_debugaltlink .debug_types").split()


def compiled(folder, *options):
    path = os.path.join(folder, "image")
    subprocess.run(["cc", "-O2", "-shared", "-fpic", "-nostdlib", "-fcf-protection=none", "-ffreestanding", "-x", "c", "-", "-o", path,
                    "-fno-builtin", "-Wl,-z,noseparate-code,-z,max-page-size=16,-z,common-page-size=16,--build-id,-Ttext=0x1000",
                    f"-fdebug-prefix-map={os.getcwd()}=/src", *options],
                   input=SOURCE.encode(), check=True)
    return path


def read(path):
    with open(path, "rb") as file:
        return file.read()


def sections(data):
    """{name: (header's place, offset, size)} of an ELF file."""
    at, = struct.unpack_from("<Q", data, 40)
    count, names = struct.unpack_from("<HH", data, 60)
    rows = [struct.unpack_from("<IIQQQQ", data, at + 64 * i) for i in range(count)]
    text = data[rows[names][4]:]
    return {text[row[0]:text.index(b"\0", row[0])].decode(): (at + 64 * i, row[4], row[5]) for i, row in enumerate(rows)}


def patched(data, *changes):
    data = bytearray(data)
    for at, value, size in changes:
        data[at:at + size] = u(value, size)
    return bytes(data)


def dwarf_parts(data, **other):
    result = b""
    for number, name in enumerate(DWARF_NAMES):
        if name in sections(data):
            _, offset, size = sections(data)[name]
            part = other.get(name[1:], lambda part: part)(data[offset:offset + size])
            result += u(number, 1) + u(len(part), 2) + part
    return result


# unit: low, high; namespace with children: sibling; function: low, high, origin; inlined: the same
ABBREVIATIONS = bytes((1, 0x11, 1, 0x11, 0x01, 0x12, 0x07, 0, 0, 2, 0x39, 1, 0x01, 0x13, 0, 0,
                       3, 0x2e, 1, 0x11, 0x01, 0x12, 0x07, 0x31, 0x13, 0, 0,
                       4, 0x1d, 1, 0x11, 0x01, 0x12, 0x07, 0x31, 0x13, 0, 0, 0))
UNIT, FIRST = 11, 28  # places of entries


def dwarf_loop(title, *entries):
    """A unit of version 4 around entries of the kinds above, their words behind them."""
    info = u(4, 2) + u(0, 4) + b"\x08" + b"\x01" + u(0x1000, 8) + u(0x200, 8)
    for kind, *words in entries:
        info += u(kind, 1) + b"".join(u(word, size) for word, size in words)
    info = u(len(info), 4) + info
    sample("dwarf", title, b"".join(u(i, 1) + u(len(part), 2) + part for i, part in enumerate((info, ABBREVIATIONS))))


def dwarf_loops():
    def code(origin):
        return (0x1000, 8), (0x200, 8), (origin, 4)

    dwarf_loop("sibling-is-itself", (2, (FIRST, 4)), (0,), (0,))
    dwarf_loop("sibling-is-the-unit", (2, (UNIT, 4)), (0,), (0,))
    dwarf_loop("siblings-that-go-round", (2, (FIRST + 6, 4)), (0,), (2, (FIRST, 4)), (0,), (0,))
    dwarf_loop("sibling-in-the-header", (2, (1, 4)), (0,), (0,))
    dwarf_loop("sibling-behind-the-unit", (2, (0xfffffff0, 4)), (0,), (0,))
    dwarf_loop("origin-is-itself", (3, *code(FIRST)), (0,), (0,))
    dwarf_loop("origins-that-go-round", (3, *code(FIRST + 22)), (0,), (3, *code(FIRST)), (0,), (0,))
    dwarf_loop("inlined-into-itself-without-end", (3, *code(FIRST)), *((4, *code(FIRST)) for _ in range(300)))
    dwarf_loop("namespaces-without-end", *((2, (0x7000, 4)) for _ in range(300)))


def dwarf(folder):
    dwarf_loops()
    for version in 3, 4, 5:
        image = read(compiled(folder, f"-gdwarf-{version}"))
        sample("dwarf", f"version-{version}", dwarf_parts(image))
        sample("dwarf", f"version-{version}-cut", dwarf_parts(image, debug_info=lambda part: part[:len(part) // 2]))
    broken = {
        "text-section-without-end": {"debug_str": lambda part: part[:-1] + b"x"},
        "abbreviations-without-end": {"debug_abbrev": lambda part: part[:-3] + b"\xff\xff\xff"},
        "abbreviations-missing": {"debug_abbrev": lambda part: b""},
        "line-program-cut": {"debug_line": lambda part: part[:60]},
        "line-header-of-4-gib": {"debug_line": lambda part: b"\xfe\xff\xff\xff" + part[4:]},
        "line-program-that-advances-without-end": {"debug_line": lambda part: part[:-40] + b"\x08" * 40},
        "ranges-without-end": {"debug_rnglists": lambda part: part[:12] + b"\x04\0\x10" * 12},
        "unit-of-4-gib": {"debug_info": lambda part: b"\xf0\xff\xff\xff" + part[4:]},
        "unit-of-no-bytes": {"debug_info": lambda part: bytes(16) + part},
        "unit-of-version-9": {"debug_info": lambda part: part[:4] + b"\x09\0" + part[6:]},
        "unit-with-addresses-of-255-bytes": {"debug_info": lambda part: part[:7] + b"\xff" + part[8:]},
        "siblings-that-go-back": {"debug_info": lambda part: part[:len(part) // 2] + bytes(len(part) // 2)},
        "children-without-end": {"debug_info": lambda part: part[:0x2a] + b"\x02" * 600},
        "references-to-themselves": {"debug_info": lambda part: part[:0x40] + b"\x40\0\0\0" * ((len(part) - 0x40) // 4)},
    }
    for title, change in broken.items():
        sample("dwarf", title, dwarf_parts(image, **change))
    alt = b"/usr/lib/debug/x\0" + bytes(20)
    sample("dwarf", "supplementary-file-that-is-not-there", dwarf_parts(image) + u(10, 1) + u(len(alt), 2) + alt)
    sample("dwarf", "empty", b"")


def images(folder):
    full = read(compiled(folder, "-g"))
    path = compiled(folder)
    plain = read(path)
    subprocess.run(["strip", path], check=True)
    table = sections(plain)
    header, dynsym, dynstr, frame = (table[name][0] for name in (".text", ".dynsym", ".dynstr", ".eh_frame"))
    shoff, = struct.unpack_from("<Q", plain, 40)

    def put(title, *changes, data=plain):
        sample("image", title, patched(data, *changes))

    put("sound-with-dwarf", data=full)
    put("sound")
    put("stripped", data=read(path))
    put("no-sections", (40, 0, 8), (60, 0, 4))
    put("cut-in-the-header", data=plain[:40])
    put("cut-in-the-sections", data=plain[:shoff + 100])
    put("empty", data=b"")
    put("big-endian", (5, 2, 1))
    put("32-bit", (4, 1, 1))
    put("object-file", (16, 1, 2))
    put("65535-segments", (56, 0xffff, 2))
    put("65535-sections", (60, 0xffff, 2))
    put("sections-beyond-the-file", (40, BIG - 63, 8))
    put("segments-beyond-the-file", (32, BIG - 55, 8))
    put("segment-of-all-memory", (64 + 8, 0, 8), (64 + 32, BIG, 8), (64 + 40, BIG, 8))
    put("text-of-all-memory", (header + 24, 0, 8), (header + 32, BIG, 8))
    put("symbols-beyond-the-file", (dynsym + 32, 1 << 40, 8))
    put("symbols-without-names", (dynsym + 40, 0, 4))
    put("symbols-named-by-themselves", (dynsym + 40, 0xffff, 4))
    put("names-without-end", (dynstr + 32, 40, 8))
    put("names-of-names-beyond-the-file", (62, 0xfffe, 2))
    put("entries-of-no-bytes", (dynsym + 56, 0, 8))
    put("frames-are-the-whole-file", (frame + 24, 0, 8), (frame + 32, len(plain), 8))
    put("compressed-to-all-memory", (frame + 8, 0x800, 8), (frame + 24, 0, 8))
    put("overlapping-sections", *((shoff + 64 * i + 24, 0, 8) for i in range(1, 5)), *((shoff + 64 * i + 32, len(plain), 8) for i in range(1, 5)))


def main():
    for make in cfi, code, demangle, maps, proc, cgroup, state, values, hotspot, vmstructs:
        make()
    for name in "direct", "heap", "message", "minidebug", "recording":  # which import this
        getattr(importlib.import_module(f"seeds_{name}"), name)()
    with tempfile.TemporaryDirectory() as folder:
        dwarf(folder)
        images(folder)


if __name__ == "__main__":
    main()
