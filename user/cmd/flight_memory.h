/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a flight recorder remembers of its target's last minutes, whatever happens: readings, what
 * each stack held, classes of memory, names. All of it is bounded, and takes some 1 % of a CPU.
 */
#ifndef UNFREED_CMD_FLIGHT_MEMORY_H
#define UNFREED_CMD_FLIGHT_MEMORY_H

#include "model/gauges.h"
#include "model/past.h"
#include "survey/survey.h"

struct collect;

enum {
	FLIGHT_PASTS = 10, /* minutes of which each stack's sums are kept */
	FLIGHT_LOOKS = 4, /* kinds of what is looked at */
};

struct flight_memory {
	struct collect *collect;
	struct survey *survey;
	struct footprint *footprint; /* the last one taken; NULL: none */
	char *group; /* the folder of the memory group; NULL: none is known */
	struct gauges gauges;
	struct past pasts[FLIGHT_PASTS]; /* by time */
	size_t past_count;
	uint64_t due_ns[FLIGHT_LOOKS];
};

/* Of one life of the target: collect and target must outlive it. Ends with flight_memory_end. */
void flight_memory_begin(struct flight_memory *memory, struct collect *collect,
			 const struct target *target);

/* Looks at what is due. */
void flight_memory_look(struct flight_memory *memory);

/* Looks at the classes of memory, due or not. */
void flight_memory_survey(struct flight_memory *memory);

/* The readings and the classes, into a snapshot. */
void flight_memory_tell(const struct flight_memory *memory, struct snapshot *snapshot);

void flight_memory_end(struct flight_memory *memory); /* also of one that never began */

#endif
