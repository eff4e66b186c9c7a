/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who calls whom, summed up by function: of formats that know functions and calls, but no stacks. A
 * stack counts once for each function, however often that is in it: where it recurses, for the call
 * of its outermost frame. So the calls of a function sum up to what all stacks hold that it is in.
 */
#ifndef UNFREED_REPORT_CALLS_H
#define UNFREED_REPORT_CALLS_H

#include "report/frame_set.h"
#include "report/selection.h"

enum { CALLS_ITSELF = UINT32_MAX }; /* callee of a function's own sums */

struct calls_sum {
	uint64_t bytes[SITE_KINDS], blocks[SITE_KINDS];
};

struct calls_function {
	struct calls_sum own, all; /* all: with what it calls */
	bool left_out; /* set by the user of it: calls pass over it */
};

struct calls_edge {
	uint32_t caller, callee; /* functions, or CALLS_ITSELF */
	uint32_t line; /* of the caller, where calls are told by line */
	bool over; /* others that are left out are between them */
	struct calls_sum sum;
};

struct calls {
	struct frame_set *frames; /* of the functions: what is the same in all of a function */
	VEC(struct calls_function) functions;
	VEC(struct calls_edge) edges; /* by caller, its own first, then by line and callee */
};

/*
 * Sums up functions, told apart by name, and with by_file by their modules and source files too.
 * Then calls_connect sums up calls, with by_file for each line.
 */
struct calls *calls_new(const struct selection *selection, bool by_file);
void calls_connect(struct calls *calls, const struct selection *selection, bool by_file);
void calls_free(struct calls *calls); /* NULL is legal */

#endif
