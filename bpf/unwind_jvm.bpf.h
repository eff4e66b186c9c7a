/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The rules of HotSpot's code: its blobs say their frame's size. A block is found by its heap's
 * segment map (JDK 8 to 26: CodeHeap::find_block_for in share/memory/heap.cpp).
 */
#ifndef UNFREED_UNWIND_JVM_BPF_H
#define UNFREED_UNWIND_JVM_BPF_H

#include "maps.bpf.h"
#include "unwind_span.bpf.h"

extern struct jvms_map jvms SEC(".maps");

enum {
	RULE_NO_MAPPING = 0xff, /* in cfa: the address lies in no executable mapping */
	SEGMENT_FREE = 0xff,
	FRAME_WORDS_MAX = 0x7fff, /* what a rule can say */
};

union rule {
	struct {
		__s16 cfa_offset; /* as in struct abi_row */
		__s8 bp_offset;
		__u8 cfa;
	};
	__u32 word;
};

/* The size of the frame of the blob around an address: in words, 0: none, negative: no blob. */
static __always_inline int blob_frame_words(const struct abi_jvm *jvm,
					    const struct abi_code_heap *heap, __u64 address)
{
	__u64 segment = (address - heap->start) >> (jvm->segment_log2 & 31);
	int words = -1;
	__u8 back;

	for (int i = 0; i < ABI_SEGMENT_HOPS; i++) {
		__u64 block;

		if (bpf_probe_read_user(&back, 1, (void *)(heap->segment_map + segment)) ||
		    back == SEGMENT_FREE || back > segment)
			return -1;
		segment -= back;
		if (back)
			continue;
		block = heap->start + (segment << (jvm->segment_log2 & 31));
		if (bpf_probe_read_user(&words, sizeof(words),
					(void *)(block + jvm->frame_size_offset)))
			return -1;
		return words < 0 ? 0 : words;
	}
	return -1;
}

/*
 * The rule of an address in a code heap, as a word. A blob with a frame pops it whole: return
 * address and bp lie on its top. The others (the call stub, mostly) keep bp as frame pointer.
 */
__noinline int unwind_search_blob(__u32 slot, __u64 address, __u32 heap)
{
	union rule rule = { .cfa = CFA_NONE };
	const struct walk *walk = walk_at(slot);
	const struct abi_jvm *jvm;
	int words;
	__u64 mm;

	if (!walk)
		return rule.word;
	mm = walk->mm;
	jvm = bpf_map_lookup_elem(&jvms, &mm);
	if (!jvm || heap >= ABI_CODE_HEAPS)
		return rule.word;
	words = blob_frame_words(jvm, &jvm->heaps[heap], address);
	if (words < 0 || words > FRAME_WORDS_MAX)
		return rule.word;
	rule.cfa = words ? CFA_SP : CFA_BP;
	rule.cfa_offset = words ? words : 2;
	rule.bp_offset = -2;
	return rule.word;
}

/* The rule of an address in the code of the target's JVM, as a word; else RULE_NO_MAPPING. */
__noinline int unwind_search_jvm(__u32 slot, __u64 address)
{
	union rule rule = { .cfa = RULE_NO_MAPPING };
	struct walk *walk = walk_at(slot);
	const struct abi_jvm *jvm;
	__u64 mm;

	if (!walk)
		return rule.word;
	mm = walk->mm;
	jvm = bpf_map_lookup_elem(&jvms, &mm);
	if (!jvm)
		return rule.word;
	if (address - jvm->interpreter_start < jvm->interpreter_end - jvm->interpreter_start) {
		walk->found_jvm = 1;
		rule.cfa = CFA_INTERPRETED;
		rule.bp_offset = jvm->bytecode_slot;
		return rule.word;
	}
	if (address - jvm->barrier_start < jvm->barrier_end - jvm->barrier_start) {
		rule.cfa = CFA_BARRIER;
		return rule.word;
	}
	for (__u32 i = 0; i < ABI_CODE_HEAPS; i++) {
		const struct abi_code_heap *heap = &jvm->heaps[i];

		if (address - heap->start >= heap->end - heap->start)
			continue;
		walk->found_jvm = 1;
		return unwind_search_blob(slot, address, i);
	}
	return rule.word;
}

#endif
