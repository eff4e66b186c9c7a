/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Recording a trace: written aside, and kept from its first snapshot on. */
#include "cmd/save.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/error.h"
#include "base/output.h"
#include "base/units.h"
#include "record/recording.h"
#include "report/footprint.h"

struct save {
	char *path;
	char *aside; /* NULL: nothing is kept yet, or it is written to directly */
	struct output *output;
	struct recorder *recorder;
	uint64_t snapshots;
};

/* As it could be typed, but for quotes. */
static char *command_line(char *const *words)
{
	char *line = mem_string("unfreed");

	for (; *words; words++) {
		char *longer = mem_printf("%s %s", line, *words);

		mem_free(line);
		line = longer;
	}
	return line;
}

static int begin_recording(struct save *save, char *const *words)
{
	char *command = command_line(words), *kernel;
	struct utsname name;
	int error;

	uname(&name);
	kernel = mem_printf("%s %s %s", name.sysname, name.release, name.machine);
	error = recorder_new(&save->recorder, output_stream(save->output),
			     (const struct fact[]){
				     { "version", UNFREED_VERSION },
				     { "kernel", kernel },
				     { "command", command },
			     },
			     3);
	mem_free(kernel);
	mem_free(command);
	return error;
}

static int begin(struct save **out, int error, struct save *save, char *const *words)
{
	if (!error)
		error = begin_recording(save, words);
	if (error) {
		output_discard(save->output);
		mem_free(save->path);
		mem_free(save);
		return error;
	}
	*out = save;
	return 0;
}

int save_begin(struct save **out, const char *path, char *const *words)
{
	struct save *save = mem_alloc(sizeof(*save));

	save->path = mem_string(path);
	return begin(out, output_open(&save->output, path), save, words);
}

int save_begin_in(struct save **out, const char *folder, char *const *words)
{
	struct save *save = mem_alloc(sizeof(*save));

	return begin(out, output_open_in(&save->output, folder), save, words);
}

void save_name(struct save *save, const char *path)
{
	mem_free(save->path);
	save->path = mem_string(path);
	output_name(save->output, path);
}

/* As map --json has it; NULL: there is none. free() */
static char *document(const struct footprint *footprint)
{
	const struct footprint_options options = { .by = FOOTPRINT_BY_CLASS };
	char *text = NULL;
	size_t size;
	FILE *stream;

	if (!footprint || !footprint->processes.count)
		return NULL;
	stream = open_memstream(&text, &size);
	if (!stream)
		return NULL;
	footprint_json(footprint, NULL, &options, stream);
	fclose(stream);
	return text;
}

int save_add(struct save *save, const struct snapshot *snapshot, const struct footprint *footprint)
{
	char *text = document(footprint);
	int error = recorder_add(save->recorder, snapshot, text);

	free(text);

	if (!error && !save->snapshots++)
		save->aside = mem_string(output_keep(save->output));
	return error;
}

static int complete(struct save *save)
{
	char bytes[UNITS_TEXT_MAX];
	long size;
	int error = recorder_end(save->recorder);

	if (error)
		return error;
	size = ftell(output_stream(save->output));
	error = output_commit(save->output);
	save->output = NULL;
	if (!error && strcmp(save->path, "-"))
		fprintf(stderr, "recorded %llu snapshot%s in %s%s%s\n",
			(unsigned long long)save->snapshots, save->snapshots == 1 ? "" : "s",
			save->path, size > 0 ? ", " : "",
			size > 0 ? units_format_bytes(bytes, (uint64_t)size) : "");
	return error;
}

int save_end(struct save *save, int error)
{
	if (!save)
		return error;
	if (!error)
		error = complete(save);
	if (error && save->aside)
		error_set(error, "%s; what was recorded until then is in %s", error_message(),
			  save->aside);
	output_discard(save->output);
	recorder_free(save->recorder);
	mem_free(save->aside);
	mem_free(save->path);
	mem_free(save);
	return error;
}
