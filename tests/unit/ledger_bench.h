/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the tests of the ledger share: one ledger, a clock, each system call, and what to expect. */
#ifndef UNFREED_TESTS_LEDGER_BENCH_H
#define UNFREED_TESTS_LEDGER_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "model/ledger.h"

enum { PAGE = 4096, MIB = 1 << 20, PRIVATE = MAP_PRIVATE | MAP_ANONYMOUS };
enum { RW = PROT_READ | PROT_WRITE };
static const uint64_t A = 0x7f0000000000; /* a multiple of 64 MiB */

/* One ledger, and a clock: each call enters one tick behind the exit of the last. */
struct bench {
	struct ledger *ledger;
	uint64_t now_ns;
	uint32_t allocator;
};

static inline int set_up(void **state)
{
	static struct bench bench;

	bench = (struct bench){ .ledger = ledger_new(PAGE) };
	*state = &bench;
	return 0;
}

static inline int tear_down(void **state)
{
	struct bench *bench = *state;

	ledger_free(bench->ledger);
	return 0;
}

static inline uint64_t apply(struct bench *bench, struct ledger_event event)
{
	if (!event.exit_ns) {
		event.enter_ns = ++bench->now_ns;
		event.exit_ns = ++bench->now_ns;
	}
	event.allocator = bench->allocator;
	return ledger_apply(bench->ledger, &event);
}

static inline uint64_t map(struct bench *bench, uint64_t site, uint64_t at, uint64_t bytes,
			   int protection)
{
	return apply(bench, (struct ledger_event){ .call = LEDGER_MMAP,
						   .site = site,
						   .result = at,
						   .args = { 0, bytes, protection, PRIVATE } });
}

static inline uint64_t map_fixed(struct bench *bench, uint64_t site, uint64_t at, uint64_t bytes,
				 int protection)
{
	return apply(bench, (struct ledger_event){
				    .call = LEDGER_MMAP,
				    .site = site,
				    .result = at,
				    .args = { at, bytes, protection, PRIVATE | MAP_FIXED } });
}

static inline void unmap(struct bench *bench, uint64_t at, uint64_t bytes)
{
	apply(bench,
	      (struct ledger_event){ .call = LEDGER_MUNMAP, .site = 99, .args = { at, bytes } });
}

static inline void protect(struct bench *bench, uint64_t site, uint64_t at, uint64_t bytes,
			   int protection)
{
	apply(bench, (struct ledger_event){ .call = LEDGER_MPROTECT,
					    .site = site,
					    .args = { at, bytes, protection } });
}

static inline uint64_t remap(struct bench *bench, uint64_t site, uint64_t from, uint64_t old,
			     uint64_t new, int flags, uint64_t to)
{
	return apply(bench, (struct ledger_event){ .call = LEDGER_MREMAP,
						   .site = site,
						   .result = to,
						   .args = { from, old, new, flags, to } });
}

static inline uint64_t set_brk(struct bench *bench, uint64_t site, uint64_t wanted, uint64_t result)
{
	return apply(bench, (struct ledger_event){ .call = LEDGER_BRK,
						   .site = site,
						   .result = result,
						   .args = { wanted } });
}

struct picture {
	struct ledger_interval rows[16];
	unsigned int count;
};

static inline void draw(const struct ledger_interval *interval, void *context)
{
	struct picture *picture = context;

	assert_in_range(picture->count, 0, 15);
	picture->rows[picture->count++] = *interval;
}

static inline struct picture picture_of(const struct bench *bench)
{
	struct picture picture = {};

	ledger_visit(bench->ledger, draw, &picture);
	return picture;
}

/* One expected interval: offsets from A in pages. */
struct expected {
	uint64_t start, end, site, commit_site;
};

static inline void check_rows(const struct picture *picture, uint64_t base,
			      const struct expected *rows, unsigned int count)
{
	assert_int_equal(picture->count, count);
	for (unsigned int i = 0; i < count; i++) {
		assert_int_equal(picture->rows[i].start, base + rows[i].start * PAGE);
		assert_int_equal(picture->rows[i].end, base + rows[i].end * PAGE);
		assert_int_equal(picture->rows[i].site, rows[i].site);
		assert_int_equal(picture->rows[i].commit_site, rows[i].commit_site);
		assert_int_equal(picture->rows[i].committed, rows[i].commit_site != 0);
	}
}

#define CHECK(bench, base, ...)                                                     \
	do {                                                                        \
		const struct expected rows_[] = { __VA_ARGS__ };                    \
		struct picture picture_ = picture_of(bench);                        \
		check_rows(&picture_, base, rows_, sizeof(rows_) / sizeof(*rows_)); \
	} while (0)

static inline void check_nothing(const struct bench *bench)
{
	assert_int_equal(picture_of(bench).count, 0);
}

static inline void check_sums(const struct bench *bench, uint64_t mapped, uint64_t unmapped,
			      uint64_t preexisting)
{
	struct ledger_sums sums = ledger_sums(bench->ledger);

	assert_int_equal(sums.mapped_bytes, mapped * PAGE);
	assert_int_equal(sums.unmapped_bytes, unmapped * PAGE);
	assert_int_equal(sums.preexisting_unmapped_bytes, preexisting * PAGE);
	assert_int_equal(sums.overlaps, 0);
	assert_false(ledger_doubtful(bench->ledger));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
