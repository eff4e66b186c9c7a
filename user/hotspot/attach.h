/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Asks a running HotSpot JVM, as jcmd does (os/posix/attachListener_posix.cpp): a file tells it to
 * open a socket, SIGQUIT to look for that file; the socket takes a command and answers with a text.
 *
 * SIGQUIT kills a process that does not catch it, and makes a JVM without this mechanism print a
 * thread dump: it is sent only where that is ruled out.
 */
#ifndef UNFREED_HOTSPOT_ATTACH_H
#define UNFREED_HOTSPOT_ATTACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What the JVM's own flags say. */
struct attach_flags {
	bool known; /* else no signal is sent */
	bool disabled; /* DisableAttachMechanism */
	bool without_signals; /* ReduceSignalUsage, -Xrs: SIGQUIT is not the JVM's */
};

enum { ATTACH_ANSWER_MAX = 64 << 20 };

/*
 * Sends a command, "VM.native_memory summary", and gives the answer, without the line of its
 * status: *text is the caller's. Returns 0, or with a sentence: -EPERM where the rule above forbids
 * to ask, -ETIMEDOUT (it waits as long for the socket, and again for the answer), -EFBIG (an answer
 * without an end), -EIO (the JVM refuses), -errno.
 */
int attach_command(pid_t pid, const struct attach_flags *flags, uint64_t timeout_ns,
		   const char *command, char **text);

#endif
