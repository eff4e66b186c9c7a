/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One child of the whole program, begun by the first who asks. */
#include "process/opener.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

enum {
	PATIENCE_MS = 5000,
	NAMES = 3, /* of a path: /usr/lib/debug is a place of its own */
};

struct request {
	opener_function *function; /* the same in both: a fork has our addresses */
	pid_t pid;
	struct map map;
	char path[PATH_MAX];
};

/* What does not answer: it is not asked for its other files. */
struct place {
	opener_function *function;
	pid_t pid;
	char *folder;
};

static struct {
	pid_t pid, of; /* of: who began it */
	int fd;
	VEC(struct place) mute;
} opener = { .fd = -1 };

static void send_file(int socket_fd, int result)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec vector = { &result, sizeof(result) };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };

	if (result >= 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &result, sizeof(int));
	}
	if (sendmsg(socket_fd, &message, MSG_NOSIGNAL) < 0)
		_exit(0);
	if (result >= 0)
		close(result);
}

/* The file that came along, or the error. */
static int receive_file(int socket_fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	int result = -EOWNERDEAD;
	struct iovec vector = { &result, sizeof(result) };
	struct msghdr message = { .msg_iov = &vector,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *header;

	if (recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC) != sizeof(result))
		return -EOWNERDEAD;
	if (result < 0)
		return result;
	header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_type != SCM_RIGHTS)
		return -EMFILE;
	memcpy(&result, CMSG_DATA(header), sizeof(int));
	return result;
}

static _Noreturn void serve(int socket_fd, pid_t parent)
{
	static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGUSR1 };
	static struct request request;

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	prctl(PR_SET_NAME, "unfreed-opens", 0, 0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent)
		_exit(0);
	dup3(socket_fd, 0, O_CLOEXEC);
	syscall(SYS_close_range, 1, ~0U, 0); /* whose reader waits for its end */
	for (;;) {
		ssize_t got = recv(0, &request, sizeof(request), 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got != sizeof(request))
			_exit(0);
		request.map.path = request.path;
		send_file(0, request.function(request.pid, &request.map));
	}
}

static int begin(void)
{
	pid_t parent = getpid();
	int fds[2];

	if (opener.fd >= 0 && opener.of == parent)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		return -errno;
	opener.pid = fork();
	if (!opener.pid)
		serve(fds[1], parent);
	close(fds[1]);
	if (opener.pid < 0) {
		close(fds[0]);
		return -EAGAIN;
	}
	opener.of = parent;
	opener.fd = fds[0];
	return 0;
}

/* It may not even die: nobody waits for it. */
static void give_up(void)
{
	kill(opener.pid, SIGKILL);
	close(opener.fd);
	waitpid(opener.pid, NULL, WNOHANG);
	opener.fd = -1;
}

/* The length of what stands for all that lies there. */
static size_t place_length(const char *path)
{
	size_t length = 0;

	for (size_t i = 0, names = 0; path[i] && names <= NAMES; i++) {
		if (path[i] != '/')
			continue;
		length = i;
		names++;
	}
	return length;
}

static bool is_mute(opener_function *function, pid_t pid, const char *path)
{
	size_t length = place_length(path);

	vec_for_each (place, &opener.mute) {
		if (place->function == function && place->pid == pid &&
		    strlen(place->folder) == length && !strncmp(place->folder, path, length))
			return true;
	}
	return false;
}

const char *opener_mute(void)
{
	static char text[PATH_MAX + 32];
	const struct place *last;

	if (!opener.mute.count)
		return NULL;
	last = &opener.mute.items[opener.mute.count - 1];
	snprintf(text, sizeof(text), "%s of pid %d", last->folder, (int)last->pid);
	return text;
}

int opener_open(opener_function *function, pid_t pid, const struct map *map)
{
	struct request request = { .function = function, .pid = pid, .map = *map };
	struct pollfd poll_fd = { .events = POLLIN };
	int got, fd;

	if (strlen(map->path) >= sizeof(request.path))
		return -ENAMETOOLONG;
	if (is_mute(function, pid, map->path))
		return -ETIMEDOUT;
	strcpy(request.path, map->path);
	if (begin() || send(opener.fd, &request, sizeof(request), MSG_NOSIGNAL) < 0)
		return function(pid, map);
	poll_fd.fd = opener.fd;
	do
		got = poll(&poll_fd, 1, PATIENCE_MS);
	while (got < 0 && errno == EINTR);
	fd = got > 0 ? receive_file(opener.fd) : -ETIMEDOUT;
	if (fd == -ETIMEDOUT || fd == -EOWNERDEAD)
		give_up();
	if (fd == -ETIMEDOUT)
		*vec_add(&opener.mute) = (struct place){
			function, pid, mem_printf("%.*s", (int)place_length(map->path), map->path)
		};
	return fd;
}
