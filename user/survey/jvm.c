/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* libjvm's mapping gives its image, and where it lies. */
#include "survey/jvm.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "hotspot/hotspot.h"
#include "process/resident.h"

bool jvm_is_library(const struct map *map)
{
	static const char name[] = "/libjvm.so";
	size_t length = map->path ? strlen(map->path) : 0;

	return length >= sizeof(name) && !map->offset &&
	       !strcmp(map->path + length - (sizeof(name) - 1), name);
}

int jvm_open(struct jvm *jvm, struct sandbox *sandbox, pid_t pid, const struct map *map,
	     int memory_fd, int pagemap_fd)
{
	cleanup_close int fd = proc_open_map(pid, map);
	struct sandbox_image image;
	int error = fd < 0 ? fd : sandbox_open(sandbox, fd, &image);

	if (error)
		return error == -ENOENT || error == -EINVAL ? -EIO : error;
	error = error_set(-EINVAL, "pid %d: %s has no segments", (int)pid, map->path);
	/* The first segment has the file's beginning. */
	if (image.segment_count)
		error = sandbox_jvm_open(
			sandbox, image.id,
			map->start - (image.segments[0].address - image.segments[0].offset),
			memory_fd, pagemap_fd, &jvm->id);
	if (error) {
		sandbox_close(sandbox, image.id);
		return error;
	}
	jvm->sandbox = sandbox;
	jvm->image = image.id;
	return 0;
}

void jvm_close(struct jvm *jvm)
{
	sandbox_jvm_close(jvm->sandbox, jvm->id);
	sandbox_close(jvm->sandbox, jvm->image);
}

static int read_facts(struct hotspot_facts *facts, pid_t pid, const struct map *map)
{
	struct resident *resident = NULL;
	struct sandbox *sandbox;
	struct jvm jvm;
	int error = resident_open(&resident, pid);

	if (error)
		return error;
	sandbox = sandbox_new();
	error = jvm_open(&jvm, sandbox, pid, map, resident_memory_fd(resident),
			 resident_pagemap_fd(resident));
	if (!error) {
		error = sandbox_jvm_facts(sandbox, jvm.id, facts);
		jvm_close(&jvm);
	}
	sandbox_free(sandbox);
	resident_free(resident);
	return error;
}

int jvm_facts(struct hotspot_facts *facts, pid_t pid)
{
	struct maps maps;
	int error = maps_read(&maps, pid);

	if (error)
		return error;
	error = error_set(-ENOENT, "pid %d runs no HotSpot JVM", (int)pid);
	vec_for_each (map, &maps.rows) {
		if (jvm_is_library(map)) {
			error = read_facts(facts, pid, map);
			break;
		}
	}
	maps_free(&maps);
	return error;
}
