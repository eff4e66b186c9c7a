/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Writing a recording. */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "record/block.h"
#include "record/recording.h"
#include "record/sections.h"

enum {
	WHOLE_EVERY = 64, /* snapshots: what is read to get at one of the others */
};

struct recorder {
	FILE *stream;
	struct pool *pool;
	uint64_t count;
};

static int write_facts(struct recorder *recorder, const struct fact *facts, uint64_t count)
{
	struct code code = code_writer(NULL);
	int error;

	code_number(&code, &count);
	for (size_t i = 0; i < count; i++) {
		code_put_bytes(&code, facts[i].name, strlen(facts[i].name));
		code_put_bytes(&code, facts[i].text, strlen(facts[i].text));
	}
	error = block_write(recorder->stream, BLOCK_ABOUT, code.bytes.items, code.bytes.count);
	code_free(&code);
	return error;
}

int recorder_new(struct recorder **out, FILE *stream, const struct fact *facts, size_t count)
{
	struct recorder *recorder = mem_alloc(sizeof(*recorder));
	int error;

	recorder->stream = stream;
	recorder->pool = pool_new(false);
	error = block_write_head(stream);
	if (!error)
		error = write_facts(recorder, facts, count);
	if (error) {
		recorder_free(recorder);
		return error;
	}
	*out = recorder;
	return 0;
}

int recorder_add(struct recorder *recorder, const struct snapshot *snapshot, const char *footprint)
{
	struct code code = code_writer(recorder->pool->texts);
	int error;

	sections_write(&code, recorder->pool, snapshot, recorder->count % WHOLE_EVERY == 0);
	error = code.broken
			? error_set(-EINVAL, "cannot record a snapshot: a number is out of range")
			: block_write(recorder->stream, BLOCK_SNAPSHOT, code.bytes.items,
				      code.bytes.count);
	code_free(&code);
	if (error)
		return error;
	recorder->count++;
	return footprint ? block_write(recorder->stream, BLOCK_FOOTPRINT, footprint,
				       strlen(footprint))
			 : 0;
}

int recorder_end(struct recorder *recorder)
{
	struct code code = code_writer(NULL);
	int error;

	code_number(&code, &recorder->count);
	error = block_write(recorder->stream, BLOCK_END, code.bytes.items, code.bytes.count);
	code_free(&code);
	return error;
}

void recorder_free(struct recorder *recorder)
{
	if (!recorder)
		return;
	pool_free(recorder->pool);
	mem_free(recorder);
}
