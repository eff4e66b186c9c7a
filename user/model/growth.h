/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How a footprint grows: rates over all that was seen, and how long until the limit. */
#ifndef UNFREED_MODEL_GROWTH_H
#define UNFREED_MODEL_GROWTH_H

#include "model/footprint.h"

enum { GROWTH_SAMPLES = 64 };

struct growth_sample {
	uint64_t time_ns;
	uint64_t rss_bytes[CLASSES];
	uint64_t total_bytes; /* RSS of all */
	uint64_t charged_bytes; /* what the group's limit is about: usage without page cache */
};

struct growth {
	size_t count;
	struct growth_sample first, samples[GROWTH_SAMPLES];
};

/* Takes a further footprint. When there is no more room every other one is forgotten. */
void growth_add(struct growth *growth, const struct footprint *footprint);

/* Seconds from the first sample to the last. */
double growth_seconds(const struct growth *growth);

/* Bytes a second, by least squares over all samples: of a class's RSS, of all (CLASSES), of what
 * the limit is about. 0 with less than two samples. */
double growth_rate(const struct growth *growth, enum memory_class class);
double growth_charged_rate(const struct growth *growth);

/* Of the RSS since the first sample. */
int64_t growth_change(const struct growth *growth, enum memory_class class);

/* Seconds from the last sample until the group's limit is reached at this rate; < 0: never, or no
 * limit is known. */
double growth_seconds_to_limit(const struct growth *growth, const struct footprint_group *group);

#endif
