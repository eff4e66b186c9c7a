/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* UTF-8 decoding that trusts nothing (RFC 3629), and escaping for terminals. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"

uint32_t text_next(const char **text)
{
	/* The smallest character of each length: anything below is an overlong form. */
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *bytes = (const unsigned char *)*text;
	uint32_t character = bytes[0];
	unsigned int length, i;

	*text += 1;
	if (character < 0x80)
		return character;
	if (character >= 0xc2 && character < 0xe0) {
		length = 2;
		character &= 0x1f;
	} else if (character >= 0xe0 && character < 0xf0) {
		length = 3;
		character &= 0x0f;
	} else if (character >= 0xf0 && character < 0xf5) {
		length = 4;
		character &= 0x07;
	} else {
		return TEXT_REPLACEMENT;
	}
	for (i = 1; i < length; i++) {
		if ((bytes[i] & 0xc0) != 0x80) /* the terminating NUL too */
			return TEXT_REPLACEMENT;
		character = character << 6 | (bytes[i] & 0x3f);
	}
	if (character < smallest[length] || character > 0x10ffff ||
	    (character >= 0xd800 && character < 0xe000))
		return TEXT_REPLACEMENT;
	*text += length - 1;
	return character;
}

size_t text_encode(char *buffer, uint32_t character)
{
	if (character < 0x80) {
		buffer[0] = character;
		return 1;
	}
	if (character < 0x800) {
		buffer[0] = 0xc0 | character >> 6;
		buffer[1] = 0x80 | (character & 0x3f);
		return 2;
	}
	if (character < 0x10000) {
		buffer[0] = 0xe0 | character >> 12;
		buffer[1] = 0x80 | (character >> 6 & 0x3f);
		buffer[2] = 0x80 | (character & 0x3f);
		return 3;
	}
	buffer[0] = 0xf0 | character >> 18;
	buffer[1] = 0x80 | (character >> 12 & 0x3f);
	buffer[2] = 0x80 | (character >> 6 & 0x3f);
	buffer[3] = 0x80 | (character & 0x3f);
	return 4;
}

bool text_is_control(uint32_t character)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{ 0, 0x1f },	    { 0x7f, 0x9f }, /* C0, DEL, C1 */
		{ 0xad, 0xad },	    { 0x61c, 0x61c }, /* soft hyphen, Arabic letter mark */
		{ 0x200b, 0x200f }, { 0x2028, 0x202e }, /* zero width, separators, directions */
		{ 0x2060, 0x206f }, { 0xfeff, 0xfeff }, /* invisible operators, isolates, BOM */
		{ 0xfff9, 0xfffb }, { 0xe0000, 0xe0fff }, /* annotations, tags */
	};
	size_t i;

	for (i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		if (character < ranges[i].first)
			return false;
		if (character <= ranges[i].last)
			return true;
	}
	return false;
}

size_t text_escape_one(char piece[TEXT_PIECE_MAX], uint32_t character)
{
	if (!text_is_control(character))
		return text_encode(piece, character);
	return snprintf(piece, TEXT_PIECE_MAX, character < 0x80 ? "\\x%02x" : "\\u{%x}", character);
}

size_t text_escape(char *buffer, size_t buffer_bytes, const char *text)
{
	size_t used = 0, characters = 0;
	char piece[TEXT_PIECE_MAX];

	while (*text) {
		uint32_t character;
		size_t length;

		if (*text >= ' ' && *text < 0x7f && used + 1 < buffer_bytes) { /* most of it */
			buffer[used++] = *text++;
			characters++;
			continue;
		}
		character = text_next(&text);
		length = text_escape_one(piece, character);
		if (used + length >= buffer_bytes)
			break;
		memcpy(buffer + used, piece, length);
		used += length;
		characters += text_is_control(character) ? length : 1;
	}
	if (buffer_bytes)
		buffer[used] = '\0';
	return characters;
}
