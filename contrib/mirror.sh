#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Prints the address of the Debian archive that this machine's apt is configured for.
set -eu

# shellcheck disable=SC2016 # apt's own placeholders
apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' 'Created-By: Packages' |
	awk '$1 == "Debian" && $2 == "Debian" { print $3; found = 1; exit } END { exit !found }' || {
	echo "mirror.sh: apt knows no Debian archive: run apt-get update first" >&2
	exit 1
}
