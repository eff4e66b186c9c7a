/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The code cache and the methods of a JVM whose structures are known, in memory that is hostile.
 * Input: a kind of JVM (8 bits), memory, and places to be named.
 */
#include <string.h>

#include "base/error.h"
#include "fuzz.h"
#include "hotspot/areas.h"
#include "hotspot/facts.h"
#include "hotspot/method.h"

/* JDK 17, laid out as in test_hotspot.c. */
static struct vmstructs jdk17(void)
{
	return (struct vmstructs){
		.code_cache_heaps = 0x21a00,
		.interpreter_code = 0x21a08,
		.collected_heap = 0x21a80,
		.loader_data_head = 0x21a88,
		.flags = 0x21a90,
		.flag_count = 0x21a98,
		.perf_start = 0x21aa0,
		.perf_capacity = 0x21aa8,
		.vm_release = 0x21ab0,
		.flag_address = 8,
		.flag_bytes = 24,
		.heap_reserved = 16,
		.region_words = 8,
		.loader_next = 8,
		.loader_klasses = 16,
		.klass_next = 8,
		.klass_mirror = 32,
		.klass_constants = 40,
		.klass_layout = VM_ABSENT,
		.array_data = 8,
		.heap_memory = 8,
		.heap_segment_map = 120,
		.heap_segment_log2 = 256,
		.heap_bytes = 344,
		.space_high_boundary = 8,
		.space_low = 16,
		.block_bytes = 16,
		.queue_buffer = 8,
		.queue_limit = 20,
		.blob_name = 96,
		.blob_bytes = 12,
		.blob_frame_size = 28,
		.blob_code_begin = 32,
		.blob_code_offset = VM_ABSENT,
		.blob_mutable_data = VM_ABSENT,
		.blob_relocation_bytes = VM_ABSENT,
		.block_used = 8,
		.nmethod_method = 112,
		.nmethod_compile_id = 290,
		.nmethod_metadata = 260,
		.nmethod_scopes_data = 120,
		.nmethod_scopes_data_offset = VM_ABSENT,
		.nmethod_scopes_pcs = 268,
		.nmethod_dependencies = 272,
		.nmethod_immutable_data = VM_ABSENT,
		.pc_scope = 4,
		.pc_bytes = 16,
		.method_const = 8,
		.const_pool = 8,
		.const_flags = 28,
		.const_code_bytes = 32,
		.const_name = 34,
		.const_bytes = 48,
		.pool_holder = 24,
		.pool_length = 60,
		.pool_bytes = 72,
		.pool_file = 54,
		.klass_name = 24,
		.klass_file = VM_ABSENT,
		.symbol_length = 4,
		.symbol_length_high = VM_ABSENT,
		.symbol_body = 6,
		.has_line_numbers = 1,
		.version = 17,
	};
}

static struct vmstructs jvm(uint64_t kind)
{
	struct vmstructs vm = jdk17();

	switch (kind % 4) {
	case 1: /* one heap, offsets from the nmethod */
		vm.code_cache_heap = 0x21a10;
		vm.nmethod_scopes_data_offset = 120;
		vm.nmethod_scopes_data = VM_ABSENT;
		vm.klass_file = 54;
		vm.pool_file = VM_ABSENT;
		vm.version = 8;
		break;
	case 2: /* continuations */
		vm.version = 21;
		break;
	case 3: /* data of an nmethod that lies elsewhere */
		vm.blob_code_begin = VM_ABSENT;
		vm.blob_code_offset = 32;
		vm.blob_mutable_data = 40;
		vm.blob_relocation_bytes = 48;
		vm.nmethod_immutable_data = 120;
		vm.nmethod_scopes_data_offset = 128;
		vm.version = 25;
	}
	return vm;
}

/* What a place says of itself; how many names. */
static size_t describe(const struct hotspot_layout *layout, struct memory *memory,
		       const struct vmstructs *vm, const struct hotspot_place *place,
		       uint32_t *lines)
{
	struct scope scopes[METHOD_INLINED_MAX];
	struct method method;
	struct blob blob;
	size_t count = 0, names = 0;

	if (place->interpreted) {
		method_identity(memory, vm, place->address);
		scopes[count++] =
			(struct scope){ place->address,
					method_bci(memory, vm, place->address, place->bytecode) };
	} else if (codecache_find(layout, memory, vm, place->address, &blob)) {
		fuzz_expect(blob.start <= place->address && place->address < blob.end);
		fuzz_expect(memchr(blob.name, 0, sizeof(blob.name)));
		count = scopes_read(scopes, memory, vm, &blob, place->address);
		codecache_holds(memory, vm, &blob, place->identity);
	}
	fuzz_expect(count <= METHOD_INLINED_MAX);
	for (size_t i = 0; i < count; i++) {
		names += method_read(&method, memory, vm, scopes[i].method, scopes[i].bci);
		fuzz_expect(memchr(method.name, 0, sizeof(method.name)));
		fuzz_expect(memchr(method.file, 0, sizeof(method.file)));
		*lines += method.line;
	}
	return names;
}

/* Lists that go round take some 100 ms until they are left: here they are left earlier. */
static void refresh_for_little(struct memory *memory)
{
	memory_refresh(memory);
	memory->reads_left = 1 << 14;
}

static void see_area(const struct hotspot_area *area, void *context)
{
	size_t *areas = context;

	fuzz_expect(area->start && area->start <= area->end);
	++*areas;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct memory memory;
	struct input input = { data, size };
	struct vmstructs vm = jvm(input_number(&input, 1));
	struct hotspot_place places[JAVA_PLACES_MAX];
	struct hotspot_layout layout;
	struct hotspot_facts facts;
	size_t names = 0, areas = 0, count;
	uint32_t lines = 0;
	int error;

	memory.fd = fuzz_memory(&input);
	count = fuzz_java_places(&input, places);
	memory_refresh(&memory);
	error = codecache_layout(&layout, &memory, &vm);
	codecache_state(&memory, &vm);
	for (size_t i = 0; i < count; i++)
		names += describe(&layout, &memory, &vm, &places[i], &lines);
	refresh_for_little(&memory);
	areas_read(&memory, &vm, see_area, &areas);
	refresh_for_little(&memory);
	facts_read(&facts, &memory, &vm);
	fuzz_expect(memchr(facts.release, 0, sizeof(facts.release)) &&
		    memchr(facts.nmt, 0, sizeof(facts.nmt)));
	fuzz_end("%d, %u heaps, %zu names, lines %u%s%s%s", error, layout.heap_count, names, lines,
		 layout.barrier_end ? ", barrier" : "", facts.has_direct ? ", direct buffers" : "",
		 facts.code_malloc_bytes ? ", code in malloc" : "");
	return 0;
}
