/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Why a report was written that nobody waited for, and how memory grew until then. */
#ifndef UNFREED_REPORT_INCIDENT_H
#define UNFREED_REPORT_INCIDENT_H

#include "model/snapshot.h"
#include "report/page.h"

/* As a section with a title, and in HTML as items; nothing without incidents. */
void incidents_write(const struct page *page, const struct snapshot *snapshot);

#endif
