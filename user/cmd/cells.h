/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the tables of heap and jvm, and the screen of watch, are made of. */
#ifndef UNFREED_CMD_CELLS_H
#define UNFREED_CMD_CELLS_H

#include <stdint.h>
#include <stdio.h>

#include "base/units.h"
#include "model/verdict.h"

struct cell {
	char text[UNITS_TEXT_MAX];
};

struct cell cell_bytes(uint64_t bytes);
struct cell cell_count(uint64_t count);
struct cell cell_growth(int64_t bytes); /* "+1.2 MiB" */
struct cell cell_time(uint64_t time_ns);

/* Wraps text between words, behind a label on its first line. */
void cells_paragraph(FILE *stream, const char *label, const char *text);

/* Three paragraphs. */
void cells_verdict(const struct verdict *verdict, FILE *stream);

#endif
