/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Opening a process's files as it sees them, whatever it put in their way. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "process/file.h"
#include "process/opener.h"
#include "process/proc.h"

/* The root folder of the process, O_PATH. */
static int open_root(pid_t pid)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

const char *proc_path(pid_t pid, const char *path)
{
	char link[32], root[PATH_MAX];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/%d/root", pid);
	length = readlink(link, root, sizeof(root));
	if (length < 2 || length == sizeof(root) || strncmp(path, root, (size_t)length) ||
	    path[length] != '/')
		return path;
	return path + length;
}

static int open_file(pid_t pid, const struct map *map)
{
	cleanup_close int root_fd = open_root(pid);

	return root_fd < 0 ? root_fd : file_open(root_fd, map->path);
}

int proc_open_file(pid_t pid, const char *path)
{
	return opener_open(open_file, pid, &(struct map){ .path = (char *)path });
}

int proc_open_perf_map(pid_t pid)
{
	struct stat status;
	struct proc proc;
	char path[48];
	int fd, err = proc_read(&proc, pid);

	if (err)
		return err;
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", proc.inner_pid);
	fd = proc_open_file(pid, path);
	if (fd < 0)
		return fd;
	if (!fstat(fd, &status) && (!status.st_uid || status.st_uid == proc.uid))
		return fd;
	close(fd);
	return -EPERM;
}

/* Needs CAP_SYS_ADMIN, or CAP_CHECKPOINT_RESTORE from Linux 5.9 on. */
static int open_map_file(pid_t pid, const struct map *map)
{
	cleanup_close int path_fd = -1;
	char path[96];

	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, pid, map->start,
		 map->end);
	path_fd = open(path, O_PATH | O_CLOEXEC);
	return path_fd < 0 ? -errno : file_reopen(path_fd);
}

/*
 * Devices are not compared: overlayfs and btrfs show another one in maps than stat does, while the
 * inode is the same.
 */
static int open_path(pid_t pid, const struct map *map)
{
	int fd = open_file(pid, &(struct map){ .path = (char *)proc_path(pid, map->path) });
	struct stat status;

	if (fd < 0)
		return fd;
	if (fstat(fd, &status) == 0 && status.st_ino == map->inode)
		return fd;
	close(fd);
	return -ESTALE;
}

int proc_open_map(pid_t pid, const struct map *map)
{
	int fd, err;

	if (!map->path || *map->path != '/')
		return error_set(-EINVAL, "the mapping at %" PRIx64 " of pid %d is of no file",
				 map->start, pid);
	fd = opener_open(open_map_file, pid, map);
	if (fd >= 0 || fd == -EINVAL || fd == -ETIMEDOUT)
		err = fd;
	else
		err = opener_open(open_path, pid, map);
	if (err >= 0)
		return err;
	/* Why the first way failed says more, unless it merely lacks the privilege. */
	if (fd != -EPERM && fd != -EACCES)
		err = fd;
	if (err == -EINVAL)
		return error_set(err, "cannot open %s of pid %d: not a regular file", map->path,
				 pid);
	if (err == -ETIMEDOUT)
		return error_set(err, "cannot open %s of pid %d: its file system does not answer",
				 map->path, pid);
	if (err == -ESTALE)
		return error_set(
			err, "cannot open %s of pid %d: another file has its place; run as root",
			map->path, pid);
	return error_set(err, "cannot open %s of pid %d: %s", map->path, pid, strerror(-err));
}
