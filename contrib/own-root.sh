#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# own-root.sh COMMAND…   runs COMMAND where / is a mount point. Container runtimes insist on that
#                        (pivot_root(2), and making / a slave mount), and in a plain chroot it is none:
#                        there, COMMAND gets a mount namespace with the same tree, in which it is one.
set -eu

is_mount_point() {
	awk '$5 == "/" { found = 1 } END { exit !found }' /proc/self/mountinfo
}

if [ "$(id -u)" -ne 0 ] || [ ! -e /proc/self/mountinfo ] || is_mount_point; then
	exec "$@"
fi

# The mount that a chroot lies in may be shared and cannot be made private from inside: what is mounted
# here appears there too until the end. A tmpfs between the two keeps the rest to ourselves.
# shellcheck disable=SC2016 # expanded by the inner shell
exec unshare --mount --propagation unchanged sh -c '
	directory=$PWD own=$(mktemp -d)
	trap "umount --recursive --lazy $own; rmdir $own" EXIT
	trap : INT TERM HUP
	mount -t tmpfs tmpfs "$own"
	mount --make-private "$own"
	mkdir "$own/root"
	mount --rbind / "$own/root"
	mount --make-rprivate "$own/root"
	chroot "$own/root" sh -c "cd \"\$0\" && exec \"\$@\"" "$directory" "$@"
' own-root.sh "$@"
