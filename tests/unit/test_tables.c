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

#include "collect/tables.h"

enum { RUN = 100, RUNS = TABLES_CODE_ENTRIES / RUN, ROWS = 512 };

struct bound {
	struct tables *tables;
	const struct abi_code *code; /* as the kernel side would see it */
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
	*state = &bound;
	return bound.code == MAP_FAILED || tables_bind(bound.tables, rows_fd, ROWS, code_fd) ||
	       close(rows_fd) || close(code_fd);
}

static int tear_down(void **state)
{
	struct bound *bound = *state;

	tables_free(bound->tables);
	return munmap((void *)bound->code, TABLES_CODE_ENTRIES * sizeof(struct abi_code));
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_quiet_process_keeps_its_run, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_full_array_is_refused, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
