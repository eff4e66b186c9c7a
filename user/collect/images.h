/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The files that targets have mapped as code: opened once each, kept open so that names can be told
 * after the target has died, with their probes' places and unwind rows.
 */
#ifndef UNFREED_COLLECT_IMAGES_H
#define UNFREED_COLLECT_IMAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"
#include "collect/allocators.h"
#include "collect/tables.h"
#include "process/proc.h"
#include "sandbox/sandbox.h"

/* A function of the table of allocators, found in an image. */
struct placed {
	uint16_t row; /* of allocator_rows */
	char *symbol; /* with its allocator's prefix */
	struct sandbox_probe probe;
};

struct image {
	uint32_t major, minor;
	uint64_t inode;
	char *path; /* as the first process that mapped it sees it */
	int fd; /* -1: none (vdso) */
	bool usable; /* the sandbox knows it: id is valid */
	struct sandbox_image info;
	VEC(struct placed) probes; /* placed ones, in the order of the table */
	struct sandbox_exits exits; /* of those that may throw */
	VEC(char *) refused; /* "malloc: why" for functions without a safe place */
	VEC(const struct allocator_family *) families; /* that it has; one without prefix at most */
	uint32_t rows_first, rows_count;
	uint64_t rows_base;
	bool rows_left_out; /* it has some, but the table is full */
	bool debug; /* names come from a separate debug file, too */
};

struct images;

struct images *images_new(struct sandbox *sandbox, struct tables *tables);
void images_free(struct images *images); /* NULL is legal */

/*
 * The image behind an executable mapping of pid, opened if it is new. NULL where nothing can be
 * opened (anonymous code); an image that is no usable ELF file has usable false.
 */
struct image *images_get(struct images *images, pid_t pid, const struct map *map);

/* A part of anonymous code that is known by its bytes (unwind/stubs.h). */
struct stubs {
	uint64_t start, end;
	uint32_t row; /* its place in the table */
};

struct stubs_list {
	struct stubs *items;
	size_t count, capacity;
};

/* Adds those in an executable mapping of pid, as far as its first IMAGES_STUBS_MAX bytes go. */
enum { IMAGES_STUBS_MAX = 1 << 20 };
void images_stubs(struct images *images, pid_t pid, const struct map *map, struct stubs_list *list);

/* Image address of the first byte of a mapping: what stands at map->offset in the file. */
uint64_t image_address(const struct image *image, const struct map *map);

/* "libc.so.6": the last part of the path. */
const char *image_name(const struct image *image);

#endif
