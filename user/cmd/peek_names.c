/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A vtable pointer points behind two words: the offset to the top of the object, and the address of
 * the class's type_info, whose second word is the address of its mangled name (Itanium C++ ABI,
 * 2.5.2, 2.9.4). That works without any symbol.
 */
#include "cmd/peek_names.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/vec.h"
#include "sandbox/sandbox.h"

enum { NAME_MAX_BYTES = 512, FOUND_MAX = 4096, TEXT_LEAST = 6, TEXT_MAX_BYTES = 64 };
#define OFFSET_TO_TOP_MAX (1 << 20)

struct opened {
	const struct map *map;
	uint64_t inode;
	int fd; /* -1: cannot be opened */
	struct sandbox_image image;
	bool usable;
};

struct peek_names {
	pid_t pid;
	const struct maps *maps;
	struct reader *reader;
	struct sandbox *sandbox;
	VEC(struct opened) images;
	size_t found; /* names are for people: thousands serve nobody */
};

struct peek_names *peek_names_new(pid_t pid, const struct maps *maps, struct reader *reader)
{
	struct peek_names *names = mem_alloc(sizeof(*names));

	names->pid = pid;
	names->maps = maps;
	names->reader = reader;
	names->sandbox = sandbox_new();
	return names;
}

void peek_names_free(struct peek_names *names)
{
	if (!names)
		return;
	vec_for_each (opened, &names->images) {
		if (opened->fd >= 0)
			close(opened->fd);
	}
	vec_free(&names->images);
	sandbox_free(names->sandbox);
	mem_free(names);
}

static const struct opened *image_of(struct peek_names *names, const struct map *map)
{
	struct opened *opened;

	vec_for_each (known, &names->images) {
		if (known->inode == map->inode && known->map->major == map->major &&
		    known->map->minor == map->minor)
			return known;
	}
	opened = vec_add(&names->images);
	opened->map = map;
	opened->inode = map->inode;
	opened->fd = proc_open_map(names->pid, map);
	opened->usable =
		opened->fd >= 0 && !sandbox_open(names->sandbox, opened->fd, &opened->image);
	return opened;
}

/* Text at address: of its memory, or, where that page is not there, of the file behind it. */
static bool read_name(struct peek_names *names, uint64_t address, char text[NAME_MAX_BYTES])
{
	const struct map *map = maps_find(names->maps, address);
	const struct opened *opened;
	size_t count = 0;
	ssize_t got;

	while (count + 1 < NAME_MAX_BYTES &&
	       reader_read(names->reader, address + count, text + count, 1)) {
		if (!text[count++])
			return count > 1;
	}
	if (count || !map || !map->inode || map->writable)
		return false;
	opened = image_of(names, map);
	got = opened->fd < 0 ? -1
			     : pread(opened->fd, text, NAME_MAX_BYTES - 1,
				     (off_t)(map->offset + (address - map->start)));
	if (got < 2)
		return false;
	text[got] = '\0';
	return strlen(text) < (size_t)got;
}

/* The class whose vtable word points into; NULL: none. */
static char *class_of(struct peek_names *names, uint64_t word)
{
	char name[NAME_MAX_BYTES], mangled[NAME_MAX_BYTES + 4], text[SANDBOX_TEXT_MAX];
	uint64_t head[2], type[2];
	int64_t top;

	if (!reader_read(names->reader, word - 16, head, sizeof(head)) || head[1] % 8 ||
	    !reader_read(names->reader, head[1], type, sizeof(type)) ||
	    !maps_find(names->maps, type[0]) || !read_name(names, type[1], name))
		return NULL;
	top = (int64_t)head[0];
	if (top > 0 || top < -OFFSET_TO_TOP_MAX)
		return NULL;
	/* A '*' stands before names that are compared by address. */
	snprintf(mangled, sizeof(mangled), "_ZTS%s", name + (name[0] == '*'));
	if (sandbox_demangle(names->sandbox, mangled, text) ||
	    strncmp(text, "typeinfo name for ", 18))
		return NULL;
	return mem_string(text + 18);
}

struct answer {
	char *name;
};

static void take_name(size_t i, const struct sandbox_frame *frame, void *context)
{
	struct answer *answer = context;

	(void)i;
	if (frame->name && !frame->inlined && !answer->name)
		answer->name = mem_string(frame->name);
}

static char *function_of(struct peek_names *names, const struct map *map, uint64_t word)
{
	const struct opened *opened = image_of(names, map);
	uint64_t offset = map->offset + (word - map->start);
	const char *slash = strrchr(map->path, '/'), *file = slash ? slash + 1 : map->path;
	struct answer answer = { 0 };
	char *text;

	for (uint32_t i = 0; opened->usable && i < opened->image.segment_count; i++) {
		const struct sandbox_segment *segment = &opened->image.segments[i];
		uint64_t address = segment->address + (offset - segment->offset);

		if (offset >= segment->offset && offset - segment->offset < segment->file_bytes)
			sandbox_symbolise(names->sandbox, opened->image.id, &address, 1, take_name,
					  &answer);
	}
	text = answer.name ? mem_printf("%s: %s", file, answer.name)
			   : mem_printf("%s+%#llx", file, (unsigned long long)offset);
	mem_free(answer.name);
	return text;
}

/* A pointer to a text, such as a string's buffer. */
static char *text_at(struct peek_names *names, uint64_t word)
{
	char text[TEXT_MAX_BYTES];
	size_t count = 0;

	while (count < sizeof(text) && reader_read(names->reader, word + count, text + count, 1) &&
	       isascii(text[count]) && isprint(text[count]))
		count++;
	return count < TEXT_LEAST ? NULL : mem_printf("\"%.*s\"", (int)count, text);
}

char *peek_names_find(struct peek_names *names, uint64_t word, bool *is_class)
{
	const struct map *map = word >= READER_PAGE ? maps_find(names->maps, word) : NULL;
	char *name = NULL;

	*is_class = false;
	if (!map || map->shared || names->found >= FOUND_MAX)
		return NULL;
	if (!map->inode || !map->path)
		return text_at(names, word);
	if (word % 8 == 0 && !map->executable)
		name = class_of(names, word);
	*is_class = name;
	if (!name)
		name = function_of(names, map, word);
	names->found++;
	return name;
}
