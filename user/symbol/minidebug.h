/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* .gnu_debugdata: the symbols that Fedora and its kin leave in a stripped file, as an ELF by xz. */
#ifndef UNFREED_SYMBOL_MINIDEBUG_H
#define UNFREED_SYMBOL_MINIDEBUG_H

#include "elf/image.h"

/* What an image has there, the caller's to free; NULL: nothing, or nothing good. */
struct image *minidebug_open(struct image *image);

#endif
