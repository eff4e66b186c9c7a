/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * java.nio.Bits keeps three AtomicLongs, one behind the other: what is reserved, the capacity of
 * all buffers, and how many there are (Bits.java, the same from JDK 8 to 25). They are among the
 * static fields in the class's mirror, an object of the Java heap. Where they are there is told by
 * what they point to: three objects of the class AtomicLong. No offset of Java's is taken for
 * granted.
 */
#include "hotspot/direct.h"

#include <string.h>

#include "hotspot/areas.h"
#include "hotspot/klasses.h"

enum { MIRROR_BYTES = 256, COUNTERS = 3, COMPACT_SHIFT = 42, NAME_MAX = 48 };

struct direct {
	struct memory *memory;
	const struct vmstructs *vm;
	uint64_t heap_start, heap_end;
	uint64_t base; /* of narrow references, which are shifted */
	int shift;
	uint64_t bits, counter, class; /* Klass* of Bits, AtomicLong and Class */
	uint64_t mirror;
};

/* How references and headers of objects look. */
struct shape {
	bool narrow_references;
	uint64_t klass_offset, value_offset;
	bool narrow_klass, compact;
};

static const struct shape shapes[] = {
	{ true, 8, 16, true, false }, /* as most run */
	{ true, 0, 8, true, true }, /* -XX:+UseCompactObjectHeaders, 24+ */
	{ true, 8, 16, false, false }, /* -XX:-UseCompressedClassPointers */
	{ false, 8, 16, true, false }, /* heaps of 32 GB and more; ZGC */
	{ false, 0, 8, true, true },   { false, 8, 16, false, false },
};

/* Where ZGC is generational (21+), its marks stand below the address (gc/z/zAddress.hpp). */
static const int mark_bits[] = { 0, 13, 14, 15, 16 };

enum { MARKS = sizeof(mark_bits) / sizeof(mark_bits[0]) };

/* -- classes ----------------------------------------------------------------------------------- */

static void take_klass(struct direct *direct, uint64_t klass, const char *name)
{
	const struct {
		const char *name;
		uint64_t *klass;
	} wanted[] = {
		{ "java/nio/Bits", &direct->bits },
		{ "java/util/concurrent/atomic/AtomicLong", &direct->counter },
		{ "java/lang/Class", &direct->class },
	};

	/* None but the first loader may define classes of java.*: there is one of each name. */
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (!strcmp(name, wanted[i].name))
			*wanted[i].klass = klass;
	}
}

static bool see_klass(uint64_t klass, void *context)
{
	struct direct *direct = context;
	const struct vmstructs *vm = direct->vm;
	uint64_t symbol = memory_u64(direct->memory, klass + vm->klass_name);
	size_t length = vm->symbol_length != VM_ABSENT
				? memory_u16(direct->memory, symbol + vm->symbol_length)
				: memory_u32(direct->memory, symbol + vm->symbol_length_high) >> 16;
	char name[NAME_MAX] = "";

	if (length < sizeof(name) &&
	    memory_read(direct->memory, symbol + vm->symbol_body, name, length)) {
		name[length] = '\0';
		take_klass(direct, klass, name);
	}
	return !direct->bits || !direct->counter || !direct->class;
}

/* ZGC does not say where its heap is: any address may be in it. */
static bool is_in_heap(const struct direct *direct, uint64_t address)
{
	return address % 8 == 0 && address >= direct->heap_start && address < direct->heap_end;
}

/* -- objects ----------------------------------------------------------------------------------- */

static uint64_t klass_word(const struct direct *direct, const struct shape *shape, uint64_t object)
{
	uint64_t at = object + shape->klass_offset;

	if (!shape->narrow_klass)
		return memory_u64(direct->memory, at);
	if (shape->compact)
		return memory_u64(direct->memory, at) >> COMPACT_SHIFT;
	return memory_u32(direct->memory, at);
}

/*
 * Whether an object is an AtomicLong. A narrow class pointer is the distance from a base, shifted;
 * both cancel out against the mirror's own, which is a Class.
 */
static bool is_counter(const struct direct *direct, const struct shape *shape, uint64_t object)
{
	uint64_t class = klass_word(direct, shape, direct->mirror);
	uint64_t counter = klass_word(direct, shape, object);

	if (!shape->narrow_klass)
		return class == direct->class && counter == direct->counter;
	for (int shift = 0; shift <= 10; shift++) {
		if ((counter - class) << shift == direct->counter - direct->class)
			return counter != class;
	}
	return false;
}

/* The object that a reference at bytes is one to. */
static uint64_t decode(const struct direct *direct, const struct shape *shape, const uint8_t *bytes,
		       int marks)
{
	uint32_t narrow;
	uint64_t wide;

	if (!shape->narrow_references) {
		memcpy(&wide, bytes, sizeof(wide));
		return wide >> marks & ~7ULL;
	}
	memcpy(&narrow, bytes, sizeof(narrow));
	return narrow ? direct->base + ((uint64_t)narrow << direct->shift) : 0;
}

/* Three AtomicLongs in a row: their values. */
static bool read_counters(const struct direct *direct, const struct shape *shape,
			  const uint8_t *bytes, int marks, uint64_t values[COUNTERS])
{
	size_t width = shape->narrow_references ? 4 : 8;

	for (size_t i = 0; i < COUNTERS; i++) {
		uint64_t object = decode(direct, shape, bytes + i * width, marks);

		if (!is_in_heap(direct, object) || !is_counter(direct, shape, object))
			return false;
		values[i] = memory_u64(direct->memory, object + shape->value_offset);
	}
	/* Each buffer has a byte at least, and what is reserved is rounded up. */
	return !direct->memory->failed && values[0] <= INT64_MAX && values[1] <= values[0] &&
	       values[2] <= values[0];
}

static bool find_counters(const struct direct *direct, int marks, uint64_t values[COUNTERS])
{
	uint8_t mirror[MIRROR_BYTES];

	direct->memory->failed = false;
	if (!is_in_heap(direct, direct->mirror) ||
	    !memory_read(direct->memory, direct->mirror, mirror, sizeof(mirror)))
		return false;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		size_t width = shapes[i].narrow_references ? 4 : 8;

		for (size_t at = 16; at + COUNTERS * width <= MIRROR_BYTES; at += width) {
			direct->memory->failed = false;
			if (read_counters(direct, &shapes[i], mirror + at, marks, values))
				return true;
		}
	}
	return false;
}

/* The Klass has its mirror in a handle; until 9, itself. */
static bool search(struct direct *direct, uint64_t values[COUNTERS])
{
	uint64_t own = memory_u64(direct->memory, direct->bits + direct->vm->klass_mirror);
	uint64_t handle = memory_u64(direct->memory, own);

	direct->mirror = own;
	if (find_counters(direct, 0, values))
		return true;
	for (size_t i = 0; i < MARKS; i++) {
		direct->mirror = handle >> mark_bits[i] & ~7ULL;
		if (find_counters(direct, mark_bits[i], values))
			return true;
	}
	return false;
}

static void read_shape(struct direct *direct)
{
	const struct vmstructs *vm = direct->vm;

	if (!areas_heap(direct->memory, vm, &direct->heap_start, &direct->heap_end) ||
	    direct->heap_start == direct->heap_end) {
		direct->heap_start = 16 * MEMORY_PAGE;
		direct->heap_end = 1ULL << 47;
	}
	direct->base = vm->narrow_base ? memory_u64(direct->memory, vm->narrow_base) : 0;
	direct->shift = vm->narrow_shift ? (int)memory_u32(direct->memory, vm->narrow_shift) : 3;
	if (direct->shift < 0 || direct->shift > 8)
		direct->shift = 3;
	direct->memory->failed = false;
}

bool direct_read(struct memory *memory, const struct vmstructs *vm, uint64_t *bytes,
		 uint64_t *buffers)
{
	struct direct direct = { .memory = memory, .vm = vm };
	uint64_t values[COUNTERS];
	bool found = false;

	memory->failed = false;
	if (vm->klass_mirror != VM_ABSENT) {
		read_shape(&direct);
		klasses_visit(memory, vm, see_klass, &direct);
		found = direct.bits && direct.counter && direct.class && search(&direct, values);
	}
	memory->failed = false;
	if (found) {
		*bytes = values[0];
		*buffers = values[2];
	}
	return found;
}
