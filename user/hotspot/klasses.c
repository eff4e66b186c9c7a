/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* By class loader (share/classfile/classLoaderData.hpp), or, before these list them, by heirs. */
#include "hotspot/klasses.h"

#include "base/vec.h"

enum { LOADERS_MAX = 65536, KLASSES_MAX = 262144 };

struct visit {
	struct memory *memory;
	const struct vmstructs *vm;
	klass_visit_fn visit;
	void *context;
	uint32_t left;
};

static bool is_over(const struct visit *visit)
{
	return !visit->left;
}

static void see(struct visit *visit, uint64_t klass)
{
	visit->left--;
	if (!visit->visit(klass, visit->context))
		visit->left = 0;
	visit->memory->failed = false;
}

static void read_loaders(struct visit *visit)
{
	const struct vmstructs *vm = visit->vm;
	struct memory *memory = visit->memory;
	uint64_t loader = memory_u64(memory, vm->loader_data_head);

	for (uint32_t i = 0; loader && !memory->failed && i < LOADERS_MAX; i++) {
		uint64_t klass = memory_u64(memory, loader + vm->loader_klasses);

		while (klass && !is_over(visit) && !memory->failed) {
			see(visit, klass);
			klass = memory_u64(memory, klass + vm->klass_next);
		}
		memory->failed = false; /* a class's page may be swapped out */
		loader = memory_u64(memory, loader + vm->loader_next);
	}
}

/* Loaders do not list their classes until 10, but each class its heirs. */
static void read_heirs(struct visit *visit)
{
	const struct vmstructs *vm = visit->vm;
	struct memory *memory = visit->memory;
	VEC(uint64_t) queue = { 0 };

	*vec_add(&queue) = memory_u64(memory, vm->object_klass);
	for (size_t i = 0; i < queue.count && !is_over(visit); i++) {
		uint64_t klass = queue.items[i];
		uint64_t child = memory_u64(memory, klass + vm->klass_child);
		uint64_t sibling = memory_u64(memory, klass + vm->klass_sibling);

		memory->failed = false;
		see(visit, klass);
		if (child)
			*vec_add(&queue) = child;
		if (sibling)
			*vec_add(&queue) = sibling;
	}
	vec_free(&queue);
}

void klasses_visit(struct memory *memory, const struct vmstructs *vm, klass_visit_fn visit,
		   void *context)
{
	struct visit all = { memory, vm, visit, context, KLASSES_MAX };

	memory->failed = false;
	if (vm->loader_data_head && vm->loader_next != VM_ABSENT &&
	    vm->loader_klasses != VM_ABSENT && vm->klass_next != VM_ABSENT)
		read_loaders(&all);
	else if (vm->object_klass && vm->klass_child != VM_ABSENT && vm->klass_sibling != VM_ABSENT)
		read_heirs(&all);
	memory->failed = false;
}
