/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sums of mappings by class. */
#include "model/footprint.h"

#include <stdarg.h>

#include "model/strings.h"

struct footprint *footprint_new(void)
{
	struct footprint *footprint = mem_alloc(sizeof(*footprint));

	footprint->strings = strings_new();
	return footprint;
}

void footprint_free(struct footprint *footprint)
{
	if (!footprint)
		return;
	vec_for_each (process, &footprint->processes)
		vec_free(&process->mappings);
	vec_free(&footprint->processes);
	vec_free(&footprint->notes);
	strings_free(footprint->strings);
	mem_free(footprint);
}

const char *footprint_string(struct footprint *footprint, const char *text)
{
	return strings_intern(footprint->strings, text);
}

void footprint_note(struct footprint *footprint, const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	text = mem_vprintf(format, arguments);
	va_end(arguments);
	*vec_add(&footprint->notes) = footprint_string(footprint, text);
	mem_free(text);
}

void figures_add(struct figures *sum, const struct figures *figures)
{
	sum->mappings += figures->mappings;
	sum->size_bytes += figures->size_bytes;
	sum->rss_bytes += figures->rss_bytes;
	sum->pss_bytes += figures->pss_bytes;
	sum->private_dirty_bytes += figures->private_dirty_bytes;
	sum->swap_bytes += figures->swap_bytes;
	sum->huge_bytes += figures->huge_bytes;
	sum->hugetlb_bytes += figures->hugetlb_bytes;
}

void footprint_add(struct footprint *footprint, struct footprint_process *process,
		   const struct footprint_mapping *mapping)
{
	*vec_add(&process->mappings) = *mapping;
	figures_add(&process->classes[mapping->class], &mapping->figures);
	figures_add(&process->total, &mapping->figures);
	figures_add(&footprint->classes[mapping->class], &mapping->figures);
	figures_add(&footprint->total, &mapping->figures);
}

uint64_t footprint_reclaimable(const struct footprint_group *group)
{
	return group->active_file_bytes + group->inactive_file_bytes;
}

uint64_t footprint_working_set(const struct footprint_group *group)
{
	return group->usage_bytes > group->inactive_file_bytes
		       ? group->usage_bytes - group->inactive_file_bytes
		       : 0;
}
