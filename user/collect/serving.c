/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Names a process' allocators. */
#include "collect/serving.h"

#include <stdlib.h>
#include <string.h>

void serving_reset(struct watched *watched)
{
	vec_for_each (code, &watched->code)
		code->blocks = 0;
}

void serving_add(struct watched *watched, const struct image *image, uint64_t blocks)
{
	vec_for_each (code, &watched->code) {
		if (code->image == image) {
			code->blocks += blocks;
			return;
		}
	}
}

/* Most blocks first, then by address. */
static int compare(const void *a, const void *b)
{
	const struct code *x = *(const struct code *const *)a, *y = *(const struct code *const *)b;

	if (x->blocks != y->blocks)
		return x->blocks > y->blocks ? -1 : 1;
	return x->start < y->start ? -1 : x->start > y->start;
}

static char *add_name(char *before, const struct image *image,
		      const struct allocator_family *family)
{
	const char *version = family->allocator == ALLOCATOR_GLIBC ? image->info.glibc_version : "";
	char *after;

	/* One allocator, by its plain names and by those with a prefix. */
	if (before && strstr(before, family->name))
		return before;
	after = mem_printf("%s%s%s%s%s", before ? before : "", before ? ", " : "", family->name,
			   version[0] ? " " : "", version);
	mem_free(before);
	return after;
}

char *serving_text(const struct watched *watched)
{
	VEC(const struct code *) serving = { 0 };
	char *text = NULL;

	vec_for_each (code, &watched->code) {
		if (code->image && code->image->probes.count)
			*vec_add(&serving) = code;
	}
	if (serving.count)
		qsort(serving.items, serving.count, sizeof(*serving.items), compare);
	vec_for_each (item, &serving) {
		const struct code *code = *item;

		if (!code->blocks && serving.items[0]->blocks)
			break;
		vec_for_each (family, &code->image->families)
			text = add_name(text, code->image, *family);
	}
	vec_free(&serving);
	return text;
}

/* Such a program is one image, beside the vdso, which has no file. */
bool serving_hidden(const struct watched *watched)
{
	const struct image *program = NULL;

	vec_for_each (code, &watched->code) {
		const struct image *image = code->image;

		if (!image || image->fd < 0 || image == program)
			continue;
		if (program || !image->usable || image->info.has_symtab)
			return false;
		program = image;
	}
	return program;
}
