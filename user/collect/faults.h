/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Page faults of a process: which pages the recorded ones have brought in, and which of them are
 * still there. What a call gives back is known by the call, what the kernel takes by pagemap.
 */
#ifndef UNFREED_COLLECT_FAULTS_H
#define UNFREED_COLLECT_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#include "abi.h"
#include "collect/sums.h"

struct collect;
struct watched;
struct faults;

/*
 * Counts them in each thread of a process, and in all that it begins, where that is asked for;
 * inherits: it is what one has begun that is counted. Returns 0 or -errno with a sentence.
 */
int faults_begin(struct collect *collect, struct watched *watched, bool inherits);
void faults_free(struct faults *faults); /* NULL is legal */

/* Asks the kernel how many there were, whether the program was run at them or not; stop: and ends
 * them. */
void faults_count(struct collect *collect, bool stop);

/* Takes a record. Returns the bytes that it stands for; 0: there is no room (max pages are kept).
 */
uint64_t faults_take(struct faults *faults, const struct abi_fault *record, uint64_t max);

/* A mapping call: pages that were there before it are gone, or have moved. */
void faults_remap(struct faults *faults, const struct abi_mapping *record);

/* Forgets the pages that are not there any more. Of a process that has ended: nothing. */
void faults_look(struct faults *faults);

/* Adds those that are there to the sums of their stacks. */
void faults_sum(const struct faults *faults, struct sums **table, const struct moment *moment);

#endif
