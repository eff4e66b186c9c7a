/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Errors. Functions return 0 or a negative errno; the sentence for the user (what failed, on what,
 * why, what to do) is left in a thread-local buffer by whoever knows it best, and printed once, by
 * cmd. Nothing below cmd prints.
 */
#ifndef UNFREED_BASE_ERROR_H
#define UNFREED_BASE_ERROR_H

/*
 * Leaves the sentence (no newline, no program name) and returns code, a negative errno, so that
 * callers can write: return error_set(-ENOENT, "no container '%s'", name);
 */
int error_set(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts a prefix before the sentence that is there: "docker: cannot read …". Returns code. */
int error_prefix(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The last sentence of this thread, never NULL; valid until the next error_set of the thread. */
const char *error_message(void);

#endif
