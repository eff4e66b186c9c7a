/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Keeps a JVM's layout, and its frames' names by place and state of the code. */
#include "collect/java.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include <uthash.h>

#include "base/cleanup.h"
#include "base/error.h"

_Static_assert((int)ABI_CODE_HEAPS == (int)SANDBOX_CODE_HEAPS_MAX, "one number");
_Static_assert((int)ABI_CLASS_NAME_STEPS == (int)SANDBOX_CLASS_NAME_STEPS, "one number");

struct place {
	uint64_t address, detail;
	uint64_t kind; /* enum java_kind */
	uint64_t code_state; /* when it was named; 0: its detail tells it from others */
};

struct entry {
	struct place place;
	struct named named;
	UT_hash_handle hh;
};

struct java {
	struct sandbox *sandbox;
	uint32_t id;
	bool ready, ended;
	struct abi_jvm layout;
	uint64_t code_state;
	struct entry *entries;
	VEC(struct entry *) wanted;
	size_t gone; /* of those that were wanted last */
};

struct java *java_new(struct sandbox *sandbox, pid_t pid, const struct image *image, uint64_t bias)
{
	cleanup_close int memory = -1;
	struct java *java;
	char path[32];
	uint32_t id;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	memory = open(path, O_RDONLY | O_CLOEXEC);
	if (memory < 0) {
		error_set(-errno, "cannot read the memory of pid %d: %s", (int)pid,
			  strerror(errno));
		return NULL;
	}
	if (sandbox_jvm_open(sandbox, image->info.id, bias, memory, -1, &id))
		return NULL;
	java = mem_alloc(sizeof(*java));
	java->sandbox = sandbox;
	java->id = id;
	return java;
}

void java_free(struct java *java)
{
	struct entry *entry, *next;

	if (!java)
		return;
	HASH_ITER (hh, java->entries, entry, next) {
		HASH_DEL(java->entries, entry);
		named_clear(&entry->named);
		mem_free(entry);
	}
	java_end(java);
	mem_free(java);
}

void java_end(struct java *java)
{
	if (!java || java->ended)
		return;
	java->ended = true;
	vec_free(&java->wanted);
	sandbox_jvm_close(java->sandbox, java->id);
}

/* -- layout ------------------------------------------------------------------------------------ */

static void take_layout(struct abi_jvm *layout, const struct sandbox_jvm *jvm)
{
	*layout = (struct abi_jvm){
		.interpreter_start = jvm->interpreter_start,
		.interpreter_end = jvm->interpreter_end,
		.barrier_start = jvm->barrier_start,
		.barrier_end = jvm->barrier_end,
		.segment_log2 = (uint16_t)jvm->segment_log2,
		.frame_size_offset = (uint16_t)jvm->frame_size_offset,
		.name_offset = (uint16_t)jvm->name_offset,
		.compilation_offset = (uint16_t)jvm->compilation_offset,
		.symbol_length_offset = (uint16_t)jvm->symbol_length_offset,
		.symbol_text_offset = (uint16_t)jvm->symbol_text_offset,
		.bytecode_slot = (int16_t)jvm->bytecode_slot,
	};
	for (size_t i = 0; i < ABI_CLASS_NAME_STEPS; i++)
		layout->class_name_offsets[i] = (uint16_t)jvm->class_name_offsets[i];
	for (uint32_t i = 0; i < jvm->heap_count && i < ABI_CODE_HEAPS; i++)
		layout->heaps[i] = (struct abi_code_heap){
			.start = jvm->heaps[i].start,
			.end = jvm->heaps[i].end,
			.segment_map = jvm->heaps[i].segment_map,
		};
}

const struct abi_jvm *java_layout(struct java *java)
{
	struct sandbox_jvm jvm;

	if (!java->ready && !sandbox_jvm_layout(java->sandbox, java->id, &jvm)) {
		take_layout(&java->layout, &jvm);
		java->code_state = sandbox_jvm_code_state(java->sandbox, java->id);
		java->ready = true;
	}
	return java->ready ? &java->layout : NULL;
}

bool java_code_changed(struct java *java)
{
	uint64_t before = java->code_state;

	if (!java->ready)
		return java_layout(java) != NULL;
	java->code_state = sandbox_jvm_code_state(java->sandbox, java->id);
	return java->code_state != before;
}

bool java_holds(const struct java *java, uint64_t address)
{
	for (size_t i = 0; i < ABI_CODE_HEAPS; i++) {
		const struct abi_code_heap *heap = &java->layout.heaps[i];

		if (address >= heap->start && address < heap->end)
			return true;
	}
	return false;
}

/* -- names ------------------------------------------------------------------------------------- */

const struct named *java_want(struct java *java, enum java_kind kind, uint64_t address,
			      uint64_t detail)
{
	struct place place = { address, detail, kind, kind == JAVA_STUB ? java->code_state : 0 };
	struct entry *entry;

	HASH_FIND(hh, java->entries, &place, sizeof(place), entry);
	if (entry)
		return &entry->named;
	entry = mem_alloc(sizeof(*entry));
	entry->place = place;
	HASH_ADD(hh, java->entries, place, sizeof(entry->place), entry);
	*vec_add(&java->wanted) = entry;
	return &entry->named;
}

static void add_frame(size_t i, const struct sandbox_java_frame *frame, void *context)
{
	struct java *java = context;
	struct entry *entry = java->wanted.items[i];
	struct named_frame *named = vec_add(&entry->named.frames);

	named->name = mem_string(frame->name);
	named->file = mem_string(frame->file);
	named->line = frame->line;
	java->gone += frame->gone;
	if (frame->inlined)
		named->type = FRAME_INLINED;
	else if (frame->is_java)
		named->type =
			entry->place.kind == JAVA_INTERPRETED ? FRAME_INTERPRETED : FRAME_JAVA;
}

static struct sandbox_java_place sandbox_place(const struct place *place)
{
	struct sandbox_java_place wanted = {
		.address = place->address & ABI_FRAME_ADDRESS,
		.interpreted = place->kind == JAVA_INTERPRETED,
		.identity = (uint32_t)place->detail,
	};

	if (wanted.interpreted) {
		wanted.bytecode = place->detail & ABI_FRAME_ADDRESS;
		wanted.identity = (uint32_t)(place->address >> 48 << 16 | place->detail >> 48);
	}
	return wanted;
}

size_t java_resolve(struct java *java)
{
	struct sandbox_java_place *places;
	size_t count = java->wanted.count;

	java->gone = 0;
	if (!count)
		return 0;
	places = mem_array(count, sizeof(*places));
	for (size_t i = 0; i < count; i++) {
		const struct place *place = &java->wanted.items[i]->place;

		places[i] = sandbox_place(place);
	}
	sandbox_jvm_names(java->sandbox, java->id, places, count, add_frame, java);
	mem_free(places);
	java->wanted.count = 0;
	return java->gone;
}
