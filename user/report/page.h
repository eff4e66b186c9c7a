/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Text for people, in columns: wrapped, escaped, and in colours where the terminal wants them. */
#ifndef UNFREED_REPORT_PAGE_H
#define UNFREED_REPORT_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct page {
	FILE *stream;
	size_t columns;
	bool color;
	bool html; /* items are those of a <dl> */
};

enum { PAGE_LABEL = 12 }; /* width of the labels of page_item */

/* How the text from here on looks; "" where the page has no colours. */
const char *page_bold(const struct page *page);
const char *page_dim(const struct page *page);
const char *page_plain(const struct page *page);

/* "  label       text", the text escaped and wrapped behind the label. */
void page_item(const struct page *page, const char *label, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
