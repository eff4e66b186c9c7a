/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A process being watched: its code, its mappings, its probes, and what became of it. */
#ifndef UNFREED_COLLECT_WATCHED_H
#define UNFREED_COLLECT_WATCHED_H

#include <stdbool.h>
#include <stdint.h>

#include <uthash.h>

#include "base/vec.h"
#include "collect/closing.h"
#include "collect/images.h"
#include "collect/java.h"
#include "collect/jit.h"
#include "collect/link.h"
#include "model/ledger.h"
#include "process/proc.h"

/* An executable mapping. Old ones are kept when code goes away: stacks may still name them. */
struct code {
	uint64_t start, end;
	uint64_t bias; /* address - bias = address in the image */
	struct image *image; /* NULL: anonymous */
	char *path; /* of an anonymous one: "[anon:jit]", or NULL */
	uint32_t seen; /* number of the reading that saw it last */
	uint64_t blocks; /* that its allocator has handed out, as last counted */
};

/* An image whose probes are on, or were, between windows. */
struct attached {
	const struct image *image;
	bool on;
};

/* Probes of one kind in one image: an fd whose closing takes them off. */
struct attached_link {
	int fd;
	bool frees;
};

enum watched_state { WATCHED_RUNNING, WATCHED_EXITED, WATCHED_REPLACED };

struct watched {
	pid_t pid; /* in our pid namespace */
	uint32_t tgid; /* in the kernel's own: that of its records */
	uint64_t mm; /* its key in the kernel's maps */
	uint16_t space; /* abi_target.space */
	bool forked; /* from a target, while watched */
	uint64_t began_ns; /* while watched; 0: it was there before */
	uint64_t end_ns; /* of its end */
	uint64_t exact_since_ns; /* of one that has ended: governor_exact_since */
	bool late_counted;
	char comm[64];
	int pidfd; /* -1: not needed any more */
	enum watched_state state;
	int exit_code; /* as in wait(2), -1: not known */
	int signal; /* the last that was sent to it, of those that ask for its end; 0: none */
	pid_t sender; /* of that; 0: not known */
	char sender_comm[16];
	struct stack *stacks; /* all that it has sent */
	struct sums *sums; /* of the last harvest; of one that has ended, for good */
	struct ledger_sums mapped; /* of one that has ended */
	char *allocators; /* the same; NULL: none */
	bool hidden; /* its allocator, by the lack of a symbol table: as last looked */
	bool too_short; /* it ended before its allocator could be probed */
	VEC(struct code) code; /* sorted by start */
	struct stubs_list stubs; /* in anonymous code, sorted by start */
	uint32_t readings; /* of the maps */
	uint64_t code_read_ns; /* when the maps were read last */
	uint32_t code_first, code_count; /* what the kernel side has of it */
	struct java *java; /* NULL: none */
	uint32_t java_tries; /* how often its libjvm was none that is known */
	struct jit *jit; /* NULL: no stack came through code without an image yet */
	struct ledger *ledger; /* NULL: it has ended */
	struct faults *faults; /* NULL: not asked for, or it has ended */
	VEC(struct attached_link) links;
	VEC(struct attached) attached;
	VEC(struct abi_probe_key) places; /* its part of the map of probes, where that is used */
	int places_fd;
	uint32_t probes; /* functions probed */
	UT_hash_handle hh; /* by mm */
};

/* Returns a new one, or NULL with a sentence where pid cannot be watched. */
struct watched *watched_new(pid_t pid);
void watched_free(struct watched *watched); /* NULL is legal; detaches */

/* It has ended: gives back all but its stacks and sums. Its links are the caller's to close. */
void watched_end(struct watched *watched);

/* Reads its maps again and opens new images. Returns 1 where there is new code, 0, or -errno. */
int watched_read_code(struct watched *watched, struct images *images);

/* The same of a process that may have executed another program since: the old code is forgotten. */
int watched_renew(struct watched *watched, struct images *images);

/* The mappings as the kernel side wants them: *code is the caller's. */
size_t watched_code_table(const struct watched *watched, struct abi_code **code);

/* Whether code was there when the maps were read last. */
bool watched_has(const struct watched *watched, const struct code *code);

/* Forgets code of an image that is to be freed; such code is gone. */
void watched_forget(struct watched *watched, const struct image *image);

/* The mapping that holds address, or NULL. */
const struct code *watched_find(const struct watched *watched, uint64_t address);

/* Starts the ledger with what is mapped now. Returns 0 or -errno. */
int watched_seed(struct watched *watched);

/* Reads the maps again into a ledger that lost track. */
void watched_reconcile(struct watched *watched);

struct watched_programs {
	enum link_method method;
	int enter_fd, return_fd, session_fd;
	int places_fd; /* the map of what is probed where, -1: probes carry cookies */
	bool held; /* their hits do not count yet */
};

/*
 * Probes its allocators. Returns 0 or -errno with a sentence; without a known allocator 0 is
 * returned and watched->probes is 0.
 */
int watched_attach(struct watched *watched, const struct watched_programs *programs);
void watched_detach(struct watched *watched);

/* How many of them are not in its code any more: a debugger has put back what it knew. */
uint32_t watched_probes_gone(const struct watched *watched);

/* Takes its part out of the map of probes. */
void watched_forget_places(struct watched *watched);

/* Does it have functions to be probed? */
bool watched_has_allocator(const struct watched *watched);

/* Takes the probes off until the next watched_attach: all but those of frees, or all. Their kernel
 * side is done with when closing is. */
void watched_pause_calls(struct watched *watched, struct closing *closing);
void watched_pause(struct watched *watched, struct closing *closing);

#endif
