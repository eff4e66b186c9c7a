/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* An ELF file: opened from memory and by its descriptor, its identity, sections and symbols. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "elf/image.h"
#include "elf/symtab.h"
#include "fuzz.h"

static void check_info(const struct image_info *info)
{
	fuzz_expect(info->segment_count <= IMAGE_SEGMENTS_MAX);
	fuzz_expect(info->build_id_bytes <= IMAGE_BUILD_ID_MAX);
	fuzz_expect(info->alt_build_id_bytes <= IMAGE_BUILD_ID_MAX);
	fuzz_expect(memchr(info->debuglink, 0, sizeof(info->debuglink)));
	fuzz_expect(!strchr(info->debuglink, '/'));
	fuzz_expect(memchr(info->altlink, 0, sizeof(info->altlink)));
	fuzz_expect(memchr(info->glibc_version, 0, sizeof(info->glibc_version)));
}

static volatile unsigned int sum;

/* Each byte that is said to be there is there. */
static void touch(const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sum += bytes[i];
}

static size_t read_all(struct image *image, uint64_t address)
{
	static const char *const names[] = { ".text", ".eh_frame", ".dynsym", ".debug_info" };
	uint8_t bytes[64];
	uint64_t offset;
	size_t found = 0;

	for (int i = 0; i < 4; i++) {
		struct image_section section;

		image_section_address(image, names[i]);
		if (image_section(image, names[i], &section))
			continue;
		touch(section.bytes, section.size);
		found++;
	}
	fuzz_expect(image_read(image, address, bytes, sizeof(bytes)) <= sizeof(bytes));
	if (!image_offset(image, address, &offset))
		fuzz_expect(offset <= INT64_MAX);
	return found;
}

static size_t find_symbols(struct image *image, uint64_t address)
{
	static const char *const names[] = { "malloc", "f" };
	struct symtab_function functions[2];
	struct symtab *symtab = symtab_new(image, NULL);
	size_t found = 0;

	symtab_functions(image, names, 2, functions);
	for (uint64_t at = address; at < address + 4096; at += 16) {
		const struct symtab_entry *entry = symtab_find(symtab, at);

		if (!entry)
			continue;
		fuzz_expect(at >= entry->address && at < entry->end);
		touch((const uint8_t *)entry->name, strlen(entry->name));
		found++;
	}
	symtab_free(symtab);
	return found + functions[0].found + functions[1].found;
}

static int use(struct image *image)
{
	const struct image_info *info = image_info(image);
	uint64_t address = info->segment_count ? info->segments[0].address : 0;
	size_t sections, symbols;
	uint32_t crc;

	check_info(info);
	sections = read_all(image, address);
	symbols = find_symbols(image, address > UINT64_MAX - 8192 ? 0 : address);
	image_crc(image, &crc);
	fuzz_end("%u segments, build-id of %u bytes, %zu sections, %zu symbols%s%s",
		 info->segment_count, info->build_id_bytes, sections, symbols,
		 *info->debuglink ? ", debug file " : "", info->debuglink);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image *image;

	if (image_open_bytes(&image, data, size)) {
		fuzz_end("%s", error_message());
	} else {
		use(image);
		image_free(image);
	}
	if (!image_open(&image, fuzz_file(data, size))) {
		use(image);
		image_free(image);
	}
	return 0;
}
