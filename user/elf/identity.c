/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Build-id, .gnu_debuglink, .gnu_debugaltlink, and the version of a glibc. */
#include "elf/identity.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	NOTES_MAX_BYTES = 1 << 20,
	NOTES_MAX = 4096,
	LINK_MAX_BYTES = 64 << 10,
	VERSIONS_MAX = 1024,
	DYNAMIC_MAX = 4096,
	BANNER_BYTES = 160,
};

/* -- build-id -----------------------------------------------------------------------------------
 */

static bool take_build_id(Elf_Data *data, struct image_info *info)
{
	size_t offset = 0;

	for (int i = 0; data && i < NOTES_MAX; i++) {
		size_t name, description;
		GElf_Nhdr note;

		offset = gelf_getnote(data, offset, &note, &name, &description);
		if (!offset)
			return false;
		if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != sizeof("GNU") ||
		    memcmp((char *)data->d_buf + name, "GNU", sizeof("GNU")))
			continue;
		if (!note.n_descsz || note.n_descsz > sizeof(info->build_id))
			return false;
		memcpy(info->build_id, (char *)data->d_buf + description, note.n_descsz);
		info->build_id_bytes = note.n_descsz;
		return true;
	}
	return false;
}

/* Where section headers are stripped, the notes are still in a segment. */
static void build_id_of_segments(Elf *elf, struct image_info *info)
{
	size_t count;

	if (elf_getphdrnum(elf, &count))
		return;
	for (size_t i = 0; i < count; i++) {
		GElf_Phdr header;
		Elf_Type type;

		if (!gelf_getphdr(elf, i, &header) || header.p_type != PT_NOTE ||
		    header.p_filesz > NOTES_MAX_BYTES)
			continue;
		type = header.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR;
		if (take_build_id(elf_getdata_rawchunk(elf, header.p_offset, header.p_filesz, type),
				  info))
			return;
	}
}

/* -- glibc's version ----------------------------------------------------------------------------
 */

static bool is_libc(struct image *image, Elf_Scn *section, const GElf_Shdr *header)
{
	Elf_Data *data = (Elf_Data *)image_section_data(image, section, header);
	GElf_Dyn entry;

	for (int i = 0; data && i < DYNAMIC_MAX && gelf_getdyn(data, i, &entry); i++) {
		const char *name;

		if (entry.d_tag == DT_NULL)
			break;
		if (entry.d_tag != DT_SONAME)
			continue;
		name = elf_strptr(image_elf(image), header->sh_link, entry.d_un.d_val);
		return name && !strcmp(name, "libc.so.6");
	}
	return false;
}

/* "GNU C Library (Debian GLIBC 2.31-13) stable release version 2.31.", which it prints when run. */
static bool banner_version(struct image *image, Elf_Scn *section, const GElf_Shdr *header,
			   struct image_info *info)
{
	static const char start[] = "GNU C Library", version[] = " release version 2.";
	const Elf_Data *data = image_section_data(image, section, header);
	char line[BANNER_BYTES] = "";
	const char *at = data && data->d_buf
				 ? memmem(data->d_buf, data->d_size, start, strlen(start))
				 : NULL;
	size_t left = at ? data->d_size - (size_t)(at - (const char *)data->d_buf) : 0;
	unsigned minor;

	if (!at)
		return false;
	memcpy(line, at, left < sizeof(line) - 1 ? left : sizeof(line) - 1);
	at = strstr(line, version);
	if (!at || sscanf(at + strlen(version), "%3u", &minor) != 1)
		return false;
	snprintf(info->glibc_version, sizeof(info->glibc_version), "2.%u", minor);
	return true;
}

/* The highest GLIBC_2.x that the library defines: most releases have added some symbol. */
static void highest_version(struct image *image, Elf_Scn *section, const GElf_Shdr *header,
			    struct image_info *info)
{
	Elf_Data *data = (Elf_Data *)image_section_data(image, section, header);
	unsigned highest = 0;
	size_t offset = 0;

	for (int i = 0; data && i < VERSIONS_MAX; i++) {
		GElf_Verdef definition;
		GElf_Verdaux aux;
		const char *name;
		unsigned minor;
		char rest;

		if (!gelf_getverdef(data, offset, &definition))
			break;
		name = gelf_getverdaux(data, offset + definition.vd_aux, &aux)
			       ? elf_strptr(image_elf(image), header->sh_link, aux.vda_name)
			       : NULL;
		if (name &&
		    (sscanf(name, "GLIBC_2.%3u%c", &minor, &rest) == 1 ||
		     sscanf(name, "GLIBC_2.%3u.%c", &minor, &rest) == 2) &&
		    minor > highest)
			highest = minor;
		if (!definition.vd_next || definition.vd_next > data->d_size - offset)
			break;
		offset += definition.vd_next;
	}
	if (highest)
		snprintf(info->glibc_version, sizeof(info->glibc_version), "2.%u", highest);
}

/* -- all of it, in one walk over the sections ---------------------------------------------------
 */

struct reading {
	struct image *image;
	struct image_info *info;
	uint64_t note_bytes; /* read so far: a file may have 65,536 sections of notes */
	bool dynamic, libc;
	Elf_Scn *versions, *rodata;
	GElf_Shdr versions_header, rodata_header;
};

/* A link: a file name, and behind its NUL (and padding up to align) the check, to the end. */
static const uint8_t *take_link(struct image *image, Elf_Scn *section, const GElf_Shdr *header,
				size_t align, char name[IMAGE_NAME_MAX], size_t *check_bytes)
{
	const Elf_Data *data;
	size_t length, check;

	if (image_section_bytes(image, section, header) > LINK_MAX_BYTES)
		return NULL;
	data = image_section_data(image, section, header);
	if (!data || !data->d_buf)
		return NULL;
	length = strnlen(data->d_buf, data->d_size);
	check = (length + 1 + align - 1) / align * align;
	if (!length || length >= IMAGE_NAME_MAX || check >= data->d_size)
		return NULL;
	memcpy(name, data->d_buf, length + 1);
	*check_bytes = data->d_size - check;
	return (const uint8_t *)data->d_buf + check;
}

static void take_debuglink(struct reading *reading, Elf_Scn *section, const GElf_Shdr *header)
{
	char name[IMAGE_NAME_MAX];
	size_t bytes;
	const uint8_t *crc = take_link(reading->image, section, header, 4, name, &bytes);
	bool big = elf_getident(image_elf(reading->image), NULL)[EI_DATA] == ELFDATA2MSB;

	/* It is a file name, to be looked for in known directories, never a path. */
	if (!crc || bytes < 4 || strchr(name, '/'))
		return;
	memcpy(reading->info->debuglink, name, sizeof(name));
	for (int i = 0; i < 4; i++)
		reading->info->debuglink_crc |= (uint32_t)crc[i] << 8 * (big ? 3 - i : i);
}

static void take_altlink(struct reading *reading, Elf_Scn *section, const GElf_Shdr *header)
{
	char name[IMAGE_NAME_MAX];
	size_t bytes;
	const uint8_t *build_id = take_link(reading->image, section, header, 1, name, &bytes);

	if (!build_id || bytes > IMAGE_BUILD_ID_MAX)
		return;
	memcpy(reading->info->altlink, name, sizeof(name));
	memcpy(reading->info->alt_build_id, build_id, bytes);
	reading->info->alt_build_id_bytes = bytes;
}

static bool read_section(Elf_Scn *section, const GElf_Shdr *header, const char *name, void *context)
{
	struct reading *reading = context;
	struct image_info *info = reading->info;
	struct image *image = reading->image;

	if (header->sh_type == SHT_NOTE && !info->build_id_bytes &&
	    image_section_bytes(image, section, header) <= NOTES_MAX_BYTES - reading->note_bytes) {
		reading->note_bytes += image_section_bytes(image, section, header);
		take_build_id((Elf_Data *)image_section_data(image, section, header), info);
	} else if (header->sh_type == SHT_DYNAMIC && !reading->dynamic) {
		reading->dynamic = true;
		reading->libc = is_libc(reading->image, section, header);
	} else if (header->sh_type == SHT_GNU_verdef && !reading->versions) {
		reading->versions = section;
		reading->versions_header = *header;
	} else if (!strcmp(name, ".rodata") && header->sh_type == SHT_PROGBITS &&
		   !reading->rodata) {
		reading->rodata = section;
		reading->rodata_header = *header;
	} else if (!strcmp(name, ".gnu_debuglink"))
		take_debuglink(reading, section, header);
	else if (!strcmp(name, ".gnu_debugaltlink"))
		take_altlink(reading, section, header);
	return true;
}

void identity_read(struct image *image, struct image_info *info)
{
	struct reading reading = { .image = image, .info = info };

	image_sections(image, read_section, &reading);
	if (!info->build_id_bytes)
		build_id_of_segments(image_elf(image), info);
	if (!reading.libc ||
	    (reading.rodata && banner_version(image, reading.rodata, &reading.rodata_header, info)))
		return;
	if (reading.versions)
		highest_version(image, reading.versions, &reading.versions_header, info);
}
