/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Text for people. */
#include <stdarg.h>
#include <string.h>

#include "base/text.h"
#include "base/vec.h"
#include "report/markup.h"
#include "report/page.h"

const char *page_bold(const struct page *page)
{
	return page->color ? "\033[1m" : "";
}

const char *page_dim(const struct page *page)
{
	return page->color ? "\033[2m" : "";
}

const char *page_plain(const struct page *page)
{
	return page->color ? "\033[0m" : "";
}

/* Bytes of the first count characters of valid UTF-8 (fewer where text ends). */
static size_t bytes_of(const char *text, size_t count)
{
	size_t i;

	for (i = 0; text[i]; i++)
		if ((text[i] & 0xc0) != 0x80 && !count--)
			break;
	return i;
}

/*
 * The bytes of the next line: up to the last space that fits (best none between a number and its
 * unit), or all that fits of a long word.
 */
static size_t line_of(const char *text, size_t width)
{
	size_t fits = bytes_of(text, width), end, worst = 0;

	if (!text[fits])
		return fits;
	for (end = fits; end > 0; end--) {
		if (text[end] != ' ')
			continue;
		if (text[end - 1] < '0' || text[end - 1] > '9')
			return end;
		worst = worst ? worst : end;
	}
	return worst ? worst : fits;
}

static void write_wrapped(const struct page *page, const char *label, const char *text)
{
	const size_t margin = 2 + PAGE_LABEL;
	size_t width = page->columns > margin + 20 ? page->columns - margin : 20;
	const char *rest;

	fprintf(page->stream, "  %s%-*s%s", page_dim(page), PAGE_LABEL, label, page_plain(page));
	for (rest = text; *rest;) {
		size_t length = line_of(rest, width);

		fprintf(page->stream, "%*s%.*s\n", rest == text ? 0 : (int)margin, "", (int)length,
			rest);
		rest += length;
		while (*rest == ' ')
			rest++;
	}
	if (rest == text)
		putc('\n', page->stream);
}

static void write_html(const struct page *page, const char *label, const char *text)
{
	if (*label)
		fprintf(page->stream, "<dt>%s</dt>", label);
	fputs("<dd>", page->stream);
	markup_text(page->stream, text);
	fputs("</dd>\n", page->stream);
}

void page_item(const struct page *page, const char *label, const char *format, ...)
{
	va_list arguments;
	size_t escaped_bytes;
	char *raw, *escaped;

	va_start(arguments, format);
	raw = mem_vprintf(format, arguments);
	va_end(arguments);
	if (page->html) {
		write_html(page, label, raw);
	} else {
		escaped_bytes = 4 * strlen(raw) + 1; /* \x1b for one byte is the worst case */
		escaped = mem_alloc(escaped_bytes);
		text_escape(escaped, escaped_bytes, raw);
		write_wrapped(page, label, escaped);
		mem_free(escaped);
	}
	mem_free(raw);
}
