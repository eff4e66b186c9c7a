/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Compressed sections. libelf reads them whole to tell how large they are, and unpacks them by
 * zlib, which takes a second for a JVM's debug file.
 */
#ifndef UNFREED_ELF_UNPACK_H
#define UNFREED_ELF_UNPACK_H

#include <gelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct image;

/* What stands in front of a compressed section. False: it has no such header. */
bool unpack_header(struct image *image, const GElf_Shdr *header, GElf_Chdr *compressed);

/* Its contents, the caller's; NULL: broken, or compressed in another way than by zlib. */
void *unpack_section(struct image *image, const GElf_Shdr *header);

/* From now on, libelf has these contents for a section that was compressed. False: it has not. */
bool unpack_replace(Elf_Scn *section, void *contents, size_t bytes);

#endif
