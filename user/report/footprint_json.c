/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The footprint as JSON. The reader is record/footprint_file.c. */
#include <inttypes.h>

#include "base/json.h"
#include "report/footprint.h"

static void write_figures(struct json *json, const struct figures *figures)
{
	json_uint(json, "mappings", figures->mappings);
	json_uint(json, "size_bytes", figures->size_bytes);
	json_uint(json, "rss_bytes", figures->rss_bytes);
	json_uint(json, "pss_bytes", figures->pss_bytes);
	json_uint(json, "private_dirty_bytes", figures->private_dirty_bytes);
	json_uint(json, "swap_bytes", figures->swap_bytes);
	json_uint(json, "huge_bytes", figures->huge_bytes);
	json_uint(json, "hugetlb_bytes", figures->hugetlb_bytes);
}

static void write_classes(struct json *json, const struct figures classes[CLASSES])
{
	json_begin_array(json, "classes");
	for (int class = 0; class < CLASSES; class ++) {
		if (!classes[class].size_bytes)
			continue;
		json_begin_object(json, NULL);
		json_text(json, "name", class_name(class));
		write_figures(json, &classes[class]);
		json_end(json);
	}
	json_end(json);
}

static void write_mappings(struct json *json, const struct footprint_process *process)
{
	char address[24];

	json_begin_array(json, "maps");
	vec_for_each (mapping, &process->mappings) {
		json_begin_object(json, NULL);
		snprintf(address, sizeof(address), "0x%" PRIx64, mapping->start);
		json_text(json, "start", address);
		snprintf(address, sizeof(address), "0x%" PRIx64, mapping->end);
		json_text(json, "end", address);
		json_text(json, "permissions", mapping->permissions);
		json_text(json, "class", class_name(mapping->class));
		json_text(json, "name", mapping->name);
		write_figures(json, &mapping->figures);
		json_end(json);
	}
	json_end(json);
}

static void write_processes(struct json *json, const struct footprint *footprint,
			    const struct footprint_options *options)
{
	json_begin_array(json, "processes");
	vec_for_each (process, &footprint->processes) {
		json_begin_object(json, NULL);
		json_int(json, "pid", process->pid);
		json_text(json, "comm", process->comm);
		json_uint(json, "threads", process->threads);
		json_uint(json, "page_table_bytes", process->page_table_bytes);
		write_figures(json, &process->total);
		write_classes(json, process->classes);
		if (options->by == FOOTPRINT_BY_MAPPING)
			write_mappings(json, process);
		json_end(json);
	}
	json_end(json);
}

static void write_group(struct json *json, const struct footprint_group *group)
{
	if (!group->path) {
		json_text(json, "cgroup", NULL);
		return;
	}
	json_begin_object(json, "cgroup");
	json_text(json, "path", group->path);
	json_uint(json, "version", group->version);
	json_uint(json, "usage_bytes", group->usage_bytes);
	if (group->limit_bytes == UINT64_MAX)
		json_text(json, "limit_bytes", NULL);
	else
		json_uint(json, "limit_bytes", group->limit_bytes);
	json_uint(json, "peak_bytes", group->peak_bytes);
	json_uint(json, "anon_bytes", group->anon_bytes);
	json_uint(json, "file_bytes", group->file_bytes);
	json_uint(json, "shmem_bytes", group->shmem_bytes);
	json_uint(json, "file_mapped_bytes", group->file_mapped_bytes);
	json_uint(json, "active_file_bytes", group->active_file_bytes);
	json_uint(json, "inactive_file_bytes", group->inactive_file_bytes);
	json_uint(json, "kernel_bytes", group->kernel_bytes);
	json_uint(json, "slab_bytes", group->slab_bytes);
	json_uint(json, "page_table_bytes", group->page_table_bytes);
	json_uint(json, "kernel_stack_bytes", group->kernel_stack_bytes);
	json_uint(json, "socket_bytes", group->socket_bytes);
	json_uint(json, "swap_bytes", group->swap_bytes);
	json_uint(json, "limit_hits", group->limit_hits);
	json_uint(json, "oom_events", group->oom_events);
	json_uint(json, "oom_kills", group->oom_kills);
	json_uint(json, "other_processes", group->others);
	json_end(json);
}

/* The figures that decide elsewhere; see footprint_table.c. */
static void write_managers(struct json *json, const struct footprint *footprint)
{
	uint64_t yarn_bytes = 0;

	vec_for_each (process, &footprint->processes)
		yarn_bytes += process->yarn_bytes;
	json_begin_object(json, "managers");
	json_uint(json, "yarn_rss_bytes", footprint->total.rss_bytes);
	json_uint(json, "yarn_smaps_bytes", yarn_bytes);
	if (footprint->group.path)
		json_uint(json, "kubernetes_working_set_bytes",
			  footprint_working_set(&footprint->group));
	json_end(json);
}

static void write_growth(struct json *json, const struct footprint *footprint,
			 const struct growth *growth)
{
	double seconds = growth_seconds_to_limit(growth, &footprint->group);

	json_begin_object(json, "growth");
	json_double(json, "seconds", growth_seconds(growth), 3);
	json_int(json, "rss_bytes", growth_change(growth, CLASSES));
	json_double(json, "rss_bytes_per_second", growth_rate(growth, CLASSES), 1);
	json_double(json, "charged_bytes_per_second", growth_charged_rate(growth), 1);
	if (seconds < 0)
		json_text(json, "seconds_to_limit", NULL);
	else
		json_double(json, "seconds_to_limit", seconds, 1);
	json_begin_array(json, "classes");
	for (int class = 0; class < CLASSES; class ++) {
		if (!growth_change(growth, class))
			continue;
		json_begin_object(json, NULL);
		json_text(json, "name", class_name(class));
		json_int(json, "rss_bytes", growth_change(growth, class));
		json_double(json, "rss_bytes_per_second", growth_rate(growth, class), 1);
		json_end(json);
	}
	json_end(json);
	json_end(json);
}

void footprint_json(const struct footprint *footprint, const struct growth *growth,
		    const struct footprint_options *options, FILE *stream)
{
	struct json json;

	json_init(&json, stream);
	json_begin_object(&json, NULL);
	json_uint(&json, "unfreed", 1);
	json_text(&json, "kind", "map");
	json_text(&json, "target", footprint->target);
	json_double(&json, "unix_seconds", footprint->unix_ns / 1e9, 3);
	write_figures(&json, &footprint->total);
	write_group(&json, &footprint->group);
	write_managers(&json, footprint);
	write_classes(&json, footprint->classes);
	write_processes(&json, footprint, options);
	if (growth)
		write_growth(&json, footprint, growth);
	json_double(&json, "longest_stall_seconds", footprint->longest_stall_ns / 1e9, 9);
	json_begin_array(&json, "notes");
	vec_for_each (note, &footprint->notes)
		json_text(&json, NULL, *note);
	json_end(&json);
	json_end(&json);
	putc('\n', stream);
}

static void write_change(struct json *json, const char *name, const struct figures *before,
			 const struct figures *after)
{
	json_begin_object(json, NULL);
	json_text(json, "name", name);
	json_uint(json, "before_rss_bytes", before->rss_bytes);
	json_uint(json, "after_rss_bytes", after->rss_bytes);
	json_int(json, "rss_bytes", (int64_t)(after->rss_bytes - before->rss_bytes));
	json_int(json, "pss_bytes", (int64_t)(after->pss_bytes - before->pss_bytes));
	json_int(json, "swap_bytes", (int64_t)(after->swap_bytes - before->swap_bytes));
	json_int(json, "size_bytes", (int64_t)(after->size_bytes - before->size_bytes));
	json_int(json, "mappings", (int64_t)(after->mappings - before->mappings));
	json_end(json);
}

void footprint_diff_json(const struct footprint *before, const struct footprint *after,
			 FILE *stream)
{
	struct json json;

	json_init(&json, stream);
	json_begin_object(&json, NULL);
	json_uint(&json, "unfreed", 1);
	json_text(&json, "kind", "map diff");
	json_double(&json, "seconds", (double)(int64_t)(after->unix_ns - before->unix_ns) / 1e9, 3);
	json_uint(&json, "before_rss_bytes", before->total.rss_bytes);
	json_uint(&json, "after_rss_bytes", after->total.rss_bytes);
	json_int(&json, "rss_bytes", (int64_t)(after->total.rss_bytes - before->total.rss_bytes));
	json_begin_array(&json, "classes");
	for (int class = 0; class < CLASSES; class ++)
		if (before->classes[class].size_bytes || after->classes[class].size_bytes)
			write_change(&json, class_name(class), &before->classes[class],
				     &after->classes[class]);
	json_end(&json);
	json_end(&json);
	putc('\n', stream);
}
