/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A stack for people, a frame on each line. */
#ifndef UNFREED_REPORT_STACK_H
#define UNFREED_REPORT_STACK_H

#include "model/snapshot.h"
#include "report/page.h"

/* Leaf first; where it was cut, that is its last line. */
void stack_write(const struct page *page, const struct site *site);

#endif
