/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Answers what stands behind the addresses of a JVM's stacks. */
#include "hotspot/hotspot.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/vec.h"
#include "hotspot/areas.h"
#include "hotspot/codecache.h"
#include "hotspot/facts.h"
#include "hotspot/method.h"

struct hotspot {
	struct memory memory;
	struct vmstructs vm;
	struct hotspot_layout layout;
	struct method methods[METHOD_INLINED_MAX]; /* of one place */
};

int hotspot_open(struct hotspot **out, struct image *image, uint64_t bias, int memory, int pagemap)
{
	struct hotspot *hotspot = mem_alloc(sizeof(*hotspot));
	int error;

	hotspot->memory.fd = fcntl(memory, F_DUPFD_CLOEXEC, 3);
	hotspot->memory.resident_only = pagemap >= 0;
	hotspot->memory.pagemap_fd = pagemap >= 0 ? fcntl(pagemap, F_DUPFD_CLOEXEC, 3) : -1;
	hotspot->memory.image = pagemap >= 0 ? image : NULL;
	hotspot->memory.bias = bias;
	error = hotspot->memory.fd < 0
			? error_set(-errno, "cannot keep the JVM's memory: %s", strerror(errno))
			: vmstructs_read(&hotspot->vm, &hotspot->memory, image, bias);
	if (error) {
		hotspot_free(hotspot);
		return error;
	}
	*out = hotspot;
	return 0;
}

void hotspot_free(struct hotspot *hotspot)
{
	if (!hotspot)
		return;
	if (hotspot->memory.fd >= 0)
		close(hotspot->memory.fd);
	if (hotspot->memory.pagemap_fd >= 0)
		close(hotspot->memory.pagemap_fd);
	mem_free(hotspot);
}

int hotspot_layout(struct hotspot *hotspot, struct hotspot_layout *layout)
{
	int error;

	memory_refresh(&hotspot->memory);
	error = codecache_layout(&hotspot->layout, &hotspot->memory, &hotspot->vm);
	if (error)
		hotspot->layout.heap_count = 0;
	*layout = hotspot->layout;
	return error;
}

void hotspot_areas(struct hotspot *hotspot, hotspot_area_fn area, void *context)
{
	memory_refresh(&hotspot->memory);
	areas_read(&hotspot->memory, &hotspot->vm, area, context);
}

void hotspot_facts(struct hotspot *hotspot, struct hotspot_facts *facts)
{
	memory_refresh(&hotspot->memory);
	facts_read(facts, &hotspot->memory, &hotspot->vm);
}

uint64_t hotspot_code_state(struct hotspot *hotspot)
{
	memory_refresh(&hotspot->memory);
	return codecache_state(&hotspot->memory, &hotspot->vm);
}

struct answer {
	hotspot_frame_fn frame;
	size_t i;
	void *context;
};

static void answer(const struct answer *to, const struct method *method, bool is_java, bool inlined)
{
	to->frame(to->i,
		  &(struct hotspot_frame){
			  .name = method->name[0] ? method->name : NULL,
			  .file = method->file[0] ? method->file : NULL,
			  .line = method->line,
			  .is_java = is_java,
			  .inlined = inlined,
		  },
		  to->context);
}

static void answer_gone(const struct answer *to)
{
	to->frame(to->i, &(struct hotspot_frame){ .is_java = true, .gone = true }, to->context);
}

/* What was read is its name if the Method is still the same behind that. */
static void name_interpreted(struct hotspot *hotspot, const struct hotspot_place *place,
			     const struct answer *to)
{
	int32_t bci = method_bci(&hotspot->memory, &hotspot->vm, place->address, place->bytecode);
	struct method method;

	method_read(&method, &hotspot->memory, &hotspot->vm, place->address, bci);
	if (place->identity &&
	    method_identity(&hotspot->memory, &hotspot->vm, place->address) != place->identity)
		answer_gone(to);
	else
		answer(to, &method, true, false);
}

/* Without scopes (at no call, or an unknown version), the method alone is known. */
static void name_compiled(struct hotspot *hotspot, const struct blob *blob,
			  const struct hotspot_place *place, const struct answer *to)
{
	struct memory *memory = &hotspot->memory;
	struct scope scopes[METHOD_INLINED_MAX];
	size_t count = scopes_read(scopes, memory, &hotspot->vm, blob, place->address);

	if (!count) {
		memory->failed = false;
		scopes[count++] = (struct scope){
			.method = memory_u64(memory, blob->start + hotspot->vm.nmethod_method),
			.bci = METHOD_BCI_NONE,
		};
	}
	for (size_t i = 0; i < count; i++)
		method_read(&hotspot->methods[i], memory, &hotspot->vm, scopes[i].method,
			    scopes[i].bci);
	/* Methods go after the code that was compiled of them. */
	if (place->identity && !codecache_holds(memory, &hotspot->vm, blob, place->identity)) {
		answer_gone(to);
		return;
	}
	for (size_t i = 0; i < count; i++)
		answer(to, &hotspot->methods[i], true, i + 1 < count);
}

static void name_stub(const struct blob *blob, const struct answer *to)
{
	struct method method = { 0 };

	memcpy(method.name, blob->name, sizeof(blob->name));
	answer(to, &method, false, false);
}

void hotspot_names(struct hotspot *hotspot, const struct hotspot_place *places, size_t count,
		   hotspot_frame_fn frame, void *context)
{
	memory_refresh(&hotspot->memory);
	hotspot->memory.reads_left += count * MEMORY_READS_EACH;
	for (size_t i = 0; i < count; i++) {
		struct answer to = { .frame = frame, .i = i, .context = context };
		struct blob blob = { 0 };

		if (places[i].interpreted)
			name_interpreted(hotspot, &places[i], &to);
		else if (codecache_find(&hotspot->layout, &hotspot->memory, &hotspot->vm,
					places[i].address - 1, &blob) &&
			 blob.is_method)
			name_compiled(hotspot, &blob, &places[i], &to);
		else if (places[i].identity)
			answer_gone(&to);
		else
			name_stub(&blob, &to);
	}
}
