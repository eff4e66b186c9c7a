/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A walk's window on the stack. A read of user memory costs the same for 8 bytes as for 4 KiB, so
 * the stack is read a page at a time and walked in the copy.
 */
#ifndef UNFREED_UNWIND_SPAN_BPF_H
#define UNFREED_UNWIND_SPAN_BPF_H

#include "unwind.bpf.h"

enum {
	SPAN_PAGE = 4096, /* what is readable is so up to a multiple of it */
	SPAN_MIN = 512, /* bytes wanted of a page, or else some of the next one too */
	SPAN_NEXT = 1024,
};

/* Moves the window so that it starts at an address that is a multiple of 8. 0: it is readable. */
__noinline int unwind_fill(__u32 slot, __u64 address)
{
	__u64 in_page = SPAN_PAGE - (address & (SPAN_PAGE - 8));
	__u64 bytes = in_page < SPAN_MIN ? SPAN_NEXT : in_page;
	struct walk *walk = walk_at(slot);

	if (!walk)
		return -1;
	walk->span_start = address;
	walk->span_bytes = 0;
	if (bpf_probe_read_user(walk->span, bytes, (void *)address)) {
		/* a stack's last page */
		bytes = in_page;
		if (bpf_probe_read_user(walk->span, bytes, (void *)address))
			return -1;
	}
	walk->span_bytes = bytes;
	return 0;
}

/* The word at an address of the stack that is a multiple of 8. 0, or -1: not readable. */
static __always_inline int walk_read_aligned(struct walk *walk, __u32 slot, __u64 address,
					     __u64 *word)
{
	__u64 offset = address - walk->span_start;

	if (offset >= walk->span_bytes) {
		if (unwind_fill(slot, address))
			return -1;
		offset = address - walk->span_start;
	}
	*word = walk->span[offset / 8 % SPAN_WORDS];
	return 0;
}

/* The same at any address; -1 where it is no multiple, too. */
static __always_inline int walk_read(struct walk *walk, __u32 slot, __u64 address, __u64 *word)
{
	return address & 7 ? -1 : walk_read_aligned(walk, slot, address, word);
}

#endif
