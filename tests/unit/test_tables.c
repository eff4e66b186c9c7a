/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Runs of mappings in the kernel's array: none may lie where another is in use. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/vec.h"
#include "collect/tables.h"

enum { RUN = 100, RUNS = TABLES_CODE_ENTRIES / RUN, ROWS = 512 };

struct bound {
	struct tables *tables;
	const struct abi_code *code; /* as the kernel side would see it */
	const struct abi_row *rows;
};

static int set_up(void **state)
{
	static struct bound bound;
	size_t code_bytes = TABLES_CODE_ENTRIES * sizeof(struct abi_code);
	int rows_fd = memfd_create("rows", MFD_CLOEXEC),
	    code_fd = memfd_create("code", MFD_CLOEXEC);

	if (rows_fd < 0 || code_fd < 0 || ftruncate(rows_fd, ROWS * sizeof(struct abi_row)) ||
	    ftruncate(code_fd, (off_t)code_bytes))
		return -1;
	bound.tables = tables_new();
	bound.code = mmap(NULL, code_bytes, PROT_READ, MAP_SHARED, code_fd, 0);
	bound.rows = mmap(NULL, ROWS * sizeof(struct abi_row), PROT_READ, MAP_SHARED, rows_fd, 0);
	*state = &bound;
	return bound.code == MAP_FAILED || bound.rows == MAP_FAILED ||
	       tables_bind(bound.tables, rows_fd, ROWS, code_fd) || close(rows_fd) ||
	       close(code_fd);
}

static int tear_down(void **state)
{
	struct bound *bound = *state;

	tables_free(bound->tables);
	return munmap((void *)bound->rows, ROWS * sizeof(struct abi_row)) ||
	       munmap((void *)bound->code, TABLES_CODE_ENTRIES * sizeof(struct abi_code));
}

/* A run of one process, whose entries say whose they are. */
static int add(struct bound *bound, uint64_t owner, size_t count, uint32_t *first)
{
	struct abi_code code[RUN];

	memset(code, 0, sizeof(code));
	for (size_t i = 0; i < count; i++)
		code[i].start = owner;
	return tables_add_code(bound->tables, code, count, first);
}

static void assert_run(const struct bound *bound, uint64_t owner, uint32_t first, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_int_equal(bound->code[first + i].start, owner);
}

/* One process stays as it is, another is published again and again. */
static void test_quiet_process_keeps_its_run(void **state)
{
	struct bound *bound = *state;
	uint32_t quiet, busy, next;

	assert_int_equal(add(bound, 1, RUN, &quiet), 0);
	assert_int_equal(add(bound, 2, RUN, &busy), 0);
	for (int i = 0; i < 3 * RUNS; i++) {
		assert_int_equal(add(bound, 2, RUN, &next), 0);
		assert_run(bound, 2, busy, RUN);
		tables_drop_code(bound->tables, busy);
		busy = next;
		assert_run(bound, 1, quiet, RUN);
	}
}

static void test_full_array_is_refused(void **state)
{
	struct bound *bound = *state;
	uint32_t first[RUNS], more;

	for (int i = 0; i < RUNS; i++)
		assert_int_equal(add(bound, (uint64_t)i, RUN, &first[i]), 0);
	assert_int_equal(add(bound, RUNS, RUN, &more), -ENOSPC);
	for (int i = 0; i < RUNS; i++)
		assert_run(bound, (uint64_t)i, first[i], RUN);
	tables_drop_code(bound->tables, first[RUNS / 2]);
	assert_int_equal(add(bound, RUNS, RUN, &more), 0);
	assert_int_equal(more, first[RUNS / 2]);
}

/* -- rows -------------------------------------------------------------------------------------- */

static uint32_t add_rows(struct tables *tables, size_t count, int error)
{
	struct abi_row *rows = mem_array(count, sizeof(*rows));
	uint32_t first = UINT32_MAX;

	for (size_t i = 0; i < count; i++)
		rows[i].pc = (__u32)i;
	assert_int_equal(tables_add_rows(tables, rows, count, &first), error);
	mem_free(rows);
	return first;
}

static void test_places_of_dropped_rows_are_used_again(void **state)
{
	struct bound *bound = *state;
	uint32_t part = ROWS / 4, first[4];

	for (int i = 0; i < 4; i++)
		first[i] = add_rows(bound->tables, part, 0);
	add_rows(bound->tables, 1, -ENOSPC);
	tables_drop_rows(bound->tables, first[0], part);
	tables_drop_rows(bound->tables, first[2], part);
	add_rows(bound->tables, part + 1, -ENOSPC);
	tables_drop_rows(bound->tables, first[1], part);
	assert_int_equal(add_rows(bound->tables, 2 * part, 0), first[0]);
	assert_int_equal(add_rows(bound->tables, part, 0), first[2]);
	add_rows(bound->tables, 1, -ENOSPC);
	assert_int_equal(bound->rows[first[3] + part - 1].pc, part - 1);
	for (int i = 0; i < 1000; i++) {
		tables_drop_rows(bound->tables, first[3], part);
		assert_int_equal(add_rows(bound->tables, part, 0), first[3]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_quiet_process_keeps_its_run, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_full_array_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_places_of_dropped_rows_are_used_again, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
