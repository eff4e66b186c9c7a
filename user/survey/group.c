/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Files of the memory controller: Documentation/admin-guide/cgroup-v1/memory.rst, cgroup-v2.rst. */
#include "survey/group.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "process/cgroup.h"
#include "process/file.h"

/* One number: a whole file, or the line of it that begins with key. Of several rows for a member
 * the last that is there counts. */
static const struct row {
	uint32_t version;
	const char *file, *key; /* key NULL: the file is the number */
	size_t member;
} rows[] = {
#define ROW(version, file, key, member)                                                \
	{                                                                              \
		version, "memory." file, key, offsetof(struct footprint_group, member) \
	}
	ROW(1, "usage_in_bytes", NULL, usage_bytes),
	ROW(1, "max_usage_in_bytes", NULL, peak_bytes),
	ROW(1, "limit_in_bytes", NULL, limit_bytes),
	ROW(1, "stat", "hierarchical_memory_limit", limit_bytes),
	ROW(1, "failcnt", NULL, limit_hits),
	ROW(1, "kmem.usage_in_bytes", NULL, kernel_bytes),
	ROW(1, "kmem.tcp.usage_in_bytes", NULL, socket_bytes),
	ROW(1, "oom_control", "oom_kill", oom_kills),
	ROW(1, "stat", "total_rss", anon_bytes),
	ROW(1, "stat", "total_cache", file_bytes),
	ROW(1, "stat", "total_shmem", shmem_bytes),
	ROW(1, "stat", "total_mapped_file", file_mapped_bytes),
	ROW(1, "stat", "total_active_file", active_file_bytes),
	ROW(1, "stat", "total_inactive_file", inactive_file_bytes),
	ROW(1, "stat", "total_swap", swap_bytes),
	ROW(2, "current", NULL, usage_bytes),
	ROW(2, "peak", NULL, peak_bytes), /* 5.19 */
	ROW(2, "max", NULL, limit_bytes),
	ROW(2, "swap.current", NULL, swap_bytes),
	ROW(2, "events", "max", limit_hits),
	ROW(2, "events", "oom", oom_events),
	ROW(2, "events", "oom_kill", oom_kills),
	ROW(2, "stat", "anon", anon_bytes),
	ROW(2, "stat", "file", file_bytes),
	ROW(2, "stat", "shmem", shmem_bytes),
	ROW(2, "stat", "file_mapped", file_mapped_bytes),
	ROW(2, "stat", "active_file", active_file_bytes),
	ROW(2, "stat", "inactive_file", inactive_file_bytes),
	ROW(2, "stat", "kernel", kernel_bytes), /* 5.18 */
	ROW(2, "stat", "slab", slab_bytes),
	ROW(2, "stat", "pagetables", page_table_bytes),
	ROW(2, "stat", "kernel_stack", kernel_stack_bytes),
	ROW(2, "stat", "sock", socket_bytes),
#undef ROW
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

/* What version 1 says for "none" is a page less than 2^63. */
#define NO_LIMIT_V1 (1ULL << 62)

static char *read_text(const char *folder, const char *file)
{
	cleanup_free char *path = mem_printf("%s/%s", folder, file);
	char *text;

	return file_read(path, FILE_MAX_PROC, &text, NULL) ? NULL : text;
}

/* The number behind key at the start of a line, or at the start of text. False: none. */
static bool find_number(const char *text, const char *key, uint64_t *value)
{
	size_t length = key ? strlen(key) : 0;

	for (; text; text = strchr(text, '\n'), text += text != NULL) {
		const char *at = text + length;
		char *end;

		if (key && (strncmp(text, key, length) || *at++ != ' '))
			continue;
		if (!strncmp(at, "max", 3)) {
			*value = UINT64_MAX;
			return true;
		}
		*value = strtoull(at, &end, 10);
		return end != at;
	}
	return false;
}

static void read_rows(struct footprint_group *group, const char *folder)
{
	cleanup_free char *text = NULL;
	const char *file = "";

	for (size_t i = 0; i < ROWS; i++) {
		uint64_t value;

		if (rows[i].version != group->version)
			continue;
		if (strcmp(rows[i].file, file)) {
			mem_free(text);
			file = rows[i].file;
			text = read_text(folder, file);
		}
		if (text && find_number(text, rows[i].key, &value))
			memcpy((char *)group + rows[i].member, &value, sizeof(value));
	}
}

/* Version 2 shows a group's own limit; those above hold as well. */
static void read_limits_above(struct footprint_group *group, const char *folder)
{
	cleanup_free char *path = mem_string(folder);
	char *slash;

	while ((slash = strrchr(path, '/')) && slash != path) {
		cleanup_free char *text = NULL;
		uint64_t limit;

		*slash = '\0';
		text = read_text(path, "memory.max");
		if (!text)
			return;
		if (find_number(text, NULL, &limit) && limit < group->limit_bytes)
			group->limit_bytes = limit;
	}
}

int group_read(struct footprint_group *group, const char *folder)
{
	static const char *const usage[] = { NULL, "memory.usage_in_bytes", "memory.current" };

	*group = (struct footprint_group){ .limit_bytes = UINT64_MAX };
	for (group->version = 1; group->version <= 2; group->version++) {
		cleanup_free char *text = read_text(folder, usage[group->version]);

		if (text)
			break;
	}
	if (group->version > 2)
		return -ENOENT;
	read_rows(group, folder);
	if (group->version == 1 && group->limit_bytes >= NO_LIMIT_V1)
		group->limit_bytes = UINT64_MAX;
	if (group->version == 2)
		read_limits_above(group, folder);
	/* Before 5.18 its parts have to do. */
	if (!group->kernel_bytes)
		group->kernel_bytes =
			group->slab_bytes + group->page_table_bytes + group->kernel_stack_bytes;
	return 0;
}

/* Shortens path to what it has in common with other, whole names only. */
static void keep_common(char *path, const char *other)
{
	size_t same = 0, end = 0;

	while (path[same] && path[same] == other[same]) {
		same++;
		if ((path[same] == '/' || !path[same]) && (other[same] == '/' || !other[same]))
			end = same;
	}
	path[end] = '\0';
}

char *group_of(const pid_t *pids, size_t count)
{
	static const enum cgroup_hierarchy hierarchies[] = { CGROUP_MEMORY, CGROUP_V2 };

	for (size_t h = 0; h < 2; h++) {
		cleanup_free char *common = NULL;

		for (size_t i = 0; i < count; i++) {
			cleanup_free char *path = cgroup_path(pids[i], hierarchies[h]);

			if (path && common)
				keep_common(common, path);
			else if (path)
				common = mem_string(path);
		}
		if (common)
			return *common && strcmp(common, "/")
				       ? cgroup_folder(common, hierarchies[h])
				       : NULL;
	}
	return NULL;
}
