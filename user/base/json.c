/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A JSON writer that streams (RFC 8259). */
#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"

void json_init(struct json *json, FILE *stream)
{
	*json = (struct json){ .stream = stream };
}

/* Copies the runs that need no escape at once: a report is mostly such text. */
static void write_string(const struct json *json, const char *text)
{
	const char markup = json->in_html ? '<' : '"';
	FILE *stream = json->stream;

	putc_unlocked('"', stream);
	while (*text) {
		size_t plain = 0;
		uint32_t character;
		char bytes[4];

		while ((unsigned char)text[plain] >= 0x20 && (unsigned char)text[plain] < 0x7f &&
		       text[plain] != '"' && text[plain] != '\\' && text[plain] != markup)
			plain++;
		fwrite_unlocked(text, 1, plain, stream);
		text += plain;
		if (!*text)
			break;
		character = text_next(&text);
		if (character == '"' || character == '\\') {
			putc_unlocked('\\', stream);
			putc_unlocked(character, stream);
		} else if (character == '\n') {
			fputs_unlocked("\\n", stream);
		} else if (character == '\t') {
			fputs_unlocked("\\t", stream);
		} else if ((text_is_control(character) && character < 0x10000) ||
			   character == (unsigned char)markup) {
			fprintf(stream, "\\u%04" PRIx32, character);
		} else {
			fwrite_unlocked(bytes, 1, text_encode(bytes, character), stream);
		}
	}
	putc_unlocked('"', stream);
}

/* What precedes any value: the comma, and the key. */
static void begin(struct json *json, const char *key)
{
	if (json->depth) {
		assert(!key == json->array[json->depth - 1]);
		if (json->comma[json->depth - 1])
			putc_unlocked(',', json->stream);
		json->comma[json->depth - 1] = true;
	}
	if (key) {
		write_string(json, key);
		putc_unlocked(':', json->stream);
	}
}

static void open_container(struct json *json, const char *key, bool array)
{
	begin(json, key);
	assert(json->depth < JSON_MAX_DEPTH);
	json->comma[json->depth] = false;
	json->array[json->depth++] = array;
	putc_unlocked(array ? '[' : '{', json->stream);
}

void json_begin_object(struct json *json, const char *key)
{
	open_container(json, key, false);
}

void json_begin_array(struct json *json, const char *key)
{
	open_container(json, key, true);
}

void json_end(struct json *json)
{
	assert(json->depth > 0);
	putc_unlocked(json->array[--json->depth] ? ']' : '}', json->stream);
}

void json_text(struct json *json, const char *key, const char *string)
{
	begin(json, key);
	if (string)
		write_string(json, string);
	else
		fputs_unlocked("null", json->stream);
}

void json_uint(struct json *json, const char *key, uint64_t value)
{
	begin(json, key);
	fprintf(json->stream, "%" PRIu64, value);
}

void json_int(struct json *json, const char *key, int64_t value)
{
	begin(json, key);
	fprintf(json->stream, "%" PRId64, value);
}

void json_double(struct json *json, const char *key, double value, int digits)
{
	char text[400]; /* DBL_MAX has 309 digits before the point */
	size_t length;

	begin(json, key);
	if (!isfinite(value)) {
		fputs_unlocked("null", json->stream);
		return;
	}
	if (digits > 17)
		digits = 17;
	length = snprintf(text, sizeof(text), "%.*f", digits, value);
	if (digits > 0) {
		while (text[length - 1] == '0')
			length--;
		if (text[length - 1] == '.')
			length--;
	}
	if (length == 2 && !memcmp(text, "-0", 2))
		fputs_unlocked("0", json->stream);
	else
		fwrite_unlocked(text, 1, length, json->stream);
}

void json_bool(struct json *json, const char *key, bool value)
{
	begin(json, key);
	fputs_unlocked(value ? "true" : "false", json->stream);
}
