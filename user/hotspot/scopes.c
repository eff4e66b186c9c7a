/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Debug information of compiled methods: a PcDesc for each call leads to a chain of scopes, each
 * {sender scope, method, bytecode index} in packed numbers (share/code/scopeDesc.cpp).
 */
#include "hotspot/method.h"
#include "hotspot/packed.h"

enum { PCS_MAX = 1 << 20 };

/* Where an nmethod keeps its parts; versions differ. */
struct parts {
	uint64_t metadata, scopes, pcs, pcs_end;
};

static bool find_parts(struct parts *parts, struct memory *memory, const struct vmstructs *vm,
		       uint64_t nmethod)
{
	uint64_t pcs = memory_u32(memory, nmethod + vm->nmethod_scopes_pcs);

	if (vm->nmethod_immutable_data != VM_ABSENT) {
		uint64_t data = memory_u64(memory, nmethod + vm->nmethod_immutable_data);
		uint64_t offset = vm->nmethod_scopes_data_offset;

		if (offset == VM_ABSENT || vm->blob_mutable_data == VM_ABSENT ||
		    vm->blob_relocation_bytes == VM_ABSENT)
			return false;
		parts->pcs = data + pcs;
		parts->scopes = data + memory_u32(memory, nmethod + offset);
		parts->pcs_end = parts->scopes;
		parts->metadata = memory_u64(memory, nmethod + vm->blob_mutable_data) +
				  memory_u32(memory, nmethod + vm->blob_relocation_bytes);
		return !memory->failed;
	}
	if (vm->nmethod_metadata == VM_ABSENT || vm->nmethod_dependencies == VM_ABSENT)
		return false;
	parts->pcs = nmethod + pcs;
	parts->pcs_end = nmethod + memory_u32(memory, nmethod + vm->nmethod_dependencies);
	parts->metadata = nmethod + memory_u32(memory, nmethod + vm->nmethod_metadata);
	if (vm->nmethod_scopes_data != VM_ABSENT)
		parts->scopes = memory_u64(memory, nmethod + vm->nmethod_scopes_data);
	else if (vm->nmethod_scopes_data_offset != VM_ABSENT)
		parts->scopes =
			nmethod + memory_u32(memory, nmethod + vm->nmethod_scopes_data_offset);
	else
		return false;
	return !memory->failed;
}

/* The scope of the PcDesc that stands exactly at an offset of the code; 0: none. */
static uint32_t find_scope(const struct parts *parts, struct memory *memory,
			   const struct vmstructs *vm, uint64_t pc_offset)
{
	uint64_t low = 0, high;

	if (parts->pcs_end <= parts->pcs)
		return 0;
	high = (parts->pcs_end - parts->pcs) / vm->pc_bytes;
	if (high > PCS_MAX)
		return 0;
	while (low < high) {
		uint64_t middle = (low + high) / 2;
		uint64_t row = parts->pcs + middle * vm->pc_bytes;
		int64_t offset = memory_s32(memory, row + vm->pc_offset);

		if (memory->failed)
			return 0;
		if (offset == (int64_t)pc_offset)
			return memory_u32(memory, row + vm->pc_scope);
		if (offset < (int64_t)pc_offset)
			low = middle + 1;
		else
			high = middle;
	}
	return 0;
}

size_t scopes_read(struct scope scopes[METHOD_INLINED_MAX], struct memory *memory,
		   const struct vmstructs *vm, const struct blob *blob, uint64_t address)
{
	struct packed packed = { .memory = memory, .excluded = vm->version >= 20 };
	struct parts parts;
	size_t count = 0;
	uint32_t at;

	memory->failed = false;
	if (!find_parts(&parts, memory, vm, blob->start))
		return 0;
	at = find_scope(&parts, memory, vm, address - blob->code);
	while (at && count < METHOD_INLINED_MAX) {
		struct scope *scope = &scopes[count++];
		uint32_t sender, method;

		packed.at = parts.scopes + at;
		sender = packed_unsigned(&packed);
		method = packed_unsigned(&packed);
		scope->bci = (int32_t)packed_unsigned(&packed) - 1;
		scope->method =
			method ? memory_u64(memory, parts.metadata + 8 * (uint64_t)(method - 1))
			       : 0;
		if (memory->failed)
			return 0;
		at = sender;
	}
	return at ? 0 : count;
}
