# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# bash completion for unfreed(1)

_unfreed() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
	local options words

	COMPREPLY=()
	case ${COMP_WORDS[1]} in
	trace) options='--pid --container --pod --cgroup --comm --host-root --duration --interval --min-age --top --events --stack --max-overhead --sample --max-blocks --max-stacks --probe --kind --class --site --exclude --exclude-from --min --by --invert --format --json --output --record --classes --fail-over --on-oom --on-exit --when --follow-restarts --max-reports --exec --help' ;;
	watch) options='--pid --container --pod --cgroup --comm --host-root --interval --min-age --events --stack --max-overhead --sample --max-blocks --max-stacks --probe --kind --class --site --exclude --exclude-from --min --record --help' ;;
	map) options='--pid --container --pod --cgroup --comm --host-root --by --top --interval --duration --format --json --output --save --help' ;;
	report) options='--format --json --output --top --kind --class --site --exclude --exclude-from --min --by --invert --older --younger --snapshot --list --help' ;;
	diff) options='--before --after --format --json --output --top --kind --class --site --exclude --exclude-from --min --by --invert --help' ;;
	heap) options='--pid --container --pod --cgroup --comm --host-root --duration --interval --top --peek --format --json --output --help' ;;
	jvm) options='--pid --container --pod --cgroup --comm --host-root --duration --top --detail --no-attach --timeout --trim --jcmd --format --json --output --help' ;;
	check) options='--pid --container --pod --cgroup --comm --host-root --json --help' ;;
	esac

	if ((COMP_CWORD == 1)); then
		words='trace watch map heap jvm report diff check --help --version'
	else
		case $previous in
		-f | --format)
			words='table json folded svg html pprof jeprof callgrind dot speedscope csv'
			[[ ${COMP_WORDS[1]} != diff ]] || words='table json folded svg html csv'
			[[ ${COMP_WORDS[1]} == @(trace|report|diff) ]] || words='table json'
			[[ ${COMP_WORDS[1]} != map ]] || words='table json svg html'
			;;
		--events) words='heap mapping fault heap,mapping heap,mapping,fault' ;;
		--by)
			words='site function module thread process'
			[[ ${COMP_WORDS[1]} != map ]] || words='class process mapping'
			;;
		--kind) words='heap mapping fault' ;;
		--stack) words='auto table fp' ;;
		--probe) words='session multi perf' ;;
		--max-overhead) words='1% 2% 5% 10% off' ;;
		--when) words='rss>2G cgroup>90% growth>100M/min live>1G blocks>1000000' ;;
		--sample) words='4K 64K 512K 1M' ;;
		-p | --pid) words=$(cd /proc && echo [0-9]*) ;;
		-n | --comm) words=$(sort -u /proc/[0-9]*/comm 2>/dev/null) ;;
		-[ow] | --output | --record | --save | --exclude-from | --cgroup | --host-root)
			compopt -o filenames
			mapfile -t COMPREPLY < <(compgen -f -- "$current")
			return
			;;
		-[cdit] | --peek | --container | --pod | --duration | --interval | --min-age | --top | --max-blocks | \
			--max-stacks | --max-reports | --exec | --fail-over | --timeout | --jcmd | --class | --site | --exclude | --min | --older | --younger | --snapshot | --before | --after)
			return
			;;
		*)
			words=$options
			if [[ ${COMP_WORDS[1]} == @(report|diff) && $current != -* ]]; then
				compopt -o filenames
				mapfile -t COMPREPLY < <(compgen -f -- "$current")
				return
			fi
			;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F _unfreed unfreed
