/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Entries and encoded pointers of call frame information. */
#include <dwarf.h>
#include <string.h>

#include "unwind/cfi.h"

enum {
	ENCODING_FORMAT = 0x0f,
	ENCODING_BASE = 0x70,
	/* A CIE's rules are run again for many entries: an absurdly long one could take hours. */
	CIE_INSTRUCTIONS_MAX = 1024,
};

struct reader cfi_reader(const struct cfi_section *section, uint64_t offset)
{
	const uint8_t *data = section->bytes.data;
	struct reader reader = {
		.at = data,
		.end = data + section->bytes.bytes,
		.address = section->bytes.address,
	};

	reader_skip(&reader, offset);
	return reader;
}

static uint64_t offset_of(const struct cfi_section *section, const struct reader *reader)
{
	return (uint64_t)(reader->at - (const uint8_t *)section->bytes.data);
}

struct cfi_entry cfi_next(const struct cfi_section *section, struct reader *reader)
{
	struct cfi_entry entry = { .kind = CFI_END };
	bool is_64 = false;
	uint64_t length, id, id_offset, cie_id;

	if (!reader_left(reader))
		return entry;
	length = reader_fixed(reader, 4);
	if (length == UINT32_MAX) {
		is_64 = true;
		length = reader_fixed(reader, 8);
	}
	entry.body = reader_part(reader, length);
	if (reader->failed)
		return entry;
	entry.kind = CFI_OTHER;
	if (!length) /* the terminator, which a linker may have left between two inputs */
		return entry;

	/* The id keeps 4 bytes in .eh_frame, even behind a 64-bit length (LSB 5, 10.6.1). */
	if (section->is_eh)
		is_64 = false;
	id_offset = offset_of(section, &entry.body);
	id = reader_fixed(&entry.body, is_64 ? 8 : 4);
	cie_id = section->is_eh ? 0 : is_64 ? UINT64_MAX : UINT32_MAX;
	if (entry.body.failed)
		return entry;
	entry.kind = id == cie_id ? CFI_CIE : CFI_FDE;
	entry.cie_offset = section->is_eh ? id_offset - id : id;
	return entry;
}

uint64_t cfi_pointer(const struct cfi_section *section, struct reader *reader, uint8_t encoding)
{
	uint64_t place = reader->address;
	uint64_t value = 0;

	switch (encoding & ENCODING_FORMAT) {
	case DW_EH_PE_absptr:
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8:
		value = reader_fixed(reader, 8);
		break;
	case DW_EH_PE_udata2:
		value = reader_fixed(reader, 2);
		break;
	case DW_EH_PE_sdata2:
		value = (uint64_t)reader_fixed_signed(reader, 2);
		break;
	case DW_EH_PE_udata4:
		value = reader_fixed(reader, 4);
		break;
	case DW_EH_PE_sdata4:
		value = (uint64_t)reader_fixed_signed(reader, 4);
		break;
	case DW_EH_PE_uleb128:
		value = reader_uleb(reader);
		break;
	case DW_EH_PE_sleb128:
		value = (uint64_t)reader_sleb(reader);
		break;
	default:
		reader->failed = true;
	}
	switch (encoding & ENCODING_BASE) {
	case DW_EH_PE_absptr:
		return value;
	case DW_EH_PE_pcrel:
		return place + value;
	case DW_EH_PE_textrel:
		return section->text_address + value;
	case DW_EH_PE_datarel:
		return section->got_address + value;
	default: /* funcrel and aligned are for language data only */
		reader->failed = true;
		return 0;
	}
}

/* A personality routine's address: only its size matters. */
static void skip_personality(const struct cfi_section *section, struct reader *reader)
{
	uint8_t encoding = (uint8_t)reader_fixed(reader, 1);

	if (encoding == DW_EH_PE_omit)
		return;
	if (encoding == DW_EH_PE_aligned) {
		reader_skip(reader, -reader->address & 7);
		encoding = DW_EH_PE_absptr;
	}
	cfi_pointer(section, reader, encoding & ENCODING_FORMAT);
}

static bool read_augmentation(const struct cfi_section *section, const char *letters,
			      struct reader *reader, struct cfi_cie *cie)
{
	struct reader data;

	if (!*letters)
		return true;
	if (*letters != 'z') /* "eh" of gcc 2: its size is not in the entry */
		return false;
	cie->has_augmentation = true;
	data = reader_part(reader, reader_uleb(reader));
	for (letters++; *letters; letters++) {
		switch (*letters) {
		case 'R':
			cie->pointer_encoding = (uint8_t)reader_fixed(&data, 1);
			break;
		case 'P':
			skip_personality(section, &data);
			break;
		case 'L':
			reader_skip(&data, 1);
			break;
		case 'S':
			cie->is_signal = true;
			break;
		case 'B': /* return addresses are signed: arm64 */
			break;
		default: /* unknown data follows, all of it counted */
			return !data.failed;
		}
	}
	return !data.failed;
}

bool cfi_read_cie(const struct cfi_section *section, uint64_t offset, struct cfi_cie *cie)
{
	struct reader reader = cfi_reader(section, offset);
	struct cfi_entry entry = cfi_next(section, &reader);
	struct reader *body = &entry.body;
	const char *augmentation;
	uint64_t version;

	*cie = (struct cfi_cie){ .pointer_encoding = DW_EH_PE_absptr };
	if (entry.kind != CFI_CIE)
		return false;
	version = reader_fixed(body, 1);
	if (version != 1 && version != 3 && version != 4)
		return false;
	augmentation = reader_text(body);
	if (!augmentation)
		return false;
	if (version == 4 && (reader_fixed(body, 1) != 8 || reader_fixed(body, 1) != 0))
		return false; /* addresses of 8 bytes, no segment selectors */
	cie->code_align = reader_uleb(body);
	cie->data_align = reader_sleb(body);
	cie->return_register = version == 1 ? reader_fixed(body, 1) : reader_uleb(body);
	if (!read_augmentation(section, augmentation, body, cie))
		return false;
	cie->instructions = *body;
	return !body->failed && reader_left(body) <= CIE_INSTRUCTIONS_MAX;
}

bool cfi_read_fde(const struct cfi_section *section, const struct cfi_cie *cie,
		  const struct cfi_entry *entry, struct cfi_fde *fde)
{
	struct reader body = entry->body;
	uint64_t bytes;

	if (cie->pointer_encoding & DW_EH_PE_indirect)
		return false;
	fde->start = cfi_pointer(section, &body, cie->pointer_encoding);
	bytes = cfi_pointer(section, &body, cie->pointer_encoding & ENCODING_FORMAT);
	if (cie->has_augmentation)
		reader_skip(&body, reader_uleb(&body));
	if (body.failed || __builtin_add_overflow(fde->start, bytes, &fde->end))
		return false;
	fde->cie_offset = entry->cie_offset;
	fde->offset = offset_of(section, &body);
	fde->instruction_bytes = reader_left(&body);
	return true;
}
