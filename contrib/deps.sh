#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# deps.sh GROUP…   installs what is missing of the Debian packages of these groups; says nothing when
#                  all is there. The only place that lists packages. "a|b": the first that there is.
set -eu

build='gcc g++ make clang libbpf-dev bpftool libelf-dev libdw-dev zlib1g-dev libdeflate-dev liblzma-dev
	libzydis-dev libiberty-dev libjansson-dev libncurses-dev ncurses-bin uthash-dev pkg-config|pkgconf'
demo='runc busybox-static'
test='libcmocka-dev binutils python3 git runc busybox-static docker.io docker-cli|docker.io containerd podman
	crun conmon openjdk-17-jdk-headless|openjdk-21-jdk-headless postgresql gdb libxml2-utils jq clang-format
	mandoc shellcheck procps libjemalloc-dev libgoogle-perftools-dev libunwind-dev libmimalloc-dev musl-tools
	libclang-rt-dev|libclang-rt-14-dev redis-server nginx linux-perf bpftrace nodejs libdebuginfod1t64|libdebuginfod1
	protobuf-compiler golang-go google-perftools graphviz valgrind chromium
	xz-utils tmux'
bench='bpftrace python3'
dist='debian-archive-keyring libbz2-dev libzstd-dev'
fresh='debootstrap git'
prove='debootstrap python3'
# What a root file system of tests/prove/root has. Where there is no mimalloc, nothing instead of it.
guest='g++ make binutils python3 procps bpftool runc busybox-static musl-tools rustc
	libjemalloc-dev libgoogle-perftools-dev libunwind-dev libmimalloc-dev|libjemalloc-dev'
# Each JVM that there is, to be traced: a root of sid has all five. Else nothing instead of it.
jvms='openjdk-8-jre-headless|java-common openjdk-11-jre-headless|java-common
	openjdk-17-jre-headless|java-common openjdk-21-jre-headless|java-common
	openjdk-25-jre-headless|java-common libstdc++6'
# Other tools, to be measured beside: a root of trixie has memleak.
peers='libbpf-tools'
vm='qemu-system-x86 qemu-system-arm gcc-aarch64-linux-gnu virtiofsd|qemu-system-common busybox-static kmod cpio xz-utils python3'

[ $# -gt 0 ] || {
	echo "usage: deps.sh build|demo|test|bench|dist|fresh|prove|guest|jvms|peers|vm…" >&2
	exit 2
}
wanted=
for group in "$@"; do
	case $group in
	build) wanted="$wanted $build" ;;
	demo) wanted="$wanted $demo" ;;
	test) wanted="$wanted $test" ;;
	bench) wanted="$wanted $bench" ;;
	dist) wanted="$wanted $dist" ;;
	fresh) wanted="$wanted $fresh" ;;
	prove) wanted="$wanted $prove" ;;
	guest) wanted="$wanted $guest" ;;
	jvms) wanted="$wanted $jvms" ;;
	peers) wanted="$wanted $peers" ;;
	vm) wanted="$wanted $vm" ;;
	*)
		echo "deps.sh: no group '$group'" >&2
		exit 2
		;;
	esac
done

if ! command -v dpkg-query >/dev/null; then
	echo "deps.sh: no Debian here: make sure to have what these packages hold: $wanted" >&2
	exit 0
fi

installed=" $(dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p' |
	tr '\n' ' ')"

# The package that stands for a word of the list, where none of its choices is installed.
missing() {
	for package in $(echo "$1" | tr '|' ' '); do
		case $installed in *" $package "*) return ;; esac
	done
	for package in $(echo "$1" | tr '|' ' '); do
		if apt-cache show --no-all-versions "$package" >/dev/null 2>&1; then
			break
		fi
	done
	echo "$package"
}

list() {
	for word in $wanted; do
		missing "$word"
	done | sort -u | tr '\n' ' '
}

[ -n "$(list)" ] || exit 0
if [ "$(id -u)" -ne 0 ]; then
	echo "deps.sh: packages are missing: run: apt-get install --no-install-recommends $(list)" >&2
	exit 1
fi

# Packages bring daemons along; none of them is to start here.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	trap 'rm -f $policy' EXIT
	trap 'exit 1' INT TERM HUP
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod 755 $policy
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -q -o DPkg::Lock::Timeout=600 update >&2 </dev/null ||
	echo "deps.sh: apt-get update failed: trying with what is known" >&2
packages=$(list)
echo "deps.sh: installing $packages" >&2
# shellcheck disable=SC2086 # a list of words
apt-get -q -y -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 --no-install-recommends \
	install $packages >&2 </dev/null
