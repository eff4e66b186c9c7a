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
 * Beside an address that unwind_find is asked for: is it the last byte of a call? Or, what tells
 * this Method* from those that were in its place before? No user address has these bits, so that
 * the answers are cached as rules are: RULE_NO_MAPPING is no.
 */
#define RULE_OF_CALL (1ULL << 62)
#define RULE_OF_METHOD (1ULL << 61)

/*
 * A cached rule. All CPUs share the entries without a lock: check is the address xor the other
 * words, so that parts of two entries do not pass for one. The rule carries its target's
 * generation, and dies with it.
 *
 * A JVM replaces code without a word: of a compiled method, the number of the compilation is read
 * again in each tick; so is what tells an interpreted one. In less than that, no garbage collection
 * lets a method go, and nothing else is loaded into its place and called.
 */
enum { TICK_LOG2 = 17 }; /* in ns: 131 µs */

/* A variable, no map: it is reached without a call. */
static struct cached_rule rule_cache[1 << RULE_CACHE_LOG2] __attribute__((aligned(64)));

/* In walk.cached: no cached rule is taken. */
#define CACHED_NONE (~0ULL)

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

/* A rule from the tables, as a word; or the answer to RULE_OF_CALL, RULE_OF_METHOD. */
__noinline int unwind_search(__u32 slot, __u64 address)
{
	union rule rule = { .cfa = RULE_NO_MAPPING };
	struct walk *walk = walk_at(slot);
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
	if (address & RULE_OF_METHOD) {
		rule.cfa = CFA_NONE;
		unwind_search_method(slot, address & ~RULE_OF_METHOD);
		return rule.word;
	}
	rule.word = unwind_search_jvm(slot, address);
	if (rule.cfa != RULE_NO_MAPPING)
		return rule.word;
	mapping = find_code(walk, address);
	if (!mapping)
		return rule.word;
	rule.cfa = CFA_NONE;
	walk->identity = mapping->image;
	pc = address - mapping->bias;
	row = pc >> 32 ? 0 : find_row(mapping, pc);
	if (row) {
		rule.cfa = row->cfa;
		rule.cfa_offset = row->cfa_offset;
		rule.bp_offset = row->bp_offset;
	}
	return rule.word;
}

/* Is it still this compilation? */
__noinline int unwind_confirm(__u64 code, __u32 number)
{
	__u32 now;

	return code != LOOK_AGAIN && !bpf_probe_read_user(&now, sizeof(now), (void *)code) &&
	       now == number;
}

/* The tick of the walk: of all its frames. Native code asks for none. */
static __always_inline __u32 now(struct walk *walk)
{
	if (!walk->tick) {
		walk->tick = bpf_ktime_get_ns() >> TICK_LOG2;
		walk->tick += !walk->tick;
	}
	return walk->tick;
}

static __always_inline struct cached_rule *cached_at(__u64 address)
{
	return &rule_cache[address * 0x9e3779b97f4a7c15ULL >> (64 - RULE_CACHE_LOG2)];
}

static __always_inline struct cached_rule cached_read(const volatile struct cached_rule *cached)
{
	return (struct cached_rule){ cached->check, cached->rule, cached->code, cached->stamp };
}

/* Is it what is cached of an address? Of a compiled method, perhaps no longer. */
static __always_inline bool is_cached(const struct walk *walk, const struct cached_rule *cached,
				      __u64 address)
{
	return (cached->check ^ cached->rule ^ cached->code ^ cached->stamp) == address &&
	       cached->rule >> 32 == walk->cached;
}

/* Is it a compiled method's, and not looked at in this tick yet? */
static __always_inline bool is_old(const struct walk *walk, const struct cached_rule *cached)
{
	return cached->stamp >> 32 && cached->stamp >> 32 != walk->tick;
}

/* Makes what was found known, also to later walks. */
static __always_inline void put_rule(struct walk *walk, __u64 address, union rule rule)
{
	struct cached_rule *cached = cached_at(address);
	__u64 word = (__u64)walk->generation << 32 | rule.word;
	__u64 stamp = (walk->code ? (__u64)now(walk) << 32 : 0) | walk->identity;

	walk->found.rule = word;
	walk->found.code = walk->code;
	walk->found.stamp = stamp;
	if (rule.cfa == RULE_NO_MAPPING)
		return;
	cached->rule = word;
	cached->code = walk->code;
	cached->stamp = stamp;
	cached->check = address ^ word ^ walk->code ^ stamp;
}

/*
 * The rule for the instruction at an address, from the cache or the tables, to walk->found. Returns
 * the rule's cfa.
 */
__noinline int unwind_find(__u32 slot, __u64 address)
{
	struct cached_rule *cached = cached_at(address);
	struct walk *walk = walk_at(slot);
	union rule rule;

	if (!walk)
		return RULE_NO_MAPPING;
	walk->found = cached_read(cached);
	rule.word = walk->found.rule;
	walk->code = walk->found.code;
	walk->identity = walk->found.stamp;
	if (is_cached(walk, &walk->found, address)) {
		if (!walk->code || walk->found.stamp >> 32 == now(walk))
			return rule.cfa;
		if (unwind_confirm(walk->code, walk->identity)) {
			put_rule(walk, address, rule);
			return rule.cfa;
		}
	}
	walk->code = 0;
	walk->identity = 0;
	rule.word = CFA_NONE;
	if (walk->has_tables || address & (RULE_OF_CALL | RULE_OF_METHOD))
		rule.word = unwind_search(slot, address);
	put_rule(walk, address, rule);
	return rule.cfa;
}

#endif
