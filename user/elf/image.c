/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* An ELF file of a target: opening it, its segments, its sections, its bytes. */
#include "elf/image.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/error.h"
#include "base/vec.h"
#include "elf/identity.h"
#include "elf/unpack.h"

enum {
	SECTIONS_WALK_MAX = 65536, /* more is no linker's work */
	CRC_CHUNK_BYTES = 16 << 10,
};

struct image {
	Elf *elf;
	int fd; /* -1: from memory */
	char *bytes; /* of an image from memory */
	size_t byte_count;
	uint64_t loaded_bytes; /* of sections, in memory until the image is freed */
	uint8_t loaded[SECTIONS_WALK_MAX / 8]; /* a bit for each of them */
	VEC(void *) inflated; /* contents of sections */
	struct image_info info;
};

static int read_segments(Elf *elf, struct image_info *info)
{
	size_t count;

	if (elf_getphdrnum(elf, &count))
		return error_set(-EINVAL, "broken ELF file: %s", elf_errmsg(-1));
	info->base = UINT64_MAX;
	for (size_t i = 0; i < count && info->segment_count < IMAGE_SEGMENTS_MAX; i++) {
		GElf_Phdr header;

		if (!gelf_getphdr(elf, i, &header))
			return error_set(-EINVAL, "broken ELF program headers: %s", elf_errmsg(-1));
		if (header.p_type != PT_LOAD)
			continue;
		info->segments[info->segment_count++] = (struct image_segment){
			.offset = header.p_offset,
			.address = header.p_vaddr,
			.file_bytes = header.p_filesz,
			.memory_bytes = header.p_memsz,
			.executable = header.p_flags & PF_X,
		};
		if (header.p_vaddr < info->base)
			info->base = header.p_vaddr;
	}
	if (!info->segment_count)
		info->base = 0;
	return 0;
}

static int read_info(struct image *image)
{
	struct image_info *info = &image->info;
	GElf_Ehdr header;
	int error;

	if (elf_kind(image->elf) != ELF_K_ELF || !gelf_getehdr(image->elf, &header))
		return error_set(-ENOEXEC, "not an ELF file");
	if (header.e_type != ET_EXEC && header.e_type != ET_DYN)
		return error_set(-ENOEXEC, "neither a program nor a shared library (ELF type %u)",
				 header.e_type);
	info->bits32 = gelf_getclass(image->elf) == ELFCLASS32;
	info->machine = header.e_machine;
	info->entry = header.e_entry;
	info->type = header.e_type;
	error = read_segments(image->elf, info);
	if (error)
		return error;
	identity_read(image, info);
	return 0;
}

static int begin(struct image **result, struct image *image)
{
	int error = image->elf ? read_info(image)
			       : error_set(-ENOEXEC, "not an ELF file: %s", elf_errmsg(-1));

	if (error) {
		image_free(image);
		return error;
	}
	*result = image;
	return 0;
}

int image_open(struct image **result, int fd)
{
	struct image *image;
	struct stat status;

	if (fstat(fd, &status))
		return error_set(-errno, "cannot stat an ELF file: %s", strerror(errno));
	if (!S_ISREG(status.st_mode))
		return error_set(-ENOEXEC, "not an ELF file: not a regular file");
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return error_set(-errno, "cannot duplicate a file descriptor: %s", strerror(errno));

	elf_version(EV_CURRENT);
	image = mem_alloc(sizeof(*image));
	image->fd = fd;
	image->elf = elf_begin(fd, ELF_C_READ, NULL);
	return begin(result, image);
}

int image_open_bytes(struct image **result, const void *bytes, size_t count)
{
	struct image *image;

	if (!count)
		return error_set(-ENOEXEC, "not an ELF file: empty");
	elf_version(EV_CURRENT);
	image = mem_alloc(sizeof(*image));
	image->fd = -1;
	image->bytes = mem_alloc(count);
	image->byte_count = count;
	memcpy(image->bytes, bytes, count);
	image->elf = elf_memory(image->bytes, count);
	return begin(result, image);
}

void image_free(struct image *image)
{
	if (!image)
		return;
	elf_end(image->elf);
	if (image->fd >= 0)
		close(image->fd);
	vec_for_each (contents, &image->inflated)
		mem_free(*contents);
	vec_free(&image->inflated);
	mem_free(image->bytes);
	mem_free(image);
}

const struct image_info *image_info(const struct image *image)
{
	return &image->info;
}

Elf *image_elf(struct image *image)
{
	return image->elf;
}

/* -- sections -----------------------------------------------------------------------------------
 */

void image_sections(struct image *image, image_section_fn visit, void *context)
{
	Elf_Scn *section = NULL;
	size_t names;

	if (elf_getshdrstrndx(image->elf, &names))
		return;
	for (int i = 0; i < SECTIONS_WALK_MAX; i++) {
		const char *name;
		GElf_Shdr header;

		section = elf_nextscn(image->elf, section);
		if (!section)
			return;
		if (!gelf_getshdr(section, &header))
			continue;
		name = elf_strptr(image->elf, names, header.sh_name);
		if (name && !visit(section, &header, name, context))
			return;
	}
}

/*
 * libelf keeps what it has read of a section, and a file may have 65,536 of them over the same
 * bytes. Whether another one may be read.
 */
static bool may_load(struct image *image, Elf_Scn *section, uint64_t bytes)
{
	size_t index = elf_ndxscn(section);
	uint8_t bit = 1 << index % 8;

	if (index >= SECTIONS_WALK_MAX)
		return false;
	if (image->loaded[index / 8] & bit)
		return true;
	if (bytes > IMAGE_SECTION_MAX || bytes > IMAGE_LOADED_MAX - image->loaded_bytes)
		return false;
	image->loaded[index / 8] |= bit;
	image->loaded_bytes += bytes;
	return true;
}

uint64_t image_section_bytes(struct image *image, Elf_Scn *section, const GElf_Shdr *header)
{
	GElf_Chdr compressed;

	(void)section;
	if (header->sh_type == SHT_NOBITS)
		return 0;
	if (!(header->sh_flags & SHF_COMPRESSED))
		return header->sh_size;
	return unpack_header(image, header, &compressed) ? compressed.ch_size : UINT64_MAX;
}

/* Decompressed, a section counts once more: both are in memory for a while. */
static bool decompress(struct image *image, Elf_Scn *section, const GElf_Shdr *header,
		       uint64_t bytes)
{
	void *contents;

	if (bytes > IMAGE_LOADED_MAX - image->loaded_bytes)
		return false;
	contents = unpack_section(image, header);
	if (contents)
		*vec_add(&image->inflated) = contents;
	if (contents ? !unpack_replace(section, contents, bytes) : elf_compress(section, 0, 0) < 0)
		return false;
	image->loaded_bytes += bytes;
	return true;
}

void image_section_drop(Elf_Scn *section)
{
	unpack_replace(section, NULL, 0);
}

const Elf_Data *image_section_data(struct image *image, Elf_Scn *section, const GElf_Shdr *header)
{
	uint64_t bytes = image_section_bytes(image, section, header);

	if (!bytes || bytes > IMAGE_SECTION_MAX || !may_load(image, section, bytes))
		return NULL;
	if ((header->sh_flags & SHF_COMPRESSED) && !decompress(image, section, header, bytes))
		return NULL;
	return elf_getdata(section, NULL);
}

/* The form before SHF_COMPRESSED: "ZLIB" and the size, big-endian, in front (.zdebug_frame). */
static const Elf_Data *inflate_gnu(struct image *image, Elf_Scn *section, const GElf_Shdr *header)
{
	const Elf_Data *raw =
		may_load(image, section, header->sh_size) ? elf_rawdata(section, NULL) : NULL;
	uint64_t bytes;

	if (!raw || !raw->d_buf)
		return NULL;
	if (raw->d_size < 12 || memcmp(raw->d_buf, "ZLIB", 4))
		return elf_getdata(section, NULL); /* inflated before */
	memcpy(&bytes, (const char *)raw->d_buf + 4, sizeof(bytes));
	bytes = be64toh(bytes);
	if (bytes > IMAGE_SECTION_MAX || bytes > IMAGE_LOADED_MAX - image->loaded_bytes ||
	    elf_compress_gnu(section, 0, 0) < 0)
		return NULL;
	image->loaded_bytes += bytes;
	return elf_getdata(section, NULL);
}

struct wanted {
	struct image *image;
	const char *name;
	struct image_section *section;
	int error;
};

static bool take_section(Elf_Scn *section, const GElf_Shdr *header, const char *name, void *context)
{
	struct wanted *wanted = context;
	bool is_gnu = !strncmp(name, ".zdebug_", 8) && !strcmp(name + 2, wanted->name + 1);
	const Elf_Data *data;

	if (!is_gnu && strcmp(name, wanted->name))
		return true;
	if (!image_section_bytes(wanted->image, section, header))
		return false;
	data = is_gnu ? inflate_gnu(wanted->image, section, header)
		      : image_section_data(wanted->image, section, header);
	if (!data || !data->d_buf) {
		wanted->error = error_set(-EINVAL, "broken section %s", wanted->name);
		return false;
	}
	*wanted->section = (struct image_section){
		.bytes = data->d_buf,
		.size = data->d_size,
		.address = header->sh_addr,
	};
	wanted->error = 0;
	return false;
}

int image_section(struct image *image, const char *name, struct image_section *section)
{
	struct wanted wanted = {
		.image = image, .name = name, .section = section, .error = -ENOENT
	};

	image_sections(image, take_section, &wanted);
	return wanted.error == -ENOENT ? error_set(-ENOENT, "no section %s", name) : wanted.error;
}

struct located {
	const char *name;
	uint64_t address;
};

static bool locate(Elf_Scn *section, const GElf_Shdr *header, const char *name, void *context)
{
	struct located *located = context;

	if (strcmp(name, located->name))
		return true;
	located->address = header->sh_addr;
	return false;
}

uint64_t image_section_address(struct image *image, const char *name)
{
	struct located located = { .name = name };

	image_sections(image, locate, &located);
	return located.address;
}

/* -- bytes --------------------------------------------------------------------------------------
 */

static const struct image_segment *segment_of(const struct image *image, uint64_t address)
{
	for (uint32_t i = 0; i < image->info.segment_count; i++) {
		const struct image_segment *segment = &image->info.segments[i];

		if (address >= segment->address &&
		    address - segment->address < segment->file_bytes &&
		    segment->offset <= (uint64_t)INT64_MAX - segment->file_bytes &&
		    segment->file_bytes <= INT64_MAX)
			return segment;
	}
	return NULL;
}

int image_offset(const struct image *image, uint64_t address, uint64_t *offset)
{
	const struct image_segment *segment = segment_of(image, address);

	if (!segment)
		return error_set(-ENOENT, "address %#llx is in no segment of the file",
				 (unsigned long long)address);
	*offset = segment->offset + (address - segment->address);
	return 0;
}

size_t image_read_file(const struct image *image, uint64_t offset, void *buffer, size_t count)
{
	size_t done = 0;

	if (image->fd < 0) {
		if (offset >= image->byte_count)
			return 0;
		if (count > image->byte_count - offset)
			count = image->byte_count - offset;
		memcpy(buffer, image->bytes + offset, count);
		return count;
	}
	while (done < count) {
		ssize_t got = pread(image->fd, (char *)buffer + done, count - done, offset + done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		done += got;
	}
	return done;
}

size_t image_read(struct image *image, uint64_t address, void *buffer, size_t count)
{
	const struct image_segment *segment = segment_of(image, address);
	uint64_t skip;

	if (!segment)
		return 0;
	skip = address - segment->address;
	if (count > segment->file_bytes - skip)
		count = segment->file_bytes - skip;
	return image_read_file(image, segment->offset + skip, buffer, count);
}

int image_crc(struct image *image, uint32_t *crc)
{
	unsigned char *chunk = mem_alloc(CRC_CHUNK_BYTES);
	uint64_t offset = 0;
	size_t got;

	*crc = crc32(0, NULL, 0);
	while ((got = image_read_file(image, offset, chunk, CRC_CHUNK_BYTES))) {
		*crc = crc32(*crc, chunk, got);
		offset += got;
		if (offset > IMAGE_CRC_MAX) {
			mem_free(chunk);
			return error_set(-EFBIG, "debug file larger than %llu bytes",
					 (unsigned long long)IMAGE_CRC_MAX);
		}
	}
	mem_free(chunk);
	return 0;
}
