/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What each system call does to address space. The rules are the kernel's: mm/mmap.c, mm/mremap.c
 * and mm/mprotect.c, the same from 5.10 on unless a comment says otherwise.
 */
#include <sys/mman.h>

#include "model/booking.h"
#include "model/ledger.h"

enum {
	HEAP_ID = 1, /* of the main heap */
	ARENA_BYTES = 64 << 20, /* HEAP_MAX_SIZE on 64 bits, glibc malloc/arena.c */
	DEFAULT_HUGE_PAGE_BYTES = 2 << 20, /* x86-64, and arm64 with pages of 4 KiB */
};

struct ledger *ledger_new(uint64_t page_bytes)
{
	struct ledger *ledger = mem_alloc(sizeof(*ledger));

	ledger->page_bytes = page_bytes;
	ledger->next_id = HEAP_ID + 1;
	return ledger;
}

void ledger_free(struct ledger *ledger)
{
	if (!ledger)
		return;
	intervals_free(&ledger->set);
	mem_free(ledger);
}

static uint64_t round_up(uint64_t bytes, uint64_t unit)
{
	return bytes > UINT64_MAX - unit ? bytes : (bytes + unit - 1) / unit * unit;
}

/* length is rounded; empty where it would wrap around. */
static struct range range_of(uint64_t start, uint64_t length)
{
	return (struct range){ start, start <= UINT64_MAX - length ? start + length : start };
}

/* -- mprotect ---------------------------------------------------------------------------------- */

static bool accessible(uint64_t protection)
{
	return protection & (PROT_READ | PROT_WRITE | PROT_EXEC);
}

/*
 * glibc's new_heap reserves PROT_NONE, trims to 64 MiB at a multiple of 64 MiB, and makes the first
 * pages accessible, all inside one malloc: here is the moment that shows it.
 */
static void mark_arena(struct ledger *ledger, const struct ledger_event *event, uint64_t address)
{
	struct cursor at;
	struct piece *piece = intervals_seek(&ledger->set, address, &at);

	if (piece && event->allocator && piece->part.allocator && !piece->part.committed &&
	    piece->part.start == address && address % ARENA_BYTES == 0 &&
	    piece->part.end - address == ARENA_BYTES)
		piece->part.arena = true;
}

static void apply_mprotect(struct ledger *ledger, const struct ledger_event *event)
{
	struct range range = range_of(event->args[0], round_up(event->args[1], ledger->page_bytes));
	bool committed = accessible(event->args[2]);

	/* PROT_GROWSDOWN and PROT_GROWSUP would reach further: only stacks have them. */
	if (committed)
		mark_arena(ledger, event, range.start);
	book_protect(ledger, event, range, committed);
}

/* -- mmap, munmap, brk ------------------------------------------------------------------------- */

/* Whether all of range is booked, so that it can be decommitted. */
static bool covered(const struct ledger *ledger, struct range range)
{
	struct cursor at;
	const struct piece *piece = intervals_seek(&ledger->set, range.start, &at);

	while (piece && piece->part.start <= range.start && range.start < range.end) {
		range.start = piece->part.end;
		piece = intervals_next(&ledger->set, &at);
	}
	return range.start >= range.end;
}

/* mmap rounds to huge pages where it is asked for them (ksys_mmap_pgoff), else to pages. */
static uint64_t mmap_unit(const struct ledger *ledger, uint64_t flags)
{
	uint64_t log2 = flags >> MAP_HUGE_SHIFT & MAP_HUGE_MASK;

	if (!(flags & MAP_HUGETLB) || !(flags & MAP_ANONYMOUS))
		return ledger->page_bytes;
	return log2 ? UINT64_C(1) << log2 : DEFAULT_HUGE_PAGE_BYTES;
}

static uint64_t apply_mmap(struct ledger *ledger, const struct ledger_event *event)
{
	uint64_t flags = event->args[3];
	uint64_t length = round_up(event->args[1], mmap_unit(ledger, flags));
	struct range range = range_of(event->result, length);
	struct ledger_interval part = { .committed = accessible(event->args[2]) };
	bool replace = flags & MAP_FIXED;
	bool named = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);

	if (replace && event->allocator && !part.committed && covered(ledger, range)) {
		book_protect(ledger, event, range, false);
		return 0;
	}
	return book_get(ledger, event, range, replace ? REPLACED : HANDED_OUT, !named, part);
}

static void apply_munmap(struct ledger *ledger, const struct ledger_event *event)
{
	uint64_t length = round_up(event->args[1], ledger->page_bytes);

	book_clear(ledger, event, range_of(event->args[0], length), GIVEN_BACK, NULL);
}

/* brk returns the break: the wanted one, or where it refuses (as for brk(0)) the present one. */
static uint64_t apply_brk(struct ledger *ledger, const struct ledger_event *event)
{
	struct ledger_interval part = { .id = HEAP_ID, .committed = true, .brk = true };
	uint64_t old = ledger->brk, new = round_up(event->result, ledger->page_bytes);

	ledger->brk = new;
	if (!old || new == old || event->args[0] != event->result)
		return 0;
	if (ledger->brk_ns > event->enter_ns)
		ledger->doubtful_call = true;
	ledger->brk_ns = event->exit_ns;
	if (new < old) {
		book_clear(ledger, event, (struct range){ new, old }, GIVEN_BACK, NULL);
		return 0;
	}
	return book_get(ledger, event, (struct range){ old, new }, HANDED_OUT, false, part);
}

/* -- mremap ------------------------------------------------------------------------------------ */

/* What new pages of the mapping at address are like; a mapping never seen is accessible. */
static struct ledger_interval like(const struct ledger *ledger, uint64_t address)
{
	struct cursor at;
	const struct piece *piece = intervals_seek(&ledger->set, address, &at);

	if (piece && piece->part.start <= address)
		return (struct ledger_interval){ .id = piece->part.id,
						 .committed = piece->part.committed };
	return (struct ledger_interval){ .committed = true };
}

/* The old range stays: MREMAP_DONTUNMAP moves the pages only, old size 0 shares them. */
static uint64_t duplicate(struct ledger *ledger, const struct ledger_event *event, struct range to,
			  enum manner manner)
{
	struct ledger_interval part = like(ledger, event->args[0]);

	part.id = 0;
	return book_get(ledger, event, to, manner, manner == HANDED_OUT, part);
}

static uint64_t move(struct ledger *ledger, const struct ledger_event *event, struct range old,
		     struct range to, enum manner manner)
{
	uint64_t from = old.start;
	uint64_t kept = range_bytes(old) < range_bytes(to) ? range_bytes(old) : range_bytes(to);
	struct ledger_interval part = { .committed = true };
	struct pieces moved = {};

	book_recall(ledger, event, range_of(from, kept), &moved);
	book_clear(ledger, event, range_of(from, kept), GIVEN_BACK, &moved);
	book_clear(ledger, event, (struct range){ from + kept, old.end }, GIVEN_BACK, NULL);
	book_clear(ledger, event, to, manner, NULL);
	vec_for_each (piece, &moved) {
		struct range range = { piece->part.start - from + to.start,
				       piece->part.end - from + to.start };

		piece->part.brk = piece->part.arena = false;
		book_clear(ledger, event, range, HANDED_OUT, NULL);
		book_put(ledger, event, range, *piece, manner == HANDED_OUT);
		if (range.end == to.start + kept) {
			part.id = piece->part.id;
			part.committed = piece->part.committed;
		}
	}
	vec_free(&moved);
	return book_get(ledger, event, (struct range){ to.start + kept, to.end }, HANDED_OUT,
			manner == HANDED_OUT, part);
}

static uint64_t apply_mremap(struct ledger *ledger, const struct ledger_event *event)
{
	uint64_t flags = event->args[3];
	enum manner manner = flags & MREMAP_FIXED ? REPLACED : HANDED_OUT;
	struct range old = range_of(event->args[0], round_up(event->args[1], ledger->page_bytes));
	struct range to = range_of(event->result, round_up(event->args[2], ledger->page_bytes));

	if (old.start == old.end || flags & MREMAP_DONTUNMAP)
		return duplicate(ledger, event, to, manner);
	if (to.start != old.start)
		return move(ledger, event, old, to, manner);
	if (to.end > old.end)
		return book_get(ledger, event, (struct range){ old.end, to.end }, HANDED_OUT, true,
				like(ledger, old.end - 1));
	book_clear(ledger, event, (struct range){ to.end, old.end }, GIVEN_BACK, NULL);
	return 0;
}

/* -- the ledger -------------------------------------------------------------------------------- */

uint64_t ledger_apply(struct ledger *ledger, const struct ledger_event *event)
{
	uint64_t bytes = 0;

	switch (event->call) {
	case LEDGER_MMAP:
		bytes = apply_mmap(ledger, event);
		break;
	case LEDGER_MUNMAP:
		apply_munmap(ledger, event);
		break;
	case LEDGER_MREMAP:
		bytes = apply_mremap(ledger, event);
		break;
	case LEDGER_BRK:
		bytes = apply_brk(ledger, event);
		break;
	case LEDGER_MPROTECT:
		apply_mprotect(ledger, event);
		break;
	case LEDGER_MADVISE:
		break;
	}
	ledger->sums.mapped_bytes += bytes;
	ledger->sums.overlaps += ledger->doubtful_call;
	ledger->doubtful |= ledger->doubtful_call;
	ledger->doubtful_call = false;
	return bytes;
}

bool ledger_doubtful(const struct ledger *ledger)
{
	return ledger->doubtful;
}

/* Nothing is under way: for what no system call did. */
static const struct ledger_event no_event = { .enter_ns = UINT64_MAX };

static void seed(struct ledger *ledger, struct range range, bool committed, bool brk)
{
	struct piece piece = { .part = { .id = brk ? HEAP_ID : ledger->next_id++,
					 .committed = committed,
					 .brk = brk } };

	book_put(ledger, &no_event, range, piece, false);
}

void ledger_seed(struct ledger *ledger, uint64_t start, uint64_t end, bool committed, bool brk)
{
	if (end <= start)
		return;
	book_clear(ledger, &no_event, (struct range){ start, end }, HANDED_OUT, NULL);
	seed(ledger, (struct range){ start, end }, committed, brk);
	if (brk && end > ledger->brk)
		ledger->brk = end;
}

void ledger_seed_brk(struct ledger *ledger, uint64_t brk)
{
	ledger->brk = round_up(brk, ledger->page_bytes);
}

/* Corrects the pieces within map, and seeds what is missing. */
static void correct(struct ledger *ledger, const struct ledger_range *map)
{
	uint64_t start = map->start;

	book_protect(ledger, &no_event, (struct range){ map->start, map->end }, map->committed);
	while (start < map->end) {
		struct cursor at;
		const struct piece *piece = intervals_seek(&ledger->set, start, &at);
		uint64_t end = piece && piece->part.start < map->end ? piece->part.start : map->end;
		uint64_t behind = piece ? piece->part.end : end;

		if (end > start)
			seed(ledger, (struct range){ start, end }, map->committed, map->brk);
		start = behind > end ? behind : end;
	}
	if (map->brk)
		ledger->brk = map->end;
}

void ledger_reconcile(struct ledger *ledger, const struct ledger_range *maps, uint64_t count)
{
	uint64_t behind = 0;

	for (uint64_t i = 0; i < count; i++) {
		if (maps[i].start < behind || maps[i].end <= maps[i].start)
			continue; /* not sorted: not from the kernel */
		book_clear(ledger, &no_event, (struct range){ behind, maps[i].start }, GIVEN_BACK,
			   NULL);
		correct(ledger, &maps[i]);
		behind = maps[i].end;
	}
	book_clear(ledger, &no_event, (struct range){ behind, UINT64_MAX }, GIVEN_BACK, NULL);
	ledger->departed_count = 0;
	for (unsigned int i = 0; i < DEPARTED_KEPT; i++)
		ledger->departed[i] = (struct departed){};
	ledger->doubtful = false;
}

struct ledger_sums ledger_sums(const struct ledger *ledger)
{
	return ledger->sums;
}

void ledger_visit(const struct ledger *ledger, ledger_visit_fn visit, void *context)
{
	struct cursor at;
	const struct piece *piece = intervals_seek(&ledger->set, 0, &at);

	for (; piece; piece = intervals_next(&ledger->set, &at)) {
		if (piece->part.site)
			visit(&piece->part, context);
	}
}

void ledger_visit_grown(const struct ledger *ledger, ledger_visit_fn visit, void *context)
{
	struct cursor at;
	const struct piece *piece = intervals_seek(&ledger->set, 0, &at);

	for (; piece; piece = intervals_next(&ledger->set, &at)) {
		if (!piece->part.site && piece->part.commit_site)
			visit(&piece->part, context);
	}
}
