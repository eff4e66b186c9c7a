/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Debug files from the servers in $DEBUGINFOD_URLS, by build-id: through elfutils' libdebuginfod,
 * which keeps what it has fetched. It is loaded when it is first needed, where it is installed.
 */
#ifndef UNFREED_COLLECT_DEBUGINFOD_H
#define UNFREED_COLLECT_DEBUGINFOD_H

#include <stddef.h>
#include <stdint.h>

/* In all, unless $DEBUGINFOD_MAXTIME says otherwise, as it does to libdebuginfod of one file. */
enum { DEBUGINFOD_SECONDS = 10 };

struct debuginfod;

/*
 * Whether servers are asked: 0; -ENOENT: $DEBUGINFOD_URLS is not set; -ENOTSUP: no library, or a
 * static program, which cannot load it; with a sentence.
 */
int debuginfod_check(void);

/* A client; NULL where none is to be had, with a sentence. */
struct debuginfod *debuginfod_new(void);
void debuginfod_free(struct debuginfod *client); /* NULL is legal */

/*
 * Fetches a debug file. Returns an open file; -ENOENT: no server has it; -ETIME: the time for all
 * files is over; or another negative errno. With a sentence.
 */
int debuginfod_fetch(struct debuginfod *client, const uint8_t *build_id, size_t bytes);

#endif
