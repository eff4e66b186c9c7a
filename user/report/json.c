/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The snapshot as one JSON document on one line: all that is known, nothing rounded. */
#include <sys/wait.h>

#include "base/json.h"
#include "model/ends.h"
#include "report/formats.h"
#include "report/selection.h"

static void seconds(struct json *json, const char *key, uint64_t time_ns)
{
	json_double(json, key, time_ns / 1e9, 9);
}

void json_frames(struct json *json, const struct site *site)
{
	size_t i;

	json_begin_array(json, "frames");
	for (i = 0; i < site->frame_count; i++) {
		const struct frame *frame = &site->frames[i];

		json_begin_object(json, NULL);
		json_text(json, "name", frame->name);
		json_text(json, "module", frame->module);
		json_uint(json, "offset", frame->offset);
		json_text(json, "file", frame->file);
		if (frame->line)
			json_uint(json, "line", frame->line);
		else
			json_text(json, "line", NULL);
		json_text(json, "type", frame_type_name(frame->type));
		json_end(json);
	}
	json_end(json);
}

static void write_site(struct json *json, const struct selection_row *row)
{
	const struct site *site = row->site;

	json_begin_object(json, NULL);
	json_text(json, "kind", site_kind_name(site->kind));
	json_int(json, "pid", site->pid);
	json_uint(json, "bytes", row->bytes);
	json_uint(json, "blocks", row->blocks);
	json_uint(json, "allocated_bytes", site->allocated_bytes);
	json_uint(json, "allocated_blocks", site->allocated_blocks);
	json_uint(json, "standard_error_bytes", site->standard_error_bytes);
	json_uint(json, "young_bytes", site->young_bytes);
	json_uint(json, "young_blocks", site->young_blocks);
	json_uint(json, "preexisting_bytes", site->preexisting_bytes);
	if (site->kind == SITE_MAPPING) {
		json_uint(json, "committed_bytes", site->committed_bytes);
		if (site->resident_known)
			json_uint(json, "resident_bytes", site->resident_bytes);
		else
			json_text(json, "resident_bytes", NULL);
	}
	seconds(json, "min_age_seconds", site->min_age_ns);
	seconds(json, "max_age_seconds", site->max_age_ns);
	json_text(json, "owner", site->owner);
	json_text(json, "verdict", site->verdict);
	if (site->sampled_blocks || site->sampled_live_blocks || site->unverified_blocks) {
		json_uint(json, "sampled_blocks", site->sampled_blocks);
		json_uint(json, "sampled_live_blocks", site->sampled_live_blocks);
		json_uint(json, "unverified_bytes", site->unverified_bytes);
		json_uint(json, "unverified_blocks", site->unverified_blocks);
	}
	json_frames(json, site);
	json_text(json, "end", site_end_name(site->end));
	json_end(json);
}

static void write_sites(struct json *json, const struct snapshot *snapshot,
			const struct report_options *options)
{
	struct selection selection;

	selection_all(&selection, snapshot, (1u << SITE_KINDS) - 1, options);
	json_begin_array(json, "sites");
	vec_for_each (row, &selection.rows)
		write_site(json, row);
	json_end(json);
	selection_free(&selection);
}

static void write_processes(struct json *json, const struct snapshot *snapshot)
{
	json_begin_array(json, "processes");
	vec_for_each (process, &snapshot->processes) {
		json_begin_object(json, NULL);
		json_int(json, "pid", process->pid);
		json_text(json, "comm", process->comm);
		json_text(json, "state", process->state);
		json_text(json, "exit", process->exit);
		json_text(json, "allocator", process->allocator);
		json_uint(json, "rss_bytes", process->rss_bytes);
		json_end(json);
	}
	json_end(json);
}

static void write_modules(struct json *json, const struct snapshot *snapshot)
{
	json_begin_array(json, "modules");
	vec_for_each (module, &snapshot->modules) {
		json_begin_object(json, NULL);
		json_text(json, "path", module->path);
		json_text(json, "build_id", module->build_id);
		json_end(json);
	}
	json_end(json);
}

/* What min-age takes from the totals of a kind, when it was asked for. */
static struct selection left_out(const struct snapshot *snapshot, enum site_kind kind,
				 const struct report_options *options)
{
	struct selection selection;

	selection_make(&selection, snapshot, 1u << kind, options, options->shape_all);
	selection_free(&selection);
	return selection;
}

static void write_heap(struct json *json, const struct snapshot *snapshot,
		       const struct report_options *options)
{
	const struct heap_totals *totals = &snapshot->heap_totals;
	struct selection out = left_out(snapshot, SITE_HEAP, options);

	if (!snapshot->heap) {
		json_text(json, "heap", NULL);
		return;
	}
	json_begin_object(json, "heap");
	json_uint(json, "live_bytes", totals->live_bytes - out.young_bytes);
	json_uint(json, "live_blocks", totals->live_blocks - out.young_blocks);
	json_uint(json, "allocated_bytes", totals->allocated_bytes);
	json_uint(json, "allocated_blocks", totals->allocated_blocks);
	json_uint(json, "freed_bytes", totals->freed_bytes);
	json_uint(json, "freed_blocks", totals->freed_blocks);
	json_uint(json, "unmatched_frees", totals->unmatched_frees);
	json_uint(json, "inherited_frees", totals->inherited_frees);
	json_uint(json, "preexisting_bytes", totals->preexisting_bytes);
	json_uint(json, "preexisting_blocks", totals->preexisting_blocks);
	json_end(json);
}

static void write_fault(struct json *json, const struct snapshot *snapshot)
{
	const struct fault_totals *totals = &snapshot->fault_totals;

	if (!snapshot->fault)
		return;
	json_begin_object(json, "fault");
	json_uint(json, "resident_bytes", totals->resident_bytes);
	json_uint(json, "resident_pages", totals->resident_pages);
	json_uint(json, "touched_bytes", totals->touched_bytes);
	json_uint(json, "faults", totals->faults);
	json_end(json);
}

static void write_mapping(struct json *json, const struct snapshot *snapshot,
			  const struct report_options *options)
{
	const struct mapping_totals *totals = &snapshot->mapping_totals;
	struct selection out = left_out(snapshot, SITE_MAPPING, options);

	if (!snapshot->mapping) {
		json_text(json, "mapping", NULL);
		return;
	}
	json_begin_object(json, "mapping");
	json_uint(json, "live_bytes", totals->live_bytes - out.young_bytes);
	json_uint(json, "committed_bytes", totals->committed_bytes);
	json_uint(json, "live_mappings", totals->live_mappings - out.young_blocks);
	json_uint(json, "mapped_bytes", totals->mapped_bytes);
	json_uint(json, "unmapped_bytes", totals->unmapped_bytes);
	json_uint(json, "preexisting_unmapped_bytes", totals->preexisting_unmapped_bytes);
	json_end(json);
}

static void write_cost(struct json *json, const struct cost *cost)
{
	json_begin_object(json, "cost");
	json_uint(json, "hits", cost->hits);
	if (cost->hits_cpu_ns)
		json_uint(json, "hits_cpu_ns", cost->hits_cpu_ns);
	else
		json_text(json, "hits_cpu_ns", NULL);
	json_uint(json, "syscalls", cost->syscalls);
	if (cost->syscall_tax_ns >= 0)
		json_double(json, "syscall_tax_ns", cost->syscall_tax_ns, 3);
	else
		json_text(json, "syscall_tax_ns", NULL);
	json_uint(json, "tool_cpu_ns", cost->tool_cpu_ns);
	json_uint(json, "tool_rss_bytes", cost->tool_rss_bytes);
	json_uint(json, "kernel_map_bytes", cost->kernel_map_bytes);
	json_uint(json, "attach_ns", cost->attach_ns);
	if (cost->budget_share > 0) {
		json_double(json, "budget_share", cost->budget_share, 4);
		json_double(json, "used_share", cost->used_share, 6);
		json_double(json, "worst_share", cost->worst_share, 6);
		json_double(json, "hit_ns", cost->hit_ns, 1);
	}
	json_end(json);
}

static void write_ends(struct json *json, const struct snapshot *snapshot)
{
	struct ends ends;

	ends_sum(&ends, snapshot);
	json_begin_array(json, "ends");
	vec_for_each (sum, &ends.sums) {
		json_begin_object(json, NULL);
		json_text(json, "end", site_end_name(sum->end));
		json_text(json, "module", sum->module);
		json_uint(json, "bytes", sum->bytes);
		json_uint(json, "sites", sum->sites);
		json_end(json);
	}
	json_end(json);
	ends_free(&ends);
}

static void write_coverage(struct json *json, const struct snapshot *snapshot)
{
	json_begin_object(json, "losses");
	vec_for_each (loss, &snapshot->losses)
		json_uint(json, loss->name, loss->count);
	json_end(json);
	json_double(json, "stacks_complete", snapshot_stacks_complete(snapshot), 6);
	write_ends(json, snapshot);
	write_cost(json, &snapshot->cost);
	json_begin_array(json, "notes");
	vec_for_each (note, &snapshot->notes)
		json_text(json, NULL, *note);
	json_end(json);
}

static void write_epochs(struct json *json, const struct snapshot *snapshot)
{
	json_begin_array(json, "epochs");
	vec_for_each (epoch, &snapshot->epochs) {
		json_begin_object(json, NULL);
		json_text(json, "mode", epoch->mode);
		seconds(json, "begin_seconds", epoch->begin_ns);
		seconds(json, "end_seconds", epoch->end_ns);
		json_uint(json, "windows", epoch->windows);
		seconds(json, "on_seconds", epoch->on_ns);
		json_end(json);
	}
	json_end(json);
}

static void write_command(struct json *json, int status)
{
	if (status == -1)
		return;
	json_begin_object(json, "command");
	if (WIFSIGNALED(status))
		json_int(json, "signal", WTERMSIG(status));
	else
		json_int(json, "exit_status", WEXITSTATUS(status));
	json_end(json);
}

static void write_verdicts(struct json *json, const struct snapshot *snapshot)
{
	if (!snapshot->verdicts.count)
		return;
	json_begin_array(json, "verdicts");
	vec_for_each (row, &snapshot->verdicts) {
		json_begin_object(json, NULL);
		json_int(json, "pid", row->pid);
		json_text(json, "kind", row->kind);
		json_text(json, "rule", row->rule);
		json_text(json, "evidence", row->evidence);
		json_text(json, "remedy", row->remedy);
		json_uint(json, "gain_bytes", row->gain_bytes);
		json_uint(json, "in_use_bytes", row->in_use_bytes);
		json_uint(json, "retained_bytes", row->retained_bytes);
		json_end(json);
	}
	json_end(json);
}

/* What it was written for, and how it came to that. */
static void write_incidents(struct json *json, const struct snapshot *snapshot)
{
	if (!snapshot->incidents.count)
		return;
	json_begin_array(json, "incidents");
	vec_for_each (row, &snapshot->incidents) {
		json_begin_object(json, NULL);
		json_text(json, "reason", row->reason);
		seconds(json, "seconds", row->time_ns);
		json_int(json, "pid", row->pid);
		json_text(json, "comm", row->comm);
		if (row->ended && row->exit_code >= 0 && WIFSIGNALED(row->exit_code))
			json_int(json, "exit_signal", WTERMSIG(row->exit_code));
		else if (row->ended && row->exit_code >= 0)
			json_int(json, "exit_status", WEXITSTATUS(row->exit_code));
		if (row->signal) {
			json_int(json, "signal", row->signal);
			json_int(json, "sender_pid", row->sender);
			json_text(json, "sender_comm", row->sender_comm);
		}
		if (row->asking_comm) {
			json_int(json, "asking_pid", row->asking_pid);
			json_int(json, "asking_tid", row->asking_tid);
			json_text(json, "asking_comm", row->asking_comm);
			json_uint(json, "usage_bytes", row->usage_bytes);
			json_uint(json, "limit_bytes", row->limit_bytes);
			json_uint(json, "groups_up", row->groups_up);
		}
		json_end(json);
	}
	json_end(json);
	json_begin_array(json, "readings");
	vec_for_each (row, &snapshot->readings) {
		json_begin_object(json, NULL);
		seconds(json, "seconds", row->time_ns);
		json_uint(json, "rss_bytes", row->rss_bytes);
		json_uint(json, "group_bytes", row->group_bytes);
		json_uint(json, "limit_bytes", row->limit_bytes);
		json_uint(json, "live_bytes", row->live_bytes);
		json_uint(json, "live_blocks", row->live_blocks);
		json_end(json);
	}
	json_end(json);
}

void json_write(const struct snapshot *snapshot, const struct report_options *options, FILE *stream)
{
	struct json json;

	json_init(&json, stream);
	json_begin_object(&json, NULL);
	json_uint(&json, "unfreed", 1);
	json_text(&json, "mode", snapshot->mode);
	if (snapshot->sample_bytes)
		json_uint(&json, "sample_bytes", snapshot->sample_bytes);
	json_begin_object(&json, "target");
	json_text(&json, "name", snapshot->target);
	json_end(&json);
	write_processes(&json, snapshot);
	json_begin_object(&json, "window");
	seconds(&json, "seconds", snapshot->window_ns);
	json_double(&json, "start_unix_seconds", snapshot->start_unix_ns / 1e9, 6);
	json_text(&json, "ended_by", snapshot->ended_by);
	json_end(&json);
	write_epochs(&json, snapshot);
	seconds(&json, "min_age_seconds", snapshot->min_age_ns);
	write_heap(&json, snapshot, options);
	write_mapping(&json, snapshot, options);
	write_fault(&json, snapshot);
	write_command(&json, snapshot->command_status);
	write_coverage(&json, snapshot);
	write_modules(&json, snapshot);
	write_sites(&json, snapshot, options);
	write_verdicts(&json, snapshot);
	write_incidents(&json, snapshot);
	json_end(&json);
	putc('\n', stream);
}
