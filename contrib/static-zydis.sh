#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# static-zydis.sh LIBRARY   makes LIBRARY (…/libZydis.a), for the static program: Debian's libzydis-dev
#                           has the shared library only. It is the one that is installed, if there is
#                           one, else built from the source of the libzydis-dev that is installed,
#                           which apt fetches and verifies; apt's own state stays as it is. CC=gcc.
set -eu

library=$(realpath -m "${1:?usage: static-zydis.sh LIBRARY}")
cc=${CC:-gcc}

installed=$($cc -print-file-name=libZydis.a)
if [ -f "$installed" ]; then
	exec cp "$installed" "$library"
fi

fail() {
	echo "static-zydis.sh: no source of Zydis: $*" >&2
	exit 1
}

version=$(dpkg-query -W -f '${source:Version}' libzydis-dev 2>/dev/null) ||
	fail "libzydis-dev is not installed, and no libZydis.a"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM HUP
cd "$dir"
mkdir -p lists/partial cache

# shellcheck disable=SC2016 # apt's own placeholders
apt-get indextargets 'Created-By: Packages' 'Origin: Debian' --format \
	'deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(REPO_URI) $(RELEASE) main' |
	sort -u >sources.list
[ -s sources.list ] || fail "apt knows no Debian archive: run apt-get update first"

# The sandbox's user cannot write to a directory of ours.
apt() {
	apt-get -qq -o Dir::Etc::SourceList="$dir/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::State::Lists="$dir/lists" -o Dir::Cache="$dir/cache" \
		-o APT::Sandbox::User=root "$@" >log 2>&1 || fail "$(tail -n 1 log)"
}
apt update
apt source --tar-only "zydis=$version" # Debian's own changes are to its documentation
mkdir zydis
tar -xf zydis_*.orig.tar.* --directory zydis --strip-components=1

# -ffile-prefix-map: the same bytes wherever it is built.
for source in zydis/src/*.c; do
	$cc -O2 -fPIE -ffile-prefix-map="$dir"=. -DNDEBUG -DZYDIS_STATIC_BUILD \
		-I zydis/include -I zydis/src -c "$source"
done
${AR:-ar} rcs libZydis.a ./*.o
mkdir -p "$(dirname "$library")"
mv libZydis.a "$library"
