/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "collect/heap_growth.h"

#include "collect/internal.h"
#include "glibc/process_reader.h"
#include "glibc/walk.h"

enum {
	WALK_MAX_NS = 1000000000, /* for one process: at 2 GB/s, a heap of 2 GB */
	APART_SECONDS = 2, /* a growth over less is noise */
	ENOUGH_BYTES = 4 << 20, /* of growth, to tell the share of it that is in use */
	APART_WALKS = 50, /* times what a walk took: until the next */
};

/* Where a heap changed while it was walked, parts of it are not read: they are as the others. */
static uint64_t in_use_bytes(const struct walk_arena *arena)
{
	uint64_t read = arena->in_use_bytes + arena->free_bytes;
	double share = read ? (double)arena->in_use_bytes / (double)read : 1;

	return arena->in_use_bytes + (uint64_t)(share * (double)arena->unread_bytes);
}

/* What a process' heaps have in use. False: its allocator is another, or they take too long. */
static bool heaps_in_use(pid_t pid, uint64_t *bytes)
{
	struct process_reader *reader = NULL;
	struct maps maps = { 0 };
	struct walk walk = { 0 };
	struct proc proc;
	bool known = false;

	if (!proc_read(&proc, pid) && !maps_read(&maps, pid) &&
	    !process_reader_open(&reader, pid, WALK_MAX_NS) &&
	    !walk_heap(&walk, process_reader_of(reader), &maps, proc.start_brk, NULL)) {
		known = !walk.cut;
		*bytes += walk.mmapped.bytes;
		vec_for_each (arena, &walk.arenas)
			*bytes += in_use_bytes(arena);
		walk_free(&walk);
	}
	process_reader_free(reader);
	maps_free(&maps);
	return known;
}

/* Of all targets that run. False: none does. */
static bool resident(const struct collect *collect, double *bytes)
{
	bool any = false;
	struct proc proc;

	*bytes = 0;
	vec_for_each (watched, &collect->watched) {
		if ((*watched)->state != WATCHED_RUNNING || proc_read(&proc, (*watched)->pid))
			continue;
		*bytes += (double)proc.rss_bytes;
		any = true;
	}
	return any;
}

/* Walks all heaps. False: one cannot be walked, or takes too long. */
static bool look(struct heap_growth *growth, struct collect *collect, struct heap_size *size)
{
	uint64_t begun_ns = collect_now_ns(), bytes = 0, now_ns;
	/* First: what is handed out while a heap is walked is behind the end of the walk. */
	bool known = resident(collect, &size->resident_bytes);

	vec_for_each (watched, &collect->watched) {
		if (known && (*watched)->state == WATCHED_RUNNING &&
		    watched_has_allocator(*watched))
			known = heaps_in_use((*watched)->pid, &bytes);
	}
	now_ns = collect_now_ns();
	growth->next_ns = now_ns + APART_WALKS * (now_ns - begun_ns);
	size->at_ns = begun_ns;
	size->heap_bytes = (double)bytes;
	return known;
}

void heap_growth_begin(struct heap_growth *growth, struct collect *collect)
{
	*growth = (struct heap_growth){ 0 };
	growth->begun_ns = collect_now_ns();
	growth->by_heaps = look(growth, collect, &growth->first);
	growth->last = growth->first;
}

/* The slope of the line through all that was resident. */
static double line_rate(struct heap_growth *growth, double seconds, double bytes)
{
	double spread;

	growth->n++;
	growth->t += seconds;
	growth->tt += seconds * seconds;
	growth->y += bytes;
	growth->ty += seconds * bytes;
	spread = growth->n * growth->tt - growth->t * growth->t;
	return spread > 0 ? (growth->n * growth->ty - growth->t * growth->y) / spread : 0;
}

/* Of what comes to be resident, how much comes to be in use: the rest is free between blocks. */
static double in_use_share(const struct heap_growth *growth)
{
	double in_use = growth->last.heap_bytes - growth->first.heap_bytes;
	double resident = growth->last.resident_bytes - growth->first.resident_bytes;

	return resident > in_use && in_use > ENOUGH_BYTES ? in_use / resident : 1;
}

void heap_growth_note(struct heap_growth *growth, struct collect *collect)
{
	double seconds = (double)(collect_now_ns() - growth->begun_ns) / 1e9, bytes, line;

	if (!resident(collect, &bytes))
		return;
	line = line_rate(growth, seconds, bytes);
	growth->rate = line;
	seconds = (double)(collect_now_ns() - growth->first.at_ns) / 1e9;
	if (growth->by_heaps && seconds >= APART_SECONDS)
		growth->rate = (growth->last.heap_bytes - growth->first.heap_bytes +
				in_use_share(growth) * (bytes - growth->last.resident_bytes)) /
			       seconds;
}

double heap_growth_rate(struct heap_growth *growth, struct collect *collect)
{
	struct heap_size now;

	if (collect_now_ns() > growth->next_ns && look(growth, collect, &now)) {
		if (!growth->by_heaps)
			growth->first = now;
		growth->last = now;
		growth->by_heaps = true;
	}
	heap_growth_note(growth, collect);
	return growth->rate;
}
