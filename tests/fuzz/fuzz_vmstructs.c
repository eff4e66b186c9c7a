/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A libjvm that is sound, in a process whose memory is not: HotSpot's tables of its structures, and
 * all that is found by them. Input: memory, then places to be named.
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "elf/image.h"
#include "fuzz.h"
#include "hotspot/hotspot.h"

/* The variables, 8 bytes each, from EXPORTS on. */
static const char *const exports[] = {
	"gHotSpotVMStructs",
	"gHotSpotVMStructEntryTypeNameOffset",
	"gHotSpotVMStructEntryFieldNameOffset",
	"gHotSpotVMStructEntryIsStaticOffset",
	"gHotSpotVMStructEntryOffsetOffset",
	"gHotSpotVMStructEntryAddressOffset",
	"gHotSpotVMStructEntryArrayStride",
	"gHotSpotVMTypes",
	"gHotSpotVMTypeEntryTypeNameOffset",
	"gHotSpotVMTypeEntrySizeOffset",
	"gHotSpotVMTypeEntryArrayStride",
	"gHotSpotVMIntConstants",
	"gHotSpotVMIntConstantEntryNameOffset",
	"gHotSpotVMIntConstantEntryValueOffset",
	"gHotSpotVMIntConstantEntryArrayStride",
};

enum { EXPORTS = sizeof(exports) / sizeof(*exports), EXPORTS_AT = 0x1000, BIAS = 0x100 };

static struct image *libjvm(void)
{
	Elf64_Sym symbols[EXPORTS + 1] = { 0 };
	char names[EXPORTS * 48] = "";
	struct image *image;
	size_t used = 1, bytes;
	uint8_t *file;

	for (size_t i = 0; i < EXPORTS; i++) {
		symbols[i + 1] = (Elf64_Sym){
			.st_name = (uint32_t)used,
			.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT),
			.st_shndx = 1,
			.st_value = EXPORTS_AT - BIAS + 8 * i,
		};
		used += strlen(strcpy(names + used, exports[i])) + 1;
	}
	file = fuzz_elf(
		(struct part[]){
			{ ".dynsym", SHT_DYNSYM, 2, sizeof(*symbols), symbols, sizeof(symbols), 0 },
			{ ".dynstr", SHT_STRTAB, 0, 0, names, used, 0 },
		},
		2, &bytes, NULL);
	fuzz_expect(!image_open_bytes(&image, file, bytes));
	free(file);
	return image;
}

struct answers {
	size_t frames, names, last;
};

static void take(size_t i, const struct hotspot_frame *frame, void *context)
{
	struct answers *answers = context;

	fuzz_expect(i < JAVA_PLACES_MAX);
	answers->frames++;
	answers->last += !frame->inlined;
	answers->names += frame->name && strlen(frame->name);
	fuzz_expect(!frame->file || strlen(frame->file));
}

static void check_layout(const struct hotspot_layout *layout)
{
	fuzz_expect(layout->heap_count && layout->heap_count <= HOTSPOT_HEAPS_MAX);
	for (uint32_t i = 0; i < layout->heap_count; i++)
		fuzz_expect(layout->heaps[i].start < layout->heaps[i].end);
	fuzz_expect(layout->interpreter_start < layout->interpreter_end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct image *image;
	struct input input = { data, size };
	int memory = fuzz_memory(&input), error;
	struct hotspot_place places[JAVA_PLACES_MAX];
	size_t count = fuzz_java_places(&input, places);
	struct answers answers = { 0 };
	struct hotspot_layout layout;
	struct hotspot *hotspot;

	if (!image)
		image = libjvm();
	if (hotspot_open(&hotspot, image, BIAS, memory, -1)) {
		fuzz_end("%s", error_message());
		return 0;
	}
	error = hotspot_layout(hotspot, &layout);
	if (!error)
		check_layout(&layout);
	hotspot_code_state(hotspot);
	hotspot_names(hotspot, places, count, take, &answers);
	fuzz_expect(answers.last == count);
	if (error)
		fuzz_end("%d, %zu frames", error, answers.frames);
	else
		fuzz_end("version %u, %u heaps, %zu frames, %zu named", layout.version,
			 layout.heap_count, answers.frames, answers.names);
	hotspot_free(hotspot);
	return 0;
}
