/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The ledger of mappings: which address space a process got from the kernel while watched, by whom,
 * and what is still mapped. Intervals, so that partial, spanning and overlaid unmapping, moving and
 * growing mremap, MAP_FIXED over old mappings, brk and mprotect are all exact.
 *
 * One ledger holds one address space. Mappings from before the attach are seeded, so that what
 * happens to them is told from what happens to ours.
 */
#ifndef UNFREED_MODEL_LEDGER_H
#define UNFREED_MODEL_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

struct ledger;

/*
 * Each byte belongs to the call that got it from the kernel, until it is unmapped:
 * - MAP_FIXED over something else unmaps that first. One exception: PROT_NONE mapped over memory
 *   inside an allocator only decommits it (glibc's shrink_heap, jemalloc's pages_decommit).
 * - mremap moves bytes with all they have; those by which the mapping grew belong to the mremap,
 *   also where the mapping is from before the attach. What it maps while the old range stays
 *   (MREMAP_DONTUNMAP, old size 0) is a new mapping, its own.
 * - brk grows the main heap: one mapping, each growth with its own site.
 * - mprotect changes commitment only, madvise nothing.
 */

/* What one system call did; addresses and lengths in bytes, as passed: the ledger rounds them. */
enum ledger_call {
	LEDGER_MMAP,
	LEDGER_MUNMAP,
	LEDGER_MREMAP,
	LEDGER_BRK,
	LEDGER_MPROTECT,
	LEDGER_MADVISE,
};

struct ledger_event {
	enum ledger_call call;
	uint64_t enter_ns, exit_ns;
	uint64_t site; /* the caller's id of the stack; 0 is reserved: before the attach */
	uint64_t result; /* what the call returned (it succeeded) */
	uint64_t args[5]; /* as passed */
	uint32_t allocator; /* 0: called by the program; else inside this allocator function */
};

/* A live interval: [start, end) belongs to one site and has one protection. */
struct ledger_interval {
	uint64_t start, end;
	uint64_t site; /* 0: from before the attach */
	uint64_t commit_site; /* whose call made it accessible: mmap, brk, mremap, or mprotect from
			       * PROT_NONE; 0: not committed, or before the attach */
	uint64_t time_ns; /* of the call that mapped it */
	uint64_t id; /* of the mapping that it is a part of: counts mappings, not pieces */
	bool committed; /* not PROT_NONE */
	bool brk; /* part of the main heap */
	bool arena; /* part of a glibc arena: reserved PROT_NONE inside an allocator call,
		     * 64 MiB aligned after its trims, grown by mprotect */
	uint32_t allocator; /* that mapped it; 0: the program */
};

struct ledger_sums {
	uint64_t mapped_bytes; /* all that calls got; minus unmapped_bytes: what is live */
	uint64_t unmapped_bytes; /* of these, given back or mapped over */
	uint64_t preexisting_unmapped_bytes;
	uint64_t overlaps; /* calls whose order could not be told: the maps had to be read again */
};

/* page_bytes: of the target's kernel. */
struct ledger *ledger_new(uint64_t page_bytes);
void ledger_free(struct ledger *ledger);

/* Seeds a mapping from before the attach; brk: it is the [heap]. */
void ledger_seed(struct ledger *ledger, uint64_t start, uint64_t end, bool committed, bool brk);

/*
 * The program break before the first event, for a process without a [heap] (start_brk of
 * /proc/PID/stat); 0: unknown until the first brk call, whose growth is then unknown, too.
 */
void ledger_seed_brk(struct ledger *ledger, uint64_t brk);

/*
 * Books one event; returns the bytes of address space that it got, which are event->site's.
 *
 * Events come in the order of their exit; one that entered before another exited may have happened
 * first. Where the kernel chose an address, nobody knew it before that call returned, so a call
 * that was already under way meant what was there before: such pairs are booked in their true order
 * (memory that one thread unmaps and another is given at once). All other pairs on an overlapping
 * range are counted as overlaps and mark the ledger as doubtful.
 */
uint64_t ledger_apply(struct ledger *ledger, const struct ledger_event *event);

/* True once an order could not be told; ledger_reconcile clears it. */
bool ledger_doubtful(const struct ledger *ledger);

/*
 * Reads the truth: intervals that are no longer mapped are dropped, unknown ones added with site 0,
 * protections corrected. maps is sorted by start.
 */
struct ledger_range {
	uint64_t start, end;
	bool committed;
	bool brk; /* the [heap] */
};
void ledger_reconcile(struct ledger *ledger, const struct ledger_range *maps, uint64_t count);

struct ledger_sums ledger_sums(const struct ledger *ledger);

typedef void (*ledger_visit_fn)(const struct ledger_interval *interval, void *context);

/* Calls visit for every interval with a site (not the seeded ones), by address. */
void ledger_visit(const struct ledger *ledger, ledger_visit_fn visit, void *context);

/*
 * Calls visit for every seeded interval that a call has made accessible since: site 0, commit_site
 * set. This is how an arena from before the attach grows.
 */
void ledger_visit_grown(const struct ledger *ledger, ledger_visit_fn visit, void *context);

#endif
