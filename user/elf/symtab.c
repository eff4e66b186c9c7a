/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Symbol tables: reading them safely, looking functions up by name and by address. */
#include "elf/symtab.h"

#include <stdlib.h>
#include <string.h>

#include "base/vec.h"

enum {
	SYMBOLS_MAX = 4 << 20, /* three times as many as the largest program has */
	VERSION_HIDDEN = 0x8000, /* not the default version of its name */
	ENCLOSING_MAX = 64, /* symbols before an address that are looked at for one around it */
};

/* -- tables -------------------------------------------------------------------------------------
 */

struct table {
	Elf_Data *symbols, *versions;
	const char *names;
	size_t name_bytes, count;
};

struct tables {
	struct image *image;
	struct table dynamic, full;
	Elf_Data *versions;
	VEC(uint64_t) code_end; /* by section index: where it ends, 0: not code */
};

static void take_table(struct table *table, struct image *image, Elf_Scn *section,
		       const GElf_Shdr *header)
{
	const Elf_Data *symbols = image_section_data(image, section, header), *names;
	Elf *elf = image_elf(image);
	Elf_Scn *name_section = elf_getscn(elf, header->sh_link);
	GElf_Shdr name_header;

	if (!symbols || !name_section || !gelf_getshdr(name_section, &name_header) ||
	    name_header.sh_type != SHT_STRTAB)
		return;
	names = image_section_data(image, name_section, &name_header);
	/* An unterminated last name would be read beyond its end: no table at all. */
	if (!names || !names->d_buf || ((const char *)names->d_buf)[names->d_size - 1])
		return;
	table->symbols = (Elf_Data *)symbols;
	table->names = names->d_buf;
	table->name_bytes = names->d_size;
	table->count = symbols->d_size / gelf_fsize(elf, ELF_T_SYM, 1, EV_CURRENT);
	if (table->count > SYMBOLS_MAX)
		table->count = SYMBOLS_MAX;
}

struct choice {
	struct tables *tables;
	bool full; /* .symtab, too */
};

static bool take_section(Elf_Scn *section, const GElf_Shdr *header, const char *name, void *context)
{
	const struct choice *choice = context;
	struct tables *tables = choice->tables;

	while (tables->code_end.count < elf_ndxscn(section))
		*vec_add(&tables->code_end) = 0;
	*vec_add(&tables->code_end) =
		header->sh_flags & SHF_EXECINSTR ? header->sh_addr + header->sh_size : 0;
	if (header->sh_type == SHT_DYNSYM && !tables->dynamic.symbols)
		take_table(&tables->dynamic, tables->image, section, header);
	else if (header->sh_type == SHT_SYMTAB && choice->full && !tables->full.symbols)
		take_table(&tables->full, tables->image, section, header);
	else if (header->sh_type == SHT_GNU_versym && !tables->versions)
		tables->versions = (Elf_Data *)image_section_data(tables->image, section, header);
	return true;
}

static struct tables read_tables(struct image *image, bool full)
{
	struct tables tables = { .image = image };
	struct choice choice = { .tables = &tables, .full = full };

	image_sections(image, take_section, &choice);
	tables.dynamic.versions = tables.versions;
	return tables;
}

/* The i-th symbol where it names code that this file defines; else NULL. */
static const char *code_symbol(const struct tables *tables, const struct table *table, size_t i,
			       GElf_Sym *symbol)
{
	unsigned type;

	if (!gelf_getsym(table->symbols, i, symbol) || symbol->st_name >= table->name_bytes)
		return NULL;
	type = GELF_ST_TYPE(symbol->st_info);
	if (type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE)
		return NULL;
	if (symbol->st_shndx == SHN_UNDEF || symbol->st_shndx >= tables->code_end.count ||
	    !tables->code_end.items[symbol->st_shndx])
		return NULL;
	return table->names + symbol->st_name;
}

/* -- by name ------------------------------------------------------------------------------------
 */

static bool same_name(const char *name, const char *wanted)
{
	size_t length = strlen(wanted);

	return !strncmp(name, wanted, length) && (!name[length] || name[length] == '@');
}

static void find_in(const struct tables *tables, const struct table *table,
		    const char *const *names, size_t count, struct symtab_function *functions)
{
	for (size_t i = 0; i < table->count; i++) {
		GElf_Versym version = 0;
		GElf_Sym symbol;
		const char *name = code_symbol(tables, table, i, &symbol);

		if (!name || GELF_ST_TYPE(symbol.st_info) == STT_NOTYPE ||
		    GELF_ST_BIND(symbol.st_info) == STB_LOCAL)
			continue;
		for (size_t k = 0; k < count; k++) {
			if (names[k][0] != name[0] || !same_name(name, names[k]))
				continue;
			if (table->versions)
				gelf_getversym(table->versions, i, &version);
			if (functions[k].found && (version & VERSION_HIDDEN || !table->versions))
				continue;
			functions[k] = (struct symtab_function){
				.found = true,
				.indirect = GELF_ST_TYPE(symbol.st_info) == STT_GNU_IFUNC,
				.address = symbol.st_value,
				.bytes = symbol.st_size,
			};
		}
	}
}

void symtab_functions(struct image *image, const char *const *names, size_t count,
		      struct symtab_function *functions)
{
	struct tables tables = read_tables(image, true);

	memset(functions, 0, count * sizeof(*functions));
	find_in(&tables, &tables.dynamic, names, count, functions);
	/* Static programs, and those that export a part of an allocator only. */
	find_in(&tables, &tables.full, names, count, functions);
	vec_free(&tables.code_end);
}

/* -- by address ---------------------------------------------------------------------------------
 */

struct symtab {
	VEC(struct symtab_entry) entries;
};

/* Mapping symbols ($x, $d), local labels and nameless ones name nothing that a user knows. */
static bool is_noise(const char *name)
{
	return !name[0] || name[0] == '$' || !strncmp(name, ".L", 2);
}

static uint8_t rank_of(const GElf_Sym *symbol, const char *name)
{
	size_t underscores = strspn(name, "_");

	return (symbol->st_size == 0) << 6 | (GELF_ST_TYPE(symbol->st_info) == STT_NOTYPE) << 5 |
	       (GELF_ST_BIND(symbol->st_info) == STB_LOCAL) << 4 |
	       (underscores < 15 ? underscores : 15);
}

static void add_table(struct symtab *symtab, const struct tables *tables, const struct table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		struct symtab_entry *entry;
		uint64_t code_end;
		GElf_Sym symbol;
		const char *name = code_symbol(tables, table, i, &symbol);

		if (!name || is_noise(name))
			continue;
		code_end = tables->code_end.items[symbol.st_shndx];
		if (symbol.st_value >= code_end)
			continue;
		entry = vec_add(&symtab->entries);
		entry->address = symbol.st_value;
		entry->sized = symbol.st_size != 0;
		entry->end = entry->sized && symbol.st_size <= code_end - symbol.st_value
				     ? symbol.st_value + symbol.st_size
				     : code_end;
		entry->name = name;
		entry->rank = rank_of(&symbol, name);
	}
}

static int by_address(const void *a, const void *b)
{
	const struct symtab_entry *x = a, *y = b;
	size_t x_length, y_length;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	x_length = strcspn(x->name, "@");
	y_length = strcspn(y->name, "@");
	if (x_length != y_length)
		return x_length < y_length ? -1 : 1;
	return strcmp(x->name, y->name);
}

struct symtab *symtab_new(struct image *image, struct image *debug)
{
	struct symtab *symtab = mem_alloc(sizeof(*symtab));
	struct image *images[] = { image, debug };
	size_t kept = 0;

	for (int i = 0; i < 2 && images[i]; i++) {
		struct tables tables = read_tables(images[i], true);

		add_table(symtab, &tables, &tables.full);
		add_table(symtab, &tables, &tables.dynamic);
		vec_free(&tables.code_end);
	}
	if (!symtab->entries.count)
		return symtab;
	qsort(symtab->entries.items, symtab->entries.count, sizeof(*symtab->entries.items),
	      by_address);
	vec_for_each (entry, &symtab->entries) {
		struct symtab_entry *last = kept ? &symtab->entries.items[kept - 1] : NULL;

		if (last && last->address == entry->address)
			continue;
		if (last && !last->sized && last->end > entry->address)
			last->end = entry->address;
		symtab->entries.items[kept++] = *entry;
	}
	symtab->entries.count = kept;
	return symtab;
}

void symtab_free(struct symtab *symtab)
{
	if (!symtab)
		return;
	vec_free(&symtab->entries);
	mem_free(symtab);
}

const struct symtab_entry *symtab_find(const struct symtab *symtab, uint64_t address)
{
	const struct symtab_entry *label = NULL;
	size_t low = 0, high = symtab->entries.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (symtab->entries.items[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	/* The nearest function around address; a label without size only where there is none. */
	for (size_t i = low; i > 0 && low - i < ENCLOSING_MAX; i--) {
		const struct symtab_entry *entry = &symtab->entries.items[i - 1];

		if (address >= entry->end)
			continue;
		if (entry->sized)
			return entry;
		if (!label)
			label = entry;
	}
	return label;
}
