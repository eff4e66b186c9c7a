/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The runtimes: where their state files lie and what they say. */
#ifndef UNFREED_PROCESS_RUNTIME_H
#define UNFREED_PROCESS_RUNTIME_H

#include <stddef.h>

#include "process/container.h"

struct jail;

/* The outermost first: what docker calls a container is also one of containerd and of runc. */
enum runtime {
	RUNTIME_DOCKER,
	RUNTIME_PODMAN,
	RUNTIME_CONTAINERD,
	RUNTIME_CRUN,
	RUNTIME_RUNC,
	RUNTIMES
};

/* Where state files of one runtime are looked for. */
struct place {
	enum runtime runtime;
	char *pattern; /* as file_glob takes it */
	char *run; /* podman's folder for what does not outlive a boot, else NULL */
};

struct places {
	VEC(struct place) rows;
};

/* Adds a place, unless it is there. */
void places_add(struct places *places, enum runtime runtime, const char *pattern, const char *run);
/* jail: one of process/state.h. Adds the places where the runtimes below root_fd keep their state
 * unless they are told otherwise, and the one that docker's configuration file names. */
void places_add_defaults(struct places *places, struct jail *jail, int root_fd);
/* Adds those that the running daemons of our pid namespace were told to use. */
void places_add_daemons(struct places *places);
/* The same for one command line as /proc/PID/cmdline has it (ends in a NUL) and its folder. */
void places_add_command(struct places *places, const char *line, size_t bytes, const char *folder);
void places_free(struct places *places);

/*
 * Adds the containers of all state files of a place; what is not understood adds none. A pid below
 * zero: this runtime says that it does not run, whatever others left behind.
 */
void runtime_read(struct containers *containers, struct jail *jail, const struct place *place,
		  int root_fd);

#endif
