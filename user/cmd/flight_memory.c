/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cmd/flight_memory.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/units.h"
#include "collect/collect.h"
#include "survey/group.h"

static const uint64_t second_ns = 1000000000;
static const unsigned int rest = 200; /* times as long as a look took: 2 % in all */

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * second_ns + (uint64_t)now.tv_nsec;
}

static void read_group(struct flight_memory *memory, struct reading *reading)
{
	struct footprint_group group;

	if (!memory->group || group_read(&group, memory->group))
		return;
	reading->group_bytes = group.usage_bytes - footprint_reclaimable(&group);
	if (group.limit_bytes != UINT64_MAX)
		reading->limit_bytes = group.limit_bytes;
}

void flight_memory_survey(struct flight_memory *memory)
{
	struct footprint *footprint;

	if (survey_take(memory->survey, &footprint))
		return;
	if (!footprint->processes.count) {
		footprint_free(footprint);
		return;
	}
	footprint_free(memory->footprint);
	memory->footprint = footprint;
}

static void take_reading(struct flight_memory *memory)
{
	struct reading reading;

	collect_reading(memory->collect, &reading);
	read_group(memory, &reading);
	gauges_add(&memory->gauges, &reading);
}

static void take_past(struct flight_memory *memory)
{
	struct past past = { 0 };

	if (collect_past(memory->collect, &past)) {
		past_clear(&past);
		return;
	}
	if (memory->past_count == FLIGHT_PASTS) {
		past_clear(&memory->pasts[0]);
		memmove(memory->pasts, memory->pasts + 1, (FLIGHT_PASTS - 1) * sizeof(past));
		memory->past_count--;
	}
	memory->pasts[memory->past_count++] = past;
}

static void forget_pasts(struct flight_memory *memory)
{
	while (memory->past_count)
		past_clear(&memory->pasts[--memory->past_count]);
}

/* The largest, as of the last look. */
static void note_classes(const struct flight_memory *memory, struct snapshot *snapshot)
{
	enum { SHOWN = 6 };
	const struct footprint *footprint = memory->footprint;
	char size[UNITS_TEXT_MAX], age[UNITS_TEXT_MAX], text[512] = "";
	bool told[CLASSES] = { false };
	size_t length = 0;

	for (int shown = 0; footprint && shown < SHOWN; shown++) {
		int most = -1;

		for (int class = 0; class < CLASSES; class ++) {
			uint64_t bytes = footprint->classes[class].rss_bytes;

			if (!told[class] && bytes &&
			    (most < 0 || bytes > footprint->classes[most].rss_bytes))
				most = class;
		}
		if (most < 0)
			break;
		told[most] = true;
		length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%s %s",
					   shown ? ", " : "", class_name((enum memory_class)most),
					   units_format_bytes(size,
							      footprint->classes[most].rss_bytes));
	}
	if (*text)
		snapshot_note(snapshot, "RSS by classes %s ago: %s",
			      units_format_time(age, now_ns() - footprint->monotonic_ns), text);
}

void flight_memory_tell(const struct flight_memory *memory, struct snapshot *snapshot)
{
	for (size_t i = 0; i < memory->gauges.count; i++)
		*vec_add(&snapshot->readings) = memory->gauges.readings[i];
	note_classes(memory, snapshot);
}

/* -- its life ---------------------------------------------------------------------------------- */

static void prepare(struct flight_memory *memory)
{
	collect_prepare(memory->collect);
}

/* How often, at most, and first after how long. */
static const struct {
	uint64_t every_seconds, first_seconds;
	void (*take)(struct flight_memory *memory);
} looks[FLIGHT_LOOKS] = {
	{ 1, 0, take_reading },
	{ 60, 0, take_past },
	{ 60, 0, flight_memory_survey },
	{ 10, 1, prepare },
};

void flight_memory_begin(struct flight_memory *memory, struct collect *collect,
			 const struct target *target)
{
	*memory = (struct flight_memory){
		.collect = collect,
		.survey = survey_new(target, true),
		.group = target->cgroup_path ? mem_string(target->cgroup_path)
					     : group_of(target->pids.items, target->pids.count),
	};
	for (size_t i = 0; i < FLIGHT_LOOKS; i++)
		memory->due_ns[i] = now_ns() + looks[i].first_seconds * second_ns;
}

void flight_memory_look(struct flight_memory *memory)
{
	for (size_t i = 0; i < FLIGHT_LOOKS; i++) {
		uint64_t begun_ns = now_ns(), pause_ns;

		if (begun_ns < memory->due_ns[i])
			continue;
		looks[i].take(memory);
		pause_ns = (now_ns() - begun_ns) * rest;
		if (pause_ns < looks[i].every_seconds * second_ns)
			pause_ns = looks[i].every_seconds * second_ns;
		memory->due_ns[i] = begun_ns + pause_ns;
	}
}

void flight_memory_end(struct flight_memory *memory)
{
	survey_free(memory->survey);
	footprint_free(memory->footprint);
	forget_pasts(memory);
	mem_free(memory->group);
	*memory = (struct flight_memory){ 0 };
}
