/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Escaping for XML 1.0 and HTML. */
#include "report/markup.h"

#include "base/text.h"

void markup_character(FILE *stream, uint32_t character)
{
	char piece[TEXT_PIECE_MAX];

	switch (character) {
	case '&':
		fputs("&amp;", stream);
		return;
	case '<':
		fputs("&lt;", stream);
		return;
	case '>':
		fputs("&gt;", stream);
		return;
	case '"':
		fputs("&quot;", stream);
		return;
	case 0xfffe:
	case 0xffff: /* no characters of XML 1.0; its other ones are controls */
		character = TEXT_REPLACEMENT;
	}
	fwrite(piece, 1, text_escape_one(piece, character), stream);
}

void markup_text(FILE *stream, const char *text)
{
	while (*text)
		markup_character(stream, text_next(&text));
}
