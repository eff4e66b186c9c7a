/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Function entries, sorted → rows, merged. */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi.h"
#include "base/error.h"
#include "base/vec.h"
#include "unwind/cfi.h"
#include "unwind/rows.h"
#include "unwind/rules.h"

_Static_assert(sizeof(struct abi_row) == UNWIND_ROW_BYTES, "one size");

enum {
	SECTIONS = 2,
	CIE_CACHE = 64,
	ROWS_MAX = 1 << ABI_MAX_ROWS_LOG2,
};

struct cached_cie {
	uint64_t offset;
	uint32_t section;
	bool is_set, is_good;
	struct cfi_cie cie;
	struct rules initial;
};

struct builder {
	struct cfi_section sections[SECTIONS];
	struct cached_cie cache[CIE_CACHE];
	VEC(struct cfi_fde) fdes;
	VEC(struct abi_row) rows;
	uint64_t base;
	uint64_t entry_address;
	uint32_t skipped;
};

/* An image has a few common entries, and thousands of function entries that name them. */
static const struct cached_cie *find_cie(struct builder *builder, uint32_t section, uint64_t offset)
{
	struct cached_cie *cached = &builder->cache[(offset / 8 + section) % CIE_CACHE];

	if (cached->is_set && cached->offset == offset && cached->section == section)
		return cached->is_good ? cached : NULL;
	cached->is_set = true;
	cached->offset = offset;
	cached->section = section;
	cached->is_good = cfi_read_cie(&builder->sections[section], offset, &cached->cie) &&
			  rules_of_cie(&builder->sections[section], &cached->cie, &cached->initial);
	return cached->is_good ? cached : NULL;
}

static void index_section(struct builder *builder, uint32_t number)
{
	const struct cfi_section *section = &builder->sections[number];
	struct reader reader;
	struct cfi_entry entry;

	if (!section->bytes.data)
		return;
	reader = cfi_reader(section, 0);
	while ((entry = cfi_next(section, &reader)).kind != CFI_END) {
		const struct cached_cie *cie;
		struct cfi_fde fde = { .section = number };

		if (entry.kind != CFI_FDE)
			continue;
		cie = find_cie(builder, number, entry.cie_offset);
		if (!cie || !cfi_read_fde(section, &cie->cie, &entry, &fde))
			builder->skipped++;
		else if (fde.start && fde.start != fde.end) /* 0: code that the linker left out */
			*vec_add(&builder->fdes) = fde;
	}
	if (reader.failed)
		builder->skipped++;
}

/* By start; of two with one start, the one that comes first in .eh_frame, then in .debug_frame. */
static int compare_fdes(const void *left, const void *right)
{
	const struct cfi_fde *a = left, *b = right;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	if (a->section != b->section)
		return a->section < b->section ? -1 : 1;
	return a->offset < b->offset ? -1 : a->offset > b->offset;
}

static const struct abi_row *last_row(const struct builder *builder)
{
	return builder->rows.count ? &builder->rows.items[builder->rows.count - 1] : NULL;
}

/* A row at a pc not below the last one's. It replaces one at the same pc. */
static void add_row(struct builder *builder, uint64_t pc, struct abi_row row)
{
	const struct abi_row *last = last_row(builder);

	row.pc = (__u32)(pc - builder->base);
	if (last && last->pc == row.pc) {
		builder->rows.count--;
		last = last_row(builder);
	}
	if (last && last->cfa == row.cfa && last->cfa_offset == row.cfa_offset &&
	    last->bp_offset == row.bp_offset)
		return;
	*vec_add(&builder->rows) = row;
}

/* The rows of an entry from floor on, up to where nothing but the next entry holds. */
static void add_fde(struct builder *builder, const struct cfi_fde *fde, uint64_t floor)
{
	const struct cached_cie *cie = find_cie(builder, fde->section, fde->cie_offset);
	struct rules_run run;
	struct abi_row row;
	uint64_t pc;
	bool expressed;

	if (!cie)
		return;
	rules_begin(&run, &builder->sections[fde->section], &cie->cie, &cie->initial, fde);
	while (rules_next(&run, &pc, &row, &expressed) && pc < fde->end &&
	       builder->rows.count < ROWS_MAX) {
		add_row(builder, pc < floor ? floor : pc, row);
		builder->skipped += !expressed;
	}
	add_row(builder, fde->end, (struct abi_row){ .cfa = CFA_NONE });
}

static int build(struct builder *builder)
{
	struct cfi_fde *fdes = builder->fdes.items;
	uint64_t floor;

	if (!builder->fdes.count)
		return error_set(-ENODATA, "no unwind information");
	qsort(fdes, builder->fdes.count, sizeof(*fdes), compare_fdes);
	floor = builder->base = fdes[0].start;
	vec_for_each (fde, &builder->fdes) {
		if (fde->end - builder->base > UINT32_MAX)
			return error_set(-EOVERFLOW, "unwind information spans more than 4 GiB");
		if (fde->end <= floor) /* the entry before it covers it */
			continue;
		if (builder->entry_address >= floor && builder->entry_address < fde->start)
			add_row(builder, builder->entry_address,
				(struct abi_row){ .cfa = CFA_ROOT });
		add_fde(builder, fde, floor > fde->start ? floor : fde->start);
		if (builder->rows.count >= ROWS_MAX)
			return error_set(-E2BIG, "more than %d unwind rows", ROWS_MAX);
		floor = fde->end;
	}
	return 0;
}

static struct builder *builder_new(const struct unwind_sections *sections)
{
	struct builder *builder = mem_alloc(sizeof(*builder));

	builder->entry_address = sections->entry_address;
	for (uint32_t i = 0; i < SECTIONS; i++) {
		bool is_eh = i == 0;

		builder->sections[i] = (struct cfi_section){
			.bytes = is_eh ? sections->eh_frame : sections->debug_frame,
			.text_address = sections->text_address,
			.got_address = sections->got_address,
			.is_eh = is_eh,
		};
		index_section(builder, i);
	}
	return builder;
}

static void builder_free(struct builder *builder)
{
	vec_free(&builder->fdes);
	vec_free(&builder->rows);
	mem_free(builder);
}

int unwind_rows(const struct unwind_sections *sections, struct unwind_table *table)
{
	struct builder *builder;
	int error;

	memset(table, 0, sizeof(*table));
	if (sections->machine != EM_X86_64)
		return error_set(-ENOTSUP, "machine %u is not unwound by tables",
				 sections->machine);
	builder = builder_new(sections);
	error = build(builder);
	table->skipped = builder->skipped;
	if (!error) {
		table->rows = builder->rows.items;
		table->count = builder->rows.count;
		table->base = builder->base;
		builder->rows.items = NULL;
	}
	builder_free(builder);
	return error;
}

size_t unwind_extents(const struct unwind_sections *sections, struct extent **extents)
{
	struct builder *builder = builder_new(sections);
	size_t count = builder->fdes.count;

	*extents = mem_array(count, sizeof(**extents));
	if (count)
		qsort(builder->fdes.items, count, sizeof(struct cfi_fde), compare_fdes);
	for (size_t i = 0; i < count; i++)
		(*extents)[i] =
			(struct extent){ builder->fdes.items[i].start, builder->fdes.items[i].end };
	builder_free(builder);
	return count;
}
