/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Names of addresses: asked for in bulk, once for each unique address of an image. */
#ifndef UNFREED_COLLECT_NAMES_H
#define UNFREED_COLLECT_NAMES_H

#include "collect/images.h"
#include "model/snapshot.h"

struct names;

struct named_frame {
	char *name; /* NULL: unknown */
	char *file; /* NULL: unknown */
	uint32_t line;
	enum frame_type type;
};

struct named {
	VEC(struct named_frame) frames; /* innermost first; at least one once resolved */
};

void named_clear(struct named *named);

struct names *names_new(struct sandbox *sandbox);
void names_free(struct names *names); /* NULL is legal */

/* Notes that an image address will be asked for. */
void names_want(struct names *names, struct image *image, uint64_t address);

/* Forgets the names of an image that is to be freed. */
void names_forget(struct names *names, const struct image *image);

/* Calls visit for each image of which something is wanted. */
void names_images(const struct names *names, void (*visit)(struct image *image, void *context),
		  void *context);

/* Resolves all that is wanted and not known yet. */
void names_resolve(struct names *names);

/* NULL where it was never wanted. */
const struct named *names_get(const struct names *names, const struct image *image,
			      uint64_t address);

#endif
