/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Unwind rows and executable mappings, in memory and then in the kernel's arrays. */
#include "collect/tables.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/vec.h"

enum { ROWS_SPARE = 384 * 1024 }; /* 3 MiB for what is loaded later: a JVM takes 1.7 */

/* A part of an array: the mappings of one process, or a hole. */
struct run {
	size_t first, count;
};

struct tables {
	VEC(struct abi_row) rows; /* until bound */
	struct abi_row *mapped_rows;
	size_t rows_entries, rows_used; /* with holes */
	VEC(struct run) holes; /* dropped rows, sorted; of what is left of one, count may be 0 */
	struct abi_code *mapped_code;
	VEC(struct run) runs; /* in use */
	size_t code_next; /* behind the run stored last */
};

struct tables *tables_new(void)
{
	return mem_alloc(sizeof(struct tables));
}

void tables_free(struct tables *tables)
{
	if (!tables)
		return;
	vec_free(&tables->rows);
	vec_free(&tables->runs);
	vec_free(&tables->holes);
	if (tables->mapped_rows)
		munmap(tables->mapped_rows, tables->rows_entries * sizeof(struct abi_row));
	if (tables->mapped_code)
		munmap(tables->mapped_code, TABLES_CODE_ENTRIES * sizeof(struct abi_code));
	mem_free(tables);
}

uint32_t tables_rows_wanted(const struct tables *tables)
{
	size_t wanted = tables->rows_used + tables->rows_used / 4 + ROWS_SPARE;
	size_t most = 1U << ABI_MAX_ROWS_LOG2;

	return (uint32_t)(wanted < most ? wanted : most);
}

int tables_bind(struct tables *tables, int rows_fd, uint32_t rows_entries, int code_fd)
{
	void *rows, *code;

	rows = mmap(NULL, rows_entries * sizeof(struct abi_row), PROT_READ | PROT_WRITE, MAP_SHARED,
		    rows_fd, 0);
	if (rows == MAP_FAILED)
		return -errno;
	tables->mapped_rows = rows;
	tables->rows_entries = rows_entries;
	code = mmap(NULL, TABLES_CODE_ENTRIES * sizeof(struct abi_code), PROT_READ | PROT_WRITE,
		    MAP_SHARED, code_fd, 0);
	if (code == MAP_FAILED)
		return -errno;
	tables->mapped_code = code;
	if (tables->rows_used > rows_entries)
		return -ENOSPC;
	if (tables->rows_used)
		memcpy(rows, tables->rows.items, tables->rows_used * sizeof(struct abi_row));
	vec_free(&tables->rows);
	return 0;
}

/* Room among dropped rows; the first that fits. */
static bool reuse(struct tables *tables, size_t count, uint32_t *first)
{
	vec_for_each (hole, &tables->holes) {
		if (hole->count < count)
			continue;
		*first = (uint32_t)hole->first;
		hole->first += count;
		hole->count -= count;
		return true;
	}
	return false;
}

int tables_add_rows(struct tables *tables, const struct abi_row *rows, size_t count,
		    uint32_t *first)
{
	size_t most = tables->mapped_rows ? tables->rows_entries : 1U << ABI_MAX_ROWS_LOG2;

	if (!reuse(tables, count, first)) {
		if (tables->rows_used + count > most)
			return -ENOSPC;
		*first = (uint32_t)tables->rows_used;
		tables->rows_used += count;
	}
	if (tables->mapped_rows) {
		memcpy(tables->mapped_rows + *first, rows, count * sizeof(*rows));
		return 0;
	}
	while (tables->rows.count < tables->rows_used)
		vec_add(&tables->rows);
	if (count)
		memcpy(tables->rows.items + *first, rows, count * sizeof(*rows));
	return 0;
}

static int by_first(const void *left, const void *right)
{
	const struct run *a = left, *b = right;

	return a->first < b->first ? -1 : a->first > b->first;
}

void tables_drop_rows(struct tables *tables, uint32_t first, size_t count)
{
	size_t kept = 0;

	*vec_add(&tables->holes) = (struct run){ first, count };
	qsort(tables->holes.items, tables->holes.count, sizeof(*tables->holes.items), by_first);
	vec_for_each (hole, &tables->holes) {
		struct run *last = kept ? &tables->holes.items[kept - 1] : NULL;

		if (!hole->count)
			continue;
		if (last && last->first + last->count == hole->first)
			last->count += hole->count;
		else
			tables->holes.items[kept++] = *hole;
	}
	tables->holes.count = kept;
}

static const struct run *overlapping(const struct tables *tables, size_t first, size_t count)
{
	vec_for_each (run, &tables->runs) {
		if (run->first < first + count && first < run->first + run->count)
			return run;
	}
	return NULL;
}

/* The next place that no run is in, from the last one on and around: what was dropped rests. */
static bool find_place(const struct tables *tables, size_t count, size_t *place)
{
	bool around = false;

	*place = tables->code_next;
	for (;;) {
		const struct run *run;

		if (*place + count > TABLES_CODE_ENTRIES) {
			if (around || count > TABLES_CODE_ENTRIES)
				return false;
			around = true;
			*place = 0;
		}
		run = overlapping(tables, *place, count);
		if (!run)
			return true;
		*place = run->first + run->count;
	}
}

int tables_add_code(struct tables *tables, const struct abi_code *code, size_t count,
		    uint32_t *first)
{
	size_t place;

	if (!tables->mapped_code || !find_place(tables, count, &place))
		return -ENOSPC;
	*first = (uint32_t)place;
	memcpy(tables->mapped_code + place, code, count * sizeof(*code));
	if (count)
		*vec_add(&tables->runs) = (struct run){ place, count };
	tables->code_next = place + count;
	return 0;
}

void tables_drop_code(struct tables *tables, uint32_t first)
{
	vec_for_each (run, &tables->runs) {
		if (run->first == first) {
			*run = tables->runs.items[--tables->runs.count];
			return;
		}
	}
}
