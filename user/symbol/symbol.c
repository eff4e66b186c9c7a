/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Addresses to frames: the symbol table's function, DWARF's lines, and what was inlined there. */
#include "symbol/symbol.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "elf/symtab.h"
#include "symbol/demangle.h"
#include "symbol/minidebug.h"
#include "symbol/units.h"

enum {
	INLINED_MAX = 63,
	ORIGINS_MAX = 16, /* DIEs from an instance to where it is named */
	RANGE_STEPS_MAX = 1 << 16, /* of one address: a range list may be as long as the file */
};

struct symboliser {
	struct image *mini; /* NULL: none */
	struct symtab *symtab;
	struct units *units; /* NULL: no DWARF */

	/* The answer for one address. */
	uint64_t address;
	size_t count; /* 0: no answer yet */
	struct symbol_frame frames[INLINED_MAX + 1];
	char *names[INLINED_MAX + 1]; /* of DEMANGLE_MAX bytes, as many as were needed so far */
};

struct symboliser *symboliser_new(struct image *image, struct image *debug, struct image *alt)
{
	struct symboliser *symboliser = mem_alloc(sizeof(*symboliser));

	symboliser->mini = debug ? NULL : minidebug_open(image);
	symboliser->symtab = symtab_new(image, debug ? debug : symboliser->mini);
	if (units_exist(image))
		units_new(&symboliser->units, image, alt);
	else if (debug)
		units_new(&symboliser->units, debug, alt);
	return symboliser;
}

void symboliser_free(struct symboliser *symboliser)
{
	if (!symboliser)
		return;
	units_free(symboliser->units);
	symtab_free(symboliser->symtab);
	image_free(symboliser->mini);
	for (size_t i = 0; i <= INLINED_MAX; i++)
		mem_free(symboliser->names[i]);
	mem_free(symboliser);
}

/* -- DIEs ---------------------------------------------------------------------------------------
 */

/* The linkage name, else the plain name, of a DIE or of what it is an instance of. */
static const char *name_of(const struct units *units, const Dwarf_Die *instance)
{
	Dwarf_Die die = *instance;
	const char *plain = NULL;

	for (int i = 0; i < ORIGINS_MAX; i++) {
		Dwarf_Attribute attribute;
		const char *linkage = units_string(units, &die, DW_AT_linkage_name);

		if (!linkage)
			linkage = units_string(units, &die, DW_AT_MIPS_linkage_name);
		if (linkage)
			return linkage;
		if (!plain)
			plain = units_string(units, &die, DW_AT_name);
		if (!dwarf_attr(&die, DW_AT_abstract_origin, &attribute) &&
		    !dwarf_attr(&die, DW_AT_specification, &attribute))
			break;
		if (!dwarf_formref_die(&attribute, &die))
			break;
	}
	return plain;
}

static bool contains(Dwarf_Die *die, uint64_t address, unsigned *steps)
{
	Dwarf_Addr base, low, high;
	ptrdiff_t offset = 0;

	while (*steps && (offset = dwarf_ranges(die, offset, &base, &low, &high)) > 0) {
		--*steps;
		if (address >= low && address < high)
			return true;
	}
	return false;
}

/* The functions that were inlined into function at address, outermost first. */
static size_t find_inlined(const Dwarf_Die *function, uint64_t address,
			   Dwarf_Die inlined[INLINED_MAX])
{
	unsigned steps = RANGE_STEPS_MAX;
	Dwarf_Die die = *function;
	size_t count = 0;
	bool more = units_child(&die);

	while (more && count < INLINED_MAX) {
		int tag = dwarf_tag(&die);
		bool scope = tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block ||
			     tag == DW_TAG_try_block || tag == DW_TAG_catch_block;

		if (!scope || !contains(&die, address, &steps)) {
			more = units_sibling(&die);
			continue;
		}
		if (tag == DW_TAG_inlined_subroutine)
			inlined[count++] = die;
		more = units_child(&die);
	}
	return count;
}

/* -- lines --------------------------------------------------------------------------------------
 */

static void line_of_address(Dwarf_Die *unit, uint64_t address, struct symbol_frame *frame)
{
	Dwarf_Line *line = dwarf_getsrc_die(unit, address);
	int number = 0;

	if (!line)
		return;
	frame->file = dwarf_linesrc(line, NULL, NULL);
	if (frame->file && !dwarf_lineno(line, &number) && number > 0)
		frame->line = number;
}

static void line_of_call(Dwarf_Die *unit, Dwarf_Die *inlined, struct symbol_frame *frame)
{
	Dwarf_Attribute attribute;
	Dwarf_Word file, line;
	Dwarf_Files *files;
	size_t count;

	if (!dwarf_attr(inlined, DW_AT_call_file, &attribute) ||
	    dwarf_formudata(&attribute, &file) || dwarf_getsrcfiles(unit, &files, &count) ||
	    file >= count)
		return;
	frame->file = dwarf_filesrc(files, file, NULL, NULL);
	if (frame->file && dwarf_attr(inlined, DW_AT_call_line, &attribute) &&
	    !dwarf_formudata(&attribute, &line) && line <= UINT32_MAX)
		frame->line = line;
}

/* -- frames -------------------------------------------------------------------------------------
 */

static struct symbol_frame *add_frame(struct symboliser *symboliser)
{
	struct symbol_frame *frame = &symboliser->frames[symboliser->count++];

	*frame = (struct symbol_frame){ 0 };
	return frame;
}

static void name_frame(struct symboliser *symboliser, struct symbol_frame *frame, const char *name)
{
	char **shown = &symboliser->names[frame - symboliser->frames];

	if (!name || !name[0])
		return;
	if (!*shown)
		*shown = mem_alloc(DEMANGLE_MAX);
	frame->name = demangle(name, *shown);
}

/* All frames but the name of the last, whose function's DIE is returned where it is known. */
static const char *resolve_source(struct symboliser *symboliser, uint64_t address)
{
	Dwarf_Die unit, function, inlined[INLINED_MAX];
	struct symbol_frame *frame;
	size_t count;

	if (!symboliser->units || !units_find(symboliser->units, address, &unit, &function)) {
		add_frame(symboliser);
		return NULL;
	}
	frame = add_frame(symboliser);
	line_of_address(&unit, address, frame);
	if (!function.addr)
		return NULL;
	count = find_inlined(&function, address, inlined);
	while (count--) {
		frame->inlined = true;
		name_frame(symboliser, frame, name_of(symboliser->units, &inlined[count]));
		frame = add_frame(symboliser);
		line_of_call(&unit, &inlined[count], frame);
	}
	return name_of(symboliser->units, &function);
}

static void resolve(struct symboliser *symboliser, uint64_t address)
{
	const struct symtab_entry *symbol;
	const char *name;

	if (symboliser->count && symboliser->address == address)
		return;
	symboliser->address = address;
	symboliser->count = 0;
	name = resolve_source(symboliser, address);
	/* The symbol table is what the linker did; a label without size is the weakest witness. */
	symbol = symtab_find(symboliser->symtab, address);
	if (symbol && (symbol->sized || !name))
		name = symbol->name;
	name_frame(symboliser, &symboliser->frames[symboliser->count - 1], name);
}

struct wanted {
	uint64_t address;
	size_t i;
};

static int by_address(const void *a, const void *b)
{
	const struct wanted *x = a, *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	return x->i < y->i ? -1 : x->i > y->i;
}

void symbolise(struct symboliser *symboliser, const uint64_t *addresses, size_t count,
	       symbol_frame_fn frame, void *context)
{
	struct wanted *wanted = mem_array(count, sizeof(*wanted));

	for (size_t i = 0; i < count; i++)
		wanted[i] = (struct wanted){ addresses[i], i };
	if (count)
		qsort(wanted, count, sizeof(*wanted), by_address);
	for (size_t i = 0; i < count; i++) {
		resolve(symboliser, wanted[i].address);
		for (size_t k = 0; k < symboliser->count; k++)
			frame(wanted[i].i, &symboliser->frames[k], context);
	}
	mem_free(wanted);
}
