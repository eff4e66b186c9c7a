/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Takes in the records of the ring: stacks, mapping calls, ends of processes. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/error.h"
#include "collect/faults.h"
#include "collect/internal.h"
#include "collect/skeleton.h"
#include "model/classes.h"

/* The target's, as the kernel takes them. */
enum { PROT_EXEC_BIT = 4, MAP_STACK_BIT = 0x20000 };

/* -- stacks ------------------------------------------------------------------------------------ */

/* One copy of a path for collect's life: the mapping that has it may be replaced. */
static const char *keep_path(struct collect *collect, const char *path)
{
	if (!path)
		return NULL;
	vec_for_each (kept, &collect->paths) {
		if (!strcmp(*kept, path))
			return *kept;
	}
	*vec_add(&collect->paths) = mem_string(path);
	return collect->paths.items[collect->paths.count - 1];
}

/* Says where an address lies; code that came since the maps were read is looked for once. */
static void resolve(struct collect *collect, struct watched *watched, uint64_t address,
		    uint64_t time_ns, struct stack_frame *frame)
{
	const struct code *code = watched_find(watched, address);

	if (!code && watched->code_read_ns < time_ns && watched->state == WATCHED_RUNNING) {
		collect_refresh_code(collect, watched);
		code = watched_find(watched, address);
	}
	frame->address = address;
	if (!code)
		return;
	if (!code->image || !code->image->usable) {
		if (!watched->jit)
			watched->jit = jit_new(collect->sandbox, watched->pid);
		frame->made = jit_want(watched->jit, address);
	}
	frame->image = code->image;
	if (code->image)
		frame->address = address - code->bias;
	else
		frame->path = keep_path(collect, code->path ? code->path : "[anonymous]");
}

/* A frame of two words, the second one perhaps cut off. */
static void take_java(struct watched *watched, uint64_t word, uint64_t detail,
		      struct stack_frame *frame)
{
	frame->address = word & ABI_FRAME_ADDRESS;
	if (watched->java && word & ABI_FRAME_METHOD)
		frame->made = java_want(watched->java, JAVA_INTERPRETED, word & ~ABI_FRAME_METHOD,
					detail);
	else if (watched->java)
		frame->made = java_want(watched->java, JAVA_COMPILED, frame->address, detail);
}

/* Takes the words of a record as frames; Java's names at once. How many there are. */
static size_t take_frames(struct collect *collect, struct watched *watched,
			  const struct abi_stack *record, struct stack_frame *frames)
{
	size_t words = record->count, count = 0;

	for (size_t i = 0; i < words; i++) {
		struct stack_frame *frame = &frames[count++];
		bool exact = i == 0 && record->kind == KIND_HEAP;
		uint64_t word = record->frames[i];

		if (word & ABI_FRAME_KINDS) {
			i++;
			take_java(watched, word, i < words ? record->frames[i] : 0, frame);
		} else if (watched->java && java_holds(watched->java, word - 1)) {
			frame->address = word;
			frame->made = java_want(watched->java, JAVA_STUB, word, 0);
		} else {
			resolve(collect, watched, word - !exact, record->header.time_ns, frame);
		}
	}
	if (watched->java)
		collect->java_gone += java_resolve(watched->java);
	return count;
}

/* Of a process that came and went too fast to be watched: its sums would fill the map. */
static void forget_site(struct collect *collect, const struct abi_stack *record)
{
	struct abi_site_key key = { .mm = record->header.mm, .stack_id = record->stack_id };

	bpf_map_delete_elem(bpf_map__fd(collect->skeleton->maps.sites), &key);
}

static void record_stack(struct collect *collect, const struct abi_stack *record, size_t bytes)
{
	struct watched *watched = collect_watched_mm(collect, record->header.mm);
	size_t count = record->count;
	struct stack *stack;

	if (!watched)
		forget_site(collect, record);
	if (!watched || bytes < offsetof(struct abi_stack, frames) + count * sizeof(uint64_t) ||
	    collect_stack(watched, record->stack_id))
		return;
	stack = mem_alloc(sizeof(*stack));
	stack->id = record->stack_id;
	stack->kind = (uint8_t)record->kind;
	stack->end = (uint8_t)record->end;
	stack->frames = mem_array(count, sizeof(*stack->frames));
	stack->count = (uint16_t)take_frames(collect, watched, record, stack->frames);
	HASH_ADD(hh, watched->stacks, id, sizeof(stack->id), stack);
}

/* -- mappings ---------------------------------------------------------------------------------- */

static const enum ledger_call ledger_calls[] = {
	[CALL_MMAP] = LEDGER_MMAP,	   [CALL_MUNMAP] = LEDGER_MUNMAP,
	[CALL_MREMAP] = LEDGER_MREMAP,	   [CALL_BRK] = LEDGER_BRK,
	[CALL_MPROTECT] = LEDGER_MPROTECT, [CALL_MADVISE] = LEDGER_MADVISE,
};

/*
 * Its unwind rows are wanted before the next stack, the old ones in its place no more. A JIT
 * compiler makes what it has reserved executable, and writable again, all the time.
 */
static bool is_new_code(const struct watched *watched, const struct abi_mapping *record)
{
	if (!(record->args[2] & PROT_EXEC_BIT) || watched->code_read_ns >= record->header.time_ns ||
	    watched->state != WATCHED_RUNNING)
		return false;
	return record->call == CALL_MMAP ||
	       (record->call == CALL_MPROTECT && !watched_find(watched, record->args[0]));
}

static void record_mapping(struct collect *collect, const struct abi_mapping *record)
{
	struct watched *watched = collect_watched_mm(collect, record->header.mm);
	struct ledger_event event = {
		.enter_ns = record->enter_ns,
		.exit_ns = record->header.time_ns,
		.site = record->stack_id,
		.result = record->result,
		.allocator = record->allocator,
	};
	uint64_t mapped_bytes;
	struct stack *stack;

	if (!watched || !record->call ||
	    record->call >= sizeof(ledger_calls) / sizeof(ledger_calls[0]))
		return;
	if (watched->faults)
		faults_remap(watched->faults, record);
	if (is_new_code(watched, record))
		collect_refresh_code(collect, watched);
	if (!collect->options.mapping)
		return;
	event.call = ledger_calls[record->call];
	memcpy(event.args, record->args, sizeof(event.args));
	mapped_bytes = ledger_apply(watched->ledger, &event);
	stack = collect_stack(watched, record->stack_id);
	if (stack) {
		stack->allocated_bytes += mapped_bytes;
		stack->allocated_blocks += mapped_bytes != 0;
		if (record->call == CALL_MMAP && (record->args[3] & MAP_STACK_BIT))
			stack->owner = class_name(CLASS_THREAD_STACK);
	}
}

/* -- page faults ------------------------------------------------------------------------------- */

static void record_fault(struct collect *collect, const struct abi_fault *record)
{
	struct watched *watched = collect_watched_mm(collect, record->header.mm);
	struct stack *stack;
	uint64_t bytes;

	if (!watched || !watched->faults)
		return;
	bytes = faults_take(watched->faults, record, collect->options.max_blocks);
	collect->lost_pages += !bytes;
	stack = collect_stack(watched, record->stack_id);
	if (!stack)
		return;
	stack->allocated_bytes += bytes;
	stack->allocated_blocks += ABI_FAULTS;
}

/* -- processes --------------------------------------------------------------------------------- */

static void record_process(struct collect *collect, const struct abi_process *record)
{
	struct watched *watched = collect_watched_mm(collect, record->header.mm);

	if (watched && record->event != PROCESS_FORK) {
		watched->exit_code = record->exit_code;
		collect_end(collect, watched,
			    record->event == PROCESS_EXEC ? WATCHED_REPLACED : WATCHED_EXITED,
			    record->header.time_ns);
	}
	collect->short_lived += !watched && record->event == PROCESS_EXIT;
	if (record->event != PROCESS_EXIT)
		collect_begin(collect, record);
}

int collect_record(void *context, void *data, size_t bytes)
{
	const struct abi_header *header = data;
	struct collect *collect = context;

	collect->look_bytes += bytes;
	if (header->type == RECORD_STACK && bytes >= offsetof(struct abi_stack, frames))
		record_stack(collect, data, bytes);
	else if (header->type == RECORD_MAPPING && bytes >= sizeof(struct abi_mapping))
		record_mapping(collect, data);
	else if (header->type == RECORD_FAULT && bytes >= sizeof(struct abi_fault))
		record_fault(collect, data);
	else if (header->type == RECORD_PROCESS && bytes >= sizeof(struct abi_process))
		record_process(collect, data);
	else if (header->type == RECORD_VICTIM && bytes >= sizeof(struct abi_victim))
		collect_victim(collect, data);
	else if (header->type == RECORD_SIGNAL && bytes >= sizeof(struct abi_signal))
		collect_signal(collect, data);
	return collect->look_bytes < RING_BYTES ? 0 : -EAGAIN;
}

void collect_look(struct collect *collect)
{
	collect->look_bytes = 0;
	ring_buffer__consume(collect->ring);
	vec_for_each (watched, &collect->watched) {
		if ((*watched)->jit && jit_resolve((*watched)->jit))
			collect_note(collect, "pid %d: names of run-time code are missing: %s",
				     (int)(*watched)->pid, error_message());
	}
}
