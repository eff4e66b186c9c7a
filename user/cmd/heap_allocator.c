/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whose malloc a process calls: told by symbols that only one allocator exports. */
#include <string.h>
#include <unistd.h>

#include "cmd/heap_sample.h"
#include "collect/allocators.h"
#include "sandbox/sandbox.h"

/* What can be said where the books of an allocator are closed to us. */
static const struct {
	const char *name, *advice;
} advices[] = {
	{ "jemalloc",
	  "jemalloc keeps its books where only its own symbols lead: ask it for them, by mallctl() "
	  "or by MALLOC_CONF=stats_print:true at its start; unfreed map tells what it has mapped" },
	{ "tcmalloc",
	  "tcmalloc keeps its books where only its own symbols lead: ask it for them, by "
	  "MallocExtension::GetStats() or MALLOCSTATS=1 at its start; unfreed map tells what it "
	  "has "
	  "mapped" },
	{ "mimalloc",
	  "mimalloc keeps its books where only its own symbols lead: ask it for them, by "
	  "mi_stats_print() or MIMALLOC_SHOW_STATS=1 at its start; unfreed map tells what it has "
	  "mapped" },
	{ "unknown malloc",
	  "its malloc is none that is known; unfreed map tells what it has mapped" },
};

const char *heap_allocator_advice(const char *allocator)
{
	for (size_t i = 0; i < sizeof(advices) / sizeof(*advices); i++) {
		if (!strcmp(advices[i].name, allocator))
			return advices[i].advice;
	}
	return NULL;
}

/* The family whose plain names an image has, or NULL. */
static const struct allocator_family *family_of(struct sandbox *sandbox, pid_t pid,
						const struct map *map)
{
	const struct allocator_family *found = NULL;
	struct sandbox_probe_request *requests =
		mem_array(allocator_family_count, sizeof(*requests));
	struct sandbox_probe *probes = mem_array(allocator_family_count, sizeof(*probes));
	struct sandbox_image image;
	int fd = proc_open_map(pid, map);

	if (fd >= 0 && !sandbox_open(sandbox, fd, &image)) {
		for (size_t i = 0; i < allocator_family_count; i++)
			requests[i].symbol = allocator_families[i].marker;
		sandbox_probes(sandbox, image.id, requests, allocator_family_count, probes);
		for (size_t i = 0; i < allocator_family_count && !found; i++) {
			if (probes[i].found && !*allocator_families[i].prefix)
				found = &allocator_families[i];
		}
		sandbox_close(sandbox, image.id);
	}
	if (fd >= 0)
		close(fd);
	mem_free(probes);
	mem_free(requests);
	return found;
}

/* Any other allocator comes before the C library's: it was linked in or preloaded to. */
const char *heap_allocator(pid_t pid, const struct maps *maps)
{
	struct sandbox *sandbox = sandbox_new();
	const struct allocator_family *libc = NULL, *other = NULL;
	uint64_t inode = 0;

	vec_for_each (map, &maps->rows) {
		const struct allocator_family *family;

		if (!map->executable || !map->inode || map->inode == inode)
			continue;
		inode = map->inode;
		family = family_of(sandbox, pid, map);
		if (!family)
			continue;
		if (family->allocator & (ALLOCATOR_GLIBC | ALLOCATOR_MUSL))
			libc = libc ? libc : family;
		else if (!other || other->allocator == ALLOCATOR_OTHER)
			other = family;
	}
	sandbox_free(sandbox);
	if (other && (other->allocator != ALLOCATOR_OTHER || !libc))
		return other->name;
	return libc ? libc->name : "none";
}
