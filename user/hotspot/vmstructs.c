/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Picks what is wanted out of HotSpot's tables of its own structures. */
#include "hotspot/vmstructs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

enum { ENTRIES_MAX = 8192 /* HotSpot has some 1,500 */, STRIDE_MAX = 256, TEXT_MAX = 96 };

/* -- exported symbols ---------------------------------------------------------------------------
 */

/* The address of a data symbol in .dynsym, which may carry a version in its name; 0: none. */
static uint64_t find_export(struct image *image, const char *name)
{
	struct image_section symbols, names;
	size_t length = strlen(name);

	if (image_section(image, ".dynsym", &symbols) || image_section(image, ".dynstr", &names))
		return 0;
	for (size_t i = 0; i < symbols.size / sizeof(Elf64_Sym); i++) {
		Elf64_Sym symbol;
		const char *found;

		memcpy(&symbol, symbols.bytes + i * sizeof(symbol), sizeof(symbol));
		if (symbol.st_name >= names.size || names.size - symbol.st_name <= length)
			continue;
		found = (const char *)names.bytes + symbol.st_name;
		if (!memcmp(found, name, length) && (!found[length] || found[length] == '@') &&
		    symbol.st_shndx != SHN_UNDEF)
			return symbol.st_value;
	}
	return 0;
}

struct source {
	struct memory *memory;
	struct image *image;
	uint64_t bias;
};

/* The 64-bit number in an exported variable "gHotSpotVM" part. */
static uint64_t exported(const struct source *source, const char *part)
{
	char name[64];
	uint64_t address;

	snprintf(name, sizeof(name), "gHotSpotVM%s", part);
	address = find_export(source->image, name);
	if (address)
		return memory_u64(source->memory, address + source->bias);
	source->memory->failed = true;
	return 0;
}

/* -- what is wanted -----------------------------------------------------------------------------
 */

/* Rows of one member stand for versions; the structure that has one is as good as its heir. */
static const struct wanted {
	const char *type, *field; /* field NULL: the type's size */
	uint16_t member;
	bool is_static;
} wanted[] = {
#define STATIC(type, field, member)                                   \
	{                                                             \
		type, field, offsetof(struct vmstructs, member), true \
	}
#define FIELD(type, field, member)                                     \
	{                                                              \
		type, field, offsetof(struct vmstructs, member), false \
	}
#define SIZE(type, member)                                            \
	{                                                             \
		type, NULL, offsetof(struct vmstructs, member), false \
	}
	STATIC("CodeCache", "_heaps", code_cache_heaps),
	STATIC("CodeCache", "_heap", code_cache_heap),
	STATIC("AbstractInterpreter", "_code", interpreter_code),
	STATIC("Abstract_VM_Version", "_vm_major_version", vm_major_version),
	STATIC("Universe", "_collectedHeap", collected_heap),
	STATIC("Universe", "_narrow_oop._base", narrow_base),
	STATIC("CompressedOops", "_narrow_oop._base", narrow_base),
	STATIC("CompressedOops", "_base", narrow_base),
	STATIC("Universe", "_narrow_oop._shift", narrow_shift),
	STATIC("CompressedOops", "_narrow_oop._shift", narrow_shift),
	STATIC("CompressedOops", "_shift", narrow_shift),
	STATIC("BarrierSet", "_barrier_set", barrier_set),
	STATIC("MetaspaceObj", "_shared_metaspace_base", shared_base),
	STATIC("MetaspaceObj", "_shared_metaspace_top", shared_top),
	STATIC("ClassLoaderDataGraph", "_head", loader_data_head),
	STATIC("SystemDictionary", "_well_known_klasses[SystemDictionary::Object_klass_knum]",
	       object_klass),
	STATIC("JVMFlag", "flags", flags),
	STATIC("Flag", "flags", flags),
	STATIC("JVMFlag", "numFlags", flag_count),
	STATIC("Flag", "numFlags", flag_count),
	STATIC("PerfMemory", "_start", perf_start),
	STATIC("PerfMemory", "_capacity", perf_capacity),
	STATIC("Abstract_VM_Version", "_s_vm_release", vm_release),
	FIELD("JVMFlag", "_name", flag_name),
	FIELD("Flag", "_name", flag_name),
	FIELD("JVMFlag", "_addr", flag_address),
	FIELD("Flag", "_addr", flag_address),
	SIZE("JVMFlag", flag_bytes),
	SIZE("Flag", flag_bytes),
	FIELD("CollectedHeap", "_reserved", heap_reserved),
	FIELD("MemRegion", "_start", region_start),
	FIELD("MemRegion", "_word_size", region_words),
	FIELD("CardTableBarrierSet", "_card_table", barrier_card_table),
	FIELD("CardTable", "_byte_map", card_map),
	FIELD("CardTable", "_byte_map_size", card_map_bytes),
	FIELD("ClassLoaderData", "_next", loader_next),
	FIELD("ClassLoaderData", "_klasses", loader_klasses),
	FIELD("Klass", "_next_link", klass_next),
	FIELD("Klass", "_layout_helper", klass_layout),
	FIELD("Klass", "_subklass", klass_child),
	FIELD("Klass", "_next_sibling", klass_sibling),
	FIELD("Klass", "_java_mirror", klass_mirror),
	FIELD("InstanceKlass", "_constants", klass_constants),
	FIELD("GenericGrowableArray", "_len", array_length),
	FIELD("GrowableArrayBase", "_len", array_length),
	FIELD("GrowableArray<int>", "_data", array_data),
	FIELD("CodeHeap", "_memory", heap_memory),
	FIELD("CodeHeap", "_segmap", heap_segment_map),
	FIELD("CodeHeap", "_log2_segment_size", heap_segment_log2),
	SIZE("CodeHeap", heap_bytes),
	FIELD("VirtualSpace", "_low_boundary", space_low_boundary),
	FIELD("VirtualSpace", "_high_boundary", space_high_boundary),
	FIELD("VirtualSpace", "_low", space_low),
	SIZE("HeapBlock", block_bytes),
	FIELD("HeapBlock::Header", "_length", block_length),
	FIELD("HeapBlock::Header", "_used", block_used),
	FIELD("StubQueue", "_stub_buffer", queue_buffer),
	FIELD("StubQueue", "_buffer_limit", queue_limit),
	FIELD("CodeBlob", "_name", blob_name),
	FIELD("CodeBlob", "_size", blob_bytes),
	FIELD("CodeBlob", "_frame_size", blob_frame_size),
	FIELD("CodeBlob", "_code_begin", blob_code_begin),
	FIELD("CodeBlob", "_code_offset", blob_code_offset),
	FIELD("CodeBlob", "_mutable_data", blob_mutable_data),
	FIELD("CodeBlob", "_relocation_size", blob_relocation_bytes),
	FIELD("CompiledMethod", "_method", nmethod_method),
	FIELD("nmethod", "_method", nmethod_method),
	FIELD("nmethod", "_compile_id", nmethod_compile_id),
	FIELD("nmethod", "_metadata_offset", nmethod_metadata),
	FIELD("CompiledMethod", "_scopes_data_begin", nmethod_scopes_data),
	FIELD("nmethod", "_scopes_data_begin", nmethod_scopes_data),
	FIELD("nmethod", "_scopes_data_offset", nmethod_scopes_data_offset),
	FIELD("nmethod", "_scopes_pcs_offset", nmethod_scopes_pcs),
	FIELD("nmethod", "_dependencies_offset", nmethod_dependencies),
	FIELD("nmethod", "_immutable_data", nmethod_immutable_data),
	FIELD("PcDesc", "_pc_offset", pc_offset),
	FIELD("PcDesc", "_scope_decode_offset", pc_scope),
	SIZE("PcDesc", pc_bytes),
	FIELD("Method", "_constMethod", method_const),
	FIELD("ConstMethod", "_constants", const_pool),
	FIELD("ConstMethod", "_flags", const_flags),
	FIELD("ConstMethod", "_flags._flags", const_flags),
	FIELD("ConstMethod", "_code_size", const_code_bytes),
	FIELD("ConstMethod", "_name_index", const_name),
	SIZE("ConstMethod", const_bytes),
	FIELD("ConstantPool", "_pool_holder", pool_holder),
	FIELD("ConstantPool", "_length", pool_length),
	FIELD("ConstantPool", "_source_file_name_index", pool_file),
	SIZE("ConstantPool", pool_bytes),
	FIELD("Klass", "_name", klass_name),
	FIELD("InstanceKlass", "_source_file_name_index", klass_file),
	FIELD("Symbol", "_length", symbol_length),
	FIELD("Symbol", "_length_and_refcount", symbol_length_high),
	FIELD("Symbol", "_body", symbol_body),
	FIELD("Symbol", "_body[0]", symbol_body),
#undef STATIC
#undef FIELD
#undef SIZE
};

static bool is_offset(const struct wanted *row)
{
	return !row->is_static;
}

static void set_offset(struct vmstructs *vm, uint16_t member, uint64_t value)
{
	uint16_t offset = value < VM_ABSENT ? (uint16_t)value : VM_ABSENT;

	memcpy((char *)vm + member, &offset, sizeof(offset));
}

static void set_all_absent(struct vmstructs *vm)
{
	*vm = (struct vmstructs){ 0 };
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (is_offset(&wanted[i]))
			set_offset(vm, wanted[i].member, VM_ABSENT);
	}
}

/* -- the tables ---------------------------------------------------------------------------------
 */

/* A table whose entries begin with a name, ending at one without. */
struct table {
	uint64_t start, stride;
};

static struct table table_of(const struct source *source, const char *start, const char *stride)
{
	struct table table = { exported(source, start), exported(source, stride) };

	if (table.stride < 8 || table.stride > STRIDE_MAX)
		source->memory->failed = true;
	return table;
}

/* The i-th entry; 0 behind the last. */
static uint64_t entry_at(const struct source *source, const struct table *table, size_t i)
{
	uint64_t entry = table->start + i * table->stride;

	if (source->memory->failed || i >= ENTRIES_MAX)
		return 0;
	return memory_u64(source->memory, entry) ? entry : 0;
}

static void text_at(const struct source *source, uint64_t pointer, char *text)
{
	uint64_t address = memory_u64(source->memory, pointer);

	text[0] = '\0';
	if (address)
		memory_text(source->memory, address, text, TEXT_MAX);
}

static void take_field(struct vmstructs *vm, const char *type, const char *field, bool is_static,
		       uint64_t value)
{
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		const struct wanted *row = &wanted[i];

		if (!row->field || row->is_static != is_static || strcmp(row->type, type) ||
		    strcmp(row->field, field))
			continue;
		if (is_static)
			memcpy((char *)vm + row->member, &value, sizeof(value));
		else
			set_offset(vm, row->member, value);
	}
}

static void read_fields(struct vmstructs *vm, const struct source *source)
{
	struct table table = table_of(source, "Structs", "StructEntryArrayStride");
	uint64_t type_at = exported(source, "StructEntryTypeNameOffset");
	uint64_t field_at = exported(source, "StructEntryFieldNameOffset");
	uint64_t static_at = exported(source, "StructEntryIsStaticOffset");
	uint64_t offset_at = exported(source, "StructEntryOffsetOffset");
	uint64_t address_at = exported(source, "StructEntryAddressOffset");
	char type[TEXT_MAX], field[TEXT_MAX];
	uint64_t entry;

	for (size_t i = 0; (entry = entry_at(source, &table, i)); i++) {
		bool is_static = memory_u32(source->memory, entry + static_at);

		text_at(source, entry + type_at, type);
		text_at(source, entry + field_at, field);
		take_field(vm, type, field, is_static,
			   memory_u64(source->memory,
				      entry + (is_static ? address_at : offset_at)));
	}
}

static void read_sizes(struct vmstructs *vm, const struct source *source)
{
	struct table table = table_of(source, "Types", "TypeEntryArrayStride");
	uint64_t name_at = exported(source, "TypeEntryTypeNameOffset");
	uint64_t size_at = exported(source, "TypeEntrySizeOffset");
	char name[TEXT_MAX];
	uint64_t entry;

	for (size_t i = 0; (entry = entry_at(source, &table, i)); i++) {
		text_at(source, entry + name_at, name);
		for (size_t k = 0; k < sizeof(wanted) / sizeof(wanted[0]); k++) {
			if (!wanted[k].field && !strcmp(wanted[k].type, name))
				set_offset(vm, wanted[k].member,
					   memory_u64(source->memory, entry + size_at));
		}
	}
}

static void read_constants(struct vmstructs *vm, const struct source *source)
{
	struct table table = table_of(source, "IntConstants", "IntConstantEntryArrayStride");
	uint64_t name_at = exported(source, "IntConstantEntryNameOffset");
	uint64_t value_at = exported(source, "IntConstantEntryValueOffset");
	char name[TEXT_MAX];
	uint64_t entry;

	for (size_t i = 0; (entry = entry_at(source, &table, i)); i++) {
		text_at(source, entry + name_at, name);
		if (!strcmp(name, "ConstMethod::_has_linenumber_table") ||
		    !strcmp(name, "ConstMethodFlags::_misc_has_linenumber_table"))
			vm->has_line_numbers = memory_u32(source->memory, entry + value_at);
	}
}

/* HotSpot 25 is JDK 8; it took the JDK's number with 9. */
static uint32_t read_version(const struct vmstructs *vm, struct memory *memory)
{
	if (vm->code_cache_heap)
		return 8;
	return vm->vm_major_version ? memory_u32(memory, vm->vm_major_version) : 0;
}

/* What no version lacks. */
static bool is_complete(const struct vmstructs *vm)
{
	const uint16_t needed[] = {
		vm->heap_memory,
		vm->heap_segment_map,
		vm->heap_segment_log2,
		vm->space_low_boundary,
		vm->space_high_boundary,
		vm->space_low,
		vm->block_bytes,
		vm->block_length,
		vm->block_used,
		vm->queue_buffer,
		vm->queue_limit,
		vm->blob_name,
		vm->blob_bytes,
		vm->blob_frame_size,
		vm->nmethod_method,
		vm->nmethod_compile_id,
		vm->nmethod_scopes_pcs,
		vm->pc_offset,
		vm->pc_scope,
		vm->pc_bytes,
		vm->method_const,
		vm->const_pool,
		vm->const_flags,
		vm->const_code_bytes,
		vm->const_name,
		vm->const_bytes,
		vm->pool_holder,
		vm->pool_length,
		vm->pool_bytes,
		vm->klass_name,
		vm->symbol_body,
		vm->heap_bytes,
	};

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (needed[i] == VM_ABSENT)
			return false;
	}
	return vm->interpreter_code && vm->pc_bytes &&
	       (vm->code_cache_heap || (vm->code_cache_heaps && vm->array_length != VM_ABSENT &&
					vm->array_data != VM_ABSENT));
}

int vmstructs_read(struct vmstructs *vm, struct memory *memory, struct image *image, uint64_t bias)
{
	struct source source = { memory, image, bias };

	set_all_absent(vm);
	if (image_info(image)->bits32 || !find_export(image, "gHotSpotVMStructs"))
		return error_set(-ENOENT, "the image is no 64-bit HotSpot JVM");
	memory_refresh(memory);
	read_fields(vm, &source);
	read_sizes(vm, &source);
	read_constants(vm, &source);
	vm->version = read_version(vm, memory);
	if (memory->failed)
		return error_set(-EINVAL, "HotSpot's tables of its structures are not readable");
	if (!is_complete(vm))
		return error_set(-EINVAL, "HotSpot %u does not say where its code lies",
				 vm->version);
	return 0;
}
