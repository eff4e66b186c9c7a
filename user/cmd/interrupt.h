/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Signals that end a command early: the first one asks, a second one quits at once. */
#ifndef UNFREED_CMD_INTERRUPT_H
#define UNFREED_CMD_INTERRUPT_H

#include <stdbool.h>

/* Catches SIGINT, SIGTERM and SIGHUP from now on; SIGPIPE becomes an error of write(2). */
void interrupt_catch(void);

/* What a second signal calls before it quits: async-signal-safe. */
void interrupt_abandon_by(void (*function)(void));

/* Whether a first signal came. */
bool interrupted(void);

/* Catches SIGUSR1 from now on. */
void interrupt_catch_request(void);

/* Whether one came since the last call. */
bool interrupt_requested(void);

#endif
