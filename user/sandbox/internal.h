/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the files of sandbox share. */
#ifndef UNFREED_SANDBOX_INTERNAL_H
#define UNFREED_SANDBOX_INTERNAL_H

#include "base/vec.h"
#include "elf/image.h"
#include "hotspot/hotspot.h"
#include "sandbox/sandbox.h"
#include "symbol/symbol.h"

struct entry {
	struct image *image; /* NULL: closed */
	struct image *debug, *alt;
	struct symboliser *symboliser; /* made when first asked for names */
};

struct sandbox {
	VEC(struct entry) entries; /* by id */
	VEC(struct hotspot *) jvms; /* by id, NULL: closed */
};

/* An image by its id; NULL, with a sentence: none has it. */
struct image *sandbox_image_of(struct sandbox *sandbox, uint32_t id);

#endif
