/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the fuzzers share; see fuzz.h. */
#include "fuzz.h"

#include <elf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/text.h"

enum { PARTS_MAX = 16, FENCED_MAX = 1 << 20, NAMES_MAX = 1024 };

void fuzz_end(const char *format, ...)
{
	char line[1024], shown[1024];
	va_list arguments;

	if (!getenv("FUZZ_ENDS"))
		return;
	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	text_escape(shown, sizeof(shown), line);
	fprintf(stderr, "end: %s\n", shown);
}

void fuzz_broken(const char *what, const char *file, int line)
{
	fprintf(stderr, "%s:%d: broken promise: %s\n", file, line, what);
	abort();
}

/* -- reading the input --------------------------------------------------------------------------
 */

uint64_t input_number(struct input *input, unsigned int bytes)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < bytes && input->left; i++, input->left--)
		value |= (uint64_t)*input->at++ << (8 * i);
	return value;
}

uint8_t *input_bytes(struct input *input, size_t wanted, size_t *bytes)
{
	uint8_t *copy;

	*bytes = wanted < input->left ? wanted : input->left;
	copy = malloc(*bytes ? *bytes : 1);
	memcpy(copy, input->at, *bytes);
	input->at += *bytes;
	input->left -= *bytes;
	return copy;
}

char *input_text(struct input *input)
{
	char *text = malloc(input->left + 1);

	memcpy(text, input->at, input->left);
	text[input->left] = '\0';
	input->at += input->left;
	input->left = 0;
	return text;
}

const char *input_fenced_text(struct input *input)
{
	static char *fence;
	char *text;

	if (!fence) {
		fence = mmap(NULL, FENCED_MAX + 4096, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		fuzz_expect(fence != MAP_FAILED);
		fence += FENCED_MAX;
		fuzz_expect(!mprotect(fence, 4096, PROT_NONE));
	}
	fuzz_expect(input->left < FENCED_MAX);
	text = fence - input->left - 1;
	memcpy(text, input->at, input->left);
	fence[-1] = '\0';
	return text;
}

/* -- ELF files ----------------------------------------------------------------------------------
 */

static size_t add(uint8_t *file, size_t at, const void *bytes, size_t count)
{
	if (count)
		memcpy(file + at, bytes, count);
	return at + count;
}

uint8_t *fuzz_elf(const struct part *parts, size_t count, size_t *bytes, uint64_t *offsets)
{
	Elf64_Shdr sections[PARTS_MAX + 2] = { 0 };
	Elf64_Phdr segment = { .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = ELF_BASE };
	Elf64_Ehdr header = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			     EV_CURRENT },
		.e_type = ET_DYN,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(header),
		.e_ehsize = sizeof(header),
		.e_phentsize = sizeof(segment),
		.e_phnum = 1,
		.e_shentsize = sizeof(*sections),
		.e_shnum = (uint16_t)(count + 2),
		.e_shstrndx = (uint16_t)(count + 1),
	};
	size_t at = sizeof(header) + sizeof(segment), name_bytes = 1;
	char names[NAMES_MAX] = "";
	uint8_t *file;

	fuzz_expect(count <= PARTS_MAX);
	*bytes = at + sizeof(names) + sizeof(sections);
	for (size_t i = 0; i < count; i++)
		*bytes += parts[i].size;
	file = calloc(1, *bytes);
	for (size_t i = 0; i < count; i++) {
		sections[i + 1] = (Elf64_Shdr){
			.sh_name = (uint32_t)name_bytes,
			.sh_type = parts[i].type,
			.sh_flags = parts[i].flags,
			.sh_addr = ELF_BASE + at,
			.sh_offset = at,
			.sh_size = parts[i].size,
			.sh_link = parts[i].link,
			.sh_addralign = 1,
			.sh_entsize = parts[i].entry_bytes,
		};
		name_bytes += (size_t)snprintf(names + name_bytes, sizeof(names) - name_bytes, "%s",
					       parts[i].name) +
			      1;
		fuzz_expect(name_bytes < sizeof(names));
		if (offsets)
			offsets[i] = at;
		at = add(file, at, parts[i].bytes, parts[i].size);
	}
	sections[count + 1] = (Elf64_Shdr){
		.sh_type = SHT_STRTAB, .sh_offset = at, .sh_size = name_bytes, .sh_addralign = 1
	};
	at = add(file, at, names, name_bytes);
	header.e_shoff = at;
	at = add(file, at, sections, (count + 2) * sizeof(*sections));
	segment.p_filesz = segment.p_memsz = *bytes = at;
	add(file, 0, &header, sizeof(header));
	add(file, sizeof(header), &segment, sizeof(segment));
	return file;
}

int fuzz_file(const void *bytes, size_t count)
{
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("fuzz", MFD_CLOEXEC);
	fuzz_expect(fd >= 0 && !ftruncate(fd, 0) && pwrite(fd, bytes, count, 0) == (ssize_t)count);
	return fd;
}

/* -- a JVM --------------------------------------------------------------------------------------
 */

int fuzz_memory(struct input *input)
{
	static int fd = -1;
	static uint8_t *memory;
	static size_t written; /* by the input before */

	if (fd < 0) {
		fd = memfd_create("memory", MFD_CLOEXEC);
		fuzz_expect(fd >= 0 && !ftruncate(fd, MEMORY_END));
		memory = mmap(NULL, MEMORY_END, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		fuzz_expect(memory != MAP_FAILED);
	}
	memset(memory, 0, written);
	written = 0;
	while (input->left) {
		uint64_t address = input_number(input, 3), count;

		if (address == MEMORY_RECORDS_END)
			break;
		count = input_number(input, 1);
		if (count > input->left)
			count = input->left;
		if (address + count <= MEMORY_END) {
			memcpy(memory + address, input->at, count);
			written = address + count > written ? address + count : written;
		}
		input->at += count;
		input->left -= count;
	}
	return fd;
}

size_t fuzz_java_places(struct input *input, struct hotspot_place places[JAVA_PLACES_MAX])
{
	size_t count = 0;

	while (input->left && count < JAVA_PLACES_MAX) {
		places[count].address = input_number(input, 3);
		places[count].bytecode = input_number(input, 3);
		places[count].identity = (uint32_t)places[count].bytecode & 1;
		places[count++].interpreted = input_number(input, 1) & 1;
	}
	return count;
}
