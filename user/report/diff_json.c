/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What changed, as one document. */
#include "base/json.h"
#include "report/diff.h"
#include "report/formats.h"

static void write_moment(struct json *json, const char *key, const char *target, uint64_t unix_ns,
			 uint64_t window_ns, const struct heap_totals *heap,
			 const struct mapping_totals *mapping, uint64_t losses)
{
	json_begin_object(json, key);
	json_text(json, "target", target);
	json_double(json, "unix_seconds", (double)unix_ns / 1e9, 6);
	json_double(json, "window_seconds", (double)window_ns / 1e9, 9);
	json_uint(json, "heap_bytes", heap->live_bytes);
	json_uint(json, "heap_blocks", heap->live_blocks);
	json_uint(json, "mapping_bytes", mapping->live_bytes);
	json_uint(json, "mappings", mapping->live_mappings);
	json_uint(json, "losses", losses);
	json_end(json);
}

static void write_change(struct json *json, const struct diff *diff, uint64_t before_bytes,
			 uint64_t bytes, uint64_t before_blocks, uint64_t blocks)
{
	json_uint(json, "before_bytes", before_bytes);
	json_uint(json, "before_blocks", before_blocks);
	json_uint(json, "after_bytes", bytes);
	json_uint(json, "after_blocks", blocks);
	json_int(json, "growth_bytes", (int64_t)(bytes - before_bytes));
	json_int(json, "growth_blocks", (int64_t)(blocks - before_blocks));
	json_double(json, "bytes_per_hour", diff_rate(diff, before_bytes, bytes), 1);
}

static void write_classes(struct json *json, const struct diff *diff)
{
	diff_classes classes;

	diff_sum_classes(diff->shown, &classes);
	json_begin_array(json, "classes");
	vec_for_each (class, &classes) {
		json_begin_object(json, NULL);
		json_text(json, "kind", site_kind_name(class->kind));
		json_text(json, "name", class->name);
		write_change(json, diff, class->before_bytes, class->bytes, class->before_blocks,
			     class->blocks);
		json_end(json);
	}
	json_end(json);
	vec_free(&classes);
}

static void write_site(struct json *json, const struct diff *diff, const struct site *site)
{
	json_begin_object(json, NULL);
	json_text(json, "kind", site_kind_name(site->kind));
	json_text(json, "class", site_class(site));
	json_int(json, "pid", site->pid);
	json_text(json, "comm", snapshot_comm(diff->shown, site->pid));
	json_text(json, "state", diff_state(site));
	write_change(json, diff, site->before_bytes, site->bytes, site->before_blocks,
		     site->blocks);
	json_frames(json, site);
	json_text(json, "end", site_end_name(site->end));
	json_end(json);
}

void diff_json_write(const struct diff *diff, const struct report_options *options, FILE *stream)
{
	const struct snapshot *shown = diff->shown;
	struct json json;
	diff_sites sites;

	json_init(&json, stream);
	json_begin_object(&json, NULL);
	json_uint(&json, "unfreed", 1);
	json_text(&json, "kind", "diff");
	json_bool(&json, "same_watch", diff->same_watch);
	json_double(&json, "seconds",
		    (double)(int64_t)(diff->after_unix_ns - diff->before_unix_ns) / 1e9, 6);
	write_moment(&json, "before", diff->before_target, diff->before_unix_ns,
		     diff->before_window_ns, &diff->before_heap, &diff->before_mapping,
		     diff->before_losses);
	write_moment(&json, "after", shown->target, diff->after_unix_ns, diff->after_window_ns,
		     &shown->heap_totals, &shown->mapping_totals, snapshot_losses(shown));
	write_classes(&json, diff);
	diff_sort_sites(shown, &sites);
	json_begin_array(&json, "sites");
	vec_for_each (site, &sites)
		write_site(&json, diff, *site);
	json_end(&json);
	vec_free(&sites);
	json_begin_array(&json, "notes");
	vec_for_each (note, &shown->notes)
		json_text(&json, NULL, *note);
	json_end(&json);
	json_end(&json);
	putc('\n', stream);
}
