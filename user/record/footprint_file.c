/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reads what report/footprint_json.c writes. */
#include "record/footprint_file.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"

static uint64_t number(const json_t *object, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(object, key));

	return value > 0 ? (uint64_t)value : 0;
}

static struct figures figures_of(const json_t *object)
{
	return (struct figures){
		.mappings = number(object, "mappings"),
		.size_bytes = number(object, "size_bytes"),
		.rss_bytes = number(object, "rss_bytes"),
		.pss_bytes = number(object, "pss_bytes"),
		.private_dirty_bytes = number(object, "private_dirty_bytes"),
		.swap_bytes = number(object, "swap_bytes"),
		.huge_bytes = number(object, "huge_bytes"),
		.hugetlb_bytes = number(object, "hugetlb_bytes"),
	};
}

/* Classes of a later version count as unknown: the sums stay. */
static void read_classes(struct figures classes[CLASSES], const json_t *array)
{
	const json_t *object;
	size_t i;

	json_array_foreach(array, i, object)
	{
		const char *name = json_string_value(json_object_get(object, "name"));
		enum memory_class class = name ? class_find(name) : CLASSES;
		struct figures figures = figures_of(object);

		figures_add(&classes[class < CLASSES ? class : CLASS_UNKNOWN], &figures);
	}
}

static void read_document(struct footprint *footprint, const json_t *root)
{
	const json_t *object;
	size_t i;

	footprint->target =
		footprint_string(footprint, json_string_value(json_object_get(root, "target")));
	footprint->unix_ns = json_number_value(json_object_get(root, "unix_seconds")) * 1e9;
	footprint->total = figures_of(root);
	read_classes(footprint->classes, json_object_get(root, "classes"));
	json_array_foreach(json_object_get(root, "processes"), i, object)
	{
		struct footprint_process *process = vec_add(&footprint->processes);

		process->pid = (pid_t)number(object, "pid");
		process->comm = footprint_string(
			footprint, json_string_value(json_object_get(object, "comm")));
		process->total = figures_of(object);
		read_classes(process->classes, json_object_get(object, "classes"));
	}
}

/* The last document of those in stream, each on a line of its own; NULL: broken, as *error says. */
static json_t *load_last(FILE *stream, json_error_t *error)
{
	json_t *last = NULL, *next;

	while ((next = json_loadf(stream, JSON_DISABLE_EOF_CHECK, error))) {
		int c;

		json_decref(last);
		last = next;
		while ((c = getc(stream)) == '\n' || c == ' ')
			;
		if (c == EOF)
			return last;
		ungetc(c, stream);
	}
	json_decref(last);
	return NULL;
}

/* Frees root, which may be NULL: broken, as error says. */
static int take_document(struct footprint **out, json_t *root, const json_error_t *error,
			 const char *what)
{
	struct footprint *footprint;
	const char *kind;

	if (!root)
		return error_set(-EINVAL, "%s is not JSON: line %d: %s", what, error->line,
				 error->text);
	kind = json_string_value(json_object_get(root, "kind"));
	if (!kind || strcmp(kind, "map")) {
		json_decref(root);
		return error_set(-EINVAL, "%s was not made by 'unfreed map --save' or --json",
				 what);
	}
	footprint = footprint_new();
	read_document(footprint, root);
	json_decref(root);
	*out = footprint;
	return 0;
}

int footprint_read(struct footprint **footprint, FILE *stream, const char *path)
{
	json_error_t error;

	return take_document(footprint, load_last(stream, &error), &error, path);
}

bool footprint_file(const char *path)
{
	cleanup_fclose FILE *stream = fopen(path, "re");
	int c = '\0';

	while (stream && (c = getc(stream)) == ' ')
		;
	return stream && c == '{';
}

int footprint_parse(struct footprint **footprint, const char *text, size_t count)
{
	json_error_t error;

	return take_document(footprint, json_loadb(text, count, 0, &error), &error,
			     "the recorded map");
}
