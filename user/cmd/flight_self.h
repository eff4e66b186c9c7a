/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What keeps a flight recorder alive while its target is killed for want of memory. */
#ifndef UNFREED_CMD_FLIGHT_SELF_H
#define UNFREED_CMD_FLIGHT_SELF_H

struct target;

/*
 * Makes the kernel choose this process late, and takes it out of the target's memory group, should
 * it be in there: what it needs is not to be the target's. What cannot be done is said on stderr.
 */
void flight_self_protect(const struct target *target);

/* The first of these is not to be inherited by the commands that it starts. */
void flight_self_undo(void);

#endif
