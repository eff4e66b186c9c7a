/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The structs, field by field. */
#include "sandbox/message.h"

/* An enum or a count as a number up to most: more is unpacked as none. */
static void bounded(struct parcel *parcel, uint32_t *value, uint32_t most)
{
	parcel_number(parcel, value);
	if (*value > most) {
		parcel->failed = true;
		*value = 0;
	}
}

void message_image(struct parcel *parcel, struct sandbox_image *image)
{
	parcel_number(parcel, &image->id);
	parcel_flag(parcel, &image->bits32);
	parcel_number(parcel, &image->machine);
	parcel_flag(parcel, &image->has_symtab);
	parcel_flag(parcel, &image->has_dwarf);
	parcel_number(parcel, &image->build_id);
	bounded(parcel, &image->build_id_bytes, SANDBOX_BUILD_ID_MAX);
	parcel_array(parcel, image->debuglink);
	parcel_number(parcel, &image->debuglink_crc);
	parcel_array(parcel, image->altlink);
	bounded(parcel, &image->segment_count, SANDBOX_SEGMENTS_MAX);
	for (uint32_t i = 0; i < image->segment_count; i++) {
		struct sandbox_segment *segment = &image->segments[i];

		parcel_number(parcel, &segment->offset);
		parcel_number(parcel, &segment->address);
		parcel_number(parcel, &segment->file_bytes);
		parcel_number(parcel, &segment->memory_bytes);
		parcel_flag(parcel, &segment->executable);
	}
	parcel_array(parcel, image->glibc_version);
}

void message_probe(struct parcel *parcel, struct sandbox_probe *probe)
{
	uint32_t cost = probe->cost;

	parcel_flag(parcel, &probe->found);
	parcel_flag(parcel, &probe->placed);
	parcel_number(parcel, &probe->function_address);
	parcel_number(parcel, &probe->function_bytes);
	parcel_number(parcel, &probe->probe_offset);
	parcel_number(parcel, &probe->skip_bytes);
	parcel_number(parcel, &probe->pushed_words);
	bounded(parcel, &cost, PLACE_SINGLE_STEP);
	probe->cost = (enum sandbox_place_cost)cost;
	parcel_array(parcel, probe->instruction);
	parcel_array(parcel, probe->why);
}

void message_leaver(struct parcel *parcel, struct sandbox_leaver *leaver)
{
	parcel_number(parcel, &leaver->function_address);
	parcel_array(parcel, leaver->why);
}

void message_exit(struct parcel *parcel, struct sandbox_exit *exit)
{
	parcel_number(parcel, &exit->address);
	parcel_number(parcel, &exit->offset);
	parcel_flag(parcel, &exit->unseen);
}

void message_frame(struct parcel *parcel, struct message_frame *frame)
{
	parcel_number(parcel, &frame->i);
	parcel_number(parcel, &frame->line);
	parcel_flag(parcel, &frame->inlined);
	parcel_flag(parcel, &frame->interpreted);
	parcel_flag(parcel, &frame->is_java);
	parcel_flag(parcel, &frame->gone);
	if (parcel->unpacking) {
		frame->name = parcel_get_text(parcel);
		frame->file = parcel_get_text(parcel);
	} else {
		parcel_put_text(parcel, frame->name);
		parcel_put_text(parcel, frame->file);
	}
}

void message_jvm(struct parcel *parcel, struct sandbox_jvm *jvm)
{
	parcel_number(parcel, &jvm->version);
	bounded(parcel, &jvm->heap_count, SANDBOX_CODE_HEAPS_MAX);
	for (uint32_t i = 0; i < jvm->heap_count; i++) {
		parcel_number(parcel, &jvm->heaps[i].start);
		parcel_number(parcel, &jvm->heaps[i].end);
		parcel_number(parcel, &jvm->heaps[i].segment_map);
	}
	parcel_number(parcel, &jvm->segment_log2);
	parcel_number(parcel, &jvm->frame_size_offset);
	parcel_number(parcel, &jvm->name_offset);
	parcel_number(parcel, &jvm->compilation_offset);
	parcel_number(parcel, &jvm->class_name_offsets);
	parcel_number(parcel, &jvm->symbol_length_offset);
	parcel_number(parcel, &jvm->symbol_text_offset);
	parcel_number(parcel, &jvm->bytecode_slot);
	parcel_number(parcel, &jvm->interpreter_start);
	parcel_number(parcel, &jvm->interpreter_end);
	parcel_number(parcel, &jvm->barrier_start);
	parcel_number(parcel, &jvm->barrier_end);
}

void message_area(struct parcel *parcel, struct sandbox_jvm_area *area)
{
	uint32_t kind = area->kind;

	bounded(parcel, &kind, SANDBOX_JVM_GC);
	area->kind = (enum sandbox_jvm_area_kind)kind;
	parcel_number(parcel, &area->start);
	parcel_number(parcel, &area->end);
}

void message_facts(struct parcel *parcel, struct hotspot_facts *facts)
{
	parcel_number(parcel, &facts->version);
	parcel_array(parcel, facts->release);
	parcel_flag(parcel, &facts->has_flags);
	parcel_flag(parcel, &facts->attach_disabled);
	parcel_flag(parcel, &facts->without_signals);
	parcel_array(parcel, facts->nmt);
	parcel_array(parcel, facts->collector);
	parcel_number(parcel, &facts->max_heap_bytes);
	parcel_number(parcel, &facts->max_metaspace_bytes);
	parcel_number(parcel, &facts->max_code_bytes);
	parcel_number(parcel, &facts->max_direct_bytes);
	parcel_flag(parcel, &facts->has_counters);
	parcel_number(parcel, &facts->heap_used_bytes);
	parcel_number(parcel, &facts->heap_committed_bytes);
	parcel_number(parcel, &facts->metaspace_used_bytes);
	parcel_number(parcel, &facts->metaspace_committed_bytes);
	parcel_number(parcel, &facts->loaded_classes);
	parcel_number(parcel, &facts->unloaded_classes);
	parcel_number(parcel, &facts->threads);
}

void message_place(struct parcel *parcel, struct sandbox_java_place *place)
{
	parcel_number(parcel, &place->address);
	parcel_number(parcel, &place->bytecode);
	parcel_number(parcel, &place->identity);
	parcel_flag(parcel, &place->interpreted);
}

void message_nmt(struct parcel *parcel, struct nmt *nmt)
{
	uint32_t categories = (uint32_t)nmt->category_count, sites = (uint32_t)nmt->site_count;

	parcel_number(parcel, &nmt->reserved_bytes);
	parcel_number(parcel, &nmt->committed_bytes);
	parcel_number(parcel, &nmt->malloc_bytes);
	parcel_number(parcel, &nmt->sites_left_out);
	bounded(parcel, &categories, NMT_CATEGORIES_MAX);
	for (uint32_t i = 0; i < categories; i++) {
		struct nmt_category *category = &nmt->categories[i];

		parcel_array(parcel, category->name);
		parcel_number(parcel, &category->reserved_bytes);
		parcel_number(parcel, &category->committed_bytes);
		parcel_number(parcel, &category->malloc_bytes);
		parcel_number(parcel, &category->malloc_blocks);
		parcel_number(parcel, &category->arena_bytes);
		parcel_number(parcel, &category->mapped_bytes);
	}
	bounded(parcel, &sites, NMT_SITES_MAX);
	for (uint32_t i = 0; i < sites; i++) {
		parcel_array(parcel, nmt->sites[i].frames);
		parcel_array(parcel, nmt->sites[i].category);
		parcel_number(parcel, &nmt->sites[i].bytes);
		parcel_number(parcel, &nmt->sites[i].blocks);
	}
	nmt->category_count = categories;
	nmt->site_count = sites;
}
