/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A snapshot: immutable sums and named stacks of one moment. It holds all that a report says, and
 * nothing of the kernel or of files, so that it can be recorded, compared and drawn anywhere.
 */
#ifndef UNFREED_MODEL_SNAPSHOT_H
#define UNFREED_MODEL_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/vec.h"

enum frame_type { FRAME_NATIVE, FRAME_INLINED, FRAME_JAVA, FRAME_INTERPRETED, FRAME_KERNEL };

struct frame {
	const char *name; /* demangled function; NULL: unknown, module and offset say where */
	const char *module; /* path of the image as the target sees it; NULL: none */
	uint64_t offset; /* of the address in the image */
	const char *file; /* source file, or NULL */
	uint32_t line; /* 0: unknown */
	enum frame_type type;
};

enum site_kind { SITE_HEAP, SITE_MAPPING, SITE_FAULT, SITE_KINDS };

/* Why a stack stops; the order is that of enum abi_end. */
enum site_end {
	SITE_END_ROOT,
	SITE_END_NO_TABLE,
	SITE_END_NO_MAPPING,
	SITE_END_READ_FAULT,
	SITE_END_DEPTH,
	SITE_END_BARRIER,
	SITE_END_BAD_FRAME,
	SITE_END_LOST, /* the stack itself was lost; its sums are right */
	SITE_ENDS,
};

/* One complete stack of one process, and what it holds. */
struct site {
	enum site_kind kind;
	pid_t pid;
	uint64_t
		id; /* of its stack, in the snapshots of one watch of its process; never recorded */
	uint64_t bytes; /* outstanding; mapping: address space still mapped */
	uint64_t blocks; /* outstanding blocks or mappings */
	uint64_t allocated_bytes, allocated_blocks; /* all in the window */
	uint64_t committed_bytes; /* mapping: without PROT_NONE */
	uint64_t resident_bytes; /* mapping, where known */
	bool resident_known;
	uint64_t young_bytes, young_blocks; /* the part younger than the snapshot's min_age_ns */
	uint64_t preexisting_bytes; /* the part that is a block from before the attach, grown */
	uint64_t min_age_ns, max_age_ns; /* of the outstanding blocks; 0 where there are none */
	/* windowed or sampled: bytes and blocks are estimates */
	uint64_t standard_error_bytes;
	uint64_t sampled_blocks; /* windowed: old enough to be judged */
	uint64_t sampled_live_blocks; /* of these, or in all where every call is seen */
	uint64_t unverified_bytes, unverified_blocks; /* seen alive before a gap: not in bytes */
	/* of a diff: before; never recorded */
	uint64_t before_bytes, before_blocks;
	uint64_t before_allocated_bytes, before_allocated_blocks, before_committed_bytes;
	const char *owner; /* mapping: "glibc arena", "mmapped block", … ; NULL: the program */
	const char *verdict; /* NULL: none */
	const struct frame *frames; /* leaf first */
	size_t frame_count;
	enum site_end end;
};

struct process {
	pid_t pid;
	const char *comm;
	const char *state; /* "running", "exited", "replaced" (exec) */
	const char *exit; /* how it ended: "exit status 3", "killed by signal 9", or NULL */
	const char *allocator; /* "glibc 2.36" …; NULL: none found, heap not traced */
	uint64_t rss_bytes; /* when the snapshot was taken, 0 where it is gone */
};

/* A file that frames' module names. */
struct module {
	const char *path;
	const char *build_id; /* in hex; NULL: none, or not the same in all that have this path */
};

/* A named number: a loss, or a cost. */
struct counted {
	const char *name; /* a JSON key: "live_set_full" */
	const char
		*text; /* a sentence's start for people: "allocations not kept (live set full)" */
	uint64_t count;
};

struct heap_totals {
	uint64_t live_bytes, live_blocks;
	uint64_t allocated_bytes, allocated_blocks;
	uint64_t freed_bytes, freed_blocks;
	uint64_t unmatched_frees; /* of blocks from before the attach */
	uint64_t inherited_frees; /* of blocks from before a fork */
	uint64_t preexisting_bytes, preexisting_blocks;
};

struct mapping_totals {
	uint64_t live_bytes, committed_bytes, live_mappings;
	uint64_t mapped_bytes, unmapped_bytes; /* all in the window */
	uint64_t preexisting_unmapped_bytes; /* of mappings from before the attach */
};

struct fault_totals {
	uint64_t resident_bytes, resident_pages; /* that are there still, by what was recorded */
	uint64_t touched_bytes; /* all in the window, by the same */
	uint64_t faults; /* all, counted */
};

/* A part of the window in which heap calls were traced in one way. */
struct epoch {
	const char *mode; /* "exact"; "windowed": now and then; "stopped": not at all */
	uint64_t begin_ns, end_ns; /* since the window opened */
	uint64_t windows, on_ns; /* windowed: how many there were, and how long in all */
};

struct cost {
	uint64_t hits; /* probe hits in the target */
	uint64_t hits_cpu_ns; /* BPF time of these; 0: not measured */
	uint64_t syscalls; /* mapping system calls traced */
	double syscall_tax_ns; /* added to every system call of the machine; < 0: not measured */
	uint64_t tool_cpu_ns; /* CPU time of this tool */
	uint64_t tool_rss_bytes; /* its peak memory, without the kernel's maps */
	uint64_t kernel_map_bytes; /* its maps in the kernel */
	double budget_share; /* of the target's time; 0: no limit */
	double used_share, worst_share; /* in all, and in any 5 s; known only with a limit */
	double hit_ns; /* what one probe hit is taken to cost */
	uint64_t attach_ns; /* from the start to the last probe */
};

/* Of a process whose heap was walked from outside when the window began and when it ended: as in
 * model/verdict.h. */
struct process_verdict {
	pid_t pid;
	const char *kind, *rule, *evidence, *remedy;
	uint64_t gain_bytes;
	uint64_t in_use_bytes;
	uint64_t retained_bytes; /* freed, and kept resident by malloc */
};

/* What a report was written for, where nobody waited for it: an end, or a trigger. */
struct incident {
	const char *reason; /* "oom", "exit", "signal", or the trigger: "rss>2G" */
	uint64_t time_ns; /* since the window opened */
	pid_t pid; /* of the process, 0: all of the target */
	const char *comm; /* its name, or NULL */
	bool ended; /* exit_code is how, as in wait(2) */
	int exit_code;
	int signal; /* the last one sent to it that asks for its end; 0: none */
	pid_t sender; /* of that; 0: not known */
	const char *sender_comm;
	/* oom: the thread that found no memory, and the control group at its limit */
	pid_t asking_pid, asking_tid;
	const char *asking_comm;
	uint64_t usage_bytes, limit_bytes; /* limit 0: no group was at one, the machine was short */
	uint64_t groups_up; /* how far above the process's own that group is */
};

/* The target in short, some time before. */
struct reading {
	uint64_t time_ns; /* since the window opened */
	uint64_t rss_bytes; /* of all processes */
	uint64_t group_bytes, limit_bytes; /* of the control group: charged, and at most; 0: none */
	uint64_t live_bytes, live_blocks; /* of the heap, as far as it was traced */
};

struct snapshot {
	const char *target; /* as the user named it: "container demo", "pid 1234" */
	const char *mode; /* "exact"; "sampled"; or "windowed", where any epoch was */
	uint64_t sample_bytes; /* what the heap's sums are estimated from: one block in so many
				* bytes, of those that no window saw; 0: each */
	uint64_t start_unix_ns, window_ns;
	uint64_t min_age_ns; /* what young_bytes was measured against */
	bool heap, mapping, fault; /* which events were traced */
	const char *ended_by; /* "duration", "target exited", "interrupted", "interval" */
	VEC(struct epoch) epochs; /* heap: one after another */
	VEC(struct process) processes;
	VEC(struct module) modules; /* each path once */
	struct heap_totals heap_totals;
	struct mapping_totals mapping_totals;
	struct fault_totals fault_totals;
	VEC(struct counted) losses; /* all kinds, zero counts included */
	VEC(struct site) sites; /* most bytes first */
	VEC(struct process_verdict) verdicts; /* most heap first */
	VEC(struct incident) incidents; /* why this report is; none: someone waited for it */
	VEC(struct reading) readings; /* of the last minutes, by time, with incidents only */
	VEC(const char *) notes; /* what the user must know: "pid 7: no known allocator" */
	struct cost cost;
	int command_status; /* of a COMMAND: as in wait(2); -1: none */
	struct snapshot *whole; /* what this is a part of, and frees; NULL: nothing is left out */
	struct strings *strings; /* owns all text and frames above, or what was added to a copy */
};

/* -- building: used by collect and by the reader of recordings ----------------------------------
 */

struct snapshot *snapshot_new(void);
void snapshot_free(struct snapshot *snapshot); /* NULL is legal */

/* The same anew: its lists can be changed, its texts and frames are those of the original, which
 * must outlive it, as what that is a part of. */
struct snapshot *snapshot_copy(const struct snapshot *snapshot);

/* One copy of each text for the snapshot's life; NULL gives NULL. */
const char *snapshot_string(struct snapshot *snapshot, const char *text);
/* A copy of frames (their texts must already be the snapshot's). */
const struct frame *snapshot_frames(struct snapshot *snapshot, const struct frame *frames,
				    size_t count);
/*
 * Notes the build-id of the file at path. Containers may have different files there: which of them
 * a frame means is not known then, and the path has no build-id.
 */
void snapshot_module(struct snapshot *snapshot, const char *path, const uint8_t *build_id,
		     size_t bytes);
/* A sentence for the user: shown with the coverage. */
void snapshot_note(struct snapshot *snapshot, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Sorts the sites, most outstanding bytes first; ties by blocks, pid and frames, so that equal
 * input gives equal output. */
void snapshot_sort(struct snapshot *snapshot);

/*
 * Ages are told to the millisecond: births as whole ones since the window opened, so that they
 * stand still from snapshot to snapshot. Their nanoseconds are of no use, and would be most of a
 * recording.
 */
enum { BIRTH_UNIT_NS = 1000000 };
void snapshot_round_ages(struct snapshot *snapshot);

/* -- reading ------------------------------------------------------------------------------------
 */

const char *site_kind_name(enum site_kind kind); /* "heap", "mapping", "fault" */
/* What the memory is: the owner of a mapping ("program" where none is known), else the kind. */
const char *site_class(const struct site *site);
/* In hex; NULL: none is known. */
const char *snapshot_build_id(const struct snapshot *snapshot, const char *path);
/* "?" where the process or its name is not known. */
const char *snapshot_comm(const struct snapshot *snapshot, pid_t pid);

const char *site_end_name(enum site_end end); /* "root", "no table", … */
const char *frame_type_name(enum frame_type type);

/* The share, by outstanding bytes (by count where nothing is outstanding), of sites whose stack
 * reaches the root or a barrier: 0.0 to 1.0; 1.0 without sites. Of a part that of the whole. */
double snapshot_stacks_complete(const struct snapshot *snapshot);

/* Are the sites of the heap estimates, from windows or from samples? */
bool snapshot_is_estimated(const struct snapshot *snapshot);

/* Losses in all. */
uint64_t snapshot_losses(const struct snapshot *snapshot);

#endif
