/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One watched process: its executable mappings and its ledger of all mappings. */
#include "collect/watched.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "collect/faults.h"
#include "collect/internal.h"
#include "process/rights.h"

struct watched *watched_new(pid_t pid)
{
	struct watched *watched;
	struct proc proc;
	int pidfd;

	if (proc_check(&proc, pid))
		return NULL;
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0) {
		error_set(-errno, "cannot watch pid %d: %s", (int)pid, strerror(errno));
		return NULL;
	}
	watched = mem_alloc(sizeof(*watched));
	watched->pid = pid;
	watched->pidfd = pidfd;
	watched->exit_code = -1;
	memcpy(watched->comm, proc.comm, sizeof(watched->comm));
	watched->ledger = ledger_new((uint64_t)sysconf(_SC_PAGESIZE));
	return watched;
}

static void code_forget(struct watched *watched)
{
	vec_for_each (code, &watched->code)
		mem_free(code->path);
	watched->code.count = 0;
}

static void stacks_free(struct watched *watched)
{
	struct stack *stack, *next;

	HASH_ITER (hh, watched->stacks, stack, next) {
		HASH_DEL(watched->stacks, stack);
		mem_free(stack->frames);
		mem_free(stack);
	}
}

void watched_free(struct watched *watched)
{
	if (!watched)
		return;
	watched_detach(watched);
	watched_end(watched);
	stacks_free(watched);
	sums_clear(&watched->sums);
	java_free(watched->java);
	jit_free(watched->jit);
	mem_free(watched->allocators);
	mem_free(watched);
}

void watched_end(struct watched *watched)
{
	watched_forget_places(watched);
	code_forget(watched);
	vec_free(&watched->code);
	vec_free(&watched->stubs);
	vec_free(&watched->links);
	vec_free(&watched->attached);
	vec_free(&watched->places);
	java_end(watched->java);
	jit_end(watched->jit);
	ledger_free(watched->ledger);
	watched->ledger = NULL;
	faults_free(watched->faults);
	watched->faults = NULL;
	if (watched->pidfd >= 0)
		close(watched->pidfd);
	watched->pidfd = -1;
}

/* -- code -------------------------------------------------------------------------------------- */

static bool code_same(const struct code *code, const struct map *map, const struct image *image)
{
	return code->start == map->start && code->end == map->end && code->image == image;
}

/* New code replaces what it overlaps; code that is gone stays, until something takes its place.
 * Whether there is something new. */
static bool code_put(struct watched *watched, const struct map *map, struct image *image)
{
	struct code new = { .start = map->start, .end = map->end, .image = image };
	size_t kept = 0, at;

	for (size_t i = 0; i < watched->code.count; i++) {
		struct code *old = &watched->code.items[i];

		if (code_same(old, map, image)) {
			bool was_gone = old->seen + 1 < watched->readings;

			old->seen = watched->readings;
			return was_gone;
		}
		if (old->start < map->end && map->start < old->end)
			mem_free(old->path);
		else
			watched->code.items[kept++] = *old;
	}
	watched->code.count = kept;
	new.bias = map->start - (image && image->usable ? image_address(image, map) : map->offset);
	new.seen = watched->readings;
	new.path = image ? NULL : mem_string(map->path);
	vec_add(&watched->code);
	for (at = kept; at && watched->code.items[at - 1].start > new.start; at--)
		watched->code.items[at] = watched->code.items[at - 1];
	watched->code.items[at] = new;
	return true;
}

static bool is_anonymous(const struct map *map)
{
	return !map->inode && (!map->path || !strncmp(map->path, "[anon", 5));
}

/*
 * What a JIT compiler has reserved around executable pages: it makes others executable, and these
 * writable again, faster than we read.
 */
static struct map reserved_around(const struct maps *maps, const struct map *page)
{
	const struct map *first = page, *last = page;
	const struct map *end = maps->rows.items + maps->rows.count;
	struct map whole = *page;

	while (first > maps->rows.items && is_anonymous(first - 1) && first[-1].end == first->start)
		first--;
	while (last + 1 < end && is_anonymous(last + 1) && last->end == last[1].start)
		last++;
	whole.start = first->start;
	whole.end = last->end;
	return whole;
}

static bool code_read(struct watched *watched, struct images *images, const struct maps *maps,
		      const struct map *map)
{
	struct map whole;

	if (!is_anonymous(map))
		return code_put(watched, map, images_get(images, watched->pid, map));
	whole = reserved_around(maps, map);
	return code_put(watched, &whole, NULL);
}

/* Whether there are others now. */
static bool stubs_read(struct watched *watched, struct images *images, const struct maps *maps)
{
	struct stubs_list found = { 0 }, old = watched->stubs;

	vec_for_each (map, &maps->rows) {
		if (map->executable && is_anonymous(map))
			images_stubs(images, watched->pid, map, &found);
	}
	watched->stubs = found;
	found = old;
	vec_free(&found);
	return watched->stubs.count != old.count;
}

int watched_read_code(struct watched *watched, struct images *images)
{
	struct maps maps;
	int error, news = 0;

	watched->code_read_ns = collect_now_ns();
	error = rights_check_process(watched->pid);
	if (!error)
		error = maps_read(&maps, watched->pid);
	if (error)
		return error;
	watched->readings++;
	vec_for_each (map, &maps.rows) {
		if (map->executable)
			news |= code_read(watched, images, &maps, map);
	}
	news |= stubs_read(watched, images, &maps);
	maps_free(&maps);
	return news;
}

int watched_renew(struct watched *watched, struct images *images)
{
	struct proc proc;
	int error = proc_read(&proc, watched->pid);

	if (error)
		return error;
	memcpy(watched->comm, proc.comm, sizeof(watched->comm));
	code_forget(watched);
	return watched_read_code(watched, images);
}

bool watched_has(const struct watched *watched, const struct code *code)
{
	return code->seen == watched->readings;
}

void watched_forget(struct watched *watched, const struct image *image)
{
	size_t kept = 0;

	vec_for_each (code, &watched->code) {
		if (code->image != image)
			watched->code.items[kept++] = *code;
	}
	watched->code.count = kept;
}

const struct code *watched_find(const struct watched *watched, uint64_t address)
{
	size_t low = 0, high = watched->code.count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct code *code = &watched->code.items[middle];

		if (address < code->start)
			high = middle;
		else if (address >= code->end)
			low = middle + 1;
		else
			return code;
	}
	return NULL;
}

/* Anonymous code, cut where there are stubs in it. */
static size_t put_anonymous(const struct watched *watched, const struct code *code,
			    struct abi_code *rows)
{
	uint64_t at = code->start;
	size_t count = 0;

	vec_for_each (stubs, &watched->stubs) {
		if (stubs->start < at || stubs->end > code->end)
			continue;
		if (at < stubs->start)
			rows[count++] = (struct abi_code){ .start = at, .end = stubs->start };
		rows[count++] = (struct abi_code){
			.start = stubs->start,
			.end = stubs->end,
			.bias = stubs->start,
			.rows_first = stubs->row,
			.rows_count = 1,
		};
		at = stubs->end;
	}
	if (at < code->end)
		rows[count++] = (struct abi_code){ .start = at, .end = code->end };
	return count;
}

size_t watched_code_table(const struct watched *watched, struct abi_code **table)
{
	size_t count = 0;

	*table = mem_array(watched->code.count + 2 * watched->stubs.count + 1, sizeof(**table));
	vec_for_each (code, &watched->code) {
		/* Of a JIT compiler, pages come and go faster than the maps are read. */
		if (code->image && !watched_has(watched, code))
			continue;
		if (code->image)
			(*table)[count++] = (struct abi_code){
				.start = code->start,
				.end = code->end,
				.bias = code->bias + code->image->rows_base,
				.rows_first = code->image->rows_first,
				.rows_count = code->image->rows_count,
				.image = code->image->number,
			};
		else
			count += put_anonymous(watched, code, *table + count);
	}
	return count;
}

/* -- mappings ---------------------------------------------------------------------------------- */

static bool committed(const struct map *map)
{
	return map->readable || map->writable || map->executable;
}

static bool is_heap(const struct map *map)
{
	return map->path && !strcmp(map->path, "[heap]");
}

int watched_seed(struct watched *watched)
{
	struct proc proc;
	struct maps maps;
	int error;

	error = proc_read(&proc, watched->pid);
	if (!error)
		error = maps_read(&maps, watched->pid);
	if (error)
		return error;
	/* Of a process without a [heap], until one shows below. */
	if (proc.start_brk)
		ledger_seed_brk(watched->ledger, proc.start_brk);
	vec_for_each (map, &maps.rows) {
		ledger_seed(watched->ledger, map->start, map->end, committed(map), is_heap(map));
		if (is_heap(map))
			ledger_seed_brk(watched->ledger, map->end);
	}
	maps_free(&maps);
	return 0;
}

void watched_reconcile(struct watched *watched)
{
	VEC(struct ledger_range) ranges = { 0 };
	struct maps maps;

	if (maps_read(&maps, watched->pid))
		return;
	vec_for_each (map, &maps.rows)
		*vec_add(&ranges) =
			(struct ledger_range){ map->start, map->end, committed(map), is_heap(map) };
	ledger_reconcile(watched->ledger, ranges.items, ranges.count);
	vec_free(&ranges);
	maps_free(&maps);
}
