/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What of a snapshot is shown, and how it is grouped: a snapshot again, which every format draws.
 */
#ifndef UNFREED_REPORT_VIEW_H
#define UNFREED_REPORT_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "model/series.h"
#include "model/snapshot.h"

enum view_by { VIEW_BY_SITE, VIEW_BY_FUNCTION, VIEW_BY_MODULE, VIEW_BY_THREAD, VIEW_BY_PROCESS };

struct view_caches;

struct view {
	unsigned int kinds; /* bits 1 << SITE_…, see view_kind; 0: all */
	uint64_t min_bytes; /* outstanding in a site */
	uint64_t older_ns, younger_ns; /* 0: of any age */
	enum view_by by;
	bool invert; /* stacks begin with the allocator's function */
	struct view_caches *caches; /* private */
};

void view_init(struct view *view);
void view_free(struct view *view);

/*
 * Only sites of which a frame's function, module or source file matches one of these extended
 * regular expressions; no site of which one does; only sites of one of these classes (site_class).
 * 0, or -EINVAL with a sentence. Texts must outlive the view.
 */
int view_want(struct view *view, const char *pattern);
int view_exclude(struct view *view, const char *pattern);
int view_class(struct view *view, const char *name);

/* Excludes by each line of the file at path; '#' begins a comment. 0, or -errno with a sentence. */
int view_exclude_from(struct view *view, const char *path);

/* Only this kind, or another one that is given: heap, mapping, fault. */
int view_kind(struct view *view, const char *name);

/* By their names: site, function, module, thread, process. 0, or -EINVAL with a sentence. */
int view_group_by(struct view *view, const char *name);

/* Whether it shows everything as it is. */
bool view_is_plain(const struct view *view);

/*
 * What view shows of snapshot, which becomes part of the result (or is it, where the view is
 * plain): coverage stays that of the whole. A note says what was left out. The view must outlive
 * it.
 */
struct snapshot *view_apply(struct view *view, struct snapshot *snapshot);

/*
 * A series whose snapshots are seen through view, and which frees series. Its moments are those of
 * the whole. In all of its snapshots equal stacks and groups have one address, as before.
 */
struct series *view_series(struct view *view, struct series *series);

#endif
