/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What signals do to a process, and as whom it runs. */
#ifndef UNFREED_PROCESS_SIGNALS_H
#define UNFREED_PROCESS_SIGNALS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define SIGNAL_BIT(number) (1ULL << ((number)-1))

struct signals {
	uint64_t caught; /* SigCgt: bits by SIGNAL_BIT */
	uid_t uid; /* effective ones, as seen from here */
	gid_t gid;
	pid_t own_id; /* in its own pid namespace */
	bool stopped; /* by a signal or a tracer */
};

/* Reads them of /proc/PID/status. Returns 0 or -errno with a sentence. */
int signals_read(struct signals *signals, pid_t pid);

/* The same from a text; false: it lacks one of them. */
bool signals_parse(struct signals *signals, const char *text);

#endif
