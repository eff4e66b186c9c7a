/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The requests about images. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "elf/exits.h"
#include "elf/place.h"
#include "elf/symtab.h"
#include "sandbox/internal.h"
#include "symbol/units.h"
#include "unwind/rows.h"

_Static_assert((int)SANDBOX_BUILD_ID_MAX == (int)IMAGE_BUILD_ID_MAX, "one length");
_Static_assert((int)SANDBOX_NAME_MAX == (int)IMAGE_NAME_MAX, "one length");
_Static_assert((int)SANDBOX_SEGMENTS_MAX == (int)IMAGE_SEGMENTS_MAX, "one length");

struct parser *parser_new(void)
{
	return mem_alloc(sizeof(struct parser));
}

static void entry_clear(struct entry *entry)
{
	symboliser_free(entry->symboliser);
	image_free(entry->alt);
	image_free(entry->debug);
	image_free(entry->image);
	*entry = (struct entry){ 0 };
}

void parser_free(struct parser *parser)
{
	if (!parser)
		return;
	vec_for_each (entry, &parser->entries)
		entry_clear(entry);
	vec_free(&parser->entries);
	vec_for_each (jvm, &parser->jvms)
		hotspot_free(*jvm);
	vec_free(&parser->jvms);
	for (uint32_t id = 0; id < parser->perf_files.count; id++)
		parser_perfmap_close(parser, id);
	vec_free(&parser->perf_files);
	mem_free(parser);
}

static struct entry *entry_of(struct parser *parser, uint32_t id)
{
	if (id < parser->entries.count && parser->entries.items[id].image)
		return &parser->entries.items[id];
	error_set(-EBADF, "no image has the number %u", id);
	return NULL;
}

struct image *parser_image_of(struct parser *parser, uint32_t id)
{
	struct entry *entry = entry_of(parser, id);

	return entry ? entry->image : NULL;
}

/* -- images -------------------------------------------------------------------------------------
 */

static bool has_symbols(Elf_Scn *section, const GElf_Shdr *header, const char *name, void *context)
{
	bool *found = context;

	*found = header->sh_type == SHT_SYMTAB;
	return !*found;
}

static void describe(struct image *image, struct sandbox_image *reply)
{
	const struct image_info *info = image_info(image);

	reply->bits32 = info->bits32;
	reply->machine = info->machine;
	image_sections(image, has_symbols, &reply->has_symtab);
	reply->has_dwarf = units_exist(image);
	memcpy(reply->build_id, info->build_id, sizeof(reply->build_id));
	reply->build_id_bytes = info->build_id_bytes;
	memcpy(reply->debuglink, info->debuglink, sizeof(reply->debuglink));
	reply->debuglink_crc = info->debuglink_crc;
	memcpy(reply->altlink, info->altlink, sizeof(reply->altlink));
	memcpy(reply->glibc_version, info->glibc_version, sizeof(reply->glibc_version));
	reply->segment_count = info->segment_count;
	for (uint32_t i = 0; i < info->segment_count; i++) {
		reply->segments[i] = (struct sandbox_segment){
			.offset = info->segments[i].offset,
			.address = info->segments[i].address,
			.file_bytes = info->segments[i].file_bytes,
			.memory_bytes = info->segments[i].memory_bytes,
			.executable = info->segments[i].executable,
		};
	}
}

static int enter(struct parser *parser, struct image *image, struct sandbox_image *reply)
{
	struct entry *entry = NULL;

	*reply = (struct sandbox_image){ 0 };
	vec_for_each (closed, &parser->entries) {
		if (!closed->image)
			entry = closed;
	}
	if (!entry)
		entry = vec_add(&parser->entries);
	entry->image = image;
	reply->id = entry - parser->entries.items;
	describe(image, reply);
	return 0;
}

int parser_open(struct parser *parser, int fd, struct sandbox_image *reply)
{
	struct image *image;
	int error = image_open(&image, fd);

	return error ? error : enter(parser, image, reply);
}

int parser_open_bytes(struct parser *parser, const void *bytes, size_t count,
		      struct sandbox_image *reply)
{
	struct image *image;
	int error = image_open_bytes(&image, bytes, count);

	return error ? error : enter(parser, image, reply);
}

void parser_close(struct parser *parser, uint32_t id)
{
	struct entry *entry = entry_of(parser, id);

	if (entry)
		entry_clear(entry);
}

/* -- separate debug files -----------------------------------------------------------------------
 */

static bool same_id(const uint8_t *a, uint32_t a_bytes, const uint8_t *b, uint32_t b_bytes)
{
	return a_bytes && a_bytes == b_bytes && !memcmp(a, b, a_bytes);
}

static int check_debug(struct image *image, struct image *debug)
{
	const struct image_info *info = image_info(image), *other = image_info(debug);
	uint32_t crc;
	int error;

	if (info->machine != other->machine || info->bits32 != other->bits32)
		return error_set(-ESTALE, "the debug file is of another machine");
	if (info->build_id_bytes && other->build_id_bytes) {
		if (same_id(info->build_id, info->build_id_bytes, other->build_id,
			    other->build_id_bytes))
			return 0;
		return error_set(-ESTALE, "the debug file has another build-id");
	}
	if (!info->debuglink[0])
		return error_set(-ESTALE, "nothing says that the debug file belongs to its image");
	error = image_crc(debug, &crc);
	if (!error && crc != info->debuglink_crc)
		error = error_set(-ESTALE, "the debug file has another checksum");
	return error;
}

static int check_alt(struct image *linking, struct image *alt)
{
	const struct image_info *info = image_info(linking), *other = image_info(alt);

	if (same_id(info->alt_build_id, info->alt_build_id_bytes, other->build_id,
		    other->build_id_bytes))
		return 0;
	return error_set(-ESTALE, "the supplementary debug file has another build-id");
}

/* Opens and checks both files; *debug and *alt are the caller's, also after an error. */
static int open_debug(struct image *image, int fd, int alt_fd, struct image **debug,
		      struct image **alt)
{
	int error = image_open(debug, fd);

	if (!error)
		error = check_debug(image, *debug);
	if (!error && alt_fd >= 0)
		error = image_open(alt, alt_fd);
	if (!error && *alt)
		error = check_alt(units_exist(image) ? image : *debug, *alt);
	return error;
}

int parser_debug(struct parser *parser, uint32_t id, int fd, int alt_fd)
{
	struct entry *entry = entry_of(parser, id);
	struct image *debug = NULL, *alt = NULL;
	int error;

	if (!entry)
		return -EBADF;
	error = open_debug(entry->image, fd, alt_fd, &debug, &alt);
	if (error) {
		image_free(alt);
		image_free(debug);
		return error;
	}
	symboliser_free(entry->symboliser);
	image_free(entry->alt);
	image_free(entry->debug);
	entry->symboliser = NULL;
	entry->debug = debug;
	entry->alt = alt;
	return 0;
}

/* -- where to put probes ------------------------------------------------------------------------
 */

static void place(struct image *image, const struct sandbox_probe_request *request,
		  const struct symtab_function *function, struct sandbox_probe *probe)
{
	const struct image_info *info = image_info(image);
	uint64_t offset, bytes = function->bytes;
	uint8_t *code;
	struct place result;

	*probe = (struct sandbox_probe){
		.found = function->found,
		.function_address = function->address,
		.function_bytes = bytes,
	};
	if (!function->found)
		return;
	if (function->indirect) {
		strcpy(probe->why, "an indirect function: its code is chosen at run time");
		return;
	}
	if (image_offset(image, function->address, &offset)) {
		strcpy(probe->why, "its address is outside of the file");
		return;
	}
	if (!bytes || bytes > PLACE_CODE_MAX)
		bytes = bytes ? PLACE_CODE_MAX : 64;
	code = mem_alloc(bytes);
	result = place_probe(&(struct place_request){
		.machine = info->machine,
		.bits32 = info->bits32,
		.code = code,
		.code_bytes = image_read(image, function->address, code, bytes),
		.has_return = request->has_return,
		.argument_mask = request->argument_mask,
	});
	mem_free(code);
	probe->placed = result.placed;
	probe->probe_offset = offset + result.skip_bytes;
	probe->skip_bytes = result.skip_bytes;
	probe->pushed_words = result.pushed_words;
	probe->cost = result.emulated ? PLACE_EMULATED : PLACE_SINGLE_STEP;
	memcpy(probe->instruction, result.instruction, sizeof(probe->instruction));
	memcpy(probe->why, result.why, sizeof(probe->why));
}

int parser_probes(struct parser *parser, uint32_t id, const struct sandbox_probe_request *requests,
		  size_t count, struct sandbox_probe *probes)
{
	struct entry *entry = entry_of(parser, id);
	struct symtab_function *functions;
	const char **names;

	if (!entry)
		return -EBADF;
	names = mem_array(count, sizeof(*names));
	functions = mem_array(count, sizeof(*functions));
	for (size_t i = 0; i < count; i++)
		names[i] = requests[i].symbol;
	symtab_functions(entry->image, names, count, functions);
	for (size_t i = 0; i < count; i++)
		place(entry->image, &requests[i], &functions[i], &probes[i]);
	mem_free(functions);
	mem_free(names);
	return 0;
}

/* -- names --------------------------------------------------------------------------------------
 */

void parser_pass_on(size_t i, const struct symbol_frame *frame, void *context)
{
	const struct parser_answer *answer = context;

	answer->frame(i,
		      &(struct sandbox_frame){
			      .name = frame->name,
			      .file = frame->file,
			      .line = frame->line,
			      .inlined = frame->inlined,
			      .interpreted = frame->interpreted,
		      },
		      answer->context);
}

int parser_symbolise(struct parser *parser, uint32_t id, const uint64_t *addresses, size_t count,
		     sandbox_frame_fn frame, void *context)
{
	struct entry *entry = entry_of(parser, id);

	if (!entry)
		return -EBADF;
	if (!entry->symboliser)
		entry->symboliser = symboliser_new(entry->image, entry->debug, entry->alt);
	symbolise(entry->symboliser, addresses, count, parser_pass_on,
		  &(struct parser_answer){ frame, context });
	return 0;
}

/* -- unwind rows --------------------------------------------------------------------------------
 */

/* A broken section is taken as none: the other one may serve. */
static struct unwind_section section_of(struct image *image, const char *name)
{
	struct image_section section;

	if (!image || image_section(image, name, &section))
		return (struct unwind_section){ 0 };
	return (struct unwind_section){ section.bytes, section.size, section.address };
}

static struct unwind_sections sections_of(struct entry *entry)
{
	struct unwind_sections sections = {
		.machine = image_info(entry->image)->machine,
		.eh_frame = section_of(entry->image, ".eh_frame"),
		.debug_frame = section_of(entry->image, ".debug_frame"),
		.text_address = image_section_address(entry->image, ".text"),
		.got_address = image_section_address(entry->image, ".got"),
		.entry_address = image_info(entry->image)->entry,
	};
	if (!sections.debug_frame.data)
		sections.debug_frame = section_of(entry->debug, ".debug_frame");
	return sections;
}

int parser_rows(struct parser *parser, uint32_t id, struct sandbox_rows *rows)
{
	struct entry *entry = entry_of(parser, id);
	struct unwind_sections sections;
	struct unwind_table table;
	int error;

	if (!entry)
		return -EBADF;
	sections = sections_of(entry);
	error = unwind_rows(&sections, &table);
	if (error)
		return error;
	*rows = (struct sandbox_rows){
		.rows = table.rows,
		.count = table.count,
		.base = table.base,
		.skipped = table.skipped,
	};
	return 0;
}

/* -- where functions leave ----------------------------------------------------------------------
 */

static void keep_exits(const struct image *image, const struct exits *found,
		       struct sandbox_exits *exits)
{
	exits->items = mem_array(found->places.count, sizeof(*exits->items));
	vec_for_each (place, &found->places) {
		struct sandbox_exit *exit = &exits->items[exits->count];

		exit->address = place->address;
		exit->unseen = place->unseen;
		if (!image_offset(image, place->address, &exit->offset))
			exits->count++;
	}
}

int parser_exits(struct parser *parser, uint32_t id, struct sandbox_leaver *leavers, size_t count,
		 struct sandbox_exits *exits)
{
	struct entry *entry = entry_of(parser, id);
	struct unwind_sections sections;
	struct exits found = { 0 };
	struct extent *extents;
	size_t extent_count;

	*exits = (struct sandbox_exits){ 0 };
	if (!entry)
		return -EBADF;
	sections = sections_of(entry);
	extent_count = unwind_extents(&sections, &extents);
	for (size_t i = 0; i < count; i++) {
		struct sandbox_leaver *leaver = &leavers[i];

		leaver->why[0] = '\0';
		if (exits_find(&found, entry->image, leaver->function_address, extents,
			       extent_count))
			snprintf(leaver->why, sizeof(leaver->why), "%s", error_message());
	}
	keep_exits(entry->image, &found, exits);
	exits_clear(&found);
	mem_free(extents);
	return 0;
}
