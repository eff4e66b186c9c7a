#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# package.sh DIR VERSION   packs what "make install" put below DIR/root, as a Debian package, and the
#                          static program DIR/unfreed alone, as the root file system of an image. The
#                          same input gives the same bytes: all times are SOURCE_DATE_EPOCH, else that
#                          of the last commit.
set -eu

dir=${1:?usage: package.sh DIR VERSION}
version=${2:?usage: package.sh DIR VERSION}
root=$dir/root
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -c safe.directory='*' log -1 --format=%ct 2>/dev/null ||
	stat -c %Y CHANGELOG.md)}
export SOURCE_DATE_EPOCH
umask 022

# What the program is linked from statically is to be kept as source: Debian's policy, 7.8.
linked='libc6-dev libbpf-dev libdw-dev libelf-dev zlib1g-dev libdeflate-dev libzydis-dev libiberty-dev libjansson-dev
	libncurses-dev liblzma-dev libbz2-dev libzstd-dev'
built_using() {
	# shellcheck disable=SC2086 # a list of words
	dpkg-query -W -f '${source:Package} (= ${source:Version})\n' $linked 2>/dev/null | sort -u |
		paste -sd, | sed 's/,/, /g'
}

doc=$root/usr/share/doc/unfreed
install -D -m 644 LICENSE "$doc/copyright"
install -m 644 CHANGELOG.md "$doc/changelog"
gzip -9nf "$doc/changelog" "$root"/usr/share/man/man*/*.[1-8]
mkdir "$root/DEBIAN"
(cd "$root" && find usr -type f | LC_ALL=C sort | xargs md5sum >DEBIAN/md5sums)
cat >"$root/DEBIAN/control" <<-END
	Package: unfreed
	Version: $version
	Architecture: amd64
	Maintainer: the unfreed authors
	Installed-Size: $(find "$root/usr" -type f -printf '%s\n' | awk '{ n += $1 } END { print int(n / 1024) + 1 }')
	Built-Using: $(built_using)
	Section: devel
	Priority: optional
	Description: shows what memory a running process or container still holds
	 unfreed attaches to a running process or container, without a restart, an
	 agent or a flag, counts what it allocates and gives back, and shows what it
	 still holds, by the complete stack that asked for it. Built on eBPF;
	 statically linked.
END

find "$root" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

# xz, for Debian 11: newer dpkg-debs may prefer what it cannot read.
dpkg-deb --root-owner-group -Zxz --build "$root" "$dir/unfreed_${version}_amd64.deb" >/dev/null
tar --create --file "$dir/unfreed-image.tar" --directory "$dir" --format=ustar --owner=0 --group=0 \
	--numeric-owner --mtime="@$SOURCE_DATE_EPOCH" --mode=755 unfreed
rm -rf "$root"
