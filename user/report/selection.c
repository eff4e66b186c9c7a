/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which sites a report shows. */
#include <stdlib.h>

#include "report/label.h"
#include "report/selection.h"

/* Equal rows keep the snapshot's order. */
static int compare_rows(const void *left, const void *right)
{
	const struct selection_row *a = left, *b = right;

	if (a->bytes != b->bytes)
		return a->bytes > b->bytes ? -1 : 1;
	if (a->blocks != b->blocks)
		return a->blocks > b->blocks ? -1 : 1;
	return a->site < b->site ? -1 : a->site > b->site;
}

static void keep_top(struct selection *selection, uint64_t top)
{
	uint64_t shown[SITE_KINDS] = { 0 };
	size_t kept = 0;

	vec_for_each (row, &selection->rows) {
		if (shown[row->site->kind]++ < top) {
			selection->rows.items[kept++] = *row;
			continue;
		}
		selection->rest_sites++;
		selection->rest_bytes += row->bytes;
		selection->rest_blocks += row->blocks;
	}
	selection->rows.count = kept;
}

void selection_make(struct selection *selection, const struct snapshot *snapshot,
		    unsigned int kinds, const struct report_options *options, bool shape)
{
	bool skip_young = shape && options->min_age_ns;

	*selection = (struct selection){ 0 };
	vec_for_each (site, &snapshot->sites) {
		struct selection_row row = { site, site->bytes, site->blocks };

		if (!(kinds & 1u << site->kind))
			continue;
		if (skip_young) {
			row.bytes -= site->young_bytes;
			row.blocks -= site->young_blocks;
			selection->young_bytes += site->young_bytes;
			selection->young_blocks += site->young_blocks;
		}
		/* What an old reservation grew by is committed, and no address space; what is young
		 * has some. */
		if (!row.bytes && !row.blocks && (!site->committed_bytes || site->bytes) &&
		    !(options->diff && site->before_bytes))
			continue;
		selection->bytes += row.bytes;
		selection->blocks += row.blocks;
		*vec_add(&selection->rows) = row;
	}
	if (selection->rows.count)
		qsort(selection->rows.items, selection->rows.count, sizeof(struct selection_row),
		      compare_rows);
	if (shape)
		keep_top(selection, options->top);
}

void selection_all(struct selection *selection, const struct snapshot *snapshot, unsigned int kinds,
		   const struct report_options *options)
{
	if (options->shape_all) {
		selection_make(selection, snapshot, kinds, options, true);
		return;
	}
	*selection = (struct selection){ 0 };
	vec_for_each (site, &snapshot->sites)
		if (kinds & 1u << site->kind)
			*vec_add(&selection->rows) =
				(struct selection_row){ site, site->bytes, site->blocks };
}

bool selection_shows(const struct snapshot *snapshot, enum site_kind kind,
		     const struct report_options *options)
{
	const bool traced[SITE_KINDS] = {
		[SITE_HEAP] = snapshot->heap,
		[SITE_MAPPING] = snapshot->mapping,
		[SITE_FAULT] = snapshot->fault,
	};

	if (options->kinds && !(options->kinds & 1u << kind))
		return false;
	if (traced[kind])
		return true;
	vec_for_each (site, &snapshot->sites)
		if (site->kind == kind)
			return true;
	return false;
}

const char *selection_program(const struct selection *selection, const struct snapshot *snapshot)
{
	vec_for_each (row, &selection->rows) {
		const char *comm = snapshot_comm(snapshot, row->site->pid);

		for (size_t i = 0; i < row->site->frame_count; i++) {
			const char *path = row->site->frames[i].module;

			if (path && !strncmp(label_basename(path), comm, strlen(comm)))
				return path;
		}
	}
	return NULL;
}

void selection_free(struct selection *selection)
{
	vec_free(&selection->rows);
}
