/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* All maps and globals: the state that user space sets up and reads. */
#include "maps.bpf.h"

struct targets_map targets SEC(".maps");
struct wanted_map wanted SEC(".maps");
struct tgids_map tgids SEC(".maps");
struct jvms_map jvms SEC(".maps");
struct probes_map probes SEC(".maps");
struct threads_map threads SEC(".maps");
struct blocks_map blocks SEC(".maps");
struct buckets_map buckets SEC(".maps");
struct sites_map sites SEC(".maps");
struct counters_map counters SEC(".maps");
struct losses_map losses SEC(".maps");
struct ring_map ring SEC(".maps");
struct tails_map tails SEC(".maps");
struct code_map code_table SEC(".maps");
struct rows_map rows SEC(".maps");
struct walks_map walks SEC(".maps");

const volatile struct abi_config run_config = {};
const struct thread thread_zero = {};
__u32 frozen = FROZEN_NOT;
__u32 epoch = 0; /* changes whenever heap probes went on again: calls entered before are void */
__u32 held = 0; /* they are being put on for one: what they see means nothing yet */
__u32 windowed = 0; /* they are on for short windows only */
__u64 epoch_ns = 0; /* when they went on */
__u64 first_hit_ns = 0, last_hit_ns = 0; /* in this window */
__u32 pid_level = 0; /* of user space's pid namespace */
__u32 overflowed = 0; /* a block went to the hash map: look there, too */

char LICENSE[] SEC("license") = "Dual BSD/GPL";
