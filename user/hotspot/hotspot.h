/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A running HotSpot JVM, seen from outside: where its code lies, and what Java methods stand behind
 * the addresses of a stack. Only its memory is read, and none of it is trusted.
 */
#ifndef UNFREED_HOTSPOT_HOTSPOT_H
#define UNFREED_HOTSPOT_HOTSPOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct image;
struct hotspot;

enum { HOTSPOT_HEAPS_MAX = 4, HOTSPOT_CLASS_NAME_STEPS = 4 };

struct hotspot_heap {
	uint64_t start, end; /* reserved for it */
	uint64_t segment_map;
};

/* All that a walk through Java frames needs. */
struct hotspot_layout {
	uint32_t version; /* 8, 11, 17 … */
	struct hotspot_heap heaps[HOTSPOT_HEAPS_MAX];
	uint32_t heap_count;
	uint32_t segment_log2;
	uint32_t frame_size_offset, name_offset; /* in a block */
	uint32_t compilation_offset; /* in a block of an nmethod, of its number */
	/* From a Method* to the Symbol that names its class, and what stands in that. */
	uint32_t class_name_offsets[HOTSPOT_CLASS_NAME_STEPS];
	uint32_t symbol_length_offset, symbol_text_offset;
	int32_t bytecode_slot; /* words from bp in an interpreted frame */
	uint64_t interpreter_start, interpreter_end;
	uint64_t barrier_start, barrier_end; /* stubs of continuations, 21+; else 0 */
};

/*
 * image is libjvm's, mapped bias above its addresses in the process whose /proc/PID/mem is memory.
 * A duplicate of memory is kept. With its pagemap (-1: none), which is kept, too, no page is read
 * that is not there; image must then live as long. Returns 0, -ENOENT (no HotSpot) or -EINVAL with
 * a sentence.
 */
int hotspot_open(struct hotspot **hotspot, struct image *image, uint64_t bias, int memory,
		 int pagemap);
void hotspot_free(struct hotspot *hotspot); /* NULL is legal */

/* Returns 0; -EAGAIN: the JVM has yet to set itself up; -EINVAL: broken. */
int hotspot_layout(struct hotspot *hotspot, struct hotspot_layout *layout);

/* What a range of a JVM's memory is for. */
enum hotspot_area_kind {
	HOTSPOT_AREA_HEAP,
	HOTSPOT_AREA_CODE, /* code heaps, and their indices */
	HOTSPOT_AREA_CARDS,
	HOTSPOT_AREA_ARCHIVE, /* CDS */
	/* An address in one, whose bounds are not to be known: start is end. */
	HOTSPOT_AREA_METASPACE,
	HOTSPOT_AREA_CLASS_SPACE, /* where a Klass lies; without compressed ones in metaspace, too
				   */
	HOTSPOT_AREA_GC, /* where something begins that the collector's objects refer to */
};

struct hotspot_area {
	enum hotspot_area_kind kind;
	uint64_t start, end;
};

/* Calls area for each, in the order of the kinds. What cannot be read is left out. */
typedef void (*hotspot_area_fn)(const struct hotspot_area *area, void *context);
void hotspot_areas(struct hotspot *hotspot, hotspot_area_fn area, void *context);

/* What it says of itself; what is not to be known is 0. */
struct hotspot_facts {
	uint32_t version;
	char release[64]; /* "17.0.15+6-Debian-1deb12u1", or "" */
	bool has_flags; /* below, all were read */
	bool attach_disabled, without_signals;
	char nmt[16]; /* -XX:NativeMemoryTracking: "off", "summary", "detail" */
	char collector[16]; /* "G1" */
	uint64_t max_heap_bytes, max_metaspace_bytes, max_code_bytes, max_direct_bytes;
	bool has_direct; /* below: direct buffers of java.nio, as the JDK counts them */
	uint64_t direct_bytes, direct_buffers;
	uint64_t code_malloc_bytes; /* of malloc, with compiled methods (23+) */
	bool has_counters; /* below: what jstat shows; off with -XX:-UsePerfData */
	uint64_t heap_used_bytes, heap_committed_bytes; /* as of the last collection */
	uint64_t metaspace_used_bytes, metaspace_committed_bytes; /* likewise; with class space */
	uint64_t loaded_classes, unloaded_classes, threads;
};

void hotspot_facts(struct hotspot *hotspot, struct hotspot_facts *facts);

/* A number that changes when code comes or goes: answers to older places may differ then. */
uint64_t hotspot_code_state(struct hotspot *hotspot);

/* A frame of a stack. */
struct hotspot_place {
	uint64_t address; /* a return address; interpreted: the Method* */
	uint64_t bytecode; /* interpreted: where it stands, 0: not known */
	/* Compiled: the number of its compilation; interpreted: method_identity; 0: not known. */
	uint32_t identity;
	bool interpreted;
};

struct hotspot_frame {
	const char *name; /* "java.util.zip.Inflater.<init>", or a stub's; NULL: unknown */
	const char *file; /* "Inflater.java", or NULL */
	uint32_t line; /* 0: unknown */
	bool is_java; /* else a stub */
	bool inlined; /* into the next frame */
	bool gone; /* other code has taken its place: it has no name */
};

/*
 * Names places, innermost inlined method first, at least one frame each. Texts live until frame
 * returns.
 */
typedef void (*hotspot_frame_fn)(size_t i, const struct hotspot_frame *frame, void *context);
void hotspot_names(struct hotspot *hotspot, const struct hotspot_place *places, size_t count,
		   hotspot_frame_fn frame, void *context);

#endif
