/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The page's data. Stacks are sorted, root first, so that those that share frames stand together: a
 * node of a flamegraph is a range of them, and only what differs from the stack before is written.
 * The order by the other end comes along. Numbers stand for functions, in the order of their names.
 */
#include "report/html_data.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "model/footprint.h"
#include "model/strings.h"
#include "report/frame_set.h"
#include "report/label.h"

/* No module, file or text: in the columns of numbers. */
enum { NONE = -1 };
/* The type of what is no frame, beside enum frame_type: a process, a cut. */
enum { TYPE_MARK = 100 };

struct stack {
	const struct history_site *site;
	uint32_t start, count; /* of data.frames, leaf first, its process last */
};

struct data {
	struct json json;
	const struct history *history;
	struct strings *strings;
	struct frame_set *functions; /* what is merged in graphs */
	struct frame_set *lines; /* frames; their parents are functions */
	struct frame_set *texts; /* modules and files: texts as names */
	VEC(uint32_t) frames; /* of all stacks: numbers of lines */
	VEC(struct stack) stacks; /* sorted, root first */
	uint32_t *ranks; /* of functions: their places by name */
};

/* -- numbers ----------------------------------------------------------------------------------- */

static uint32_t function_of(struct data *data, const struct frame *frame)
{
	struct frame key = { .name = frame->name };

	if (!frame->name || !*frame->name)
		key = (struct frame){ .module = frame->module, .offset = frame->offset };
	return frame_set_add(data->functions, FRAME_SET_NONE, &key, NULL);
}

static void push(struct data *data, const struct frame *frame)
{
	*vec_add(&data->frames) = frame_set_add(data->lines, function_of(data, frame), frame, NULL);
}

static void push_mark(struct data *data, const char *text)
{
	push(data, &(struct frame){ .name = text, .type = (enum frame_type)TYPE_MARK });
}

static int text_number(struct data *data, const char *text)
{
	if (!text)
		return NONE;
	return frame_set_add(data->texts, FRAME_SET_NONE, &(struct frame){ .name = text }, NULL);
}

static const char *process_name(struct data *data, pid_t pid)
{
	char *name = mem_printf("%s-%d", snapshot_comm(data->history->last, pid), (int)pid);
	const char *interned = strings_intern(data->strings, name);

	mem_free(name);
	return interned;
}

static void add_stack(struct data *data, const struct history_site *site)
{
	struct stack *stack = vec_add(&data->stacks);
	const struct frame *cut = label_cut(site->site.end);

	stack->site = site;
	stack->start = data->frames.count;
	for (size_t i = 0; i < site->site.frame_count; i++)
		push(data, &site->site.frames[i]);
	if (cut)
		push_mark(data, cut->name);
	push_mark(data, process_name(data, site->site.pid));
	stack->count = data->frames.count - stack->start;
}

/* -- order ------------------------------------------------------------------------------------- */

static const char *function_name(const struct data *data, uint32_t function, char *buffer)
{
	return label_frame(frame_set_frame(data->functions, function), buffer);
}

static int compare_functions(const void *left, const void *right, void *context)
{
	const struct data *data = context;
	const uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
	char one[LABEL_MAX], other[LABEL_MAX];
	int order = strcmp(function_name(data, a, one), function_name(data, b, other));

	return order ? order : (a > b) - (a < b);
}

static uint32_t *sort_functions(struct data *data)
{
	uint32_t count = frame_set_count(data->functions);
	uint32_t *sorted = mem_array(count, sizeof(*sorted));

	for (uint32_t i = 0; i < count; i++)
		sorted[i] = i;
	if (count)
		qsort_r(sorted, count, sizeof(*sorted), compare_functions, data);
	data->ranks = mem_array(count, sizeof(*data->ranks));
	for (uint32_t i = 0; i < count; i++)
		data->ranks[sorted[i]] = i;
	return sorted;
}

static uint32_t rank_at(const struct data *data, const struct stack *stack, uint32_t depth,
			bool leaf_first)
{
	uint32_t at = leaf_first ? depth : stack->count - 1 - depth;
	uint32_t line = data->frames.items[stack->start + at];

	return data->ranks[frame_set_parent(data->lines, line)];
}

static int compare_stacks(const struct data *data, const struct stack *a, const struct stack *b,
			  bool leaf_first)
{
	for (uint32_t i = 0; i < a->count && i < b->count; i++) {
		uint32_t one = rank_at(data, a, i, leaf_first);
		uint32_t other = rank_at(data, b, i, leaf_first);

		if (one != other)
			return one < other ? -1 : 1;
	}
	if (a->count != b->count)
		return a->count < b->count ? -1 : 1;
	return (a->start > b->start) - (a->start < b->start);
}

static int compare_by_root(const void *left, const void *right, void *data)
{
	return compare_stacks(data, left, right, false);
}

static int compare_by_leaf(const void *left, const void *right, void *context)
{
	const struct data *data = context;

	return compare_stacks(data, &data->stacks.items[*(const uint32_t *)left],
			      &data->stacks.items[*(const uint32_t *)right], true);
}

/* -- writing ----------------------------------------------------------------------------------- */

static void write_moments(struct data *data, const struct series *series)
{
	struct json *json = &data->json;

	json_begin_array(json, "moments");
	vec_for_each (i, &data->history->moments) {
		const struct moment *moment = &series->moments.items[*i];

		json_begin_object(json, NULL);
		json_double(json, "unix_seconds", moment->unix_ns / 1e9, 3);
		json_double(json, "window_seconds", moment->window_ns / 1e9, 3);
		json_end(json);
	}
	json_end(json);
	json_uint(json, "left_out", data->history->left_out);
}

/* Of each class of map its resident bytes, moment by moment; null where none was taken. */
static void write_classes(struct data *data, struct series *series)
{
	struct json *json = &data->json;

	json_begin_array(json, "classes");
	vec_for_each (i, &data->history->moments) {
		struct footprint *footprint = series_footprint(series, *i);

		if (!footprint) {
			json_text(json, NULL, NULL);
			continue;
		}
		json_begin_object(json, NULL);
		for (int class = 0; class < CLASSES; class ++)
			if (footprint->classes[class].rss_bytes)
				json_uint(json, class_name(class),
					  footprint->classes[class].rss_bytes);
		json_end(json);
		footprint_free(footprint);
	}
	json_end(json);
}

static void write_functions(struct data *data, const uint32_t *sorted)
{
	struct json *json = &data->json;
	uint32_t count = frame_set_count(data->functions);
	char buffer[LABEL_MAX];

	json_begin_array(json, "functions");
	for (uint32_t i = 0; i < count; i++)
		label_json(json, NULL, function_name(data, sorted[i], buffer));
	json_end(json);
}

/* -- columns, one number for each line -- */

static int64_t function_column(struct data *data, uint32_t line)
{
	return data->ranks[frame_set_parent(data->lines, line)];
}

static int64_t module_column(struct data *data, uint32_t line)
{
	return text_number(data, frame_set_frame(data->lines, line)->module);
}

static int64_t file_column(struct data *data, uint32_t line)
{
	return text_number(data, frame_set_frame(data->lines, line)->file);
}

static int64_t line_column(struct data *data, uint32_t line)
{
	return frame_set_frame(data->lines, line)->line;
}

static int64_t class_column(struct data *data, uint32_t line)
{
	const struct frame *frame = frame_set_frame(data->lines, line);

	return frame->type == (enum frame_type)TYPE_MARK ? LABEL_CLASSES : label_class(frame);
}

static int64_t inlined_column(struct data *data, uint32_t line)
{
	return frame_set_frame(data->lines, line)->type == FRAME_INLINED;
}

static void write_lines(struct data *data)
{
	static const struct {
		const char *name;
		int64_t (*value)(struct data *data, uint32_t line);
	} columns[] = {
		{ "functions", function_column }, { "modules", module_column },
		{ "files", file_column },	  { "lines", line_column },
		{ "classes", class_column },	  { "inlined", inlined_column },
	};
	struct json *json = &data->json;
	uint32_t i;

	json_begin_object(json, "frames");
	for (size_t column = 0; column < sizeof(columns) / sizeof(columns[0]); column++) {
		json_begin_array(json, columns[column].name);
		for (i = 0; i < frame_set_count(data->lines); i++)
			json_int(json, NULL, columns[column].value(data, i));
		json_end(json);
	}
	json_end(json);
	json_begin_array(json, "texts");
	for (i = 0; i < frame_set_count(data->texts); i++)
		label_json(json, NULL, frame_set_frame(data->texts, i)->name);
	json_end(json);
}

/* For each stack: frames as in the one before, how many follow, and these, root first. */
static void write_stacks(struct data *data)
{
	struct json *json = &data->json;
	const struct stack *before = NULL;

	json_begin_array(json, "stacks");
	vec_for_each (stack, &data->stacks) {
		const uint32_t *frames = data->frames.items + stack->start;
		uint32_t shared = 0;

		while (before && shared < before->count && shared < stack->count &&
		       data->frames.items[before->start + before->count - 1 - shared] ==
			       frames[stack->count - 1 - shared])
			shared++;
		json_uint(json, NULL, shared);
		json_uint(json, NULL, stack->count - shared);
		for (uint32_t i = stack->count - shared; i-- > 0;)
			json_uint(json, NULL, frames[i]);
		before = stack;
	}
	json_end(json);
}

static void write_site(struct data *data, const struct history_site *seen)
{
	struct json *json = &data->json;
	const struct site *site = &seen->site;

	json_begin_array(json, NULL);
	json_uint(json, NULL, site->kind);
	json_uint(json, NULL, site->end);
	json_double(json, NULL, site->min_age_ns / 1e9, 1);
	json_double(json, NULL, site->max_age_ns / 1e9, 1);
	json_uint(json, NULL, site->standard_error_bytes);
	label_json(json, NULL, site->owner);
	label_json(json, NULL, site->verdict);
	json_end(json);
}

/* For each site: how many changes, and of each its moment and the values from then on. */
static void write_values(struct data *data)
{
	struct json *json = &data->json;

	json_begin_array(json, "values");
	vec_for_each (stack, &data->stacks) {
		json_uint(json, NULL, stack->site->changes.count);
		vec_for_each (change, &stack->site->changes) {
			json_uint(json, NULL, change->moment);
			for (size_t i = 0; i < HISTORY_METRICS; i++)
				json_uint(json, NULL, change->values[i]);
		}
	}
	json_end(json);
}

static void write_by_leaf(struct data *data)
{
	uint32_t count = data->stacks.count;
	uint32_t *order = mem_array(count, sizeof(*order));

	for (uint32_t i = 0; i < count; i++)
		order[i] = i;
	if (count)
		qsort_r(order, count, sizeof(*order), compare_by_leaf, data);
	json_begin_array(&data->json, "by_leaf");
	for (uint32_t i = 0; i < count; i++)
		json_uint(&data->json, NULL, order[i]);
	json_end(&data->json);
	mem_free(order);
}

static void write_names(struct data *data)
{
	struct json *json = &data->json;
	const struct snapshot *last = data->history->last;

	json_uint(json, "unfreed", 1);
	label_json(json, "target", last->target);
	json_bool(json, "estimated", snapshot_is_estimated(last));
	json_begin_array(json, "kinds");
	for (int kind = 0; kind < SITE_KINDS; kind++)
		json_text(json, NULL, site_kind_name(kind));
	json_end(json);
	json_begin_array(json, "ends");
	for (int end = 0; end < SITE_ENDS; end++)
		json_text(json, NULL, label_cut(end) ? site_end_name(end) : NULL);
	json_end(json);
}

void html_data_write(const struct history *history, struct series *series,
		     const struct report_options *options, FILE *stream)
{
	struct data data = { .history = history };
	uint32_t *sorted;

	data.strings = strings_new();
	data.functions = frame_set_new();
	data.lines = frame_set_new();
	data.texts = frame_set_new();
	json_init(&data.json, stream);
	data.json.in_html = true;
	vec_for_each (site, &history->sites)
		add_stack(&data, site);
	sorted = sort_functions(&data);
	if (data.stacks.count)
		qsort_r(data.stacks.items, data.stacks.count, sizeof(*data.stacks.items),
			compare_by_root, &data);

	json_begin_object(&data.json, NULL);
	write_names(&data);
	if (history->last->mode && !strcmp(history->last->mode, "windowed"))
		json_bool(&data.json, "windowed", true);
	if (options->diff)
		json_bool(&data.json, "diff", true);
	write_moments(&data, series);
	write_classes(&data, series);
	write_functions(&data, sorted);
	write_lines(&data);
	write_stacks(&data);
	json_begin_array(&data.json, "sites");
	vec_for_each (stack, &data.stacks)
		write_site(&data, stack->site);
	json_end(&data.json);
	write_values(&data);
	write_by_leaf(&data);
	json_end(&data.json);

	mem_free(sorted);
	mem_free(data.ranks);
	vec_free(&data.stacks);
	vec_free(&data.frames);
	frame_set_free(data.texts);
	frame_set_free(data.lines);
	frame_set_free(data.functions);
	strings_free(data.strings);
}
