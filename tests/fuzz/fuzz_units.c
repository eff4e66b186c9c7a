/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sizes and times of the command line. */
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	char *text = input_text(&input), buffer[UNITS_TEXT_MAX];
	uint64_t bytes = 0, time_ns = 0;
	int no_size = units_parse_bytes(text, &bytes), no_time = units_parse_time(text, &time_ns);

	/* A number alone is a size and a time, a minus neither. */
	fuzz_expect(no_size || no_time || !strpbrk(text, "KGT"));
	fuzz_expect((no_size && no_time) || (*text >= '0' && *text <= '9'));
	fuzz_expect(strlen(units_format_bytes(buffer, bytes)) <= 8);
	fuzz_expect(strlen(units_format_time(buffer, time_ns)) < UNITS_TEXT_MAX);
	fuzz_expect(strlen(units_format_count(buffer, bytes)) < UNITS_TEXT_MAX);
	fuzz_end("%d %llu, %d %llu", no_size, (unsigned long long)bytes, no_time,
		 (unsigned long long)time_ns);
	free(text);
	return 0;
}
