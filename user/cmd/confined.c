/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A child that draws, and a parent that has opened what it needs and puts the result in its place.
 */
#include "cmd/confined.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/output.h"
#include "process/lockdown.h"

#define MEMORY_MAX (6ULL << 30) /* of address space; as what parses a target's files has */

/* What ends the parent as it ends the child: somebody did it to both. */
static const int passed_on[] = { SIGPIPE, SIGINT, SIGTERM, SIGHUP };

/* What the child says at its end. */
struct verdict {
	int error;
	char sentence[1020];
};

struct work {
	const char *path;
	FILE *stream;
	int (*draw)(void *argument, FILE *stream);
	void *argument;
};

static _Noreturn void child(const struct work *work, int verdict_fd, pid_t parent)
{
	struct verdict verdict = { 0 };
	int err = 0;

	prctl(PR_SET_NAME, "unfreed-draws", 0, 0, 0);
	lockdown_parser(MEMORY_MAX, true, parent);
	verdict.error = work->draw(work->argument, work->stream);
	if (!verdict.error && fflush(work->stream))
		err = errno;
	else if (!verdict.error && ferror(work->stream))
		err = EIO; /* an earlier failure: its errno is gone */
	if (err)
		verdict.error = error_set(-err, "cannot write %s: %s",
					  work->path ?: "standard output", strerror(err));
	snprintf(verdict.sentence, sizeof(verdict.sentence), "%s", error_message());
	_exit(write(verdict_fd, &verdict, sizeof(verdict)) != sizeof(verdict));
}

static int died(int status)
{
	char how[32] = "a forbidden system call";

	for (size_t i = 0; i < sizeof(passed_on) / sizeof(*passed_on); i++) {
		if (WIFSIGNALED(status) && WTERMSIG(status) == passed_on[i])
			raise(passed_on[i]);
	}
	if (!WIFSIGNALED(status))
		snprintf(how, sizeof(how), "status %d", WEXITSTATUS(status));
	else if (WTERMSIG(status) != SIGSYS)
		snprintf(how, sizeof(how), "signal %d", WTERMSIG(status));
	/* For tests: none of them is to pass over it. */
	if (getenv("UNFREED_STRICT")) {
		fprintf(stderr, "unfreed: what drew the report died: %s\n", how);
		abort();
	}
	return error_set(-EOWNERDEAD, "what reads the recording has died of it (%s)", how);
}

/* Waits for the child and its verdict. */
static int hear(pid_t pid, int verdict_fd)
{
	struct verdict verdict;
	ssize_t got;
	int status = 0;

	do
		got = read(verdict_fd, &verdict, sizeof(verdict));
	while (got < 0 && errno == EINTR);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (got != sizeof(verdict) || status)
		return died(status);
	return verdict.error ? error_set(verdict.error, "%s", verdict.sentence) : 0;
}

static int draw_apart(const struct work *work)
{
	cleanup_close int verdict_fd = -1, child_fd = -1;
	pid_t parent = getpid(), pid;
	int ends[2];

	if (pipe(ends))
		return error_set(-errno, "cannot start a child: %s", strerror(errno));
	verdict_fd = ends[0];
	child_fd = ends[1];
	fflush(NULL); /* not twice */
	pid = fork();
	if (pid < 0)
		return error_set(-errno, "cannot start a child: %s", strerror(errno));
	if (!pid)
		child(work, child_fd, parent);
	close(child_fd);
	child_fd = -1;
	return hear(pid, verdict_fd);
}

int confined_draw(const char *path, int (*draw)(void *argument, FILE *stream), void *argument)
{
	struct work work = { .path = path, .draw = draw, .argument = argument };
	struct output *output;
	int error = output_open(&output, path);

	if (error)
		return error;
	work.stream = output_stream(output);
	error = draw_apart(&work);
	if (!error)
		return output_commit(output);
	output_discard(output);
	return error;
}
