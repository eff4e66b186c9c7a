/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Opens and closes one window. */
#include <sched.h>
#include <time.h>

#include "collect/governor.h"
#include "collect/internal.h"
#include "collect/skeleton.h"

enum {
	/* Of a window; the rest sees frees only: longer than short-lived blocks live. */
	CALLS_PERCENT = 70,
	PRIORITY = 1, /* of real time: before all that is not */
};

void window_sleep_until(uint64_t until_ns)
{
	struct timespec time = { .tv_sec = (time_t)(until_ns / 1000000000),
				 .tv_nsec = (long)(until_ns % 1000000000) };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
}

/* Threads that are made meanwhile are in the same hurry.
 * Without the privilege (CAP_SYS_NICE) windows are longer on a busy machine, and fewer. */
void window_hurry(bool hurry)
{
	struct sched_param parameters = { .sched_priority = hurry ? PRIORITY : 0 };

	sched_setscheduler(0, hurry ? SCHED_RR : SCHED_OTHER, &parameters);
}

void window_epoch(struct collect *collect, bool windowed)
{
	struct unfreed__bss *bss = collect->skeleton->bss;

	bss->windowed = windowed;
	bss->first_hit_ns = bss->last_hit_ns = 0;
	bss->epoch_ns = collect_now_ns();
	__atomic_store_n(&bss->epoch, bss->epoch + 1, __ATOMIC_SEQ_CST);
}

uint64_t window_run(struct collect *collect, struct watched *watched, uint64_t length_ns)
{
	struct unfreed__bss *bss = collect->skeleton->bss;
	struct closing closing = { 0 };
	uint64_t first_ns, last_ns, closed_ns;

	window_epoch(collect, true);
	window_hurry(true);
	if (!collect_attach(collect, watched)) {
		first_ns = bss->first_hit_ns;
		window_sleep_until((first_ns ? first_ns : collect_now_ns()) +
				   length_ns * CALLS_PERCENT / 100);
		closed_ns = collect_now_ns();
		watched_pause_calls(watched, &closing);
		window_sleep_until(closed_ns + length_ns * (100 - CALLS_PERCENT) / 100);
	}
	watched_pause(watched, &closing);
	closing_wait(&closing);
	window_hurry(false);
	first_ns = bss->first_hit_ns;
	last_ns = bss->last_hit_ns;
	/* The calls that are under way return unseen. */
	window_epoch(collect, true);
	return last_ns > first_ns ? last_ns - first_ns : 0;
}

void window_close_all(struct collect *collect)
{
	struct closing closing = { 0 };

	window_hurry(true);
	vec_for_each (watched, &collect->watched)
		watched_pause_calls(*watched, &closing);
	vec_for_each (watched, &collect->watched)
		watched_pause(*watched, &closing);
	closing_wait(&closing);
	window_hurry(false);
}
