/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where HotSpot keeps what. libjvm exports tables that say so for the serviceability agent
 * (gHotSpotVMStructs and kin, share/runtime/vmStructs.cpp), the same way since JDK 6.
 */
#ifndef UNFREED_HOTSPOT_VMSTRUCTS_H
#define UNFREED_HOTSPOT_VMSTRUCTS_H

#include <stdint.h>

#include "elf/image.h"
#include "hotspot/memory.h"

enum { VM_ABSENT = UINT16_MAX };

/*
 * Addresses are those of static fields, 0: absent. The others are offsets or sizes in bytes, or
 * VM_ABSENT: versions of HotSpot differ.
 */
struct vmstructs {
	uint64_t code_cache_heaps; /* GrowableArray<CodeHeap*>*, 9+ */
	uint64_t code_cache_heap; /* CodeHeap*, 8 */
	uint64_t interpreter_code; /* StubQueue* */
	uint64_t vm_major_version;
	uint64_t collected_heap; /* CollectedHeap* */
	uint64_t barrier_set; /* BarrierSet*, 10+ */
	uint64_t shared_base, shared_top; /* void*: the mapped CDS archive, 11+ */
	uint64_t narrow_base, narrow_shift; /* of compressed references: an address, an int */
	uint64_t loader_data_head; /* ClassLoaderData*, 8+ */
	uint64_t object_klass; /* Klass*: that of all classes' ancestor, until 16 */
	uint64_t flags, flag_count; /* JVMFlag*, size_t */
	uint64_t perf_start, perf_capacity; /* PerfMemory: char*, size_t */
	uint64_t vm_release; /* const char* */

	uint16_t array_length, array_data; /* GrowableArray */
	uint16_t heap_memory, heap_segment_map, heap_segment_log2, heap_bytes;
	uint16_t space_low_boundary, space_high_boundary, space_low;
	uint16_t block_bytes; /* the header in front of a blob */
	uint16_t block_length, block_used;
	uint16_t queue_buffer, queue_limit;

	uint16_t blob_name, blob_bytes, blob_frame_size;
	uint16_t blob_code_begin; /* address, until 22 */
	uint16_t blob_code_offset; /* 8, 23+ */
	uint16_t blob_mutable_data, blob_relocation_bytes; /* 25+ */

	uint16_t nmethod_method, nmethod_compile_id;
	uint16_t nmethod_metadata; /* offset in the blob, until 24 */
	uint16_t nmethod_scopes_data; /* address, 9 to 22 */
	uint16_t nmethod_scopes_data_offset; /* 8: in the blob; 23+: in the immutable data */
	uint16_t nmethod_scopes_pcs; /* the same */
	uint16_t nmethod_dependencies; /* behind the pcs until 22 */
	uint16_t nmethod_immutable_data; /* 23+ */
	uint16_t pc_offset, pc_scope, pc_bytes; /* PcDesc */

	uint16_t method_const;
	uint16_t const_pool, const_flags, const_code_bytes, const_name, const_bytes;
	uint16_t pool_holder, pool_length, pool_bytes;
	uint16_t pool_file; /* name of the source file, 11+ */
	uint16_t klass_name, klass_file; /* the latter until 10 */
	uint16_t symbol_length; /* u2 */
	uint16_t symbol_length_high; /* in the upper half of an int, 11 to 16 */
	uint16_t symbol_body;

	uint16_t heap_reserved, region_start, region_words; /* CollectedHeap, MemRegion */
	uint16_t barrier_card_table, card_map, card_map_bytes; /* CardTable */
	uint16_t loader_next, loader_klasses; /* ClassLoaderData */
	uint16_t klass_next, klass_constants;
	uint16_t klass_layout; /* below zero: of an array */
	uint16_t klass_child, klass_sibling;
	uint16_t klass_mirror; /* the Class, or, from 10 on, a handle of it */

	uint16_t flag_name, flag_address, flag_bytes; /* JVMFlag; Flag until 10 */

	uint32_t has_line_numbers; /* bit of the flags */
	uint32_t version; /* 8, 11, 17, 21 … */
};

/*
 * Reads the tables of a libjvm that is mapped bias above its image's addresses. Returns 0, -ENOENT
 * (no HotSpot) or -EINVAL (broken, or a version that lacks what names and walks need), with a
 * sentence.
 */
int vmstructs_read(struct vmstructs *vm, struct memory *memory, struct image *image, uint64_t bias);

#endif
