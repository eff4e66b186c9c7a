/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Draws a made-up snapshot: render SCENE FORMAT [shaped] [timed]. What it prints is compared with
 * the file SCENE.FORMAT beside it; so is what is made of the recording SCENE.rec. The scenes "bulk"
 * and "wild" (50,000 stacks of 20 frames) and "day" (5,000 a minute) are there to be timed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model/snapshot.h"
#include "record/recording.h"
#include "report/diff.h"
#include "report/report.h"

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define MS(n) ((uint64_t)(n)*1000000)
#define S(n) MS((n)*1000ull)

enum { FRAMES_MAX = 32 };

/* Adds a site; frames end with one that has neither name nor module. */
static struct site *add_site(struct snapshot *snapshot, enum site_kind kind, pid_t pid,
			     uint64_t bytes, uint64_t blocks, const struct frame *frames)
{
	struct frame own[FRAMES_MAX];
	struct site *site = vec_add(&snapshot->sites);
	size_t count;

	for (count = 0; frames[count].name || frames[count].module; count++) {
		own[count] = frames[count];
		own[count].name = snapshot_string(snapshot, frames[count].name);
		own[count].module = snapshot_string(snapshot, frames[count].module);
		own[count].file = snapshot_string(snapshot, frames[count].file);
	}
	*site = (struct site){
		.kind = kind,
		.pid = pid,
		.bytes = bytes,
		.blocks = blocks,
		.allocated_bytes = bytes,
		.allocated_blocks = blocks,
		.committed_bytes = kind == SITE_MAPPING ? bytes : 0,
		.min_age_ns = MS(5200),
		.max_age_ns = S(29),
		.frames = snapshot_frames(snapshot, own, count),
		.frame_count = count,
	};
	if (kind == SITE_HEAP) {
		snapshot->heap_totals.live_bytes += bytes;
		snapshot->heap_totals.live_blocks += blocks;
	} else {
		snapshot->mapping_totals.live_bytes += bytes;
		snapshot->mapping_totals.live_mappings += blocks;
	}
	return site;
}

/* Made blocks in the window, of which only the site's outstanding ones are left. */
static void made(struct snapshot *snapshot, struct site *site, uint64_t bytes, uint64_t blocks)
{
	struct heap_totals *heap = &snapshot->heap_totals;

	site->allocated_bytes = bytes;
	site->allocated_blocks = blocks;
	if (site->kind == SITE_HEAP) {
		heap->freed_bytes += bytes - site->bytes;
		heap->freed_blocks += blocks - site->blocks;
	} else {
		snapshot->mapping_totals.unmapped_bytes += bytes - site->bytes;
	}
}

static void young(struct site *site, uint64_t bytes, uint64_t blocks)
{
	site->young_bytes = bytes;
	site->young_blocks = blocks;
	site->min_age_ns = MS(120);
}

static struct snapshot *new_snapshot(const char *target, bool heap, bool mapping)
{
	struct snapshot *snapshot = snapshot_new();

	snapshot->target = snapshot_string(snapshot, target);
	snapshot->mode = "exact";
	snapshot->start_unix_ns = S(1785585600ull) + MS(250);
	snapshot->window_ns = MS(30040);
	snapshot->min_age_ns = S(5);
	snapshot->heap = heap;
	snapshot->mapping = mapping;
	snapshot->ended_by = "duration";
	*vec_add(&snapshot->losses) =
		(struct counted){ "blocks_full", "allocations not kept (live set full)", 0 };
	*vec_add(&snapshot->losses) =
		(struct counted){ "missed_returns", "calls whose return was not seen", 0 };
	return snapshot;
}

static void add_process(struct snapshot *snapshot, pid_t pid, const char *comm,
			const char *allocator, uint64_t rss_bytes)
{
	*vec_add(&snapshot->processes) = (struct process){
		.pid = pid,
		.comm = snapshot_string(snapshot, comm),
		.state = "running",
		.allocator = allocator,
		.rss_bytes = rss_bytes,
	};
}

/* Made-up, but of the length that linkers write. */
static void add_module(struct snapshot *snapshot, const char *path, uint8_t seed)
{
	uint8_t build_id[20];

	for (size_t i = 0; i < sizeof(build_id); i++)
		build_id[i] = (uint8_t)(seed + 29 * i);
	snapshot_module(snapshot, path, build_id, sizeof(build_id));
}

static void add_cost(struct snapshot *snapshot)
{
	snapshot->cost = (struct cost){
		.hits = 1234567,
		.hits_cpu_ns = MS(210),
		.syscalls = 4321,
		.syscall_tax_ns = 11.6,
		.tool_cpu_ns = MS(180),
		.tool_rss_bytes = MIB(34),
		.kernel_map_bytes = MIB(12),
		.attach_ns = MS(120),
	};
}

static void finish(struct snapshot *snapshot)
{
	struct heap_totals *heap = &snapshot->heap_totals;
	struct mapping_totals *mapping = &snapshot->mapping_totals;

	heap->allocated_bytes = heap->live_bytes + heap->freed_bytes;
	heap->allocated_blocks = heap->live_blocks + heap->freed_blocks;
	mapping->mapped_bytes = mapping->live_bytes + mapping->unmapped_bytes;
	snapshot_sort(snapshot);
}

/* -- scenes --------------------------------------------------------------------------------------
 */

#define LIBC "/usr/lib/x86_64-linux-gnu/libc.so.6"
#define LIBJVM "/opt/java/lib/server/libjvm.so"
#define LIBZIP "/opt/java/lib/libzip.so"

#define JAVA_THREAD                                                                              \
	{ "java.lang.Thread.run", NULL, 0, "Thread.java", 840, FRAME_JAVA },                     \
		{ "JavaCalls::call_helper(JavaValue*, methodHandle const&, JavaCallArguments*, " \
		  "JavaThread*)",                                                                \
		  LIBJVM,                                                                        \
		  0x8a1f02,                                                                      \
		  NULL,                                                                          \
		  0,                                                                             \
		  FRAME_NATIVE },                                                                \
		{ "thread_native_entry(Thread*)", LIBJVM, 0xc12a44, NULL, 0, FRAME_NATIVE },     \
		{ "start_thread", LIBC, 0x89134, "./nptl/pthread_create.c", 442, FRAME_NATIVE }, \
		{ "clone3", LIBC,	 0x1097dc, "../sysdeps/unix/sysv/linux/x86_64/clone3.S", \
		  81,	    FRAME_NATIVE },                                                      \
	{                                                                                        \
		0                                                                                \
	}

/* A JVM in a container that forgets to end its Inflaters. */
static struct snapshot *scene_java(void)
{
	static const struct frame inflater[] = {
		{ "malloc", LIBC, 0x99210, NULL, 0, FRAME_NATIVE },
		{ "zcalloc", "/usr/lib/x86_64-linux-gnu/libz.so.1.2.13", 0x11c0, NULL, 0,
		  FRAME_NATIVE },
		{ "inflateInit2_", "/usr/lib/x86_64-linux-gnu/libz.so.1.2.13", 0x9f32, NULL, 0,
		  FRAME_NATIVE },
		{ "Java_java_util_zip_Inflater_init", LIBZIP, 0x3456, "Inflater.c", 71,
		  FRAME_NATIVE },
		{ "java.util.zip.Inflater.init", NULL, 0, NULL, 0, FRAME_INTERPRETED },
		{ "java.util.zip.Inflater.<init>", NULL, 0, "Inflater.java", 121, FRAME_JAVA },
		{ "com.example.codec.GzipBlockReader.open", NULL, 0, "GzipBlockReader.java", 58,
		  FRAME_JAVA },
		JAVA_THREAD
	};
	static const struct frame window[] = {
		{ "malloc", LIBC, 0x99210, NULL, 0, FRAME_NATIVE },
		{ "updatewindow", "/usr/lib/x86_64-linux-gnu/libz.so.1.2.13", 0x9d10, NULL, 0,
		  FRAME_NATIVE },
		{ "inflate", "/usr/lib/x86_64-linux-gnu/libz.so.1.2.13", 0xb872, NULL, 0,
		  FRAME_NATIVE },
		{ "Java_java_util_zip_Inflater_inflateBytesBytes", LIBZIP, 0x37aa, "Inflater.c",
		  228, FRAME_NATIVE },
		{ "java.util.zip.Inflater.inflate", NULL, 0, "Inflater.java", 378, FRAME_JAVA },
		{ "com.example.codec.GzipBlockReader.read", NULL, 0, "GzipBlockReader.java", 91,
		  FRAME_JAVA },
		JAVA_THREAD
	};
	static const struct frame arena[] = {
		{ "mprotect", LIBC, 0x10ab10, NULL, 0, FRAME_NATIVE },
		{ "grow_heap", LIBC, 0x97a10, "./malloc/arena.c", 578, FRAME_INLINED },
		{ "sysmalloc", LIBC, 0x97c40, "./malloc/malloc.c", 2560, FRAME_NATIVE },
		{ "_int_malloc", LIBC, 0x98a00, "./malloc/malloc.c", 4496, FRAME_NATIVE },
		{ "malloc", LIBC, 0x99210, "./malloc/malloc.c", 3329, FRAME_NATIVE },
		{ "os::malloc(unsigned long, MEMFLAGS)", LIBJVM, 0xa01200, NULL, 0, FRAME_NATIVE },
		{ "Arena::grow(unsigned long, AllocFailStrategy::AllocFailEnum)", LIBJVM, 0x3f1200,
		  NULL, 0, FRAME_NATIVE },
		{ "start_thread", LIBC, 0x89134, NULL, 0, FRAME_NATIVE },
		{ "clone3", LIBC, 0x1097dc, NULL, 0, FRAME_NATIVE },
		{ 0 }
	};
	struct snapshot *snapshot = new_snapshot("container flink-taskmanager", true, true);
	struct site *site;

	add_process(snapshot, 7123, "java", "glibc 2.36", MIB(1870));
	add_module(snapshot, LIBC, 7);
	add_module(snapshot, LIBJVM, 11);
	made(snapshot, add_site(snapshot, SITE_HEAP, 7123, MIB(341) + 8192, 8730, inflater),
	     MIB(352), 9011);
	site = add_site(snapshot, SITE_HEAP, 7123, MIB(280), 8960, window);
	made(snapshot, site, MIB(281), 8992);
	young(site, MIB(5), 160);
	site = add_site(snapshot, SITE_MAPPING, 7123, MIB(640), 10, arena);
	site->owner = "glibc arena";
	site->committed_bytes = MIB(598);
	site->resident_bytes = MIB(590);
	site->resident_known = true;
	snapshot->heap_totals.unmatched_frees = 20114;
	snapshot->heap_totals.preexisting_blocks = 3;
	snapshot->heap_totals.preexisting_bytes = KIB(96);
	snapshot->mapping_totals.committed_bytes = MIB(598);
	snapshot->mapping_totals.preexisting_unmapped_bytes = MIB(2);
	*vec_add(&snapshot->verdicts) = (struct process_verdict){
		.pid = 7123,
		.kind = "leak",
		.rule = "leak",
		.evidence =
			"in use grew by 628 MiB in 30 s; chunks of 40992 bytes by 8730, to "
			"18730: 732 MiB",
		.remedy = "find who allocates blocks of this size: unfreed trace",
		.gain_bytes = MIB(732),
		.in_use_bytes = MIB(1210),
		.retained_bytes = MIB(190),
	};
	add_cost(snapshot);
	finish(snapshot);
	return snapshot;
}

/* Two processes, one without a known allocator; cut stacks, losses, inlined frames, a new build. */
static struct snapshot *scene_services(void)
{
	static const struct frame cache[] = {
		{ "operator new(unsigned long)", "/usr/lib/x86_64-linux-gnu/libstdc++.so.6",
		  0xaa2c0, NULL, 0, FRAME_NATIVE },
		{ "std::__new_allocator<std::_Rb_tree_node<std::pair<std::string const, "
		  "std::shared_ptr<Session> > > >::allocate",
		  "/srv/gateway", 0x41200, "/usr/include/c++/12/bits/new_allocator.h", 137,
		  FRAME_INLINED },
		{ "std::map<std::string, std::shared_ptr<Session>, std::less<std::string>, "
		  "std::allocator<std::pair<std::string const, std::shared_ptr<Session> > > >::"
		  "operator[](std::string const&)",
		  "/srv/gateway", 0x41230, "/usr/include/c++/12/bits/stl_map.h", 511,
		  FRAME_INLINED },
		{ "gateway::SessionCache::remember(std::string const&, gateway::Request const&)",
		  "/srv/gateway", 0x41288, "/build/gateway/src/session/session_cache.cc", 214,
		  FRAME_NATIVE },
		{ "gateway::Worker::run()", "/srv/gateway", 0x39f10, "/build/gateway/src/worker.cc",
		  88, FRAME_NATIVE },
		{ "start_thread", LIBC, 0x89134, NULL, 0, FRAME_NATIVE },
		{ "clone3", LIBC, 0x1097dc, NULL, 0, FRAME_NATIVE },
		{ 0 }
	};
	static const struct frame stripped[] = {
		{ "realloc", LIBC, 0x99b10, NULL, 0, FRAME_NATIVE },
		{ NULL, "/srv/plugins/libvendor.so.3", 0x1f2a4, NULL, 0, FRAME_NATIVE },
		{ NULL, "/srv/plugins/libvendor.so.3", 0x20b10, NULL, 0, FRAME_NATIVE },
		{ 0 }
	};
	static const struct frame fresh[] = { { "strdup", LIBC, 0x9d410, NULL, 0, FRAME_NATIVE },
					      { "parse_header", "/srv/gateway", 0x22010,
						"/build/gateway/src/http.c", 41, FRAME_NATIVE },
					      { "main", "/srv/gateway", 0x20110,
						"/build/gateway/src/main.c", 12, FRAME_NATIVE },
					      { 0 } };
	static const struct frame goroutine[] = {
		{ "runtime.sysReserveOS", "/srv/sidecar", 0x1a2b3,
		  "/usr/lib/go/src/runtime/mem_linux.go", 139, FRAME_NATIVE },
		{ "runtime.mstart", "/srv/sidecar", 0x6b3c0, NULL, 0, FRAME_NATIVE },
		{ 0 }
	};
	struct snapshot *snapshot = new_snapshot("container gateway-7f9c", true, true);
	struct site *site;

	add_process(snapshot, 501, "gateway", "glibc 2.36", MIB(212));
	add_process(snapshot, 517, "sidecar", NULL, 0);
	snapshot->processes.items[1].state = "exited";
	snapshot->processes.items[1].exit = "killed by signal 9";
	snapshot->ended_by = "target exited";
	made(snapshot, add_site(snapshot, SITE_HEAP, 501, MIB(12), 131072, cache), MIB(14), 152000);
	site = add_site(snapshot, SITE_HEAP, 501, KIB(700), 3, stripped);
	made(snapshot, site, MIB(9), 41);
	site->preexisting_bytes = KIB(512);
	site->end = SITE_END_NO_TABLE;
	site = add_site(snapshot, SITE_HEAP, 501, 4800, 150, fresh);
	made(snapshot, site, MIB(80), 1200000);
	young(site, 4800, 150);
	site = add_site(snapshot, SITE_HEAP, 501, 96, 4, (const struct frame[]){ { 0 } });
	site->end = SITE_END_LOST;
	site = add_site(snapshot, SITE_MAPPING, 517, MIB(64), 1, goroutine);
	site->committed_bytes = 0;
	site->end = SITE_END_BARRIER;
	snapshot->heap_totals.unmatched_frees = 12;
	snapshot->heap_totals.inherited_frees = 7;
	snapshot->losses.items[1].count = 1402;
	snapshot_note(snapshot,
		      "pid 517 (sidecar): no known allocator is mapped, so that its blocks are "
		      "not traced; its mappings are");
	snapshot->cost.hits = 99;
	snapshot->cost.tool_cpu_ns = MS(40);
	snapshot->cost.tool_rss_bytes = MIB(9);
	snapshot->command_status = 9;
	finish(snapshot);
	return snapshot;
}

/* Too busy to be traced all the time: estimates. */
static struct snapshot *scene_windowed(void)
{
	static const struct frame leak[] = { { "malloc", LIBC, 0x99210, NULL, 0, FRAME_NATIVE },
					     { "Session::open()", "/bin/busy", 0x1139, "busy.cc", 7,
					       FRAME_NATIVE },
					     { 0 } };
	static const struct frame cache[] = { { "malloc", LIBC, 0x99210, NULL, 0, FRAME_NATIVE },
					      { "Cache::put()", "/bin/busy", 0x2139, "busy.cc", 99,
						FRAME_NATIVE },
					      { 0 } };
	struct snapshot *snapshot = new_snapshot("pid 42", true, false);
	struct site *site;

	snapshot->mode = "windowed";
	*vec_add(&snapshot->epochs) = (struct epoch){ "exact", 0, MS(6), 0, 0 };
	*vec_add(&snapshot->epochs) = (struct epoch){ "windowed", MS(6), MS(30040), 52, MS(1400) };
	add_process(snapshot, 42, "busy", "glibc 2.36", MIB(900));
	site = add_site(snapshot, SITE_HEAP, 42, MIB(96), 1000000, leak);
	site->verdict = "leak";
	site->standard_error_bytes = MIB(5);
	site->sampled_blocks = 400;
	site->sampled_live_blocks = 400;
	site->unverified_bytes = KIB(64);
	site->unverified_blocks = 600;
	site = add_site(snapshot, SITE_HEAP, 42, 0, 0, cache);
	site->verdict = "cache-like";
	site->sampled_blocks = 30000;
	site->sampled_live_blocks = 12;
	*vec_add(&snapshot->incidents) = (struct incident){
		.reason = "oom",
		.time_ns = S(30),
		.pid = 7123,
		.comm = "java",
		.ended = true,
		.exit_code = 9,
		.asking_pid = 7123,
		.asking_tid = 7190,
		.asking_comm = "flink-akka.acto",
		.usage_bytes = MIB(2048),
		.limit_bytes = MIB(2048),
	};
	*vec_add(&snapshot->incidents) = (struct incident){
		.reason = "exit",
		.time_ns = S(30),
		.pid = 7101,
		.comm = "\033[31msh",
		.ended = true,
		.exit_code = 143 << 8,
		.signal = 15,
		.sender = 811,
		.sender_comm = "kubelet",
	};
	for (uint64_t i = 0; i < 30; i += 10)
		*vec_add(&snapshot->readings) = (struct reading){
			.time_ns = S(i),
			.rss_bytes = MIB(1200 + 25 * i),
			.group_bytes = MIB(1300 + 25 * i),
			.limit_bytes = MIB(2048),
			.live_bytes = MIB(20 * i),
			.live_blocks = 500 * i,
		};
	add_cost(snapshot);
	snapshot->cost.budget_share = 0.05;
	snapshot->cost.used_share = 0.042;
	snapshot->cost.worst_share = 0.0471;
	snapshot->cost.hit_ns = 941.5;
	finish(snapshot);
	return snapshot;
}

/* All was given back. */
static struct snapshot *scene_empty(void)
{
	static const struct frame frames[] = { { "malloc", LIBC, 0x99210, NULL, 0, FRAME_NATIVE },
					       { "main", "/bin/tidy", 0x1139, "tidy.c", 7,
						 FRAME_NATIVE },
					       { 0 } };
	struct snapshot *snapshot = new_snapshot("pid 42", true, false);

	add_process(snapshot, 42, "tidy", "musl 1.2.3", MIB(1));
	made(snapshot, add_site(snapshot, SITE_HEAP, 42, 0, 0, frames), KIB(640), 5000);
	add_cost(snapshot);
	snapshot->command_status = 3 << 8;
	finish(snapshot);
	return snapshot;
}

/* Names that attack the terminal, the XML, the JSON and the folded lines. */
static struct snapshot *scene_hostile(void)
{
	static const char long_name[] =
		"boost::asio::detail::wait_handler<boost::asio::detail::write_op<boost::asio::"
		"basic_stream_"
		"socket<boost::asio::ip::tcp, boost::asio::any_io_executor>, "
		"boost::asio::mutable_buffers_1, "
		"boost::asio::mutable_buffer const*, boost::asio::detail::transfer_all_t, "
		"Connection::on_read(unsigned long)::{lambda(boost::system::error_code "
		"const&)#1}>, "
		"boost::asio::any_io_executor>::do_complete(void*, "
		"boost::asio::detail::scheduler_operation*, "
		"boost::system::error_code const&, unsigned long)";
	const struct frame frames[] = {
		{ "mal\033[31mloc\033]0;owned\a", LIBC, 0x99210, NULL, 0, FRAME_NATIVE },
		{ "operator<< <char>(std::ostream&, char const*) & \"quoted\" 'too'", "/bin/<&>",
		  16, "dir;x/a\nb.cc", 3, FRAME_INLINED },
		{ long_name, "/srv/\xff\xfe.so", 32,
		  "/very/long/path/of/a/build/tree/that/does/not/fit/on/"
		  "any/terminal/connection.cc",
		  1234567, FRAME_NATIVE },
		{ "semi;colon\nnewline\ttab\rreturn\x7f", NULL, 48, NULL, 0, FRAME_JAVA },
		{ "bad\xc3(\xed\xa0\x80\xf8utf8 \xe2\x80\xae"
		  "desrever\xe2\x80\xac \xef\xbf\xbf",
		  NULL, 64, NULL, 0, FRAME_KERNEL },
		{ "]]>\xc2\x9b"
		  "31m",
		  "/bin/]]>", 80, "caf\xc3\xa9.c", 9, FRAME_NATIVE },
		{ NULL, "/lib/x\033[2J.so", 0x1234, NULL, 0, FRAME_NATIVE },
		{ 0 }
	};
	struct snapshot *snapshot =
		new_snapshot("container <script>alert('\033[5m')</script>", true, true);
	struct site *site;

	add_process(snapshot, 9, "ev;il\n<b>\033[7m", "glibc 2.36", KIB(4));
	add_module(snapshot, "/lib/x\033[2J.so", 99);
	site = add_site(snapshot, SITE_HEAP, 9, UINT64_MAX / 4, 18446744073709551ull, frames);
	site->end = SITE_END_DEPTH;
	site->verdict = snapshot_string(snapshot, "leak\033[0m");
	add_site(snapshot, SITE_HEAP, 9, 1, 1, frames + 3);
	site = add_site(snapshot, SITE_MAPPING, 9, 4096, 1, frames + 5);
	site->owner = snapshot_string(snapshot, "own\ner\"");
	snapshot_note(snapshot, "a note with \033[1mescapes\n and <tags>");
	finish(snapshot);
	return snapshot;
}

/* Functions that call themselves, directly and by way of others. */
static struct snapshot *scene_recursive(void)
{
#define F(name, line)                                                 \
	{                                                             \
		name, "/bin/tree", line, "tree.c", line, FRAME_NATIVE \
	}
	static const struct frame direct[] = { F("malloc", 1), F("node", 10), F("node", 10),
					       F("node", 11),  F("main", 3),  { 0 } };
	static const struct frame mutual[] = { F("malloc", 1), F("list", 21), F("node", 12),
					       F("list", 20),  F("node", 10), F("main", 3),
					       { 0 } };
	static const struct frame leaf[] = {
		F("node", 13), F("list", 20), F("node", 10), F("main", 3), { 0 }
	};
#undef F
	struct snapshot *snapshot = new_snapshot("pid 42", true, false);

	add_process(snapshot, 42, "tree", "glibc 2.36", MIB(1));
	add_site(snapshot, SITE_HEAP, 42, 1000, 10, direct);
	add_site(snapshot, SITE_HEAP, 42, 200, 2, mutual);
	add_site(snapshot, SITE_HEAP, 42, 30, 3, leaf);
	finish(snapshot);
	return snapshot;
}

/* Stacks that share what calls them, as those of programs do; or, where each is wild, nothing. */
static struct snapshot *bulk(bool wild)
{
	enum { STACKS = 50000, DEPTH = 20 };
	struct snapshot *snapshot = new_snapshot("pid 1", true, true);
	char name[80];
	int i, j;

	add_process(snapshot, 1, "bulk", "glibc 2.36", MIB(1));
	for (i = 0; i < STACKS; i++) {
		struct frame frames[DEPTH + 1] = { 0 };

		for (j = 0; j < DEPTH; j++) {
			snprintf(name, sizeof(name),
				 "ns::component_%d::do_something<int>(std::string)",
				 wild ? (int)((i * DEPTH + j) * 7919u % 49999)
				      : (i >> j) * 31 % 9973);
			frames[j] = (struct frame){ snapshot_string(snapshot, name),
						    "/srv/bulk",
						    j,
						    "/srv/bulk.cc",
						    j,
						    FRAME_NATIVE };
		}
		add_site(snapshot, i % 10 ? SITE_HEAP : SITE_MAPPING, 1, 64 + i, 1, frames);
	}
	finish(snapshot);
	return snapshot;
}

static struct snapshot *scene_bulk(void)
{
	return bulk(false);
}

static struct snapshot *scene_wild(void)
{
	return bulk(true);
}

static const struct {
	const char *name;
	struct snapshot *(*make)(void);
} scenes[] = {
	{ "java", scene_java },		{ "services", scene_services },	  { "empty", scene_empty },
	{ "windowed", scene_windowed }, { "hostile", scene_hostile },	  { "bulk", scene_bulk },
	{ "wild", scene_wild },		{ "recursive", scene_recursive },
};

int footprint_main(int argc, char **argv); /* footprint.c */
struct series *series_scene(void); /* series.c */
struct series *day_scene(void);
int record_scene(struct series *series); /* recorded.c */
int draw_diff(struct series *series, const char *format);

/* The scene of this name, or a recording; NULL: there is none. *snapshot: what is to be freed. */
static struct series *find_scene(const char *name, struct snapshot **snapshot)
{
	struct series *series;
	FILE *file;
	bool error;

	if (!strcmp(name, "series"))
		return series_scene();
	if (!strcmp(name, "day"))
		return day_scene();
	for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
		if (strcmp(scenes[i].name, name))
			continue;
		*snapshot = scenes[i].make();
		return series_of(*snapshot);
	}
	file = fopen(name, "rb");
	error = !file || recording_read(&series, file, name);
	if (file)
		fclose(file);
	return error ? NULL : series;
}

static void draw(struct series *series, const struct report_ops *format,
		 const struct report_options *options, bool timed)
{
	struct snapshot *last = series_load(series, series->moments.count - 1);
	clock_t start = clock();

	if (format->write_series && series->moments.count > 1)
		format->write_series(series, options, stdout);
	else
		format->write(last, options, stdout);
	if (timed)
		fprintf(stderr, "%.2f s\n", (double)(clock() - start) / CLOCKS_PER_SEC);
	snapshot_free(last);
}

static int run(struct series *series, const char *form, const struct report_options *options,
	       bool timed)
{
	const struct report_ops *format = report_find(form);
	int status = EXIT_SUCCESS;

	if (!strcmp(form, "record"))
		status = record_scene(series);
	else if (!strncmp(form, "diff-", 5) && diff_find(form + 5))
		status = draw_diff(series, form + 5);
	else if (format)
		draw(series, format, options, timed);
	else
		return 2;
	return ferror(stdout) || fflush(stdout) ? EXIT_FAILURE : status;
}

int main(int argc, char **argv)
{
	struct report_options options = { .top = 20, .min_age_ns = S(5) };
	struct snapshot *snapshot = NULL;
	struct series *series = NULL;
	bool timed = false;
	int status = 2;

	if (argc > 2 && !strcmp(argv[1], "footprint"))
		return footprint_main(argc, argv);
	for (int i = 3; i < argc; i++) {
		options.shape_all |= !strcmp(argv[i], "shaped");
		options.color |= !strcmp(argv[i], "color");
		timed |= !strcmp(argv[i], "timed");
	}
	if (options.shape_all)
		options.top = 1;
	if (argc > 2)
		series = find_scene(argv[1], &snapshot);
	if (series)
		status = run(series, argv[2], &options, timed);
	series_free(series);
	snapshot_free(snapshot);
	if (status == 2)
		fprintf(stderr,
			"usage: render SCENE|RECORDING|footprint FORMAT|record|diff-FORMAT "
			"[shaped] [color] [timed]\n");
	return status;
}
