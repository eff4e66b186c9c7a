/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The child's side of the door: each request to the parser, its answer into the reply. */
#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "sandbox/message.h"
#include "sandbox/parser.h"
#include "symbol/demangle.h"
#include "unwind/rows.h"

static void *begin(void)
{
	return parser_new();
}

/* -- images -------------------------------------------------------------------------------------
 */

static int serve_open(struct parser *parser, struct parcel *request, const int *fds,
		      struct parcel *reply)
{
	struct sandbox_image image;
	int error = parser_open(parser, fds[0], &image);

	if (!error)
		message_image(reply, &image);
	return error;
}

static int serve_open_bytes(struct parser *parser, struct parcel *request, const int *fds,
			    struct parcel *reply)
{
	struct sandbox_image image;
	int error = parser_open_bytes(parser, request->bytes.items, request->bytes.count, &image);

	if (!error)
		message_image(reply, &image);
	return error;
}

static uint32_t take_id(struct parcel *request)
{
	uint32_t id;

	parcel_number(request, &id);
	return id;
}

static int serve_debug(struct parser *parser, struct parcel *request, const int *fds,
		       struct parcel *reply)
{
	return parser_debug(parser, take_id(request), fds[0], fds[1]);
}

static int serve_close(struct parser *parser, struct parcel *request, const int *fds,
		       struct parcel *reply)
{
	parser_close(parser, take_id(request));
	return 0;
}

static int serve_probes(struct parser *parser, struct parcel *request, const int *fds,
			struct parcel *reply)
{
	uint32_t id = take_id(request);
	struct sandbox_probe_request *wanted;
	struct sandbox_probe *probes;
	size_t count;
	int error;

	parcel_count(request, &count, 1);
	wanted = mem_array(count, sizeof(*wanted));
	probes = mem_array(count, sizeof(*probes));
	for (size_t i = 0; i < count; i++) {
		wanted[i].symbol = parcel_get_text(request);
		parcel_flag(request, &wanted[i].has_return);
		parcel_number(request, &wanted[i].argument_mask);
	}
	error = request->failed ? -EINVAL : parser_probes(parser, id, wanted, count, probes);
	for (size_t i = 0; i < count && !error; i++)
		message_probe(reply, &probes[i]);
	mem_free(wanted);
	mem_free(probes);
	return error;
}

static int serve_exits(struct parser *parser, struct parcel *request, const int *fds,
		       struct parcel *reply)
{
	uint32_t id = take_id(request);
	struct sandbox_leaver *leavers;
	struct sandbox_exits exits;
	size_t count;
	int error;

	parcel_count(request, &count, sizeof(uint64_t));
	leavers = mem_array(count, sizeof(*leavers));
	for (size_t i = 0; i < count; i++)
		message_leaver(request, &leavers[i]);
	error = parser_exits(parser, id, leavers, count, &exits);
	if (!error) {
		for (size_t i = 0; i < count; i++)
			message_leaver(reply, &leavers[i]);
		parcel_count(reply, &exits.count, 1);
		for (size_t i = 0; i < exits.count; i++)
			message_exit(reply, &exits.items[i]);
		mem_free(exits.items);
	}
	mem_free(leavers);
	return error;
}

static int serve_rows(struct parser *parser, struct parcel *request, const int *fds,
		      struct parcel *reply)
{
	struct sandbox_rows rows = { 0 };
	int error = parser_rows(parser, take_id(request), &rows);

	if (error)
		return error;
	parcel_number(reply, &rows.base);
	parcel_number(reply, &rows.skipped);
	parcel_count(reply, &rows.count, UNWIND_ROW_BYTES);
	parcel_raw(reply, rows.rows, rows.count * UNWIND_ROW_BYTES);
	free(rows.rows);
	return 0;
}

/* -- names --------------------------------------------------------------------------------------
 */

static void pack_frame(size_t i, const struct sandbox_frame *frame, void *reply)
{
	struct message_frame packed = {
		.i = (uint32_t)i,
		.line = frame->line,
		.name = frame->name,
		.file = frame->file,
		.inlined = frame->inlined,
		.interpreted = frame->interpreted,
	};

	message_frame(reply, &packed);
}

static int serve_names(struct parser *parser, struct parcel *request, struct parcel *reply,
		       int (*name)(struct parser *parser, uint32_t id, const uint64_t *addresses,
				   size_t count, sandbox_frame_fn frame, void *context))
{
	uint32_t id = take_id(request);
	uint64_t *addresses;
	size_t count;
	int error;

	parcel_count(request, &count, sizeof(*addresses));
	addresses = mem_array(count, sizeof(*addresses));
	parcel_raw(request, addresses, count * sizeof(*addresses));
	error = name(parser, id, addresses, count, pack_frame, reply);
	mem_free(addresses);
	return error;
}

static int serve_symbolise(struct parser *parser, struct parcel *request, const int *fds,
			   struct parcel *reply)
{
	return serve_names(parser, request, reply, parser_symbolise);
}

static int serve_perfmap_open(struct parser *parser, struct parcel *request, const int *fds,
			      struct parcel *reply)
{
	uint32_t id;
	int error = parser_perfmap_open(parser, fds[0], &id);

	if (!error)
		parcel_number(reply, &id);
	return error;
}

static int serve_perfmap_close(struct parser *parser, struct parcel *request, const int *fds,
			       struct parcel *reply)
{
	parser_perfmap_close(parser, take_id(request));
	return 0;
}

/* -EFBIG comes with names. */
static int serve_perfmap_names(struct parser *parser, struct parcel *request, const int *fds,
			       struct parcel *reply)
{
	int error = serve_names(parser, request, reply, parser_perfmap_names);
	bool full = error == -EFBIG;

	parcel_flag(reply, &full);
	return full ? 0 : error;
}

/* -- JVMs ---------------------------------------------------------------------------------------
 */

static int serve_jvm_open(struct parser *parser, struct parcel *request, const int *fds,
			  struct parcel *reply)
{
	uint32_t image = take_id(request), id;
	uint64_t bias;
	int error;

	parcel_number(request, &bias);
	error = parser_jvm_open(parser, image, bias, fds[0], fds[1], &id);
	if (!error)
		parcel_number(reply, &id);
	return error;
}

static int serve_jvm_close(struct parser *parser, struct parcel *request, const int *fds,
			   struct parcel *reply)
{
	parser_jvm_close(parser, take_id(request));
	return 0;
}

static int serve_jvm_layout(struct parser *parser, struct parcel *request, const int *fds,
			    struct parcel *reply)
{
	struct sandbox_jvm jvm;
	int error = parser_jvm_layout(parser, take_id(request), &jvm);

	if (!error)
		message_jvm(reply, &jvm);
	return error;
}

static void pack_area(const struct sandbox_jvm_area *area, void *reply)
{
	struct sandbox_jvm_area packed = *area;

	message_area(reply, &packed);
}

static int serve_jvm_areas(struct parser *parser, struct parcel *request, const int *fds,
			   struct parcel *reply)
{
	return parser_jvm_areas(parser, take_id(request), pack_area, reply);
}

static int serve_jvm_facts(struct parser *parser, struct parcel *request, const int *fds,
			   struct parcel *reply)
{
	struct hotspot_facts facts = { 0 };
	int error = parser_jvm_facts(parser, take_id(request), &facts);

	if (!error)
		message_facts(reply, &facts);
	return error;
}

static int serve_jvm_code_state(struct parser *parser, struct parcel *request, const int *fds,
				struct parcel *reply)
{
	uint64_t state = parser_jvm_code_state(parser, take_id(request));

	parcel_number(reply, &state);
	return 0;
}

static void pack_java_frame(size_t i, const struct sandbox_java_frame *frame, void *reply)
{
	struct message_frame packed = {
		.i = (uint32_t)i,
		.line = frame->line,
		.name = frame->name,
		.file = frame->file,
		.inlined = frame->inlined,
		.is_java = frame->is_java,
		.gone = frame->gone,
	};

	message_frame(reply, &packed);
}

static int serve_jvm_names(struct parser *parser, struct parcel *request, const int *fds,
			   struct parcel *reply)
{
	uint32_t id = take_id(request);
	struct sandbox_java_place *places;
	size_t count;
	int error;

	parcel_count(request, &count, 2 * sizeof(uint64_t));
	places = mem_array(count, sizeof(*places));
	for (size_t i = 0; i < count; i++)
		message_place(request, &places[i]);
	error = parser_jvm_names(parser, id, places, count, pack_java_frame, reply);
	mem_free(places);
	return error;
}

/* -- texts --------------------------------------------------------------------------------------
 */

_Static_assert((int)SANDBOX_TEXT_MAX == (int)DEMANGLE_MAX, "one length");

static int serve_demangle(struct parser *parser, struct parcel *request, const int *fds,
			  struct parcel *reply)
{
	const char *name = parcel_get_text(request);
	char text[DEMANGLE_MAX];

	if (!name)
		return -EINVAL;
	parcel_put_text(reply, demangle(name, text));
	return 0;
}

static int serve_nmt(struct parser *parser, struct parcel *request, const int *fds,
		     struct parcel *reply)
{
	const char *text = parcel_get_text(request);
	struct nmt *nmt = mem_alloc(sizeof(*nmt));
	bool right = text && nmt_parse(nmt, text);

	if (right)
		message_nmt(reply, nmt);
	mem_free(nmt);
	return right ? 0 : error_set(-EINVAL, "this is no answer about native memory");
}

/* -- all of them --------------------------------------------------------------------------------
 */

static int (*const functions[MESSAGES])(struct parser *parser, struct parcel *request,
					const int *fds, struct parcel *reply) = {
	[MESSAGE_OPEN] = serve_open,
	[MESSAGE_OPEN_BYTES] = serve_open_bytes,
	[MESSAGE_DEBUG] = serve_debug,
	[MESSAGE_CLOSE] = serve_close,
	[MESSAGE_PROBES] = serve_probes,
	[MESSAGE_EXITS] = serve_exits,
	[MESSAGE_SYMBOLISE] = serve_symbolise,
	[MESSAGE_ROWS] = serve_rows,
	[MESSAGE_PERFMAP_OPEN] = serve_perfmap_open,
	[MESSAGE_PERFMAP_CLOSE] = serve_perfmap_close,
	[MESSAGE_PERFMAP_NAMES] = serve_perfmap_names,
	[MESSAGE_JVM_OPEN] = serve_jvm_open,
	[MESSAGE_JVM_CLOSE] = serve_jvm_close,
	[MESSAGE_JVM_LAYOUT] = serve_jvm_layout,
	[MESSAGE_JVM_AREAS] = serve_jvm_areas,
	[MESSAGE_JVM_FACTS] = serve_jvm_facts,
	[MESSAGE_JVM_CODE_STATE] = serve_jvm_code_state,
	[MESSAGE_JVM_NAMES] = serve_jvm_names,
	[MESSAGE_DEMANGLE] = serve_demangle,
	[MESSAGE_NMT] = serve_nmt,
};

static int serve(void *parser, uint32_t kind, struct parcel *request, const int fds[JAIL_FDS_MAX],
		 struct parcel *reply)
{
	if (kind >= MESSAGES)
		return error_set(-EINVAL, "no request has the number %u", kind);
	return functions[kind](parser, request, fds, reply);
}

/* The largest debug file takes seconds; a file system that does not answer is another's trap. */
const struct jail_work message_work = {
	.name = "unfreed-parser",
	.work_seconds_max = 300,
	.idle_seconds_max = 60,
	.begin = begin,
	.serve = serve,
};
