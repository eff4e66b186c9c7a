/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Flags (share/runtime/flags/jvmFlag.hpp) and counters (share/runtime/perfMemory.hpp). */
#include "hotspot/facts.h"

#include <stdio.h>
#include <string.h>

#include "hotspot/codecache.h"
#include "hotspot/direct.h"

enum { FLAGS_MAX = 4096, NAME_MAX = 64, COUNTERS_MAX = 4096, COUNTERS_MAX_BYTES = 1 << 20 };

/* -- flags --------------------------------------------------------------------------------------
 */

enum flag_kind { FLAG_BOOL, FLAG_NUMBER, FLAG_TEXT, FLAG_COLLECTOR };

static const struct {
	const char *name;
	enum flag_kind kind;
	size_t member;
	const char *collector;
} flags[] = {
#define FLAG(name, kind, member)                                         \
	{                                                                \
		name, kind, offsetof(struct hotspot_facts, member), NULL \
	}
	FLAG("DisableAttachMechanism", FLAG_BOOL, attach_disabled),
	FLAG("ReduceSignalUsage", FLAG_BOOL, without_signals),
	FLAG("NativeMemoryTracking", FLAG_TEXT, nmt),
	FLAG("MaxHeapSize", FLAG_NUMBER, max_heap_bytes),
	FLAG("MaxMetaspaceSize", FLAG_NUMBER, max_metaspace_bytes),
	FLAG("ReservedCodeCacheSize", FLAG_NUMBER, max_code_bytes),
	FLAG("MaxDirectMemorySize", FLAG_NUMBER, max_direct_bytes),
#undef FLAG
#define COLLECTOR(name, collector)                 \
	{                                          \
		name, FLAG_COLLECTOR, 0, collector \
	}
	COLLECTOR("UseSerialGC", "Serial"),
	COLLECTOR("UseParallelGC", "Parallel"),
	COLLECTOR("UseConcMarkSweepGC", "CMS"),
	COLLECTOR("UseG1GC", "G1"),
	COLLECTOR("UseZGC", "Z"),
	COLLECTOR("UseShenandoahGC", "Shenandoah"),
	COLLECTOR("UseEpsilonGC", "Epsilon"),
#undef COLLECTOR
};

enum { FLAGS = sizeof(flags) / sizeof(flags[0]) };

/* Takes the value of a flag at address; the number of wanted ones that this was: 0 or 1. */
static unsigned int take_flag(struct hotspot_facts *facts, struct memory *memory, const char *name,
			      uint64_t address)
{
	for (size_t i = 0; i < FLAGS; i++) {
		char *member = (char *)facts + flags[i].member;

		if (strcmp(name, flags[i].name))
			continue;
		if (flags[i].kind == FLAG_BOOL) {
			bool on = memory_u8(memory, address);

			memcpy(member, &on, sizeof(on));
		} else if (flags[i].kind == FLAG_NUMBER) {
			uint64_t number = memory_u64(memory, address);

			memcpy(member, &number, sizeof(number));
		} else if (flags[i].kind == FLAG_TEXT) {
			uint64_t text = memory_u64(memory, address);

			if (text)
				memory_text(memory, text, member, sizeof(facts->nmt));
		} else if (memory_u8(memory, address)) {
			snprintf(facts->collector, sizeof(facts->collector), "%s",
				 flags[i].collector);
		}
		return flags[i].kind == FLAG_BOOL;
	}
	return 0;
}

/* Whether both flags that forbid to ask it were found. */
static bool read_flags(struct hotspot_facts *facts, struct memory *memory,
		       const struct vmstructs *vm)
{
	uint64_t count = memory_u64(memory, vm->flag_count), at = memory_u64(memory, vm->flags);
	unsigned int found = 0;
	char name[NAME_MAX];

	if (memory->failed || count > FLAGS_MAX)
		return false;
	for (uint64_t i = 0; i < count; i++, at += vm->flag_bytes) {
		uint64_t text = memory_u64(memory, at + vm->flag_name);
		uint64_t address = memory_u64(memory, at + vm->flag_address);

		/* The last entry is empty. */
		if (memory->failed)
			return false;
		if (!text || !address)
			continue;
		memory_text(memory, text, name, sizeof(name));
		found += take_flag(facts, memory, name, address);
		/* A value may lie where nothing has been written yet. */
		if (memory->failed)
			return false;
	}
	return found == 2;
}

/* -- counters -----------------------------------------------------------------------------------
 */

static const struct {
	const char *name;
	size_t member;
} counters[] = {
#define COUNTER(name, member)                                \
	{                                                    \
		name, offsetof(struct hotspot_facts, member) \
	}
	COUNTER("sun.gc.metaspace.used", metaspace_used_bytes),
	COUNTER("sun.gc.metaspace.capacity", metaspace_committed_bytes),
	COUNTER("java.cls.loadedClasses", loaded_classes),
	COUNTER("java.cls.unloadedClasses", unloaded_classes),
	COUNTER("java.threads.live", threads),
#undef COUNTER
};

enum { COUNTERS = sizeof(counters) / sizeof(counters[0]) };

/* Those of generations and their spaces are summed up. */
static void take_counter(struct hotspot_facts *facts, const char *name, uint64_t value)
{
	unsigned int generation, space;
	int end = 0;

	for (size_t i = 0; i < COUNTERS; i++) {
		if (!strcmp(name, counters[i].name))
			memcpy((char *)facts + counters[i].member, &value, sizeof(value));
	}
	if (sscanf(name, "sun.gc.generation.%u.space.%u.used%n", &generation, &space, &end) == 2 &&
	    end && !name[end])
		facts->heap_used_bytes += value;
	end = 0;
	if (sscanf(name, "sun.gc.generation.%u.capacity%n", &generation, &end) == 1 && end &&
	    !name[end])
		facts->heap_committed_bytes += value;
}

/* The file's header and its entries begin with numbers of 32 bits, in the machine's order. */
struct prologue {
	uint32_t magic;
	uint8_t order, major, minor, accessible;
	uint32_t used, overflow;
	uint64_t stamp;
	uint32_t entry_offset, entry_count;
};

struct entry {
	uint32_t bytes, name_offset, vector_length;
	uint8_t type, flags, units, variability;
	uint32_t data_offset;
};

static bool read_counters(struct hotspot_facts *facts, struct memory *memory,
			  const struct vmstructs *vm)
{
	uint64_t start = memory_u64(memory, vm->perf_start), at;
	uint64_t capacity = memory_u64(memory, vm->perf_capacity), end;
	struct prologue prologue;

	if (!start || capacity > COUNTERS_MAX_BYTES ||
	    !memory_read(memory, start, &prologue, sizeof(prologue)) ||
	    prologue.magic != 0xc0c0feca || prologue.major != 2)
		return false;
	end = start + capacity;
	at = start + prologue.entry_offset;
	for (uint32_t i = 0; i < prologue.entry_count && i < COUNTERS_MAX && at < end; i++) {
		struct entry entry;
		char name[NAME_MAX];

		if (!memory_read(memory, at, &entry, sizeof(entry)) || entry.bytes < sizeof(entry))
			return false;
		if (entry.type == 'J' && entry.name_offset < entry.bytes &&
		    entry.data_offset < entry.bytes) {
			memory_text(memory, at + entry.name_offset, name, sizeof(name));
			take_counter(facts, name, memory_u64(memory, at + entry.data_offset));
		}
		at += entry.bytes;
	}
	return !memory->failed;
}

void facts_read(struct hotspot_facts *facts, struct memory *memory, const struct vmstructs *vm)
{
	struct hotspot_layout layout;

	*facts = (struct hotspot_facts){ .version = vm->version };
	if (vm->flags && vm->flag_count && vm->flag_name != VM_ABSENT &&
	    vm->flag_address != VM_ABSENT && vm->flag_bytes != VM_ABSENT)
		facts->has_flags = read_flags(facts, memory, vm);
	memory->failed = false;
	if (vm->perf_start && vm->perf_capacity)
		facts->has_counters = read_counters(facts, memory, vm);
	memory->failed = false;
	if (!codecache_layout(&layout, memory, vm))
		facts->code_malloc_bytes = codecache_malloc_bytes(&layout, memory, vm);
	facts->has_direct = direct_read(memory, vm, &facts->direct_bytes, &facts->direct_buffers);
	memory->failed = false;
	if (vm->vm_release)
		memory_text(memory, memory_u64(memory, vm->vm_release), facts->release,
			    sizeof(facts->release));
	memory->failed = false;
}
