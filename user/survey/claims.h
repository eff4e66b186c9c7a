/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Claims: ranges of a process's address space whose owner is known by a structure found in it.
 * They do not overlap: the first who claims a range has it.
 */
#ifndef UNFREED_SURVEY_CLAIMS_H
#define UNFREED_SURVEY_CLAIMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"
#include "model/classes.h"

struct claim {
	uint64_t start, end;
	enum memory_class class;
	const char *name; /* lives longer than the claim; NULL: none */
};

struct claims {
	VEC(struct claim) rows; /* sorted by start */
};

/* Claims what of [start, end) nobody has claimed. */
void claims_add(struct claims *claims, uint64_t start, uint64_t end, enum memory_class class,
		const char *name);
void claims_free(struct claims *claims);

/* The index of the first claim that ends behind address; rows.count: none. */
size_t claims_seek(const struct claims *claims, uint64_t address);

/* Whether all or part of [start, end) is claimed. */
bool claims_touch(const struct claims *claims, uint64_t start, uint64_t end);

#endif
