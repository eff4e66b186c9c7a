/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An ELF file of a target, opened by its file descriptor. The file is hostile and may change while
 * it is open: it is read, never mapped (a mapped file that is truncated raises SIGBUS), section by
 * section as asked for, within IMAGE_SECTION_MAX bytes each. No path is ever opened.
 */
#ifndef UNFREED_ELF_IMAGE_H
#define UNFREED_ELF_IMAGE_H

#include <gelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	IMAGE_SECTION_MAX = 512 << 20, /* bytes, uncompressed: more is taken as broken */
	IMAGE_LOADED_MAX = 1 << 30, /* of all sections that are read: they may be one place's */
	IMAGE_SEGMENTS_MAX = 16,
	IMAGE_BUILD_ID_MAX = 64,
	IMAGE_NAME_MAX = 256,
};

struct image_segment { /* PT_LOAD */
	uint64_t offset, address, file_bytes, memory_bytes;
	bool executable;
};

/* What every reader of an image needs, read once when it is opened. */
struct image_info {
	bool bits32;
	uint16_t machine; /* EM_… */
	uint16_t type; /* ET_… */
	uint64_t base; /* lowest PT_LOAD address; 0 where there is none */
	uint64_t entry; /* e_entry; 0: none */
	struct image_segment segments[IMAGE_SEGMENTS_MAX];
	uint32_t segment_count;
	uint8_t build_id[IMAGE_BUILD_ID_MAX];
	uint32_t build_id_bytes; /* 0: none */
	char debuglink[IMAGE_NAME_MAX];
	uint32_t debuglink_crc;
	char altlink[IMAGE_NAME_MAX];
	uint8_t alt_build_id[IMAGE_BUILD_ID_MAX];
	uint32_t alt_build_id_bytes;
	char glibc_version[16]; /* "2.36" where the image is a glibc's libc.so.6, else "" */
};

struct image_section {
	const uint8_t *bytes; /* the image's, until image_free; not aligned */
	size_t size;
	uint64_t address; /* sh_addr; 0 in sections that are not loaded */
};

struct image;

/*
 * Opens the regular file behind fd, of which the image keeps a duplicate. Returns 0, -ENOEXEC (no
 * ELF file) or another negative errno, with a sentence.
 */
int image_open(struct image **image, int fd);

/* The same from memory, which is copied. */
int image_open_bytes(struct image **image, const void *bytes, size_t count);

void image_free(struct image *image); /* NULL is legal */

const struct image_info *image_info(const struct image *image);
Elf *image_elf(struct image *image);

/*
 * The contents of a section by name, decompressed, in the file's byte order. Returns 0, -ENOENT
 * (none, or it has no contents, as in a separate debug file) or -EINVAL (broken, too large).
 */
int image_section(struct image *image, const char *name, struct image_section *section);

/* The address of a section by name, whether it has contents or not; 0: none. */
uint64_t image_section_address(struct image *image, const char *name);

/*
 * The readers of elf/ itself. Walks over all sections with a name, until visit returns false; the
 * bytes that a section's contents take, decompressed; its contents, decompressed (NULL: none,
 * broken, larger than IMAGE_SECTION_MAX or beyond IMAGE_LOADED_MAX).
 */
typedef bool (*image_section_fn)(Elf_Scn *section, const GElf_Shdr *header, const char *name,
				 void *context);
void image_sections(struct image *image, image_section_fn visit, void *context);
uint64_t image_section_bytes(struct image *image, Elf_Scn *section, const GElf_Shdr *header);
const Elf_Data *image_section_data(struct image *image, Elf_Scn *section, const GElf_Shdr *header);

/* The contents of a compressed section are not wanted: it is as if it were empty. */
void image_section_drop(Elf_Scn *section);

/* Copies up to count bytes from an offset in the file; returns how many it has there. */
size_t image_read_file(const struct image *image, uint64_t offset, void *buffer, size_t count);

/* Copies up to count bytes from an address in a segment; returns how many the file has there. */
size_t image_read(struct image *image, uint64_t address, void *buffer, size_t count);

/* The file offset of an address in a segment: 0 and *offset, or -ENOENT. */
int image_offset(const struct image *image, uint64_t address, uint64_t *offset);

/* The CRC-32 of the whole file, as .gnu_debuglink has it; -EFBIG beyond IMAGE_CRC_MAX bytes. */
#define IMAGE_CRC_MAX (4ULL << 30)
int image_crc(struct image *image, uint32_t *crc);

#endif
