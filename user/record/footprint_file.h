/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Footprints that were saved: the documents of unfreed map --save and --json. */
#ifndef UNFREED_RECORD_FOOTPRINT_FILE_H
#define UNFREED_RECORD_FOOTPRINT_FILE_H

#include <stdbool.h>
#include <stdio.h>

#include "model/footprint.h"

/*
 * Reads the document in stream, which was opened at path, of several lines the last; what is there
 * of target, time, sums and classes, those of processes included. *footprint is the caller's.
 * Returns 0 or -errno with a sentence.
 */
int footprint_read(struct footprint **footprint, FILE *stream, const char *path);

/* Whether the file at path may be one: it begins as JSON does. */
bool footprint_file(const char *path);

/* footprint_read of a document of so many bytes; what it is stands before the sentence of an error.
 */
int footprint_parse(struct footprint **footprint, const char *text, size_t count);

#endif
