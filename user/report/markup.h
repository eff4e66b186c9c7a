/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Text in XML and HTML, between tags or within an attribute's double quotes. */
#ifndef UNFREED_REPORT_MARKUP_H
#define UNFREED_REPORT_MARKUP_H

#include <stdint.h>
#include <stdio.h>

void markup_character(FILE *stream, uint32_t character);
void markup_text(FILE *stream, const char *text);

#endif
