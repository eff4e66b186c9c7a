/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Follows a function's code to where it leaves. x86-64 only. */
#include "elf/exits.h"

#include <Zydis/Zydis.h>
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

enum {
	INSTRUCTIONS_MAX = 8192,
	PLACES_MAX = 256,
	HOPS_MAX = 4, /* from stub to stub */
	SEEN_FIRST = 64, /* slots; a power of two, as all that follow */
	RELOCATIONS_MAX = 8 << 20, /* looked at for one function */
};

/* An instruction that was followed, as one of this extent: with another, its block may go on. */
struct seen {
	uint64_t address;
	const struct extent *extent;
	bool used;
};

struct walk {
	struct image *image;
	const struct extent *extents;
	size_t extent_count;
	ZydisDecoder decoder;
	VEC(uint64_t) starts; /* of blocks that are to be followed */
	struct seen *seen; /* a hash table, at most half full */
	size_t seen_count, seen_slots;
	VEC(struct exit_place) places;
	unsigned int relocations;
};

static const struct extent *extent_of(const struct walk *walk, uint64_t address)
{
	size_t low = 0, high = walk->extent_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (walk->extents[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low && address < walk->extents[low - 1].end ? &walk->extents[low - 1] : NULL;
}

static struct seen *seen_slot(struct seen *seen, size_t slots, const struct seen *wanted)
{
	size_t i = wanted->address * 0x9e3779b97f4a7c15ULL >> 32;

	for (;; i++) {
		struct seen *slot = &seen[i & (slots - 1)];

		if (!slot->used ||
		    (slot->address == wanted->address && slot->extent == wanted->extent))
			return slot;
	}
}

static void grow_seen(struct walk *walk)
{
	size_t slots = walk->seen_slots ? 2 * walk->seen_slots : SEEN_FIRST;
	struct seen *seen = mem_array(slots, sizeof(*seen));

	for (size_t i = 0; i < walk->seen_slots; i++) {
		if (walk->seen[i].used)
			*seen_slot(seen, slots, &walk->seen[i]) = walk->seen[i];
	}
	mem_free(walk->seen);
	walk->seen = seen;
	walk->seen_slots = slots;
}

/* False: all from here on was followed already. */
static bool is_new(struct walk *walk, uint64_t address, const struct extent *extent)
{
	struct seen wanted = { address, extent, true }, *slot;

	if (2 * walk->seen_count >= walk->seen_slots)
		grow_seen(walk);
	slot = seen_slot(walk->seen, walk->seen_slots, &wanted);
	if (slot->used)
		return false;
	*slot = wanted;
	walk->seen_count++;
	return true;
}

/* -- jumps through the global offset table -------------------------------------------------------
 */

struct slot {
	struct image *image;
	uint64_t address;
	uint64_t target; /* 0: not in this image */
	unsigned int *looked_at;
};

/* The image's own definition is taken to be the one that is used. */
static void resolve_relocation(struct slot *slot, const GElf_Shdr *header, const GElf_Rela *rela)
{
	Elf_Scn *section = elf_getscn(image_elf(slot->image), header->sh_link);
	uint32_t type = GELF_R_TYPE(rela->r_info);
	GElf_Shdr symbols_header;
	const Elf_Data *symbols;
	GElf_Sym symbol;

	if (type == R_X86_64_RELATIVE)
		slot->target = (uint64_t)rela->r_addend;
	if ((type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT) || !section ||
	    !gelf_getshdr(section, &symbols_header))
		return;
	symbols = image_section_data(slot->image, section, &symbols_header);
	if (symbols && gelf_getsym((Elf_Data *)symbols, (int)GELF_R_SYM(rela->r_info), &symbol) &&
	    symbol.st_shndx != SHN_UNDEF && GELF_ST_TYPE(symbol.st_info) == STT_FUNC)
		slot->target = symbol.st_value;
}

static bool search_relocations(Elf_Scn *section, const GElf_Shdr *header, const char *name,
			       void *context)
{
	struct slot *slot = context;
	const Elf_Data *data;
	GElf_Rela rela;

	if (header->sh_type != SHT_RELA)
		return true;
	data = image_section_data(slot->image, section, header);
	for (int i = 0; data && gelf_getrela((Elf_Data *)data, i, &rela); i++) {
		if (++*slot->looked_at > RELOCATIONS_MAX)
			return false;
		if (rela.r_offset != slot->address)
			continue;
		resolve_relocation(slot, header, &rela);
		return false;
	}
	return true;
}

static uint64_t slot_target(struct walk *walk, uint64_t address)
{
	struct slot slot = {
		.image = walk->image,
		.address = address,
		.looked_at = &walk->relocations,
	};

	image_sections(walk->image, search_relocations, &slot);
	return slot.target;
}

/* -- following -----------------------------------------------------------------------------------
 */

struct instruction {
	ZydisDecodedInstruction zydis;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	uint64_t address, next;
};

static bool decode(const struct walk *walk, uint64_t address, struct instruction *instruction)
{
	uint8_t bytes[ZYDIS_MAX_INSTRUCTION_LENGTH];
	size_t count = image_read(walk->image, address, bytes, sizeof(bytes));

	instruction->address = address;
	if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&walk->decoder, bytes, count, &instruction->zydis,
						 instruction->operands)))
		return false;
	instruction->next = address + instruction->zydis.length;
	return true;
}

/* Where a direct jump leads, or one through a slot that the loader fills; 0: not to be known. */
static uint64_t jump_target(struct walk *walk, const struct instruction *instruction)
{
	const ZydisDecodedOperand *operand = &instruction->operands[0];

	if (operand->type == ZYDIS_OPERAND_TYPE_IMMEDIATE && operand->imm.is_relative)
		return instruction->next + (uint64_t)operand->imm.value.s;
	if (operand->type == ZYDIS_OPERAND_TYPE_MEMORY && operand->mem.base == ZYDIS_REGISTER_RIP &&
	    operand->mem.index == ZYDIS_REGISTER_NONE)
		return slot_target(walk, instruction->next + (uint64_t)operand->mem.disp.value);
	return 0;
}

static void add_place(struct walk *walk, uint64_t address, bool unseen)
{
	*vec_add(&walk->places) = (struct exit_place){ address, unseen };
}

enum step { STEP_ON, STEP_END, STEP_BROKEN };

static enum step follow(struct walk *walk, const struct instruction *instruction)
{
	uint64_t target;

	switch (instruction->zydis.meta.category) {
	case ZYDIS_CATEGORY_RET:
		add_place(walk, instruction->address, false);
		return STEP_END;
	case ZYDIS_CATEGORY_UNCOND_BR:
		target = jump_target(walk, instruction);
		if (target)
			*vec_add(&walk->starts) = target;
		else
			add_place(walk, instruction->address, true);
		return STEP_END;
	case ZYDIS_CATEGORY_COND_BR:
		target = jump_target(walk, instruction);
		if (!target)
			return STEP_BROKEN;
		*vec_add(&walk->starts) = target;
		return STEP_ON;
	case ZYDIS_CATEGORY_INTERRUPT: /* int3 and ud2: behind what never returns */
		return STEP_END;
	default:
		return instruction->zydis.mnemonic == ZYDIS_MNEMONIC_HLT ||
				       instruction->zydis.mnemonic == ZYDIS_MNEMONIC_UD2
			       ? STEP_END
			       : STEP_ON;
	}
}

/*
 * Follows a block. Code may only run on within one extent: behind a call that never returns comes
 * another function, or nothing that is code. Stubs for the offset table may have no extent.
 */
static int follow_block(struct walk *walk, uint64_t start)
{
	const struct extent *extent = extent_of(walk, start);
	uint64_t end = extent ? extent->end : start + HOPS_MAX * ZYDIS_MAX_INSTRUCTION_LENGTH;
	struct instruction instruction;
	enum step step = STEP_ON;

	for (uint64_t at = start; at < end && step == STEP_ON; at = instruction.next) {
		if (!is_new(walk, at, extent))
			return 0;
		if (walk->seen_count > INSTRUCTIONS_MAX || walk->places.count > PLACES_MAX ||
		    walk->relocations > RELOCATIONS_MAX)
			return error_set(-EINVAL, "its code is too long to be followed");
		if (!decode(walk, at, &instruction))
			return error_set(-EINVAL, "its code cannot be decoded");
		step = follow(walk, &instruction);
		if (step == STEP_BROKEN || (!extent && step == STEP_ON && instruction.next >= end))
			return error_set(-EINVAL, "its code cannot be followed");
	}
	return 0;
}

/* -- all of a function ---------------------------------------------------------------------------
 */

static int by_address(const void *a, const void *b)
{
	const struct exit_place *x = a, *y = b;

	return x->address < y->address ? -1 : x->address > y->address;
}

static void merge(struct exits *exits, const struct walk *walk)
{
	size_t kept = 0;

	vec_for_each (place, &walk->places)
		*vec_add(&exits->places) = *place;
	if (!exits->places.count)
		return;
	qsort(exits->places.items, exits->places.count, sizeof(struct exit_place), by_address);
	vec_for_each (place, &exits->places) {
		if (!kept || exits->places.items[kept - 1].address != place->address)
			exits->places.items[kept++] = *place;
	}
	exits->places.count = kept;
}

int exits_find(struct exits *exits, struct image *image, uint64_t address,
	       const struct extent *extents, size_t extent_count)
{
	struct walk walk = { .image = image, .extents = extents, .extent_count = extent_count };
	int error = 0;

	if (image_info(image)->machine != EM_X86_64 || image_info(image)->bits32)
		return error_set(-ENOTSUP, "it may throw, which is followed on x86-64 only");
	ZydisDecoderInit(&walk.decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	if (!extent_of(&walk, address))
		return error_set(-EINVAL, "it may throw, and nothing says where its code ends");
	*vec_add(&walk.starts) = address;
	while (!error && walk.starts.count)
		error = follow_block(&walk, walk.starts.items[--walk.starts.count]);
	if (!error && !walk.places.count)
		error = error_set(-EINVAL, "its code never leaves");
	if (!error)
		merge(exits, &walk);
	vec_free(&walk.starts);
	vec_free(&walk.places);
	mem_free(walk.seen);
	return error;
}

void exits_clear(struct exits *exits)
{
	vec_free(&exits->places);
}
