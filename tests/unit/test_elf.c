/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Opened images: identity, sections, bytes, functions by name; files that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "elf/image.h"
#include "elf/symtab.h"

static int memory_file(const void *bytes, size_t count)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, count), count);
	return fd;
}

static struct image *open_self(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct image *image;

	assert_true(fd >= 0);
	assert_int_equal(image_open(&image, fd), 0);
	close(fd); /* the image has its own */
	return image;
}

int known_function(int x);

__attribute__((noinline)) int known_function(int x)
{
	return x + 42;
}

/* -- this program -------------------------------------------------------------------------------
 */

static int find_self(struct dl_phdr_info *info, size_t size, void *context)
{
	*(uint64_t *)context = info->dlpi_addr;
	return 1;
}

static void test_bytes_and_functions(void **state)
{
	static const char *const names[] = { "known_function", "main", "unknown_function" };
	struct symtab_function functions[3];
	struct image *image = open_self();
	const struct symtab_entry *entry;
	struct symtab *symtab;
	uint64_t load, address, offset;
	uint8_t code[8];

	dl_iterate_phdr(find_self, &load);
	address = (uint64_t)known_function - load;
	symtab_functions(image, names, 3, functions);
	assert_true(functions[0].found && functions[1].found && !functions[2].found);
	assert_int_equal(functions[0].address, address);
	assert_true(functions[0].bytes > 0);

	assert_int_equal(image_read(image, address, code, sizeof(code)), sizeof(code));
	assert_memory_equal(code, (void *)known_function, sizeof(code));
	assert_int_equal(image_offset(image, address, &offset), 0);
	assert_int_equal(image_offset(image, UINT64_MAX, &offset), -ENOENT);
	assert_int_equal(image_read(image, UINT64_MAX, code, sizeof(code)), 0);

	symtab = symtab_new(image, NULL);
	entry = symtab_find(symtab, address + functions[0].bytes - 1);
	assert_non_null(entry);
	assert_string_equal(entry->name, "known_function");
	assert_null(symtab_find(symtab, 0));
	assert_null(symtab_find(symtab, UINT64_MAX));
	symtab_free(symtab);
	image_free(image);
}

static void test_sections_and_segments(void **state)
{
	struct image *image = open_self();
	const struct image_info *info = image_info(image);
	struct image_section section;
	uint8_t bytes[4];

	assert_int_equal(info->bits32, sizeof(void *) == 4);
	assert_true(info->segment_count > 0);
	assert_int_equal(info->base, info->segments[0].address);
	assert_int_equal(image_section(image, ".eh_frame", &section), 0);
	assert_true(section.size > sizeof(bytes));
	assert_int_equal(image_read(image, section.address, bytes, sizeof(bytes)), sizeof(bytes));
	assert_memory_equal(section.bytes, bytes, sizeof(bytes));
	assert_int_equal(image_section(image, ".bss", &section), -ENOENT); /* no contents */
	assert_int_equal(image_section(image, ".none", &section), -ENOENT);
	image_free(image);
}

/* -- a file made here ---------------------------------------------------------------------------
 */

/* One of everything that says who an image is. */
struct made {
	Elf64_Ehdr header;
	Elf64_Phdr load, dynamic_note;
	Elf64_Shdr sections[8];
	struct {
		Elf64_Nhdr header;
		char name[4];
		uint8_t id[20];
	} note;
	struct {
		char name[12]; /* padded to 4 */
		uint8_t crc[4];
	} debuglink;
	struct {
		char name[8];
		uint8_t id[20];
	} altlink;
	Elf64_Dyn dynamic[2];
	struct {
		Elf64_Verdef definition;
		Elf64_Verdaux aux;
	} versions[3];
	char strings[64];
	char names[88];
};

#define OFFSET(member) offsetof(struct made, member)
#define SECTION(number, nm, ty, member, lk)                         \
	[number] = { .sh_name = nm,                                 \
		     .sh_type = ty,                                 \
		     .sh_offset = OFFSET(member),                   \
		     .sh_size = sizeof(((struct made *)0)->member), \
		     .sh_link = lk,                                 \
		     .sh_addralign = 1 }
#define VERSION(last, string)                                                           \
	{                                                                               \
		{ .vd_version = 1,                                                      \
		  .vd_cnt = 1,                                                          \
		  .vd_aux = sizeof(Elf64_Verdef),                                       \
		  .vd_next = last ? 0 : sizeof(Elf64_Verdef) + sizeof(Elf64_Verdaux) }, \
		{                                                                       \
			.vda_name = string                                              \
		}                                                                       \
	}

static const struct made made = {
	.header = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			     EV_CURRENT },
		.e_type = ET_DYN, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
		.e_ehsize = sizeof(Elf64_Ehdr), .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 2,
		.e_phoff = OFFSET(load), .e_shentsize = sizeof(Elf64_Shdr), .e_shnum = 8,
		.e_shoff = OFFSET(sections), .e_shstrndx = 1,
	},
	.load = { .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = 0x1000,
		  .p_filesz = sizeof(struct made), .p_memsz = sizeof(struct made) },
	.dynamic_note = { .p_type = PT_NOTE, .p_offset = OFFSET(note),
			  .p_filesz = sizeof(made.note), .p_align = 4 },
	.sections = {
		SECTION(1, 1, SHT_STRTAB, names, 0),
		SECTION(2, 11, SHT_NOTE, note, 0),
		SECTION(3, 17, SHT_PROGBITS, debuglink, 0),
		SECTION(4, 32, SHT_PROGBITS, altlink, 0),
		SECTION(5, 50, SHT_DYNAMIC, dynamic, 7),
		SECTION(6, 59, SHT_GNU_verdef, versions, 7),
		SECTION(7, 74, SHT_STRTAB, strings, 0),
	},
	.note = { { sizeof("GNU"), 20, NT_GNU_BUILD_ID }, "GNU", { 1, 2, 3, [19] = 20 } },
	.debuglink = { "lib.debug", { 0x78, 0x56, 0x34, 0x12 } },
	.altlink = { "../adwz",
		     { 9, [19] = 8 } },
	.dynamic = { { DT_SONAME, { 1 } }, { DT_NULL, { 0 } } },
	.versions = { VERSION(0, 11), VERSION(0, 21), VERSION(1, 32) },
	.strings = "\0libc.so.6\0GLIBC_2.9\0GLIBC_2.36\0GLIBC_PRIVATE",
	.names = "\0.shstrtab\0.note\0.gnu_debuglink\0.gnu_debugaltlink\0.dynamic\0"
		 ".gnu.version_d\0.dynstr",
};

static struct image *open_made(const struct made *file)
{
	struct image *image;
	int fd = memory_file(file, sizeof(*file));

	assert_int_equal(image_open(&image, fd), 0);
	close(fd);
	return image;
}

static void test_identity(void **state)
{
	struct image *image = open_made(&made);
	const struct image_info *info = image_info(image);

	assert_int_equal(info->machine, EM_X86_64);
	assert_int_equal(info->base, 0x1000);
	assert_true(info->segments[0].executable);
	assert_int_equal(info->build_id_bytes, 20);
	assert_memory_equal(info->build_id, made.note.id, 20);
	assert_string_equal(info->debuglink, "lib.debug");
	assert_int_equal(info->debuglink_crc, 0x12345678);
	assert_string_equal(info->altlink, "../adwz");
	assert_int_equal(info->alt_build_id_bytes, 20);
	assert_memory_equal(info->alt_build_id, made.altlink.id, 20);
	assert_string_equal(info->glibc_version, "2.36");
	image_free(image);
}

static void test_identity_without_sections(void **state)
{
	struct made file = made;
	struct image *image;

	file.header.e_shnum = file.header.e_shoff = file.header.e_shstrndx = 0;
	image = open_made(&file);
	assert_int_equal(image_info(image)->build_id_bytes, 20);
	assert_string_equal(image_info(image)->debuglink, "");
	image_free(image);
}

static void test_only_libc_has_a_glibc_version(void **state)
{
	struct made file = made;
	struct image *image;

	memcpy(file.strings + 1, "libm", 4);
	image = open_made(&file);
	assert_string_equal(image_info(image)->glibc_version, "");
	image_free(image);
}

static void test_a_debuglink_is_no_path(void **state)
{
	struct made file = made;
	struct image *image;

	memcpy(file.debuglink.name, "../x.debug", 11);
	image = open_made(&file);
	assert_string_equal(image_info(image)->debuglink, "");
	image_free(image);
}

static void test_crc(void **state)
{
	struct image *image, *copy;
	uint32_t crc, copy_crc;
	struct made file = made;

	image = open_made(&made);
	assert_int_equal(image_open_bytes(&copy, &made, sizeof(made)), 0);
	assert_int_equal(image_crc(image, &crc), 0);
	assert_int_equal(image_crc(copy, &copy_crc), 0);
	assert_int_equal(crc, copy_crc);
	image_free(copy);
	image_free(image);

	file.strings[40] ^= 1;
	image = open_made(&file);
	assert_int_equal(image_crc(image, &copy_crc), 0);
	assert_int_not_equal(crc, copy_crc);
	image_free(image);
}

/* -- files that are none, or stop being one -----------------------------------------------------
 */

static void test_no_elf(void **state)
{
	struct image *image;
	struct made file = made;
	int pipes[2], fd = memory_file("#!/bin/sh\n", 10);

	assert_int_equal(image_open(&image, fd), -ENOEXEC);
	assert_non_null(strstr(error_message(), "ELF"));
	close(fd);
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(image_open(&image, pipes[0]), -ENOEXEC);
	close(pipes[0]);
	close(pipes[1]);
	assert_int_equal(image_open(&image, -1), -EBADF);
	assert_int_equal(image_open_bytes(&image, "", 0), -ENOEXEC);
	assert_int_equal(image_open_bytes(&image, &made, 40), -ENOEXEC);
	file.header.e_type = ET_REL;
	assert_int_equal(image_open_bytes(&image, &file, sizeof(file)), -ENOEXEC);
	image_free(NULL);
}

/* A mapped file would raise SIGBUS. */
static void test_truncated_while_open(void **state)
{
	int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int fd = memfd_create("test", MFD_CLOEXEC);
	struct image_section section;
	struct image *image;
	struct stat status;
	uint8_t byte;

	assert_int_equal(fstat(self, &status), 0);
	assert_int_equal(sendfile(fd, self, NULL, status.st_size), status.st_size);
	assert_int_equal(image_open(&image, fd), 0);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(image_read(image, image_info(image)->base, &byte, 1), 0);
	assert_int_equal(image_section(image, ".eh_frame", &section), -EINVAL);
	image_free(image);
	close(self);
	close(fd);
}

static void test_a_section_larger_than_the_file(void **state)
{
	static const uint64_t sizes[] = { sizeof(made) * 2, IMAGE_SECTION_MAX + 1ULL, UINT64_MAX };

	for (int i = 0; i < 3; i++) {
		struct made file = made;
		struct image_section section;
		struct image *image;

		file.sections[3].sh_size = sizes[i];
		image = open_made(&file);
		assert_int_equal(image_section(image, ".gnu_debuglink", &section), -EINVAL);
		assert_string_equal(image_info(image)->debuglink, "");
		assert_int_equal(image_info(image)->build_id_bytes, 20);
		image_free(image);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_and_functions),
		cmocka_unit_test(test_sections_and_segments),
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_identity_without_sections),
		cmocka_unit_test(test_only_libc_has_a_glibc_version),
		cmocka_unit_test(test_a_debuglink_is_no_path),
		cmocka_unit_test(test_crc),
		cmocka_unit_test(test_no_elf),
		cmocka_unit_test(test_truncated_while_open),
		cmocka_unit_test(test_a_section_larger_than_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
