/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the files of collect share. */
#ifndef UNFREED_COLLECT_INTERNAL_H
#define UNFREED_COLLECT_INTERNAL_H

#include <uthash.h>

#include "thread.bpf.h"

#include "collect/collect.h"
#include "collect/governor.h"
#include "collect/names.h"
#include "collect/sums.h"
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
	uint64_t id; /* abi_site_key.stack_id */
	uint8_t kind, end;
	bool prepared; /* its names are known */
	uint16_t count;
	const char *owner; /* mapping: what the call itself says it is for, or NULL */
	uint64_t allocated_bytes, allocated_blocks; /* mapping: in the window */
	struct stack_frame *frames;
	UT_hash_handle hh;
};

/* Processes that ended, and of which only the sums are left. */
struct forgotten {
	uint64_t processes, stacks_kept; /* of those that are not forgotten */
	uint64_t overlaps;
	struct heap_totals heap;
	struct mapping_totals mapping;
	struct fault_totals fault;
};

/* A process that ended, or is to be killed: its texts. */
struct death {
	struct incident incident;
	char comm[64], sender_comm[16], asking_comm[16];
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
	struct watched *by_mm; /* those of them that have not ended */
	VEC(struct watched *) ended; /* in this order; out of the kernel's maps */
	struct forgotten forgotten;
	VEC(int) links;
	VEC(int) stale_links; /* of those that have ended: to be closed, which takes time */
	VEC(char *) notes;
	VEC(char *) paths; /* of anonymous code, one copy each */
	enum link_method method;
	bool cookies; /* probes carry them (5.15) */
	uint64_t start_ns, start_unix_ns, opened_ns, end_ns;
	double syscall_tax_ns;
	double trap_ns; /* what a probe hit costs without its program */
	uint64_t program_runs, program_ns; /* of the heap programs, when last asked */
	int stats_fd; /* while it is open, the kernel measures programs; -1 */
	struct governor governor;
	struct survivors *survivors; /* NULL: there were no windows */
	uint64_t look_bytes; /* taken from the ring by this look into it */
	unsigned int pairs; /* of programs at mapping calls */
	uint64_t lost_mappings; /* calls, by the time that the ledgers were corrected */
	uint64_t code_due_ns; /* when maps are to be read that nobody told of */
	size_t code_next; /* whose */
	VEC(int) fault_events; /* of threads */
	uint64_t fault_count; /* by the kernel's count, when last asked */
	uint64_t lost_pages; /* page faults not kept: too many */
	uint64_t java_gone; /* frames whose code was another's before they were named */
	uint64_t lost_stacks, late_attaches, short_lived, rescanned_ns;
	VEC(struct death) deaths; /* not told of yet, and before them those that were */
	size_t deaths_told;
	uint64_t notes_left_out; /* some of them more than once */
	uint64_t swept_ns; /* when live blocks of the ended may be looked for again */
	uint32_t probes;
	uint32_t generation; /* of the last table of mappings: rules of older ones are void */
	bool frozen;
};

uint64_t collect_now_ns(void);

/* targets.c: the one that has this key in the kernel's maps now; NULL: none. */
struct watched *collect_watched_mm(struct collect *collect, uint64_t mm);

/* Its key is another's from now on. */
void collect_end(struct collect *collect, struct watched *watched, enum watched_state state,
		 uint64_t end_ns);

/* The named processes: opened with their code, found by the kernel side, probed. Return 0 or
 * -errno with a sentence. */
int collect_open_targets(struct collect *collect);
int collect_find_spaces(struct collect *collect);
int collect_attach_heap(struct collect *collect);
int collect_attach_faults(struct collect *collect);

/* Probes what is not probed of one of them. It may be gone: that is no error. Else -errno. */
int collect_attach(struct collect *collect, struct watched *watched);

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

enum {
	RING_BYTES = 4 << 20,
	ATTACH_TRY_NS = 2000000000, /* how long a new program may take to load its allocator */
};

/*
 * ring.c: takes in what is in the ring, and what comes meanwhile up to the ring's size: a target
 * that fills it faster than it is emptied cannot keep us there.
 */
void collect_look(struct collect *collect);

/* The callback of the ring buffer. */
int collect_record(void *context, void *data, size_t bytes);

/*
 * ended.c: takes what has ended out of the kernel's maps, and keeps what it held at its end. Now,
 * or when it is worth it.
 */
void collect_bury(struct collect *collect, bool now);

/* deaths.c: takes the records of the kernel side, and that a process has ended. */
void collect_victim(struct collect *collect, const struct abi_victim *record);
void collect_signal(struct collect *collect, const struct abi_signal *record);
void collect_died(struct collect *collect, const struct watched *watched);
/* Chooses the programs before they are loaded; attaches them. 0, or -errno with a sentence. */
void collect_configure_deaths(struct collect *collect);
int collect_attach_deaths(struct collect *collect);

/* sites.c: the frames of a stack, by their names. */
void collect_site_frames(struct collect *collect, struct snapshot *snapshot,
			 const struct stack *stack, struct site *site);

/* Adds a site of a snapshot, or of what is forgotten, to its totals. */
void collect_add_totals(struct heap_totals *heap, struct mapping_totals *mapping,
			struct fault_totals *fault, const struct site *site);

/* The figures of a site: all but its names. False: nothing to be told. */
void collect_add_mapped(struct mapping_totals *mapping, const struct ledger_sums *sums);

/* A stack of a process, or NULL: it never made it through the ring. */
struct stack *collect_stack(struct watched *watched, uint64_t stack_id);

/* The kernel side reads its code no more. */
void collect_drop_code(struct collect *collect, struct watched *watched);

bool collect_fill_site(struct site *site, const struct sums *sums, const struct stack *stack,
		       uint64_t now_ns);
/* Keeps a link until the end; negative: an error, which it returns. */
int collect_keep_link(struct collect *collect, int fd);

/* mapping.c: chooses the programs before they are loaded; attaches them. */
bool collect_traces_mapping(const struct collect *collect);
void collect_configure_mapping(struct collect *collect);
int collect_attach_mapping(struct collect *collect);

/* How many calls of targets passed the programs by, or may have. */
uint64_t collect_missed_mapping_calls(struct collect *collect);

/*
 * harvest.c: the sums and live blocks, into a snapshot that has its frame already. since_ns: of all
 * that ran then; 0: of what runs, or where nothing does, of all that have ended.
 */
int collect_harvest(struct collect *collect, struct snapshot *snapshot, uint64_t since_ns);

/* Call take for each site (struct abi_site_key, struct abi_site) and each live block (struct
 * abi_block_key, struct abi_block) of the kernel side. Return 0 or -errno. */
int collect_read_sites(struct collect *collect, sums_take_fn take, void *context);
int collect_read_blocks(struct collect *collect, sums_take_fn take, void *context);

/* losses.c: one loss of the kernel side; all losses and counters, into a snapshot. */
uint64_t collect_loss(struct collect *collect, enum abi_loss loss);
uint64_t collect_counter(struct collect *collect, enum abi_counter counter);
void collect_losses(struct collect *collect, struct snapshot *snapshot);

/* load.c: sizes the maps, loads the programs. Returns 0 or -errno with a sentence. */
int collect_load(struct collect *collect);

/* cost.c */
double collect_syscall_ns(void);

/* What a run of the heap programs has taken since the last call, on the average; 0: not known. */
double collect_program_ns(struct collect *collect);
void collect_cost(struct collect *collect, struct cost *cost);

#endif
