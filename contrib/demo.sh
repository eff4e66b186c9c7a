#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# demo.sh BUILD-DIR   starts a leaking program in a container and traces it by the container's name:
#                     a table on the terminal, flamegraph.svg in the current directory. Everything
#                     is removed at the end, also when interrupted. DEMO_SECONDS=10.
set -euo pipefail

name="unfreed-demo"
build=$(realpath "${1:?usage: demo.sh BUILD-DIR}")
unfreed=$build/unfreed
leaker=$build/tests/targets/leaker
seconds=${DEMO_SECONDS:-10}
dir=/run/$name # known beforehand, so that what a killed run left can be found
child=

say() {
	printf 'demo: %s\n' "$*" >&2
}

fail() {
	say "$*"
	exit 1
}

# Removes whatever there is of the demo, of this run or of one that was killed.
clean_up() {
	runc delete --force "$name" >/dev/null 2>&1 || true
	if [ -d "$dir" ]; then
		umount -q "$dir/root" || true
		umount -q "$dir" || true
		rmdir "$dir" || true
	fi
}

finish() {
	trap '' INT TERM HUP
	[ -z "$child" ] || kill "$child" 2>/dev/null || true
	wait
	clean_up
}

# Runs a command so that a signal to this script ends it at once.
run() {
	"$@" &
	child=$!
	wait "$child"
	child=
}

# A root file system of the program, the libraries it needs and a shell: no compiler, no symbols of
# the host, nothing of unfreed.
make_lower() {
	local lower=$1 library
	mkdir -p "$lower"/{bin,dev,proc,sys,tmp}
	cp "$(command -v busybox)" "$lower/bin/busybox"
	ln -s busybox "$lower/bin/sh"
	cp "$leaker" "$lower/bin/leaker"
	ldd "$leaker" | grep -o '/[^ ]*' | while read -r library; do
		install -D "$library" "$lower$library"
	done
}

write_config() {
	cat <<-END
	{
		"ociVersion": "1.0.2",
		"hostname": "$name",
		"root": { "path": "$dir/root" },
		"process": {
			"user": { "uid": 0, "gid": 0 },
			"cwd": "/",
			"env": [ "PATH=/bin" ],
			"args": [ "/bin/leaker" ],
			"noNewPrivileges": true
		},
		"mounts": [
			{ "destination": "/proc", "type": "proc", "source": "proc" },
			{ "destination": "/dev", "type": "tmpfs", "source": "tmpfs",
			  "options": [ "nosuid", "mode=755", "size=64k" ] }
		],
		"linux": {
			"namespaces": [
				{ "type": "pid" }, { "type": "mount" }, { "type": "ipc" },
				{ "type": "uts" }, { "type": "network" }
			],
			"cgroupsPath": "/$name",
			"resources": { "memory": { "limit": 268435456 } }
		}
	}
	END
}

start_container() {
	mkdir "$dir"
	mount -t tmpfs -o mode=700,size=256m tmpfs "$dir"
	mkdir "$dir"/{lower,upper,work,root,bundle}
	make_lower "$dir/lower"
	mount -t overlay -o "lowerdir=$dir/lower,upperdir=$dir/upper,workdir=$dir/work" \
		overlay "$dir/root"
	write_config >"$dir/bundle/config.json"

	runc run --detach --bundle "$dir/bundle" --pid-file "$dir/pid" "$name" \
		</dev/null >"$dir/log" 2>&1 || fail "runc cannot start the container: $(tail -n 1 "$dir/log")"
}

# Up is: the program is what runs, and it has begun to allocate.
wait_until_up() {
	local pid tries=100
	pid=$(<"$dir/pid")
	until [ "$(<"/proc/$pid/comm")" = leaker ] && grep -qF '[heap]' "/proc/$pid/maps"; do
		((tries-- > 0)) || fail "the program in the container does not start: $(<"$dir/log")"
		sleep 0.05
	done
	say "container $name runs: pid $pid on the host, at most 256 MiB"
}

[ "$(id -u)" -eq 0 ] || fail "needs root: containers and BPF; run it with sudo"
exec 9>"/run/$name.lock"
flock -n 9 || fail "already running elsewhere"

clean_up
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

start_container
wait_until_up
say "unfreed trace -c $name -d ${seconds}s -t 3"
run "$unfreed" trace -c "$name" -d "${seconds}s" -t 3
say "unfreed trace -c $name -d 5s -f svg -o flamegraph.svg"
run "$unfreed" trace -c "$name" -d 5s -f svg -o flamegraph.svg
say "the flamegraph is in $PWD/flamegraph.svg: open it in a browser"
