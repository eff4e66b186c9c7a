/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A made-up series for render.c: half a day of a service that leaks sessions steadily, has a cache
 * that fills and then stays, work that comes and goes, a plugin that is loaded at noon, and buffers
 * that were given back.
 */
#include <math.h>
#include <stdio.h>

#include "model/footprint.h"
#include "model/series.h"

#define MIB(n) ((uint64_t)(n) << 20)

enum { MOMENTS = 37, STEP_SECONDS = 1200, CACHE_FULL = 12, PLUGIN = 18, BUFFERS_END = 24 };

#define LIBC "/usr/lib/x86_64-linux-gnu/libc.so.6"
#define LIBSTDCXX "/usr/lib/x86_64-linux-gnu/libstdc++.so.6"
#define SHOP "/srv/shop/bin/shop"
#define PLUGIN_SO "/srv/shop/plugins/recommend.so"

#define MALLOC                                                 \
	{                                                      \
		"malloc", LIBC, 0x99210, NULL, 0, FRAME_NATIVE \
	}
#define NEW                                                                              \
	MALLOC,                                                                          \
	{                                                                                \
		"operator new(unsigned long)", LIBSTDCXX, 0xaa2c0, NULL, 0, FRAME_NATIVE \
	}
#define AT(name, offset, file, line)                                            \
	{                                                                       \
		name, SHOP, offset, "/build/shop/src/" file, line, FRAME_NATIVE \
	}
#define WORKER                                                                                   \
	AT("shop::Worker::run()", 0x39f10, "worker.cc", 88),                                     \
		{ "start_thread", LIBC, 0x89134, "./nptl/pthread_create.c", 442, FRAME_NATIVE }, \
	{                                                                                        \
		"clone3", LIBC, 0x1097dc, NULL, 0, FRAME_NATIVE                                  \
	}
#define HANDLE AT("shop::Service::handle(shop::Request const&)", 0x22010, "service.cc", 131), WORKER

static const struct frame session[] = {
	NEW, AT("shop::SessionStore::open(std::string const&)", 0x41288, "session_store.cc", 61),
	HANDLE
};
static const struct frame basket[] = {
	NEW,
	{ "std::vector<shop::Item, std::allocator<shop::Item> >::reserve(unsigned long)", SHOP,
	  0x41a10, "/usr/include/c++/12/bits/vector.tcc", 79, FRAME_INLINED },
	AT("shop::Session::basket()", 0x41a10, "session.cc", 44),
	AT("shop::SessionStore::open(std::string const&)", 0x412a4, "session_store.cc", 66),
	HANDLE
};
static const struct frame cache[] = {
	NEW, AT("shop::PriceCache::remember(shop::Price const&)", 0x52010, "price_cache.cc", 30),
	AT("shop::PriceCache::lookup(unsigned long)", 0x52440, "price_cache.cc", 52), HANDLE
};
static const struct frame request[] = { MALLOC, AT("parse_header", 0x61010, "http.c", 41),
					AT("read_request", 0x61440, "http.c", 120), HANDLE };
static const struct frame plugin[] = { NEW,
				       { "recommend::Model::load(char const*)", PLUGIN_SO, 0x1f2a4,
					 NULL, 0, FRAME_NATIVE },
				       { NULL, PLUGIN_SO, 0x20b10, NULL, 0, FRAME_NATIVE },
				       AT("shop::Plugins::start()", 0x71010, "plugins.cc", 19),
				       AT("main", 0x20110, "main.cc", 12) };
static const struct frame buffers[] = { MALLOC,
					AT("shop::Import::buffer()", 0x81010, "import.cc", 77),
					AT("shop::Import::run()", 0x81320, "import.cc", 102),
					AT("main", 0x20144, "main.cc", 31) };
static const struct frame arena[] = {
	{ "mprotect", LIBC, 0x10ab10, NULL, 0, FRAME_NATIVE },
	{ "grow_heap", LIBC, 0x97a10, "./malloc/arena.c", 578, FRAME_INLINED },
	{ "sysmalloc", LIBC, 0x97c40, "./malloc/malloc.c", 2560, FRAME_NATIVE },
	MALLOC,
	HANDLE
};
static const struct frame stacks[] = { { "mmap64", LIBC, 0x10a8f0, NULL, 0, FRAME_NATIVE },
				       { "allocate_stack", LIBC, 0x89a10, "./nptl/allocatestack.c",
					 370, FRAME_NATIVE },
				       AT("shop::Worker::start()", 0x39a10, "worker.cc", 61),
				       AT("main", 0x20190, "main.cc", 40) };

static uint64_t leaking(size_t i)
{
	return MIB(6) + i * 5500000;
}

static uint64_t leaking_slower(size_t i)
{
	return MIB(2) + i * 1700000;
}

static uint64_t filling(size_t i)
{
	return (i < CACHE_FULL ? i : CACHE_FULL) * MIB(9);
}

static uint64_t coming_and_going(size_t i)
{
	return MIB(24) + (uint64_t)(MIB(16) * sin(i / 3.0) + MIB(4) * sin(i * 1.7));
}

static uint64_t loaded(size_t i)
{
	return i < PLUGIN ? 0 : MIB(48);
}

static uint64_t given_back(size_t i)
{
	return i < BUFFERS_END ? MIB(70) : 0;
}

static uint64_t reserved(size_t i)
{
	return MIB(64) * (2 + i / 6);
}

static uint64_t threads(size_t i)
{
	return MIB(8) * 24;
}

#define STACK(frames) frames, sizeof(frames) / sizeof((frames)[0])

static const struct {
	enum site_kind kind;
	pid_t pid;
	const struct frame *frames;
	size_t frame_count;
	uint64_t (*bytes)(size_t i);
	uint64_t block_bytes;
	const char *owner;
	enum site_end end;
} sites[] = {
	{ SITE_HEAP, 811, STACK(session), leaking, 1408, NULL, SITE_END_ROOT },
	{ SITE_HEAP, 811, STACK(basket), leaking_slower, 640, NULL, SITE_END_ROOT },
	{ SITE_HEAP, 811, STACK(cache), filling, 96, NULL, SITE_END_ROOT },
	{ SITE_HEAP, 811, STACK(request), coming_and_going, 512, NULL, SITE_END_ROOT },
	{ SITE_HEAP, 811, STACK(plugin), loaded, MIB(1), NULL, SITE_END_NO_TABLE },
	{ SITE_HEAP, 840, STACK(buffers), given_back, 65536, NULL, SITE_END_ROOT },
	{ SITE_MAPPING, 811, STACK(arena), reserved, MIB(64), "glibc arena", SITE_END_ROOT },
	{ SITE_MAPPING, 811, STACK(stacks), threads, MIB(8), "thread stack", SITE_END_ROOT },
};

static void add_site(struct snapshot *snapshot, size_t which, size_t moment)
{
	const uint64_t bytes = sites[which].bytes(moment);
	const uint64_t blocks = bytes / sites[which].block_bytes;
	struct site *site;

	if (!bytes && !moment)
		return; /* not met yet */
	site = vec_add(&snapshot->sites);
	*site = (struct site){ .kind = sites[which].kind,
			       .pid = sites[which].pid,
			       .bytes = bytes,
			       .blocks = blocks,
			       .allocated_bytes = bytes + moment * MIB(3),
			       .allocated_blocks = blocks + moment * 500,
			       .committed_bytes = sites[which].kind == SITE_MAPPING ? bytes / 2 : 0,
			       .min_age_ns = 5200000000ull,
			       .max_age_ns = (moment + 1) * 1000000000ull,
			       .owner = sites[which].owner,
			       .frames = sites[which].frames,
			       .frame_count = sites[which].frame_count,
			       .end = sites[which].end };
	if (site->kind == SITE_HEAP) {
		snapshot->heap_totals.live_bytes += bytes;
		snapshot->heap_totals.live_blocks += blocks;
	} else {
		snapshot->mapping_totals.live_bytes += bytes;
		snapshot->mapping_totals.committed_bytes += site->committed_bytes;
		snapshot->mapping_totals.live_mappings += blocks;
	}
}

static struct snapshot *load(void *source, size_t i)
{
	struct snapshot *snapshot = snapshot_new();
	static const char *const names[] = { "shop", "shop-import" };
	static const pid_t pids[] = { 811, 840 };

	snapshot->target = "container shop-7f9c";
	snapshot->mode = "exact";
	snapshot->start_unix_ns = 1785542400ull * 1000000000;
	snapshot->window_ns = (i + 1) * STEP_SECONDS * 1000000000ull;
	snapshot->min_age_ns = 5000000000;
	snapshot->heap = snapshot->mapping = true;
	snapshot->ended_by = i + 1 == MOMENTS ? "interrupted" : "interval";
	for (size_t j = 0; j < 2; j++)
		*vec_add(&snapshot->processes) = (struct process){ .pid = pids[j],
								   .comm = names[j],
								   .state = "running",
								   .allocator = "glibc 2.36",
								   .rss_bytes = MIB(300) };
	*vec_add(&snapshot->losses) =
		(struct counted){ "missed_returns", "calls whose return was not seen", i };
	for (size_t j = 0; j < sizeof(sites) / sizeof(sites[0]); j++)
		add_site(snapshot, j, i);
	snapshot_sort(snapshot);
	return snapshot;
}

static struct footprint *load_footprint(void *source, size_t i)
{
	struct footprint *footprint = footprint_new();

	footprint->target = "container shop-7f9c";
	footprint->classes[CLASS_ARENA].rss_bytes = leaking(i) + filling(i);
	footprint->classes[CLASS_MAIN_HEAP].rss_bytes = coming_and_going(i) + given_back(i);
	footprint->classes[CLASS_MMAPPED_BLOCK].rss_bytes = loaded(i);
	footprint->classes[CLASS_THREAD_STACK].rss_bytes = MIB(3);
	footprint->classes[CLASS_LIBRARY_TEXT].rss_bytes = MIB(14);
	for (enum memory_class class = 0; class < CLASSES; class ++) {
		footprint->classes[class].size_bytes = footprint->classes[class].rss_bytes;
		footprint->total.rss_bytes += footprint->classes[class].rss_bytes;
	}
	return footprint;
}

/* -- a day, a snapshot a minute, to be timed -----------------------------------------------------
 */

enum { DAY_MOMENTS = 1440, DAY_SITES = 5000, DAY_DEPTH = 20, DAY_NAME = 48 };

struct day {
	char names[DAY_SITES][DAY_NAME];
	struct frame frames[DAY_SITES][DAY_DEPTH];
};

static struct snapshot *load_day(void *source, size_t moment)
{
	struct snapshot *snapshot = snapshot_new();
	struct day *day = source;

	snapshot->target = "container day";
	snapshot->mode = "exact";
	snapshot->start_unix_ns = 1785542400ull * 1000000000;
	snapshot->window_ns = (moment + 1) * 60 * 1000000000ull;
	snapshot->heap = true;
	*vec_add(&snapshot->processes) = (struct process){
		.pid = 1, .comm = "day", .state = "running", .allocator = "musl"
	};
	for (size_t i = 0; i < DAY_SITES; i++) {
		/* One in ten has changed since the minute before. */
		uint64_t blocks = 1 + i + (moment + i) / 10 * (i % 7);

		*vec_add(&snapshot->sites) = (struct site){ .pid = 1,
							    .bytes = blocks * 64,
							    .blocks = blocks,
							    .allocated_bytes = blocks * 96,
							    .allocated_blocks = blocks * 2,
							    .max_age_ns = snapshot->window_ns,
							    .frames = day->frames[i],
							    .frame_count = DAY_DEPTH };
		snapshot->heap_totals.live_bytes += blocks * 64;
		snapshot->heap_totals.live_blocks += blocks;
	}
	return snapshot;
}

struct series *day_scene(void); /* for render.c */

struct series *day_scene(void)
{
	static const struct series_ops ops = { .load = load_day, .free = mem_free };
	struct day *day = mem_alloc(sizeof(*day));
	struct series *series = series_new(&ops, day);

	for (size_t i = 0; i < DAY_SITES; i++) {
		snprintf(day->names[i], DAY_NAME, "day::component_%zu::work(std::string)", i);
		for (size_t j = 0; j < DAY_DEPTH; j++)
			day->frames[i][j] = (struct frame){ .name = day->names[i >> j],
							    .module = "/srv/day",
							    .offset = j };
	}
	for (size_t i = 0; i < DAY_MOMENTS; i++)
		*vec_add(&series->moments) =
			(struct moment){ .unix_ns = (1785542400ull + (i + 1) * 60) * 1000000000,
					 .window_ns = (i + 1) * 60 * 1000000000ull };
	return series;
}

/* -- the whole -----------------------------------------------------------------------------------
 */

struct series *series_scene(void); /* for render.c */

struct series *series_scene(void)
{
	static const struct series_ops ops = { .load = load, .footprint = load_footprint };
	struct series *series = series_new(&ops, NULL);

	for (size_t i = 0; i < MOMENTS; i++) {
		struct snapshot *snapshot = load(NULL, i);

		series_add(series, snapshot, true);
		snapshot_free(snapshot);
	}
	*vec_add(&series->facts) = (struct fact){ "kernel", "6.1.0-28-amd64" };
	return series;
}
