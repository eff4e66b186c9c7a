/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel side and user space share: records, keys, limits and enums. Included by bpf/,
 * user/collect and user/unwind only. Every struct is free of padding and its size is asserted, so
 * that both compilers agree on it and no uninitialised byte is ever hashed or sent.
 */
#ifndef UNFREED_ABI_H
#define UNFREED_ABI_H

#ifdef __bpf__
#include "vmlinux.h"
#else
#include <linux/types.h>
#endif

/* Mixes one word into a 64-bit hash (the murmur3 finaliser's multiply and shift). */
static inline __u64 abi_hash(__u64 hash, __u64 word)
{
	hash = (hash ^ word) * 0xff51afd7ed558ccdULL;
	return hash ^ (hash >> 32);
}

#define ABI_SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), "size of " #type)

enum {
	ABI_MAX_FRAMES = 128, /* frames kept of one stack */
	ABI_MAX_WORDS = 2 * ABI_MAX_FRAMES,
	ABI_MAX_OPEN_CALLS = 4, /* nested allocator calls kept for one thread */
	ABI_MAX_ROWS_LOG2 = 24, /* unwind rows in all: bounds the binary search in BPF */
};

/* -- allocator probes -------------------------------------------------------------------------- */

/* What an allocator's function does with a block. */
enum abi_role {
	ROLE_NONE,
	ROLE_ALLOCATE, /* returns a new block, or NULL */
	ROLE_ALLOCATE_OUT, /* returns 0 and stores the new block through its pointer argument */
	ROLE_REALLOCATE, /* gives back the old block where it returns a new one */
	ROLE_FREE, /* gives back the block in its pointer argument */
	/*
	 * Allocates, and may throw: it never has a return probe, which would end the target at the
	 * first exception. ROLE_LEAVE stands on the instructions by which it can leave.
	 */
	ROLE_ALLOCATE_THROWING,
	ROLE_LEAVE,
	/* Returns a new string, or NULL, or what its pointer argument was, where that is not NULL
	 */
	ROLE_ALLOCATE_STRING,
};

enum {
	PROBE_REALLOC_ZERO_FREES = 1 << 0, /* realloc(p, 0) frees p and returns NULL (glibc) */
	PROBE_RESIZES = 1 << 1, /* in place: returns the size that the block has then (jemalloc) */
	PROBE_PASSES_ON = 1 << 2, /* may free its block by calling another probed function */
	PROBE_UNSEEN = 1 << 3, /* a call that leaves here has no result to be seen */
	PROBE_INNERMOST = 1 << 4, /* calls no other probed function */
	/* its own allocator calls it, too, with what is free: glibc, at a thread's end */
	PROBE_EMPTIES_CACHES = 1 << 5,
};

enum { ARGUMENT_NONE = 0 }; /* argument positions count from 1 */
enum { PUSHED_UNKNOWN = 15 };

/* All that BPF needs to know of a probed function. Mostly it travels in the probe's 64-bit cookie.
 */
struct abi_probe {
	__u16 role : 3; /* enum abi_role */
	__u16 size_arg : 3; /* position of the size in bytes, or of the element's size */
	__u16 count_arg : 3; /* position of the number of elements, or ARGUMENT_NONE */
	__u16 pointer_arg : 3; /* position of the block or of the place for it, or ARGUMENT_NONE */
	__u16 pushed_words : 4; /* on the stack above the return address, or PUSHED_UNKNOWN */
	__u8 flags; /* PROBE_… */
	__u8 skip_bytes; /* from the function's first byte to the probed instruction */
	__u16 row; /* row in the table of allocators */
	__u16 space; /* abi_target.space of the process that the probe was put on for */
};
ABI_SIZE(struct abi_probe, 8);

/* Where a probe is hit: its key in a map, on kernels whose probes carry no cookie. */
struct abi_probe_key {
	__u64 mm;
	__u64 address; /* of the probed instruction */
};
ABI_SIZE(struct abi_probe_key, 16);

/* -- heap: live blocks and sums per stack ------------------------------------------------------ */

/*
 * A block's key is its address space: a vfork child frees and allocates in its parent's. The kernel
 * gives an mm of a dead process to the next one: abi_target.space tells them apart.
 */
struct abi_block_key {
	__u64 mm;
	__u64 address; /* space << 48 | address */
};
ABI_SIZE(struct abi_block_key, 16);

enum {
	BLOCK_PREEXISTING = 1 << 0, /* grown by realloc from a block older than the attach */
	BLOCK_SAMPLED = 1 << 1, /* kept by chance: it stands for abi_weight_… */
};

struct abi_block {
	__u64 stack_id;
	__u64 bytes : 48;
	__u64 flags : 16;
	__u64 time_ns; /* CLOCK_MONOTONIC */
};
ABI_SIZE(struct abi_block, 24);

/*
 * A block of s bytes is sampled with the chance p = s / sample_bytes, at most 1, and counts as 1/p
 * blocks then (Horvitz and Thompson, JASA 47, 1952). Sums of blocks are in units of a part of one.
 */
enum { ABI_BLOCK_UNITS = 256 };

static inline __u64 abi_weight_bytes(const struct abi_block *block, __u32 sample_bytes)
{
	if (!(block->flags & BLOCK_SAMPLED) || block->bytes > sample_bytes)
		return block->bytes;
	return sample_bytes;
}

static inline __u64 abi_weight_units(const struct abi_block *block, __u32 sample_bytes)
{
	__u64 bytes = block->bytes;

	if (!(block->flags & BLOCK_SAMPLED) || bytes > sample_bytes || !bytes)
		return ABI_BLOCK_UNITS;
	return (__u64)sample_bytes * ABI_BLOCK_UNITS / bytes;
}

/*
 * The live set's first table: buckets of slots, found by a hash of the key without a lock and
 * without an allocation. What finds no room in its bucket goes to a hash map.
 */
enum { ABI_SLOTS = 8, ABI_BUCKETS = 8192 };

struct abi_slot {
	struct abi_block_key key; /* address 0: empty */
	struct abi_block block;
	__u64 claims; /* 1: someone is filling it */
};
ABI_SIZE(struct abi_slot, 48);

struct abi_bucket {
	struct abi_slot slots[ABI_SLOTS];
};
ABI_SIZE(struct abi_bucket, 48 * ABI_SLOTS);

/* Of the address alone: mm is a pointer in the verifier's eyes, and not to be reckoned with. */
static inline __u32 abi_bucket_index(__u64 address)
{
	return abi_hash(0, address >> 4) >> 40 & (ABI_BUCKETS - 1);
}

struct abi_site_key {
	__u64 mm;
	__u64 stack_id; /* hash of abi_target.space, kind and frames: abi_stack.frames */
};
ABI_SIZE(struct abi_site_key, 16);

struct abi_site {
	__u64 live_bytes;
	__u64 live_units; /* heap: of ABI_BLOCK_UNITS a block */
	__u64 allocated_bytes;
	__u64 allocated_units;
	__u64 sent; /* its abi_stack is in the ring; else the next hit tries again */
};
ABI_SIZE(struct abi_site, 40);

/* -- counters ---------------------------------------------------------------------------------- */

/* Plain per-CPU sums. */
enum abi_counter {
	COUNTER_UNMATCHED_FREES, /* blocks given back that were allocated before the attach */
	COUNTER_INHERITED_FREES, /* the same in a process forked while watched */
	COUNTER_PREEXISTING_BLOCKS, /* older blocks that a realloc moved into the live set */
	COUNTER_RECAPTURES, /* blocks from before a gap, whose address was handed out again */
	COUNTER_HITS, /* probe hits in targets, entries and returns */
	COUNTER_SYSCALLS, /* mapping system calls in targets */
	COUNTER_FAULTS, /* minor page faults in targets */
	COUNTER_FAULT_RUNS, /* of the program at page faults, counted in the window or not */
	COUNTER_MAX,
};

/* What the kernel side knows that it missed. */
enum abi_loss {
	LOSS_BLOCKS_FULL, /* allocations not kept: the live set is full */
	LOSS_SITES_FULL, /* allocations not kept: too many distinct stacks */
	LOSS_THREADS_FULL, /* calls not paired: too many threads */
	LOSS_NESTED_CALLS, /* calls not paired: nested deeper than ABI_MAX_OPEN_CALLS */
	LOSS_MISSED_RETURNS, /* entries whose return was never seen (longjmp, dead thread) */
	LOSS_REUSED_ADDRESSES, /* an address was handed out again, its free was not seen */
	LOSS_FAR_ADDRESSES, /* blocks above 2^48: there is no room for such in a key */
	LOSS_READ_FAULTS, /* result pointers that could not be read */
	LOSS_MAPPING_RECORDS, /* mapping calls that did not fit into the ring */
	LOSS_MAPPING_CALLS, /* mapping calls of which the kernel showed only an end, or none */
	LOSS_FAULT_RECORDS, /* page faults that did not fit into the ring */
	LOSS_PROCESS_RECORDS, /* process events that did not fit into the ring */
	LOSS_TARGETS_FULL, /* processes that began while watched, and for which there was no room */
	LOSS_SCRATCH_BUSY, /* walks not done: too many are preempted on one CPU */
	LOSS_MAX,
};

/* -- stacks ------------------------------------------------------------------------------------ */

/* Why a stack stops. */
enum abi_end {
	END_ROOT, /* the thread's outermost frame */
	END_NO_TABLE, /* no unwind row for the last frame's code, and no frame pointer to follow */
	END_NO_MAPPING, /* the last address lies in no executable mapping */
	END_READ_FAULT, /* the stack could not be read */
	END_DEPTH, /* ABI_MAX_FRAMES reached */
	END_BARRIER, /* a known boundary: a continuation, a language runtime's stack switch */
	END_BAD_FRAME, /* the next frame would lie below this one */
	END_MAX,
};

enum abi_kind { KIND_HEAP, KIND_MAPPING, KIND_FAULT };

/* -- the ring: one header, then the body of its type ------------------------------------------- */

enum abi_record_type {
	RECORD_STACK = 1,
	RECORD_MAPPING,
	RECORD_PROCESS,
	RECORD_FAULT,
	RECORD_VICTIM,
	RECORD_SIGNAL,
};

struct abi_header {
	__u32 type; /* enum abi_record_type */
	__u32 tgid;
	__u64 mm;
	__u64 time_ns;
};
ABI_SIZE(struct abi_header, 24);

/*
 * Set in a word of abi_stack.frames, which another one follows. The rest is the Method* of an
 * interpreted Java frame, and the next word its bytecode pointer; above both addresses stand parts
 * of a number that tells the Method from others that were in its place. Or the rest is a return
 * address in what HotSpot has compiled, and the next word the number of that compilation.
 */
#define ABI_FRAME_METHOD (1ULL << 63)
#define ABI_FRAME_COMPILED (1ULL << 62)
#define ABI_FRAME_KINDS (ABI_FRAME_METHOD | ABI_FRAME_COMPILED)
#define ABI_FRAME_ADDRESS ((1ULL << 48) - 1)
enum { ABI_METHOD_IDENTITY = (1 << 30) - 1 }; /* its upper 14 bits in the first word */

/*
 * A stack, sent once for each (mm, stack_id). frames[0] is exact (the allocator function's first
 * byte, or the address behind a system call), the others are return addresses, or interpreted
 * frames. Only count words are sent.
 */
struct abi_stack {
	struct abi_header header;
	__u64 stack_id;
	__u32 count;
	__u16 kind; /* enum abi_kind */
	__u16 end; /* enum abi_end */
	__u64 frames[ABI_MAX_WORDS];
};
ABI_SIZE(struct abi_stack, 40 + 8 * ABI_MAX_WORDS);

enum abi_mapping_call {
	CALL_MMAP = 1,
	CALL_MUNMAP,
	CALL_MREMAP,
	CALL_BRK,
	CALL_MPROTECT,
	CALL_MADVISE
};

/* One successful system call; header.time_ns is its exit. */
struct abi_mapping {
	struct abi_header header;
	__u64 enter_ns;
	__u64 stack_id; /* kind mapping; its abi_stack precedes this record */
	__u64 result;
	__u64 args[5]; /* as passed; mmap without its file offset */
	__u32 call; /* enum abi_mapping_call */
	__u32 allocator; /* 1 + row of the allocator function that was open, 0: none */
};
ABI_SIZE(struct abi_mapping, 96);

/*
 * The faults of one page in so many are recorded: of a page by its address, so that whoever touches
 * it again after it was given back is heard, too.
 */
enum { ABI_FAULTS = 16 };

static inline int abi_fault_is_recorded(__u64 seed, __u64 address)
{
	return !(abi_hash(abi_hash(seed, address >> 12), 0) >> 8 & (ABI_FAULTS - 1));
}

/* A page that was touched, and was not there. */
struct abi_fault {
	struct abi_header header;
	__u64 stack_id; /* kind fault; its abi_stack precedes this record */
	__u64 address;
};
ABI_SIZE(struct abi_fault, 40);

enum abi_process_event { PROCESS_FORK = 1, PROCESS_EXEC, PROCESS_EXIT };

/* The address space of header.mm ends (exec, exit), and that of mm begins (fork, exec). */
struct abi_process {
	struct abi_header header; /* tgid: of the parent, where event is a fork */
	__u64 mm;
	__u32 event; /* enum abi_process_event */
	__s32 exit_code; /* as in wait(2) */
	__u32 tgid; /* of the process that begins */
	__u32 pid; /* the same, in user space's pid namespace */
	__u16 space;
	__u16 reserved[3];
};
ABI_SIZE(struct abi_process, 56);

enum { ABI_COMM_BYTES = 16 }; /* TASK_COMM_LEN */

/* The kernel kills the target of header, to have its memory. */
struct abi_victim {
	struct abi_header header;
	__u64 usage_bytes, limit_bytes; /* of the control group at its limit; 0: none is */
	__u32 groups_up; /* how far above the victim's own that group is */
	__u32 pid, tid; /* of the thread that asked for memory, in user space's pid namespace */
	__u8 comm[ABI_COMM_BYTES]; /* of that thread */
	__u32 reserved;
};
ABI_SIZE(struct abi_victim, 72);

/* A signal that is to end the target of header, or to ask it to. */
struct abi_signal {
	struct abi_header header;
	__u32 number;
	__u32 pid; /* of the sender, in user space's pid namespace; 0: the kernel, or not in it */
	__u8 comm[ABI_COMM_BYTES];
};
ABI_SIZE(struct abi_signal, 48);

/* -- targets and unwind tables ----------------------------------------------------------------- */

/* A process that user space names, by its pid in user space's namespace; all else is global. */
struct abi_wanted {
	__u64 mm; /* 0: not found yet */
	__u32 tgid;
	__u16 space;
	__u16 reserved;
};
ABI_SIZE(struct abi_wanted, 16);

enum { TARGET_FORKED = 1 << 0 }; /* it began as a copy of its parent's blocks */

/* A traced address space, by mm. first and count name its part of the table of mappings. */
struct abi_target {
	__u32 tgid;
	__u32 mappings_first;
	__u32 mappings_count;
	__u32 generation; /* of its mappings and rows: no two states of any targets share one */
	__u16 space; /* tells it from earlier address spaces of the same mm */
	__u16 flags; /* TARGET_… */
	__u32 reserved;
};
ABI_SIZE(struct abi_target, 24);

/* An executable mapping: sorted by start within its process. */
struct abi_code {
	__u64 start; /* first address */
	__u64 end; /* first address behind it */
	__u64 bias; /* address - bias = address in the image, as its unwind rows have it */
	__u32 rows_first;
	__u32 rows_count; /* 0: no table */
	__u32 image; /* tells what is mapped from what was mapped here before */
	__u32 reserved;
};
ABI_SIZE(struct abi_code, 40);

/*
 * How the caller's frame follows from this one's registers. CFA: sp of the caller after the return.
 * offset: 8 * cfa_offset.
 */
enum abi_cfa {
	CFA_NONE, /* no rule: by frame pointer, or the walk ends, END_NO_TABLE */
	CFA_ROOT, /* return address undefined: the thread's root */
	CFA_SP, /* CFA = sp + offset */
	CFA_BP, /* CFA = bp + offset */
	CFA_PLT, /* x86-64 PLT slot: CFA = sp + 8 + ((pc & 15) >= cfa_offset ? 8 : 0) */
	CFA_SIGNAL, /* signal trampoline: registers lie in the rt_sigframe at sp */
	CFA_SP_DEREF, /* CFA = *(sp + offset) */
	CFA_BP_DEREF, /* CFA = *(bp + offset): functions that realign their stack (gcc's DRAP) */
	CFA_INTERPRETED, /* Java in HotSpot's interpreter: CFA = *(bp - 8), the rest at bp */
	CFA_BARRIER, /* the rest of the stack lies elsewhere: END_BARRIER */
};

enum { ROW_BP_SAME = -128 }; /* bp_offset: the register is not saved here */

/*
 * One row holds from its pc to the next row's. The return address lies at CFA - 8, bp at
 * CFA + 8 * bp_offset (with CFA_BP_DEREF: at bp + 8 * bp_offset). Rows are sorted by pc within an
 * image; adjacent equal rows are merged.
 */
struct abi_row {
	__u32 pc; /* offset from the image's lowest row address: abi_code.bias has it */
	__s16 cfa_offset; /* words of 8 bytes: large arrays lie on stacks */
	__s8 bp_offset; /* words of 8 bytes, or ROW_BP_SAME */
	__u8 cfa; /* enum abi_cfa */
};
ABI_SIZE(struct abi_row, 8);

/* -- HotSpot ----------------------------------------------------------------------------------- */

enum {
	ABI_CODE_HEAPS = 4, /* HotSpot has at most 3, 4 with hot code apart (JDK 26) */
	ABI_CLASS_NAME_STEPS = 4,
	ABI_SEGMENT_HOPS = 128, /* in a segment map: a step goes back by up to 254 segments */
};

/* A part of the code cache: blobs of code, each in a block of whole segments. */
struct abi_code_heap {
	__u64 start, end; /* reserved for it */
	__u64 segment_map; /* a byte a segment: 0 starts a block, 0xff is free, else: so far back */
};
ABI_SIZE(struct abi_code_heap, 24);

/* The JVM of a target, by mm: what a walk must know of its code. */
struct abi_jvm {
	struct abi_code_heap heaps[ABI_CODE_HEAPS]; /* unused ones are empty */
	__u64 interpreter_start, interpreter_end;
	__u64 barrier_start, barrier_end; /* to which the frames of a continuation return */
	__u16 segment_log2;
	__u16 frame_size_offset; /* in a block, of the blob's frame size: words, an int */
	__s16 bytecode_slot; /* words from bp: the bytecode pointer of an interpreted frame */
	__u16 name_offset; /* in a block, of a pointer to the text that says what blob it is */
	__u16 compilation_offset; /* in a block of an nmethod, of its number: an int */
	/* The way from a Method* to the Symbol that names its class: offsets of pointers. */
	__u16 class_name_offsets[ABI_CLASS_NAME_STEPS];
	__u16 symbol_length_offset; /* in it, of the length: 16 bits */
	__u16 symbol_text_offset;
	__u16 reserved;
};
ABI_SIZE(struct abi_jvm, 152);

/* What the kernel side's frozen says. Whoever counts asks only whether it is 0. */
enum abi_frozen {
	FROZEN_NOT, /* the window is open */
	FROZEN_OPENING, /* processes are followed, nothing is counted yet */
	FROZEN_CLOSED, /* all figures are of one moment: nothing may change any more */
};

/* Settings of one run: constants that the verifier sees. */
struct abi_config {
	__u8 frame_pointers_only; /* --stack fp */
	__u8 session; /* return probes may be skipped: session links */
	__u8 never; /* always 0: what hangs on it is seen, but not run */
	__u8 mapping; /* mapping calls have sites, and the allocator call that they are in */
	__u32 sample_bytes; /* 0: every block */
	__u64 fault_seed; /* decides which pages are looked at */
};
ABI_SIZE(struct abi_config, 16);

#endif
