/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Lines of a perf map, and whose code an address is. */
#include "symbol/perfmap.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/vec.h"

enum {
	LINE_MAX_BYTES = PERFMAP_NAME_MAX + 64,
	NUMBER_DIGITS_MAX = 16,
	NO_NAME = UINT32_MAX,
};

struct entry {
	uint64_t start;
	uint32_t bytes;
	uint32_t name; /* in texts */
};

struct perfmap {
	VEC(struct entry) entries; /* in the order of the file */
	char *texts; /* names, each with its NUL */
	size_t text_bytes, text_capacity;
	char line[LINE_MAX_BYTES]; /* as far as it is there; the rest of a longer one is dropped */
	size_t line_bytes;
	bool full;
};

struct perfmap *perfmap_new(void)
{
	return mem_alloc(sizeof(struct perfmap));
}

void perfmap_free(struct perfmap *map)
{
	if (!map)
		return;
	vec_free(&map->entries);
	mem_free(map->texts);
	mem_free(map);
}

/* -- lines ------------------------------------------------------------------------------------- */

static int digit_of(char character)
{
	if (character >= '0' && character <= '9')
		return character - '0';
	character |= 0x20;
	return character >= 'a' && character <= 'f' ? character - 'a' + 10 : -1;
}

/* A hexadecimal number, perhaps with 0x before it, and the blanks behind it. */
static bool take_number(const char **at, const char *end, uint64_t *number)
{
	const char *digits;

	if (end - *at > 2 && (*at)[0] == '0' && ((*at)[1] | 0x20) == 'x')
		*at += 2;
	*number = 0;
	for (digits = *at; *at < end && digit_of(**at) >= 0; (*at)++)
		*number = *number << 4 | (unsigned)digit_of(**at);
	if (*at == digits || *at - digits > NUMBER_DIGITS_MAX || *at == end ||
	    (**at != ' ' && **at != '\t'))
		return false;
	while (*at < end && (**at == ' ' || **at == '\t'))
		(*at)++;
	return true;
}

static void add(struct perfmap *map, uint64_t start, uint32_t bytes, const char *name,
		size_t name_bytes)
{
	struct entry *entry;

	if (name_bytes > PERFMAP_NAME_MAX)
		name_bytes = PERFMAP_NAME_MAX;
	if (map->entries.count >= PERFMAP_ENTRIES_MAX ||
	    map->text_bytes + name_bytes + 1 > PERFMAP_TEXT_MAX) {
		map->full = true;
		return;
	}
	map->texts = mem_grow(map->texts, map->text_bytes + name_bytes + 1, &map->text_capacity, 1);
	entry = vec_add(&map->entries);
	*entry = (struct entry){ start, bytes, (uint32_t)map->text_bytes };
	memcpy(map->texts + map->text_bytes, name, name_bytes);
	map->text_bytes += name_bytes;
	map->texts[map->text_bytes++] = '\0';
}

static void end_line(struct perfmap *map)
{
	const char *at = map->line, *end = at + map->line_bytes;
	uint64_t start, bytes;

	map->line_bytes = 0;
	while (end > at && (end[-1] == '\r' || end[-1] == ' '))
		end--;
	if (!take_number(&at, end, &start) || !take_number(&at, end, &bytes) || at == end)
		return;
	/* User addresses have at most 56 bits; no function has 4 GiB. */
	if (!bytes || bytes > UINT32_MAX || start >> 56 || memchr(at, '\0', (size_t)(end - at)))
		return;
	add(map, start, (uint32_t)bytes, at, (size_t)(end - at));
}

int perfmap_take(struct perfmap *map, const void *bytes, size_t count)
{
	const char *at = bytes, *end = at + count;

	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t part = (size_t)((newline ? newline : end) - at);
		size_t room = sizeof(map->line) - map->line_bytes;

		memcpy(map->line + map->line_bytes, at, part < room ? part : room);
		map->line_bytes += part < room ? part : room;
		at += part;
		if (newline) {
			end_line(map);
			at++;
		}
	}
	return map->full ? error_set(-EFBIG, "a perf map has more than %d lines or %d bytes",
				     PERFMAP_ENTRIES_MAX, PERFMAP_TEXT_MAX)
			 : 0;
}

/* -- names ------------------------------------------------------------------------------------- */

static bool is_scheme(const char *text)
{
	size_t letters = 0;

	while (islower((unsigned char)text[letters]))
		letters++;
	return letters > 1 && text[letters] == ':';
}

/* Cuts ":LINE:COLUMN" off a file; the line. */
static uint32_t cut_line(char *file)
{
	char *column = strrchr(file, ':'), *line, *end;
	unsigned long number;

	if (!column || column == file || !isdigit((unsigned char)column[1]))
		return 0;
	*column = '\0';
	line = strrchr(file, ':');
	if (!line || !isdigit((unsigned char)line[1])) {
		*column = ':';
		return 0;
	}
	*line = '\0';
	number = strtoul(line + 1, &end, 10);
	return number <= UINT32_MAX ? (uint32_t)number : 0;
}

/*
 * V8: "JS:~function /path/file.js:12:5". The mark is the tier of the code: none or ~ is the
 * interpreter, others (^ + *) are compilers. Function names may have blanks: "get size".
 */
static void split_v8(char *text, struct symbol_frame *frame)
{
	char *name = text + strspn(text, "~^+*'"), *file = NULL;

	frame->interpreted = name == text || *text == '~';
	for (char *blank = strchr(name, ' '); blank; blank = strchr(blank + 1, ' ')) {
		file = blank;
		if (blank[1] == '/' || is_scheme(blank + 1))
			break;
	}
	if (file) {
		*file++ = '\0';
		frame->line = cut_line(file);
		frame->file = *file ? file : NULL;
	}
	frame->name = *name ? name : "(anonymous)";
}

/* CPython: "py::qualified.name:/path/file.py". */
static void split_python(char *text, struct symbol_frame *frame)
{
	char *file = strchr(text, ':');

	frame->interpreted = true;
	frame->name = text;
	if (!file || file == text)
		return;
	*file = '\0';
	frame->file = file[1] ? file + 1 : NULL;
}

static const struct {
	const char *prefix;
	void (*split)(char *text, struct symbol_frame *frame);
} shapes[] = { { "JS:", split_v8 }, { "py::", split_python } };

static void tell(const char *name, size_t i, symbol_frame_fn frame, void *context)
{
	struct symbol_frame told = { .name = name };
	char text[PERFMAP_NAME_MAX + 1];

	for (size_t k = 0; k < sizeof(shapes) / sizeof(shapes[0]); k++) {
		size_t length = strlen(shapes[k].prefix);

		if (!strncmp(name, shapes[k].prefix, length) && name[length]) {
			strcpy(text, name + length);
			shapes[k].split(text, &told);
			break;
		}
	}
	frame(i, &told, context);
}

struct wanted {
	uint64_t address;
	size_t i;
	uint32_t name;
};

static int by_address(const void *a, const void *b)
{
	const struct wanted *x = a, *y = b;

	return x->address < y->address ? -1 : x->address > y->address;
}

/* The first that is wanted at or above an address. */
static size_t first_from(const struct wanted *wanted, size_t count, uint64_t address)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (wanted[middle].address < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void perfmap_names(const struct perfmap *map, const uint64_t *addresses, size_t count,
		   symbol_frame_fn frame, void *context)
{
	struct wanted *wanted = mem_array(count, sizeof(*wanted));

	for (size_t i = 0; i < count; i++)
		wanted[i] = (struct wanted){ addresses[i], i, NO_NAME };
	if (count)
		qsort(wanted, count, sizeof(*wanted), by_address);
	vec_for_each (entry, &map->entries) {
		for (size_t i = first_from(wanted, count, entry->start);
		     i < count && wanted[i].address - entry->start < entry->bytes; i++)
			wanted[i].name = entry->name;
	}
	for (size_t i = 0; i < count; i++) {
		if (wanted[i].name == NO_NAME)
			frame(wanted[i].i, &(struct symbol_frame){ 0 }, context);
		else
			tell(map->texts + wanted[i].name, wanted[i].i, frame, context);
	}
	mem_free(wanted);
}
