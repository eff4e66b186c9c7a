/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What cut stacks short, and where: the sites of a snapshot that are not complete, summed up. */
#ifndef UNFREED_MODEL_ENDS_H
#define UNFREED_MODEL_ENDS_H

#include "model/snapshot.h"

struct end_sum {
	enum site_end end;
	const char *module; /* of the last frame that is known; NULL: none */
	uint64_t bytes; /* outstanding */
	uint64_t sites;
};

struct ends {
	VEC(struct end_sum) sums; /* most bytes first */
	uint64_t bytes; /* outstanding, of all sites, complete ones included */
	uint64_t sites; /* that hold something */
};

/* Sums up the sites that hold something. The texts are the snapshot's. */
void ends_sum(struct ends *ends, const struct snapshot *snapshot);
void ends_free(struct ends *ends);

/* Whether a stack that ends so is complete. */
bool end_is_complete(enum site_end end);

#endif
