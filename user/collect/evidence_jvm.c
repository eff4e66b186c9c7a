/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a JVM's own structures say of its memory. */
#include <string.h>

#include "base/cleanup.h"
#include "collect/classify.h"
#include "collect/evidence.h"

static const enum memory_class classes[] = {
	[SANDBOX_JVM_HEAP] = CLASS_JAVA_HEAP,	   [SANDBOX_JVM_CODE] = CLASS_CODE_CACHE,
	[SANDBOX_JVM_CARDS] = CLASS_GC_TABLE,	   [SANDBOX_JVM_ARCHIVE] = CLASS_CDS_ARCHIVE,
	[SANDBOX_JVM_METASPACE] = CLASS_METASPACE, [SANDBOX_JVM_CLASS_SPACE] = CLASS_CLASS_SPACE,
	[SANDBOX_JVM_GC] = CLASS_GC_TABLE,
};

static void take_area(const struct sandbox_jvm_area *area, void *context)
{
	struct evidence *evidence = context;

	if (area->start < area->end)
		claims_add(&evidence->claims, area->start, area->end, classes[area->kind], NULL);
	else
		*vec_add(&evidence->points) =
			(struct evidence_point){ area->start, classes[area->kind] };
}

/* The mapping of libjvm's file that starts at its beginning, or NULL. */
static const struct map *find_libjvm(const struct smaps *smaps)
{
	static const char name[] = "/libjvm.so";

	vec_for_each (smap, &smaps->rows) {
		const char *path = smap->map.path;
		size_t length = path ? strlen(path) : 0;

		if (length >= sizeof(name) && !smap->map.offset &&
		    !strcmp(path + length - (sizeof(name) - 1), name))
			return &smap->map;
	}
	return NULL;
}

static void ask(struct evidence *evidence, const struct map *map, uint32_t image, uint64_t bias)
{
	uint32_t jvm;

	if (sandbox_jvm_open(evidence->sandbox, image, bias, resident_memory_fd(evidence->resident),
			     resident_pagemap_fd(evidence->resident), &jvm)) {
		footprint_note(evidence->footprint,
			       "pid %d: its JVM (%s) is not understood: heap and metaspace are "
			       "among what is unknown",
			       (int)evidence->pid, map->path);
		return;
	}
	sandbox_jvm_areas(evidence->sandbox, jvm, take_area, evidence);
	sandbox_jvm_close(evidence->sandbox, jvm);
}

/* A point's mapping, from the point's own start on where that is the start of a table. */
static void claim_point(struct evidence *evidence, const struct evidence_point *point)
{
	const struct smap *smap = evidence_find(evidence, point->address);
	uint64_t start;

	if (!smap || !classify_is_plain(&smap->map) || !smap->map.readable ||
	    smap->map.executable ||
	    claims_touch(&evidence->claims, point->address, point->address + 1))
		return;
	start = point->class == CLASS_GC_TABLE ? point->address : smap->map.start;
	claims_add(&evidence->claims, start, smap->map.end, point->class, NULL);
}

void evidence_jvm(struct evidence *evidence)
{
	const struct map *map = find_libjvm(evidence->smaps);
	struct sandbox_image image;
	cleanup_close int fd = -1;

	if (!map)
		return;
	fd = proc_open_map(evidence->pid, map);
	if (fd < 0 || sandbox_open(evidence->sandbox, fd, &image))
		return;
	/* The first segment has the file's beginning. */
	if (image.segment_count)
		ask(evidence, map, image.id,
		    map->start - (image.segments[0].address - image.segments[0].offset));
	sandbox_close(evidence->sandbox, image.id);
}

void evidence_jvm_points(struct evidence *evidence)
{
	vec_for_each (point, &evidence->points)
		claim_point(evidence, point);
}
