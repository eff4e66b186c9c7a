/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What both sides of a jail know. */
#ifndef UNFREED_PROCESS_JAIL_CHILD_H
#define UNFREED_PROCESS_JAIL_CHILD_H

#include <stdint.h>
#include <sys/types.h>

#include "process/jail.h"

enum {
	JAIL_HELLO = UINT16_MAX, /* a request of our own: which walls stand */
	JAIL_REQUEST_MAX = 1 << 30, /* bytes */
	JAIL_REPLY_MAX = 1 << 30,
	JAIL_KEPT_MAX = 1 << 20, /* of memory for replies, between them */
};

struct jail_request { /* its descriptors come with it */
	uint32_t kind;
	uint32_t fds; /* a bit for each that is there */
	uint64_t bytes; /* that follow */
};

struct jail_reply {
	int32_t error; /* 0, and what was packed; else negative, and a sentence */
	uint32_t bytes;
};

/* Sends a request. Returns 0 or -errno. */
int jail_send(int fd, uint32_t kind, const struct parcel *parcel, const int fds[JAIL_FDS_MAX]);

/* The life of the child, whose parent is parent, on its end of the socket. */
_Noreturn void jail_child(const struct jail_work *work, int fd, pid_t parent);

#endif
