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
	LOOK_AGAIN = 1, /* in walk.code: there is no number that tells the code from another */
};

/* The beginnings of the names of compiled methods' blobs: "nmethod" and "native nmethod". */
#define BLOB_NMETHOD 0x00646f6874656d6eULL
#define BLOB_NATIVE_NMETHOD 0x6e2065766974616eULL

union rule {
	struct {
		__s16 cfa_offset; /* as in struct abi_row */
		__s8 bp_offset;
		__u8 cfa;
	};
	__u32 word;
};

/* The block around an address; 0: none. */
static __always_inline __u64 find_block(const struct abi_jvm *jvm, const struct abi_code_heap *heap,
					__u64 address)
{
	__u64 segment = (address - heap->start) >> (jvm->segment_log2 & 31);
	__u8 back;

	for (int i = 0; i < ABI_SEGMENT_HOPS; i++) {
		if (bpf_probe_read_user(&back, 1, (void *)(heap->segment_map + segment)) ||
		    back == SEGMENT_FREE || back > segment)
			return 0;
		segment -= back;
		if (!back)
			return heap->start + (segment << (jvm->segment_log2 & 31));
	}
	return 0;
}

/* Is it what HotSpot has compiled of a method, or for a native one? */
static __always_inline bool is_nmethod(const struct abi_jvm *jvm, __u64 block)
{
	__u64 name, text;

	return !bpf_probe_read_user(&name, sizeof(name), (void *)(block + jvm->name_offset)) &&
	       !bpf_probe_read_user(&text, sizeof(text), (void *)name) &&
	       (text == BLOB_NMETHOD || text == BLOB_NATIVE_NMETHOD);
}

/*
 * The rule of an address in a code heap, as a word. A blob with a frame pops it whole: return
 * address and bp lie on its top. The others (the call stub, mostly) keep bp as frame pointer.
 */
__noinline int unwind_search_blob(__u32 slot, __u64 address, __u32 heap)
{
	union rule rule = { .cfa = CFA_NONE };
	struct walk *walk = walk_at(slot);
	const struct abi_jvm *jvm;
	__u64 mm, block;
	int words;

	if (!walk)
		return rule.word;
	mm = walk->mm;
	jvm = bpf_map_lookup_elem(&jvms, &mm);
	if (!jvm || heap >= ABI_CODE_HEAPS)
		return rule.word;
	block = find_block(jvm, &jvm->heaps[heap], address);
	if (!block ||
	    bpf_probe_read_user(&words, sizeof(words), (void *)(block + jvm->frame_size_offset)) ||
	    words > FRAME_WORDS_MAX)
		return rule.word;
	rule.cfa = words > 0 ? CFA_SP : CFA_BP;
	rule.cfa_offset = words > 0 ? words : 2;
	rule.bp_offset = -2;
	if (is_nmethod(jvm, block)) {
		walk->code = block + jvm->compilation_offset;
		if (bpf_probe_read_user(&walk->identity, sizeof(walk->identity),
					(void *)walk->code))
			walk->code = 0;
	}
	return rule.word;
}

/* Reads the text of a Symbol to walk->class_name. */
static __always_inline bool read_class_name(struct walk *walk, const struct abi_jvm *jvm,
					    __u64 symbol)
{
	__u64 text = symbol + jvm->symbol_text_offset;
	__u32 bytes = 0;

	for (int i = 0; i < CLASS_NAME_WORDS; i++)
		walk->class_name[i] = 0;
	if (bpf_probe_read_user(&bytes, sizeof(__u16),
				(void *)(symbol + jvm->symbol_length_offset)))
		return false;
	if (bytes > sizeof(walk->class_name)) {
		text += bytes - sizeof(walk->class_name);
		bytes = sizeof(walk->class_name);
	}
	return !bpf_probe_read_user(walk->class_name, bytes, (void *)text);
}

/*
 * What tells a Method from those that were in its place before, into walk->identity: a hash of its
 * class's name.
 */
__noinline int unwind_search_method(__u32 slot, __u64 method)
{
	__u64 hash = 0;
	struct walk *walk = walk_at(slot);
	const struct abi_jvm *jvm;
	__u64 mm, at = method;

	if (!walk)
		return 0;
	mm = walk->mm;
	jvm = bpf_map_lookup_elem(&jvms, &mm);
	if (!jvm)
		return 0;
	walk->code = LOOK_AGAIN;
	for (int i = 0; i < ABI_CLASS_NAME_STEPS; i++) {
		if (bpf_probe_read_user(&at, sizeof(at), (void *)(at + jvm->class_name_offsets[i])))
			return 0;
	}
	if (read_class_name(walk, jvm, at)) {
		for (int i = 0; i < CLASS_NAME_WORDS; i++)
			hash = abi_hash(hash, walk->class_name[i]);
	}
	walk->identity = hash & ABI_METHOD_IDENTITY;
	return 0;
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
