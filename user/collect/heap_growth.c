/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "collect/heap_growth.h"

#include "collect/internal.h"
#include "glibc/process_reader.h"
#include "glibc/walk.h"

enum {
	WALK_MAX_NS = 500000000, /* for one process: at 2 GB/s, a heap of 1 GB */
	APART_NS = 2000000000, /* a growth over less is noise */
};

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
			*bytes += arena->in_use_bytes;
		walk_free(&walk);
	}
	process_reader_free(reader);
	maps_free(&maps);
	return known;
}

static bool look(struct collect *collect, uint64_t *bytes)
{
	*bytes = 0;
	vec_for_each (watched, &collect->watched) {
		if ((*watched)->state == WATCHED_RUNNING && watched_has_allocator(*watched) &&
		    !heaps_in_use((*watched)->pid, bytes))
			return false;
	}
	return collect->watched.count;
}

void heap_growth_begin(struct heap_growth *growth, struct collect *collect)
{
	*growth = (struct heap_growth){ .begun_ns = collect_now_ns() };
	growth->first_ns = collect_now_ns();
	growth->by_heaps = look(collect, &growth->first_bytes);
}

void heap_growth_note(struct heap_growth *growth, struct collect *collect)
{
	double seconds = (double)(collect_now_ns() - growth->begun_ns) / 1e9, bytes = 0;
	struct proc proc;

	vec_for_each (watched, &collect->watched) {
		if ((*watched)->state == WATCHED_RUNNING && !proc_read(&proc, (*watched)->pid))
			bytes += (double)proc.rss_bytes;
	}
	growth->n++;
	growth->t += seconds;
	growth->tt += seconds * seconds;
	growth->y += bytes;
	growth->ty += seconds * bytes;
}

double heap_growth_rate(struct heap_growth *growth, struct collect *collect)
{
	double spread = growth->n * growth->tt - growth->t * growth->t;
	uint64_t now_ns = collect_now_ns(), bytes;

	if (growth->by_heaps && now_ns - growth->first_ns > APART_NS && look(collect, &bytes)) {
		growth->last_ns = now_ns;
		growth->last_bytes = bytes;
	}
	if (growth->last_ns)
		return ((double)growth->last_bytes - (double)growth->first_bytes) /
		       ((double)(growth->last_ns - growth->first_ns) / 1e9);
	return spread > 0 ? (growth->n * growth->ty - growth->t * growth->y) / spread : 0;
}
