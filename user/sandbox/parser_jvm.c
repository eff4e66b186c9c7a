/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The requests about JVMs. */
#include <errno.h>

#include "base/error.h"
#include "sandbox/internal.h"

_Static_assert((int)SANDBOX_CODE_HEAPS_MAX == (int)HOTSPOT_HEAPS_MAX, "one number");
_Static_assert((int)SANDBOX_CLASS_NAME_STEPS == (int)HOTSPOT_CLASS_NAME_STEPS, "one number");
_Static_assert((int)SANDBOX_JVM_GC == (int)HOTSPOT_AREA_GC, "one list");

static struct hotspot *jvm_of(struct parser *parser, uint32_t id)
{
	return id < parser->jvms.count ? parser->jvms.items[id] : NULL;
}

int parser_jvm_open(struct parser *parser, uint32_t image_id, uint64_t bias, int memory_fd,
		    int pagemap_fd, uint32_t *id)
{
	struct image *image = parser_image_of(parser, image_id);
	struct hotspot *jvm;
	int error = image ? hotspot_open(&jvm, image, bias, memory_fd, pagemap_fd) : -EBADF;

	if (error)
		return error;
	for (*id = 0; *id < parser->jvms.count && parser->jvms.items[*id]; (*id)++)
		;
	if (*id == parser->jvms.count)
		vec_add(&parser->jvms);
	parser->jvms.items[*id] = jvm;
	return 0;
}

void parser_jvm_close(struct parser *parser, uint32_t id)
{
	hotspot_free(jvm_of(parser, id));
	if (id < parser->jvms.count)
		parser->jvms.items[id] = NULL;
}

int parser_jvm_layout(struct parser *parser, uint32_t id, struct sandbox_jvm *reply)
{
	struct hotspot *jvm = jvm_of(parser, id);
	struct hotspot_layout layout;
	int error = jvm ? hotspot_layout(jvm, &layout) : -EBADF;

	if (error)
		return error;
	*reply = (struct sandbox_jvm){
		.version = layout.version,
		.heap_count = layout.heap_count,
		.segment_log2 = layout.segment_log2,
		.frame_size_offset = layout.frame_size_offset,
		.name_offset = layout.name_offset,
		.compilation_offset = layout.compilation_offset,
		.symbol_length_offset = layout.symbol_length_offset,
		.symbol_text_offset = layout.symbol_text_offset,
		.bytecode_slot = layout.bytecode_slot,
		.interpreter_start = layout.interpreter_start,
		.interpreter_end = layout.interpreter_end,
		.barrier_start = layout.barrier_start,
		.barrier_end = layout.barrier_end,
	};
	for (int i = 0; i < SANDBOX_CLASS_NAME_STEPS; i++)
		reply->class_name_offsets[i] = layout.class_name_offsets[i];
	for (uint32_t i = 0; i < layout.heap_count; i++)
		reply->heaps[i] = (struct sandbox_code_heap){
			.start = layout.heaps[i].start,
			.end = layout.heaps[i].end,
			.segment_map = layout.heaps[i].segment_map,
		};
	return 0;
}

uint64_t parser_jvm_code_state(struct parser *parser, uint32_t id)
{
	struct hotspot *jvm = jvm_of(parser, id);

	return jvm ? hotspot_code_state(jvm) : 0;
}

int parser_jvm_facts(struct parser *parser, uint32_t id, struct hotspot_facts *facts)
{
	struct hotspot *jvm = jvm_of(parser, id);

	if (!jvm)
		return -EBADF;
	hotspot_facts(jvm, facts);
	return 0;
}

struct areas {
	sandbox_jvm_area_fn area;
	void *context;
};

static void pass_area(const struct hotspot_area *area, void *context)
{
	const struct areas *areas = context;

	areas->area(&(struct sandbox_jvm_area){ (enum sandbox_jvm_area_kind)area->kind, area->start,
						area->end },
		    areas->context);
}

int parser_jvm_areas(struct parser *parser, uint32_t id, sandbox_jvm_area_fn area, void *context)
{
	struct hotspot *jvm = jvm_of(parser, id);

	if (!jvm)
		return -EBADF;
	hotspot_areas(jvm, pass_area, &(struct areas){ area, context });
	return 0;
}

struct answer {
	sandbox_java_fn frame;
	void *context;
};

static void pass_on(size_t i, const struct hotspot_frame *frame, void *context)
{
	const struct answer *answer = context;

	answer->frame(i,
		      &(struct sandbox_java_frame){
			      .name = frame->name,
			      .file = frame->file,
			      .line = frame->line,
			      .is_java = frame->is_java,
			      .inlined = frame->inlined,
			      .gone = frame->gone,
		      },
		      answer->context);
}

int parser_jvm_names(struct parser *parser, uint32_t id, const struct sandbox_java_place *places,
		     size_t count, sandbox_java_fn frame, void *context)
{
	struct hotspot *jvm = jvm_of(parser, id);
	struct hotspot_place *wanted;

	if (!jvm)
		return -EBADF;
	wanted = mem_array(count, sizeof(*wanted));
	for (size_t i = 0; i < count; i++)
		wanted[i] = (struct hotspot_place){
			.address = places[i].address,
			.bytecode = places[i].bytecode,
			.identity = places[i].identity,
			.interpreted = places[i].interpreted,
		};
	hotspot_names(jvm, wanted, count, pass_on, &(struct answer){ frame, context });
	mem_free(wanted);
	return 0;
}
