/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Memory that is there or ends the program. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"

static void *must(void *memory)
{
	if (!memory) {
		fputs("unfreed: out of memory\n", stderr);
		abort();
	}
	return memory;
}

void *mem_alloc(size_t bytes)
{
	return mem_array(1, bytes);
}

void *mem_array(size_t count, size_t bytes)
{
	/* calloc(0) may return NULL, which is no failure */
	return must(count && bytes ? calloc(count, bytes) : calloc(1, 1));
}

char *mem_string(const char *text)
{
	return text ? must(strdup(text)) : NULL;
}

char *mem_vprintf(const char *format, va_list arguments)
{
	char *text;

	return must(vasprintf(&text, format, arguments) < 0 ? NULL : text);
}

char *mem_printf(const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	text = mem_vprintf(format, arguments);
	va_end(arguments);
	return text;
}

void mem_free(void *memory)
{
	free(memory);
}

void *mem_grow(void *items, size_t count, size_t *capacity, size_t item_bytes)
{
	size_t wanted = *capacity;

	if (count <= wanted)
		return items;
	wanted = wanted ? wanted : 8;
	while (wanted < count)
		wanted = wanted > SIZE_MAX / 2 ? count : wanted * 2;
	items = must(reallocarray(items, wanted, item_bytes));
	memset((char *)items + *capacity * item_bytes, 0, (wanted - *capacity) * item_bytes);
	*capacity = wanted;
	return items;
}
