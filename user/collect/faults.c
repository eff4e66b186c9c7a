/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "collect/faults.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"
#include "collect/internal.h"
#include "collect/skeleton.h"
#include "process/resident.h"

/* A page that a recorded fault has brought in, huge perhaps. */
struct touched {
	uint64_t address, bytes;
	uint64_t stack_id, time_ns;
	UT_hash_handle hh;
};

struct found {
	VEC(struct touched *) pages;
};

struct faults {
	struct resident *resident; /* NULL: it cannot be read, or has ended */
	struct touched *pages;
};

static void forget(struct faults *faults, struct touched *touched)
{
	HASH_DEL(faults->pages, touched);
	mem_free(touched);
}

void faults_free(struct faults *faults)
{
	struct touched *touched, *next;

	if (!faults)
		return;
	HASH_ITER (hh, faults->pages, touched, next)
		forget(faults, touched);
	resident_free(faults->resident);
	mem_free(faults);
}

/* -- events ------------------------------------------------------------------------------------ */

struct threads {
	VEC(int) ids;
};

static bool has(const struct threads *threads, int id)
{
	vec_for_each (known, &threads->ids) {
		if (*known == id)
			return true;
	}
	return false;
}

/* Attaches to each thread that is new. Returns how many there were, or -errno. */
static int attach_new(struct collect *collect, pid_t pid, struct threads *threads)
{
	int program_fd = bpf_program__fd(collect->skeleton->progs.fault_book), count = 0;
	const struct dirent *entry;
	char path[32];
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	folder = opendir(path);
	while (folder && (entry = readdir(folder)) && count >= 0) {
		int id = atoi(entry->d_name), fd;

		if (id <= 0 || has(threads, id))
			continue;
		fd = link_page_faults(program_fd, id);
		if (fd >= 0)
			*vec_add(&collect->fault_events) = fd;
		*vec_add(&threads->ids) = id;
		count = fd < 0 && fd != -ESRCH ? fd : count + 1;
	}
	if (folder)
		closedir(folder);
	return count;
}

/* A thread that is attached hands the event on to those that it begins. */
static int attach(struct collect *collect, pid_t pid)
{
	struct threads threads = { 0 };
	int count;

	do {
		count = attach_new(collect, pid, &threads);
	} while (count > 0);
	vec_free(&threads.ids);
	return count < 0 ? error_set(count, "cannot count the page faults of pid %d: %s", (int)pid,
				     strerror(-count))
			 : 0;
}

int faults_begin(struct collect *collect, struct watched *watched, bool inherits)
{
	int error;

	if (!collect->options.fault || watched->faults)
		return 0;
	watched->faults = mem_alloc(sizeof(*watched->faults));
	error = resident_open(&watched->faults->resident, watched->pid);
	if (error)
		watched->faults->resident = NULL;
	if (error && error != -ENOENT && error != -ESRCH) /* else it has ended */
		collect_note(collect, "%s: pages that it gives back are not seen", error_message());
	else if (!error && !resident_tells_huge(watched->faults->resident))
		collect_note(collect,
			     "this kernel does not tell huge pages (6.7): each counts as "
			     "one page of 4 KiB");
	return inherits ? 0 : attach(collect, watched->pid);
}

void faults_count(struct collect *collect, bool stop)
{
	collect->fault_count = 0;
	vec_for_each (fd, &collect->fault_events)
		collect->fault_count += link_event_count(*fd, stop);
}

/* -- pages ------------------------------------------------------------------------------------- */

uint64_t faults_take(struct faults *faults, const struct abi_fault *record, uint64_t max)
{
	uint64_t bytes, address;
	struct touched *touched;

	bytes = faults->resident ? resident_page_bytes(faults->resident, record->address) : 0;
	if (!bytes) /* it is gone already */
		bytes = RESIDENT_PAGE_BYTES;
	address = record->address & ~(bytes - 1);
	HASH_FIND(hh, faults->pages, &address, sizeof(address), touched);
	if (!touched) {
		if (HASH_COUNT(faults->pages) >= max)
			return 0;
		touched = mem_alloc(sizeof(*touched));
		touched->address = address;
		HASH_ADD(hh, faults->pages, address, sizeof(address), touched);
	}
	touched->bytes = bytes;
	touched->stack_id = record->stack_id;
	touched->time_ns = record->header.time_ns;
	return bytes * ABI_FAULTS;
}

/* Those that begin in a range, of before a moment: a page of after it may be new in its place. */
static void find(const struct faults *faults, uint64_t start, uint64_t end, uint64_t before_ns,
		 struct found *found)
{
	struct touched *touched;

	if ((end - start) / RESIDENT_PAGE_BYTES > HASH_COUNT(faults->pages)) {
		for (touched = faults->pages; touched; touched = touched->hh.next) {
			if (touched->address >= start && touched->address < end &&
			    touched->time_ns < before_ns)
				*vec_add(&found->pages) = touched;
		}
		return;
	}
	for (uint64_t page = start; page < end; page += RESIDENT_PAGE_BYTES) {
		HASH_FIND(hh, faults->pages, &page, sizeof(page), touched);
		if (touched && touched->time_ns < before_ns)
			*vec_add(&found->pages) = touched;
	}
}

static void give_back(struct faults *faults, uint64_t start, uint64_t bytes, uint64_t before_ns)
{
	struct found found = { 0 };

	find(faults, start, start + bytes, before_ns, &found);
	vec_for_each (touched, &found.pages)
		forget(faults, *touched);
	vec_free(&found.pages);
}

/* At an address; a page that is known there is younger. */
static void keep(struct faults *faults, struct touched *touched, uint64_t address)
{
	struct touched *younger;

	HASH_FIND(hh, faults->pages, &address, sizeof(address), younger);
	if (younger) {
		mem_free(touched);
		return;
	}
	touched->address = address;
	HASH_ADD(hh, faults->pages, address, sizeof(address), touched);
}

static void move(struct faults *faults, uint64_t start, uint64_t bytes, uint64_t to,
		 uint64_t before_ns)
{
	struct found found = { 0 };

	find(faults, start, start + bytes, before_ns, &found);
	vec_for_each (touched, &found.pages)
		HASH_DEL(faults->pages, *touched);
	vec_for_each (touched, &found.pages)
		keep(faults, *touched, (*touched)->address + to - start);
	vec_free(&found.pages);
}

/* mremap(old, old_bytes, new_bytes, …); of 0 old bytes, the pages are shared. */
static void remap(struct faults *faults, const struct abi_mapping *record)
{
	uint64_t old = record->args[0], to = record->result;
	uint64_t old_bytes = record->args[1], new_bytes = record->args[2];
	uint64_t kept = old_bytes < new_bytes ? old_bytes : new_bytes;

	if (!old_bytes)
		return;
	give_back(faults, old + kept, old_bytes - kept, record->enter_ns);
	if (to == old)
		return;
	give_back(faults, to, new_bytes, record->enter_ns);
	move(faults, old, kept, to, record->enter_ns);
}

void faults_remap(struct faults *faults, const struct abi_mapping *record)
{
	switch (record->call) {
	case CALL_MMAP: /* of a fixed place, or what was there has gone unseen */
		give_back(faults, record->result, record->args[1], record->enter_ns);
		break;
	case CALL_MUNMAP:
		give_back(faults, record->args[0], record->args[1], record->enter_ns);
		break;
	case CALL_MREMAP:
		remap(faults, record);
		break;
	case CALL_MADVISE:
		if (record->args[2] == MADV_DONTNEED || record->args[2] == MADV_DONTNEED_LOCKED)
			give_back(faults, record->args[0], record->args[1], record->enter_ns);
		break;
	}
}

static int compare(struct touched *a, struct touched *b)
{
	return a->address < b->address ? -1 : a->address > b->address;
}

void faults_look(struct faults *faults)
{
	struct touched *touched, *next;

	if (!faults->resident)
		return;
	HASH_SORT(faults->pages, compare);
	HASH_ITER (hh, faults->pages, touched, next) {
		if (!resident_is_held(faults->resident, touched->address))
			forget(faults, touched);
	}
}

void faults_sum(const struct faults *faults, struct sums **table, const struct moment *moment)
{
	for (const struct touched *touched = faults->pages; touched; touched = touched->hh.next) {
		struct sums *sums = sums_get(table, touched->stack_id);

		sums_page(sums, touched->bytes, touched->time_ns, moment);
	}
}
