/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where in a function to put a probe: x86-64 by decoding, other machines at the entry. */
#include "elf/place.h"

#include <Zydis/Zydis.h>
#include <elf.h>
#include <stdio.h>
#include <string.h>

enum {
	PROLOGUE_BYTES = 64,
	PROLOGUE_INSTRUCTIONS = 16,
};

struct instruction {
	ZydisDecodedInstruction zydis;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	const uint8_t *bytes;
	size_t offset; /* in the function */
};

static bool decode(const ZydisDecoder *decoder, const struct place_request *request, size_t offset,
		   struct instruction *instruction)
{
	if (offset >= request->code_bytes)
		return false;
	instruction->bytes = request->code + offset;
	instruction->offset = offset;
	return ZYAN_SUCCESS(ZydisDecoderDecodeFull(decoder, instruction->bytes,
						   request->code_bytes - offset,
						   &instruction->zydis, instruction->operands));
}

static void format(const struct instruction *instruction, char *buffer, size_t bytes)
{
	ZydisFormatter formatter;

	buffer[0] = '\0';
	ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
	ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_HEX_UPPERCASE, ZYAN_FALSE);
	ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_ADDR_PADDING_ABSOLUTE,
				  ZYDIS_PADDING_DISABLED);
	ZydisFormatterFormatInstruction(&formatter, &instruction->zydis, instruction->operands,
					instruction->zydis.operand_count_visible, buffer, bytes,
					instruction->offset, NULL);
}

/* -- what the kernel does with an instruction: arch/x86/kernel/uprobes.c -------------------------
 */

static bool has_prefix(const ZydisDecodedInstruction *zydis, const char *prefixes)
{
	for (int i = 0; i < zydis->raw.prefix_count; i++) {
		if (zydis->raw.prefixes[i].value &&
		    strchr(prefixes, (char)zydis->raw.prefixes[i].value))
			return true;
	}
	return false;
}

/*
 * Emulated by every kernel from 5.10 on: branch_setup_ops() and push_setup_ops(), the plain forms.
 * Longer nops are emulated by the newest kernels only; a branch with a prefix is no compiler's.
 */
static bool is_emulated(const struct instruction *instruction)
{
	const uint8_t *bytes = instruction->bytes;

	switch (bytes[0]) {
	case 0x41: /* push r8 … r15 */
		return instruction->zydis.length == 2 && bytes[1] >= 0x50 && bytes[1] <= 0x57;
	case 0x50 ... 0x57: /* push */
	case 0x70 ... 0x7f: /* jcc rel8 */
	case 0x90: /* nop */
	case 0xe8: /* call rel32 */
	case 0xe9: /* jmp rel32 */
	case 0xeb: /* jmp rel8 */
		return true;
	case 0x0f: /* jcc rel32 */
		return bytes[1] >= 0x80 && bytes[1] <= 0x8f;
	}
	return false;
}

/* Instructions by number that validate_insn_64bits() has no place for, or that change too much. */
static const ZydisMnemonic refused_mnemonics[] = {
	ZYDIS_MNEMONIC_INT,    ZYDIS_MNEMONIC_INT1,	ZYDIS_MNEMONIC_INT3,
	ZYDIS_MNEMONIC_HLT,    ZYDIS_MNEMONIC_CLI,	ZYDIS_MNEMONIC_STI,
	ZYDIS_MNEMONIC_IN,     ZYDIS_MNEMONIC_INSB,	ZYDIS_MNEMONIC_INSD,
	ZYDIS_MNEMONIC_INSW,   ZYDIS_MNEMONIC_OUT,	ZYDIS_MNEMONIC_OUTSB,
	ZYDIS_MNEMONIC_OUTSD,  ZYDIS_MNEMONIC_OUTSW,	ZYDIS_MNEMONIC_IRET,
	ZYDIS_MNEMONIC_IRETD,  ZYDIS_MNEMONIC_IRETQ,	ZYDIS_MNEMONIC_SYSCALL,
	ZYDIS_MNEMONIC_SYSRET, ZYDIS_MNEMONIC_SYSENTER, ZYDIS_MNEMONIC_SYSEXIT,
	ZYDIS_MNEMONIC_UD0,    ZYDIS_MNEMONIC_UD1,	ZYDIS_MNEMONIC_UD2,
};

/* NULL, or why no probe may stand on the instruction. */
static const char *refusal(const struct instruction *instruction)
{
	const ZydisDecodedInstruction *zydis = &instruction->zydis;

	/* is_prefix_bad(): lock and the segments other than fs and gs */
	if (has_prefix(zydis, "\xf0\x26\x2e\x36\x3e"))
		return "the kernel probes no instruction with this prefix";
	/* branch_setup_ops(): -ENOTSUPP for branches of 16 bits; it takes any 0x90 with prefixes
	 * for a nop, also xchg r8, rax, and refused 66 90 until 5.19 */
	if (has_prefix(zydis, "\x66") && zydis->meta.branch_type != ZYDIS_BRANCH_TYPE_NONE)
		return "the kernel probes no 16-bit branch";
	if (zydis->opcode == 0x90 && zydis->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT &&
	    zydis->length > 1)
		return "the kernel mistakes it for a nop";
	for (size_t i = 0; i < sizeof(refused_mnemonics) / sizeof(*refused_mnemonics); i++) {
		if (zydis->mnemonic == refused_mnemonics[i])
			return "the kernel probes no such instruction";
	}
	/* "uprobes/x86: Prohibit probing on MOV SS instruction": it holds the next trap back */
	if (zydis->mnemonic == ZYDIS_MNEMONIC_MOV &&
	    instruction->operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	    instruction->operands[0].reg.value == ZYDIS_REGISTER_SS)
		return "the kernel probes no instruction that loads ss";
	return NULL;
}

/* -- what an instruction does to the call -------------------------------------------------------
 */

static bool writes(const struct instruction *instruction, ZydisRegister wanted)
{
	for (int i = 0; i < instruction->zydis.operand_count; i++) {
		const ZydisDecodedOperand *operand = &instruction->operands[i];

		if (operand->type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE &&
		    ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64,
						     operand->reg.value) == wanted)
			return true;
	}
	return false;
}

/* Behind it, the registers that the probe needs are no longer as the caller left them. */
static bool spoils(const struct instruction *instruction, const struct place_request *request)
{
	static const ZydisRegister arguments[] = {
		ZYDIS_REGISTER_RDI, ZYDIS_REGISTER_RSI, ZYDIS_REGISTER_RDX,
		ZYDIS_REGISTER_RCX, ZYDIS_REGISTER_R8,	ZYDIS_REGISTER_R9,
	};

	if (request->has_return && writes(instruction, ZYDIS_REGISTER_RSP))
		return true;
	for (size_t i = 0; i < sizeof(arguments) / sizeof(*arguments); i++) {
		if (request->argument_mask & 1 << i && writes(instruction, arguments[i]))
			return true;
	}
	return false;
}

/* Words that it adds to the stack, where it changes no more of the stack pointer. */
static unsigned int words_pushed(const struct instruction *instruction)
{
	const ZydisDecodedOperand *operands = instruction->operands;

	if (!writes(instruction, ZYDIS_REGISTER_RSP))
		return 0;
	if (instruction->zydis.mnemonic != ZYDIS_MNEMONIC_SUB ||
	    operands[1].type != ZYDIS_OPERAND_TYPE_IMMEDIATE || operands[1].imm.value.u % 8 ||
	    operands[1].imm.value.u >= 8 * PLACE_PUSHED_MAX)
		return PLACE_PUSHED_MAX;
	return (unsigned int)operands[1].imm.value.u / 8;
}

/* Not every call reaches what is behind it. */
static bool diverts(const ZydisDecodedInstruction *zydis)
{
	switch (zydis->meta.category) {
	case ZYDIS_CATEGORY_CALL:
	case ZYDIS_CATEGORY_COND_BR:
	case ZYDIS_CATEGORY_INTERRUPT:
	case ZYDIS_CATEGORY_RET:
	case ZYDIS_CATEGORY_SYSCALL:
	case ZYDIS_CATEGORY_SYSRET:
	case ZYDIS_CATEGORY_UNCOND_BR:
		return true;
	default:
		return zydis->meta.branch_type != ZYDIS_BRANCH_TYPE_NONE;
	}
}

/*
 * Whether the function's own code jumps to offset: a probe there would see one call twice. Bytes
 * that decode to nothing (data between code) are stepped over one by one.
 */
static bool is_jumped_to(const ZydisDecoder *decoder, const struct place_request *request,
			 size_t target)
{
	struct instruction instruction;
	size_t offset = 0;

	while (offset < request->code_bytes) {
		const ZydisDecodedOperand *operand = &instruction.operands[0];

		if (!decode(decoder, request, offset, &instruction)) {
			offset++;
			continue;
		}
		offset += instruction.zydis.length;
		if (diverts(&instruction.zydis) && operand->type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
		    operand->imm.is_relative && offset + operand->imm.value.s == target)
			return true;
	}
	return false;
}

/* -- choosing -----------------------------------------------------------------------------------
 */

/* The first emulated instruction that serves, within the prologue, and the words pushed before it.
 */
static bool find_emulated(const ZydisDecoder *decoder, const struct place_request *request,
			  struct instruction *instruction, unsigned int *pushed)
{
	size_t offset = 0;

	for (int i = 0; i < PROLOGUE_INSTRUCTIONS && offset < PROLOGUE_BYTES; i++) {
		if (!decode(decoder, request, offset, instruction))
			return false;
		/* A jump to the entry is a call of the function to itself. */
		if (is_emulated(instruction) &&
		    (!offset || !is_jumped_to(decoder, request, offset)))
			return true;
		if (diverts(&instruction->zydis) || spoils(instruction, request))
			return false;
		*pushed += words_pushed(instruction);
		offset += instruction->zydis.length;
	}
	return false;
}

static struct place place_x86_64(const struct place_request *request)
{
	struct place place = { .placed = true };
	struct instruction instruction;
	unsigned int pushed = 0;
	ZydisDecoder decoder;
	const char *why;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	if (find_emulated(&decoder, request, &instruction, &pushed)) {
		place.emulated = true;
		place.pushed_words = pushed < PLACE_PUSHED_MAX ? pushed : PLACE_PUSHED_MAX;
		place.skip_bytes = instruction.offset;
		format(&instruction, place.instruction, sizeof(place.instruction));
		return place;
	}
	if (!decode(&decoder, request, 0, &instruction)) {
		place.placed = false;
		snprintf(place.why, sizeof(place.why), "its first instruction cannot be decoded");
		return place;
	}
	format(&instruction, place.instruction, sizeof(place.instruction));
	why = refusal(&instruction);
	if (why) {
		place.placed = false;
		snprintf(place.why, sizeof(place.why), "%s", why);
	}
	return place;
}

struct place place_probe(const struct place_request *request)
{
	struct place place = { .placed = true };

	if (request->machine == EM_X86_64 && !request->bits32)
		return place_x86_64(request);
	if (request->bits32) {
		place.placed = false;
		snprintf(place.why, sizeof(place.why), "32-bit code");
	}
	return place;
}
