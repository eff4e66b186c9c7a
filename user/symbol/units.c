/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Compilation units and their functions, by address. */
#include "symbol/units.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/vec.h"

enum {
	UNITS_MAX = 1 << 20,
	RANGES_MAX = 8 << 20, /* in all */
	SCOPES_MAX = 32, /* namespaces and classes around a function */
	OVERLAPS_MAX = 16, /* ranges before an address that are looked at for one around it */
};

struct range {
	uint64_t low, high;
	size_t index; /* of the unit, or of the function in its unit */
};

struct ranges {
	struct range *items;
	size_t count, capacity;
};

struct unit {
	Dwarf_Die die;
	bool indexed;
	struct ranges ranges; /* of its functions */
	VEC(Dwarf_Die) functions;
};

/* The part of .debug_info in which every text ends: up to its last NUL. */
struct texts {
	uintptr_t start, end;
};

struct units {
	Dwarf *dwarf, *alt;
	Elf *no_alt;
	struct texts texts, alt_texts;
	struct ranges ranges;
	uint32_t ranges_left; /* of RANGES_MAX: many DIEs may share one long list */
	VEC(struct unit) units;
};

/* -- ranges -------------------------------------------------------------------------------------
 */

static void add_ranges(struct units *units, struct ranges *ranges, Dwarf_Die *die, size_t index)
{
	Dwarf_Addr base, low, high;
	ptrdiff_t offset = 0;

	while (units->ranges_left && (offset = dwarf_ranges(die, offset, &base, &low, &high)) > 0) {
		units->ranges_left--;
		/* The linker leaves functions that it dropped at address 0. */
		if (low && low < high)
			*vec_add(ranges) = (struct range){ low, high, index };
	}
}

static int by_low(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	if (x->low != y->low)
		return x->low < y->low ? -1 : 1;
	if (x->high != y->high) /* the narrower one later: it is found first */
		return x->high > y->high ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static void sort_ranges(struct ranges *ranges)
{
	if (ranges->count)
		qsort(ranges->items, ranges->count, sizeof(*ranges->items), by_low);
}

static const struct range *find_range(const struct ranges *ranges, uint64_t address)
{
	size_t low = 0, high = ranges->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ranges->items[middle].low <= address)
			low = middle + 1;
		else
			high = middle;
	}
	for (size_t i = low; i > 0 && low - i < OVERLAPS_MAX; i--) {
		if (address < ranges->items[i - 1].high)
			return &ranges->items[i - 1];
	}
	return NULL;
}

/* -- texts --------------------------------------------------------------------------------------
 */

/*
 * libdw gives texts of .debug_str by their start and does not care for their end (0.188), and reads
 * some of them itself. So the sections as a whole must end, as every linker's do.
 */
static bool text_sections_end(struct image *image)
{
	static const char *const names[] = { ".debug_str", ".debug_line_str" };

	for (int i = 0; i < 2; i++) {
		struct image_section section;
		int error = image_section(image, names[i], &section);

		if (error == -EINVAL || (!error && section.bytes[section.size - 1]))
			return false;
	}
	return true;
}

static struct texts find_texts(struct image *image)
{
	struct image_section section;
	const uint8_t *last;

	if (image_section(image, ".debug_info", &section))
		return (struct texts){ 0 };
	last = memrchr(section.bytes, '\0', section.size);
	return (struct texts){ (uintptr_t)section.bytes, (uintptr_t)(last ? last : section.bytes) };
}

static bool lies_in(const struct texts *texts, const void *text)
{
	return (uintptr_t)text >= texts->start && (uintptr_t)text <= texts->end;
}

/* A text within .debug_info itself may be the last thing there. */
static bool ends(const struct units *units, const Dwarf_Attribute *attribute)
{
	return attribute->form != DW_FORM_string || lies_in(&units->texts, attribute->valp) ||
	       lies_in(&units->alt_texts, attribute->valp);
}

const char *units_string(const struct units *units, Dwarf_Die *die, unsigned name)
{
	Dwarf_Attribute attribute;

	if (!dwarf_attr(die, name, &attribute) || !ends(units, &attribute))
		return NULL;
	return dwarf_formstring(&attribute);
}

/* Whether libdw may read the unit's lines: it puts the unit's directory before their file names. */
static bool has_sound_texts(const struct units *units, Dwarf_Die *unit)
{
	Dwarf_Attribute attribute;

	return !dwarf_attr(unit, DW_AT_comp_dir, &attribute) || ends(units, &attribute);
}

/* -- walking ------------------------------------------------------------------------------------
 */

bool units_sibling(Dwarf_Die *die)
{
	Dwarf_Die next;

	if (dwarf_siblingof(die, &next) || next.addr <= die->addr)
		return false;
	*die = next;
	return true;
}

bool units_child(Dwarf_Die *die)
{
	Dwarf_Die next;

	if (dwarf_child(die, &next) || next.addr <= die->addr)
		return false;
	*die = next;
	return true;
}

static bool holds_functions(Dwarf_Die *die)
{
	switch (dwarf_tag(die)) {
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_class_type:
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
	case DW_TAG_enumeration_type: /* Rust's have methods */
		return true;
	default:
		return false;
	}
}

static void index_functions(struct units *units, struct unit *unit)
{
	Dwarf_Die path[SCOPES_MAX] = { unit->die };
	int depth = 0;

	unit->indexed = true;
	if (!units_child(&path[0]))
		return;
	for (;;) {
		Dwarf_Die *die = &path[depth];

		if (dwarf_tag(die) == DW_TAG_subprogram) {
			size_t before = unit->ranges.count;

			add_ranges(units, &unit->ranges, die, unit->functions.count);
			if (unit->ranges.count > before)
				*vec_add(&unit->functions) = *die;
		} else if (depth + 1 < SCOPES_MAX && holds_functions(die)) {
			path[depth + 1] = *die;
			if (units_child(&path[depth + 1])) {
				depth++;
				continue;
			}
		}
		while (!units_sibling(&path[depth])) {
			if (!depth--)
				goto sorted;
		}
	}
sorted:
	sort_ranges(&unit->ranges);
}

/*
 * The units' own ranges instead of .debug_aranges: compilers differ in whether they write the
 * latter, and every one writes the former. subdie stays NULL: asked for it, libdw would look for
 * .dwo files.
 */
static void index_units(struct units *units)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Die die;

	for (int i = 0; i < UNITS_MAX; i++) {
		Dwarf_Half version;
		uint8_t type;
		struct unit *unit;

		if (dwarf_get_units(units->dwarf, cu, &cu, &version, &type, &die, NULL))
			break;
		if (type != DW_UT_compile && type != DW_UT_skeleton && type != DW_UT_partial)
			continue;
		if (!has_sound_texts(units, &die))
			continue;
		add_ranges(units, &units->ranges, &die, units->units.count);
		unit = vec_add(&units->units);
		unit->die = die;
	}
	sort_ranges(&units->ranges);
}

bool units_find(struct units *units, uint64_t address, Dwarf_Die *die, Dwarf_Die *function)
{
	const struct range *range = find_range(&units->ranges, address);
	struct unit *unit;

	if (!range)
		return false;
	unit = &units->units.items[range->index];
	*die = unit->die;
	function->addr = NULL;
	if (!unit->indexed)
		index_functions(units, unit);
	range = find_range(&unit->ranges, address);
	if (range)
		*function = unit->functions.items[range->index];
	return true;
}

/* -- opening ------------------------------------------------------------------------------------
 */

/*
 * An ELF file with nothing in it that matters. Handed to libdw as the supplementary file where
 * there is none: else libdw would look for one by the path in .gnu_debugaltlink.
 */
static const struct {
	Elf64_Ehdr header;
	Elf64_Shdr sections[3];
	char names[32];
} no_alt = {
	.header = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
			     __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB,
			     EV_CURRENT },
		.e_type = ET_DYN,
		.e_version = EV_CURRENT,
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shoff = sizeof(Elf64_Ehdr),
		.e_shnum = 3,
		.e_shstrndx = 1,
	},
	.sections = {
		[1] = { .sh_name = 1, .sh_type = SHT_STRTAB, .sh_size = sizeof(no_alt.names),
			.sh_offset = offsetof(__typeof__(no_alt), names), .sh_addralign = 1 },
		[2] = { .sh_name = 11, .sh_type = SHT_PROGBITS, .sh_size = 1,
			.sh_offset = offsetof(__typeof__(no_alt), names), .sh_addralign = 1 },
	},
	.names = "\0.shstrtab\0.debug_line",
};

struct size {
	struct image *image;
	uint64_t bytes;
	bool info, refused;
};

static bool add_size(Elf_Scn *section, const GElf_Shdr *header, const char *name, void *context)
{
	struct size *size = context;
	uint64_t bytes = image_section_bytes(size->image, section, header);

	/* The form before SHF_COMPRESSED: no compiler of the last ten years writes it. */
	if (!strncmp(name, ".zdebug_", 8))
		size->refused = true;
	if (strncmp(name, ".debug_", 7) || !bytes)
		return true;
	if (!strcmp(name, ".debug_info"))
		size->info = true;
	if (bytes > UNITS_DWARF_MAX - size->bytes)
		size->refused = true;
	else
		size->bytes += bytes;
	return true;
}

static struct size dwarf_size(struct image *image)
{
	struct size size = { .image = image };

	image_sections(image, add_size, &size);
	return size;
}

bool units_exist(struct image *image)
{
	struct size size = dwarf_size(image);

	return size.info && !size.refused;
}

/* What is read here of DWARF: not where variables are, which is a quarter of it. */
static bool is_wanted(const char *name)
{
	static const char *const names[] = { ".debug_info",	   ".debug_abbrev",
					     ".debug_line",	   ".debug_str",
					     ".debug_ranges",	   ".debug_line_str",
					     ".debug_str_offsets", ".debug_addr",
					     ".debug_rnglists" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(name, names[i]))
			return true;
	}
	return strncmp(name, ".debug_", 7) || !strcmp(name, ".debug_frame");
}

/* libdw would inflate all sections, and slowly. */
static bool prepare(Elf_Scn *section, const GElf_Shdr *header, const char *name, void *context)
{
	struct image *image = context;

	if (!(header->sh_flags & SHF_COMPRESSED))
		return true;
	if (is_wanted(name))
		image_section_data(image, section, header);
	else
		image_section_drop(section);
	return true;
}

static Dwarf *begin(struct image *image)
{
	if (!units_exist(image))
		return NULL;
	image_sections(image, prepare, image);
	if (!text_sections_end(image))
		return NULL;
	return dwarf_begin_elf(image_elf(image), DWARF_C_READ, NULL);
}

int units_new(struct units **result, struct image *image, struct image *alt)
{
	struct size size = dwarf_size(image);
	struct units *units;
	Dwarf *dwarf;

	if (!size.info)
		return error_set(-ENODATA, "no debug information");
	if (size.refused)
		return error_set(-EINVAL, "debug information is larger than %llu bytes, or .zdebug",
				 UNITS_DWARF_MAX);
	dwarf = begin(image);
	if (!dwarf)
		return error_set(-EINVAL, "broken debug information: %s", dwarf_errmsg(-1));

	units = mem_alloc(sizeof(*units));
	units->dwarf = dwarf;
	units->ranges_left = RANGES_MAX;
	units->texts = find_texts(image);
	units->alt = alt ? begin(alt) : NULL;
	if (units->alt) {
		units->alt_texts = find_texts(alt);
	} else {
		units->no_alt = elf_memory((char *)&no_alt, sizeof(no_alt));
		units->alt = dwarf_begin_elf(units->no_alt, DWARF_C_READ, NULL);
	}
	if (!units->alt) {
		units_free(units);
		return error_set(-EINVAL, "libdw: %s", dwarf_errmsg(-1));
	}
	dwarf_setalt(dwarf, units->alt);
	index_units(units);
	*result = units;
	return 0;
}

void units_free(struct units *units)
{
	if (!units)
		return;
	vec_for_each (unit, &units->units) {
		vec_free(&unit->ranges);
		vec_free(&unit->functions);
	}
	vec_free(&units->units);
	vec_free(&units->ranges);
	dwarf_end(units->dwarf);
	dwarf_end(units->alt);
	elf_end(units->no_alt);
	mem_free(units);
}
