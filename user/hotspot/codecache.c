/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Finds heaps, blocks and blobs. A heap is an array of segments; a block is a run of them, with a
 * header and a blob; the segment map leads from any segment to its block's first one
 * (share/memory/heap.cpp, the same from JDK 8 on).
 */
#include "hotspot/codecache.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"

enum {
	SEGMENT_LOG2_MIN = 4,
	SEGMENT_LOG2_MAX = 16,
	SEGMENT_FREE = 0xff,
	SEGMENT_HOPS_MAX = 4096,
	CODE_HEAP_BYTES_MAX = 4096, /* of a CodeHeap, the structure */
	BLOCKS_MAX = 65536, /* looked at for one blob */
	CHUNK_BYTES_MIN = 32,
	CHUNK_BYTES_MAX = 1 << 22,
	BYTECODE_SLOT = -8,
	BYTECODE_SLOT_8 = -7, /* before the mirror came into the frame, JDK-8074345 */
};

#define HEAP_SPAN_MAX (1ULL << 32)

/* -- heaps --------------------------------------------------------------------------------------
 */

/* The CodeHeaps' addresses; how many there are. */
static uint32_t heap_addresses(struct memory *memory, const struct vmstructs *vm,
			       uint64_t addresses[HOTSPOT_HEAPS_MAX])
{
	uint64_t array, items;
	uint32_t count;

	if (vm->code_cache_heap) {
		addresses[0] = memory_u64(memory, vm->code_cache_heap);
		return addresses[0] != 0;
	}
	array = memory_u64(memory, vm->code_cache_heaps);
	if (!array)
		return 0;
	count = memory_u32(memory, array + vm->array_length);
	items = memory_u64(memory, array + vm->array_data);
	if (count > HOTSPOT_HEAPS_MAX)
		count = HOTSPOT_HEAPS_MAX;
	for (uint32_t i = 0; i < count; i++)
		addresses[i] = memory_u64(memory, items + 8 * i);
	return count;
}

static bool read_heap(struct hotspot_layout *layout, struct memory *memory,
		      const struct vmstructs *vm, uint64_t at)
{
	struct hotspot_heap *heap = &layout->heaps[layout->heap_count];
	uint64_t space = at + vm->heap_memory;

	heap->start = memory_u64(memory, space + vm->space_low_boundary);
	heap->end = memory_u64(memory, space + vm->space_high_boundary);
	heap->segment_map = memory_u64(memory, at + vm->heap_segment_map + vm->space_low);
	layout->segment_log2 = memory_u32(memory, at + vm->heap_segment_log2);
	if (memory->failed || heap->start >= heap->end || heap->end > INT64_MAX ||
	    heap->end - heap->start > HEAP_SPAN_MAX || layout->segment_log2 < SEGMENT_LOG2_MIN ||
	    layout->segment_log2 > SEGMENT_LOG2_MAX)
		return false;
	layout->heap_count++;
	return true;
}

static const struct hotspot_heap *heap_of(const struct hotspot_layout *layout, uint64_t address)
{
	for (uint32_t i = 0; i < layout->heap_count; i++) {
		const struct hotspot_heap *heap = &layout->heaps[i];

		if (address >= heap->start && address < heap->end)
			return heap;
	}
	return NULL;
}

/* -- blobs --------------------------------------------------------------------------------------
 */

static bool read_blob(struct memory *memory, const struct vmstructs *vm, uint64_t block,
		      struct blob *blob)
{
	uint64_t name;

	blob->start = block + vm->block_bytes;
	blob->end = blob->start + memory_u32(memory, blob->start + vm->blob_bytes);
	blob->code = vm->blob_code_begin != VM_ABSENT
			     ? memory_u64(memory, blob->start + vm->blob_code_begin)
			     : blob->start + memory_u32(memory, blob->start + vm->blob_code_offset);
	name = memory_u64(memory, blob->start + vm->blob_name);
	memory_text(memory, name, blob->name, sizeof(blob->name));
	blob->is_method = !strcmp(blob->name, "nmethod") || !strcmp(blob->name, "native nmethod");
	return !memory->failed;
}

bool codecache_find(const struct hotspot_layout *layout, struct memory *memory,
		    const struct vmstructs *vm, uint64_t address, struct blob *blob)
{
	const struct hotspot_heap *heap = heap_of(layout, address);
	uint64_t segment;

	memory->failed = false;
	if (!heap)
		return false;
	segment = (address - heap->start) >> layout->segment_log2;
	for (int i = 0; i < SEGMENT_HOPS_MAX; i++) {
		uint8_t back = memory_u8(memory, heap->segment_map + segment);

		if (memory->failed || back == SEGMENT_FREE || back > segment)
			return false;
		if (!back)
			return read_blob(memory, vm,
					 heap->start + (segment << layout->segment_log2), blob) &&
			       address >= blob->start && address < blob->end;
		segment -= back;
	}
	return false;
}

/* What is unloaded has no method any more; what is let go is not used. */
bool codecache_holds(struct memory *memory, const struct vmstructs *vm, const struct blob *blob,
		     uint32_t compilation)
{
	uint64_t used = blob->start - vm->block_bytes + vm->block_used;
	uint64_t number = blob->start + vm->nmethod_compile_id;
	uint64_t method = blob->start + vm->nmethod_method;

	memory->failed = false;
	memory_forget(memory);
	return memory_u8(memory, used) && memory_u32(memory, number) == compilation &&
	       memory_u64(memory, method) && !memory->failed;
}

/* From one block of a heap to the next; false: there is none, or it cannot be read. */
static bool next_block(const struct hotspot_layout *layout, struct memory *memory,
		       const struct vmstructs *vm, const struct hotspot_heap *heap, uint64_t *block)
{
	uint64_t segments = memory_u32(memory, *block + vm->block_length);

	*block += segments << layout->segment_log2;
	return !memory->failed && segments && *block < heap->end;
}

static bool is_used(const struct hotspot_layout *layout, struct memory *memory,
		    const struct hotspot_heap *heap, uint64_t block)
{
	uint64_t segment = (block - heap->start) >> layout->segment_log2;

	return memory_u8(memory, heap->segment_map + segment) != SEGMENT_FREE;
}

/* The blob in a heap whose name has this part. */
static bool find_named(const struct hotspot_layout *layout, struct memory *memory,
		       const struct vmstructs *vm, const struct hotspot_heap *heap,
		       const char *part, struct blob *blob)
{
	uint64_t block = heap->start;

	for (int i = 0; i < BLOCKS_MAX; i++) {
		if (is_used(layout, memory, heap, block) && read_blob(memory, vm, block, blob) &&
		    strstr(blob->name, part))
			return true;
		if (!next_block(layout, memory, vm, heap, &block))
			break;
	}
	memory->failed = false;
	return false;
}

/* -- what belongs to code and lies elsewhere ----------------------------------------------------
 */

/* A block of glibc's malloc, by the size in front of it; what has no data points to code. */
static uint64_t malloc_bytes(const struct hotspot_layout *layout, struct memory *memory,
			     uint64_t block)
{
	uint64_t bytes;

	if (block < MEMORY_PAGE || block % 16 || heap_of(layout, block))
		return 0;
	bytes = memory_u64(memory, block - 8) & ~7ULL;
	return bytes >= CHUNK_BYTES_MIN && bytes <= CHUNK_BYTES_MAX ? bytes : 0;
}

uint64_t codecache_malloc_bytes(const struct hotspot_layout *layout, struct memory *memory,
				const struct vmstructs *vm)
{
	const uint16_t members[] = { vm->nmethod_immutable_data, vm->blob_mutable_data };
	uint64_t sum = 0;
	struct blob blob;

	memory->failed = false;
	for (uint32_t i = 0; i < layout->heap_count; i++) {
		uint64_t block = layout->heaps[i].start;
		int blocks = 0;

		do {
			if (!is_used(layout, memory, &layout->heaps[i], block) ||
			    !memory_u8(memory, block + vm->block_used) ||
			    !read_blob(memory, vm, block, &blob) || !blob.is_method)
				continue;
			for (size_t k = 0; k < 2; k++) {
				if (members[k] != VM_ABSENT)
					sum += malloc_bytes(layout, memory,
							    memory_u64(memory,
								       blob.start + members[k]));
			}
			memory->failed = false; /* some of it may be swapped out */
		} while (++blocks < BLOCKS_MAX &&
			 next_block(layout, memory, vm, &layout->heaps[i], &block));
		memory->failed = false;
	}
	return sum;
}

/* -- the whole ----------------------------------------------------------------------------------
 */

static int read_interpreter(struct hotspot_layout *layout, struct memory *memory,
			    const struct vmstructs *vm)
{
	uint64_t queue = memory_u64(memory, vm->interpreter_code);
	uint32_t bytes;

	if (!queue)
		return -EAGAIN;
	layout->interpreter_start = memory_u64(memory, queue + vm->queue_buffer);
	bytes = memory_u32(memory, queue + vm->queue_limit);
	layout->interpreter_end = layout->interpreter_start + bytes;
	if (memory->failed || !bytes || !heap_of(layout, layout->interpreter_start) ||
	    !heap_of(layout, layout->interpreter_end - 1))
		return error_set(-EINVAL, "HotSpot's interpreter lies outside of its code cache");
	return 0;
}

int codecache_layout(struct hotspot_layout *layout, struct memory *memory,
		     const struct vmstructs *vm)
{
	uint64_t addresses[HOTSPOT_HEAPS_MAX];
	struct blob blob;
	uint32_t count;
	int error;

	*layout = (struct hotspot_layout){ .version = vm->version };
	memory->failed = false;
	count = heap_addresses(memory, vm, addresses);
	if (!count)
		return memory->failed ? -EINVAL : -EAGAIN;
	for (uint32_t i = 0; i < count; i++) {
		if (!read_heap(layout, memory, vm, addresses[i]))
			return error_set(-EINVAL, "HotSpot's code heaps are not readable");
	}
	layout->frame_size_offset = vm->block_bytes + vm->blob_frame_size;
	layout->name_offset = vm->block_bytes + vm->blob_name;
	layout->compilation_offset = vm->block_bytes + vm->nmethod_compile_id;
	layout->class_name_offsets[0] = vm->method_const;
	layout->class_name_offsets[1] = vm->const_pool;
	layout->class_name_offsets[2] = vm->pool_holder;
	layout->class_name_offsets[3] = vm->klass_name;
	layout->symbol_length_offset =
		vm->symbol_length != VM_ABSENT ? vm->symbol_length : vm->symbol_length_high + 2U;
	layout->symbol_text_offset = vm->symbol_body;
	layout->bytecode_slot = vm->version == 8 ? BYTECODE_SLOT_8 : BYTECODE_SLOT;
	error = read_interpreter(layout, memory, vm);
	if (error)
		return error;
	if (vm->version >= 21 &&
	    find_named(layout, memory, vm, heap_of(layout, layout->interpreter_start),
		       "ontinuation", &blob)) {
		layout->barrier_start = blob.code;
		layout->barrier_end = blob.end;
	}
	return 0;
}

void codecache_visit(struct memory *memory, const struct vmstructs *vm, codecache_visit_fn visit,
		     void *context)
{
	uint64_t addresses[HOTSPOT_HEAPS_MAX];
	uint32_t count = heap_addresses(memory, vm, addresses);

	for (uint32_t i = 0; i < count; i++) {
		const uint64_t spaces[] = { addresses[i] + vm->heap_memory,
					    addresses[i] + vm->heap_segment_map };

		for (size_t k = 0; k < 2; k++)
			visit(memory_u64(memory, spaces[k] + vm->space_low_boundary),
			      memory_u64(memory, spaces[k] + vm->space_high_boundary), context);
	}
}

uint64_t codecache_state(struct memory *memory, const struct vmstructs *vm)
{
	uint64_t addresses[HOTSPOT_HEAPS_MAX], hash = 0xcbf29ce484222325;
	uint32_t count = heap_addresses(memory, vm, addresses);

	for (uint32_t i = 0; i < count; i++) {
		for (uint32_t at = 0; at < vm->heap_bytes && at < CODE_HEAP_BYTES_MAX; at += 8) {
			hash ^= memory_u64(memory, addresses[i] + at);
			hash *= 0x100000001b3; /* FNV-1a */
		}
	}
	return hash;
}
