/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The ledger against a naive oracle: a little kernel that keeps one record for each page, and a
 * program that makes random calls. In sequence, every page and sum is compared after each call.
 * Concurrently, calls exit later than the kernel did their work, so that the ledger hears of them
 * in another order; it is compared each time when none is under way, and must never be in doubt,
 * because the program only touches what it knows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "model/ledger.h"

enum {
	PAGE = 4096,
	PAGES = 4096,
	SEEDED = 256, /* lowest pages: from before the attach */
	BRK_PAGE = 64, /* the heap begins here */
	UNDER_WAY = 6,
	EVENTS = 6000,
	LONGEST = 40,
};
static const uint64_t BASE = 0x7f0000000000;

struct page {
	bool mapped;
	uint32_t event; /* that mapped it: stands for its id; 0: seeded */
	struct ledger_interval part;
	uint64_t known_ns; /* exit of the call that mapped or protected it */
	uint64_t quiet_ns; /* exit of the last call that named it */
};

struct world {
	struct ledger *ledger;
	struct page pages[PAGES];
	struct ledger_event under_way[UNDER_WAY];
	unsigned int under_way_count;
	uint64_t ids[EVENTS + SEEDED + 2]; /* the oracle's to the ledger's */
	struct ledger_sums sums;
	uint64_t now_ns, random;
	uint64_t brk_page, brk_exit_ns;
	uint32_t mapping; /* the oracle's last id */
	bool concurrent;
};

static uint64_t draw(struct world *world, uint64_t below)
{
	world->random ^= world->random << 13;
	world->random ^= world->random >> 7;
	world->random ^= world->random << 17;
	return world->random % below;
}

/* -- the little kernel ------------------------------------------------------------------------- */

static void clear(struct world *world, uint64_t first, uint64_t count)
{
	for (uint64_t i = first; i < first + count; i++) {
		struct page *page = &world->pages[i];

		if (page->mapped && page->part.site)
			world->sums.unmapped_bytes += PAGE;
		else if (page->mapped)
			world->sums.preexisting_unmapped_bytes += PAGE;
		page->mapped = false;
	}
}

static void fill(struct world *world, const struct ledger_event *event, uint64_t first,
		 uint64_t count, struct page like)
{
	like.mapped = true;
	like.part.site = event->site;
	like.part.commit_site = like.part.committed ? event->site : 0;
	like.part.time_ns = event->exit_ns;
	like.part.allocator = event->allocator;
	like.known_ns = event->exit_ns;
	for (uint64_t i = first; i < first + count; i++) {
		like.quiet_ns = world->pages[i].quiet_ns;
		world->pages[i] = like;
	}
	world->sums.mapped_bytes += count * PAGE;
}

static void set_protection(struct world *world, const struct ledger_event *event, uint64_t first,
			   uint64_t count, bool committed)
{
	for (uint64_t i = first; i < first + count; i++) {
		struct page *page = &world->pages[i];

		page->known_ns = event->exit_ns;
		if (!page->mapped || page->part.committed == committed)
			continue;
		page->part.committed = committed;
		page->part.commit_site = committed ? event->site : 0;
	}
}

static bool all(const struct world *world, uint64_t first, uint64_t count, bool mapped)
{
	for (uint64_t i = first; i < first + count; i++) {
		if (i >= PAGES || world->pages[i].mapped != mapped)
			return false;
	}
	return true;
}

/* A free place, like the kernel's: often the one that was freed last. PAGES: none. */
static uint64_t find_free(struct world *world, uint64_t count)
{
	uint64_t first = SEEDED + draw(world, PAGES - SEEDED);

	for (uint64_t i = 0; i < PAGES; i++, first++) {
		if (first + count > PAGES)
			first = SEEDED;
		if (all(world, first, count, false))
			return first;
	}
	return PAGES;
}

/* -- the program ------------------------------------------------------------------------------- */

/* Whether the program may name these pages now: no call on them is under way that it knows of. */
static bool may_name(const struct world *world, uint64_t first, uint64_t count, bool fixed)
{
	for (uint64_t i = first; i < first + count; i++) {
		const struct page *page = &world->pages[i];

		if (i >= PAGES || page->known_ns >= world->now_ns ||
		    (fixed && page->quiet_ns >= world->now_ns))
			return false;
	}
	return true;
}

static void named(struct world *world, const struct ledger_event *event, uint64_t first,
		  uint64_t count)
{
	for (uint64_t i = first; i < first + count; i++) {
		if (world->pages[i].quiet_ns < event->exit_ns)
			world->pages[i].quiet_ns = event->exit_ns;
		/* what is free may be handed out at once; else it is busy until the exit */
		if (world->pages[i].mapped && world->pages[i].known_ns < event->exit_ns)
			world->pages[i].known_ns = event->exit_ns;
	}
}

static uint64_t address(uint64_t page)
{
	return BASE + page * PAGE;
}

/* A length that rounds to count pages. */
static uint64_t length(struct world *world, uint64_t count)
{
	return count * PAGE - draw(world, PAGE);
}

static bool do_mmap(struct world *world, struct ledger_event *event)
{
	static const int kinds[] = { 0, 0, 0, MAP_FIXED, MAP_FIXED_NOREPLACE };
	uint64_t count = 1 + draw(world, LONGEST), first;
	int kind = kinds[draw(world, 5)];
	int protection = draw(world, 3) ? PROT_READ | PROT_WRITE : PROT_NONE;
	struct page like = { .part = { .committed = protection != PROT_NONE } };

	first = kind == MAP_FIXED ? draw(world, PAGES - count) : find_free(world, count);
	if (first == PAGES || (kind && !may_name(world, first, count, true)))
		return false;
	event->call = LEDGER_MMAP;
	event->result = address(first);
	event->args[0] = kind ? address(first) : 0;
	event->args[1] = length(world, count);
	event->args[2] = protection;
	event->args[3] = MAP_PRIVATE | MAP_ANONYMOUS | kind;
	if (kind == MAP_FIXED && event->allocator && !like.part.committed &&
	    all(world, first, count, true)) {
		set_protection(world, event, first, count, false);
	} else {
		clear(world, first, count);
		like.event = ++world->mapping;
		fill(world, event, first, count, like);
	}
	if (kind)
		named(world, event, first, count);
	return true;
}

static bool do_munmap(struct world *world, struct ledger_event *event)
{
	uint64_t count = 1 + draw(world, LONGEST), first = draw(world, PAGES - count);

	if (!may_name(world, first, count, false))
		return false;
	if (world->concurrent && !all(world, first, count, true))
		return false; /* holes are not the program's to unmap: another thread may get them
			       */
	event->call = LEDGER_MUNMAP;
	event->args[0] = address(first);
	event->args[1] = length(world, count);
	named(world, event, first, count);
	clear(world, first, count);
	return true;
}

static bool do_mprotect(struct world *world, struct ledger_event *event)
{
	uint64_t count = 1 + draw(world, LONGEST), first = draw(world, PAGES - count);
	int protection = draw(world, 2) ? PROT_READ | PROT_EXEC : PROT_NONE;

	if (!may_name(world, first, count, false) || !all(world, first, count, true))
		return false;
	event->call = draw(world, 8) ? LEDGER_MPROTECT : LEDGER_MADVISE;
	event->args[0] = address(first);
	event->args[1] = length(world, count);
	event->args[2] = event->call == LEDGER_MPROTECT ? protection : MADV_DONTNEED;
	if (event->call == LEDGER_MPROTECT)
		set_protection(world, event, first, count, protection != PROT_NONE);
	named(world, event, first, count);
	return true;
}

static bool do_brk(struct world *world, struct ledger_event *event)
{
	uint64_t old = world->brk_page, new = BRK_PAGE + draw(world, SEEDED - BRK_PAGE);
	uint64_t low = old < new ? old : new, high = old < new ? new : old;
	bool refused = new > old && !all(world, old, new - old, false);
	struct page like = { .part = { .committed = true, .brk = true }, .event = 0 };

	if (world->brk_exit_ns >= world->now_ns || !may_name(world, low, high - low, true))
		return false;
	event->call = LEDGER_BRK;
	event->args[0] = draw(world, 8) ? address(new) : 0;
	event->result = refused || !event->args[0] ? address(old) : address(new);
	world->brk_exit_ns = event->exit_ns;
	if (event->result != event->args[0])
		return true;
	named(world, event, low, high - low);
	world->brk_page = new;
	if (new < old)
		clear(world, new, old - new);
	else
		fill(world, event, old, new - old, like);
	named(world, event, low, high - low);
	return true;
}

/* The old range stays. */
static void duplicate(struct world *world, const struct ledger_event *event, uint64_t from,
		      uint64_t to, uint64_t count)
{
	struct page like = { .part = { .committed = world->pages[from].part.committed },
			     .event = ++world->mapping };

	fill(world, event, to, count, like);
}

static void move(struct world *world, const struct ledger_event *event, uint64_t from, uint64_t old,
		 uint64_t to, uint64_t new)
{
	uint64_t kept = old < new ? old : new;
	const struct page *last = &world->pages[from + old - 1];
	struct page like = { .part = { .committed = last->part.committed }, .event = last->event };

	for (uint64_t i = 0; i < kept && to != from; i++) {
		struct page *source = &world->pages[from + i], *target = &world->pages[to + i];
		uint64_t quiet_ns = target->quiet_ns;

		*target = *source;
		target->part.brk = false;
		target->known_ns = event->exit_ns;
		target->quiet_ns = quiet_ns;
		source->mapped = false;
	}
	if (new < old)
		clear(world, from + new, old - new);
	else if (new > old)
		fill(world, event, to + old, new - old, like);
}

static bool do_mremap(struct world *world, struct ledger_event *event)
{
	enum { IN_PLACE, MAY_MOVE, FIXED, DONT_UNMAP, OLD_SIZE_0 } kind = draw(world, 5);
	static const int flags[] = { 0, MREMAP_MAYMOVE, MREMAP_MAYMOVE | MREMAP_FIXED,
				     MREMAP_MAYMOVE | MREMAP_DONTUNMAP, MREMAP_MAYMOVE };
	uint64_t old = 1 + draw(world, LONGEST), new = 1 + draw(world, LONGEST);
	uint64_t from = draw(world, PAGES - LONGEST), to = from;

	if (kind == DONT_UNMAP)
		new = old;
	if (!may_name(world, from, old, false) || !all(world, from, old, true))
		return false;
	if (kind == IN_PLACE && new > old && !all(world, from + old, new - old, false))
		return false;
	if (kind == FIXED)
		to = draw(world, PAGES - new);
	else if (kind != IN_PLACE)
		to = find_free(world, new);
	if (to == PAGES || (kind != IN_PLACE && to < from + old && from < to + new))
		return false;
	if (kind == FIXED && !may_name(world, to, new, true))
		return false;
	event->call = LEDGER_MREMAP;
	event->args[0] = address(from);
	event->args[1] = kind == OLD_SIZE_0 ? 0 : length(world, old);
	event->args[2] = length(world, new);
	event->args[3] = flags[kind];
	event->result = event->args[4] = address(to);
	named(world, event, from, old);
	if (kind == FIXED) {
		clear(world, to, new);
		named(world, event, to, new);
	}
	if (kind == DONT_UNMAP || kind == OLD_SIZE_0)
		duplicate(world, event, from, to, new);
	else
		move(world, event, from, old, to, new);
	return true;
}

/* -- comparing --------------------------------------------------------------------------------- */

struct comparison {
	struct world *world;
	bool seen[PAGES];
	struct ledger_interval last;
};

static void compare_interval(const struct ledger_interval *interval, void *context)
{
	struct comparison *comparison = context;
	struct ledger_interval joined = comparison->last;

	/* disjoint, sorted, and joined where nothing differs */
	assert_true(interval->start >= comparison->last.end && interval->start < interval->end);
	joined.start = interval->start;
	joined.end = interval->end;
	assert_false(interval->start == comparison->last.end &&
		     !memcmp(&joined, interval, sizeof(joined)));
	comparison->last = *interval;
	for (uint64_t at = interval->start; at < interval->end; at += PAGE) {
		const struct page *page = &comparison->world->pages[(at - BASE) / PAGE];
		const struct ledger_interval *part = &page->part;
		uint64_t *id = &comparison->world->ids[page->event];

		comparison->seen[(at - BASE) / PAGE] = true;
		if (!*id)
			*id = interval->id;
		assert_true(page->mapped);
		assert_int_equal(interval->site, part->site);
		assert_int_equal(interval->commit_site, part->commit_site);
		assert_int_equal(interval->committed, part->committed);
		assert_int_equal(interval->time_ns, part->time_ns);
		assert_int_equal(interval->brk, part->brk);
		assert_int_equal(interval->allocator, part->allocator);
		assert_int_equal(interval->id, *id);
	}
}

static void compare(struct world *world)
{
	struct comparison ours = { .world = world }, grown = { .world = world };
	struct ledger_sums sums = ledger_sums(world->ledger);

	ledger_visit(world->ledger, compare_interval, &ours);
	ledger_visit_grown(world->ledger, compare_interval, &grown);
	for (unsigned int i = 0; i < PAGES; i++) {
		const struct page *page = &world->pages[i];

		assert_int_equal(ours.seen[i], page->mapped && page->part.site);
		assert_int_equal(grown.seen[i],
				 page->mapped && !page->part.site && page->part.commit_site);
	}
	assert_int_equal(sums.mapped_bytes, world->sums.mapped_bytes);
	assert_int_equal(sums.unmapped_bytes, world->sums.unmapped_bytes);
	assert_int_equal(sums.preexisting_unmapped_bytes, world->sums.preexisting_unmapped_bytes);
	assert_int_equal(sums.overlaps, 0);
}

/* -- running ----------------------------------------------------------------------------------- */

/* The ledger hears of the calls that have exited, in that order. */
static void deliver(struct world *world, uint64_t until_ns)
{
	while (world->under_way_count) {
		unsigned int first = 0;

		for (unsigned int i = 1; i < world->under_way_count; i++) {
			if (world->under_way[i].exit_ns < world->under_way[first].exit_ns)
				first = i;
		}
		if (world->under_way[first].exit_ns > until_ns)
			return;
		ledger_apply(world->ledger, &world->under_way[first]);
		world->under_way[first] = world->under_way[--world->under_way_count];
	}
}

static bool (*const calls[])(struct world *, struct ledger_event *) = {
	do_mmap, do_mmap, do_mmap, do_munmap, do_munmap, do_mprotect, do_mremap, do_mremap, do_brk,
};

static void step(struct world *world, uint32_t number)
{
	struct ledger_event event = { .site = 1 + draw(world, 9), .allocator = draw(world, 2) };
	unsigned int tries = 0;

	world->now_ns += 10;
	event.enter_ns = world->now_ns;
	event.exit_ns = world->now_ns + 1;
	if (world->concurrent && draw(world, 2))
		event.exit_ns = world->now_ns + 1 + 10 * draw(world, UNDER_WAY) + number % 9;
	deliver(world, world->now_ns);
	while (tries++ < 100 && !calls[draw(world, 9)](world, &event))
		;
	if (tries > 100)
		return;
	world->under_way[world->under_way_count++] = event;
	if (!world->concurrent)
		deliver(world, UINT64_MAX);
}

static void seed(struct world *world)
{
	for (uint64_t i = 0; i < SEEDED; i += 16) {
		bool brk = i == BRK_PAGE - 16, committed = brk || i % 32;

		if (i >= BRK_PAGE)
			break;
		ledger_seed(world->ledger, address(i), address(i + 16), committed, brk);
		for (uint64_t j = i; j < i + 16; j++) {
			world->pages[j].mapped = true;
			world->pages[j].part.committed = committed;
			world->pages[j].part.brk = brk;
			world->pages[j].event = brk ? 0 : ++world->mapping;
		}
		world->mapping += !brk;
	}
	world->brk_page = BRK_PAGE;
}

static void run(uint64_t random, bool concurrent)
{
	static struct world world;

	world = (struct world){ .random = random, .concurrent = concurrent, .now_ns = 100 };
	world.ledger = ledger_new(PAGE);
	seed(&world);
	for (uint32_t i = 1; i <= EVENTS; i++) {
		step(&world, i);
		if (concurrent && i % 50 == 0) {
			deliver(&world, UINT64_MAX);
			world.now_ns += 10 * UNDER_WAY + 20;
		}
		if (!world.under_way_count)
			compare(&world);
	}
	assert_true(world.sums.mapped_bytes > world.sums.unmapped_bytes);
	ledger_free(world.ledger);
}

static const uint64_t randoms[] = { 88172645463325252, 1, 42, 0x9e3779b97f4a7c15 };

static void calls_in_sequence(void **state)
{
	for (size_t i = 0; i < sizeof(randoms) / sizeof(*randoms); i++)
		run(randoms[i], false);
}

static void calls_under_way_at_once(void **state)
{
	for (size_t i = 0; i < sizeof(randoms) / sizeof(*randoms); i++)
		run(randoms[i], true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_in_sequence),
		cmocka_unit_test(calls_under_way_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
