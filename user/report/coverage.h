/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What every report for people ends with: what was watched, what was missed, what it cost, and what
 * to make of it. */
#ifndef UNFREED_REPORT_COVERAGE_H
#define UNFREED_REPORT_COVERAGE_H

#include "model/snapshot.h"
#include "report/page.h"

void coverage_write(const struct page *page, const struct snapshot *snapshot);

/* The same without its heading. */
void coverage_items(const struct page *page, const struct snapshot *snapshot);

/* Nothing where no heap was walked. */
void verdicts_write(const struct page *page, const struct snapshot *snapshot);

#endif
