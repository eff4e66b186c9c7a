/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Call frame information → rows. First byte: 0 .eh_frame, 1 .debug_frame, else both, with the bytes
 * of the first in a word of 16 bits.
 */
#include <elf.h>
#include <stdlib.h>

#include "abi.h"
#include "base/error.h"
#include "base/vec.h"
#include "fuzz.h"
#include "unwind/rows.h"

enum { SECTION = 0x100, TEXT = 0x800, GOT = 0x900, ENTRY = 0x1000 }; /* as in test_cfi.c */

static void check_rows(const struct unwind_table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct abi_row *row = &table->rows[i];

		fuzz_expect(row->cfa <= CFA_BP_DEREF);
		if (i)
			fuzz_expect(row[-1].pc < row->pc);
		if (i)
			fuzz_expect(row[-1].cfa != row->cfa ||
				    row[-1].cfa_offset != row->cfa_offset ||
				    row[-1].bp_offset != row->bp_offset);
	}
	/* Behind the last function, nothing is known. */
	fuzz_expect(table->count && table->rows[table->count - 1].cfa == CFA_NONE);
}

static void check_extents(const struct unwind_sections *sections)
{
	struct extent *extents;
	size_t count = unwind_extents(sections, &extents);

	for (size_t i = 0; i < count; i++) {
		fuzz_expect(extents[i].start < extents[i].end);
		if (i)
			fuzz_expect(extents[i - 1].start <= extents[i].start);
	}
	mem_free(extents);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	uint64_t which = input_number(&input, 1);
	size_t part = which == 0 ? SIZE_MAX : which == 1 ? 0 : input_number(&input, 2);
	struct unwind_sections sections = {
		.machine = EM_X86_64,
		.eh_frame = { .address = SECTION },
		.debug_frame = { .address = SECTION },
		.text_address = TEXT,
		.got_address = GOT,
		.entry_address = ENTRY,
	};
	void *eh = input_bytes(&input, part, &sections.eh_frame.bytes);
	void *debug = input_bytes(&input, SIZE_MAX, &sections.debug_frame.bytes);
	struct unwind_table table;
	int error;

	sections.eh_frame.data = which == 1 ? NULL : eh;
	sections.debug_frame.data = which == 0 ? NULL : debug;
	error = unwind_rows(&sections, &table);
	if (error) {
		fuzz_expect(!table.rows && !table.count);
		fuzz_end("%s, %u skipped", error_message(), table.skipped);
	} else {
		check_rows(&table);
		fuzz_end("%zu rows, %u skipped", table.count, table.skipped);
	}
	check_extents(&sections);
	free(table.rows);
	free(debug);
	free(eh);
	return 0;
}
