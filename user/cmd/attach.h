/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From a target that was found to a window that is open. */
#ifndef UNFREED_CMD_ATTACH_H
#define UNFREED_CMD_ATTACH_H

#include "collect/collect.h"
#include "process/target.h"

/*
 * Says on stderr what is left out of target, and starts to collect. *collect is the caller's, whose
 * target must outlive it. Returns 0, or a negative errno with a sentence.
 */
int attach(struct collect **collect, const struct collect_options *options,
	   const struct target *target);

/* The line "tracing … HOW_LONG: what is probed" on stderr. */
void attach_announce(const struct collect *collect, const struct target *target,
		     const char *how_long);

#endif
