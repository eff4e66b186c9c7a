/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Speaks the attach protocol. Whatever stands in the target's /tmp may be a trap. */
#include "hotspot/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/vec.h"
#include "process/file.h"
#include "process/proc.h"
#include "process/signals.h"

enum { POLL_MS = 20, CHUNK_BYTES = 64 << 10 };

struct attach {
	pid_t pid;
	uint64_t timeout_ns;
	struct signals signals;
	int pidfd;
	int tmp_fd; /* the target's /tmp */
	char socket[32], trigger[32]; /* names in it */
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* -- who asks ------------------------------------------------------------------------------------
 */

/* A JVM answers its own user only (JDK 8 not even root), and by the ids that it has in its own
 * namespace. Of this thread alone, and never the real and the saved one: nobody may signal us. */
static void become(const struct signals *signals)
{
	syscall(SYS_setresgid, -1, signals->gid, -1);
	syscall(SYS_setresuid, -1, signals->uid, -1);
}

static void be_oneself(uid_t uid, gid_t gid)
{
	syscall(SYS_setresuid, -1, uid, -1);
	syscall(SYS_setresgid, -1, gid, -1);
}

/* -- the socket ----------------------------------------------------------------------------------
 */

/* Returns a connection, -ENOENT where there is no socket, or -errno. */
static int connect_once(const struct attach *attach)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	cleanup_close int path_fd = -1;
	struct stat status;
	int fd;

	path_fd = openat(attach->tmp_fd, attach->socket, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (path_fd < 0)
		return -errno;
	/* A link or another user's socket may lead to anything. */
	if (fstat(path_fd, &status) || !S_ISSOCK(status.st_mode) ||
	    status.st_uid != attach->signals.uid)
		return -ENOTSOCK;
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", path_fd);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

/* As connect_once, as the JVM's own user; waits where too many others wait for an answer. */
static int connect_until(const struct attach *attach, uint64_t deadline_ns, bool may_be_missing)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int fd;

	for (;;) {
		become(&attach->signals);
		fd = connect_once(attach);
		be_oneself(uid, gid);
		if (fd >= 0 || now_ns() >= deadline_ns ||
		    (fd != -EAGAIN && !(may_be_missing && (fd == -ENOENT || fd == -ECONNREFUSED))))
			return fd;
		poll(NULL, 0, POLL_MS);
	}
}

/* -- waking it up --------------------------------------------------------------------------------
 */

/* Right before the signal: a process may have become another program meanwhile. */
static int may_signal(struct attach *attach, const struct attach_flags *flags)
{
	int error;

	if (!flags->known)
		return error_set(-EPERM,
				 "pid %d: not asked: whether its JVM takes questions is not to be "
				 "read from its memory",
				 (int)attach->pid);
	if (flags->without_signals)
		return error_set(
			-EPERM,
			"pid %d: not asked: its JVM leaves signals alone (-Xrs) and has "
			"opened no socket by itself; start it with -XX:+StartAttachListener",
			(int)attach->pid);
	error = signals_read(&attach->signals, attach->pid);
	if (error)
		return error;
	if (!(attach->signals.caught & SIGNAL_BIT(SIGQUIT)))
		return error_set(-EPERM,
				 "pid %d: not asked: it does not catch SIGQUIT, which would kill "
				 "it; it may still be starting",
				 (int)attach->pid);
	if (attach->signals.stopped)
		return error_set(-EPERM, "pid %d: not asked: it is stopped", (int)attach->pid);
	return 0;
}

/* The file that the JVM looks for at SIGQUIT; *made: it is ours to remove. */
static int make_trigger(const struct attach *attach, bool *made)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int fd, error;

	become(&attach->signals);
	fd = openat(attach->tmp_fd, attach->trigger,
		    O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
	error = fd < 0 ? -errno : 0;
	be_oneself(uid, gid);
	*made = fd >= 0;
	if (fd >= 0)
		close(fd);
	if (error && error != -EEXIST)
		return error_set(error, "pid %d: cannot make %s in its /tmp: %s", (int)attach->pid,
				 attach->trigger, strerror(-error));
	return 0;
}

static int wait_for_socket(const struct attach *attach)
{
	int fd = connect_until(attach, now_ns() + attach->timeout_ns, true);

	if (fd >= 0)
		return fd;
	return error_set(fd == -ENOENT ? -ETIMEDOUT : fd,
			 "pid %d: its JVM has opened no socket in /tmp within %llu s (%s); %s is "
			 "left there, or it would print a thread dump once it goes on",
			 (int)attach->pid, (unsigned long long)(attach->timeout_ns / 1000000000),
			 strerror(-fd), attach->trigger);
}

/* Returns a connection, or -errno with a sentence. */
static int wake_up(struct attach *attach, const struct attach_flags *flags)
{
	bool made, sent = false;
	int error = may_signal(attach, flags), fd = -1;

	if (!error)
		error = make_trigger(attach, &made);
	if (error)
		return error;
	error = may_signal(attach, flags);
	if (!error) {
		sent = !syscall(SYS_pidfd_send_signal, attach->pidfd, SIGQUIT, NULL, 0);
		if (!sent)
			error = error_set(-errno, "pid %d: cannot signal it: %s", (int)attach->pid,
					  strerror(errno));
	}
	if (sent)
		fd = wait_for_socket(attach);
	if (made && (!sent || fd >= 0))
		unlinkat(attach->tmp_fd, attach->trigger, 0);
	return error ? error : fd;
}

/* -- question and answer -------------------------------------------------------------------------
 */

/* Version 1 of the protocol: a command of jcmd and its arguments, always three. */
static int send_command(pid_t pid, int fd, const char *command, uint64_t deadline_ns)
{
	char request[256];
	int length = snprintf(request, sizeof(request), "1%cjcmd%c%s%c%c", 0, 0, command, 0, 0) + 1;
	int done = 0;

	if (length > (int)sizeof(request))
		return error_set(-EINVAL, "the command is too long");
	while (done < length) {
		struct pollfd ready = { fd, POLLOUT, 0 };
		ssize_t sent = send(fd, request + done, (size_t)(length - done), MSG_NOSIGNAL);

		if (sent > 0)
			done += (int)sent;
		else if (errno != EAGAIN && errno != EINTR)
			return error_set(-errno, "pid %d: its JVM does not listen: %s", (int)pid,
					 strerror(errno));
		else if (now_ns() >= deadline_ns)
			return error_set(-ETIMEDOUT, "pid %d: its JVM does not listen", (int)pid);
		else
			poll(&ready, 1, POLL_MS);
	}
	return 0;
}

/* All that comes until the other side closes. */
static int receive(const struct attach *attach, int fd, uint64_t deadline_ns, char **out)
{
	size_t used = 0, capacity = 0;
	char *text = NULL;

	for (;;) {
		struct pollfd ready = { fd, POLLIN, 0 };
		ssize_t got;

		text = mem_grow(text, used + CHUNK_BYTES + 1, &capacity, 1);
		got = recv(fd, text + used, CHUNK_BYTES, 0);
		if (!got)
			break;
		if (got > 0)
			used += (size_t)got;
		if (used > ATTACH_ANSWER_MAX) {
			mem_free(text);
			return error_set(-EFBIG,
					 "pid %d: the answer of its JVM is longer than %d bytes, "
					 "and was given up",
					 (int)attach->pid, ATTACH_ANSWER_MAX);
		}
		if (got < 0 && errno != EAGAIN && errno != EINTR) {
			mem_free(text);
			return error_set(-errno, "pid %d: no answer of its JVM: %s",
					 (int)attach->pid, strerror(errno));
		}
		if (now_ns() >= deadline_ns) {
			mem_free(text);
			return error_set(-ETIMEDOUT,
					 "pid %d: its JVM has not answered within %llu s",
					 (int)attach->pid,
					 (unsigned long long)(attach->timeout_ns / 1000000000));
		}
		if (got < 0)
			poll(&ready, 1, POLL_MS);
	}
	text[used] = '\0';
	*out = text;
	return 0;
}

/* The first line is a status: 0, or what follows says why not. */
static int take_status(pid_t pid, char *text)
{
	char *end;
	long status = strtol(text, &end, 10);
	size_t length = strcspn(end + (*end == '\n'), "\n");

	if (end == text || *end++ != '\n')
		return error_set(-EIO, "pid %d: what answers is no JVM", (int)pid);
	if (status)
		return error_set(-EIO, "pid %d: its JVM says: %.*s", (int)pid,
				 (int)(length < 200 ? length : 200), end);
	memmove(text, end, strlen(end) + 1);
	return 0;
}

static int ask(const struct attach *attach, int fd, const char *command, char **text)
{
	uint64_t deadline_ns = now_ns() + attach->timeout_ns;
	int error = send_command(attach->pid, fd, command, deadline_ns);

	if (!error)
		error = receive(attach, fd, deadline_ns, text);
	if (!error)
		error = take_status(attach->pid, *text);
	if (error) {
		mem_free(*text);
		*text = NULL;
	}
	return error;
}

/* -- the whole -----------------------------------------------------------------------------------
 */

static int find(struct attach *attach, pid_t pid)
{
	cleanup_close int root_fd = -1;
	char root[32];
	int error = signals_read(&attach->signals, pid);

	if (error)
		return error;
	attach->pid = pid;
	snprintf(attach->socket, sizeof(attach->socket), ".java_pid%d", attach->signals.own_id);
	snprintf(attach->trigger, sizeof(attach->trigger), ".attach_pid%d", attach->signals.own_id);
	attach->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (attach->pidfd < 0)
		return error_set(-errno, "cannot hold on to pid %d: %s", (int)pid, strerror(errno));
	snprintf(root, sizeof(root), "/proc/%d/root", (int)pid);
	root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	attach->tmp_fd = root_fd < 0 ? -errno : file_find(root_fd, "/tmp", O_DIRECTORY);
	if (attach->tmp_fd < 0)
		return error_set(attach->tmp_fd, "pid %d: cannot open its /tmp: %s", (int)pid,
				 strerror(-attach->tmp_fd));
	return 0;
}

int attach_command(pid_t pid, const struct attach_flags *flags, uint64_t timeout_ns,
		   const char *command, char **text)
{
	struct attach attach = { .timeout_ns = timeout_ns, .pidfd = -1, .tmp_fd = -1 };
	cleanup_close int fd = -1;
	int error = 0;

	*text = NULL;
	if (flags->known && flags->disabled)
		return error_set(-EPERM,
				 "pid %d: not asked: its JVM was started with "
				 "-XX:+DisableAttachMechanism",
				 (int)pid);
	error = find(&attach, pid);
	if (!error) {
		/* A socket that is there already needs no signal. */
		fd = connect_until(&attach, now_ns() + timeout_ns, false);
		if (fd == -ENOENT || fd == -ECONNREFUSED)
			fd = wake_up(&attach, flags);
		else if (fd < 0)
			error_set(fd, "pid %d: cannot use %s in its /tmp: %s", (int)pid,
				  attach.socket,
				  fd == -ENOTSOCK ? "it is no socket of its user" : strerror(-fd));
		error = fd < 0 ? fd : ask(&attach, fd, command, text);
	}
	if (attach.pidfd >= 0)
		close(attach.pidfd);
	if (attach.tmp_fd >= 0)
		close(attach.tmp_fd);
	return error;
}
