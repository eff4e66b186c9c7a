/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the page of html knows: a JSON document, read by user/report/html/data.js. */
#ifndef UNFREED_REPORT_HTML_DATA_H
#define UNFREED_REPORT_HTML_DATA_H

#include <stdio.h>

#include "report/history.h"

/* Without '<', so that it can stand in a script element. */
void html_data_write(const struct history *history, struct series *series,
		     const struct report_options *options, FILE *stream);

#endif
