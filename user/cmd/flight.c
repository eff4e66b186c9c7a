/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* unfreed trace --on-oom, --on-exit, --when: waits, and reports what happened as of that moment. */
#include "cmd/flight.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/text.h"
#include "cmd/cmd.h"
#include "cmd/flight_files.h"
#include "cmd/flight_memory.h"
#include "cmd/flight_self.h"
#include "cmd/interrupt.h"
#include "cmd/trace.h"
#include "model/strings.h"
#include "process/rights.h"

enum {
	POLL_MS = 100,
	DYING_POLL_MS = 5, /* while processes are expected to end */
	RESTART_POLL_MS = 500,
	RETRY_SECONDS = 10,
	INCIDENTS_MAX = 64, /* of one report */
};

static const uint64_t second_ns = 1000000000;
static const uint64_t quiet_ns = 100000000; /* no further end for so long: that was all */
static const uint64_t dying_ns = 2000000000; /* a victim's memory takes time to be given back */

struct flight {
	struct trace *trace;
	struct flight_files *files;
	struct target target;
	struct target_init last; /* the first process of its life before */
	struct collect *collect;
	struct flight_memory memory;
	uint64_t begun_ns; /* of the whole, restarts included */
	uint64_t lives; /* of the target, that it was attached to */
	/* What the next report is about. */
	VEC(struct incident) incidents;
	struct strings *texts; /* of them */
	uint64_t since_ns; /* of the window: what ran then is reported */
	uint64_t first_ns, last_ns; /* of the clock: when the first and the last came */
	bool over; /* --fail-over */
	bool failed; /* a report could not be written */
};

bool flight_wanted(const struct flight_options *options)
{
	return options->on_oom || options->on_exit || options->triggers.count;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * second_ns + (uint64_t)now.tv_nsec;
}

/* -- incidents --------------------------------------------------------------------------------- */

static void add_incident(struct flight *flight, const struct incident *incident)
{
	struct incident *kept;

	flight->last_ns = now_ns();
	if (!flight->incidents.count) {
		flight->first_ns = flight->last_ns;
		flight->since_ns = incident->time_ns;
	}
	if (flight->incidents.count == INCIDENTS_MAX)
		return;
	kept = vec_add(&flight->incidents);
	*kept = *incident;
	kept->reason = strings_intern(flight->texts, incident->reason);
	kept->comm = strings_intern(flight->texts, incident->comm);
	kept->sender_comm = strings_intern(flight->texts, incident->sender_comm);
	kept->asking_comm = strings_intern(flight->texts, incident->asking_comm);
}

/* Of one that the kernel has chosen as a victim it is known why it ended. */
static bool settles_victim(struct flight *flight, const struct incident *end)
{
	vec_for_each (incident, &flight->incidents) {
		if (strcmp(incident->reason, "oom") || incident->ended || incident->pid != end->pid)
			continue;
		incident->ended = true;
		incident->exit_code = end->exit_code;
		flight->last_ns = now_ns();
		return true;
	}
	return false;
}

static void take_deaths(struct flight *flight)
{
	const struct flight_options *options = &flight->trace->flight;
	struct incident incident;

	while (collect_death(flight->collect, &incident)) {
		if (incident.ended && settles_victim(flight, &incident))
			continue;
		if (incident.ended ? options->on_exit : options->on_oom || options->on_exit)
			add_incident(flight, &incident);
	}
}

static void take_triggers(struct flight *flight)
{
	struct incident incident = { .time_ns = collect_window_ns(flight->collect) };

	vec_for_each (trigger, &flight->trace->flight.triggers) {
		if (!trigger_fires(trigger, &flight->memory.gauges))
			continue;
		incident.reason = trigger->text;
		add_incident(flight, &incident);
	}
	if (!interrupt_requested())
		return;
	incident.reason = "signal";
	add_incident(flight, &incident);
}

/* Those that are killed together end one after another; they are in one report. */
static bool is_due(const struct flight *flight, int running)
{
	uint64_t now = now_ns();
	bool dying = false, ends = false;

	if (!flight->incidents.count)
		return false;
	vec_for_each (incident, &flight->incidents) {
		bool victim = !strcmp(incident->reason, "oom");

		dying |= victim && !incident->ended;
		ends |= victim || incident->ended;
	}
	if (!ends || running <= 0 || now - flight->first_ns > dying_ns)
		return true;
	return !dying && now - flight->last_ns > quiet_ns;
}

/* -- the report -------------------------------------------------------------------------------- */

static void add_context(struct flight *flight, struct snapshot *snapshot)
{
	vec_for_each (incident, &flight->incidents) {
		struct incident *copy = vec_add(&snapshot->incidents);

		*copy = *incident;
		copy->reason = snapshot_string(snapshot, incident->reason);
		copy->comm = snapshot_string(snapshot, incident->comm);
		copy->sender_comm = snapshot_string(snapshot, incident->sender_comm);
		copy->asking_comm = snapshot_string(snapshot, incident->asking_comm);
	}
	flight_memory_tell(&flight->memory, snapshot);
}

static uint64_t heap_bytes(const struct snapshot *snapshot, bool heap)
{
	return heap ? snapshot->heap_totals.live_bytes : snapshot->mapping_totals.live_bytes;
}

/* A disk that is full now may have room for the next one. */
static void write_down(struct flight *flight, const struct snapshot *snapshot)
{
	const struct flight_evidence evidence = {
		.snapshot = snapshot->whole ? snapshot->whole : snapshot,
		.shown = snapshot,
		.footprint = flight->memory.footprint,
		.pasts = flight->memory.pasts,
		.past_count = flight->memory.past_count,
	};

	if (!flight_files_write(flight->files, &evidence))
		return;
	cmd_fail(EXIT_FAILED);
	flight->failed = true;
}

static int report(struct flight *flight, int running)
{
	struct trace *trace = flight->trace;
	struct snapshot *snapshot;
	int error;

	/* The classes of those that live can be those of now. */
	if (running > 0)
		flight_memory_survey(&flight->memory);
	error = collect_snapshot_since(flight->collect, flight->since_ns,
				       flight->incidents.items[0].reason, &snapshot);
	if (error)
		return error;
	add_context(flight, snapshot);
	if (trace->fail_over && heap_bytes(snapshot, trace->collect.heap) > trace->fail_over_bytes)
		flight->over = true;
	snapshot = view_apply(&trace->view, snapshot);
	write_down(flight, snapshot);
	snapshot_free(snapshot);
	flight->incidents.count = 0;
	strings_free(flight->texts);
	flight->texts = strings_new();
	return 0;
}

/* -- watching ---------------------------------------------------------------------------------- */

static bool is_full(const struct flight *flight)
{
	return flight_files_count(flight->files) >= flight->trace->flight.max_reports;
}

static bool is_late(const struct flight *flight)
{
	return now_ns() - flight->begun_ns >= flight->trace->duration_ns;
}

/* Until the target has ended, or all is over. */
static int watch(struct flight *flight)
{
	int running = 1, error = 0;

	while (!error && running > 0 && !interrupted() && !is_full(flight) && !is_late(flight)) {
		running = collect_poll(flight->collect,
				       flight->incidents.count ? DYING_POLL_MS : POLL_MS);
		if (running < 0 && running != -EINTR)
			return running;
		if (running == -EINTR)
			running = 1;
		take_deaths(flight);
		/* What is dying holds no memory any more. */
		if (!flight->incidents.count)
			flight_memory_look(&flight->memory);
		take_triggers(flight);
		if (is_due(flight, running))
			error = report(flight, running);
		flight_files_reap(flight->files);
	}
	/* It was not due yet, and there is no later. */
	if (!error && flight->incidents.count && !is_full(flight))
		error = report(flight, running);
	return error;
}

static void announce(const struct flight *flight)
{
	char text[128], name[256];

	collect_describe(flight->collect, text, sizeof(text));
	text_escape(name, sizeof(name), flight->target.name);
	fprintf(stderr, "tracing %s until something happens: %s\n", name, text);
}

static int attach(struct flight *flight)
{
	struct collect_options options = flight->trace->collect;

	options.target = flight->target.name;
	options.pids = flight->target.pids.items;
	options.pid_count = flight->target.pids.count;
	options.members = &flight->target;
	options.deaths = true;
	return collect_start(&flight->collect, &options);
}

/* One life of the target. */
static int follow(struct flight *flight)
{
	int error;

	flight_self_protect(&flight->target);
	error = attach(flight);
	if (error)
		return error;
	flight_memory_begin(&flight->memory, flight->collect, &flight->target);
	flight->lives++;
	announce(flight);
	return watch(flight);
}

/* A restart makes a new file system of the same folders: nothing of the old one may be open. */
static void let_go(struct flight *flight)
{
	flight_memory_end(&flight->memory);
	collect_free(flight->collect);
	flight->collect = NULL;
	target_free(&flight->target);
}

/* -- restarts ---------------------------------------------------------------------------------- */

/* Whose end was seen, and is not yet to be seen by others. */
static bool is_last(const struct flight *flight)
{
	const struct target_init *init = flight->target.inits.items;

	return flight->target.inits.count && init->pid == flight->last.pid &&
	       init->start_ticks == flight->last.start_ticks;
}

/* Until the target is there again. False: all is over. */
static bool wait_for_target(struct flight *flight)
{
	const struct timespec pause = { .tv_nsec = RESTART_POLL_MS * 1000000L };

	while (!interrupted() && !is_late(flight)) {
		if (!target_resolve(&flight->target, &flight->trace->spec)) {
			if (!is_last(flight))
				return true;
			target_free(&flight->target);
		}
		nanosleep(&pause, NULL);
		flight_files_reap(flight->files);
	}
	return false;
}

/* What the user named may end while it is being attached to. */
static bool is_gone(int error)
{
	return error == -ESRCH || error == -ENOENT;
}

/* Nor is another failure to attach, where it has worked before, the end of the watch. */
static int forgive(const struct flight *flight, int error)
{
	const struct timespec pause = { .tv_sec = RETRY_SECONDS };

	if (is_gone(error))
		return 0;
	if (!flight->lives)
		return error;
	cmd_fail(EXIT_FAILED);
	nanosleep(&pause, NULL);
	return 0;
}

static int live(struct flight *flight)
{
	const bool again = flight->trace->flight.follow_restarts;
	int error = target_resolve(&flight->target, &flight->trace->spec);

	while (!error) {
		error = follow(flight);
		if (!error && flight->target.inits.count)
			flight->last = flight->target.inits.items[0];
		let_go(flight);
		if (again && error)
			error = forgive(flight, error);
		if (error || !again || is_full(flight) || is_late(flight) || interrupted())
			break;
		if (!wait_for_target(flight))
			break;
	}
	return error;
}

int flight_run(struct trace *trace)
{
	struct flight flight = { .trace = trace, .begun_ns = now_ns(), .texts = strings_new() };
	int error = flight_files_new(&flight.files, trace);

	if (!trace->flight.exec) /* it has all that we were given */
		rights_keep(RIGHTS_TRACE);
	if (!error) {
		interrupt_catch();
		interrupt_catch_request();
		error = live(&flight);
	}
	if (error)
		cmd_fail(EXIT_FAILED);
	else
		fprintf(stderr, "%llu report%s written%s\n",
			(unsigned long long)flight_files_count(flight.files),
			flight_files_count(flight.files) == 1 ? "" : "s",
			is_full(&flight) ? ": no more were wanted (--max-reports)" : "");
	let_go(&flight);
	flight_files_free(flight.files);
	vec_free(&flight.incidents);
	strings_free(flight.texts);
	if (error || flight.failed)
		return EXIT_FAILED;
	return flight.over ? EXIT_OVER : EXIT_DONE;
}
