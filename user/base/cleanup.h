/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Variables that clean up after themselves at the end of their scope. */
#ifndef UNFREED_BASE_CLEANUP_H
#define UNFREED_BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free_(void *pointer)
{
	free(*(void **)pointer);
}

static inline void cleanup_close_(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_fclose_(FILE **stream)
{
	if (*stream)
		fclose(*stream);
}

#define cleanup_free __attribute__((cleanup(cleanup_free_)))
#define cleanup_close __attribute__((cleanup(cleanup_close_))) /* int, -1: none */
#define cleanup_fclose __attribute__((cleanup(cleanup_fclose_))) /* FILE *, may be NULL */

#endif
