/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Method → ConstMethod → ConstantPool → Symbols. Bytecodes lie behind the ConstMethod, and the
 * compressed table of lines behind these (share/oops/constMethod.hpp).
 */
#include "hotspot/method.h"

#include <string.h>

#include "hotspot/packed.h"

enum { LINES_MAX = 65536, LINE_ESCAPE = 0xff, CLASS_NAME_WORDS = 16 };

static size_t symbol_length(struct memory *memory, const struct vmstructs *vm, uint64_t symbol)
{
	return vm->symbol_length != VM_ABSENT
		       ? memory_u16(memory, symbol + vm->symbol_length)
		       : memory_u32(memory, symbol + vm->symbol_length_high) >> 16;
}

/* Copies a Symbol's text, cut to size; how long it is. */
static size_t read_symbol(struct memory *memory, const struct vmstructs *vm, uint64_t symbol,
			  char *text, size_t size)
{
	size_t length = symbol_length(memory, vm, symbol);

	if (length >= size)
		length = size - 1;
	if (!memory_read(memory, symbol + vm->symbol_body, text, length))
		length = 0;
	text[length] = '\0';
	return strlen(text);
}

/* The Symbol in a slot of a constant pool; its lowest bit is a mark. */
static uint64_t pool_symbol(struct memory *memory, const struct vmstructs *vm, uint64_t pool,
			    uint16_t index)
{
	if (!index || index >= memory_u32(memory, pool + vm->pool_length)) {
		memory->failed = true;
		return 0;
	}
	return memory_u64(memory, pool + vm->pool_bytes + 8ULL * index) & ~1ULL;
}

/*
 * "java/util/zip/Inflater" and "<init>" become "java.util.zip.Inflater.<init>", and a hidden class
 * "Main$$Lambda+0x0123" is "Main$$Lambda/0x0123" to Java, too.
 */
static void read_name(struct method *method, struct memory *memory, const struct vmstructs *vm,
		      uint64_t klass, uint64_t symbol)
{
	size_t size = sizeof(method->name), length;
	char *hidden;

	length = read_symbol(memory, vm, memory_u64(memory, klass + vm->klass_name), method->name,
			     size - 1);
	for (char *at = method->name; (at = strchr(at, '/'));)
		*at = '.';
	hidden = strstr(method->name, "+0x");
	if (hidden)
		*hidden = '/';
	method->name[length++] = '.';
	read_symbol(memory, vm, symbol, method->name + length, size - length);
}

/* Not every class says its file. */
static void read_file(struct method *method, struct memory *memory, const struct vmstructs *vm,
		      uint64_t pool, uint64_t klass)
{
	uint16_t index = vm->pool_file != VM_ABSENT    ? memory_u16(memory, pool + vm->pool_file)
			 : vm->klass_file != VM_ABSENT ? memory_u16(memory, klass + vm->klass_file)
						       : 0;

	if (index)
		read_symbol(memory, vm, pool_symbol(memory, vm, pool, index), method->file,
			    sizeof(method->file));
}

/* The line of the last entry that does not lie behind bci. Entries come in any order. */
static uint32_t find_line(struct packed *table, int32_t bci)
{
	int64_t at = 0, line = 0, best = -1, found = 0;

	for (int i = 0; i < LINES_MAX; i++) {
		uint8_t byte = memory_u8(table->memory, table->at++);

		if (!byte)
			break;
		if (byte == LINE_ESCAPE) {
			at += packed_signed(table);
			line += packed_signed(table);
		} else {
			at += byte >> 3;
			line += byte & 7;
		}
		if (table->memory->failed)
			return 0;
		if (at <= bci && at >= best) {
			best = at;
			found = line;
		}
	}
	return found > 0 && found <= UINT16_MAX ? (uint32_t)found : 0;
}

bool method_read(struct method *method, struct memory *memory, const struct vmstructs *vm,
		 uint64_t address, int32_t bci)
{
	uint64_t constant, pool, klass;
	uint32_t code_bytes;

	memory->failed = false;
	*method = (struct method){ 0 };
	constant = memory_u64(memory, address + vm->method_const);
	pool = memory_u64(memory, constant + vm->const_pool);
	klass = memory_u64(memory, pool + vm->pool_holder);
	read_name(method, memory, vm, klass,
		  pool_symbol(memory, vm, pool, memory_u16(memory, constant + vm->const_name)));
	if (memory->failed) {
		method->name[0] = '\0';
		return false;
	}
	read_file(method, memory, vm, pool, klass);
	code_bytes = memory_u16(memory, constant + vm->const_code_bytes);
	if (bci >= 0 && (uint32_t)bci < code_bytes &&
	    memory_u16(memory, constant + vm->const_flags) & vm->has_line_numbers) {
		struct packed table = {
			.memory = memory,
			.at = constant + vm->const_bytes + code_bytes,
			.excluded = vm->version >= 20,
		};

		method->line = find_line(&table, bci);
	}
	memory->failed = false;
	return true;
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0xff51afd7ed558ccdULL;
	return hash ^ (hash >> 32);
}

uint32_t method_identity(struct memory *memory, const struct vmstructs *vm, uint64_t address)
{
	uint64_t text[CLASS_NAME_WORDS] = { 0 }, symbol, hash = 0;
	size_t length, cut = 0;

	memory->failed = false;
	memory_forget(memory);
	symbol = memory_u64(memory, address + vm->method_const);
	symbol = memory_u64(memory, symbol + vm->const_pool);
	symbol = memory_u64(memory, symbol + vm->pool_holder);
	symbol = memory_u64(memory, symbol + vm->klass_name);
	length = symbol_length(memory, vm, symbol);
	if (length > sizeof(text)) {
		cut = length - sizeof(text);
		length = sizeof(text);
	}
	if (!memory_read(memory, symbol + vm->symbol_body + cut, text, length) || memory->failed)
		return 0;
	for (int i = 0; i < CLASS_NAME_WORDS; i++)
		hash = mix(hash, text[i]);
	return (uint32_t)hash & METHOD_IDENTITY_MASK;
}

int32_t method_bci(struct memory *memory, const struct vmstructs *vm, uint64_t address,
		   uint64_t bytecode)
{
	uint64_t constant, offset;

	memory->failed = false;
	constant = memory_u64(memory, address + vm->method_const);
	offset = bytecode - (constant + vm->const_bytes);
	if (memory->failed || offset >= memory_u16(memory, constant + vm->const_code_bytes))
		return METHOD_BCI_NONE;
	return (int32_t)offset;
}
