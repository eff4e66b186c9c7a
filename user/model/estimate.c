/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/estimate.h"

#include <math.h>

enum {
	FEWEST_SAMPLES = 3, /* no death among k: survival is above 1 - 3/k by 95 % */
	STAY_PERCENT = 98, /* of a leak's survivors at one age live at two */
};

const char *estimate_verdict_name(enum estimate_verdict verdict)
{
	static const char *const names[] = {
		[ESTIMATE_NOTHING] = NULL,
		[ESTIMATE_UNRESOLVED] = "unresolved",
		[ESTIMATE_CACHE] = "cache-like",
		[ESTIMATE_LEAK] = "leak",
	};

	return names[verdict];
}

static enum estimate_verdict judge(const struct estimate *site)
{
	if (!site->live_blocks)
		return ESTIMATE_NOTHING;
	if (site->aged_live_blocks * 100 < site->aged_blocks * STAY_PERCENT)
		return ESTIMATE_CACHE;
	return site->aged_live_blocks < FEWEST_SAMPLES ? ESTIMATE_UNRESOLVED : ESTIMATE_LEAK;
}

/* What does not die grows: leaks, and what may be one. */
static double growing_bytes(const struct estimate *site)
{
	return site->verdict == ESTIMATE_LEAK || site->verdict == ESTIMATE_UNRESOLVED
		       ? (double)site->live_bytes
		       : 0;
}

/* How often a sampled byte was allocated in truth, a second. */
static double scale(double sampled_bytes, double seconds, double on_seconds, double growth)
{
	/* As if nothing were slowed down: less than this it cannot be. */
	double least = on_seconds > 0 ? 1 / on_seconds : 0;
	double grown = sampled_bytes > 0 ? growth / sampled_bytes : 0;

	if (seconds <= 0)
		return 0;
	return grown > least ? grown : least;
}

void estimate_sites(struct estimate *sites, size_t count, double seconds, double on_seconds,
		    double growth)
{
	double sampled = 0, factor;

	for (size_t i = 0; i < count; i++) {
		sites[i].verdict = judge(&sites[i]);
		sampled += growing_bytes(&sites[i]);
	}
	factor = scale(sampled, seconds, on_seconds, growth);
	for (size_t i = 0; i < count; i++) {
		struct estimate *site = &sites[i];

		site->bytes_per_second = factor * growing_bytes(site);
		site->standard_error =
			site->live_blocks ? site->bytes_per_second / sqrt((double)site->live_blocks)
					  : 0;
	}
}
