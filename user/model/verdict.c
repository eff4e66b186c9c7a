/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The rules, in the order in which they are tried. Each has a test in tests/unit/test_verdict.c. */
#include "model/verdict.h"

#include <stdio.h>
#include <string.h>

#include "base/units.h"

/* What is not worth a word: a process of a few megabytes. */
#define WORTH_BYTES (4ULL << 20)

struct rule {
	const char *name;
	enum verdict_kind kind;
	bool (*holds)(const struct verdict_facts *facts);
	uint64_t (*gain)(const struct verdict_facts *facts);
	void (*evidence)(const struct verdict_facts *facts, char *text);
	const char *remedy;
};

struct size_text {
	char text[UNITS_TEXT_MAX];
};

static struct size_text size(uint64_t bytes)
{
	struct size_text size;

	units_format_bytes(size.text, bytes);
	return size;
}

static struct size_text count(uint64_t number)
{
	struct size_text text;

	units_format_count(text.text, number);
	return text;
}

#define SAY(...) snprintf(text, VERDICT_TEXT_MAX, __VA_ARGS__)

static double share(uint64_t part, uint64_t whole)
{
	return whole ? (double)part / (double)whole : 0;
}

/* -- not native ---------------------------------------------------------------------------------
 */

/* A container's usage counts files it has read; no process holds them. */
static bool is_page_cache(const struct verdict_facts *facts)
{
	return facts->page_cache_bytes > WORTH_BYTES &&
	       facts->page_cache_bytes > 2 * facts->rss_bytes;
}

static uint64_t page_cache_gain(const struct verdict_facts *facts)
{
	return facts->page_cache_bytes;
}

static void page_cache_evidence(const struct verdict_facts *facts, char *text)
{
	SAY("the control group's usage is page cache for %s, its process holds %s",
	    size(facts->page_cache_bytes).text, size(facts->rss_bytes).text);
}

static bool is_java_heap(const struct verdict_facts *facts)
{
	return facts->java_heap_bytes > WORTH_BYTES &&
	       share(facts->java_heap_bytes, facts->rss_bytes) > 0.5 &&
	       facts->free_resident_bytes < facts->java_heap_bytes / 4 &&
	       facts->growth_bytes < (int64_t)WORTH_BYTES;
}

static uint64_t no_gain(const struct verdict_facts *facts)
{
	(void)facts;
	return 0;
}

static void java_heap_evidence(const struct verdict_facts *facts, char *text)
{
	SAY("the Java heap holds %s of %s resident, malloc %s", size(facts->java_heap_bytes).text,
	    size(facts->rss_bytes).text, size(facts->heap_resident_bytes).text);
}

/* -- native, and not malloc's --------------------------------------------------------------------
 */

/* More than anything that malloc could give back, a good part of all, and the largest of its kind.
 */
static bool is_large_part(const struct verdict_facts *facts, uint64_t bytes)
{
	return bytes > WORTH_BYTES && share(bytes, facts->rss_bytes) > 0.25 &&
	       bytes > facts->free_resident_bytes && bytes > facts->heap_resident_bytes / 2 &&
	       bytes >= facts->stack_bytes && bytes >= facts->metaspace_bytes &&
	       bytes >= facts->code_cache_bytes;
}

static bool is_stacks(const struct verdict_facts *facts)
{
	return is_large_part(facts, facts->stack_bytes);
}

static uint64_t stacks_gain(const struct verdict_facts *facts)
{
	return facts->stack_bytes;
}

static void stacks_evidence(const struct verdict_facts *facts, char *text)
{
	SAY("the stacks of %llu threads hold %s of %s resident, malloc %s",
	    (unsigned long long)facts->threads, size(facts->stack_bytes).text,
	    size(facts->rss_bytes).text, size(facts->heap_resident_bytes).text);
}

static bool is_metaspace(const struct verdict_facts *facts)
{
	return is_large_part(facts, facts->metaspace_bytes);
}

static uint64_t metaspace_gain(const struct verdict_facts *facts)
{
	return facts->metaspace_bytes - facts->kept_metaspace_bytes;
}

static void metaspace_evidence(const struct verdict_facts *facts, char *text)
{
	if (facts->kept_metaspace_bytes)
		SAY("metaspace and class space hold %s of %s resident; of that, class space of %s, "
		    "which no JVM before 16 gives back",
		    size(facts->metaspace_bytes).text, size(facts->rss_bytes).text,
		    size(facts->kept_metaspace_bytes).text);
	else
		SAY("metaspace and class space hold %s of %s resident",
		    size(facts->metaspace_bytes).text, size(facts->rss_bytes).text);
}

static bool is_code_cache(const struct verdict_facts *facts)
{
	return is_large_part(facts, facts->code_cache_bytes);
}

static bool drops_cold_code(const struct verdict_facts *facts)
{
	return facts->jvm_version >= 20;
}

/* What is bounded to a half is still fast: code that is not called goes first. From 20 on the JVM
 * lets go of it before the cache is full (JDK-8290025), how much depends on what is called. */
static uint64_t code_cache_gain(const struct verdict_facts *facts)
{
	return (facts->code_cache_bytes + facts->code_malloc_bytes) / 2;
}

static void code_cache_evidence(const struct verdict_facts *facts, char *text)
{
	const char *more =
		drops_cold_code(facts) ? "; with a bound, at least half of that goes" : "";

	if (facts->code_malloc_bytes)
		SAY("the code cache holds %s of %s resident, and %s of malloc belong to its "
		    "code%s",
		    size(facts->code_cache_bytes).text, size(facts->rss_bytes).text,
		    size(facts->code_malloc_bytes).text, more);
	else
		SAY("the code cache holds %s of %s resident%s", size(facts->code_cache_bytes).text,
		    size(facts->rss_bytes).text, more);
}

/* -- leak ----------------------------------------------------------------------------------------
 */

/* More than noise: a hundredth of what is in use, and than what is worth a word. */
static bool is_leak(const struct verdict_facts *facts)
{
	return facts->has_growth && facts->growth_bytes > (int64_t)(WORTH_BYTES / 16) &&
	       (uint64_t)facts->growth_bytes > facts->in_use_bytes / 100 &&
	       facts->grown_blocks > 0 &&
	       (uint64_t)facts->grown_blocks * facts->grown_size_bytes * 2 >
		       (uint64_t)facts->growth_bytes;
}

/* Of blocks in use: a page that was never written to, or is swapped out, is not there. */
static uint64_t resident_part(const struct verdict_facts *facts, uint64_t bytes)
{
	uint64_t resident = facts->heap_resident_bytes > facts->free_resident_bytes
				    ? facts->heap_resident_bytes - facts->free_resident_bytes
				    : 0;

	return resident < facts->in_use_bytes
		       ? (uint64_t)((double)bytes * share(resident, facts->in_use_bytes))
		       : bytes;
}

/* What there is of the size that grows: what leaked before is of the same size. */
static uint64_t leak_gain(const struct verdict_facts *facts)
{
	return resident_part(facts, facts->grown_size_bytes * facts->grown_size_blocks);
}

static void leak_evidence(const struct verdict_facts *facts, char *text)
{
	SAY("in use grew by %s in %.0f s; chunks of %llu bytes by %s, to %s: %s",
	    size((uint64_t)facts->growth_bytes).text, facts->seconds,
	    (unsigned long long)facts->grown_size_bytes, count((uint64_t)facts->grown_blocks).text,
	    count(facts->grown_size_blocks).text,
	    size(facts->grown_size_bytes * facts->grown_size_blocks).text);
}

/* Growth of many sizes: a program that fills its caches or starts up does that, too. */
static bool is_growth(const struct verdict_facts *facts)
{
	return facts->has_growth && facts->growth_bytes > (int64_t)WORTH_BYTES &&
	       (uint64_t)facts->growth_bytes > facts->in_use_bytes / 50;
}

static uint64_t growth_gain(const struct verdict_facts *facts)
{
	return (uint64_t)facts->growth_bytes;
}

static void growth_evidence(const struct verdict_facts *facts, char *text)
{
	if (facts->closed)
		SAY("what %s has resident grew by %s in %.0f s, to %s", facts->closed,
		    size((uint64_t)facts->growth_bytes).text, facts->seconds,
		    size(facts->heap_resident_bytes).text);
	else
		SAY("in use grew by %s in %.0f s, in blocks of many sizes",
		    size((uint64_t)facts->growth_bytes).text, facts->seconds);
}

/* -- retention -----------------------------------------------------------------------------------
 */

static bool keeps(const struct verdict_facts *facts, uint64_t bytes)
{
	return bytes > WORTH_BYTES && share(bytes, facts->heap_resident_bytes) > 0.2;
}

/* Many arenas, each with what its threads once freed. */
static bool is_spread(const struct verdict_facts *facts)
{
	return facts->arenas > 4 && keeps(facts, facts->spread_bytes) &&
	       share(facts->spread_bytes, facts->free_resident_bytes) > 0.5;
}

static uint64_t spread_gain(const struct verdict_facts *facts)
{
	return facts->spread_bytes;
}

static void spread_evidence(const struct verdict_facts *facts, char *text)
{
	SAY("%s are free but resident, %s of it in %llu arenas beyond the two that keep most; %s "
	    "are in use",
	    size(facts->free_resident_bytes).text, size(facts->spread_bytes).text,
	    (unsigned long long)(facts->arenas - 2), size(facts->in_use_bytes).text);
}

static bool is_retention(const struct verdict_facts *facts)
{
	return keeps(facts, facts->releasable_bytes) &&
	       facts->releasable_bytes > facts->pinned_bytes / 2;
}

static bool is_late_trim(const struct verdict_facts *facts)
{
	return facts->trims_late && is_retention(facts);
}

static uint64_t retention_gain(const struct verdict_facts *facts)
{
	return facts->releasable_bytes;
}

static void retention_evidence(const struct verdict_facts *facts, char *text)
{
	SAY("%s are free but resident, %s of it in whole pages; %s are in use",
	    size(facts->free_resident_bytes).text, size(facts->releasable_bytes).text,
	    size(facts->in_use_bytes).text);
}

/* -- fragmentation -------------------------------------------------------------------------------
 */

static bool is_fragmented(const struct verdict_facts *facts)
{
	return keeps(facts, facts->pinned_bytes);
}

static uint64_t fragmentation_gain(const struct verdict_facts *facts)
{
	return facts->pinned_bytes;
}

static void fragmentation_evidence(const struct verdict_facts *facts, char *text)
{
	SAY("%s are free in pages that blocks in use keep: %s in use take %s of memory",
	    size(facts->pinned_bytes).text, size(facts->in_use_bytes).text,
	    size(facts->heap_resident_bytes).text);
}

/* -- what is in use ------------------------------------------------------------------------------
 */

static bool is_closed(const struct verdict_facts *facts)
{
	return facts->closed;
}

static void closed_evidence(const struct verdict_facts *facts, char *text)
{
	if (facts->has_growth)
		SAY("what %s has resident went from %s to %s in %.0f s", facts->closed,
		    size(facts->heap_resident_bytes - (uint64_t)facts->growth_bytes).text,
		    size(facts->heap_resident_bytes).text, facts->seconds);
	else
		SAY("%s has %s of %s resident", facts->closed,
		    size(facts->heap_resident_bytes).text, size(facts->rss_bytes).text);
}

static bool is_steady(const struct verdict_facts *facts)
{
	return facts->has_growth;
}

static uint64_t top_size_gain(const struct verdict_facts *facts)
{
	return resident_part(facts, facts->top_size_bytes * facts->top_size_blocks);
}

static void steady_evidence(const struct verdict_facts *facts, char *text)
{
	SAY("in use stayed at %s for %.0f s (%+lld bytes); chunks of %llu bytes hold most: %s",
	    size(facts->in_use_bytes).text, facts->seconds, (long long)facts->growth_bytes,
	    (unsigned long long)facts->top_size_bytes, size(top_size_gain(facts)).text);
}

static bool always(const struct verdict_facts *facts)
{
	(void)facts;
	return true;
}

static void in_use_evidence(const struct verdict_facts *facts, char *text)
{
	SAY("%s are in use, %s are free but resident; chunks of %llu bytes hold most: %s",
	    size(facts->in_use_bytes).text, size(facts->free_resident_bytes).text,
	    (unsigned long long)facts->top_size_bytes, size(top_size_gain(facts)).text);
}

/* -- the table -----------------------------------------------------------------------------------
 */

static const struct rule rules[] = {
	{ "leak", VERDICT_LEAK, is_leak, leak_gain, leak_evidence,
	  "find who allocates blocks of this size: unfreed trace; see what is in them: unfreed "
	  "heap --peek SIZE" },
	{ "growth", VERDICT_LEAK, is_growth, growth_gain, growth_evidence,
	  "watch for longer (-d 10m); if it goes on, unfreed trace shows who allocates" },
	{ "page cache", VERDICT_NOT_NATIVE, is_page_cache, page_cache_gain, page_cache_evidence,
	  "none is needed: the kernel drops page cache at the limit, before it kills" },
	{ "java heap", VERDICT_NOT_NATIVE, is_java_heap, no_gain, java_heap_evidence,
	  "look inside of the Java heap (jmap -histo), or bound it: -Xmx" },
	{ "thread stacks", VERDICT_OUTSIDE, is_stacks, stacks_gain, stacks_evidence,
	  "use fewer threads: a pool with a bound; a stack keeps what its deepest call once took" },
	{ "metaspace", VERDICT_OUTSIDE, is_metaspace, metaspace_gain, metaspace_evidence,
	  "find class loaders that stay (jcmd PID VM.classloader_stats); bound it: "
	  "-XX:MaxMetaspaceSize" },
	{ "code cache", VERDICT_OUTSIDE, is_code_cache, code_cache_gain, code_cache_evidence,
	  "bound the cache, to half of what it holds to begin with: -XX:ReservedCodeCacheSize" },
	{ "arenas", VERDICT_RETENTION, is_spread, spread_gain, spread_evidence,
	  "start it with MALLOC_ARENA_MAX=2, or with jemalloc; at once, for most of it: "
	  "malloc_trim(0)" },
	{ "late trim", VERDICT_RETENTION, is_late_trim, retention_gain, retention_evidence,
	  "call malloc_trim(0) after work in bulk, or fix the thresholds, which large blocks have "
	  "moved up: MALLOC_TRIM_THRESHOLD_=131072 MALLOC_MMAP_THRESHOLD_=131072" },
	{ "retention", VERDICT_RETENTION, is_retention, retention_gain, retention_evidence,
	  "call malloc_trim(0) after work in bulk, or use jemalloc" },
	{ "fragmentation", VERDICT_FRAGMENTATION, is_fragmented, fragmentation_gain,
	  fragmentation_evidence,
	  "use jemalloc (LD_PRELOAD), which keeps sizes apart; or allocate what lives long "
	  "together, before what is short-lived" },
	{ "closed books", VERDICT_IN_USE, is_closed, no_gain, closed_evidence,
	  "ask the allocator what of it is in use; what is not given back from now on, and by "
	  "whom, tells unfreed trace" },
	{ "plateau", VERDICT_POOL, is_steady, top_size_gain, steady_evidence,
	  "no leak: what is held is a pool, a cache or what the program needs; if it is too much, "
	  "bound the cache" },
	{ "in use", VERDICT_IN_USE, always, no_gain, in_use_evidence,
	  "a second look tells a leak from a cache: unfreed heap -d 1m" },
};

/* -- remedies in the words of what runs there -----------------------------------------------------
 */

static bool is_jvm(const struct verdict_facts *facts)
{
	return facts->jvm_version;
}

/* JDK-8293114, in 22, 21.0.1 and 17.0.9 */
static bool is_jvm_that_trims(const struct verdict_facts *facts)
{
	return facts->jvm_version >= 17;
}

static bool has_rocksdb(const struct verdict_facts *facts)
{
	return facts->has_rocksdb;
}

static bool has_netty(const struct verdict_facts *facts)
{
	return facts->has_netty;
}

enum {
	HELD = 1 << VERDICT_LEAK | 1 << VERDICT_POOL | 1 << VERDICT_IN_USE,
	KEPT = 1 << VERDICT_RETENTION | 1 << VERDICT_FRAGMENTATION,
};

static const struct hint {
	unsigned int kinds; /* of verdicts, a bit each */
	bool (*holds)(const struct verdict_facts *facts);
	const char *text;
} hints[] = {
	{ 1 << VERDICT_LEAK, is_jvm,
	  "in this JVM, direct buffers are bounded by -XX:MaxDirectMemorySize, and an Inflater or "
	  "Deflater wants its end()" },
	/* github.com/facebook/rocksdb/wiki/Write-Buffer-Manager; Flink: Configuration, RocksDB */
	{ HELD, has_rocksdb,
	  "RocksDB is loaded: one block cache, with a WriteBufferManager that is charged to it, "
	  "bounds its caches and memtables together (Flink: "
	  "state.backend.rocksdb.memory.managed)" },
	/* io.netty.util.internal.PlatformDependent, io.netty.buffer.PooledByteBufAllocator */
	{ HELD | KEPT, has_netty,
	  "Netty is loaded: -Dio.netty.maxDirectMemory bounds its buffers, and fewer arenas "
	  "(-Dio.netty.allocator.numDirectArenas) keep less" },
	{ KEPT, is_jvm_that_trims,
	  "this JVM trims at once by unfreed jvm --trim, and by itself with "
	  "-XX:TrimNativeHeapInterval=60000 (17.0.9, 21.0.1 and later, JDK-8293114)" },
};

/* Java's own count tells buffers from other blocks of that size. */
static void add_direct(struct verdict *verdict, const struct verdict_facts *facts)
{
	size_t used = strlen(verdict->evidence);

	if (HELD & 1 << verdict->kind && facts->direct_bytes > WORTH_BYTES)
		snprintf(verdict->evidence + used, sizeof(verdict->evidence) - used,
			 "; Java's direct buffers hold %s, %llu of them",
			 size(facts->direct_bytes).text, (unsigned long long)facts->direct_buffers);
}

static void add_hints(struct verdict *verdict, const struct verdict_facts *facts)
{
	size_t used = strlen(verdict->remedy);

	for (size_t i = 0; i < sizeof(hints) / sizeof(*hints); i++) {
		int length;

		if (!(hints[i].kinds & 1 << verdict->kind) || !hints[i].holds(facts))
			continue;
		length = snprintf(verdict->remedy + used, sizeof(verdict->remedy) - used, "; %s",
				  hints[i].text);
		used += (size_t)length;
		if (used >= sizeof(verdict->remedy))
			return;
	}
}

const char *verdict_name(enum verdict_kind kind)
{
	static const char *const names[] = {
		[VERDICT_LEAK] = "leak",
		[VERDICT_RETENTION] = "retention",
		[VERDICT_FRAGMENTATION] = "fragmentation",
		[VERDICT_POOL] = "pool or cache",
		[VERDICT_OUTSIDE] = "outside of malloc",
		[VERDICT_NOT_NATIVE] = "not native",
		[VERDICT_IN_USE] = "in use",
	};

	return names[kind];
}

struct verdict verdict_of(const struct verdict_facts *facts)
{
	const struct rule *rule = rules;
	struct verdict verdict;

	while (!rule->holds(facts))
		rule++;
	verdict = (struct verdict){
		.kind = rule->kind,
		.rule = rule->name,
		.gain_bytes = rule->gain(facts),
		.gain_is_least = rule->gain == code_cache_gain && drops_cold_code(facts),
	};
	rule->evidence(facts, verdict.evidence);
	snprintf(verdict.remedy, sizeof(verdict.remedy), "%s", rule->remedy);
	add_direct(&verdict, facts);
	add_hints(&verdict, facts);
	return verdict;
}
