/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Call frame information (.eh_frame, .debug_frame) → rows for the unwinder in the kernel. Works on
 * bytes alone: finding, mapping and inflating the sections is the caller's. The bytes may be
 * hostile.
 */
#ifndef UNFREED_UNWIND_ROWS_H
#define UNFREED_UNWIND_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "elf/exits.h"

struct abi_row;
enum { UNWIND_ROW_BYTES = 8 }; /* for whom only passes them on */

struct unwind_section {
	const void *data; /* NULL: the image has no such section */
	size_t bytes;
	uint64_t address; /* in the image */
};

struct unwind_sections {
	uint16_t machine; /* EM_… */
	struct unwind_section eh_frame;
	struct unwind_section debug_frame; /* fills in what .eh_frame does not cover */
	uint64_t text_address; /* .text, base of DW_EH_PE_textrel */
	uint64_t got_address; /* .got, base of DW_EH_PE_datarel in .eh_frame */
	/* Where the kernel enters the image; 0: nowhere. The loader's has no entry of its own
	 * (glibc's _start and _dl_start_user): it is a thread's root all the same. */
	uint64_t entry_address;
};

struct unwind_table {
	struct abi_row *rows; /* the caller's: free() */
	size_t count;
	uint64_t base; /* image address that row pc 0 stands for */
	uint32_t skipped; /* rules and entries that no row can express (they became CFA_NONE) */
};

/*
 * Rows sorted by pc, no two of one pc, no two neighbours equal; where nothing covers the code
 * behind a function, a CFA_NONE row says so. Returns 0; -ENODATA: no usable entry; -ENOTSUP: not a
 * machine that is walked by rows; -EOVERFLOW: the code spans more than 4 GiB; -E2BIG: too many
 * rows.
 */
int unwind_rows(const struct unwind_sections *sections, struct unwind_table *table);

/*
 * What each entry of .eh_frame and .debug_frame covers, sorted by start: functions and parts of
 * them. *extents is the caller's: mem_free(). Returns how many there are.
 */
size_t unwind_extents(const struct unwind_sections *sections, struct extent **extents);

#endif
