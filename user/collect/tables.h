/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The unwind tables as the kernel side reads them: all rows in one array, and for each process a
 * sorted run of its executable mappings in another. Filled in memory first, so that the maps can be
 * sized by what is there; written to the maps directly from then on.
 */
#ifndef UNFREED_COLLECT_TABLES_H
#define UNFREED_COLLECT_TABLES_H

#include <stddef.h>
#include <stdint.h>

#include "abi.h"

struct tables;

struct tables *tables_new(void);
void tables_free(struct tables *tables); /* NULL is legal */

/* Entries that the maps should have: what is stored and room for what comes later. */
uint32_t tables_rows_wanted(const struct tables *tables);
enum { TABLES_CODE_ENTRIES = 16384 };

/* Moves to the maps, which must be mmap-able arrays of these sizes. Returns 0 or -errno. */
int tables_bind(struct tables *tables, int rows_fd, uint32_t rows_entries, int code_fd);

/* Stores rows; *first is their place. Returns 0, or -ENOSPC once bound and full. */
int tables_add_rows(struct tables *tables, const struct abi_row *rows, size_t count,
		    uint32_t *first);

/* Their place may be taken by others from now on: the kernel side reads them no more. */
void tables_drop_rows(struct tables *tables, uint32_t first, size_t count);

/*
 * Stores the mappings of one process, sorted by start; *first is their place, theirs until it is
 * dropped. Returns 0 or -ENOSPC.
 */
int tables_add_code(struct tables *tables, const struct abi_code *code, size_t count,
		    uint32_t *first);

/*
 * The run at first is out of use. It stays readable until the array has been gone through once: a
 * walk may be under way in it.
 */
void tables_drop_code(struct tables *tables, uint32_t first);

#endif
