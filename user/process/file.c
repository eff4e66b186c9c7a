/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reading whole files, and opening below a root; see file.h. */
#include "process/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/cleanup.h"

enum { GLOB_MAX_PATHS = 65536 }; /* a folder with more entries is no runtime's */

int file_read_fd(int fd, size_t max_bytes, char **text, size_t *bytes)
{
	size_t capacity = 4096, used = 0;
	cleanup_free char *buffer = mem_alloc(capacity + 1);

	for (;;) {
		ssize_t got = read(fd, buffer + used, capacity - used);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		used += got;
		if (used > max_bytes)
			return -EFBIG;
		if (used == capacity) {
			char *larger = mem_array(2, capacity + 1);

			memcpy(larger, buffer, used);
			mem_free(buffer);
			buffer = larger;
			capacity *= 2;
		}
	}
	buffer[used] = '\0';
	if (bytes)
		*bytes = used;
	*text = buffer;
	buffer = NULL;
	return 0;
}

int file_read(const char *path, size_t max_bytes, char **text, size_t *bytes)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	return file_read_fd(fd, max_bytes, text, bytes);
}

int file_find(int root_fd, const char *path, int flags)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC | flags,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int tries = 8;
	long fd;

	/* EAGAIN: something was renamed while ".." was resolved; openat2(2) asks to try again. */
	do
		fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
	while (fd < 0 && errno == EAGAIN && --tries);
	return fd < 0 ? -errno : (int)fd;
}

int file_reopen(int path_fd)
{
	char link[sizeof("/proc/self/fd/") + 3 * sizeof(int)];
	struct stat status;
	int fd;

	if (fstat(path_fd, &status))
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -EINVAL;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", path_fd);
	fd = open(link, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

int file_open(int root_fd, const char *path)
{
	cleanup_close int path_fd = file_find(root_fd, path, 0);

	return path_fd < 0 ? path_fd : file_reopen(path_fd);
}

static int compare_paths(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

/* Adds the entries of folder that match name; a name without '*' is added as it is. */
static int expand(struct file_list *list, int root_fd, const char *folder, const char *name)
{
	size_t first = list->paths.count;
	struct dirent *entry;
	DIR *stream;
	int fd;

	if (!strchr(name, '*')) {
		*vec_add(&list->paths) = mem_printf("%s/%s", folder, name);
		return 0;
	}
	fd = file_find(root_fd, *folder ? folder : "/", O_DIRECTORY);
	if (fd < 0)
		return fd;
	/* An O_PATH descriptor cannot be listed: open its "." for reading. */
	cleanup_close int path_fd = fd;
	fd = openat(path_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	stream = fdopendir(fd);
	if (!stream) {
		close(fd);
		return -ENOMEM;
	}
	while ((entry = readdir(stream)) && list->paths.count < GLOB_MAX_PATHS) {
		if (fnmatch(name, entry->d_name, FNM_PERIOD) == 0)
			*vec_add(&list->paths) = mem_printf("%s/%s", folder, entry->d_name);
	}
	closedir(stream);
	if (list->paths.count > first)
		qsort(list->paths.items + first, list->paths.count - first,
		      sizeof(*list->paths.items), compare_paths);
	return 0;
}

/* Keeps the paths that exist: the last component may have had no '*'. */
static int add_existing(struct file_list *list, int root_fd, struct file_list *found)
{
	int denied = 0;

	vec_for_each (path, &found->paths) {
		cleanup_close int fd = file_find(root_fd, *path, 0);

		if (fd == -EACCES)
			denied = -EACCES;
		if (fd < 0)
			continue;
		*vec_add(&list->paths) = *path;
		*path = NULL;
	}
	return denied;
}

int file_glob(struct file_list *list, int root_fd, const char *pattern)
{
	cleanup_free char *components = mem_string(pattern);
	struct file_list level = { 0 };
	char *rest = components, *name;
	int denied = 0;

	*vec_add(&level.paths) = mem_string("");
	while ((name = strsep(&rest, "/"))) {
		struct file_list next = { 0 };

		if (!*name)
			continue;
		vec_for_each (folder, &level.paths) {
			if (expand(&next, root_fd, *folder, name) == -EACCES)
				denied = -EACCES;
		}
		file_list_free(&level);
		level = next;
	}
	if (add_existing(list, root_fd, &level))
		denied = -EACCES;
	file_list_free(&level);
	return denied;
}

void file_list_free(struct file_list *list)
{
	vec_for_each (path, &list->paths)
		mem_free(*path);
	vec_free(&list->paths);
}
