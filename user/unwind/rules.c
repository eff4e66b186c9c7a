/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The instructions of call frame information, for x86-64. */
#include <dwarf.h>
#include <string.h>

#include "unwind/rules.h"

/* System V ABI for x86-64, figure 3.36 */
enum { REGISTER_BP = 6, REGISTER_SP = 7, REGISTER_PC = 16 };

enum {
	OPCODE_MASK =
		0xc0, /* of the three instructions that carry an operand in their first byte */
	WORD = 8,
	/* struct rt_sigframe behind its return address: ucontext, uc_mcontext at 40 */
	SIGFRAME_BP = 120,
	SIGFRAME_SP = 160,
	SIGFRAME_PC = 168,
};

/* breg7 8; breg16 0; lit15; and; litN; ge; lit3; shl; plus: 8, or 16 from byte N of the slot on */
static const uint8_t plt_head[] = { DW_OP_breg7, 8, DW_OP_breg16, 0, DW_OP_lit15, DW_OP_and };
static const uint8_t plt_tail[] = { DW_OP_ge, DW_OP_lit3, DW_OP_shl, DW_OP_plus };

static const struct place place_other = { .kind = PLACE_OTHER };

static bool is_plt(const struct reader *code)
{
	return reader_left(code) == sizeof(plt_head) + 1 + sizeof(plt_tail) &&
	       !memcmp(code->at, plt_head, sizeof(plt_head)) &&
	       !memcmp(code->end - sizeof(plt_tail), plt_tail, sizeof(plt_tail)) &&
	       code->at[sizeof(plt_head)] >= DW_OP_lit0 &&
	       code->at[sizeof(plt_head)] <= DW_OP_lit15;
}

/* A counted expression that computes an address: breg N, PLT, or breg N and deref. */
static struct place read_expression(struct reader *reader)
{
	struct reader code = reader_part(reader, reader_uleb(reader));
	struct place place = { .kind = PLACE_REGISTER };
	uint64_t opcode;

	if (is_plt(&code)) {
		place.kind = PLACE_PLT;
		place.offset = code.at[sizeof(plt_head)] - DW_OP_lit0;
		return place;
	}
	opcode = reader_fixed(&code, 1);
	if (opcode < DW_OP_breg0 || opcode > DW_OP_breg31)
		return place_other;
	place.base = (uint32_t)opcode - DW_OP_breg0;
	place.offset = reader_sleb(&code);
	if (reader_left(&code)) {
		if (reader_fixed(&code, 1) != DW_OP_deref || reader_left(&code))
			return place_other;
		place.kind = PLACE_DEREF;
	}
	return code.failed ? place_other : place;
}

/* The rule of a register, NULL: one that no walk needs. */
static struct place *rule_of(struct rules_run *run, struct rules *rules, uint64_t number)
{
	if (number == run->cie->return_register)
		return &rules->return_address;
	return number == REGISTER_BP ? &rules->bp : number == REGISTER_SP ? &rules->sp : NULL;
}

static void set_rule(struct rules_run *run, uint64_t number, struct place place)
{
	struct place *rule = rule_of(run, &run->now, number);

	if (rule)
		*rule = place;
}

static void restore_rule(struct rules_run *run, uint64_t number)
{
	struct place *rule = rule_of(run, &run->initial, number);

	if (rule)
		set_rule(run, number, *rule);
}

/* A number of data_align units. Hostile ones may overflow, and wrap. */
static int64_t scaled(const struct rules_run *run, uint64_t number)
{
	return (int64_t)(number * (uint64_t)run->cie->data_align);
}

static void set_saved(struct rules_run *run, uint64_t number, int64_t offset)
{
	set_rule(run, number, (struct place){ .kind = PLACE_CFA, .offset = offset });
}

static void set_cfa(struct rules_run *run, uint64_t base, int64_t offset)
{
	run->now.cfa = (struct place){ .kind = PLACE_REGISTER, .offset = offset };
	run->now.cfa.base = base > UINT8_MAX ? UINT8_MAX : (uint32_t)base;
}

static void remember(struct rules_run *run)
{
	if (run->depth == RULES_DEPTH)
		run->failed = true;
	else
		run->stack[run->depth++] = run->now;
}

static void restore(struct rules_run *run)
{
	if (!run->depth)
		run->failed = true;
	else
		run->now = run->stack[--run->depth];
}

/* Runs one instruction that leaves the address as it is. */
static void run_rule(struct rules_run *run, uint8_t opcode)
{
	struct reader *in = &run->instructions;
	struct place *cfa = &run->now.cfa;
	uint64_t number;

	switch (opcode) {
	case DW_CFA_nop:
	case DW_CFA_GNU_window_save:
		break;
	case DW_CFA_remember_state:
		remember(run);
		break;
	case DW_CFA_restore_state:
		restore(run);
		break;
	case DW_CFA_def_cfa:
		number = reader_uleb(in);
		set_cfa(run, number, (int64_t)reader_uleb(in));
		break;
	case DW_CFA_def_cfa_sf:
		number = reader_uleb(in);
		set_cfa(run, number, scaled(run, (uint64_t)reader_sleb(in)));
		break;
	case DW_CFA_def_cfa_register:
		set_cfa(run, reader_uleb(in), cfa->offset);
		break;
	case DW_CFA_def_cfa_offset:
		cfa->offset = (int64_t)reader_uleb(in);
		break;
	case DW_CFA_def_cfa_offset_sf:
		cfa->offset = scaled(run, (uint64_t)reader_sleb(in));
		break;
	case DW_CFA_def_cfa_expression:
		*cfa = read_expression(in);
		break;
	case DW_CFA_offset_extended:
		number = reader_uleb(in);
		set_saved(run, number, scaled(run, reader_uleb(in)));
		break;
	case DW_CFA_offset_extended_sf:
		number = reader_uleb(in);
		set_saved(run, number, scaled(run, (uint64_t)reader_sleb(in)));
		break;
	case DW_CFA_GNU_negative_offset_extended:
		number = reader_uleb(in);
		set_saved(run, number, scaled(run, -reader_uleb(in)));
		break;
	case DW_CFA_restore_extended:
		restore_rule(run, reader_uleb(in));
		break;
	case DW_CFA_undefined:
		set_rule(run, reader_uleb(in), (struct place){ .kind = PLACE_UNDEFINED });
		break;
	case DW_CFA_same_value:
		set_rule(run, reader_uleb(in), (struct place){ .kind = PLACE_SAME });
		break;
	case DW_CFA_expression:
		number = reader_uleb(in);
		set_rule(run, number, read_expression(in));
		break;
	case DW_CFA_register:
	case DW_CFA_val_offset:
	case DW_CFA_val_offset_sf:
		set_rule(run, reader_uleb(in), place_other);
		reader_uleb(in);
		break;
	case DW_CFA_val_expression:
		set_rule(run, reader_uleb(in), place_other);
		reader_part(in, reader_uleb(in));
		break;
	case DW_CFA_GNU_args_size:
		reader_uleb(in);
		break;
	default:
		run->failed = true;
	}
}

/* Runs one instruction. True: it has moved the address to *pc. */
static bool run_instruction(struct rules_run *run, uint64_t *pc)
{
	struct reader *in = &run->instructions;
	uint8_t opcode = (uint8_t)reader_fixed(in, 1);
	uint64_t delta;

	switch (opcode & OPCODE_MASK ? opcode & OPCODE_MASK : opcode) {
	case DW_CFA_offset:
		set_saved(run, opcode & ~OPCODE_MASK, scaled(run, reader_uleb(in)));
		return false;
	case DW_CFA_restore:
		restore_rule(run, opcode & ~OPCODE_MASK);
		return false;
	case DW_CFA_set_loc:
		*pc = cfi_pointer(run->section, in, run->cie->pointer_encoding);
		return true;
	case DW_CFA_advance_loc:
		delta = opcode & ~OPCODE_MASK;
		break;
	case DW_CFA_advance_loc1:
		delta = reader_fixed(in, 1);
		break;
	case DW_CFA_advance_loc2:
		delta = reader_fixed(in, 2);
		break;
	case DW_CFA_advance_loc4:
		delta = reader_fixed(in, 4);
		break;
	default:
		run_rule(run, opcode);
		return false;
	}
	*pc = run->pc + delta * run->cie->code_align;
	return true;
}

/* Runs up to a change of address. False: the end, or the instructions are broken. */
static bool run_to_change(struct rules_run *run, uint64_t *pc)
{
	while (!run->failed && reader_left(&run->instructions)) {
		bool moved = run_instruction(run, pc);

		if (run->instructions.failed || (moved && *pc < run->pc))
			run->failed = true;
		else if (moved && *pc > run->pc)
			return true;
	}
	return false;
}

bool rules_of_cie(const struct cfi_section *section, const struct cfi_cie *cie,
		  struct rules *initial)
{
	struct rules_run run = {
		.section = section,
		.cie = cie,
		.instructions = cie->instructions,
	};
	uint64_t pc;

	run.now.return_address.kind = PLACE_OTHER;
	if (run_to_change(&run, &pc) || run.failed)
		return false;
	*initial = run.now;
	return true;
}

void rules_begin(struct rules_run *run, const struct cfi_section *section,
		 const struct cfi_cie *cie, const struct rules *initial, const struct cfi_fde *fde)
{
	struct reader reader = cfi_reader(section, fde->offset);

	run->section = section;
	run->cie = cie;
	run->initial = run->now = *initial;
	run->depth = 0;
	run->instructions = reader_part(&reader, fde->instruction_bytes);
	run->pc = fde->start;
	run->failed = false;
}

/* A number of words that fits. */
static bool to_words(int64_t offset, int64_t min, int64_t max, int64_t *words)
{
	*words = offset / WORD;
	return offset % WORD == 0 && *words >= min && *words <= max;
}

static bool is_at(struct place place, enum place_kind kind, uint32_t base, int64_t offset)
{
	return place.kind == kind && place.base == base && place.offset == offset;
}

/* The trampoline that returns from a signal handler finds the registers in the rt_sigframe at sp.
 */
static bool is_signal_return(const struct rules *rules)
{
	return is_at(rules->cfa, PLACE_DEREF, REGISTER_SP, SIGFRAME_SP) &&
	       is_at(rules->bp, PLACE_REGISTER, REGISTER_SP, SIGFRAME_BP) &&
	       is_at(rules->return_address, PLACE_REGISTER, REGISTER_SP, SIGFRAME_PC);
}

static enum abi_cfa cfa_kind(struct place cfa)
{
	switch (cfa.kind) {
	case PLACE_REGISTER:
		return cfa.base == REGISTER_SP	 ? CFA_SP
		       : cfa.base == REGISTER_BP ? CFA_BP
						 : CFA_NONE;
	case PLACE_DEREF:
		return cfa.base == REGISTER_SP	 ? CFA_SP_DEREF
		       : cfa.base == REGISTER_BP ? CFA_BP_DEREF
						 : CFA_NONE;
	default:
		return CFA_NONE;
	}
}

/* A function that realigns its stack has the caller's bp saved at its own bp, not at the CFA. */
static bool set_bp(struct abi_row *row, struct place bp)
{
	bool from_bp = row->cfa == CFA_BP_DEREF;
	int64_t words;

	row->bp_offset = ROW_BP_SAME;
	if (bp.kind == PLACE_SAME || bp.kind == PLACE_UNDEFINED)
		return true;
	if (from_bp ? bp.kind != PLACE_REGISTER || bp.base != REGISTER_BP : bp.kind != PLACE_CFA)
		return false;
	if (!to_words(bp.offset, ROW_BP_SAME + 1, INT8_MAX, &words))
		return false;
	row->bp_offset = (__s8)words;
	return true;
}

/* False: no row can express the rules. */
static bool to_row(const struct rules *rules, bool is_signal, struct abi_row *row)
{
	int64_t words;

	*row = (struct abi_row){ .cfa = CFA_ROOT, .bp_offset = ROW_BP_SAME };
	if (rules->return_address.kind == PLACE_UNDEFINED)
		return true;
	row->cfa = CFA_SIGNAL;
	if (is_signal && is_signal_return(rules))
		return true;
	if (!is_at(rules->return_address, PLACE_CFA, 0, -WORD) || rules->sp.kind != PLACE_SAME)
		return false;
	if (rules->cfa.kind == PLACE_PLT) {
		row->cfa = CFA_PLT;
		row->cfa_offset = (__s16)rules->cfa.offset;
		return set_bp(row, rules->bp);
	}
	row->cfa = (__u8)cfa_kind(rules->cfa);
	if (row->cfa == CFA_NONE || !to_words(rules->cfa.offset, INT16_MIN, INT16_MAX, &words))
		return false;
	row->cfa_offset = (__s16)words;
	return set_bp(row, rules->bp);
}

bool rules_next(struct rules_run *run, uint64_t *pc, struct abi_row *row, bool *expressed)
{
	uint64_t next = run->pc;
	bool more;

	if (!run->section)
		return false;
	*pc = run->pc;
	more = run_to_change(run, &next);
	*expressed = !run->failed && to_row(&run->now, run->cie->is_signal, row);
	if (!*expressed)
		*row = (struct abi_row){ .cfa = CFA_NONE };
	run->pc = next;
	if (!more)
		run->section = NULL;
	return true;
}
