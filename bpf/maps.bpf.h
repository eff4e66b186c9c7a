/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The types of the maps. state.bpf.c defines all of them, and is linked first: libbpf 1.1's linker
 * loses the place of a map that is declared before it is defined. The others declare what they use:
 *	extern struct rows_map rows SEC(".maps");
 * Sizes are user space's to set before loading; only arrays are preallocated.
 */
#ifndef UNFREED_MAPS_BPF_H
#define UNFREED_MAPS_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#include "thread.bpf.h"
#include "walk.bpf.h"

#define MAP_HASH(name, key_type, value_type)          \
	struct name {                                 \
		__uint(type, BPF_MAP_TYPE_HASH);      \
		__uint(map_flags, BPF_F_NO_PREALLOC); \
		__uint(max_entries, 1);               \
		__type(key, key_type);                \
		__type(value, value_type);            \
	}

#define MAP_ARRAY(name, map_type, map_flag_bits, value_type) \
	struct name {                                        \
		__uint(type, map_type);                      \
		__uint(map_flags, map_flag_bits);            \
		__uint(max_entries, 1);                      \
		__type(key, __u32);                          \
		__type(value, value_type);                   \
	}

MAP_HASH(blocks_map, struct abi_block_key, struct abi_block);
MAP_ARRAY(buckets_map, BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, struct abi_bucket);
MAP_HASH(sites_map, struct abi_site_key, struct abi_site);
MAP_HASH(targets_map, __u64, struct abi_target); /* by mm */
MAP_HASH(probes_map, struct abi_probe_key, struct abi_probe);
MAP_HASH(wanted_map, __u32, struct abi_wanted); /* by pid */
MAP_HASH(tgids_map, __u32, __u64); /* thread group → mm */
MAP_HASH(jvms_map, __u64, struct abi_jvm); /* by mm */
MAP_HASH(threads_map, __u32, struct thread); /* by tid */
MAP_ARRAY(counters_map, BPF_MAP_TYPE_PERCPU_ARRAY, 0, __u64); /* by enum abi_counter */
MAP_ARRAY(losses_map, BPF_MAP_TYPE_PERCPU_ARRAY, 0, __u64); /* by enum abi_loss */
MAP_ARRAY(code_map, BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, struct abi_code);
MAP_ARRAY(rows_map, BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, struct abi_row);

struct walks_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WALK_SLOTS);
	__type(key, __u32);
	__type(value, struct walk);
};

struct tails_map {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
};

struct ring_map {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
};

#endif
