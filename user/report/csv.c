/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A table for spreadsheets and scripts (RFC 4180): a row for each site at each moment. Sites have
 * numbers that are the same at all moments.
 */
#include <inttypes.h>

#include "base/text.h"
#include "base/vec.h"
#include "report/formats.h"
#include "report/frame_set.h"
#include "report/label.h"
#include "report/selection.h"

static void write_text(FILE *stream, const char *text)
{
	char escaped[LABEL_MAX];

	text_escape(escaped, sizeof(escaped), text ? text : "");
	fputs(",\"", stream);
	/* What begins so is run by spreadsheets. */
	if (*escaped && strchr("=+-@", *escaped))
		putc('\'', stream);
	for (const char *at = escaped; *at; at++) {
		if (*at == '"')
			putc('"', stream);
		putc(*at, stream);
	}
	putc('"', stream);
}

static void write_row(FILE *stream, const struct snapshot *snapshot,
		      const struct selection_row *row, uint32_t number)
{
	static const struct frame unknown = { 0 };
	const struct site *site = row->site;
	const struct frame *frame = site->frame_count ? label_site(site) : &unknown;
	const uint64_t taken_ns = snapshot->start_unix_ns + snapshot->window_ns;
	char buffer[LABEL_MAX];

	fprintf(stream, "%.3f,%.3f,%" PRIu32 ",%s,%d", taken_ns / 1e9, snapshot->window_ns / 1e9,
		number + 1, site_kind_name(site->kind), (int)site->pid);
	write_text(stream, snapshot_comm(snapshot, site->pid));
	write_text(stream, site->owner);
	write_text(stream, label_frame(frame, buffer));
	write_text(stream, frame->file);
	fprintf(stream, ",%" PRIu32, frame->line);
	write_text(stream, frame->module);
	fprintf(stream, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\r\n",
		row->bytes, row->blocks, site->allocated_bytes, site->allocated_blocks,
		site->committed_bytes);
}

void csv_write_series(struct series *series, const struct report_options *options, FILE *stream)
{
	struct frame_set *sites = frame_set_new();

	fputs("unix_seconds,window_seconds,site,kind,pid,process,owner,function,file,line,module,"
	      "bytes,blocks,allocated_bytes,allocated_blocks,committed_bytes\r\n",
	      stream);
	for (size_t i = 0; i < series->moments.count; i++) {
		struct snapshot *snapshot = series_load(series, i);
		struct selection selection;

		selection_all(&selection, snapshot, (1u << SITE_KINDS) - 1, options);
		vec_for_each (row, &selection.rows)
			write_row(stream, snapshot, row, frame_set_site(sites, row->site, NULL));
		selection_free(&selection);
		snapshot_free(snapshot);
	}
	frame_set_free(sites);
}

void csv_write(const struct snapshot *snapshot, const struct report_options *options, FILE *stream)
{
	struct series *series = series_of(snapshot);

	csv_write_series(series, options, stream);
	series_free(series);
}
