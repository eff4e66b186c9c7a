/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Opens what targets have mapped as code, and asks the sandbox what is in it. */
#include "collect/images.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "collect/allocators.h"
#include "unwind/stubs.h"

enum { VDSO_BYTES_MAX = 64 * 1024, PAGE_BYTES = 4096 };

struct rows_place {
	uint32_t first, count;
};

struct images {
	struct sandbox *sandbox;
	struct tables *tables;
	VEC(struct image *) all;
	struct abi_row stubs; /* the row of the last that were found */
	uint32_t stubs_at; /* its place in the table */
	uint32_t last_number;
	size_t open; /* that the sandbox knows */
	size_t open_max;
	bool rows_full;
	VEC(struct rows_place) dropped; /* not free yet */
};

struct images *images_new(struct sandbox *sandbox, struct tables *tables)
{
	struct images *images = mem_alloc(sizeof(*images));

	images->sandbox = sandbox;
	images->tables = tables;
	images->open_max = IMAGES_OPEN_MAX;
	return images;
}

static void image_free(struct image *image)
{
	if (image->fd >= 0)
		close(image->fd);
	vec_for_each (why, &image->refused)
		mem_free(*why);
	vec_free(&image->refused);
	vec_for_each (placed, &image->probes)
		mem_free(placed->symbol);
	vec_free(&image->probes);
	vec_free(&image->families);
	mem_free(image->exits.items);
	mem_free(image->path);
	mem_free(image);
}

void images_free(struct images *images)
{
	if (!images)
		return;
	vec_for_each (image, &images->all)
		image_free(*image);
	vec_free(&images->all);
	vec_free(&images->dropped);
	mem_free(images);
}

const char *image_name(const struct image *image)
{
	const char *slash = strrchr(image->path, '/');

	return slash ? slash + 1 : image->path;
}

uint64_t image_address(const struct image *image, const struct map *map)
{
	uint64_t end = map->offset + (map->end - map->start);

	for (uint32_t i = 0; i < image->info.segment_count; i++) {
		const struct sandbox_segment *segment = &image->info.segments[i];

		if (segment->executable && map->offset < segment->offset + segment->file_bytes &&
		    segment->offset < end)
			return segment->address + map->offset - segment->offset;
	}
	return map->offset;
}

/* -- debug files ------------------------------------------------------------------------------- */

/*
 * In the target's root, else in the host's folder of debug files, where no target puts any: the
 * sandbox checks that it belongs to the image.
 */
static int open_debug_path(pid_t pid, const char *path)
{
	static const char folder[] = "/usr/lib/debug/";
	int fd = proc_open_file(pid, path);

	if (fd >= 0 || strncmp(path, folder, strlen(folder)) || strstr(path, "/../"))
		return fd;
	return proc_open_file(getpid(), path);
}

static int open_build_id(pid_t pid, const uint8_t *id, uint32_t bytes)
{
	char path[64 + 2 * SANDBOX_BUILD_ID_MAX];
	int at;

	if (bytes < 2)
		return -ENOENT;
	at = snprintf(path, sizeof(path), "/usr/lib/debug/.build-id/%02x/", id[0]);
	for (uint32_t i = 1; i < bytes; i++)
		at += snprintf(path + at, sizeof(path) - (size_t)at, "%02x", id[i]);
	snprintf(path + at, sizeof(path) - (size_t)at, ".debug");
	return open_debug_path(pid, path);
}

/* gdb's places: beside the image, in .debug beside it, below /usr/lib/debug. */
static int open_debuglink(pid_t pid, const struct image *image)
{
	static const char *const formats[] = { "%.*s/%s", "%.*s/.debug/%s",
					       "/usr/lib/debug%.*s/%s" };
	const char *own = proc_path(pid, image->path);
	int directory = (int)(image_name(image) - own) - 1;
	int fd = -ENOENT;

	if (!image->info.debuglink[0] || directory < 0 || strchr(image->info.debuglink, '/'))
		return -ENOENT;
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]) && fd < 0; i++) {
		char *path;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		path = mem_printf(formats[i], directory, own, image->info.debuglink);
#pragma GCC diagnostic pop
		if (strcmp(path, own))
			fd = open_debug_path(pid, path);
		mem_free(path);
	}
	return fd;
}

static void find_debug_file(struct images *images, struct image *image, pid_t pid)
{
	cleanup_close int fd = -1;

	if (image->info.has_dwarf && image->info.has_symtab)
		return;
	fd = open_build_id(pid, image->info.build_id, image->info.build_id_bytes);
	if (fd >= 0 && !sandbox_debug(images->sandbox, image->info.id, fd, -1)) {
		image->debug = true;
		return;
	}
	if (fd >= 0)
		close(fd);
	fd = open_debuglink(pid, image);
	image->debug = fd >= 0 && !sandbox_debug(images->sandbox, image->info.id, fd, -1);
}

int images_debug(struct images *images, struct image *image, int fd)
{
	int error = sandbox_debug(images->sandbox, image->info.id, fd, -1);

	image->debug |= !error;
	return error;
}

/* -- probes and rows --------------------------------------------------------------------------- */

/* Until 2.34 glibc's has a malloc of its own, which is used until the libc is there. */
static bool is_loader(const struct image *image)
{
	return !strncmp(image_name(image), "ld-", 3) || !strncmp(image_name(image), "ld.", 3);
}

/* Which allocators an image has: at most one of them can have the plain names. */
static void find_families(struct images *images, struct image *image)
{
	size_t count = allocator_family_count;
	struct sandbox_probe_request *requests = mem_array(count, sizeof(*requests));
	struct sandbox_probe *probes = mem_array(count, sizeof(*probes));
	bool plain = false;

	for (size_t i = 0; i < count; i++)
		requests[i].symbol = allocator_families[i].marker;
	if (sandbox_probes(images->sandbox, image->info.id, requests, count, probes))
		count = 0;
	for (size_t i = 0; i < count; i++) {
		const struct allocator_family *family = &allocator_families[i];

		if (!probes[i].found || (plain && !family->prefix[0]) ||
		    (family->allocator == ALLOCATOR_OTHER && is_loader(image)))
			continue;
		plain |= !family->prefix[0];
		*vec_add(&image->families) = family;
	}
	mem_free(requests);
	mem_free(probes);
}

static struct sandbox_probe_request request_of(const struct allocator_family *family,
					       const struct allocator_row *row)
{
	const struct abi_probe *probe = &row->probe;

	return (struct sandbox_probe_request){
		.symbol = mem_printf("%s%s", family->prefix, row->symbol),
		.has_return = probe->role != ROLE_FREE,
		.argument_mask = (uint8_t)((1 << probe->size_arg | 1 << probe->count_arg |
					    1 << probe->pointer_arg) >>
					   1),
	};
}

static void keep_probe(struct image *image, uint16_t row, const char *symbol,
		       const struct sandbox_probe *probe)
{
	if (!probe->found)
		return;
	if (probe->placed)
		*vec_add(&image->probes) = (struct placed){ row, mem_string(symbol), *probe };
	else
		*vec_add(&image->refused) = mem_printf("%s: %s", symbol, probe->why);
}

/* A function that may throw, and leaves who knows where, is not probed: its blocks would pile up.
 */
static void find_exits(struct images *images, struct image *image)
{
	VEC(struct sandbox_leaver) leavers = { 0 };
	size_t kept = 0, at = 0;

	vec_for_each (placed, &image->probes) {
		if (allocator_rows[placed->row].probe.role == ROLE_ALLOCATE_THROWING)
			vec_add(&leavers)->function_address = placed->probe.function_address;
	}
	if (leavers.count)
		sandbox_exits(images->sandbox, image->info.id, leavers.items, leavers.count,
			      &image->exits);
	vec_for_each (placed, &image->probes) {
		bool throws = allocator_rows[placed->row].probe.role == ROLE_ALLOCATE_THROWING;

		if (throws && leavers.items[at++].why[0]) {
			*vec_add(&image->refused) =
				mem_printf("%s: %s", placed->symbol, leavers.items[at - 1].why);
			mem_free(placed->symbol);
		} else {
			image->probes.items[kept++] = *placed;
		}
	}
	image->probes.count = kept;
	vec_free(&leavers);
}

static void find_probes(struct images *images, struct image *image)
{
	VEC(struct sandbox_probe_request) requests = { 0 };
	VEC(uint16_t) rows = { 0 };
	struct sandbox_probe *probes;

	for (size_t i = 0; i < allocator_row_count; i++) {
		vec_for_each (family, &image->families) {
			if (!(allocator_rows[i].allocators & (*family)->allocator))
				continue;
			*vec_add(&requests) = request_of(*family, &allocator_rows[i]);
			*vec_add(&rows) = (uint16_t)i;
		}
	}
	probes = mem_array(requests.count, sizeof(*probes));
	if (requests.count && !sandbox_probes(images->sandbox, image->info.id, requests.items,
					      requests.count, probes)) {
		for (size_t i = 0; i < requests.count; i++)
			keep_probe(image, rows.items[i], requests.items[i].symbol, &probes[i]);
		find_exits(images, image);
	}
	mem_free(probes);
	vec_for_each (request, &requests)
		mem_free((char *)request->symbol);
	vec_free(&requests);
	vec_free(&rows);
}

static void load_rows(struct images *images, struct image *image)
{
	struct sandbox_rows rows = { 0 };

	if (sandbox_rows(images->sandbox, image->info.id, &rows))
		return;
	if (tables_add_rows(images->tables, rows.rows, rows.count, &image->rows_first)) {
		image->rows_left_out = images->rows_full = true;
	} else {
		image->rows_count = (uint32_t)rows.count;
		image->rows_base = rows.base;
		image->rows_left_out = false;
	}
	free(rows.rows);
}

static bool add_stubs(struct images *images, const struct abi_row *row, uint64_t start,
		      struct stubs_list *list)
{
	if (memcmp(row, &images->stubs, sizeof(*row))) {
		if (tables_add_rows(images->tables, row, 1, &images->stubs_at))
			return false;
		images->stubs = *row;
	}
	*vec_add(list) = (struct stubs){ start, start + STUBS_BYTES, images->stubs_at };
	return true;
}

void images_stubs(struct images *images, pid_t pid, const struct map *map, struct stubs_list *list)
{
	uint64_t bytes = map->end - map->start, at = 0;
	cleanup_free uint8_t *code = NULL;
	struct abi_row row;

	if (bytes > IMAGES_STUBS_MAX)
		bytes = IMAGES_STUBS_MAX;
	code = mem_alloc(bytes);
	if (bytes < STUBS_BYTES || proc_read_memory(pid, map->start, code, bytes))
		return;
	while (at + STUBS_BYTES <= bytes) {
		bool is_stubs = unwind_stubs(code + at, &row) &&
				add_stubs(images, &row, map->start + at, list);

		at += is_stubs ? (uint64_t)STUBS_BYTES : PAGE_BYTES;
	}
}

/* -- opening ----------------------------------------------------------------------------------- */

static int open_vdso(struct images *images, struct image *image, pid_t pid, const struct map *map)
{
	size_t bytes = map->end - map->start;
	cleanup_free void *memory = bytes <= VDSO_BYTES_MAX ? malloc(bytes) : NULL;

	if (!memory || proc_read_memory(pid, map->start, memory, bytes))
		return -ENOENT;
	return sandbox_open_bytes(images->sandbox, memory, bytes, &image->info);
}

static bool is_vdso(const struct map *map)
{
	return map->path && !strcmp(map->path, "[vdso]");
}

static struct image *image_open(struct images *images, pid_t pid, const struct map *map)
{
	struct image *image = mem_alloc(sizeof(*image));

	image->number = ++images->last_number;
	image->major = map->major;
	image->minor = map->minor;
	image->inode = map->inode;
	image->path = mem_string(map->path);
	image->fd = -1;
	if (is_vdso(map)) {
		image->usable = !open_vdso(images, image, pid, map);
	} else {
		image->fd = proc_open_map(pid, map);
		image->usable =
			image->fd >= 0 && !sandbox_open(images->sandbox, image->fd, &image->info);
	}
	if (image->usable) {
		find_debug_file(images, image, pid);
		find_families(images, image);
		find_probes(images, image);
		load_rows(images, image);
		images->open++;
	}
	*vec_add(&images->all) = image;
	return image;
}

struct image *images_get(struct images *images, pid_t pid, const struct map *map)
{
	if (!map->path || (!map->inode && !is_vdso(map)))
		return NULL;
	vec_for_each (image, &images->all) {
		if (!(*image)->dropped && (*image)->inode == map->inode &&
		    (*image)->major == map->major && (*image)->minor == map->minor &&
		    (map->inode || is_vdso(map)))
			return *image;
	}
	return image_open(images, pid, map);
}

/* -- dropping ---------------------------------------------------------------------------------- */

bool images_crowded(const struct images *images)
{
	return images->open > images->open_max || images->rows_full;
}

void images_each(struct images *images, void (*visit)(struct image *image, void *context),
		 void *context)
{
	vec_for_each (image, &images->all)
		visit(*image, context);
}

bool image_is_idle(const struct image *image)
{
	return !image->used && !image->dropped && !image->probes.count;
}

static void drop(struct images *images, struct image *image)
{
	image->dropped = true;
	if (image->usable) {
		sandbox_close(images->sandbox, image->info.id);
		images->open--;
	}
	image->usable = false;
	if (image->fd >= 0)
		close(image->fd);
	image->fd = -1;
	if (image->rows_count)
		*vec_add(&images->dropped) =
			(struct rows_place){ image->rows_first, image->rows_count };
	image->rows_count = 0;
}

void images_drop(struct images *images, void (*visit)(const struct image *image, void *context),
		 void *context)
{
	size_t kept = 0;

	vec_for_each (item, &images->all) {
		struct image *image = *item;

		if (image_is_idle(image))
			drop(images, image);
		if (image->dropped && !image->named) {
			visit(image, context);
			image_free(image);
		} else {
			images->all.items[kept++] = image;
		}
	}
	images->all.count = kept;
	/* Where most are in use, looking for others again soon would be in vain. */
	images->open_max = 2 * images->open > IMAGES_OPEN_MAX ? 2 * images->open : IMAGES_OPEN_MAX;
}

void images_settle(struct images *images)
{
	vec_for_each (place, &images->dropped)
		tables_drop_rows(images->tables, place->first, place->count);
	images->dropped.count = 0;
	vec_for_each (image, &images->all) {
		if ((*image)->rows_left_out && (*image)->usable)
			load_rows(images, *image);
	}
	images->rows_full = false;
}
