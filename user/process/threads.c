/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* /proc/PID/task. */
#include "process/threads.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

enum { THREADS_MAX = 1 << 20, TEXT_BYTES = 4096 };

/* The beginning of a file of a thread, as text. False: it cannot be read. */
static bool read_file(int folder, const char *thread, const char *name, char text[TEXT_BYTES])
{
	cleanup_close int fd = -1;
	char path[48];
	ssize_t got;

	snprintf(path, sizeof(path), "%.16s/%s", thread, name);
	fd = openat(folder, path, O_RDONLY | O_CLOEXEC);
	got = fd < 0 ? -1 : read(fd, text, TEXT_BYTES - 1);
	text[got > 0 ? got : 0] = '\0';
	return got > 0;
}

/* "NUMBER ARGUMENTS… STACK-POINTER PC", "-1 STACK-POINTER PC" or "running": see proc(5). */
uint64_t threads_parse_syscall(const char *text)
{
	const char *last = NULL, *before = NULL;

	for (const char *space = strchr(text, ' '); space; space = strchr(space + 1, ' ')) {
		before = last;
		last = space;
	}
	return before ? strtoull(before + 1, NULL, 16) : 0;
}

pid_t threads_parse_own_id(const char *text)
{
	const char *line = strstr(text, "\nNSpid:"), *end = line ? strchr(line + 1, '\n') : NULL;

	if (!end)
		return 0;
	while (end > line && !isspace((unsigned char)end[-1]))
		end--;
	return (pid_t)strtol(end, NULL, 10);
}

static void read_thread(struct thread *thread, int folder, const char *name)
{
	char text[TEXT_BYTES];

	thread->id = thread->own_id = atoi(name);
	if (read_file(folder, name, "syscall", text))
		thread->stack_pointer = threads_parse_syscall(text);
	if (!read_file(folder, name, "status", text))
		return;
	sscanf(text, "Name:\t%31[^\n]", thread->name);
	thread->own_id = threads_parse_own_id(text) ?: thread->id;
}

int threads_read(struct threads *threads, pid_t pid)
{
	struct dirent *entry;
	char path[32];
	DIR *stream;

	*threads = (struct threads){ 0 };
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	stream = opendir(path);
	if (!stream)
		return -errno;
	while ((entry = readdir(stream)) && threads->rows.count < THREADS_MAX) {
		if (isdigit((unsigned char)*entry->d_name))
			read_thread(vec_add(&threads->rows), dirfd(stream), entry->d_name);
	}
	closedir(stream);
	return 0;
}

void threads_free(struct threads *threads)
{
	vec_free(&threads->rows);
}
