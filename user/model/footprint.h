/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A footprint: all mappings of a target's processes at one moment, each in its class, beside what
 * its control group says. Everything that unfreed map shows, and nothing of /proc.
 */
#ifndef UNFREED_MODEL_FOOTPRINT_H
#define UNFREED_MODEL_FOOTPRINT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/vec.h"
#include "model/classes.h"

/* Of a mapping, or summed up. */
struct figures {
	uint64_t mappings;
	uint64_t size_bytes; /* address space */
	uint64_t rss_bytes;
	uint64_t pss_bytes; /* shared pages by the share of this process */
	uint64_t private_dirty_bytes;
	uint64_t swap_bytes;
	uint64_t huge_bytes; /* of the RSS: in huge pages */
	uint64_t hugetlb_bytes; /* beside the RSS: reserved huge pages */
};

void figures_add(struct figures *sum, const struct figures *figures);

struct footprint_mapping {
	uint64_t start, end;
	char permissions[5]; /* "rw-p" */
	enum memory_class class;
	const char *name; /* a file, a thread, "Python objects"; NULL: nothing to say */
	struct figures figures;
};

struct footprint_process {
	pid_t pid;
	const char *comm;
	uint32_t threads;
	uint64_t page_table_bytes; /* not part of the RSS, but charged */
	uint64_t yarn_bytes; /* as YARN counts by smaps */
	struct figures total, classes[CLASSES];
	VEC(struct footprint_mapping) mappings; /* by address */
};

/* A control group's own account. Numbers that it does not tell are 0. */
struct footprint_group {
	const char *path; /* its folder; NULL: none is known, and nothing below counts */
	uint32_t version; /* 1 or 2 */
	uint64_t usage_bytes, peak_bytes;
	uint64_t limit_bytes; /* UINT64_MAX: none */
	uint64_t anon_bytes; /* of processes */
	uint64_t file_bytes; /* page cache, shared memory included */
	uint64_t shmem_bytes; /* of it: tmpfs and shared memory */
	uint64_t file_mapped_bytes; /* of it: mapped by processes */
	uint64_t active_file_bytes, inactive_file_bytes;
	uint64_t kernel_bytes; /* page tables, stacks, slab … */
	uint64_t slab_bytes, page_table_bytes, kernel_stack_bytes; /* of it; version 2 only */
	uint64_t socket_bytes;
	uint64_t swap_bytes;
	uint64_t limit_hits, oom_events, oom_kills;
	uint32_t others; /* processes in it that are not the target's */
};

/* What the kernel could give back without killing, had it to: page cache that is in no process's
 * RSS as shared memory is. */
uint64_t footprint_reclaimable(const struct footprint_group *group);

/* Kubernetes' and docker's working set: usage - inactive_file. */
uint64_t footprint_working_set(const struct footprint_group *group);

struct strings;

struct footprint {
	const char *target;
	uint64_t unix_ns, monotonic_ns; /* when it was taken */
	VEC(struct footprint_process) processes;
	struct figures total, classes[CLASSES]; /* of all processes */
	struct footprint_group group;
	uint64_t machine_bytes; /* its memory: the limit where the group has none */
	uint64_t longest_stall_ns; /* one read of smaps took that long */
	VEC(const char *) notes;
	struct strings *strings; /* owns all text above */
};

struct footprint *footprint_new(void);
void footprint_free(struct footprint *footprint); /* NULL is legal */

/* A copy of text for the footprint's life; NULL gives NULL. */
const char *footprint_string(struct footprint *footprint, const char *text);
void footprint_note(struct footprint *footprint, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Books a mapping with its class, its process and the whole. */
void footprint_add(struct footprint *footprint, struct footprint_process *process,
		   const struct footprint_mapping *mapping);

#endif
