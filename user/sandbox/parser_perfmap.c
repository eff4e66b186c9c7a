/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The requests about perf maps. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "sandbox/internal.h"

enum {
	CHUNK_BYTES = 64 << 10,
	FILE_BYTES_MAX = 512 << 20,
};

int parser_perfmap_open(struct parser *parser, int fd, uint32_t *id)
{
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return error_set(-errno, "cannot duplicate a file descriptor: %s", strerror(errno));
	for (*id = 0; *id < parser->perf_files.count && parser->perf_files.items[*id].map; (*id)++)
		;
	if (*id == parser->perf_files.count)
		vec_add(&parser->perf_files);
	parser->perf_files.items[*id] = (struct perf_file){ .fd = fd, .map = perfmap_new() };
	return 0;
}

static struct perf_file *file_of(struct parser *parser, uint32_t id)
{
	if (id < parser->perf_files.count && parser->perf_files.items[id].map)
		return &parser->perf_files.items[id];
	error_set(-EBADF, "no perf map has the number %u", id);
	return NULL;
}

void parser_perfmap_close(struct parser *parser, uint32_t id)
{
	struct perf_file *file = file_of(parser, id);

	if (!file)
		return;
	close(file->fd);
	perfmap_free(file->map);
	*file = (struct perf_file){ 0 };
}

/* What is new in the file; one that has become shorter is another one. */
static int take_in(struct perf_file *file)
{
	cleanup_free char *chunk = NULL;
	struct stat status;
	ssize_t got;
	int error = 0;

	if (fstat(file->fd, &status))
		return error_set(-errno, "cannot stat a perf map: %s", strerror(errno));
	if ((uint64_t)status.st_size < file->taken_bytes) {
		perfmap_free(file->map);
		file->map = perfmap_new();
		file->taken_bytes = 0;
	}
	if ((uint64_t)status.st_size == file->taken_bytes)
		return 0;
	chunk = mem_alloc(CHUNK_BYTES);
	while (!error && (got = pread(file->fd, chunk, CHUNK_BYTES, (off_t)file->taken_bytes))) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_set(-errno, "cannot read a perf map: %s", strerror(errno));
		file->taken_bytes += (uint64_t)got;
		error = perfmap_take(file->map, chunk, (size_t)got);
		if (!error && file->taken_bytes > FILE_BYTES_MAX)
			error = error_set(-EFBIG, "a perf map is larger than %d bytes",
					  FILE_BYTES_MAX);
	}
	return error;
}

int parser_perfmap_names(struct parser *parser, uint32_t id, const uint64_t *addresses,
			 size_t count, sandbox_frame_fn frame, void *context)
{
	struct perf_file *file = file_of(parser, id);
	int error;

	if (!file)
		return -EBADF;
	error = take_in(file);
	perfmap_names(file->map, addresses, count, parser_pass_on,
		      &(struct parser_answer){ frame, context });
	return error;
}
