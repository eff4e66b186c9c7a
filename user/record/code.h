/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Values as bytes, both ways: the same calls write a structure or read it, so that one description
 * of a format does for both. What is read may be hostile: the first byte that cannot be makes the
 * code broken, and from then on every value is 0 or NULL.
 */
#ifndef UNFREED_RECORD_CODE_H
#define UNFREED_RECORD_CODE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/vec.h"

struct texts;

struct code {
	bool reads;
	bool broken;
	const uint8_t *at, *end; /* what is read */
	VEC(uint8_t) bytes; /* what was written */
	struct texts *texts; /* for code_text */
};

struct code code_writer(struct texts *texts); /* ends with code_free */
struct code code_reader(const void *bytes, size_t count, struct texts *texts);
void code_free(struct code *code);

/* Bytes that are left to be read. */
size_t code_left(const struct code *code);

/* 7 bits in a byte, least first. */
void code_number(struct code *code, uint64_t *value);
/* The same of what may be negative, or of a difference that wrapped around. */
void code_signed(struct code *code, int64_t *value);
/* At most limit, else broken. */
void code_limited(struct code *code, uint64_t *value, uint64_t limit);
void code_bool(struct code *code, bool *value);
void code_pid(struct code *code, pid_t *pid);
/* Its 8 bytes, least first. Not finite: broken. */
void code_double(struct code *code, double *value);
/* Its number in the texts; NULL is 0. */
void code_text(struct code *code, const char **text);
/* The same, and NULL is broken. */
void code_name(struct code *code, const char **text);

/* Written: appends count bytes. */
void code_raw(struct code *code, const void *bytes, size_t count);
/* Written: the count, then the bytes. Read: *count bytes there, of none where it is broken. */
void code_put_bytes(struct code *code, const void *bytes, size_t count);
const void *code_take_bytes(struct code *code, size_t *count);
/* Read: it cannot be. */
void code_break(struct code *code);

/*
 * A list (VEC) of items, each coded by one(code, item). Each takes a byte at least, so that a count
 * that cannot be is known before there is memory for it.
 */
#define code_list(code, vec, one)                                                      \
	do {                                                                           \
		uint64_t count_ = (vec)->count;                                        \
                                                                                       \
		code_limited((code), &count_, code_most(code));                        \
		for (uint64_t i_ = 0; i_ < count_ && !(code)->broken; i_++)            \
			one((code), (code)->reads ? vec_add(vec) : &(vec)->items[i_]); \
	} while (0)

/* The most items that a list can have. */
uint64_t code_most(const struct code *code);

#endif
