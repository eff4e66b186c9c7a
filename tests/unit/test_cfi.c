/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Call frame information → rows: hand-made sections, hostile ones, and libdw's word on our own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dwarf.h>
#include <elf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "abi.h"
#include "unwind/rows.h"

enum {
	SECTION = 0x100, /* address of the section made here: pointers of any size reach CODE */
	CODE = 0x1000,
	TEXT = 0x800,
	GOT = 0x900,
	BYTES_MAX = 4096,
	R_BP = 6,
	R_SP = 7,
	R_PC = 16,
	PCREL4 = DW_EH_PE_pcrel | DW_EH_PE_sdata4,
	SAME = ROW_BP_SAME,
};

/* -- a writer of sections -----------------------------------------------------------------------
 */

struct section {
	uint8_t bytes[BYTES_MAX];
	size_t count;
	size_t open; /* where the open entry's length stands */
	size_t cie;
	bool is_debug, is_64;
	uint8_t encoding;
};

static void put(struct section *s, uint64_t value, size_t bytes)
{
	assert_true(s->count + bytes <= BYTES_MAX);
	memcpy(s->bytes + s->count, &value, bytes);
	s->count += bytes;
}

static void put_all(struct section *s, const void *bytes, size_t count)
{
	assert_true(s->count + count <= BYTES_MAX);
	memcpy(s->bytes + s->count, bytes, count);
	s->count += count;
}

#define PUT(section, ...) \
	put_all(section, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void put_leb(struct section *s, int64_t value, bool is_signed)
{
	bool more = true;

	while (more) {
		uint8_t byte = value & 0x7f;

		value = is_signed ? value >> 7 : (int64_t)((uint64_t)value >> 7);
		more = is_signed ? !((value == 0 && !(byte & 0x40)) || (value == -1 && byte & 0x40))
				 : value != 0;
		put(s, byte | (more ? 0x80 : 0), 1);
	}
}

static void open_entry(struct section *s)
{
	if (s->is_64)
		put(s, UINT32_MAX, 4);
	s->open = s->count;
	put(s, 0, s->is_64 ? 8 : 4);
}

static void close_entry(struct section *s)
{
	size_t width = s->is_64 ? 8 : 4;
	uint64_t length;

	while (s->count % 8)
		put(s, DW_CFA_nop, 1);
	length = s->count - s->open - width;
	memcpy(s->bytes + s->open, &length, width);
}

/* rsp + 8, return address at CFA - 8; extra: data of letters behind zR. */
static void cie(struct section *s, unsigned int version, const char *augmentation,
		const uint8_t *extra, size_t extra_count)
{
	s->cie = s->count;
	open_entry(s);
	put(s, s->is_debug ? UINT64_MAX : 0, s->is_debug && s->is_64 ? 8 : 4);
	put(s, version, 1);
	put_all(s, augmentation, strlen(augmentation) + 1);
	if (version == 4)
		PUT(s, 8, 0);
	PUT(s, 1, 0x78 /* -8 */, R_PC);
	if (*augmentation == 'z') {
		put(s, 1 + extra_count, 1);
		if (extra_count)
			put_all(s, extra, extra_count);
		put(s, s->encoding, 1);
	}
	PUT(s, DW_CFA_def_cfa, R_SP, 8, DW_CFA_offset | R_PC, 1);
	close_entry(s);
}

static void put_pointer(struct section *s, uint64_t value, uint8_t encoding)
{
	switch (encoding & 0x70) {
	case DW_EH_PE_pcrel:
		value -= SECTION + s->count;
		break;
	case DW_EH_PE_textrel:
		value -= TEXT;
		break;
	case DW_EH_PE_datarel:
		value -= GOT;
		break;
	}
	switch (encoding & 0x0f) {
	case DW_EH_PE_udata2:
	case DW_EH_PE_sdata2:
		put(s, value, 2);
		break;
	case DW_EH_PE_udata4:
	case DW_EH_PE_sdata4:
		put(s, value, 4);
		break;
	case DW_EH_PE_uleb128:
	case DW_EH_PE_sleb128:
		put_leb(s, (int64_t)value, (encoding & 0x0f) == DW_EH_PE_sleb128);
		break;
	default:
		put(s, value, 8);
	}
}

/* Begins a function's entry: instructions follow, then close_entry. */
static void fde(struct section *s, uint64_t start, uint64_t bytes)
{
	size_t id;
	bool is_plain = s->is_debug;

	open_entry(s);
	id = s->count;
	put(s, s->is_debug ? s->cie : id - s->cie, s->is_debug && s->is_64 ? 8 : 4);
	put_pointer(s, start, is_plain ? DW_EH_PE_absptr : s->encoding);
	put_pointer(s, bytes, is_plain ? DW_EH_PE_absptr : s->encoding & 0x0f);
	if (!is_plain)
		put(s, 0, 1); /* augmentation data */
}

#define FDE(section, start, bytes, ...)     \
	do {                                \
		fde(section, start, bytes); \
		PUT(section, __VA_ARGS__);  \
		close_entry(section);       \
	} while (0)

static struct section eh_section(void)
{
	struct section s = { .encoding = PCREL4 };

	cie(&s, 1, "zR", NULL, 0);
	return s;
}

/* -- what comes out -----------------------------------------------------------------------------
 */

static int build_both(const struct section *eh, const struct section *debug,
		      struct unwind_table *table)
{
	struct unwind_sections sections = {
		.machine = EM_X86_64,
		.text_address = TEXT,
		.got_address = GOT,
	};

	if (eh)
		sections.eh_frame = (struct unwind_section){ eh->bytes, eh->count, SECTION };
	if (debug)
		sections.debug_frame = (struct unwind_section){ debug->bytes, debug->count, 0 };
	return unwind_rows(&sections, table);
}

#define ROW(at, kind, words, bp)                                                    \
	{                                                                           \
		.pc = (at), .cfa_offset = (words), .bp_offset = (bp), .cfa = (kind) \
	}

static void expect_table(struct unwind_table *table, const struct abi_row *rows, size_t count)
{
	assert_int_equal(table->count, count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(table->rows[i].pc, rows[i].pc);
		assert_int_equal(table->rows[i].cfa, rows[i].cfa);
		assert_int_equal(table->rows[i].cfa_offset, rows[i].cfa_offset);
		if (rows[i].cfa != CFA_NONE)
			assert_int_equal(table->rows[i].bp_offset, rows[i].bp_offset);
	}
	free(table->rows);
}

#define EXPECT(eh, debug, skips, ...)                                           \
	do {                                                                    \
		const struct abi_row rows_[] = { __VA_ARGS__ };                 \
		struct unwind_table table_;                                     \
                                                                                \
		assert_int_equal(build_both(eh, debug, &table_), 0);            \
		assert_int_equal(table_.base, CODE);                            \
		assert_int_equal(table_.skipped, skips);                        \
		expect_table(&table_, rows_, sizeof(rows_) / sizeof(rows_[0])); \
	} while (0)

/* -- tests --------------------------------------------------------------------------------------
 */

static void test_function(void **state)
{
	struct section s = eh_section();

	FDE(&s, CODE, 0x40, /* push rbp; mov rbp, rsp; …; leave; ret; and code behind it */
	    DW_CFA_advance_loc | 1, DW_CFA_def_cfa_offset, 16, DW_CFA_offset | R_BP, 2,
	    DW_CFA_advance_loc | 3, DW_CFA_def_cfa_register, R_BP, DW_CFA_advance_loc1, 0x10,
	    DW_CFA_remember_state, DW_CFA_restore | R_BP, DW_CFA_def_cfa, R_SP, 8,
	    DW_CFA_advance_loc | 1, DW_CFA_restore_state);
	EXPECT(&s, NULL, 0, ROW(0, CFA_SP, 1, SAME), ROW(1, CFA_SP, 2, -2), ROW(4, CFA_BP, 2, -2),
	       ROW(0x14, CFA_SP, 1, SAME), ROW(0x15, CFA_BP, 2, -2), ROW(0x40, CFA_NONE, 0, 0));
}

/* The loader's _start has no entry of its own: the walk ends well there, and not in other gaps. */
static void test_start_without_entry(void **state)
{
	struct section s = eh_section();
	struct unwind_sections sections = { .machine = EM_X86_64, .entry_address = CODE + 0x60 };
	const struct abi_row rows[] = {
		ROW(0, CFA_SP, 1, SAME),     ROW(0x40, CFA_NONE, 0, 0),	 ROW(0x60, CFA_ROOT, 0, 0),
		ROW(0x100, CFA_SP, 1, SAME), ROW(0x140, CFA_NONE, 0, 0),
	};
	struct unwind_table table;

	FDE(&s, CODE, 0x40, DW_CFA_nop);
	FDE(&s, CODE + 0x100, 0x40, DW_CFA_nop);
	sections.eh_frame = (struct unwind_section){ s.bytes, s.count, SECTION };
	assert_int_equal(unwind_rows(&sections, &table), 0);
	assert_int_equal(table.rows[2].cfa, CFA_ROOT);
	table.rows[2].bp_offset = 0;
	expect_table(&table, rows, sizeof(rows) / sizeof(rows[0]));
}

static void test_advances(void **state)
{
	struct section s = eh_section();

	fde(&s, CODE, 0x200000);
	PUT(&s, DW_CFA_advance_loc1, 0x80, DW_CFA_def_cfa_offset, 16);
	PUT(&s, DW_CFA_advance_loc2, 0, 1, DW_CFA_def_cfa_offset, 24);
	PUT(&s, DW_CFA_advance_loc4, 0, 0, 1, 0, DW_CFA_def_cfa_offset_sf, 0x7c /* -4 */);
	PUT(&s, DW_CFA_set_loc);
	put_pointer(&s, CODE + 0x100000, PCREL4);
	PUT(&s, DW_CFA_def_cfa_sf, R_BP, 0x7e /* -2 */, DW_CFA_GNU_args_size, 8);
	close_entry(&s);
	EXPECT(&s, NULL, 0, ROW(0, CFA_SP, 1, SAME), ROW(0x80, CFA_SP, 2, SAME),
	       ROW(0x180, CFA_SP, 3, SAME), ROW(0x10180, CFA_SP, 4, SAME),
	       ROW(0x100000, CFA_BP, 2, SAME), ROW(0x200000, CFA_NONE, 0, 0));
}

static void test_neighbours_and_gaps(void **state)
{
	struct section s = eh_section();

	FDE(&s, CODE + 0x20, 0x10, DW_CFA_nop); /* unsorted */
	FDE(&s, CODE, 0x10, DW_CFA_nop);
	FDE(&s, CODE + 0x10, 0x10, DW_CFA_nop); /* the same rules: merged */
	FDE(&s, CODE + 0x40, 0x10, DW_CFA_nop); /* behind a gap */
	EXPECT(&s, NULL, 0, ROW(0, CFA_SP, 1, SAME), ROW(0x30, CFA_NONE, 0, 0),
	       ROW(0x40, CFA_SP, 1, SAME), ROW(0x50, CFA_NONE, 0, 0));
}

static void test_overlap_first_wins(void **state)
{
	struct section s = eh_section();

	FDE(&s, CODE, 0x20, DW_CFA_nop);
	FDE(&s, CODE, 0x20, DW_CFA_def_cfa_offset, 32); /* the same code again */
	FDE(&s, CODE + 8, 8, DW_CFA_def_cfa_offset, 40); /* within */
	FDE(&s, CODE + 0x10, 0x20, DW_CFA_advance_loc | 4, DW_CFA_def_cfa_offset, 16,
	    DW_CFA_advance_loc | 0x18, DW_CFA_def_cfa_offset, 24);
	EXPECT(&s, NULL, 0, ROW(0, CFA_SP, 1, SAME), ROW(0x20, CFA_SP, 2, SAME),
	       ROW(0x2c, CFA_SP, 3, SAME), ROW(0x30, CFA_NONE, 0, 0));
}

static void test_debug_frame_fills_in(void **state)
{
	struct section s = eh_section();
	struct section debug = { .is_debug = true };

	FDE(&s, CODE, 0x10, DW_CFA_nop);
	cie(&debug, 4, "", NULL, 0);
	FDE(&debug, CODE, 0x10, DW_CFA_def_cfa_offset, 48); /* .eh_frame has it */
	FDE(&debug, CODE + 0x10, 0x10, DW_CFA_def_cfa_offset, 56);
	FDE(&debug, 0, 0x10, DW_CFA_def_cfa_offset, 64); /* left out by the linker */
	EXPECT(&s, &debug, 0, ROW(0, CFA_SP, 1, SAME), ROW(0x10, CFA_SP, 7, SAME),
	       ROW(0x20, CFA_NONE, 0, 0));
}

static void test_versions_and_lengths(void **state)
{
	static const unsigned int versions[] = { 1, 3, 4 };

	for (size_t i = 0; i < 6; i++) {
		struct section debug = { .is_debug = true, .is_64 = i % 2 };

		cie(&debug, versions[i / 2], "", NULL, 0);
		FDE(&debug, CODE, 0x10, DW_CFA_nop);
		EXPECT(NULL, &debug, 0, ROW(0, CFA_SP, 1, SAME), ROW(0x10, CFA_NONE, 0, 0));
	}
	for (size_t i = 0; i < 6; i++) {
		struct section s = { .encoding = PCREL4, .is_64 = i % 2 };

		cie(&s, versions[i / 2], "zR", NULL, 0);
		FDE(&s, CODE, 0x10, DW_CFA_nop);
		EXPECT(&s, NULL, 0, ROW(0, CFA_SP, 1, SAME), ROW(0x10, CFA_NONE, 0, 0));
	}
}

static void test_pointer_encodings(void **state)
{
	static const uint8_t formats[] = {
		DW_EH_PE_absptr, DW_EH_PE_uleb128, DW_EH_PE_udata2,
		DW_EH_PE_udata4, DW_EH_PE_udata8,  DW_EH_PE_sleb128,
		DW_EH_PE_sdata2, DW_EH_PE_sdata4,  DW_EH_PE_sdata8,
	};
	static const uint8_t bases[] = { 0, DW_EH_PE_pcrel, DW_EH_PE_textrel, DW_EH_PE_datarel };

	for (size_t f = 0; f < sizeof(formats); f++) {
		for (size_t b = 0; b < sizeof(bases); b++) {
			struct section s = { .encoding = formats[f] | bases[b] };

			cie(&s, 1, "zR", NULL, 0);
			FDE(&s, CODE, 0x10, DW_CFA_nop);
			EXPECT(&s, NULL, 0, ROW(0, CFA_SP, 1, SAME), ROW(0x10, CFA_NONE, 0, 0));
		}
	}
}

static void test_personality_is_skipped(void **state)
{
	static const uint8_t data[] = { DW_EH_PE_indirect | PCREL4, 1, 2, 3, 4, PCREL4 };
	static const uint8_t wide[] = { DW_EH_PE_absptr, 1, 2, 3, 4, 5, 6, 7, 8, PCREL4 };
	struct section s = { .encoding = PCREL4 };

	cie(&s, 1, "zPLR", data, sizeof(data));
	FDE(&s, CODE, 0x10, DW_CFA_nop);
	cie(&s, 1, "zPLR", wide, sizeof(wide));
	FDE(&s, CODE + 0x10, 0x10, DW_CFA_def_cfa_offset, 16);
	EXPECT(&s, NULL, 0, ROW(0, CFA_SP, 1, SAME), ROW(0x10, CFA_SP, 2, SAME),
	       ROW(0x20, CFA_NONE, 0, 0));
}

static void test_special_rows(void **state)
{
	struct section s = eh_section();

	FDE(&s, CODE, 0x10, DW_CFA_undefined, R_PC);
	FDE(&s, CODE + 0x10, 0x10, DW_CFA_def_cfa_expression, 11, DW_OP_breg7, 8, DW_OP_breg16, 0,
	    DW_OP_lit15, DW_OP_and, DW_OP_lit11, DW_OP_ge, DW_OP_lit3, DW_OP_shl, DW_OP_plus);
	FDE(&s, CODE + 0x20, 0x10, /* gcc's DRAP: CFA = *(rbp - 8), rbp saved at rbp */
	    DW_CFA_expression, R_BP, 2, DW_OP_breg6, 0, DW_CFA_def_cfa_expression, 3, DW_OP_breg6,
	    0x78, DW_OP_deref);
	FDE(&s, CODE + 0x30, 0x10, DW_CFA_def_cfa_expression, 3, DW_OP_breg7, 16, DW_OP_deref);
	EXPECT(&s, NULL, 0, ROW(0, CFA_ROOT, 0, SAME), ROW(0x10, CFA_PLT, 11, SAME),
	       ROW(0x20, CFA_BP_DEREF, -1, 0), ROW(0x30, CFA_SP_DEREF, 2, SAME),
	       ROW(0x40, CFA_NONE, 0, 0));
}

static void test_signal_trampoline(void **state)
{
	struct section s = { .encoding = PCREL4 };

	for (int i = 0; i < 2; i++) { /* the rules alone do not make one */
		cie(&s, 1, i ? "zRS" : "zR", NULL, 0);
		FDE(&s, CODE + 0x10 * i, 0x10, DW_CFA_def_cfa_expression, 4, DW_OP_breg7, 0xa0, 1,
		    DW_OP_deref, DW_CFA_expression, R_BP, 3, DW_OP_breg7, 0xf8, 0,
		    DW_CFA_expression, R_SP, 3, DW_OP_breg7, 0xa0, 1, DW_CFA_expression, R_PC, 3,
		    DW_OP_breg7, 0xa8, 1);
	}
	EXPECT(&s, NULL, 1, ROW(0, CFA_NONE, 0, 0), ROW(0x10, CFA_SIGNAL, 0, SAME),
	       ROW(0x20, CFA_NONE, 0, 0));
}

static void test_what_rows_cannot_say(void **state)
{
	static const uint8_t rules[][8] = {
		{ DW_CFA_def_cfa_offset, 12 }, /* no multiple of 8 */
		{ DW_CFA_def_cfa_offset, 0x80, 0x80, 0x80, 1 }, /* 2 MiB */
		{ DW_CFA_def_cfa_register, 10 },
		{ DW_CFA_offset | R_BP, 0x80, 1 }, /* bp 128 words below */
		{ DW_CFA_register, R_PC, 3 },
		{ DW_CFA_same_value, R_PC },
		{ DW_CFA_val_offset, R_SP, 0 },
		{ DW_CFA_restore_state },
		{ DW_CFA_def_cfa_expression, 1, DW_OP_lit1 },
		{ DW_CFA_def_cfa_expression, 4, DW_OP_breg7, 8, DW_OP_deref, DW_OP_deref },
		{ 0x3f }, /* no instruction */
	};

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		struct section s = eh_section();

		FDE(&s, CODE, 0x10, DW_CFA_nop);
		fde(&s, CODE + 0x10, 0x10);
		put_all(&s, rules[i], sizeof(rules[i]));
		close_entry(&s);
		EXPECT(&s, NULL, 1, ROW(0, CFA_SP, 1, SAME), ROW(0x10, CFA_NONE, 0, 0));
	}
}

static void test_large_frame_and_far_bp(void **state)
{
	struct section s = eh_section();

	FDE(&s, CODE, 0x10, DW_CFA_def_cfa_offset, 0xc0, 0xa2, 4 /* 70,000 - 8… = 69,952 */);
	FDE(&s, CODE + 0x10, 0x10, DW_CFA_offset | R_BP, 127);
	EXPECT(&s, NULL, 0, ROW(0, CFA_SP, 69952 / 8, SAME), ROW(0x10, CFA_SP, 1, -127),
	       ROW(0x20, CFA_NONE, 0, 0));
}

static void test_remember_is_bounded(void **state)
{
	struct section s = eh_section();

	fde(&s, CODE, 0x10);
	for (int i = 0; i < 100; i++)
		PUT(&s, DW_CFA_remember_state);
	close_entry(&s);
	EXPECT(&s, NULL, 1, ROW(0, CFA_NONE, 0, 0));
}

static void test_errors(void **state)
{
	struct unwind_sections sections = { .machine = EM_AARCH64 };
	struct section s = eh_section();
	struct unwind_table table;

	assert_int_equal(unwind_rows(&sections, &table), -ENOTSUP);
	sections.machine = EM_X86_64;
	assert_int_equal(unwind_rows(&sections, &table), -ENODATA);
	assert_int_equal(build_both(&s, NULL, &table), -ENODATA);
	s.encoding = DW_EH_PE_absptr;
	cie(&s, 1, "zR", NULL, 0);
	FDE(&s, CODE, 0x10, DW_CFA_nop);
	FDE(&s, CODE + (1ULL << 32), 0x10, DW_CFA_nop);
	assert_int_equal(build_both(&s, NULL, &table), -EOVERFLOW);
	assert_null(table.rows);
}

static void expect_order(const struct unwind_table *table)
{
	for (size_t i = 1; i < table->count; i++)
		assert_true(table->rows[i - 1].pc < table->rows[i].pc);
}

/* Every truncation, and every byte changed in some ways: no read outside, always in order. */
static void test_hostile_bytes(void **state)
{
	static const uint8_t changes[] = { 0x01, 0x80, 0xff, 0x10, 0x40 };
	static const uint8_t data[] = { DW_EH_PE_indirect | PCREL4, 1, 2, 3, 4, PCREL4 };
	struct section s = { .encoding = PCREL4 };
	struct unwind_table table;

	cie(&s, 1, "zPLR", data, sizeof(data));
	FDE(&s, CODE, 0x40, DW_CFA_advance_loc | 1, DW_CFA_def_cfa_offset, 16, DW_CFA_offset | R_BP,
	    2, DW_CFA_remember_state, DW_CFA_advance_loc1, 0x10, DW_CFA_restore_state);
	FDE(&s, CODE + 0x20, 0x40, DW_CFA_def_cfa_expression, 3, DW_OP_breg6, 0x78, DW_OP_deref,
	    DW_CFA_advance_loc4, 1, 0, 0, 0, DW_CFA_undefined, R_PC);
	for (size_t count = 0; count < s.count; count++) {
		uint8_t *bytes = malloc(count + !count);
		struct unwind_sections sections = {
			.machine = EM_X86_64,
			.eh_frame = { bytes, count, SECTION },
		};

		memcpy(bytes, s.bytes, count);
		if (!unwind_rows(&sections, &table))
			expect_order(&table);
		free(table.rows);
		free(bytes);
	}
	for (size_t i = 0; i < s.count; i++) {
		for (size_t c = 0; c < sizeof(changes); c++) {
			struct section changed = s;

			changed.bytes[i] ^= changes[c];
			if (!build_both(&changed, NULL, &table))
				expect_order(&table);
			free(table.rows);
		}
	}
}

/* -- our own program, by libdw -------------------------------------------------------------------
 */

static bool has_section(Elf *elf, const char *name, struct unwind_section *section)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr header;
	size_t names;

	assert_int_equal(elf_getshdrstrndx(elf, &names), 0);
	while ((scn = elf_nextscn(elf, scn))) {
		Elf_Data *data = elf_rawdata(scn, NULL);

		assert_non_null(gelf_getshdr(scn, &header));
		if (strcmp(elf_strptr(elf, names, header.sh_name), name))
			continue;
		*section = (struct unwind_section){ data->d_buf, data->d_size, header.sh_addr };
		return true;
	}
	return false;
}

static void expect_frame(Dwarf_Frame *frame, const struct abi_row *row)
{
	unsigned int base = row->cfa == CFA_SP ? R_SP : R_BP;
	Dwarf_Op *ops, storage[3];
	size_t count;

	assert_int_equal(dwarf_frame_cfa(frame, &ops, &count), 0);
	assert_int_equal(count, 1);
	if (ops[0].atom == DW_OP_bregx) {
		assert_int_equal(ops[0].number, base);
		assert_int_equal(ops[0].number2, row->cfa_offset * 8);
	} else {
		assert_int_equal(ops[0].atom, DW_OP_breg0 + base);
		assert_int_equal(ops[0].number, row->cfa_offset * 8);
	}
	assert_int_equal(dwarf_frame_register(frame, R_BP, storage, &ops, &count), 0);
	if (row->bp_offset == ROW_BP_SAME) {
		assert_int_equal(count, 0);
		return;
	}
	assert_int_equal(count, 2); /* call_frame_cfa; plus_uconst */
	assert_int_equal((int64_t)ops[1].number, row->bp_offset * 8);
}

static void test_own_program_as_libdw_has_it(void **state)
{
	struct unwind_sections sections = { .machine = EM_X86_64 };
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct unwind_table table;
	size_t compared = 0;
	Dwarf_CFI *cfi;
	Elf *elf;

#ifndef __x86_64__
	skip();
#endif
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	assert_non_null(elf);
	assert_true(has_section(elf, ".eh_frame", &sections.eh_frame));
	cfi = dwarf_getcfi_elf(elf);
	assert_non_null(cfi);
	assert_int_equal(unwind_rows(&sections, &table), 0);
	expect_order(&table);
	for (size_t i = 0; i + 1 < table.count; i++) {
		const struct abi_row *row = &table.rows[i];
		Dwarf_Frame *frame;

		if (row->cfa == CFA_NONE) {
			assert_int_not_equal(dwarf_cfi_addrframe(cfi, table.base + row->pc, &frame),
					     0);
			continue;
		}
		if (row->cfa != CFA_SP && row->cfa != CFA_BP)
			continue;
		for (int last = 0; last < 2; last++) { /* its first and its last byte */
			uint32_t pc = last ? row[1].pc - 1 : row->pc;

			assert_int_equal(dwarf_cfi_addrframe(cfi, table.base + pc, &frame), 0);
			expect_frame(frame, row);
			free(frame);
			compared++;
		}
	}
	assert_true(compared > 20);
	free(table.rows);
	dwarf_cfi_end(cfi);
	elf_end(elf);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_function),
		cmocka_unit_test(test_start_without_entry),
		cmocka_unit_test(test_advances),
		cmocka_unit_test(test_neighbours_and_gaps),
		cmocka_unit_test(test_overlap_first_wins),
		cmocka_unit_test(test_debug_frame_fills_in),
		cmocka_unit_test(test_versions_and_lengths),
		cmocka_unit_test(test_pointer_encodings),
		cmocka_unit_test(test_personality_is_skipped),
		cmocka_unit_test(test_special_rows),
		cmocka_unit_test(test_signal_trampoline),
		cmocka_unit_test(test_what_rows_cannot_say),
		cmocka_unit_test(test_large_frame_and_far_bp),
		cmocka_unit_test(test_remember_is_bounded),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_hostile_bytes),
		cmocka_unit_test(test_own_program_as_libdw_has_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
