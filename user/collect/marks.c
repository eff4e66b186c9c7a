/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "collect/marks.h"

#include <string.h>
#include <sys/uio.h>

#include "process/proc.h"

enum {
	AT_ONCE = 512, /* blocks in one system call; at most IOV_MAX */
	WORD = 8,
	ALIGNMENT = 16,
	SMALLEST_CHUNK = 32,
	FLAGS = 7, /* in a chunk's size */
	PREV_INUSE = 1,
	IS_MMAPPED = 2,
	CACHE_BINS = 64,
	CACHE_CHUNK = 0x290, /* struct tcache_perthread_struct as a chunk, since 2.30 */
	CACHE_ENTRIES = 16 + 2 * CACHE_BINS, /* behind its header and its counts */
};

/* A chunk as it lies before a block. */
struct header {
	uint64_t size;
	uint64_t words[2];
};

uint64_t marks_key(pid_t pid, uint64_t start_brk)
{
	uint64_t size, entries[CACHE_BINS], key = 0, one;

	if (!start_brk || proc_read_memory(pid, start_brk + WORD, &size, sizeof(size)) ||
	    (size & ~(uint64_t)FLAGS) != CACHE_CHUNK ||
	    proc_read_memory(pid, start_brk + CACHE_ENTRIES, entries, sizeof(entries)))
		return 0;
	/* The cache changes as we read: all entries that can be read must say the same. */
	for (int i = 0; i < CACHE_BINS; i++) {
		if (!entries[i] || entries[i] % ALIGNMENT ||
		    proc_read_memory(pid, entries[i] + WORD, &one, sizeof(one)))
			continue;
		if (!one || (key && one != key))
			return 0;
		key = one;
	}
	return key;
}

/*
 * Reads bytes at each address; where one cannot be read, unread says so: the kernel stops at the
 * first, and what is behind it is asked for again.
 */
static void read_each(pid_t pid, const uint64_t *addresses, void *into, size_t bytes, bool *unread,
		      size_t count)
{
	struct iovec local[AT_ONCE], remote[AT_ONCE];

	for (size_t done = 0; done < count;) {
		size_t n = 0, got;
		ssize_t read;

		for (; n < AT_ONCE && done + n < count; n++) {
			local[n] = (struct iovec){ (char *)into + (done + n) * bytes, bytes };
			remote[n] = (struct iovec){ (void *)(uintptr_t)addresses[done + n], bytes };
		}
		read = process_vm_readv(pid, local, n, remote, n, 0);
		got = read > 0 ? (size_t)read / bytes : 0;
		done += got;
		if (got < n)
			unread[done++] = true;
	}
}

uint64_t marks_chunk_bytes(uint64_t bytes)
{
	uint64_t need = (bytes + WORD + ALIGNMENT - 1) & ~(uint64_t)(ALIGNMENT - 1);

	return need < SMALLEST_CHUNK ? SMALLEST_CHUNK : need;
}

static bool has_size_of(uint64_t size, uint64_t bytes)
{
	uint64_t need = marks_chunk_bytes(bytes);

	if (size & IS_MMAPPED)
		return true;
	size &= ~(uint64_t)FLAGS;
	return size >= need && size < need + SMALLEST_CHUNK;
}

static void look(pid_t pid, uint64_t key, struct mark *marks, size_t count)
{
	uint64_t addresses[AT_ONCE], next[AT_ONCE] = { 0 };
	bool unread[AT_ONCE] = { false };
	struct header headers[AT_ONCE];

	for (size_t i = 0; i < count; i++)
		addresses[i] = marks[i].address - WORD;
	read_each(pid, addresses, headers, sizeof(headers[0]), unread, count);
	for (size_t i = 0; i < count; i++) {
		const struct header *header = &headers[i];

		marks[i].dead = unread[i] || !has_size_of(header->size, marks[i].bytes) ||
				(key && header->words[1] == key);
		addresses[i] =
			marks[i].dead || header->size & IS_MMAPPED
				? marks[i].address - WORD
				: marks[i].address - WORD + (header->size & ~(uint64_t)FLAGS);
	}
	memset(unread, 0, sizeof(unread));
	read_each(pid, addresses, next, sizeof(next[0]), unread, count);
	for (size_t i = 0; i < count; i++) {
		if (addresses[i] != marks[i].address - WORD)
			marks[i].dead = unread[i] || !(next[i] & PREV_INUSE);
	}
}

void marks_look(pid_t pid, uint64_t key, struct mark *marks, size_t count)
{
	for (size_t i = 0; i < count; i += AT_ONCE)
		look(pid, key, &marks[i], count - i < AT_ONCE ? count - i : AT_ONCE);
}
