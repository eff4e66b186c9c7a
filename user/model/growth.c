/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A straight line through what was seen. */
#include "model/growth.h"

#include <stddef.h>

static uint64_t charged(const struct footprint_group *group)
{
	uint64_t cache = footprint_reclaimable(group);

	return group->usage_bytes > cache ? group->usage_bytes - cache : 0;
}

/* The first stays, as what all is compared with, and the last. */
static void thin(struct growth *growth)
{
	size_t kept = 0;

	for (size_t i = 1; i < growth->count; i += 2)
		growth->samples[kept++] = growth->samples[i];
	growth->count = kept;
}

void growth_add(struct growth *growth, const struct footprint *footprint)
{
	struct growth_sample *sample;
	bool is_first = !growth->count;

	if (growth->count == GROWTH_SAMPLES)
		thin(growth);
	sample = &growth->samples[growth->count++];
	sample->time_ns = footprint->monotonic_ns;
	sample->total_bytes = footprint->total.rss_bytes;
	sample->charged_bytes = charged(&footprint->group);
	for (int class = 0; class < CLASSES; class ++)
		sample->rss_bytes[class] = footprint->classes[class].rss_bytes;
	if (is_first)
		growth->first = *sample;
}

static const struct growth_sample *last_of(const struct growth *growth)
{
	return growth->count ? &growth->samples[growth->count - 1] : &growth->first;
}

double growth_seconds(const struct growth *growth)
{
	return (last_of(growth)->time_ns - growth->first.time_ns) / 1e9;
}

/* The slope of the member at this offset of samples, a second. */
static double slope(const struct growth *growth, size_t member)
{
	double n = growth->count, time = 0, bytes = 0, product = 0, square = 0;

	for (size_t i = 0; i < growth->count; i++) {
		const struct growth_sample *sample = &growth->samples[i];
		double x = (sample->time_ns - growth->first.time_ns) / 1e9;
		double y = *(const uint64_t *)((const char *)sample + member);

		time += x;
		bytes += y;
		product += x * y;
		square += x * x;
	}
	if (growth->count < 2 || n * square - time * time <= 0)
		return 0;
	return (n * product - time * bytes) / (n * square - time * time);
}

static size_t member_of(enum memory_class class)
{
	return class == CLASSES
		       ? offsetof(struct growth_sample, total_bytes)
		       : offsetof(struct growth_sample, rss_bytes) + class * sizeof(uint64_t);
}

double growth_rate(const struct growth *growth, enum memory_class class)
{
	return slope(growth, member_of(class));
}

double growth_charged_rate(const struct growth *growth)
{
	return slope(growth, offsetof(struct growth_sample, charged_bytes));
}

int64_t growth_change(const struct growth *growth, enum memory_class class)
{
	size_t member = member_of(class);

	return (int64_t)(*(const uint64_t *)((const char *)last_of(growth) + member) -
			 *(const uint64_t *)((const char *)&growth->first + member));
}

double growth_seconds_to_limit(const struct growth *growth, const struct footprint_group *group)
{
	double rate = growth_charged_rate(growth);
	uint64_t now = last_of(growth)->charged_bytes;

	/* Slower than a page a second is noise. */
	if (!group->path || group->limit_bytes == UINT64_MAX || rate < 4096)
		return -1;
	return now < group->limit_bytes ? (group->limit_bytes - now) / rate : 0;
}
