/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Output files that are whole or not there. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/output.h"
#include "base/vec.h"

struct output {
	FILE *stream;
	char *path; /* as given; NULL: standard output */
	char *final; /* what aside is renamed to; NULL: written to directly */
	char *aside;
	bool kept; /* aside, too */
};

enum { PENDING_MAX = 4 };

/* What output_abandon removes; global, as a signal handler can know nothing else. Empty: none. */
static char pending[PENDING_MAX][PATH_MAX];
static unsigned int pending_next;

/* mkostemp of output->aside, and no signal finds the file without its name in pending. */
static int make_aside(struct output *output)
{
	sigset_t all, before;
	int fd, err;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	fd = mkostemp(output->aside, O_CLOEXEC);
	err = fd < 0 ? -errno : 0;
	if (!err && strlen(output->aside) < sizeof(pending[0]))
		strcpy(pending[pending_next++ % PENDING_MAX], output->aside);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err ? err : fd;
}

/* No signal removes it any more. */
static void release_aside(const struct output *output)
{
	for (int i = 0; i < PENDING_MAX; i++)
		if (!strcmp(pending[i], output->aside))
			pending[i][0] = '\0';
}

/* Its name is free again, or was never taken. */
static void forget_aside(struct output *output)
{
	release_aside(output);
	mem_free(output->aside);
	output->aside = NULL;
}

void output_abandon(void)
{
	for (int i = 0; i < PENDING_MAX; i++)
		if (pending[i][0])
			unlink(pending[i]);
}

/* The mode of the file that is replaced, else that of a new file. */
static mode_t mode_for(const struct stat *old)
{
	mode_t mask;

	if (old)
		return old->st_mode & 07777;
	mask = umask(0);
	umask(mask);
	return 0600 & ~mask;
}

/* Opens a new file beside output->final; returns its descriptor. */
static int open_aside(struct output *output, const struct stat *old)
{
	const char *slash = strrchr(output->final, '/');
	int directory = slash ? slash + 1 - output->final : 0;
	int fd, err;

	output->aside =
		mem_printf("%.*s.%s.XXXXXX", directory, output->final, output->final + directory);
	fd = make_aside(output);
	if (fd < 0) {
		forget_aside(output);
		return fd;
	}
	if (fchmod(fd, mode_for(old))) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

static int open_path(struct output *output)
{
	struct stat old;
	bool there = !stat(output->path, &old);
	int fd;

	if (!there && errno != ENOENT)
		return -errno;
	if (there && S_ISDIR(old.st_mode))
		return -EISDIR;
	if (there && !S_ISREG(old.st_mode)) {
		fd = open(output->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
		return fd < 0 ? -errno : fd;
	}
	/* A link to a file stays a link: what it names is replaced. */
	output->final = there ? realpath(output->path, NULL) : mem_string(output->path);
	if (!output->final)
		return -errno;
	return open_aside(output, there ? &old : NULL);
}

/* Makes a stream of fd, or says why there is none. */
static int take_fd(struct output **output, struct output *new, int fd)
{
	int err = fd;

	new->stream = fd < 0 ? NULL : fdopen(fd, "w");
	if (new->stream) {
		*output = new;
		return 0;
	}
	if (fd >= 0) {
		err = -errno;
		close(fd);
	}
	error_set(err, "cannot write %s: %s", new->path, strerror(-err));
	output_discard(new);
	return err;
}

int output_open(struct output **output, const char *path)
{
	struct output *new = mem_alloc(sizeof(*new));

	*output = NULL;
	if (!path || !strcmp(path, "-")) {
		new->stream = stdout;
		*output = new;
		return 0;
	}
	new->path = mem_string(path);
	return take_fd(output, new, open_path(new));
}

int output_open_in(struct output **output, const char *folder)
{
	struct output *new = mem_alloc(sizeof(*new));

	*output = NULL;
	new->path = mem_string(folder);
	new->final = mem_printf("%s/unfreed", folder);
	return take_fd(output, new, open_aside(new, NULL));
}

void output_name(struct output *output, const char *path)
{
	mem_free(output->final);
	mem_free(output->path);
	output->path = mem_string(path);
	output->final = mem_string(path);
}

FILE *output_stream(struct output *output)
{
	return output->stream;
}

const char *output_keep(struct output *output)
{
	output->kept = true;
	if (output->aside)
		release_aside(output);
	return output->aside;
}

/* Flushes, and closes what is ours; 0 or a negative errno. */
static int finish(struct output *output)
{
	int err = ferror(output->stream) ? -EIO : 0; /* an earlier failure: its errno is gone */

	if (fflush(output->stream))
		err = -errno;
	if (output->path) {
		if (fclose(output->stream) && !err)
			err = -errno;
		output->stream = NULL;
	}
	return err;
}

int output_commit(struct output *output)
{
	int err = finish(output);

	if (!err && output->aside) {
		if (rename(output->aside, output->final))
			err = -errno;
		else
			forget_aside(output);
	}
	if (err)
		error_set(err, "cannot write %s: %s",
			  output->path ? output->path : "standard output", strerror(-err));
	output_discard(output);
	return err;
}

void output_discard(struct output *output)
{
	if (!output)
		return;
	if (output->path && output->stream)
		fclose(output->stream);
	if (output->aside) {
		if (!output->kept)
			unlink(output->aside);
		forget_aside(output);
	}
	mem_free(output->final);
	mem_free(output->path);
	mem_free(output);
}
