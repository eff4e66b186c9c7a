/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a JVM's own structures say of its memory. */
#include <errno.h>

#include "survey/classify.h"
#include "survey/evidence.h"
#include "survey/jvm.h"

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
	struct jvm jvm;

	vec_for_each (smap, &evidence->smaps->rows) {
		int error;

		if (!jvm_is_library(&smap->map))
			continue;
		error = jvm_open(&jvm, evidence->sandbox, evidence->pid, &smap->map,
				 resident_memory_fd(evidence->resident),
				 resident_pagemap_fd(evidence->resident));
		if (!error) {
			sandbox_jvm_areas(evidence->sandbox, jvm.id, take_area, evidence);
			jvm_close(&jvm);
		} else if (error == -ENOENT || error == -EINVAL) {
			footprint_note(evidence->footprint,
				       "pid %d: its JVM (%s) is not understood: heap and "
				       "metaspace are among what is unknown",
				       (int)evidence->pid, smap->map.path);
		}
		return;
	}
}

void evidence_jvm_points(struct evidence *evidence)
{
	vec_for_each (point, &evidence->points)
		claim_point(evidence, point);
}
