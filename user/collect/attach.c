/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Puts the probes of one process on, and takes them off. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/error.h"
#include "collect/allocators.h"
#include "collect/watched.h"
#include "elf/place.h"

/* Places of one kind of program in one file. */
struct batch {
	VEC(uint64_t) offsets;
	VEC(uint64_t) cookies;
	bool frees;
};

static void batch_free(struct batch *batch)
{
	vec_free(&batch->offsets);
	vec_free(&batch->cookies);
}

_Static_assert((int)PLACE_PUSHED_MAX == (int)PUSHED_UNKNOWN, "what is not known");

static uint64_t cookie_of(const struct watched *watched, const struct placed *placed)
{
	union {
		struct abi_probe probe;
		uint64_t cookie;
	} u = { .probe = allocator_rows[placed->row].probe };

	u.probe.row = placed->row;
	u.probe.flags |= placed->flags;
	u.probe.space = watched->space;
	u.probe.skip_bytes = placed->probe.skip_bytes;
	u.probe.pushed_words = placed->probe.pushed_words;
	return u.cookie;
}

/* aligned_alloc and memalign, say, are one address: one probe serves both. */
static void batch_add(struct batch *batch, const struct watched *watched,
		      const struct placed *placed)
{
	vec_for_each (offset, &batch->offsets) {
		if (*offset == placed->probe.probe_offset)
			return;
	}
	*vec_add(&batch->offsets) = placed->probe.probe_offset;
	*vec_add(&batch->cookies) = cookie_of(watched, placed);
}

static int batch_attach(struct watched *watched, const struct image *image, struct batch *batch,
			struct link_request request)
{
	size_t step = request.method == LINK_PERF ? 1 : batch->offsets.count;

	request.file_fd = image->fd;
	request.pid = watched->pid;
	for (size_t i = 0; i < batch->offsets.count; i += step) {
		int fd;

		request.offsets = &batch->offsets.items[i];
		request.cookies = &batch->cookies.items[i];
		request.count = step;
		fd = link_uprobes(&request);
		if (fd < 0)
			return error_set(fd, "cannot put probes on %s in pid %d (%s): %s",
					 image->path, (int)watched->pid,
					 link_method_name(request.method), strerror(-fd));
		*vec_add(&watched->links) =
			(struct attached_link){ .fd = fd, .frees = batch->frees };
	}
	return 0;
}

static uint64_t exit_cookie(const struct sandbox_exit *exit)
{
	union {
		struct abi_probe probe;
		uint64_t cookie;
	} u = { .probe = { .role = ROLE_LEAVE, .flags = exit->unseen ? PROBE_UNSEEN : 0 } };

	return u.cookie;
}

static void add_exits(struct batch *batch, const struct image *image)
{
	for (size_t i = 0; i < image->exits.count; i++) {
		*vec_add(&batch->offsets) = image->exits.items[i].offset;
		*vec_add(&batch->cookies) = exit_cookie(&image->exits.items[i]);
	}
}

static void sort_probes(const struct watched *watched, const struct image *image,
			struct batch *frees, struct batch *entries, struct batch *calls)
{
	vec_for_each (placed, &image->probes) {
		__u8 role = allocator_rows[placed->row].probe.role;

		batch_add(role == ROLE_FREE		   ? frees
			  : role == ROLE_ALLOCATE_THROWING ? entries
							   : calls,
			  watched, placed);
	}
	add_exits(entries, image);
}

/*
 * Frees first, but for a window, in which nothing counts until all are on: they are hit most.
 * Without session links the returns go on before the entries: an entry whose return is not seen
 * would stay open, a return without an entry is ignored. Returns the number of functions probed, or
 * -errno with a sentence.
 */
static int image_attach(struct watched *watched, const struct image *image,
			const struct watched_programs *programs)
{
	struct batch frees = { .frees = true }, entries = { 0 }, calls = { 0 };
	const enum link_method plain = programs->method == LINK_PERF ? LINK_PERF : LINK_MULTI;
	const bool session = programs->method == LINK_SESSION;
	const struct link_request enter = { .program_fd = programs->enter_fd, .method = plain };
	const struct {
		struct batch *batch;
		struct link_request request;
		bool wanted;
	} steps[] = {
		{ &frees, enter, !programs->held },
		{ &entries, enter, true },
		{ &calls, { .program_fd = programs->session_fd, .method = LINK_SESSION }, session },
		{ &calls,
		  { .program_fd = programs->return_fd, .method = plain, .returns = true },
		  !session },
		{ &calls, enter, !session },
		{ &frees, enter, programs->held },
	};
	int error = 0;

	sort_probes(watched, image, &frees, &entries, &calls);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && !error; i++) {
		if (steps[i].wanted)
			error = batch_attach(watched, image, steps[i].batch, steps[i].request);
	}
	if (!error)
		error = (int)(frees.offsets.count + entries.offsets.count + calls.offsets.count);
	batch_free(&frees);
	batch_free(&entries);
	batch_free(&calls);
	return error;
}

/* Tells the kernel side what a probe is by where it is hit. Of several names of one address the
 * first stays, as it does in a batch. */
static int publish_place(struct watched *watched, const struct image *image, uint64_t in_image,
			 uint64_t cookie)
{
	vec_for_each (code, &watched->code) {
		struct abi_probe_key key = { .mm = watched->mm, .address = code->bias + in_image };

		if (code->image != image || key.address < code->start || key.address >= code->end)
			continue;
		if (!bpf_map_update_elem(watched->places_fd, &key, &cookie, BPF_NOEXIST))
			*vec_add(&watched->places) = key;
		else if (errno != EEXIST)
			return error_set(-errno, "cannot fill the table of probes: %s",
					 strerror(errno));
	}
	return 0;
}

static int image_publish(struct watched *watched, const struct image *image, int places_fd)
{
	int error = 0;

	watched->places_fd = places_fd;
	for (size_t i = 0; i < image->probes.count && !error; i++) {
		const struct placed *placed = &image->probes.items[i];

		error = publish_place(watched, image,
				      placed->probe.function_address + placed->probe.skip_bytes,
				      cookie_of(watched, placed));
	}
	for (size_t i = 0; i < image->exits.count && !error; i++)
		error = publish_place(watched, image, image->exits.items[i].address,
				      exit_cookie(&image->exits.items[i]));
	return error;
}

/* In this call, for another of its pieces, or in an earlier one. */
static struct attached *attached_get(struct watched *watched, const struct image *image)
{
	struct attached *new;

	vec_for_each (attached, &watched->attached) {
		if (attached->image == image)
			return attached;
	}
	new = vec_add(&watched->attached);
	new->image = image;
	return new;
}

/* A place that was refused is not tried again. */
static int put_on(struct watched *watched, const struct image *image,
		  const struct watched_programs *programs)
{
	size_t known = watched->attached.count;
	struct attached *attached = attached_get(watched, image);
	bool again = watched->attached.count == known;
	int count = 0;

	if (attached->on)
		return 0;
	attached->on = true;
	if (programs->places_fd >= 0)
		count = image_publish(watched, image, programs->places_fd);
	if (!count)
		count = image_attach(watched, image, programs);
	if (count > 0 && !again)
		watched->probes += (uint32_t)count;
	return count < 0 ? count : 0;
}

int watched_attach(struct watched *watched, const struct watched_programs *programs)
{
	int error = 0;

	vec_for_each (code, &watched->code) {
		if (!error && code->image && code->image->probes.count)
			error = put_on(watched, code->image, programs);
	}
	return error;
}

/* Where the code is again what its file has. What cannot be read is not known to be gone. */
static bool probe_is_gone(const struct watched *watched, const struct code *code,
			  const struct sandbox_probe *probe)
{
	uint64_t address = code->bias + probe->function_address + probe->skip_bytes;
	uint8_t in_file, in_memory;

	return address >= code->start && address < code->end &&
	       pread(code->image->fd, &in_file, 1, (off_t)probe->probe_offset) == 1 &&
	       !proc_read_memory(watched->pid, address, &in_memory, 1) && in_file == in_memory;
}

/* Between windows they are meant to be gone. */
static bool is_on(const struct watched *watched, const struct image *image)
{
	vec_for_each (attached, &watched->attached) {
		if (attached->image == image)
			return attached->on;
	}
	return false;
}

/* Of several names of one address. */
static bool is_first(const struct image *image, const struct placed *placed)
{
	const struct placed *first = image->probes.items;

	while (first->probe.probe_offset != placed->probe.probe_offset)
		first++;
	return first == placed;
}

uint32_t watched_probes_gone(const struct watched *watched)
{
	uint32_t gone = 0;

	vec_for_each (code, &watched->code) {
		if (!code->image || !is_on(watched, code->image))
			continue;
		vec_for_each (placed, &code->image->probes)
			gone += is_first(code->image, placed) &&
				probe_is_gone(watched, code, &placed->probe);
	}
	return gone;
}

bool watched_has_allocator(const struct watched *watched)
{
	vec_for_each (code, &watched->code) {
		if (code->image && code->image->probes.count)
			return true;
	}
	return false;
}

void watched_pause_calls(struct watched *watched, struct closing *closing)
{
	size_t kept = 0;

	/* What was put on last is hit most. */
	for (size_t i = watched->links.count; i; i--) {
		if (!watched->links.items[i - 1].frees)
			closing_add(closing, watched->links.items[i - 1].fd);
	}
	vec_for_each (link, &watched->links) {
		if (link->frees)
			watched->links.items[kept++] = *link;
	}
	watched->links.count = kept;
}

void watched_pause(struct watched *watched, struct closing *closing)
{
	vec_for_each (link, &watched->links)
		closing_add(closing, link->fd);
	watched->links.count = 0;
	vec_for_each (attached, &watched->attached)
		attached->on = false;
}

void watched_detach(struct watched *watched)
{
	struct closing closing = { 0 };

	watched_pause(watched, &closing);
	closing_wait(&closing);
	watched_forget_places(watched);
}

void watched_forget_places(struct watched *watched)
{
	vec_for_each (key, &watched->places)
		bpf_map_delete_elem(watched->places_fd, key);
	watched->places.count = 0;
}
