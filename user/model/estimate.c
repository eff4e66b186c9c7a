/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/estimate.h"

#include <math.h>
#include <stdbool.h>

enum {
	FEWEST_SAMPLES = 3, /* no death among k: survival is above 1 - 3/k by 95 % */
	TAKEN_OVER = 3, /* times the leaks' share of all samples: see judge_taken_over */
	STAY_PERCENT = 98, /* of a leak's survivors at one age live at two */
};

static const double alike = 0.1; /* sizes that differ by less */

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
	if (site->live_blocks * 2 <= site->sampled_blocks && !site->aged_live_blocks)
		return ESTIMATE_CACHE;
	if (site->aged_live_blocks * 100 < site->aged_blocks * STAY_PERCENT)
		return ESTIMATE_CACHE;
	return site->aged_live_blocks < FEWEST_SAMPLES ? ESTIMATE_UNRESOLVED : ESTIMATE_LEAK;
}

/* Do most of its samples? */
static bool stays(const struct estimate *site)
{
	return site->live_blocks * 2 > site->sampled_blocks;
}

static double mean_heap_bytes(const struct estimate *site)
{
	return (double)site->live_heap_bytes / (double)site->live_blocks;
}

static bool is_size_of_a_leak(const struct estimate *sites, size_t count,
			      const struct estimate *site)
{
	for (size_t i = 0; i < count; i++) {
		const struct estimate *leak = &sites[i];

		if (leak->verdict == ESTIMATE_LEAK && stays(leak) &&
		    leak->live_blocks > site->live_blocks &&
		    fabs(mean_heap_bytes(leak) / mean_heap_bytes(site) - 1) < alike)
			return true;
	}
	return false;
}

/*
 * A block that was freed, and whose address a leak was given while no window was open, looks alive
 * for ever. Of a site's blocks that are freed, as many end so as leaks have of all allocations, or
 * more where they outlive a window, of the sizes that leak. What survives no oftener, or is of the
 * size of a larger leak, cannot be told from that.
 */
static void judge_taken_over(struct estimate *sites, size_t count)
{
	double sampled = 0, leaked = 0;

	for (size_t i = 0; i < count; i++) {
		sampled += (double)sites[i].sampled_blocks;
		if (stays(&sites[i]))
			leaked += (double)sites[i].live_blocks;
	}
	for (size_t i = 0; i < count; i++) {
		struct estimate *site = &sites[i];
		double expected = sampled > 0 ? leaked / sampled * (double)site->sampled_blocks : 0;

		if (!site->live_blocks || stays(site))
			continue;
		if ((double)site->live_blocks < TAKEN_OVER * expected + FEWEST_SAMPLES ||
		    (site->verdict == ESTIMATE_LEAK && is_size_of_a_leak(sites, count, site)))
			site->verdict = ESTIMATE_UNRESOLVED;
	}
}

static bool grows(const struct estimate *site)
{
	return site->verdict == ESTIMATE_LEAK ||
	       (site->verdict == ESTIMATE_UNRESOLVED && stays(site));
}

/*
 * What does not die grows: leaks, and what may be one. By how much, few samples do not say: a table
 * that was enlarged once, and in a window, stands for no other, however large it is.
 */
static bool is_scaled(const struct estimate *site)
{
	return grows(site) && site->live_blocks >= FEWEST_SAMPLES;
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

/* Of a site's share in all that is scaled: by its own samples, of which large ones weigh most, and
 * by those of the others. Of what is not scaled, as much again may have been. */
static double relative_error(const struct estimate *site, double sampled, double squares)
{
	double own = (double)site->live_heap_bytes;

	if (!is_scaled(site))
		return 1;
	return sqrt(site->live_heap_squares / (own * own) +
		    fmax(0, squares - site->live_heap_squares) / (sampled * sampled));
}

void estimate_sites(struct estimate *sites, size_t count, double seconds, double on_seconds,
		    double growth)
{
	double sampled = 0, squares = 0, factor;

	for (size_t i = 0; i < count; i++)
		sites[i].verdict = judge(&sites[i]);
	judge_taken_over(sites, count);
	for (size_t i = 0; i < count; i++) {
		if (is_scaled(&sites[i])) {
			sampled += (double)sites[i].live_heap_bytes;
			squares += sites[i].live_heap_squares;
		} else if (grows(&sites[i]) && seconds > 0) {
			growth -= (double)sites[i].live_heap_bytes / seconds;
		}
	}
	factor = scale(sampled, seconds, on_seconds, growth);
	for (size_t i = 0; i < count; i++) {
		struct estimate *site = &sites[i];

		if (is_scaled(site))
			site->bytes_per_second = factor * (double)site->live_bytes;
		else if (grows(site) && seconds > 0)
			site->bytes_per_second = (double)site->live_bytes / seconds;
		site->standard_error =
			site->bytes_per_second * relative_error(site, sampled, squares);
	}
}

void estimate_add(struct estimate_sum *sum, const struct estimate *estimate, double seconds)
{
	double bytes = estimate->bytes_per_second * seconds;
	double error = estimate->standard_error * seconds;

	sum->bytes += bytes;
	sum->variance += error * error;
	if (estimate->live_bytes)
		sum->blocks += bytes * (double)estimate->live_blocks / (double)estimate->live_bytes;
	sum->sampled_blocks += estimate->sampled_blocks;
	sum->live_blocks += estimate->live_blocks;
	if (estimate->verdict == ESTIMATE_NOTHING ||
	    (estimate->verdict == ESTIMATE_UNRESOLVED && sum->verdict == ESTIMATE_LEAK))
		return;
	sum->verdict = estimate->verdict;
}
