/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Keeps what the child was handed, and hands it over once to each child. */
#include "sandbox/held.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

struct sandbox *sandbox_new(void)
{
	struct sandbox *sandbox = mem_alloc(sizeof(*sandbox));

	sandbox->jail = jail_new(&message_work);
	return sandbox;
}

void sandbox_free(struct sandbox *sandbox)
{
	if (!sandbox)
		return;
	jail_free(sandbox->jail);
	vec_for_each (held, &sandbox->held) {
		held_drop(sandbox, *held);
		mem_free(*held);
	}
	vec_free(&sandbox->held);
	parcel_free(&sandbox->request);
	parcel_free(&sandbox->reply);
	mem_free(sandbox);
}

int sandbox_walls(struct sandbox *sandbox, unsigned int *walls)
{
	return jail_walls(sandbox->jail, walls);
}

void sandbox_cost(const struct sandbox *sandbox, uint64_t *cpu_ns, uint64_t *memory_bytes)
{
	jail_cost(sandbox->jail, cpu_ns, memory_bytes);
}

/* -- what is held ------------------------------------------------------------------------------ */

struct held *held_new(struct sandbox *sandbox, enum held_kind kind)
{
	struct held *held = NULL;

	vec_for_each (closed, &sandbox->held) {
		if ((*closed)->kind == HELD_NONE) {
			held = *closed;
			break;
		}
	}
	if (!held) {
		held = mem_alloc(sizeof(*held));
		held->id = (uint32_t)sandbox->held.count;
		*vec_add(&sandbox->held) = held;
	}
	*held = (struct held){ .kind = kind, .id = held->id };
	for (int i = 0; i < JAIL_FDS_MAX; i++)
		held->fds[i] = -1;
	return held;
}

struct held *held_get(struct sandbox *sandbox, enum held_kind kind, uint32_t id)
{
	if (id < sandbox->held.count && sandbox->held.items[id]->kind == kind)
		return sandbox->held.items[id];
	error_set(-EBADF, "the sandbox holds nothing of the number %u", id);
	return NULL;
}

void held_drop(struct sandbox *sandbox, struct held *held)
{
	if (held->kind == HELD_NONE)
		return;
	for (int i = 0; i < JAIL_FDS_MAX; i++)
		held_keep(held, i, -1);
	vec_free(&held->bytes);
	held->kind = HELD_NONE;
}

void held_close(struct sandbox *sandbox, enum held_kind kind, enum message message, uint32_t id)
{
	struct held *held = held_get(sandbox, kind, id);

	if (!held)
		return;
	if (!held->lost && held->generation == jail_generation(sandbox->jail) &&
	    !held_begin(sandbox, held))
		held_ask(sandbox, held, message);
	held_drop(sandbox, held);
}

int held_keep(struct held *held, int place, int fd)
{
	if (held->fds[place] >= 0)
		close(held->fds[place]);
	held->fds[place] = -1;
	if (fd < 0)
		return 0;
	held->fds[place] = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (held->fds[place] < 0)
		return error_set(-errno, "cannot duplicate a file descriptor: %s", strerror(errno));
	return 0;
}

/* -- handing over ------------------------------------------------------------------------------ */

static int send(struct sandbox *sandbox, struct held *held, enum message message,
		const int fds[JAIL_FDS_MAX])
{
	int error = jail_ask(sandbox->jail, message, &sandbox->request, fds, &sandbox->reply);

	held->lost |= error == -EOWNERDEAD;
	return error;
}

static int send_files(struct sandbox *sandbox, struct held *held, enum message message, int first,
		      int second)
{
	const int fds[JAIL_FDS_MAX] = { first, second, -1 };

	return send(sandbox, held, message, fds);
}

int held_debug(struct sandbox *sandbox, struct held *held, int fd, int alt_fd)
{
	int error = held_begin(sandbox, held);

	return error ? error : send_files(sandbox, held, MESSAGE_DEBUG, fd, alt_fd);
}

static int open_image(struct sandbox *sandbox, struct held *held, struct sandbox_image *image)
{
	struct parcel *request = &sandbox->request;
	int error;

	parcel_empty(request);
	if (held->fds[0] < 0)
		parcel_raw(request, held->bytes.items, held->bytes.count);
	error = send_files(sandbox, held, held->fds[0] < 0 ? MESSAGE_OPEN_BYTES : MESSAGE_OPEN,
			   held->fds[0], -1);
	if (error)
		return error;
	*image = (struct sandbox_image){ 0 };
	message_image(&sandbox->reply, image);
	held->number = image->id;
	image->id = held->id;
	return 0;
}

int held_enter(struct sandbox *sandbox, struct held *held, int error, struct sandbox_image *image)
{
	*image = (struct sandbox_image){ 0 };
	if (!error)
		error = open_image(sandbox, held, image);
	held->generation = jail_generation(sandbox->jail);
	if (!error && sandbox->reply.failed)
		error = jail_garbled(sandbox->jail);
	if (error)
		held_drop(sandbox, held);
	return error;
}

static int open_again(struct sandbox *sandbox, struct held *held)
{
	struct sandbox_image image;
	int error = open_image(sandbox, held, &image);

	held->generation = jail_generation(sandbox->jail);
	/* Without its debug file it has fewer names. */
	if (!error && held->fds[1] >= 0)
		held_debug(sandbox, held, held->fds[1], held->fds[2]);
	return error;
}

static int open_jvm(struct sandbox *sandbox, struct held *held)
{
	struct held *image = held_get(sandbox, HELD_IMAGE, held->image);
	int error = image ? held_begin(sandbox, image) : -EBADF;

	if (error)
		return error;
	parcel_number(&sandbox->request, &held->bias);
	error = send_files(sandbox, held, MESSAGE_JVM_OPEN, held->fds[0], held->fds[1]);
	if (!error)
		parcel_number(&sandbox->reply, &held->number);
	return error;
}

static int open_perfmap(struct sandbox *sandbox, struct held *held)
{
	int error;

	parcel_empty(&sandbox->request);
	error = send_files(sandbox, held, MESSAGE_PERFMAP_OPEN, held->fds[0], -1);
	if (!error)
		parcel_number(&sandbox->reply, &held->number);
	return error;
}

static int hand_over(struct sandbox *sandbox, struct held *held)
{
	int error = held->kind == HELD_IMAGE ? open_again(sandbox, held)
		    : held->kind == HELD_JVM ? open_jvm(sandbox, held)
					     : open_perfmap(sandbox, held);

	if (!error && sandbox->reply.failed) {
		held->lost = true;
		error = jail_garbled(sandbox->jail);
	}
	if (!error)
		held->generation = jail_generation(sandbox->jail);
	return error;
}

int held_begin(struct sandbox *sandbox, struct held *held)
{
	int error = 0;

	if (held->lost)
		return error_set(-EOWNERDEAD, "what reads the target's files died of this one");
	if (held->generation != jail_generation(sandbox->jail))
		error = hand_over(sandbox, held);
	if (error)
		return error;
	parcel_empty(&sandbox->request);
	parcel_number(&sandbox->request, &held->number);
	return 0;
}

int held_ask(struct sandbox *sandbox, struct held *held, enum message message)
{
	static const int none[JAIL_FDS_MAX] = { -1, -1, -1 };

	return send(sandbox, held, message, none);
}
