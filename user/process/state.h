/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The text of a runtime's state file → containers. A container may write what it likes into some of
 * them, names and annotations: they are parsed in a jail (process/jail.h).
 */
#ifndef UNFREED_PROCESS_STATE_H
#define UNFREED_PROCESS_STATE_H

#include "process/jail.h"
#include "process/runtime.h"

enum { STATE_CONTAINERS_MAX = 16384 }; /* of all runtimes: more is no host */

extern const struct jail_work state_work;

/*
 * Adds the containers of the state file at path, that was read elsewhere; what is not understood
 * adds none. A row without a pid may have a pid_file. Asks the jail.
 */
void state_ask(struct jail *jail, struct containers *containers, const struct place *place,
	       const char *path, const char *text, size_t bytes);

/* The folder that a configuration of dockerd names, or NULL: mem_free(). Asks the jail. */
char *state_ask_docker_folder(struct jail *jail, const char *text, size_t bytes);

/* What the jail does for state_ask. */
void state_parse(struct containers *containers, const struct place *place, const char *path,
		 const char *text, size_t bytes);

/* The pid, or 0: no pid can be that. */
pid_t state_valid_pid(long long pid);

#endif
