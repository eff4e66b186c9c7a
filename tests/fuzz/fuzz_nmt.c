/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What something answers that says to be a JVM. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "hotspot/nmt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct nmt nmt;
	struct input input = { data, size };
	char *text = input_text(&input);
	bool is_one = nmt_parse(&nmt, text);

	fuzz_expect(nmt.category_count <= NMT_CATEGORIES_MAX && nmt.site_count <= NMT_SITES_MAX);
	for (size_t i = 1; i < nmt.site_count; i++)
		fuzz_expect(nmt.sites[i - 1].bytes >= nmt.sites[i].bytes);
	for (size_t i = 0; i < nmt.category_count; i++)
		fuzz_expect(memchr(nmt.categories[i].name, 0, NMT_NAME_MAX));
	fuzz_end("%s, %zu categories, %zu sites", is_one ? "an answer" : "none", nmt.category_count,
		 nmt.site_count);
	free(text);
	return 0;
}
