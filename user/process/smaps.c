/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A scanner for smaps by hand: of 25 lines for each of perhaps 60,000 mappings a few are wanted,
 * and they come in the same order each time.
 */
#include "process/smaps.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "process/read.h"

enum { CHUNK_BYTES = 1 << 20 };

/* Room for some 2 million mappings: 30 times the kernel's default limit. */
#define SMAPS_MAX_BYTES (2ULL << 30)

/* In the order in which the kernel prints them (show_smap, __show_smap of fs/proc/task_mmu.c).
 * Rows of one member are added up. */
static const struct field {
	const char *key;
	size_t length;
	size_t member;
} fields[] = {
#define FIELD(key, member)                                                  \
	{                                                                   \
		key ":", sizeof(key ":") - 1, offsetof(struct smap, member) \
	}
	FIELD("Rss", rss_bytes),
	FIELD("Pss", pss_bytes),
	FIELD("Shared_Dirty", shared_dirty_bytes),
	FIELD("Private_Clean", private_clean_bytes),
	FIELD("Private_Dirty", private_dirty_bytes),
	FIELD("Anonymous", anonymous_bytes),
	FIELD("AnonHugePages", huge_bytes),
	FIELD("ShmemPmdMapped", huge_bytes),
	FIELD("FilePmdMapped", huge_bytes),
	FIELD("Shared_Hugetlb", hugetlb_bytes),
	FIELD("Private_Hugetlb", hugetlb_bytes),
	FIELD("Swap", swap_bytes),
#undef FIELD
};

enum { FIELDS = sizeof(fields) / sizeof(fields[0]) };

/* "   123 kB" as bytes. False: it is none, or too large. */
static bool parse_kib(const char *text, uint64_t *bytes)
{
	uint64_t kib = 0;

	while (*text == ' ')
		text++;
	if (*text < '0' || *text > '9')
		return false;
	for (; *text >= '0' && *text <= '9'; text++) {
		if (kib > UINT64_MAX / 1024 / 10 - 1)
			return false;
		kib = kib * 10 + (*text - '0');
	}
	*bytes = kib * 1024;
	return text[0] == ' ' && text[1] == 'k' && text[2] == 'B';
}

/* The flag gd among "rd wr mr ac". */
static bool has_flag(const char *text, const char *flag)
{
	for (const char *p = strchr(text, ' '); p; p = strchr(p + 1, ' '))
		if (p[1] == flag[0] && p[2] == flag[1])
			return true;
	return false;
}

/* Takes a line "Key: value". *next is the field that is expected. False: it is malformed. */
static bool take_line(struct smap *smap, const char *line, size_t *next)
{
	uint64_t bytes, *member;

	for (size_t i = 0; i < FIELDS; i++) {
		const struct field *field = &fields[(*next + i) % FIELDS];

		if (line[0] != field->key[0] || strncmp(line, field->key, field->length))
			continue;
		if (!parse_kib(line + field->length, &bytes))
			return false;
		member = (uint64_t *)((char *)smap + field->member);
		if (__builtin_add_overflow(*member, bytes, member))
			return false;
		*next = (*next + i + 1) % FIELDS;
		return true;
	}
	if (!strncmp(line, "VmFlags:", 8))
		smap->grows_down = has_flag(line, "gd");
	return true;
}

/* A mapping's first line begins with its address in small letters, all others with a capital. */
static bool is_head(const char *line)
{
	return (*line >= '0' && *line <= '9') || (*line >= 'a' && *line <= 'f');
}

/* What stands in the part of a mapping before end: by its share, where pages lie is not said. */
static void cut(struct smap *smap, uint64_t end)
{
	double share = (double)(end - smap->map.start) / (double)(smap->map.end - smap->map.start);
	uint64_t *const figures[] = {
		&smap->rss_bytes,	    &smap->pss_bytes,	       &smap->private_clean_bytes,
		&smap->private_dirty_bytes, &smap->shared_dirty_bytes, &smap->anonymous_bytes,
		&smap->swap_bytes,	    &smap->huge_bytes,	       &smap->hugetlb_bytes,
	};

	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++)
		*figures[i] = (uint64_t)((double)*figures[i] * share);
	smap->map.end = end;
}

/*
 * Makes room for the last row, where it begins before the ones before it end: it is newer. The
 * kernel lets go of its lock after each page of text, goes on where the next mapping began, and
 * tells the whole of what is there by then (m_start, m_next of fs/proc/task_mmu.c): a mapping that
 * merged, say. False: it ends within them, too, which cannot be.
 */
static bool yield_to_last(struct smaps *smaps)
{
	struct smap newest = smaps->rows.items[smaps->rows.count - 1];
	size_t count = smaps->rows.count - 1;

	while (count && smaps->rows.items[count - 1].map.end > newest.map.start) {
		struct smap *before = &smaps->rows.items[count - 1];

		if (newest.map.end <= before->map.end)
			return false;
		if (before->map.start < newest.map.start)
			cut(before, newest.map.start);
		else
			count--;
	}
	smaps->rows.items[count] = newest;
	smaps->rows.count = count + 1;
	return true;
}

int smaps_parse(struct smaps *smaps, char *text)
{
	struct smap *smap = NULL;
	size_t number = 0, next = 0;

	*smaps = (struct smaps){ .text = text };
	for (char *line = text, *end; *line; line = end + 1) {
		bool good;

		number++;
		end = strchr(line, '\n');
		good = end != NULL;
		if (good)
			*end = '\0';
		if (good && is_head(line)) {
			good = map_parse(&vec_add(&smaps->rows)->map, line) && yield_to_last(smaps);
			smap = &smaps->rows.items[smaps->rows.count - 1];
			next = 0;
		} else if (good) {
			good = smap && take_line(smap, line, &next);
		}
		if (!good) {
			smaps_free(smaps);
			return error_set(-EINVAL, "line %zu of smaps is malformed", number);
		}
	}
	return 0;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* The whole file; -EFBIG: there is no end to it. */
static int read_text(int fd, char **text, uint64_t *longest_read_ns)
{
	VEC(char) buffer = { 0 };

	for (;;) {
		uint64_t start_ns;
		ssize_t got;

		/* The kernel gives a page at a time, letting go of the lock in between. */
		buffer.items =
			mem_grow(buffer.items, buffer.count + CHUNK_BYTES, &buffer.capacity, 1);
		start_ns = now_ns();
		got = read(fd, buffer.items + buffer.count, buffer.capacity - buffer.count - 1);
		if (now_ns() - start_ns > *longest_read_ns)
			*longest_read_ns = now_ns() - start_ns;
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 || buffer.count > SMAPS_MAX_BYTES) {
			int error = got < 0 ? -errno : -EFBIG;

			vec_free(&buffer);
			return error;
		}
		if (!got)
			break;
		buffer.count += got;
	}
	buffer.items[buffer.count] = '\0';
	*text = buffer.items;
	return 0;
}

int smaps_read(struct smaps *smaps, pid_t pid)
{
	cleanup_close int fd = -1;
	uint64_t longest_read_ns = 0;
	char path[32], *text = NULL;
	int error;

	*smaps = (struct smaps){ 0 };
	snprintf(path, sizeof(path), "/proc/%d/smaps", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	error = fd < 0 ? -errno : read_text(fd, &text, &longest_read_ns);
	if (error == -ENOENT || error == -ESRCH)
		return error_set(-ESRCH, "no process with pid %d", (int)pid);
	if (error == -EACCES || error == -EPERM)
		return error_set(error, "cannot read %s: permission denied; run as root", path);
	if (error)
		return error_set(error, "cannot read %s: %s", path, strerror(-error));
	error = smaps_parse(smaps, text);
	if (error)
		return error_prefix(error, "%s", path);
	smaps->longest_read_ns = longest_read_ns;
	if (smaps->rows.count)
		return 0;
	smaps_free(smaps);
	return error_set(-ESRCH, "pid %d has no memory: it is exiting or a kernel thread",
			 (int)pid);
}

void smaps_free(struct smaps *smaps)
{
	vec_free(&smaps->rows);
	mem_free(smaps->text);
	*smaps = (struct smaps){ 0 };
}
