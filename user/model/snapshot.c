/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Building, ordering and summing up a snapshot. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/ends.h"
#include "model/snapshot.h"
#include "model/strings.h"

struct snapshot *snapshot_new(void)
{
	struct snapshot *snapshot = mem_alloc(sizeof(*snapshot));

	snapshot->strings = strings_new();
	snapshot->command_status = -1;
	snapshot->cost.syscall_tax_ns = -1;
	return snapshot;
}

void snapshot_free(struct snapshot *snapshot)
{
	if (!snapshot)
		return;
	vec_free(&snapshot->processes);
	vec_free(&snapshot->modules);
	vec_free(&snapshot->epochs);
	vec_free(&snapshot->losses);
	vec_free(&snapshot->sites);
	vec_free(&snapshot->verdicts);
	vec_free(&snapshot->incidents);
	vec_free(&snapshot->readings);
	vec_free(&snapshot->notes);
	snapshot_free(snapshot->whole);
	strings_free(snapshot->strings);
	mem_free(snapshot);
}

/* The items of a list in memory of their own. */
#define vec_own(vec)                                                                           \
	do {                                                                                   \
		const __typeof__((vec)->items) items_ = (vec)->items;                          \
                                                                                               \
		(vec)->items = (vec)->count ? mem_array((vec)->count, sizeof(*items_)) : NULL; \
		(vec)->capacity = (vec)->count;                                                \
		if (items_)                                                                    \
			memcpy((vec)->items, items_, (vec)->count * sizeof(*items_));          \
	} while (0)

struct snapshot *snapshot_copy(const struct snapshot *snapshot)
{
	struct snapshot *copy = mem_alloc(sizeof(*copy));

	*copy = *snapshot;
	copy->whole = NULL;
	copy->strings = strings_new();
	vec_own(&copy->processes);
	vec_own(&copy->modules);
	vec_own(&copy->epochs);
	vec_own(&copy->losses);
	vec_own(&copy->verdicts);
	vec_own(&copy->incidents);
	vec_own(&copy->readings);
	vec_own(&copy->sites);
	vec_own(&copy->notes);
	return copy;
}

const char *snapshot_string(struct snapshot *snapshot, const char *text)
{
	return strings_intern(snapshot->strings, text);
}

const struct frame *snapshot_frames(struct snapshot *snapshot, const struct frame *frames,
				    size_t count)
{
	return count ? strings_copy(snapshot->strings, frames, count * sizeof(*frames)) : NULL;
}

void snapshot_module(struct snapshot *snapshot, const char *path, const uint8_t *build_id,
		     size_t bytes)
{
	struct module *module = NULL;
	char *hex = mem_alloc(2 * bytes + 1);

	path = snapshot_string(snapshot, path);
	vec_for_each (known, &snapshot->modules)
		if (known->path == path)
			module = known;
	for (size_t i = 0; i < bytes; i++)
		snprintf(hex + 2 * i, 3, "%02x", build_id[i]);
	if (!module) {
		module = vec_add(&snapshot->modules);
		module->path = path;
		module->build_id = bytes ? snapshot_string(snapshot, hex) : NULL;
	} else if (!module->build_id || strcmp(module->build_id, hex)) {
		module->build_id = NULL;
	}
	mem_free(hex);
}

const char *snapshot_build_id(const struct snapshot *snapshot, const char *path)
{
	vec_for_each (module, &snapshot->modules)
		if (!strcmp(module->path, path))
			return module->build_id;
	return NULL;
}

const char *snapshot_comm(const struct snapshot *snapshot, pid_t pid)
{
	vec_for_each (process, &snapshot->processes)
		if (process->pid == pid)
			return process->comm ? process->comm : "?";
	return "?";
}

void snapshot_note(struct snapshot *snapshot, const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	text = mem_vprintf(format, arguments);
	va_end(arguments);
	*vec_add(&snapshot->notes) = snapshot_string(snapshot, text);
	mem_free(text);
}

static int compare(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* By content, as addresses differ from run to run; NULL first. */
static int compare_texts(const char *a, const char *b)
{
	if (a == b)
		return 0;
	return a && b ? strcmp(a, b) : a ? 1 : -1;
}

static int compare_frames(const struct frame *a, const struct frame *b)
{
	int order = compare_texts(a->name, b->name);

	order = order ? order : compare_texts(a->module, b->module);
	order = order ? order : compare(a->offset, b->offset);
	order = order ? order : compare_texts(a->file, b->file);
	order = order ? order : compare(a->line, b->line);
	return order ? order : compare(a->type, b->type);
}

static int compare_sites(const void *left, const void *right)
{
	const struct site *a = left, *b = right;
	size_t i;
	int order = compare(b->bytes, a->bytes);

	order = order ? order : compare(b->blocks, a->blocks);
	order = order ? order : compare(a->pid, b->pid);
	order = order ? order : compare(a->kind, b->kind);
	for (i = 0; a->frames != b->frames && !order && i < a->frame_count && i < b->frame_count;
	     i++)
		order = compare_frames(&a->frames[i], &b->frames[i]);
	order = order ? order : compare(a->frame_count, b->frame_count);
	order = order ? order : compare(b->allocated_bytes, a->allocated_bytes);
	order = order ? order : compare(b->allocated_blocks, a->allocated_blocks);
	order = order ? order : compare_texts(a->owner, b->owner);
	order = order ? order : compare(a->end, b->end);
	order = order ? order : compare(a->young_bytes, b->young_bytes);
	order = order ? order : compare(b->max_age_ns, a->max_age_ns);
	return order ? order : compare(b->min_age_ns, a->min_age_ns);
}

void snapshot_sort(struct snapshot *snapshot)
{
	if (snapshot->sites.count)
		qsort(snapshot->sites.items, snapshot->sites.count, sizeof(*snapshot->sites.items),
		      compare_sites);
}

const char *site_kind_name(enum site_kind kind)
{
	static const char *const names[SITE_KINDS] = {
		[SITE_HEAP] = "heap",
		[SITE_MAPPING] = "mapping",
		[SITE_FAULT] = "fault",
	};

	return names[kind];
}

const char *site_class(const struct site *site)
{
	if (site->owner)
		return site->owner;
	return site->kind == SITE_MAPPING ? "program" : site_kind_name(site->kind);
}

const char *site_end_name(enum site_end end)
{
	static const char *const names[SITE_ENDS] = {
		[SITE_END_ROOT] = "root",
		[SITE_END_NO_TABLE] = "no table",
		[SITE_END_NO_MAPPING] = "no mapping",
		[SITE_END_READ_FAULT] = "read fault",
		[SITE_END_DEPTH] = "depth",
		[SITE_END_BARRIER] = "barrier",
		[SITE_END_BAD_FRAME] = "bad frame",
		[SITE_END_LOST] = "lost",
	};

	return names[end];
}

const char *frame_type_name(enum frame_type type)
{
	static const char *const names[] = {
		[FRAME_NATIVE] = "native", [FRAME_INLINED] = "inlined",
		[FRAME_JAVA] = "java",	   [FRAME_INTERPRETED] = "interpreted",
		[FRAME_KERNEL] = "kernel",
	};

	return names[type];
}

/* Up to the age of a birth at a whole unit: one from before the window has a negative time. */
static void round_age(uint64_t window_ns, uint64_t *age_ns)
{
	int64_t past = ((int64_t)window_ns - (int64_t)*age_ns) % BIRTH_UNIT_NS;

	if (*age_ns)
		*age_ns += (uint64_t)(past < 0 ? past + BIRTH_UNIT_NS : past);
}

void snapshot_round_ages(struct snapshot *snapshot)
{
	vec_for_each (site, &snapshot->sites) {
		round_age(snapshot->window_ns, &site->min_age_ns);
		round_age(snapshot->window_ns, &site->max_age_ns);
	}
}

double snapshot_stacks_complete(const struct snapshot *snapshot)
{
	double bytes = 0, complete_bytes = 0;
	uint64_t complete = 0;

	if (snapshot->whole)
		return snapshot_stacks_complete(snapshot->whole);
	vec_for_each (site, &snapshot->sites) {
		bool whole = end_is_complete(site->end);

		bytes += site->bytes;
		complete_bytes += whole ? site->bytes : 0;
		complete += whole;
	}
	if (bytes > 0)
		return complete_bytes / bytes;
	return snapshot->sites.count ? (double)complete / snapshot->sites.count : 1.0;
}

bool snapshot_is_estimated(const struct snapshot *snapshot)
{
	return snapshot->mode && strcmp(snapshot->mode, "exact");
}

uint64_t snapshot_losses(const struct snapshot *snapshot)
{
	uint64_t sum = 0;

	vec_for_each (loss, &snapshot->losses)
		sum += loss->count;
	return sum;
}
