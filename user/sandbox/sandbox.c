/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Our side of the door: asks the child. What it has been handed is kept here, too: the child that
 * follows one that died is handed it again, all but what that one died of.
 */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "sandbox/held.h"
#include "sandbox/message.h"
#include "unwind/rows.h"

/* -- images -------------------------------------------------------------------------------------
 */

int sandbox_open(struct sandbox *sandbox, int fd, struct sandbox_image *image)
{
	struct held *held = held_new(sandbox, HELD_IMAGE);

	return held_enter(sandbox, held, held_keep(held, 0, fd), image);
}

int sandbox_open_bytes(struct sandbox *sandbox, const void *bytes, size_t count,
		       struct sandbox_image *image)
{
	struct held *held = held_new(sandbox, HELD_IMAGE);

	held->bytes.count = held->bytes.capacity = count;
	held->bytes.items = mem_array(count, 1);
	memcpy(held->bytes.items, bytes, count);
	return held_enter(sandbox, held, 0, image);
}

int sandbox_debug(struct sandbox *sandbox, uint32_t id, int fd, int alt_fd)
{
	struct held *held = held_get(sandbox, HELD_IMAGE, id);
	int error = held ? held_debug(sandbox, held, fd, alt_fd) : -EBADF;

	if (!error) {
		held_keep(held, 1, fd);
		held_keep(held, 2, alt_fd);
	}
	return error;
}

void sandbox_close(struct sandbox *sandbox, uint32_t id)
{
	held_close(sandbox, HELD_IMAGE, MESSAGE_CLOSE, id);
}

/* Begins a request about what is held. */
static int begin(struct sandbox *sandbox, enum held_kind kind, uint32_t id, struct held **held)
{
	*held = held_get(sandbox, kind, id);
	return *held ? held_begin(sandbox, *held) : -EBADF;
}

/* The reply is read. Returns 0, or what it means that it made no sense. */
static int end(struct sandbox *sandbox, struct held *held)
{
	if (!sandbox->reply.failed)
		return 0;
	held->lost = true;
	return jail_garbled(sandbox->jail);
}

int sandbox_probes(struct sandbox *sandbox, uint32_t id,
		   const struct sandbox_probe_request *requests, size_t count,
		   struct sandbox_probe *probes)
{
	struct held *held;
	int error = begin(sandbox, HELD_IMAGE, id, &held);

	if (error)
		return error;
	parcel_count(&sandbox->request, &count, 1);
	for (size_t i = 0; i < count; i++) {
		struct sandbox_probe_request request = requests[i];

		parcel_put_text(&sandbox->request, request.symbol);
		parcel_flag(&sandbox->request, &request.has_return);
		parcel_number(&sandbox->request, &request.argument_mask);
	}
	error = held_ask(sandbox, held, MESSAGE_PROBES);
	for (size_t i = 0; i < count && !error; i++)
		message_probe(&sandbox->reply, &probes[i]);
	return error ? error : end(sandbox, held);
}

int sandbox_exits(struct sandbox *sandbox, uint32_t id, struct sandbox_leaver *leavers,
		  size_t count, struct sandbox_exits *exits)
{
	struct parcel *reply = &sandbox->reply;
	struct held *held;
	int error = begin(sandbox, HELD_IMAGE, id, &held);

	*exits = (struct sandbox_exits){ 0 };
	if (error)
		return error;
	parcel_count(&sandbox->request, &count, 1);
	for (size_t i = 0; i < count; i++)
		message_leaver(&sandbox->request, &leavers[i]);
	error = held_ask(sandbox, held, MESSAGE_EXITS);
	if (error)
		return error;
	for (size_t i = 0; i < count; i++)
		message_leaver(reply, &leavers[i]);
	parcel_count(reply, &exits->count, 2 * sizeof(uint64_t) + 1);
	exits->items = mem_array(exits->count, sizeof(*exits->items));
	for (size_t i = 0; i < exits->count; i++)
		message_exit(reply, &exits->items[i]);
	return end(sandbox, held);
}

int sandbox_rows(struct sandbox *sandbox, uint32_t id, struct sandbox_rows *rows)
{
	struct parcel *reply = &sandbox->reply;
	struct held *held;
	int error = begin(sandbox, HELD_IMAGE, id, &held);

	if (!error)
		error = held_ask(sandbox, held, MESSAGE_ROWS);
	if (error)
		return error;
	parcel_number(reply, &rows->base);
	parcel_number(reply, &rows->skipped);
	parcel_count(reply, &rows->count, UNWIND_ROW_BYTES);
	rows->rows = mem_array(rows->count, UNWIND_ROW_BYTES);
	parcel_raw(reply, rows->rows, rows->count * UNWIND_ROW_BYTES);
	return end(sandbox, held);
}

/* -- names --------------------------------------------------------------------------------------
 */

/* Who is told of frames: of native or of Java code. */
struct listener {
	sandbox_frame_fn native;
	sandbox_java_fn java;
	void *context;
};

static void tell(const struct listener *listener, const struct message_frame *frame)
{
	if (listener->java)
		listener->java(frame->i,
			       &(struct sandbox_java_frame){
				       .name = frame->name,
				       .file = frame->file,
				       .line = frame->line,
				       .is_java = frame->is_java,
				       .inlined = frame->inlined,
				       .gone = frame->gone,
			       },
			       listener->context);
	else
		listener->native(frame->i,
				 &(struct sandbox_frame){
					 .name = frame->name,
					 .file = frame->file,
					 .line = frame->line,
					 .inlined = frame->inlined,
					 .interpreted = frame->interpreted,
				 },
				 listener->context);
}

/* Each of count has a frame in the end, whatever the child says or leaves out. frames: bytes of the
 * reply that hold some. */
static void tell_all(struct parcel *reply, size_t frames, size_t count,
		     const struct listener *listener)
{
	bool *told = mem_array(count, sizeof(*told));

	while (reply->at < frames) {
		struct message_frame frame = { 0 };

		message_frame(reply, &frame);
		if (frame.i >= count)
			reply->failed = true;
		if (reply->failed)
			break;
		told[frame.i] = true;
		tell(listener, &frame);
	}
	for (size_t i = 0; i < count; i++) {
		if (!told[i])
			tell(listener, &(struct message_frame){ .i = (uint32_t)i });
	}
	mem_free(told);
}

/* Asks for names; a child that dies of it has none. */
static int ask_names(struct sandbox *sandbox, struct held *held, enum message message, size_t count,
		     size_t behind, const struct listener *listener)
{
	int error = held_ask(sandbox, held, message);
	size_t bytes = error ? 0 : sandbox->reply.bytes.count;

	sandbox->reply.failed |= !error && bytes < behind;
	tell_all(&sandbox->reply, bytes < behind ? 0 : bytes - behind, count, listener);
	return error ? error : end(sandbox, held);
}

static int name_addresses(struct sandbox *sandbox, enum held_kind kind, uint32_t id,
			  enum message message, const uint64_t *addresses, size_t count,
			  size_t behind, const struct listener *listener)
{
	struct held *held;
	int error = begin(sandbox, kind, id, &held);

	if (!held)
		return error;
	if (!error) {
		parcel_count(&sandbox->request, &count, 1);
		parcel_raw(&sandbox->request, (void *)addresses, count * sizeof(*addresses));
		return ask_names(sandbox, held, message, count, behind, listener);
	}
	tell_all(&(struct parcel){ .unpacking = true }, 0, count, listener);
	return error;
}

int sandbox_symbolise(struct sandbox *sandbox, uint32_t id, const uint64_t *addresses, size_t count,
		      sandbox_frame_fn frame, void *context)
{
	int error = name_addresses(sandbox, HELD_IMAGE, id, MESSAGE_SYMBOLISE, addresses, count, 0,
				   &(struct listener){ .native = frame, .context = context });

	return error == -EBADF ? error : 0;
}

int sandbox_perfmap_open(struct sandbox *sandbox, int fd, uint32_t *id)
{
	struct held *held = held_new(sandbox, HELD_PERFMAP);
	int error = held_keep(held, 0, fd);

	*id = held->id;
	if (!error)
		error = held_begin(sandbox, held);
	if (error)
		held_drop(sandbox, held);
	return error;
}

void sandbox_perfmap_close(struct sandbox *sandbox, uint32_t id)
{
	held_close(sandbox, HELD_PERFMAP, MESSAGE_PERFMAP_CLOSE, id);
}

int sandbox_perfmap_names(struct sandbox *sandbox, uint32_t id, const uint64_t *addresses,
			  size_t count, sandbox_frame_fn frame, void *context)
{
	bool full;
	int error =
		name_addresses(sandbox, HELD_PERFMAP, id, MESSAGE_PERFMAP_NAMES, addresses, count,
			       1, &(struct listener){ .native = frame, .context = context });

	if (error)
		return error;
	parcel_flag(&sandbox->reply, &full);
	return full ? error_set(-EFBIG, "a perf map is too large") : 0;
}

/* -- JVMs ---------------------------------------------------------------------------------------
 */

int sandbox_jvm_open(struct sandbox *sandbox, uint32_t image, uint64_t bias, int memory_fd,
		     int pagemap_fd, uint32_t *id)
{
	struct held *held = held_new(sandbox, HELD_JVM);
	int error = held_keep(held, 0, memory_fd);

	*id = held->id;
	held->image = image;
	held->bias = bias;
	if (!error)
		error = held_keep(held, 1, pagemap_fd);
	if (!error)
		error = held_begin(sandbox, held);
	if (error)
		held_drop(sandbox, held);
	return error;
}

void sandbox_jvm_close(struct sandbox *sandbox, uint32_t id)
{
	held_close(sandbox, HELD_JVM, MESSAGE_JVM_CLOSE, id);
}

/* A request of no more than its number. */
static int ask_jvm(struct sandbox *sandbox, uint32_t id, enum message message, struct held **held)
{
	int error = begin(sandbox, HELD_JVM, id, held);

	return error ? error : held_ask(sandbox, *held, message);
}

int sandbox_jvm_layout(struct sandbox *sandbox, uint32_t id, struct sandbox_jvm *jvm)
{
	struct held *held;
	int error = ask_jvm(sandbox, id, MESSAGE_JVM_LAYOUT, &held);

	if (error)
		return error;
	*jvm = (struct sandbox_jvm){ 0 };
	message_jvm(&sandbox->reply, jvm);
	return end(sandbox, held);
}

int sandbox_jvm_areas(struct sandbox *sandbox, uint32_t id, sandbox_jvm_area_fn area, void *context)
{
	struct parcel *reply = &sandbox->reply;
	struct held *held;
	int error = ask_jvm(sandbox, id, MESSAGE_JVM_AREAS, &held);

	if (error)
		return error;
	while (!reply->failed && reply->at < reply->bytes.count) {
		struct sandbox_jvm_area one = { 0 };

		message_area(reply, &one);
		if (!reply->failed)
			area(&one, context);
	}
	return end(sandbox, held);
}

int sandbox_jvm_facts(struct sandbox *sandbox, uint32_t id, struct hotspot_facts *facts)
{
	struct held *held;
	int error = ask_jvm(sandbox, id, MESSAGE_JVM_FACTS, &held);

	if (error)
		return error;
	message_facts(&sandbox->reply, facts);
	return end(sandbox, held);
}

uint64_t sandbox_jvm_code_state(struct sandbox *sandbox, uint32_t id)
{
	struct held *held;
	uint64_t state = 0;

	if (!ask_jvm(sandbox, id, MESSAGE_JVM_CODE_STATE, &held))
		parcel_number(&sandbox->reply, &state);
	return state;
}

int sandbox_jvm_names(struct sandbox *sandbox, uint32_t id, const struct sandbox_java_place *places,
		      size_t count, sandbox_java_fn frame, void *context)
{
	const struct listener listener = { .java = frame, .context = context };
	struct held *held;
	int error = begin(sandbox, HELD_JVM, id, &held);

	if (!held)
		return error;
	if (error) {
		tell_all(&(struct parcel){ .unpacking = true }, 0, count, &listener);
		return 0;
	}
	parcel_count(&sandbox->request, &count, 1);
	for (size_t i = 0; i < count; i++) {
		struct sandbox_java_place place = places[i];

		message_place(&sandbox->request, &place);
	}
	ask_names(sandbox, held, MESSAGE_JVM_NAMES, count, 0, &listener);
	return 0;
}

/* -- texts --------------------------------------------------------------------------------------
 */

/* A request about nothing that is held: a text, which says it all. */
static int ask_text(struct sandbox *sandbox, enum message message, const char *text)
{
	static const int none[JAIL_FDS_MAX] = { -1, -1, -1 };

	parcel_empty(&sandbox->request);
	parcel_put_text(&sandbox->request, text);
	return jail_ask(sandbox->jail, message, &sandbox->request, none, &sandbox->reply);
}

int sandbox_demangle(struct sandbox *sandbox, const char *name, char text[SANDBOX_TEXT_MAX])
{
	int error = ask_text(sandbox, MESSAGE_DEMANGLE, name);

	if (error)
		return error;
	parcel_text_(&sandbox->reply, text, SANDBOX_TEXT_MAX);
	return sandbox->reply.failed ? jail_garbled(sandbox->jail) : 0;
}

int sandbox_nmt(struct sandbox *sandbox, const char *text, struct nmt *nmt)
{
	int error = ask_text(sandbox, MESSAGE_NMT, text);

	if (error)
		return error;
	*nmt = (struct nmt){ 0 };
	message_nmt(&sandbox->reply, nmt);
	return sandbox->reply.failed ? jail_garbled(sandbox->jail) : 0;
}
