/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What tells whose the memory of one process is; each kind in a file of its own. */
#ifndef UNFREED_SURVEY_EVIDENCE_H
#define UNFREED_SURVEY_EVIDENCE_H

#include "model/footprint.h"
#include "process/resident.h"
#include "process/smaps.h"
#include "process/threads.h"
#include "sandbox/sandbox.h"
#include "survey/claims.h"

/* Where one of a JVM's objects points, and to what: its bounds are those of its mapping. */
struct evidence_point {
	uint64_t address;
	enum memory_class class;
};

struct evidence {
	pid_t pid;
	struct footprint *footprint; /* owns names */
	struct sandbox *sandbox;
	struct resident *resident;
	const struct smaps *smaps;
	const char *program; /* path of its executable, or NULL */
	bool files; /* look into it */
	struct claims claims;
	VEC(struct evidence_point) points;
	uint64_t page_bytes;
	uint64_t reads; /* of the target's memory so far: a forged structure may ask for many */
};

/* Reads what is there; false also where too much was asked for already. */
bool evidence_read(struct evidence *evidence, uint64_t address, void *buffer, size_t bytes);

/* The row that holds address, or NULL. */
const struct smap *evidence_find(const struct evidence *evidence, uint64_t address);

/* Claims, in this order: what a JVM says is certain, what stands in memory may be chance. */
void evidence_jvm(struct evidence *evidence);
void evidence_stacks(struct evidence *evidence, const struct threads *threads);
void evidence_blocks(struct evidence *evidence);
void evidence_jvm_points(struct evidence *evidence); /* after the pieces with bounds */

/* The allocator whose the rest is, by the libraries in use; CLASS_UNKNOWN: none is known. */
enum memory_class evidence_allocator(struct evidence *evidence);

#endif
