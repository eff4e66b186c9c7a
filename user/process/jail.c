/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The parent's side: starts the child, asks it, buries it. */
#include "process/jail.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "process/jail_child.h"
#include "process/lockdown.h"
#include "process/proc.h"

enum {
	TICK_MS = 1000,
	IDLE_NS = 1000000, /* of CPU time in a tick */
	BURY_NS_FIRST = 100000,
	BURY_NS_MAX = 20000000,
	BURY_TRIES = 300, /* six seconds: a file system that never answers may hold it for ever */
};

struct jail {
	const struct jail_work *work;
	pid_t pid; /* 0: none */
	int fd;
	uint32_t generation;
	unsigned int walls;
	uint64_t buried_cpu_ns, buried_memory_bytes;
};

/* Of the whole program: one line at its end tells of them. */
static uint32_t deaths;
static char last_death[64];

uint32_t jail_deaths(const char **last)
{
	*last = deaths ? last_death : NULL;
	return deaths;
}

struct jail *jail_new(const struct jail_work *work)
{
	struct jail *jail = mem_alloc(sizeof(*jail));

	jail->work = work;
	jail->fd = -1;
	return jail;
}

/* -- its life ---------------------------------------------------------------------------------- */

static uint64_t cpu_ns(pid_t pid)
{
	struct timespec used;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &used))
		return 0;
	return (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
}

/* The most that it held, but for what it has of files: those are the program's. */
static uint64_t memory_bytes(pid_t pid)
{
	uint64_t peak, files;

	proc_peak(pid, &peak, &files);
	return peak > files ? peak - files : 0;
}

void jail_cost(const struct jail *jail, uint64_t *cpu, uint64_t *memory)
{
	uint64_t now = jail->pid ? memory_bytes(jail->pid) : 0;

	*cpu = jail->buried_cpu_ns + (jail->pid ? cpu_ns(jail->pid) : 0);
	*memory = now > jail->buried_memory_bytes ? now : jail->buried_memory_bytes;
}

/* Its status; -1: it could not be waited for. */
static int bury(struct jail *jail)
{
	struct timespec pause = { .tv_nsec = BURY_NS_FIRST };
	int status = -1;

	jail_cost(jail, &jail->buried_cpu_ns, &jail->buried_memory_bytes);
	close(jail->fd);
	jail->fd = -1;
	kill(jail->pid, SIGKILL); /* one that is ending keeps its status */
	for (int i = 0; i < BURY_TRIES; i++) {
		pid_t got = waitpid(jail->pid, &status, WNOHANG);

		if (got > 0)
			break;
		status = -1;
		if (got < 0 && errno != EINTR)
			break;
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < BURY_NS_MAX)
			pause.tv_nsec *= 2;
	}
	jail->pid = 0;
	return status;
}

void jail_free(struct jail *jail)
{
	if (!jail)
		return;
	if (jail->pid)
		bury(jail);
	mem_free(jail);
}

/* why: what was wrong with it, where it has not died by itself. */
static int died(struct jail *jail, const char *why)
{
	int status = bury(jail);

	deaths++;
	if (why)
		snprintf(last_death, sizeof(last_death), "%s", why);
	else if (status >= 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		snprintf(last_death, sizeof(last_death), "a forbidden system call");
	else if (status >= 0 && WIFSIGNALED(status))
		snprintf(last_death, sizeof(last_death), "signal %d", WTERMSIG(status));
	else
		snprintf(last_death, sizeof(last_death), "status %d",
			 status >= 0 ? WEXITSTATUS(status) : -1);
	/* For tests: none of them is to pass over it. */
	if (getenv("UNFREED_STRICT")) {
		fprintf(stderr, "unfreed: %s died: %s\n", jail->work->name, last_death);
		abort();
	}
	return error_set(-EOWNERDEAD, "what reads the target's files has died of them (%s)",
			 last_death);
}

int jail_garbled(struct jail *jail)
{
	return jail->pid ? died(jail, "a garbled reply") : -EOWNERDEAD;
}

/* One that died between two requests, by whatever hand, has died of neither. */
uint32_t jail_generation(struct jail *jail)
{
	struct pollfd poll_fd = { .fd = jail->fd, .events = POLLIN };

	if (jail->pid && poll(&poll_fd, 1, 0) > 0)
		died(jail, NULL);
	return jail->generation + !jail->pid;
}

/* -- asking ------------------------------------------------------------------------------------ */

/* Waits for a reply's next bytes; NULL, or what is wrong with the child. */
static const char *wait_for(struct jail *jail, uint64_t started_ns)
{
	uint64_t before_ns = cpu_ns(jail->pid);
	struct pollfd poll_fd = { .fd = jail->fd, .events = POLLIN };
	uint32_t idle = 0;
	int got;

	while ((got = poll(&poll_fd, 1, TICK_MS)) <= 0) {
		uint64_t now_ns = cpu_ns(jail->pid);

		if (got < 0 && errno != EINTR)
			return "its socket is broken";
		if (got < 0)
			continue;
		if (now_ns - started_ns > jail->work->work_seconds_max * 1000000000ULL)
			return "it came to no end";
		idle = now_ns - before_ns < IDLE_NS ? idle + 1 : 0;
		if (idle > jail->work->idle_seconds_max)
			return "it waited for a file that cannot be read";
		before_ns = now_ns;
	}
	return NULL;
}

/* 0; -EPIPE: it ended; -ETIME: *why says what is wrong. */
static int receive(struct jail *jail, void *bytes, size_t count, uint64_t started_ns,
		   const char **why)
{
	size_t done = 0;

	while (done < count) {
		ssize_t got = recv(jail->fd, (char *)bytes + done, count - done, MSG_DONTWAIT);

		if (got > 0) {
			done += (size_t)got;
			continue;
		}
		if (!got || (errno != EAGAIN && errno != EINTR))
			return -EPIPE;
		*why = wait_for(jail, started_ns);
		if (*why)
			return -ETIME;
	}
	return 0;
}

static int take_reply(struct jail *jail, struct parcel *reply, int *result, const char **why)
{
	uint64_t started_ns = cpu_ns(jail->pid);
	struct jail_reply head;
	int error = receive(jail, &head, sizeof(head), started_ns, why);

	if (error)
		return error;
	if (head.bytes > JAIL_REPLY_MAX || head.error > 0) {
		*why = "a garbled reply";
		return -EPROTO;
	}
	parcel_empty(reply);
	reply->bytes.items = mem_grow(reply->bytes.items, head.bytes, &reply->bytes.capacity, 1);
	reply->bytes.count = head.bytes;
	reply->unpacking = true;
	error = receive(jail, reply->bytes.items, head.bytes, started_ns, why);
	*result = head.error;
	return error;
}

static int ask(struct jail *jail, uint32_t kind, const struct parcel *request,
	       const int fds[JAIL_FDS_MAX], struct parcel *reply)
{
	const char *why = NULL;
	int result = 0;
	int error = jail_send(jail->fd, kind, request, fds);

	if (!error)
		error = take_reply(jail, reply, &result, &why);
	if (error)
		return died(jail, why);
	if (result) {
		const char *sentence = parcel_get_text(reply);

		if (reply->failed)
			return jail_garbled(jail);
		return error_set(result, "%s", sentence ?: strerror(-result));
	}
	return 0;
}

static int start(struct jail *jail)
{
	static const int no_fds[JAIL_FDS_MAX] = { -1, -1, -1 };
	struct parcel nothing = { 0 }, reply = { 0 };
	pid_t parent = getpid();
	int fds[2], error;

	if (jail->pid)
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return error_set(-errno, "cannot start a child: %s", strerror(errno));
	jail->pid = fork();
	if (!jail->pid)
		jail_child(jail->work, fds[1], parent);
	close(fds[1]);
	if (jail->pid < 0) {
		error = errno;
		jail->pid = 0;
		close(fds[0]);
		return error_set(-error, "cannot start a child: %s", strerror(error));
	}
	jail->fd = fds[0];
	jail->generation++;
	error = ask(jail, JAIL_HELLO, &nothing, no_fds, &reply);
	parcel_number(&reply, &jail->walls);
	parcel_free(&reply);
	if (!error && !(jail->walls & LOCKDOWN_CAPABILITIES)) {
		bury(jail);
		error = error_set(-EPERM, "a child cannot give up its capabilities");
	}
	return error;
}

int jail_ask(struct jail *jail, uint32_t kind, const struct parcel *request,
	     const int fds[JAIL_FDS_MAX], struct parcel *reply)
{
	int error;

	jail_generation(jail);
	error = start(jail);
	return error ? error : ask(jail, kind, request, fds, reply);
}

int jail_walls(struct jail *jail, unsigned int *walls)
{
	int error = start(jail);

	*walls = jail->walls;
	return error;
}
