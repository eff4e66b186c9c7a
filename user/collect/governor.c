/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "collect/governor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "collect/internal.h"
#include "collect/skeleton.h"
#include "collect/survivors.h"

enum {
	FIRST_NS = 5000000, /* of the first look, */
	FIRST_TIMES = 10, /* so often, until the targets have run as long */
	TOO_MUCH = 4, /* times the budget, in the first look: no burst of a program that is calm */
	STEP_MS = 20, /* how soon a load that has risen is seen */
	LONGEST_NS = 50000000, /* of windows */
	MEASURE_WINDOWS = 16, /* of so many, one measures what a hit costs */
	CALM_WINDOWS = 5, /* before probes stay on again */
	STRETCH_MAX = 100, /* that a thread's time on a CPU takes, with waiting for it */
	JITTER_PERCENT = 20, /* windows keep no rhythm with the target */
};

/* Of what may be spent in a slice, what one window takes: a slice that begins with a window has
 * three at most. */
static const double window_share = 0.25;

/* Of the budget that a window's hits may take before tracing every call is turned to: in its tail
 * only frees are seen, and what is turned to is to last. */
static const double calm_share = 0.5;

static uint64_t window_ns(const struct governor *governor)
{
	double ns = window_share * governor->budget.share * BUDGET_SLICE_SECONDS * 1e9;

	return ns < LONGEST_NS ? (uint64_t)ns : LONGEST_NS;
}

static struct epoch *epoch_now(struct governor *governor)
{
	return &governor->epochs.items[governor->epochs.count - 1];
}

static void epoch_begin(struct collect *collect, const char *mode)
{
	struct governor *governor = &collect->governor;
	uint64_t now_ns = collect_now_ns();
	struct epoch *epoch;

	if (governor->epochs.count)
		epoch_now(governor)->end_ns = now_ns - collect->opened_ns;
	epoch = vec_add(&governor->epochs);
	epoch->mode = mode;
	epoch->begin_ns = now_ns - collect->opened_ns;
}

/* -- what is spent ----------------------------------------------------------------------------- */

/* Waiting for a CPU is looked at where hits take so much of the budget: it may make it ten times
 * as much, and takes a file for each thread to be read. */
static const double delay_matters = 0.05;

static void read_times(struct collect *collect, bool with_delay, struct governor_times *times)
{
	*times = (struct governor_times){ .delay_known = with_delay };
	vec_for_each (watched, &collect->watched) {
		if ((*watched)->state != WATCHED_RUNNING)
			continue;
		times->cpu_ns += proc_cpu_ns((*watched)->pid);
		if (with_delay)
			times->delay_ns += proc_delay_ns((*watched)->pid);
	}
}

/*
 * How much time of one thread a nanosecond of CPU time is that hits took of all. It is spread over
 * as many threads as run or want to; and where they wait for a CPU, each nanosecond on it has taken
 * them longer.
 */
static double spread(const struct governor_times *now, const struct governor_times *before,
		     uint64_t since_ns)
{
	double cpu = (double)now->cpu_ns - (double)before->cpu_ns, delay = 0, threads;

	if (now->delay_known && before->delay_known)
		delay = fmax(0, (double)now->delay_ns - (double)before->delay_ns);
	if (cpu <= 0 || !since_ns)
		return 1;
	threads = (cpu + delay) / (double)since_ns;
	return fmin((cpu + delay) / cpu, STRETCH_MAX) / fmax(threads, 1);
}

/* The kernel measures programs while an fd is open: that costs every program of the machine some
 * 40 ns a run. */
static void stats_start(struct collect *collect)
{
	if (collect->stats_fd < 0)
		collect->stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
}

static void stats_stop(struct collect *collect)
{
	if (collect->stats_fd >= 0)
		close(collect->stats_fd);
	collect->stats_fd = -1;
}

/* What a hit costs is measured until enough have been seen, and in each window again. */
static void measure_hit(struct collect *collect)
{
	double program_ns = collect_program_ns(collect);

	if (program_ns <= 0)
		return;
	collect->governor.hit_ns = collect->trap_ns + program_ns;
	stats_stop(collect);
}

/* The share of a thread's time that hits have taken since the last look, as nanoseconds. */
static double spent_on_hits(struct collect *collect, uint64_t now_ns)
{
	struct governor *governor = &collect->governor;
	uint64_t hits = collect_counter(collect, COUNTER_HITS),
		 since = now_ns - governor->looked_ns;
	double hits_ns = (double)(hits - governor->hits) * governor->hit_ns;
	struct governor_times before = governor->times;

	read_times(collect, hits_ns > delay_matters * governor->budget.share * (double)since,
		   &governor->times);
	governor->hits = hits;
	governor->looked_ns = now_ns;
	measure_hit(collect);
	return hits_ns * spread(&governor->times, &before, since);
}

/* -- modes ------------------------------------------------------------------------------------- */

static void go_windowed(struct collect *collect)
{
	struct governor *governor = &collect->governor;

	/* While they come off, not all frees are seen any more. */
	window_epoch(collect, true);
	window_close_all(collect);
	/* What it took to come off is spent, too. */
	budget_spend(&governor->budget, collect_now_ns(), spent_on_hits(collect, collect_now_ns()));
	if (collect->method == LINK_PERF) {
		governor->stopped = true;
		epoch_begin(collect, "stopped");
		collect_note(
			collect,
			"tracing every call takes more than the budget (--max-overhead), and "
			"this kernel has no uprobe_multi (6.6) to trace in windows: heap calls "
			"were traced for the first %.1f s only",
			(double)(collect_now_ns() - collect->opened_ns) / 1e9);
		return;
	}
	governor->windowed = true;
	governor->calm_windows = 0;
	governor->planned_ns = (double)window_ns(governor);
	epoch_begin(collect, "windowed");
	survivors_begin(collect);
}

static void go_exact(struct collect *collect)
{
	struct governor *governor = &collect->governor;

	governor->windowed = false;
	survivors_end(collect);
	window_epoch(collect, false);
	epoch_begin(collect, "exact");
	collect_attach_heap(collect);
}

/* The process whose turn it is; NULL: none is left. */
static struct watched *next_watched(struct collect *collect)
{
	struct governor *governor = &collect->governor;
	size_t count = collect->watched.count;

	for (size_t i = 1; i <= count; i++) {
		size_t turn = (governor->turn + i) % count;
		struct watched *watched = collect->watched.items[turn];

		if (watched->state == WATCHED_RUNNING && watched_has_allocator(watched)) {
			governor->turn = turn;
			return watched;
		}
	}
	return NULL;
}

/* How much the next window will take, and that not all are as far apart. */
static void plan(struct governor *governor, uint64_t on_ns)
{
	double jitter = (double)(rand() % JITTER_PERCENT) / 100;
	double planned_ns = (governor->planned_ns * 3 + (double)on_ns) / 4 * (1 + jitter / 4);

	governor->planned_ns = fmax(planned_ns, (double)window_ns(governor));
	governor->budget.most_ns = governor->planned_ns;
}

static void run_window(struct collect *collect)
{
	struct governor *governor = &collect->governor;
	struct watched *watched = next_watched(collect);
	struct epoch *epoch = epoch_now(governor);
	uint64_t on_ns;
	double hits_ns;

	if (!watched)
		return;
	governor->looked_ns = collect_now_ns();
	if (epoch->windows % MEASURE_WINDOWS == 0)
		stats_start(collect);
	on_ns = window_run(collect, watched, window_ns(governor));
	hits_ns = spent_on_hits(collect, collect_now_ns());
	/* A thread cannot lose more than the window. */
	budget_spend(&governor->budget, collect_now_ns(), (double)on_ns);
	epoch->windows++;
	epoch->on_ns += on_ns;
	plan(governor, on_ns);
	if (hits_ns < (double)window_ns(governor) * governor->budget.share * calm_share)
		governor->calm_windows++;
	else
		governor->calm_windows = 0;
	survivors_window(collect);
}

/*
 * The first thing: how much would tracing every call take? What cannot fit ends at once, before the
 * load of many threads has made the probes' removal slow.
 */
static void first_look(struct collect *collect)
{
	struct governor *governor = &collect->governor;
	uint64_t begun_ns = governor->looked_ns, now_ns = begun_ns, begun_cpu_ns;
	double spent_ns = 0;

	read_times(collect, true, &governor->times);
	begun_cpu_ns = governor->times.cpu_ns;
	for (int i = 0; i < FIRST_TIMES && governor->times.cpu_ns < begun_cpu_ns + FIRST_NS; i++) {
		window_sleep_until(now_ns + FIRST_NS);
		now_ns = collect_now_ns();
		spent_ns += spent_on_hits(collect, now_ns);
	}
	window_hurry(false);
	budget_spend(&governor->budget, now_ns, spent_ns);
	if (spent_ns > TOO_MUCH * governor->budget.share * (double)(now_ns - begun_ns))
		go_windowed(collect);
}

/* -- the whole --------------------------------------------------------------------------------- */

void governor_prepare(struct collect *collect, double share)
{
	struct governor *governor = &collect->governor;

	governor->hit_ns = collect->trap_ns + 1000;
	governor->looked_ns = collect_now_ns();
	budget_begin(&governor->budget, share, 0, governor->looked_ns);
	governor->budget.most_ns = (double)window_ns(governor);
	if (share <= 0)
		return;
	read_times(collect, true, &governor->times);
	window_hurry(true);
}

void governor_begin(struct collect *collect)
{
	struct governor *governor = &collect->governor;
	uint64_t now_ns = collect_now_ns();

	epoch_begin(collect, "exact");
	if (governor->budget.share <= 0 || !collect->options.heap)
		return;
	/* What was hit while they were put on. */
	budget_spend(&governor->budget, now_ns, spent_on_hits(collect, now_ns));
	stats_start(collect);
	first_look(collect);
}

void governor_step(struct collect *collect)
{
	struct governor *governor = &collect->governor;
	uint64_t now_ns = collect_now_ns();

	if (governor->budget.share <= 0 || governor->stopped || !collect->options.heap ||
	    collect->frozen)
		return;
	if (!governor->windowed) {
		budget_spend(&governor->budget, now_ns, spent_on_hits(collect, now_ns));
		if (!budget_allows(&governor->budget, -(double)window_ns(governor)))
			go_windowed(collect);
		return;
	}
	budget_spend(&governor->budget, now_ns, 0);
	if (!budget_allows(&governor->budget, governor->planned_ns))
		return;
	if (governor->calm_windows >= CALM_WINDOWS)
		go_exact(collect);
	else
		run_window(collect);
}

bool governor_holds(const struct collect *collect)
{
	return collect->governor.windowed || collect->governor.stopped;
}

uint64_t governor_exact_since(const struct collect *collect, uint64_t time_ns, uint64_t *gap_ns)
{
	const struct governor *governor = &collect->governor;

	*gap_ns = 0;
	for (size_t i = governor->epochs.count; i--;) {
		const struct epoch *epoch = &governor->epochs.items[i];
		uint64_t begin_ns = collect->opened_ns + epoch->begin_ns;

		if (begin_ns > time_ns && i)
			continue;
		if (!strcmp(epoch->mode, "exact"))
			return i ? begin_ns : 0;
		*gap_ns = time_ns - begin_ns;
		if (*gap_ns > SURVIVORS_AGE_NS)
			return UINT64_MAX;
	}
	return 0;
}

int governor_wait_ms(const struct collect *collect)
{
	const struct governor *governor = &collect->governor;
	uint64_t wait_ms;

	if (governor->budget.share <= 0 || governor->stopped || !collect->options.heap)
		return INT32_MAX;
	if (!governor->windowed)
		return STEP_MS;
	wait_ms = budget_wait_ns(&governor->budget, governor->planned_ns) / 1000000;
	return wait_ms < INT32_MAX ? (int)wait_ms + 1 : INT32_MAX;
}

void governor_end(struct collect *collect)
{
	struct governor *governor = &collect->governor;

	stats_stop(collect);
	if (!governor->epochs.count || epoch_now(governor)->end_ns)
		return;
	if (!governor->windowed && !governor->stopped)
		budget_spend(&governor->budget, collect->end_ns,
			     spent_on_hits(collect, collect->end_ns));
	epoch_now(governor)->end_ns = collect_window_ns(collect);
}

void governor_report(struct collect *collect, struct snapshot *snapshot)
{
	struct governor *governor = &collect->governor;
	uint64_t now_ns = collect->opened_ns + collect_window_ns(collect);

	snapshot->sample_bytes = collect->options.sample_bytes;
	snapshot->mode = snapshot->sample_bytes ? "sampled" : "exact";
	vec_for_each (epoch, &governor->epochs) {
		struct epoch *copy = vec_add(&snapshot->epochs);

		*copy = *epoch;
		if (!copy->end_ns)
			copy->end_ns = collect_window_ns(collect);
		if (copy->windows || epoch_now(governor)->mode[0] == 'w')
			snapshot->mode = "windowed";
	}
	if (governor->budget.share <= 0)
		return;
	snapshot->cost.budget_share = governor->budget.share;
	snapshot->cost.used_share = budget_used(&governor->budget, now_ns);
	snapshot->cost.worst_share = budget_worst(&governor->budget, now_ns);
	snapshot->cost.hit_ns = governor->hit_ns;
	snapshot->cost.hits_cpu_ns =
		(uint64_t)((double)collect_counter(collect, COUNTER_HITS) * governor->hit_ns);
}
