/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which class a mapping has: by what the kernel says of it, else by who claims it, else by what
 * stands beside it. Rules only: nothing is read here.
 */
#ifndef UNFREED_SURVEY_CLASSIFY_H
#define UNFREED_SURVEY_CLASSIFY_H

#include "model/footprint.h"
#include "process/smaps.h"
#include "survey/claims.h"

struct classify {
	const struct smap *rows; /* of one process, sorted */
	size_t count;
	const struct claims *claims;
	const char *program; /* path of its executable as maps has it, or NULL */
	const uint64_t *tmpfs; /* devices of its tmpfs mounts: classify_device */
	size_t tmpfs_count;
	enum memory_class residual; /* whose anonymous memory is that nothing else tells:
				     * CLASS_UNKNOWN, or an allocator's */
	uint64_t page_bytes;
	/* Pages of [start, end) that are there: asked where one mapping has several owners. */
	uint64_t (*pages)(uint64_t start, uint64_t end, void *context);
	void *context;
};

static inline uint64_t classify_device(uint32_t major, uint32_t minor)
{
	return (uint64_t)major << 32 | minor;
}

/*
 * Calls emit for each mapping, and for each part of one that has several owners, by address: they
 * add up to rows exactly. Names are those of rows and claims.
 */
typedef void (*classify_emit_fn)(const struct footprint_mapping *mapping, void *context);
void classify(const struct classify *input, classify_emit_fn emit, void *context);

/* Whether a mapping is plain anonymous memory, of which claims alone tell whose it is. */
bool classify_is_plain(const struct map *map);

#endif
