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
	uint32_t number; /* no other's */
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
	bool dropped; /* nothing mapped it any more: another one may stand for the file now */
	bool rows_left_out; /* it has some, but the table is full */
	bool debug; /* names come from a separate debug file, too */
	bool used, named; /* while images are dropped: it is mapped; stacks name it */
};

struct images;

enum { IMAGES_OPEN_MAX = 1024 }; /* beyond which those that nothing maps are dropped */

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

/* Whether what no process maps any more should be dropped, for new ones: too many are open, or the
 * rows of one found no room. */
bool images_crowded(const struct images *images);

/* Whether it is one to be dropped. */
bool image_is_idle(const struct image *image);

/*
 * Lets go of what is idle: of those that are named, the names of allocators and
 * the path stay. visit is called for each image that is freed altogether.
 */
void images_drop(struct images *images, void (*visit)(const struct image *image, void *context),
		 void *context);

/* Behind images_drop, once the kernel side does not read dropped rows any more: their places are
 * free, and what was left out tries again. */
void images_settle(struct images *images);

/* Each image that there is. */
void images_each(struct images *images, void (*visit)(struct image *image, void *context),
		 void *context);

/*
 * Gives an image whose debug file was not found one from elsewhere. Returns 0, or -errno with a
 * sentence where it does not belong to it.
 */
int images_debug(struct images *images, struct image *image, int fd);

/* Image address of the first byte of a mapping: what stands at map->offset in the file. */
uint64_t image_address(const struct image *image, const struct map *map);

/* "libc.so.6": the last part of the path. */
const char *image_name(const struct image *image);

#endif
