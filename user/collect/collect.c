/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The life of a trace: start, poll, snapshot, close. */
#include "collect/collect.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "collect/faults.h"
#include "collect/internal.h"
#include "collect/skeleton.h"
#include "collect/survivors.h"

enum { NOTES_MAX = 64 }; /* thousands of processes must not fill the report */

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t collect_now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

void collect_defaults(struct collect_options *options)
{
	*options = (struct collect_options){
		.heap = true,
		.mapping = true,
		.max_blocks = 1 << 19,
		.max_stacks = 1 << 16,
		.budget_share = 0.05,
		.min_age_ns = 5ULL * 1000000000,
		.also_fd = -1,
	};
}

void collect_note(struct collect *collect, const char *format, ...)
{
	va_list arguments;
	char text[512];

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	vec_for_each (note, &collect->notes) {
		if (!strcmp(*note, text))
			return;
	}
	if (collect->notes.count < NOTES_MAX)
		*vec_add(&collect->notes) = mem_string(text);
	else
		collect->notes_left_out++;
}

/* -- starting ---------------------------------------------------------------------------------- */

int collect_keep_link(struct collect *collect, int fd)
{
	if (fd < 0)
		return fd;
	*vec_add(&collect->links) = fd;
	return 0;
}

static int attach_process_events(struct collect *collect)
{
	struct unfreed *skeleton = collect->skeleton;
	const struct {
		const struct bpf_program *program;
		const char *name;
	} rows[] = {
		{ skeleton->progs.process_exit, "sched_process_exit" },
		{ skeleton->progs.process_exec, "sched_process_exec" },
		{ skeleton->progs.process_fork, "sched_process_fork" },
	};
	int error = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && !error; i++)
		error = collect_keep_link(collect,
					  link_raw_tracepoint(bpf_program__fd(rows[i].program),
							      rows[i].name));
	return error;
}

/* The heap's last: they are hit most. */
static int attach_counting(struct collect *collect)
{
	int error = 0;

	collect->ring = ring_buffer__new(bpf_map__fd(collect->skeleton->maps.ring), collect_record,
					 collect, NULL);
	if (!collect->ring)
		return error_set(-errno, "cannot open the ring buffer: %s", strerror(errno));
	if (collect_traces_mapping(collect))
		error = collect_attach_mapping(collect);
	if (!error)
		error = collect_attach_faults(collect);
	if (error || !collect->options.heap)
		return error;
	governor_prepare(collect, collect->options.budget_share);
	error = collect_attach_heap(collect);
	if (error)
		window_hurry(false);
	return error;
}

/*
 * Everything is attached, nothing is counted yet. The window opens first, then the maps are read:
 * what changes in between is in the ring, and booking it onto maps that have it already is
 * harmless.
 */
static void open_window(struct collect *collect)
{
	collect->opened_ns = collect_now_ns();
	collect->start_unix_ns = clock_ns(CLOCK_REALTIME);
	__atomic_store_n(&collect->skeleton->bss->frozen, FROZEN_NOT, __ATOMIC_SEQ_CST);
	if (!collect->options.mapping)
		return;
	vec_for_each (watched, &collect->watched) {
		if ((*watched)->state == WATCHED_RUNNING)
			watched_seed(*watched);
	}
}

/* A container of many processes needs a file for each of their libraries and links. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int collect_start(struct collect **out, const struct collect_options *options)
{
	struct collect *collect = mem_alloc(sizeof(*collect));
	int error;

	collect->options = *options;
	collect->start_ns = collect_now_ns();
	collect->syscall_tax_ns = -1;
	collect->stats_fd = -1;
	raise_file_limit();
	collect->sandbox = sandbox_new();
	collect->tables = tables_new();
	collect->images = images_new(collect->sandbox, collect->tables);
	collect->names = names_new(collect->sandbox);
	error = collect_open_targets(collect);
	if (!error)
		error = collect_load(collect);
	/* What becomes of a target is heard from the moment on that it is known. */
	if (!error)
		error = attach_process_events(collect);
	if (!error)
		error = collect_attach_deaths(collect);
	if (!error)
		error = collect_find_spaces(collect);
	if (!error)
		error = attach_counting(collect);
	if (error) {
		collect_free(collect);
		return error;
	}
	open_window(collect);
	governor_begin(collect);
	*out = collect;
	return 0;
}

/* -- running ----------------------------------------------------------------------------------- */

/* It has exited. What the ring does not say: its record was lost. */
static void exit_unheard(struct collect *collect, struct watched *watched)
{
	collect_look(collect);
	if (watched->state != WATCHED_RUNNING)
		return;
	collect_end(collect, watched, WATCHED_EXITED, collect_now_ns());
}

static int count_running(struct collect *collect)
{
	int running = 0;

	/* Consuming may add processes. */
	for (size_t i = 0; i < collect->watched.count; i++) {
		struct watched *watched = collect->watched.items[i];
		struct pollfd poll_fd = { .fd = watched->pidfd, .events = POLLIN };

		if (watched->state == WATCHED_RUNNING && watched->pidfd >= 0 &&
		    poll(&poll_fd, 1, 0) == 1)
			exit_unheard(collect, watched);
		if (watched->state == WATCHED_RUNNING && ledger_doubtful(watched->ledger))
			watched_reconcile(watched);
		running += watched->state == WATCHED_RUNNING;
	}
	return running;
}

int collect_poll(struct collect *collect, int timeout_ms)
{
	struct pollfd fds[] = {
		{ .fd = ring_buffer__epoll_fd(collect->ring), .events = POLLIN },
		{ .fd = collect->options.also_fd, .events = POLLIN },
	};

	if (governor_wait_ms(collect) < timeout_ms)
		timeout_ms = governor_wait_ms(collect);
	/* Most records come without a wakeup: they are looked for whether there was one or not. */
	if (poll(fds, 2, timeout_ms) < 0)
		return errno == EINTR ? -EINTR
				      : error_set(-errno, "cannot wait for the ring buffer: %s",
						  strerror(errno));
	collect_look(collect);
	collect_follow(collect);
	governor_step(collect);
	return count_running(collect);
}

uint64_t collect_window_ns(const struct collect *collect)
{
	return (collect->frozen ? collect->end_ns : collect_now_ns()) - collect->opened_ns;
}

void collect_describe(const struct collect *collect, char *text, size_t size)
{
	char probes[64] = "";

	if (collect->options.heap)
		snprintf(probes, sizeof(probes), ", %u probes (%s)", collect->probes,
			 link_method_name(collect->method));
	snprintf(text, size, "%zu process%s%s%s%s", collect->watched.count,
		 collect->watched.count == 1 ? "" : "es", probes,
		 collect->options.mapping ? ", mapping system calls" : "",
		 collect->options.fault ? ", page faults" : "");
}

/* Ends the window. A synchronize_rcu (membarrier) waits for programs that run at this moment. */
static void freeze(struct collect *collect)
{
	if (collect->frozen)
		return;
	faults_count(collect, true);
	__atomic_store_n(&collect->skeleton->bss->frozen, FROZEN_CLOSED, __ATOMIC_SEQ_CST);
	if (count_running(collect) || collect->end_ns < collect->opened_ns)
		collect->end_ns = collect_now_ns();
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	collect->frozen = true;
	governor_end(collect);
}

static int take_snapshot(struct collect *collect, uint64_t since_ns, const char *ended_by,
			 struct snapshot **out)
{
	struct snapshot *snapshot = snapshot_new();
	int error;

	if (!collect->frozen)
		faults_count(collect, false);
	snapshot->target = snapshot_string(snapshot, collect->options.target);
	snapshot->start_unix_ns = collect->start_unix_ns;
	snapshot->min_age_ns = collect->options.min_age_ns;
	snapshot->heap = collect->options.heap;
	snapshot->mapping = collect->options.mapping;
	snapshot->fault = collect->options.fault;
	snapshot->ended_by = ended_by;
	snapshot->command_status = -1;
	error = collect_harvest(collect, snapshot, since_ns);
	if (error) {
		snapshot_free(snapshot);
		return error;
	}
	collect_cost(collect, &snapshot->cost);
	governor_report(collect, snapshot);
	vec_for_each (note, &collect->notes)
		snapshot_note(snapshot, "%s", *note);
	if (collect->notes_left_out)
		snapshot_note(snapshot, "%llu times more there was something to note",
			      (unsigned long long)collect->notes_left_out);
	snapshot_round_ages(snapshot);
	snapshot_sort(snapshot);
	*out = snapshot;
	return 0;
}

int collect_snapshot(struct collect *collect, bool last, const char *ended_by,
		     struct snapshot **snapshot)
{
	if (last)
		freeze(collect);
	return take_snapshot(collect, 0, ended_by, snapshot);
}

int collect_snapshot_since(struct collect *collect, uint64_t time_ns, const char *ended_by,
			   struct snapshot **snapshot)
{
	return take_snapshot(collect, collect->opened_ns + time_ns, ended_by, snapshot);
}

void collect_free(struct collect *collect)
{
	if (!collect)
		return;
	HASH_CLEAR(hh, collect->by_mm);
	window_close_all(collect);
	vec_for_each (watched, &collect->watched)
		watched_free(*watched);
	vec_free(&collect->watched);
	vec_for_each (watched, &collect->ended)
		watched_free(*watched);
	vec_free(&collect->ended);
	vec_for_each (fd, &collect->links)
		close(*fd);
	vec_free(&collect->links);
	vec_for_each (fd, &collect->fault_events)
		close(*fd);
	vec_free(&collect->fault_events);
	vec_free(&collect->governor.epochs);
	survivors_free(collect->survivors);
	if (collect->stats_fd >= 0)
		close(collect->stats_fd);
	ring_buffer__free(collect->ring);
	names_free(collect->names);
	images_free(collect->images);
	tables_free(collect->tables);
	sandbox_free(collect->sandbox);
	unfreed__destroy(collect->skeleton);
	vec_for_each (note, &collect->notes)
		mem_free(*note);
	vec_free(&collect->notes);
	vec_free(&collect->deaths);
	vec_for_each (path, &collect->paths)
		mem_free(*path);
	vec_free(&collect->paths);
	mem_free(collect);
}
