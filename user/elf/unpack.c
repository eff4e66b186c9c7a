/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The gABI's SHF_COMPRESSED: a header in the file's own class and byte order, then the stream. */
#include "elf/unpack.h"

#include <libdeflate.h>

#include "base/vec.h"
#include "elf/image.h"

enum { RATIO_MAX = 1032 }; /* of the format: a header that says more is a lie */

static size_t header_bytes(struct image *image)
{
	return image_info(image)->bits32 ? sizeof(Elf32_Chdr) : sizeof(Elf64_Chdr);
}

bool unpack_header(struct image *image, const GElf_Shdr *header, GElf_Chdr *compressed)
{
	size_t bytes = header_bytes(image);
	Elf *elf = image_elf(image);
	Elf32_Chdr narrow;
	char raw[sizeof(Elf64_Chdr)];
	Elf_Data from = { .d_buf = raw, .d_type = ELF_T_CHDR, .d_version = EV_CURRENT };
	Elf_Data to = { .d_type = ELF_T_CHDR, .d_version = EV_CURRENT };
	bool bits32 = image_info(image)->bits32;

	from.d_size = to.d_size = bytes;
	to.d_buf = bits32 ? (void *)&narrow : compressed;
	if (header->sh_size < bytes ||
	    image_read_file(image, header->sh_offset, raw, bytes) != bytes ||
	    !gelf_xlatetom(elf, &to, &from, (unsigned char)elf_getident(elf, NULL)[EI_DATA]))
		return false;
	if (bits32)
		*compressed = (GElf_Chdr){ .ch_type = narrow.ch_type,
					   .ch_size = narrow.ch_size,
					   .ch_addralign = narrow.ch_addralign };
	return true;
}

static bool decompress(const void *from, size_t from_bytes, void *to, size_t to_bytes)
{
	struct libdeflate_decompressor *decompressor = libdeflate_alloc_decompressor();
	enum libdeflate_result result;

	if (!decompressor)
		return false;
	result = libdeflate_zlib_decompress(decompressor, from, from_bytes, to, to_bytes, NULL);
	libdeflate_free_decompressor(decompressor);
	return result == LIBDEFLATE_SUCCESS;
}

void *unpack_section(struct image *image, const GElf_Shdr *header)
{
	size_t skip = header_bytes(image), bytes;
	GElf_Chdr compressed;
	void *from, *to = NULL;

	if (!unpack_header(image, header, &compressed) || compressed.ch_type != ELFCOMPRESS_ZLIB)
		return NULL;
	bytes = header->sh_size - skip;
	if (!compressed.ch_size || compressed.ch_size / RATIO_MAX > bytes)
		return NULL;
	from = mem_alloc(bytes + 1);
	if (image_read_file(image, header->sh_offset + skip, from, bytes) == bytes) {
		to = mem_alloc(compressed.ch_size);
		if (!decompress(from, bytes, to, compressed.ch_size)) {
			mem_free(to);
			to = NULL;
		}
	}
	mem_free(from);
	return to;
}

bool unpack_replace(Elf_Scn *section, void *contents, size_t bytes)
{
	GElf_Shdr header;
	Elf_Data *data;

	/* It is not to read what it thinks is there. */
	if (!gelf_getshdr(section, &header))
		return false;
	header.sh_flags &= ~(GElf_Xword)SHF_COMPRESSED;
	header.sh_size = 0;
	if (!gelf_update_shdr(section, &header))
		return false;
	data = elf_getdata(section, NULL);
	if (!data)
		return false;
	data->d_buf = contents;
	data->d_size = header.sh_size = bytes;
	return gelf_update_shdr(section, &header);
}
