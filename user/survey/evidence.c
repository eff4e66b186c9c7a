/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the kinds of evidence share, and the allocator of a process. */
#include "survey/evidence.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "collect/allocators.h"

/* A page each takes a second or so; a process has some thousands of mappings. */
enum { READS_MAX = 1 << 20 };

bool evidence_read(struct evidence *evidence, uint64_t address, void *buffer, size_t bytes)
{
	return evidence->reads++ < READS_MAX &&
	       resident_read(evidence->resident, address, buffer, bytes);
}

const struct smap *evidence_find(const struct evidence *evidence, uint64_t address)
{
	size_t low = 0, high = evidence->smaps->rows.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct smap *smap = &evidence->smaps->rows.items[middle];

		if (address < smap->map.start)
			high = middle;
		else if (address >= smap->map.end)
			low = middle + 1;
		else
			return smap;
	}
	return NULL;
}

/* -- the allocator ----------------------------------------------------------------------------- */

static const struct {
	const char *library; /* the beginning of its file's name */
	enum allocator allocator;
	enum memory_class class;
} allocators[] = {
	{ "libjemalloc", ALLOCATOR_JEMALLOC, CLASS_JEMALLOC },
	{ "libtcmalloc", ALLOCATOR_TCMALLOC, CLASS_TCMALLOC },
	{ "libmimalloc", ALLOCATOR_MIMALLOC, CLASS_MIMALLOC },
};

enum { ALLOCATORS = sizeof(allocators) / sizeof(allocators[0]) };

static enum memory_class by_library(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	for (size_t i = 0; i < ALLOCATORS; i++)
		if (!strncmp(name, allocators[i].library, strlen(allocators[i].library)))
			return allocators[i].class;
	return CLASS_UNKNOWN;
}

static enum memory_class class_of(const struct allocator_family *family)
{
	for (size_t i = 0; i < ALLOCATORS; i++)
		if (allocators[i].allocator == family->allocator)
			return allocators[i].class;
	return CLASS_UNKNOWN;
}

/* By what only that allocator's code defines, linked into the executable. */
static enum memory_class by_program(struct evidence *evidence, const struct map *map)
{
	cleanup_close int fd = proc_open_map(evidence->pid, map);
	enum memory_class class = CLASS_UNKNOWN;
	struct sandbox_image image;

	if (fd < 0 || sandbox_open(evidence->sandbox, fd, &image))
		return class;
	for (size_t i = 0; i < allocator_family_count && class == CLASS_UNKNOWN; i++) {
		const struct allocator_family *family = &allocator_families[i];
		struct sandbox_probe_request request = { .symbol = family->marker };
		struct sandbox_probe probe = { 0 };

		if (class_of(family) != CLASS_UNKNOWN &&
		    !sandbox_probes(evidence->sandbox, image.id, &request, 1, &probe) &&
		    probe.found)
			class = class_of(family);
	}
	sandbox_close(evidence->sandbox, image.id);
	return class;
}

enum memory_class evidence_allocator(struct evidence *evidence)
{
	const struct map *program = NULL;

	vec_for_each (smap, &evidence->smaps->rows) {
		enum memory_class class;

		if (!smap->map.executable || !smap->map.inode || !smap->map.path)
			continue;
		class = by_library(smap->map.path);
		if (class != CLASS_UNKNOWN)
			return class;
		if (evidence->program && !strcmp(evidence->program, smap->map.path))
			program = &smap->map;
	}
	return program && evidence->files ? by_program(evidence, program) : CLASS_UNKNOWN;
}
