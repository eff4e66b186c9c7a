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
	uint64_t open_ns = collect_now_ns(), closed_ns;
	int error;

	window_epoch(collect, true);
	window_hurry(true);
	bss->held = true;
	error = collect_attach(collect, watched);
	__atomic_store_n(&bss->held, false, __ATOMIC_SEQ_CST);
	if (!error) {
		open_ns = collect_now_ns();
		window_sleep_until(open_ns + length_ns * CALLS_PERCENT / 100);
		watched_pause_calls(watched, &closing);
		closing_start(&closing);
		window_sleep_until(open_ns + length_ns);
	}
	closed_ns = collect_now_ns();
	watched_pause(watched, &closing);
	closing_wait(&closing);
	window_hurry(false);
	if (bss->first_hit_ns && bss->first_hit_ns < open_ns)
		open_ns = bss->first_hit_ns;
	if (bss->last_hit_ns > closed_ns)
		closed_ns = bss->last_hit_ns;
	/* The calls that are under way return unseen. */
	window_epoch(collect, true);
	return closed_ns - open_ns;
}

void window_close_all(struct collect *collect)
{
	struct closing closing = { 0 };

	window_hurry(true);
	vec_for_each (watched, &collect->watched)
		watched_pause_calls(*watched, &closing);
	vec_for_each (watched, &collect->watched)
		watched_pause(*watched, &closing);
	vec_for_each (fd, &collect->stale_links)
		closing_add(&closing, *fd);
	vec_free(&collect->stale_links);
	closing_wait(&closing);
	window_hurry(false);
}
