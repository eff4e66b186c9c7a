/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the ledger's calls are made of: clearing, placing and protecting ranges, each in the true
 * order of calls that were under way at the same time. Used by ledger.c alone.
 */
#ifndef UNFREED_MODEL_BOOKING_H
#define UNFREED_MODEL_BOOKING_H

#include <stdbool.h>
#include <stdint.h>

#include "model/intervals.h"
#include "model/ledger.h"

enum { DEPARTED_KEPT = 64 }; /* far more than calls are ever under way at one range */

/* How a range becomes free of what was booked there. */
enum manner {
	GIVEN_BACK, /* the program named it: munmap, a shrinking brk or mremap */
	REPLACED, /* the program named it to map something else there: MAP_FIXED */
	HANDED_OUT, /* the kernel, which found it free: whoever gave it back has yet to return */
};

struct range {
	uint64_t start, end;
};

/* A piece that was taken away: a call that is under way may still mean it. */
struct departed {
	struct piece piece;
	uint64_t exit_ns; /* of the call that took it away */
	enum manner manner;
};

struct ledger {
	struct intervals set;
	struct ledger_sums sums;
	uint64_t page_bytes;
	uint64_t next_id;
	uint64_t brk; /* rounded up to a page; 0: unknown */
	uint64_t brk_ns; /* exit of the last call that changed it */
	bool doubtful;
	bool doubtful_call; /* the one being booked */
	struct departed departed[DEPARTED_KEPT];
	uint64_t departed_count; /* ever: the ring's head */
};

struct pieces {
	VEC(struct piece);
};

static inline uint64_t range_bytes(struct range range)
{
	return range.end - range.start;
}

/*
 * Clears range of what is booked there. taken: the pieces go there, moved by mremap; NULL: they are
 * unmapped.
 */
void book_clear(struct ledger *ledger, const struct ledger_event *event, struct range range,
		enum manner manner, struct pieces *taken);

/*
 * Takes what was in range when an mremap began, but has been handed out again by a call that
 * returned earlier: it was moved, not unmapped.
 */
void book_recall(struct ledger *ledger, const struct ledger_event *event, struct range range,
		 struct pieces *taken);

/* Puts piece at range, which is clear. chosen: the kernel chose the address. */
void book_put(struct ledger *ledger, const struct ledger_event *event, struct range range,
	      struct piece piece, bool chosen);

/*
 * Clears range (REPLACED or HANDED_OUT) and books it as the event's own: part says what it is like,
 * and of which mapping (id 0: a new one). Returns its bytes.
 */
uint64_t book_get(struct ledger *ledger, const struct ledger_event *event, struct range range,
		  enum manner manner, bool chosen, struct ledger_interval part);

/* Makes range accessible or not. */
void book_protect(struct ledger *ledger, const struct ledger_event *event, struct range range,
		  bool committed);

#endif
