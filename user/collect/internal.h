/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the files of collect share. */
#ifndef UNFREED_COLLECT_INTERNAL_H
#define UNFREED_COLLECT_INTERNAL_H

#include <uthash.h>

#include "thread.bpf.h"

#include "collect/collect.h"
#include "collect/names.h"
#include "collect/watched.h"

struct unfreed;
struct ring_buffer;

/* A frame as it was when its stack arrived: mappings may change later. */
struct stack_frame {
	struct image *image; /* NULL: address is raw */
	const struct named *made; /* of code that was made at run time, else NULL */
	uint64_t address; /* in the image, of the call: not of the return */
	const char *path; /* of an anonymous mapping, or NULL; lives as long as collect */
};

struct stack {
	struct abi_site_key key;
	struct watched *watched; /* whose it was: another may have its mm by now */
	uint8_t kind, end;
	uint16_t count;
	const char *owner; /* mapping: what the call itself says it is for, or NULL */
	uint64_t allocated_bytes, allocated_blocks; /* mapping: in the window */
	struct stack_frame *frames;
	UT_hash_handle hh;
};

struct collect {
	struct collect_options options;
	struct sandbox *sandbox;
	struct tables *tables;
	struct images *images;
	struct names *names;
	struct unfreed *skeleton;
	struct ring_buffer *ring;
	VEC(struct watched *) watched;
	VEC(int) links;
	VEC(char *) notes;
	VEC(char *) paths; /* of anonymous code, one copy each */
	struct stack *stacks;
	enum link_method method;
	bool cookies; /* probes carry them (5.15) */
	uint64_t start_ns, start_unix_ns, opened_ns, end_ns;
	double syscall_tax_ns;
	uint64_t look_bytes; /* taken from the ring by this look into it */
	uint64_t lost_mappings; /* records, by the time that the ledgers were corrected */
	uint64_t lost_stacks, late_attaches, short_lived, rescanned_ns;
	uint32_t probes;
	uint32_t generation; /* of the last table of mappings: rules of older ones are void */
	bool frozen;
};

uint64_t collect_now_ns(void);

/* targets.c: by its key in the kernel's maps, the last one that had it; NULL: none. */
struct watched *collect_watched_mm(struct collect *collect, uint64_t mm);

/* The named processes: opened with their code, found by the kernel side, probed. Return 0 or
 * -errno with a sentence. */
int collect_open_targets(struct collect *collect);
int collect_find_spaces(struct collect *collect);
int collect_attach_heap(struct collect *collect);

/* A process began: forked by a target, or a target's new program. */
void collect_begin(struct collect *collect, const struct abi_process *record);

/* After each look into the ring: probes what is new, lets go of what has ended. */
void collect_follow(struct collect *collect);

/* Reads the code of a process again and publishes it to the kernel side. */
int collect_refresh_code(struct collect *collect, struct watched *watched);

/* Publishes the code of a process to the kernel side, as it was read last. */
int collect_publish_code(struct collect *collect, struct watched *watched);

/* drop.c: where there are too many images, lets go of those that nothing maps any more. */
void collect_drop_images(struct collect *collect);

/* fetch.c: asks debuginfod for the debug files of what is to be named, where that is wanted. */
void collect_fetch(struct collect *collect);

/* A sentence for the user, once. */
void collect_note(struct collect *collect, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

enum { RING_BYTES = 4 << 20 };

/*
 * ring.c: takes in what is in the ring, and what comes meanwhile up to the ring's size: a target
 * that fills it faster than it is emptied cannot keep us there.
 */
void collect_look(struct collect *collect);

/* The callback of the ring buffer. */
int collect_record(void *context, void *data, size_t bytes);

/* harvest.c: the sums and live blocks, into a snapshot that has its frame already. */
int collect_harvest(struct collect *collect, struct snapshot *snapshot);

/* losses.c: one loss of the kernel side; all losses and counters, into a snapshot. */
uint64_t collect_loss(struct collect *collect, enum abi_loss loss);
void collect_losses(struct collect *collect, struct snapshot *snapshot);

/* load.c: sizes the maps, loads the programs. Returns 0 or -errno with a sentence. */
int collect_load(struct collect *collect);

/* cost.c */
double collect_syscall_ns(void);
void collect_cost(struct collect *collect, struct cost *cost);

#endif
