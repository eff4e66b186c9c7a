/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/gauges.h"

#include <string.h>

static const uint64_t second_ns = 1000000000;

enum {
	FINE_SECONDS = 60, /* the last ones, of which each reading is kept */
	COARSE_SECONDS = 10, /* between those before */
	KEPT_SECONDS = 600,
	GROWTH_SECONDS = 60,
	GROWTH_LEAST_SECONDS = 30,
};

static bool is_kept(const struct reading *reading, const struct reading *before, uint64_t now_ns)
{
	uint64_t age_ns = now_ns - reading->time_ns;

	if (age_ns > KEPT_SECONDS * second_ns)
		return false;
	return age_ns <= FINE_SECONDS * second_ns || !before ||
	       reading->time_ns - before->time_ns >= COARSE_SECONDS * second_ns;
}

static void thin(struct gauges *gauges)
{
	uint64_t now_ns = gauges->readings[gauges->count - 1].time_ns;
	size_t kept = 0;

	for (size_t i = 0; i < gauges->count; i++) {
		const struct reading *before = kept ? &gauges->readings[kept - 1] : NULL;

		if (is_kept(&gauges->readings[i], before, now_ns))
			gauges->readings[kept++] = gauges->readings[i];
	}
	gauges->count = kept;
}

void gauges_add(struct gauges *gauges, const struct reading *reading)
{
	if (gauges->count == GAUGES_MAX)
		thin(gauges);
	/* Readings that come faster than was meant. */
	if (gauges->count == GAUGES_MAX) {
		memmove(gauges->readings, gauges->readings + 1,
			(GAUGES_MAX - 1) * sizeof(*gauges->readings));
		gauges->count--;
	}
	gauges->readings[gauges->count++] = *reading;
}

const struct reading *gauges_latest(const struct gauges *gauges)
{
	return gauges->count ? &gauges->readings[gauges->count - 1] : NULL;
}

bool gauges_growth(const struct gauges *gauges, double *bytes_per_second)
{
	const struct reading *latest = gauges_latest(gauges), *first = NULL;
	uint64_t over_ns = 0;

	for (size_t i = gauges->count; i-- && over_ns < GROWTH_SECONDS * second_ns;) {
		first = &gauges->readings[i];
		over_ns = latest->time_ns - first->time_ns;
	}
	if (over_ns < GROWTH_LEAST_SECONDS * second_ns)
		return false;
	*bytes_per_second =
		((double)latest->rss_bytes - (double)first->rss_bytes) * 1e9 / (double)over_ns;
	return true;
}
