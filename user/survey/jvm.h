/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The JVM in a process, handed to the sandbox: found by its library. */
#ifndef UNFREED_SURVEY_JVM_H
#define UNFREED_SURVEY_JVM_H

#include "process/proc.h"
#include "sandbox/sandbox.h"

struct jvm {
	struct sandbox *sandbox;
	uint32_t image, id; /* of the sandbox's requests */
};

/* Whether this is where libjvm's file begins. */
bool jvm_is_library(const struct map *map);

/*
 * Opens the JVM whose libjvm begins at map; the descriptors are of its /proc/PID/mem and pagemap.
 * Returns 0, or -ENOENT, -EINVAL (no HotSpot that is known), or -errno, with a sentence.
 */
int jvm_open(struct jvm *jvm, struct sandbox *sandbox, pid_t pid, const struct map *map,
	     int memory_fd, int pagemap_fd);
void jvm_close(struct jvm *jvm);

struct hotspot_facts;

/* What the JVM of a process says of itself. Returns 0; -ENOENT: there is none; or as above. */
int jvm_facts(struct hotspot_facts *facts, pid_t pid);

#endif
