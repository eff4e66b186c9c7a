/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The child's side: gives up what it has, then serves until nobody asks any more. */
#include "process/jail_child.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "process/lockdown.h"

enum { SOCKET_FD = 3 };
#define MEMORY_MAX (6ULL << 30) /* of address space: three images of the greatest size */

/* -- the socket -------------------------------------------------------------------------------- */

static int send_all(int fd, const void *bytes, size_t count)
{
	size_t done = 0;

	while (done < count) {
		ssize_t sent = send(fd, (const char *)bytes + done, count - done, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return -errno;
		done += (size_t)sent;
	}
	return 0;
}

union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int) * JAIL_FDS_MAX)];
};

int jail_send(int fd, uint32_t kind, const struct parcel *parcel, const int fds[JAIL_FDS_MAX])
{
	struct jail_request head = { .kind = kind, .bytes = parcel->bytes.count };
	struct iovec vector = { &head, sizeof(head) };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };
	union control control = { 0 };
	int there[JAIL_FDS_MAX];
	size_t count = 0;
	ssize_t sent;

	for (uint32_t i = 0; i < JAIL_FDS_MAX; i++) {
		if (fds[i] < 0)
			continue;
		head.fds |= 1u << i;
		there[count++] = fds[i];
	}
	if (count) {
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(&control.header), there, count * sizeof(int));
	}
	do
		sent = sendmsg(fd, &message, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent != sizeof(head))
		return sent < 0 ? -errno : -EIO;
	return send_all(fd, parcel->bytes.items, parcel->bytes.count);
}

/* Ends with whoever asks. */
static void receive_all(void *bytes, size_t count)
{
	size_t done = 0;

	while (done < count) {
		ssize_t got = read(SOCKET_FD, (char *)bytes + done, count - done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			_exit(0);
		done += (size_t)got;
	}
}

static void receive_head(struct jail_request *head, int fds[JAIL_FDS_MAX])
{
	struct iovec vector = { head, sizeof(*head) };
	union control control;
	struct msghdr message = { .msg_iov = &vector,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header;
	ssize_t got;
	int there[JAIL_FDS_MAX];
	size_t count = 0, at = 0;

	do
		got = recvmsg(SOCKET_FD, &message, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got <= 0)
		_exit(0);
	receive_all((char *)head + got, sizeof(*head) - (size_t)got);
	header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_type == SCM_RIGHTS) {
		count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(there, CMSG_DATA(header), count * sizeof(int));
	}
	/* Where not all could be had, there is no room for more: none is better than another. */
	for (uint32_t i = 0; i < JAIL_FDS_MAX; i++)
		fds[i] = head->fds & 1u << i && at < count ? there[at++] : -1;
}

static void reply_with(int error, const struct parcel *reply)
{
	struct jail_reply head = { .error = error, .bytes = (uint32_t)reply->bytes.count };

	if (send_all(SOCKET_FD, &head, sizeof(head)) ||
	    send_all(SOCKET_FD, reply->bytes.items, reply->bytes.count))
		_exit(0);
}

/* -- its life ---------------------------------------------------------------------------------- */

static _Noreturn void serve(const struct jail_work *work, unsigned int walls)
{
	struct parcel request = { 0 }, reply = { 0 };
	void *context = work->begin();

	for (;;) {
		struct jail_request head;
		int fds[JAIL_FDS_MAX], error = 0;

		receive_head(&head, fds);
		if (head.bytes > JAIL_REQUEST_MAX)
			_exit(1);
		parcel_empty(&request);
		request.bytes.items =
			mem_grow(request.bytes.items, head.bytes, &request.bytes.capacity, 1);
		request.bytes.count = head.bytes;
		receive_all(request.bytes.items, head.bytes);
		request.unpacking = true;
		parcel_empty(&reply);
		reply.bytes_max = JAIL_REPLY_MAX;
		if (head.kind == JAIL_HELLO)
			parcel_number(&reply, &walls);
		else
			error = work->serve(context, head.kind, &request, fds, &reply);
		if (!error && reply.failed)
			error = error_set(-EFBIG, "the answer is too large");
		if (error) {
			parcel_empty(&reply);
			reply.bytes_max = JAIL_REPLY_MAX;
			parcel_put_text(&reply, error_message());
		}
		for (int i = 0; i < JAIL_FDS_MAX; i++) {
			if (fds[i] >= 0)
				close(fds[i]);
		}
		reply_with(error, &reply);
		if (reply.bytes.capacity > JAIL_KEPT_MAX)
			parcel_free(&reply);
	}
}

/* What the parent shares with the kernel, BPF maps and the like, is not the child's. */
static void unmap_shared(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512], kind;
	uint64_t start, end;

	while (maps && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*3c%c", &start, &end, &kind) == 3 &&
		    kind == 's')
			munmap((void *)(uintptr_t)start, end - start);
	}
	if (maps)
		fclose(maps);
}

static void leave_behind(int fd)
{
	static const int ignored[] = { SIGINT,	SIGTERM, SIGQUIT, SIGHUP,
				       SIGPIPE, SIGTSTP, SIGUSR1, SIGUSR2 };
	static const int fatal[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS };
	sigset_t none;
	int null;

	/* The parent decides when it ends, and tells by the socket. */
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		signal(fatal[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	unmap_shared();
	if (fd != SOCKET_FD)
		dup3(fd, SOCKET_FD, O_CLOEXEC);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	syscall(SYS_close_range, SOCKET_FD + 1, ~0U, 0);
}

_Noreturn void jail_child(const struct jail_work *work, int fd, pid_t parent)
{
	unsigned int walls;

	leave_behind(fd);
	prctl(PR_SET_NAME, work->name, 0, 0, 0);
	walls = lockdown_parser(MEMORY_MAX, false, parent);
	serve(work, walls);
}
