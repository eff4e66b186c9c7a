/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* /proc/PID/maps, read and parsed. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "process/proc.h"
#include "process/read.h"

/* Room for some 2 million mappings: 30 times the kernel's default limit. */
enum { MAPS_MAX_BYTES = 256 << 20 };

/* The value of a digit, or 16. */
static unsigned int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10u : 16;
}

/* A number that ends in the character end; *text then points behind it. No strtoull: smaps has
 * tens of thousands of them. */
static bool number(char **text, unsigned int base, char end, uint64_t *value)
{
	const char *p = *text;
	uint64_t sum = 0;

	for (; digit_of(*p) < base; p++) {
		if (sum > (UINT64_MAX - digit_of(*p)) / base)
			return false;
		sum = sum * base + digit_of(*p);
	}
	if (p == *text || *p != end)
		return false;
	*text += p + 1 - *text;
	*value = sum;
	return true;
}

/* "r-xp ": each place holds its letter or a dash, and the last p or s. */
static bool permissions(char **text, struct map *map)
{
	const char *p = *text;

	for (int i = 0; i < 3; i++) {
		if (p[i] != "rwx"[i] && p[i] != '-')
			return false;
	}
	if ((p[3] != 'p' && p[3] != 's') || p[4] != ' ')
		return false;
	map->readable = p[0] == 'r';
	map->writable = p[1] == 'w';
	map->executable = p[2] == 'x';
	map->shared = p[3] == 's';
	*text += 5;
	return true;
}

bool map_parse(struct map *map, char *line)
{
	uint64_t major, minor;

	if (!number(&line, 16, '-', &map->start) || !number(&line, 16, ' ', &map->end) ||
	    map->start >= map->end || !permissions(&line, map) ||
	    !number(&line, 16, ' ', &map->offset) || !number(&line, 16, ':', &major) ||
	    !number(&line, 16, ' ', &minor) || major > UINT32_MAX || minor > UINT32_MAX)
		return false;
	map->major = major;
	map->minor = minor;
	/* The kernel pads a path, and prints a blank behind the inode where there is none. */
	if (!number(&line, 10, ' ', &map->inode) && !number(&line, 10, '\0', &map->inode))
		return false;
	map->path = NULL;
	if (line[-1] == '\0')
		return true;
	line += strspn(line, " ");
	if (*line)
		map->path = line;
	return true;
}

/*
 * Makes room for a row that begins before the ones before it end: what was mapped meanwhile, and is
 * newer. From Linux 6.17 on ("fs/proc/task_mmu: read proc/pid/maps under per-vma lock") a
 * process goes on while its file is read. False: it ends there, too, which cannot be.
 */
static bool yield_to(struct maps *maps, const struct map *map)
{
	while (maps->rows.count) {
		struct map *last = &maps->rows.items[maps->rows.count - 1];

		if (last->end <= map->start)
			return true;
		if (map->end <= last->end)
			return false;
		if (last->start < map->start) {
			last->end = map->start;
			return true;
		}
		mem_free(last->path);
		maps->rows.count--;
	}
	return true;
}

static int parse(struct maps *maps, char *text)
{
	size_t row = 0;
	char *line;

	memset(maps, 0, sizeof(*maps));
	while ((line = strsep(&text, "\n"))) {
		struct map map = { 0 };

		row++;
		if (!*line)
			continue;
		if (!map_parse(&map, line) || !yield_to(maps, &map)) {
			maps_free(maps);
			return error_set(-EINVAL, "line %zu of the memory map is malformed", row);
		}
		map.path = mem_string(map.path);
		*vec_add(&maps->rows) = map;
	}
	return 0;
}

int maps_parse(struct maps *maps, const char *text)
{
	cleanup_free char *copy = mem_string(text);

	return parse(maps, copy);
}

int maps_read(struct maps *maps, pid_t pid)
{
	cleanup_free char *text = NULL;
	int err;

	memset(maps, 0, sizeof(*maps));
	err = proc_file(pid, "maps", MAPS_MAX_BYTES, &text);
	if (err)
		return err;
	if (!*text)
		return error_set(-ESRCH, "pid %d has no memory: it is exiting or a kernel thread",
				 pid);
	err = parse(maps, text);
	return err ? error_prefix(err, "/proc/%d/maps", pid) : 0;
}

void maps_free(struct maps *maps)
{
	vec_for_each (map, &maps->rows)
		mem_free(map->path);
	vec_free(&maps->rows);
}

const struct map *maps_find(const struct maps *maps, uint64_t address)
{
	size_t low = 0, high = maps->rows.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct map *map = &maps->rows.items[middle];

		if (address < map->start)
			high = middle;
		else if (address >= map->end)
			low = middle + 1;
		else
			return map;
	}
	return NULL;
}
