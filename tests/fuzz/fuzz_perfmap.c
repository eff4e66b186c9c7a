/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A perf map in two pieces: each address has one answer, the same as in one piece. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "symbol/perfmap.h"

enum { ADDRESSES = 16 };

struct answers {
	char *names[ADDRESSES];
	size_t named;
};

static void take(size_t i, const struct symbol_frame *frame, void *context)
{
	struct answers *answers = context;

	fuzz_expect(i < ADDRESSES && !answers->names[i]);
	fuzz_expect(!frame->name || (*frame->name && strlen(frame->name) <= PERFMAP_NAME_MAX));
	fuzz_expect(frame->name || (!frame->file && !frame->line));
	answers->names[i] = strdup(frame->name ? frame->name : "");
	answers->named += frame->name != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct perfmap *whole = perfmap_new(), *parts = perfmap_new();
	struct answers one = { 0 }, two = { 0 };
	size_t cut = size / 2;
	uint64_t addresses[ADDRESSES];

	for (uint64_t i = 0; i < ADDRESSES; i++)
		addresses[i] = 0x1000 + i * 8 % 0x60;
	fuzz_expect(!perfmap_take(whole, data, size));
	fuzz_expect(!perfmap_take(parts, data, cut) &&
		    !perfmap_take(parts, data + cut, size - cut));
	perfmap_names(whole, addresses, ADDRESSES, take, &one);
	perfmap_names(parts, addresses, ADDRESSES, take, &two);
	for (size_t i = 0; i < ADDRESSES; i++) {
		fuzz_expect(one.names[i] && two.names[i] && !strcmp(one.names[i], two.names[i]));
		free(one.names[i]);
		free(two.names[i]);
	}
	fuzz_end("%zu named", one.named);
	perfmap_free(whole);
	perfmap_free(parts);
	return 0;
}
