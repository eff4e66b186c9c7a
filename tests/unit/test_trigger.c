/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Conditions on a target's memory, and the readings that they look at. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "model/trigger.h"

static const uint64_t second_ns = 1000000000;

static void test_what_is_written_is_understood(void **state)
{
	static const struct {
		const char *text;
		enum trigger_gauge gauge;
		double threshold;
	} rows[] = {
		{ "rss>2G", TRIGGER_RSS, 2.0 * (1 << 30) },
		{ "cgroup>90%", TRIGGER_CGROUP, 0.9 },
		{ "cgroup>1.5K", TRIGGER_CGROUP, 1536 },
		{ "growth>60M/min", TRIGGER_GROWTH, 1 << 20 },
		{ "growth>1K/s", TRIGGER_GROWTH, 1024 },
		{ "growth>3600/h", TRIGGER_GROWTH, 1 },
		{ "live>0", TRIGGER_LIVE, 0 },
		{ "blocks>1000000", TRIGGER_BLOCKS, 1000000 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct trigger trigger;

		assert_int_equal(trigger_parse(&trigger, rows[i].text), 0);
		assert_int_equal(trigger.gauge, rows[i].gauge);
		assert_true(trigger.threshold >= rows[i].threshold * 0.999999);
		assert_true(trigger.threshold < rows[i].threshold * 1.000001 + 1e-9);
		assert_int_equal(trigger.of_limit, i == 1);
	}
}

static void test_all_else_is_refused(void **state)
{
	static const char *const texts[] = {
		"",	      "rss",	   "rss>",	    "rss<2G",
		"rss>2X",     "rss>-1",	   "rss>90%",	    "Rss>2G",
		"rss >2G",    "cgroup>0%", "cgroup>101%",   "cgroup>nan%",
		"cgroup>9%%", "growth>1M", "growth>1M/day", "growth>/s",
		">2G",	      "live>1G/s", "blocks>",	    "rss>99999999999T",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct trigger trigger;

		if (trigger_parse(&trigger, texts[i]) != -EINVAL)
			fail_msg("'%s' is taken", texts[i]);
	}
}

static void add(struct gauges *gauges, uint64_t seconds, uint64_t rss_bytes)
{
	gauges_add(gauges, &(struct reading){ .time_ns = seconds * second_ns,
					      .rss_bytes = rss_bytes,
					      .group_bytes = rss_bytes,
					      .limit_bytes = 1000 });
}

static void test_it_fires_once_until_it_has_fallen(void **state)
{
	static const struct {
		uint64_t percent;
		bool fires;
	} rows[] = { { 80, false }, { 91, true }, { 99, false }, { 89, false }, { 91, false },
		     { 85, false }, { 91, true }, { 90, false }, { 40, false }, { 100, true } };
	struct gauges gauges = { 0 };
	struct trigger trigger;

	trigger_parse(&trigger, "cgroup>90%");
	assert_false(trigger_fires(&trigger, &gauges));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		add(&gauges, i, rows[i].percent * 10);
		assert_int_equal(trigger_fires(&trigger, &gauges), rows[i].fires);
	}
}

static void test_without_a_limit_there_is_no_share_of_it(void **state)
{
	struct gauges gauges = { 0 };
	struct trigger share, bytes;

	trigger_parse(&share, "cgroup>1%");
	trigger_parse(&bytes, "cgroup>1K");
	gauges_add(&gauges, &(struct reading){ .group_bytes = 1 << 20 });
	assert_false(trigger_fires(&share, &gauges));
	assert_true(trigger_fires(&bytes, &gauges));
}

static void test_growth_is_that_of_a_minute(void **state)
{
	struct gauges gauges = { 0 };
	double rate = 0;

	for (uint64_t second = 0; second < 30; second++) {
		add(&gauges, second, second * 100);
		assert_false(gauges_growth(&gauges, &rate));
	}
	add(&gauges, 30, 3000);
	assert_true(gauges_growth(&gauges, &rate));
	assert_true(rate > 99.9 && rate < 100.1);
	/* What was before the last minute does not count. */
	for (uint64_t second = 31; second <= 200; second++)
		add(&gauges, second, 3000);
	assert_true(gauges_growth(&gauges, &rate));
	assert_true(rate == 0);
	add(&gauges, 201, 0);
	assert_true(gauges_growth(&gauges, &rate));
	assert_true(rate < 0);
}

static void test_ten_minutes_are_kept_the_last_one_whole(void **state)
{
	const uint64_t end = 24 * 3600;
	struct gauges gauges = { 0 };
	size_t fine = 0;

	for (uint64_t second = 0; second <= end; second++)
		add(&gauges, second, second);
	assert_true(gauges.count <= GAUGES_MAX);
	assert_int_equal(gauges_latest(&gauges)->rss_bytes, end);
	for (size_t i = 0; i < gauges.count; i++) {
		uint64_t at = gauges.readings[i].rss_bytes;

		fine += at > end - 60;
		assert_true(!i || at > gauges.readings[i - 1].rss_bytes);
		assert_true(!i || at - gauges.readings[i - 1].rss_bytes <= 10);
	}
	assert_int_equal(fine, 60);
	assert_true(gauges.readings[0].rss_bytes <= end - 540);
	/* Also where they come all at once. */
	for (size_t i = 0; i < 3 * GAUGES_MAX; i++)
		add(&gauges, end, i);
	assert_int_equal(gauges.count, GAUGES_MAX);
	assert_int_equal(gauges_latest(&gauges)->rss_bytes, 3 * GAUGES_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_written_is_understood),
		cmocka_unit_test(test_all_else_is_refused),
		cmocka_unit_test(test_it_fires_once_until_it_has_fallen),
		cmocka_unit_test(test_without_a_limit_there_is_no_share_of_it),
		cmocka_unit_test(test_growth_is_that_of_a_minute),
		cmocka_unit_test(test_ten_minutes_are_kept_the_last_one_whole),
	};

	return cmocka_run_group_tests_name("trigger", tests, NULL, NULL);
}
