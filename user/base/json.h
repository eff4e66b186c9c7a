/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A JSON writer that streams: nothing is kept in memory, so a report of any length can be written.
 * Strings come from hostile binaries: quotes, controls and invalid UTF-8 are escaped or replaced by
 * U+FFFD. Compact output (no spaces), one document per json_end of the outermost container.
 */
#ifndef UNFREED_BASE_JSON_H
#define UNFREED_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { JSON_MAX_DEPTH = 32 };

struct json {
	FILE *stream;
	bool in_html; /* set after json_init: no '<' is written, which might end a script element */
	uint32_t depth;
	bool comma[JSON_MAX_DEPTH];
	bool array[JSON_MAX_DEPTH];
};

void json_init(struct json *json, FILE *stream);

/* key is NULL inside arrays and for the outermost value. */
void json_begin_object(struct json *json, const char *key);
void json_begin_array(struct json *json, const char *key);
/* Closes the innermost object or array. */
void json_end(struct json *json);

/* string may be NULL: null. */
void json_text(struct json *json, const char *key, const char *string);
void json_uint(struct json *json, const char *key, uint64_t value);
void json_int(struct json *json, const char *key, int64_t value);
/* Finite, with at most digits behind the point and without trailing zeros. */
void json_double(struct json *json, const char *key, double value, int digits);
void json_bool(struct json *json, const char *key, bool value);

#endif
