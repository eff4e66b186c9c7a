/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From an address to the rule of its frame: mappings, rows, and a cache of what was found in them.
 */
#ifndef UNFREED_UNWIND_RULES_BPF_H
#define UNFREED_UNWIND_RULES_BPF_H

#include "maps.bpf.h"
#include "unwind_jvm.bpf.h"
#include "unwind_span.bpf.h"

extern struct code_map code_table SEC(".maps");
extern struct rows_map rows SEC(".maps");

enum {
	RULE_CACHE_LOG2 = 14,
	MAPPINGS_LOG2 = 16, /* vm.max_map_count is 65530 */
};

/*
 * A cached rule. All CPUs share the entries without a lock: check is the address xor rule, so that
 * halves of two entries do not pass for one. The rule carries its target's generation, and dies
 * with it.
 */
struct cached_rule {
	__u64 check;
	__u64 rule; /* generation << 32 | union rule */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << RULE_CACHE_LOG2);
	__type(key, __u32);
	__type(value, struct cached_rule);
} rule_cache SEC(".maps");

/* The mapping of the walk's target that an address lies in, or NULL. */
static __always_inline const struct abi_code *find_code(const struct walk *walk, __u64 address)
{
	__u32 low = walk->mappings_first;
	__u32 count = walk->mappings_count;
	const struct abi_code *found;

	if (!count)
		return 0;
	for (int i = 0; i < MAPPINGS_LOG2 && count > 1; i++) {
		__u32 middle = low + count / 2;

		found = bpf_map_lookup_elem(&code_table, &middle);
		if (!found)
			return 0;
		if (found->start <= address)
			low = middle;
		count -= count / 2;
	}
	found = bpf_map_lookup_elem(&code_table, &low);
	return found && found->start <= address && address < found->end ? found : 0;
}

/* The last of a mapping's rows whose pc is not above this one, or NULL. */
static __always_inline const struct abi_row *find_row(const struct abi_code *mapping, __u32 pc)
{
	__u32 low = mapping->rows_first;
	__u32 count = mapping->rows_count;
	const struct abi_row *found;

	if (!count)
		return 0;
	for (int i = 0; i < ABI_MAX_ROWS_LOG2 && count > 1; i++) {
		__u32 middle = low + count / 2;

		found = bpf_map_lookup_elem(&rows, &middle);
		if (!found)
			return 0;
		if (found->pc <= pc)
			low = middle;
		count -= count / 2;
	}
	found = bpf_map_lookup_elem(&rows, &low);
	return found && found->pc <= pc ? found : 0;
}

/* A rule from the tables, as a word. */
__noinline int unwind_search(__u32 slot, __u64 address)
{
	union rule rule = { .cfa = RULE_NO_MAPPING };
	const struct walk *walk = walk_at(slot);
	const struct abi_code *mapping;
	const struct abi_row *row;
	__u64 pc;

	if (!walk)
		return rule.word;
	rule.word = unwind_search_jvm(slot, address);
	if (rule.cfa != RULE_NO_MAPPING)
		return rule.word;
	mapping = find_code(walk, address);
	if (!mapping)
		return rule.word;
	rule.cfa = CFA_NONE;
	pc = address - mapping->bias;
	row = pc >> 32 ? 0 : find_row(mapping, pc);
	if (row) {
		rule.cfa = row->cfa;
		rule.cfa_offset = row->cfa_offset;
		rule.bp_offset = row->bp_offset;
	}
	return rule.word;
}

/* The rule for the instruction at an address. */
static __always_inline union rule find_rule(const struct walk *walk, __u32 slot, __u64 address)
{
	__u32 index = address * 0x9e3779b97f4a7c15ULL >> (64 - RULE_CACHE_LOG2);
	struct cached_rule *cached = bpf_map_lookup_elem(&rule_cache, &index);
	union rule rule = {};
	__u64 word;

	if (!cached)
		return rule;
	word = cached->rule;
	rule.word = word;
	if ((cached->check ^ word) == address && word >> 32 == walk->generation && word >> 32 &&
	    !walk->fresh)
		return rule;
	rule.word = unwind_search(slot, address);
	if (rule.cfa != RULE_NO_MAPPING) {
		word = (__u64)walk->generation << 32 | rule.word;
		cached->rule = word;
		cached->check = address ^ word;
	}
	return rule;
}

#endif
