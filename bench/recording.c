/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * recording FILE SNAPSHOTS SITES DEPTH ACTIVE%: writes a made-up recording, of which so many sites
 * allocate and free between two snapshots, a minute apart; prints what it takes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "record/recording.h"

enum { FUNCTIONS = 20000 };
#define MINUTE_NS 60000000000ull

static uint64_t seed = 1;

static uint64_t any(uint64_t limit)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (seed >> 33) % limit;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* What a site does not change by. */
struct life {
	uint64_t size, oldest_ns, youngest_ns;
	struct site site;
};

/* Allocates some blocks, and frees most of them. */
static void live(struct life *life, uint64_t now_ns)
{
	uint64_t made = 1 + any(2000), kept = any(made / 10 + 2);

	if (!life->site.blocks)
		life->oldest_ns = now_ns - any(MINUTE_NS);
	life->youngest_ns = now_ns - any(MINUTE_NS);
	life->site.allocated_blocks += made;
	life->site.allocated_bytes += made * life->size;
	life->site.blocks += kept;
	life->site.bytes += kept * life->size;
	life->site.young_blocks = any(kept + 1);
	life->site.young_bytes = life->site.young_blocks * life->size;
}

/* As collect makes it: with texts and frames of its own. */
static void add_site(struct snapshot *snapshot, const struct life *life, uint64_t number,
		     uint64_t depth, uint64_t now_ns)
{
	struct site *site = vec_add(&snapshot->sites);
	struct frame *frames = mem_array(depth, sizeof(*frames));
	char text[80];

	*site = life->site;
	site->min_age_ns = life->site.blocks ? now_ns - life->youngest_ns : 0;
	site->max_age_ns = life->site.blocks ? now_ns - life->oldest_ns : 0;
	for (uint64_t i = 0; i < depth; i++) {
		uint64_t function = (number >> i) * 7919 % FUNCTIONS;

		snprintf(text, sizeof(text), "ns::component_%u::do_something<int>(std::string)",
			 (unsigned int)function);
		frames[i] = (struct frame){
			.name = snapshot_string(snapshot, text),
			.module = snapshot_string(snapshot, "/srv/service"),
			.offset = function * 64 + i,
			.file = snapshot_string(snapshot, "/srv/src/component.cc"),
			.line = (uint32_t)function,
		};
	}
	site->frames = snapshot_frames(snapshot, frames, depth);
	site->frame_count = depth;
	mem_free(frames);
}

static struct snapshot *make(const struct life *lives, uint64_t sites, uint64_t depth,
			     uint64_t now_ns)
{
	struct snapshot *snapshot = snapshot_new();

	snapshot->target = "container bench";
	snapshot->mode = "exact";
	snapshot->window_ns = now_ns;
	snapshot->heap = true;
	for (uint64_t i = 0; i < sites; i++) {
		add_site(snapshot, &lives[i], i, depth, now_ns);
		snapshot->heap_totals.live_bytes += lives[i].site.bytes;
	}
	snapshot_sort(snapshot);
	return snapshot;
}

int main(int argc, char **argv)
{
	uint64_t snapshots, sites, depth, active;
	struct recorder *recorder;
	struct rusage usage;
	struct life *lives;
	double took = 0, begin;
	FILE *stream;

	if (argc != 6)
		return 2;
	snapshots = strtoull(argv[2], NULL, 10);
	sites = strtoull(argv[3], NULL, 10);
	depth = strtoull(argv[4], NULL, 10);
	active = strtoull(argv[5], NULL, 10);
	lives = mem_array(sites, sizeof(*lives));
	stream = fopen(argv[1], "w");
	if (!stream || recorder_new(&recorder, stream, NULL, 0))
		return 1;
	for (uint64_t i = 0; i < sites; i++)
		lives[i].size = 16 + 16 * any(100);
	for (uint64_t i = 1; i <= snapshots; i++) {
		struct snapshot *snapshot;

		for (uint64_t j = 0; j < sites; j++)
			if (i == 1 || any(100) < active)
				live(&lives[j], i * MINUTE_NS);
		snapshot = make(lives, sites, depth, i * MINUTE_NS);
		begin = seconds();
		if (recorder_add(recorder, snapshot, NULL))
			return 1;
		took += seconds() - begin;
		snapshot_free(snapshot);
	}
	if (recorder_end(recorder))
		return 1;
	getrusage(RUSAGE_SELF, &usage);
	printf("%ld bytes, %.1f ms a snapshot, %ld MiB\n", ftell(stream),
	       1e3 * took / (double)snapshots, usage.ru_maxrss >> 10);
	recorder_free(recorder);
	mem_free(lives);
	return fclose(stream) != 0;
}
