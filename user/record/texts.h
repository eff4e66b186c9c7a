/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Things that are written once and then called by a number: texts, and whatever else has become
 * bytes. Numbers go up from 1 in the order in which things first came.
 */
#ifndef UNFREED_RECORD_TEXTS_H
#define UNFREED_RECORD_TEXTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* -- things by their bytes: for writing ---------------------------------------------------------
 */

struct numbers;

struct numbers *numbers_new(void);
void numbers_free(struct numbers *numbers); /* NULL is legal */

/* The number of these bytes; *fresh: it is a new one. */
uint64_t numbers_of(struct numbers *numbers, const void *bytes, size_t count, bool *fresh);

uint64_t numbers_count(const struct numbers *numbers);

/* -- texts, both ways ---------------------------------------------------------------------------
 */

struct texts;
struct strings;

/* strings: where those that are read live; NULL: for writing. */
struct texts *texts_new(struct strings *strings);
void texts_free(struct texts *texts); /* NULL is legal */

/* Written: the number of text, 0 of NULL. New ones wait for texts_take. */
uint64_t texts_number(struct texts *texts, const char *text);

/* Written: what has come by its address may be another text from now on. */
void texts_forget(struct texts *texts);

/* Written: the next of the texts that are new since they were last taken; NULL: no more. */
const char *texts_take(struct texts *texts);
size_t texts_waiting(const struct texts *texts);

/* Read: the next text, of count bytes without a NUL. */
void texts_put(struct texts *texts, const void *bytes, size_t count);
/* Read: 0 and what is not there is NULL. */
const char *texts_at(const struct texts *texts, uint64_t number);

uint64_t texts_count(const struct texts *texts);

#endif
