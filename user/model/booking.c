/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Clearing, placing and protecting ranges, in the true order of concurrent calls. */
#include "model/booking.h"

static void count_unmapped(struct ledger *ledger, const struct ledger_interval *part, bool back)
{
	uint64_t *sum = part->site ? &ledger->sums.unmapped_bytes
				   : &ledger->sums.preexisting_unmapped_bytes;
	uint64_t bytes = part->end - part->start;

	*sum += back ? -bytes : bytes;
}

/* The first piece of range, none of which reaches out of it. */
static struct piece *isolate(struct ledger *ledger, struct range range, struct cursor *at)
{
	intervals_split(&ledger->set, range.start);
	intervals_split(&ledger->set, range.end);
	return intervals_seek(&ledger->set, range.start, at);
}

/*
 * Whether event was under way when piece came to its address. It cannot have meant piece where the
 * kernel chose that address; else the order is open.
 */
static bool under_way(const struct ledger_event *event, const struct piece *piece)
{
	return piece->placed_ns > event->enter_ns;
}

/* Whether what departed may still be meant by event. */
static bool may_mean(const struct ledger_event *event, const struct departed *departed,
		     struct range range)
{
	return departed->exit_ns > event->enter_ns && departed->piece.part.end > range.start &&
	       departed->piece.part.start < range.end;
}

/* A call that fixes its address may have come before one that unmapped there and returned first. */
static void doubt_fixed(struct ledger *ledger, const struct ledger_event *event, struct range range)
{
	for (unsigned int i = 0; i < DEPARTED_KEPT; i++) {
		if (ledger->departed[i].manner != HANDED_OUT &&
		    may_mean(event, &ledger->departed[i], range))
			ledger->doubtful_call = true;
	}
}

void book_clear(struct ledger *ledger, const struct ledger_event *event, struct range range,
		enum manner manner, struct pieces *taken)
{
	struct piece *piece;
	struct cursor at;

	if (range.start >= range.end)
		return;
	if (manner == REPLACED)
		doubt_fixed(ledger, event, range);
	piece = isolate(ledger, range, &at);
	while (piece && piece->part.start < range.end) {
		if (manner != HANDED_OUT && under_way(event, piece)) {
			if (manner == GIVEN_BACK && piece->chosen) {
				piece = intervals_next(&ledger->set, &at);
				continue;
			}
			ledger->doubtful_call = true;
		}
		if (taken) {
			*vec_add(taken) = *piece;
		} else {
			count_unmapped(ledger, &piece->part, false);
			ledger->departed[ledger->departed_count++ % DEPARTED_KEPT] =
				(struct departed){ *piece, event->exit_ns, manner };
		}
		piece = intervals_erase(&ledger->set, &at);
	}
	intervals_join(&ledger->set, range.start, range.end);
}

void book_recall(struct ledger *ledger, const struct ledger_event *event, struct range range,
		 struct pieces *taken)
{
	for (unsigned int i = 0; i < DEPARTED_KEPT; i++) {
		struct departed *departed = &ledger->departed[i];
		struct piece piece = departed->piece;

		if (departed->manner != HANDED_OUT || under_way(event, &piece) ||
		    !may_mean(event, departed, range))
			continue;
		if (piece.part.start < range.start)
			piece.part.start = range.start;
		if (piece.part.end > range.end)
			piece.part.end = range.end;
		count_unmapped(ledger, &piece.part, true);
		*vec_add(taken) = piece;
		departed->exit_ns = 0;
	}
}

void book_put(struct ledger *ledger, const struct ledger_event *event, struct range range,
	      struct piece piece, bool chosen)
{
	if (range.start >= range.end)
		return;
	piece.part.start = range.start;
	piece.part.end = range.end;
	piece.placed_ns = event->exit_ns;
	piece.chosen = chosen;
	intervals_insert(&ledger->set, &piece);
	intervals_join(&ledger->set, range.start, range.end);
}

uint64_t book_get(struct ledger *ledger, const struct ledger_event *event, struct range range,
		  enum manner manner, bool chosen, struct ledger_interval part)
{
	if (range.start >= range.end)
		return 0;
	book_clear(ledger, event, range, manner, NULL);
	part.site = event->site;
	part.commit_site = part.committed ? event->site : 0;
	part.time_ns = event->exit_ns;
	part.allocator = event->allocator;
	if (!part.id)
		part.id = ledger->next_id++;
	book_put(ledger, event, range, (struct piece){ .part = part }, chosen);
	return range_bytes(range);
}

void book_protect(struct ledger *ledger, const struct ledger_event *event, struct range range,
		  bool committed)
{
	struct piece *piece;
	struct cursor at;

	if (range.start >= range.end)
		return;
	piece = isolate(ledger, range, &at);
	for (; piece && piece->part.start < range.end; piece = intervals_next(&ledger->set, &at)) {
		if (piece->part.committed == committed)
			continue;
		if (under_way(event, piece) || piece->protect_ns > event->enter_ns)
			ledger->doubtful_call = true;
		piece->protect_ns = event->exit_ns;
		piece->part.committed = committed;
		piece->part.commit_site = committed ? event->site : 0;
	}
	intervals_join(&ledger->set, range.start, range.end);
}
