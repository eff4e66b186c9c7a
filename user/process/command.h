/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A program that this tool starts itself, in order to see it from its first instruction. It is the
 * only process that is ever stopped by ptrace, and only until command_go.
 */
#ifndef UNFREED_PROCESS_COMMAND_H
#define UNFREED_PROCESS_COMMAND_H

#include <stdbool.h>
#include <sys/types.h>

struct command;

/*
 * Starts argv (searched in PATH) and stops it where its loader has mapped and linked all libraries
 * and none of their constructors has run; a static program at its first instruction. Descriptors
 * without O_CLOEXEC, signal dispositions, process group and terminal are those of the caller.
 * *command is the caller's. Returns 0, or -errno with a sentence (-ENOENT, -EACCES: exec failed).
 */
int command_start(struct command **command, char *const argv[]);

pid_t command_pid(const struct command *command);

/* Lets it run, and is no longer its tracer. */
void command_go(struct command *command);

/* Whether it has ended. Does not wait. */
bool command_ended(struct command *command);
/* How it ended, as in wait(2); -1: it runs, or nobody knows. */
int command_status(const struct command *command);

/* Kills it unless it was let go, else leaves it running. NULL is legal. */
void command_free(struct command *command);

#endif
