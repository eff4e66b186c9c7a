/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What this process itself may do. */
#ifndef UNFREED_PROCESS_RIGHTS_H
#define UNFREED_PROCESS_RIGHTS_H

#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>

/* A set of capabilities; name as in linux/capability.h, without CAP_. */
#define RIGHT(name) (UINT64_C(1) << CAP_##name)

struct rights {
	uint64_t capabilities; /* effective ones */
	bool user_namespace; /* they are of a user namespace: few of them count */
	bool seccomp; /* a filter of system calls is in force */
};

/* Reads them; what cannot be read is taken as the best case. */
void rights_read(struct rights *rights);

/* Those of wanted that are missing; none where all of instead, a set that is not empty, is there.
 */
uint64_t rights_missing(const struct rights *rights, uint64_t wanted, uint64_t instead);

/* Takes one out of the set: its name, "CAP_BPF", or NULL where the set holds none that we know. */
const char *rights_next(uint64_t *set);

/*
 * What a command may need, each for what stands in unfreed-check(1); the rest is given up for good
 * by rights_keep. Those of files go along: a report may replace another user's.
 */
#define RIGHTS_FILES (RIGHT(DAC_READ_SEARCH) | RIGHT(DAC_OVERRIDE) | RIGHT(FOWNER) | RIGHT(CHOWN))
#define RIGHTS_CHILD (RIGHT(SETUID) | RIGHT(SETGID) | RIGHT(SETPCAP))
#define RIGHTS_DRAW (RIGHTS_FILES | RIGHTS_CHILD)
#define RIGHTS_LOOK                                                                    \
	(RIGHTS_FILES | RIGHTS_CHILD | RIGHT(SYS_PTRACE) | RIGHT(CHECKPOINT_RESTORE) | \
	 RIGHT(SYS_ADMIN))
#define RIGHTS_ASK (RIGHTS_LOOK | RIGHT(KILL)) /* HotSpot's attach */
#define RIGHTS_TRACE \
	(RIGHTS_LOOK | RIGHT(BPF) | RIGHT(PERFMON) | RIGHT(SYS_RESOURCE) | RIGHT(SYS_NICE))
void rights_keep(uint64_t wanted);

/* "CAP_PERFMON, CAP_BPF"; the caller's to free. */
char *rights_names(uint64_t set);

/* Fails with a sentence, -EACCES, where the memory and the files of a process are closed to us. */
int rights_check_process(int pid);

#endif
