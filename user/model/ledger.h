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

/* What one system call did; addresses and lengths in bytes, as the kernel rounded them. */
enum ledger_call { LEDGER_MMAP, LEDGER_MUNMAP, LEDGER_MREMAP, LEDGER_BRK, LEDGER_MPROTECT, LEDGER_MADVISE };

struct ledger_event {
	enum ledger_call call;
	uint64_t enter_ns, exit_ns;
	uint64_t site;	      /* the caller's id of the stack; 0 is reserved: before the attach */
	uint64_t result;      /* what the call returned (it succeeded) */
	uint64_t args[5];     /* as passed */
	uint32_t allocator;   /* 0: called by the program; else inside this allocator function */
};

/* A live interval: [start, end) belongs to one site and has one protection. */
struct ledger_interval {
	uint64_t start, end;
	uint64_t site;	    /* 0: from before the attach */
	uint64_t commit_site; /* whose call made it accessible: mmap, or mprotect from PROT_NONE */
	uint64_t time_ns;   /* of the call that mapped it */
	uint64_t id;	    /* of the mapping that it is a part of: counts mappings, not pieces */
	bool committed;	    /* not PROT_NONE */
	bool brk;	    /* part of the main heap */
	uint32_t allocator; /* that mapped it; 0: the program */
	bool arena;	    /* part of a glibc arena: reserved PROT_NONE inside an allocator call, 64 MiB
			     * aligned after its trims, grown by mprotect */
};

struct ledger_sums {
	uint64_t mapped_bytes, unmapped_bytes, preexisting_unmapped_bytes;
	uint64_t overlaps; /* calls whose order could not be told: the maps had to be read again */
};

/* page_bytes: of the target's kernel. */
struct ledger *ledger_new(uint64_t page_bytes);
void ledger_free(struct ledger *ledger);

/* Seeds a mapping from before the attach; brk: it is the [heap]. */
void ledger_seed(struct ledger *ledger, uint64_t start, uint64_t end, bool committed, bool brk);

/* The program break before the first event; 0: unknown until the first brk call. */
void ledger_seed_brk(struct ledger *ledger, uint64_t brk);

/*
 * Books one event. Events come in the order of their exit; an event that entered before another
 * exited on an overlapping range may have happened first: such pairs are counted as overlaps and
 * mark the ledger as doubtful.
 */
void ledger_apply(struct ledger *ledger, const struct ledger_event *event);

/* True once an order could not be told; ledger_reconcile clears it. */
bool ledger_doubtful(const struct ledger *ledger);

/*
 * Reads the truth: intervals that are no longer mapped are dropped, unknown ones added with site 0.
 * maps is sorted by start.
 */
struct ledger_range {
	uint64_t start, end;
	bool committed;
};
void ledger_reconcile(struct ledger *ledger, const struct ledger_range *maps, uint64_t count);

struct ledger_sums ledger_sums(const struct ledger *ledger);

/* Calls visit for every interval with a site (not the seeded ones), by address. */
void ledger_visit(const struct ledger *ledger,
		  void (*visit)(const struct ledger_interval *interval, void *context),
		  void *context);

#endif
