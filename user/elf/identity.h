/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who an image is, and which other files belong to it. */
#ifndef UNFREED_ELF_IDENTITY_H
#define UNFREED_ELF_IDENTITY_H

#include "elf/image.h"

/*
 * Fills the build-id, the links to debug files and the glibc version of info. What is missing or
 * broken stays empty: an image without identity can still be named from.
 */
void identity_read(struct image *image, struct image_info *info);

#endif
