/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The structure of call frame information: common entries (CIE), function entries (FDE) and encoded
 * pointers (DWARF 5 section 6.4; LSB 5 "Exception Frames").
 */
#ifndef UNFREED_UNWIND_CFI_H
#define UNFREED_UNWIND_CFI_H

#include "unwind/reader.h"
#include "unwind/rows.h"

struct cfi_section {
	struct unwind_section bytes;
	uint64_t text_address, got_address;
	bool is_eh; /* .eh_frame, not .debug_frame */
};

struct cfi_cie {
	uint64_t code_align;
	int64_t data_align;
	uint64_t return_register;
	uint8_t pointer_encoding; /* of the addresses in its function entries */
	bool has_augmentation; /* its function entries carry a counted block before the rules */
	bool is_signal;
	struct reader instructions;
};

/* A function entry, as kept in the index of a section. */
struct cfi_fde {
	uint64_t start, end; /* code */
	uint64_t offset; /* of the instructions in the section */
	uint64_t instruction_bytes;
	uint64_t cie_offset;
	uint32_t section; /* 0, 1 */
};

enum cfi_kind { CFI_END, CFI_OTHER, CFI_CIE, CFI_FDE };

/* An entry whose body (behind the id) is still to be read. */
struct cfi_entry {
	enum cfi_kind kind;
	uint64_t cie_offset; /* CFI_FDE */
	struct reader body;
};

/* The section as a reader, from offset on. */
struct reader cfi_reader(const struct cfi_section *section, uint64_t offset);

/* Reads the entry at the reader and moves behind it. CFI_END: nothing readable follows. */
struct cfi_entry cfi_next(const struct cfi_section *section, struct reader *reader);

/* False where the entry at this offset is no CIE, or one that cannot be understood. */
bool cfi_read_cie(const struct cfi_section *section, uint64_t offset, struct cfi_cie *cie);

bool cfi_read_fde(const struct cfi_section *section, const struct cfi_cie *cie,
		  const struct cfi_entry *entry, struct cfi_fde *fde);

/* An address as DW_EH_PE_… says. Fails the reader where the encoding has no meaning here. */
uint64_t cfi_pointer(const struct cfi_section *section, struct reader *reader, uint8_t encoding);

#endif
