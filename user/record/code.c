/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Values as bytes. */
#include "record/code.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "record/texts.h"

struct code code_writer(struct texts *texts)
{
	return (struct code){ .texts = texts };
}

struct code code_reader(const void *bytes, size_t count, struct texts *texts)
{
	const uint8_t *at = bytes;

	return (struct code){ .reads = true, .at = at, .end = at + count, .texts = texts };
}

void code_free(struct code *code)
{
	vec_free(&code->bytes);
}

size_t code_left(const struct code *code)
{
	return (size_t)(code->end - code->at);
}

uint64_t code_most(const struct code *code)
{
	return code->reads ? code_left(code) : UINT64_MAX;
}

void code_break(struct code *code)
{
	code->broken = true;
	code->at = code->end;
}

void code_raw(struct code *code, const void *bytes, size_t count)
{
	if (!count)
		return;
	code->bytes.items =
		mem_grow(code->bytes.items, code->bytes.count + count, &code->bytes.capacity, 1);
	memcpy(code->bytes.items + code->bytes.count, bytes, count);
	code->bytes.count += count;
}

static void write_number(struct code *code, uint64_t value)
{
	uint8_t bytes[10];
	size_t count = 0;

	for (; value >= 0x80; value >>= 7)
		bytes[count++] = (uint8_t)value | 0x80;
	bytes[count++] = (uint8_t)value;
	code_raw(code, bytes, count);
}

static uint64_t read_number(struct code *code)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; shift < 64 && code->at < code->end; shift += 7) {
		uint8_t byte = *code->at++;

		if (shift == 63 && byte > 1)
			break;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return value;
	}
	code_break(code);
	return 0;
}

void code_number(struct code *code, uint64_t *value)
{
	if (code->reads)
		*value = read_number(code);
	else
		write_number(code, *value);
}

void code_signed(struct code *code, int64_t *value)
{
	uint64_t folded = ((uint64_t)*value << 1) ^ (uint64_t)(*value >> 63);

	code_number(code, &folded);
	if (code->reads)
		*value = (int64_t)(folded >> 1 ^ -(folded & 1));
}

void code_put_bytes(struct code *code, const void *bytes, size_t count)
{
	write_number(code, count);
	code_raw(code, bytes, count);
}

const void *code_take_bytes(struct code *code, size_t *count)
{
	uint64_t wanted = read_number(code);
	const void *bytes;

	if (wanted > code_left(code)) {
		code_break(code);
		wanted = 0;
	}
	bytes = code->at;
	code->at += wanted;
	*count = wanted;
	return bytes;
}

void code_limited(struct code *code, uint64_t *value, uint64_t limit)
{
	code_number(code, value);
	if (*value > limit) {
		code_break(code);
		*value = 0;
	}
}

void code_bool(struct code *code, bool *value)
{
	uint64_t number = *value;

	code_limited(code, &number, 1);
	*value = number;
}

void code_pid(struct code *code, pid_t *pid)
{
	uint64_t number = (uint64_t)*pid;

	code_limited(code, &number, INT_MAX);
	*pid = (pid_t)number;
}

void code_double(struct code *code, double *value)
{
	uint64_t bits;
	uint8_t bytes[sizeof(bits)];

	if (!code->reads) {
		memcpy(&bits, value, sizeof(bits));
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)(bits >> (8 * i));
		code_raw(code, bytes, sizeof(bytes));
		return;
	}
	*value = bits = 0;
	if (code_left(code) < sizeof(bytes)) {
		code_break(code);
		return;
	}
	for (size_t i = 0; i < sizeof(bytes); i++)
		bits |= (uint64_t)*code->at++ << (8 * i);
	memcpy(value, &bits, sizeof(bits));
	if (!isfinite(*value)) {
		code_break(code);
		*value = 0;
	}
}

void code_text(struct code *code, const char **text)
{
	uint64_t number = code->reads ? 0 : texts_number(code->texts, *text);

	code_limited(code, &number, texts_count(code->texts));
	if (code->reads)
		*text = texts_at(code->texts, number);
}

void code_name(struct code *code, const char **text)
{
	code_text(code, text);
	if (code->reads && !*text) {
		code_break(code);
		*text = "";
	}
}
