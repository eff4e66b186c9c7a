#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# vmlinux/update.sh            writes the header of this machine's architecture from the running kernel
# vmlinux/update.sh ARCH       writes ARCH (x86_64, aarch64) from Debian's cloud kernel of SUITE
#
# SUITE=trixie BPFTOOL=bpftool. apt gets a state of its own: the machine's stays as it is.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
suite=${SUITE:-trixie}
bpftool=${BPFTOOL:-$(command -v bpftool || echo /usr/sbin/bpftool)}

dump() { # BTF-FILE ARCH
	mkdir -p "$here/$2"
	"$bpftool" btf dump file "$1" format c >"$here/$2/vmlinux.h.new"
	mv "$here/$2/vmlinux.h.new" "$here/$2/vmlinux.h"
	echo "$here/$2/vmlinux.h"
}

if [ $# -eq 0 ]; then
	dump /sys/kernel/btf/vmlinux "$(uname -m)"
	exit
fi

case $1 in
x86_64) debian=amd64 ;;
aarch64) debian=arm64 ;;
*)
	echo "update.sh: '$1' is no known architecture: x86_64 or aarch64" >&2
	exit 2
	;;
esac

mirror=$("$here/../contrib/mirror.sh")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP

mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/image"
: >"$work/status"
echo "deb [arch=$debian signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" \
	"$mirror $suite main" >"$work/sources.list"
cat >"$work/apt.conf" <<END
Dir::Etc::sourcelist "$work/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State::lists "$work/lists";
Dir::State::status "$work/status";
Dir::Cache "$work/cache";
APT::Architecture "$debian";
APT::Architectures { "$debian"; };
APT::Sandbox::User "root";
END
export APT_CONFIG="$work/apt.conf"

cd "$work"
apt-get -q update >&2
# The metapackage depends on the newest kernel of its series.
package=$(apt-cache depends "linux-image-cloud-$debian" | sed -n 's/^ *Depends: \(linux-image-\)/\1/p' |
	head -n 1)
apt-get -q download "$package" >&2
dpkg-deb -x ./*.deb image
set -- "$1" image/boot/vmlinuz-*
python3 "$here/extract-btf.py" "$2" btf
echo "$package" >&2
dump btf "$1"
