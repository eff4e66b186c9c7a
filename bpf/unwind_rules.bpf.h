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
 * Beside an address that find_rule is asked for: is it the last byte of a call? No user address has
 * this bit, so that the answers are cached as rules are: RULE_NO_MAPPING is no.
 */
#define RULE_OF_CALL (1ULL << 62)

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

#if defined(__TARGET_ARCH_arm64)
/* Is a call (bl, blr, blraa …) the instruction that ends at an address? */
static __always_inline bool is_call(__u64 end)
{
	__u32 code;

	if (bpf_probe_read_user(&code, sizeof(code), (void *)(end - sizeof(code))))
		return false;
	return (code & 0xfc000000) == 0x94000000 || (code & 0xfefff000) == 0xd63f0000;
}
#else
enum { CALL_NEAR = 0xe8, CALL_GROUP = 0xff, CALL_BYTES_MAX = 7 };

/* The length of the call that begins with CALL_GROUP and this ModRM byte and SIB; 0: it is none. */
static __always_inline int call_bytes(__u8 modrm, __u8 sib)
{
	int mod = modrm >> 6, rm = modrm & 7, bytes = 2;

	if ((modrm & 0x38) != 0x10)
		return 0;
	if (mod == 3)
		return bytes;
	if (rm == 4)
		bytes++;
	if (mod == 1)
		return bytes + 1;
	if (mod == 2 || rm == 5 || (rm == 4 && (sib & 7) == 5))
		return bytes + 4;
	return bytes;
}

/* May a call be the instruction that ends at an address? */
static __always_inline bool is_call(__u64 end)
{
	__u8 code[CALL_BYTES_MAX + 1];

	if (bpf_probe_read_user(code, CALL_BYTES_MAX, (void *)(end - CALL_BYTES_MAX)))
		return false;
	code[CALL_BYTES_MAX] = 0;
	if (code[CALL_BYTES_MAX - 5] == CALL_NEAR)
		return true;
	for (int bytes = 2; bytes <= CALL_BYTES_MAX; bytes++) {
		int at = CALL_BYTES_MAX - bytes;

		if (code[at] == CALL_GROUP && call_bytes(code[at + 1], code[at + 2]) == bytes)
			return true;
	}
	return false;
}
#endif

/* A rule from the tables, as a word; or the answer to RULE_OF_CALL. */
__noinline int unwind_search(__u32 slot, __u64 address)
{
	union rule rule = { .cfa = RULE_NO_MAPPING };
	const struct walk *walk = walk_at(slot);
	const struct abi_code *mapping;
	const struct abi_row *row;
	__u64 pc;

	if (!walk)
		return rule.word;
	if (address & RULE_OF_CALL) {
		address &= ~RULE_OF_CALL;
		if (find_code(walk, address) && is_call(address + 1))
			rule.cfa = CFA_NONE;
		return rule.word;
	}
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
