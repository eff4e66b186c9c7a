/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What this process itself may do. */
#ifndef UNFREED_PROCESS_RIGHTS_H
#define UNFREED_PROCESS_RIGHTS_H

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

/* "CAP_PERFMON, CAP_BPF"; the caller's to free. */
char *rights_names(uint64_t set);

/* Fails with a sentence, -EACCES, where the memory and the files of a process are closed to us. */
int rights_check_process(int pid);

#endif
