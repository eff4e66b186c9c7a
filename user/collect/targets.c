/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The processes being watched: those named, and those that begin while watched. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "collect/faults.h"
#include "collect/internal.h"
#include "collect/skeleton.h"
#include "process/target.h"

enum {
	JAVA_TRIES_MAX = 50, /* ten a second */
	LET_GO_NS =
		100000000, /* closing a link takes some 30 ms: the ring must not wait for many */
	STALE_LINKS_MAX = 256,
	LET_GO_AT_ONCE = 16,
	CODE_REST = 100, /* times as long as reading a process's maps took: 1 % of a CPU */
	RESCAN_NS = 1000000000, /* how often a container is looked through for new processes */
};

struct watched *collect_watched_mm(struct collect *collect, uint64_t mm)
{
	struct watched *watched;

	HASH_FIND(hh, collect->by_mm, &mm, sizeof(mm), watched);
	return watched;
}

void collect_end(struct collect *collect, struct watched *watched, enum watched_state state,
		 uint64_t end_ns)
{
	if (watched->mm)
		HASH_DEL(collect->by_mm, watched);
	watched->state = state;
	watched->end_ns = collect->end_ns = end_ns;
	if (state == WATCHED_EXITED)
		collect_died(collect, watched);
}

/* Its key is known now. Whose it was before has ended unheard. */
static void know(struct collect *collect, struct watched *watched)
{
	struct watched *before = collect_watched_mm(collect, watched->mm);

	if (before)
		collect_end(collect, before, WATCHED_EXITED, collect_now_ns());
	HASH_ADD(hh, collect->by_mm, mm, sizeof(watched->mm), watched);
}

/* -- those that are named -------------------------------------------------------------------- */

/* A process of several may have gone since the list was made. */
int collect_open_targets(struct collect *collect)
{
	const struct collect_options *options = &collect->options;

	for (size_t i = 0; i < options->pid_count; i++) {
		struct watched *watched = watched_new(options->pids[i]);
		int error = watched ? watched_read_code(watched, collect->images) : -ESRCH;

		if (error < 0 && options->pid_count == 1) {
			watched_free(watched);
			return error;
		}
		if (error < 0) {
			collect_note(collect, "%s", error_message());
			watched_free(watched);
			continue;
		}
		*vec_add(&collect->watched) = watched;
	}
	return collect->watched.count ? 0 : error_set(-ESRCH, "no process of the target is left");
}

/* A libjvm that is being loaded is not readable yet. */
static void find_java(struct collect *collect, struct watched *watched)
{
	vec_for_each (code, &watched->code) {
		if (!code->image || !code->image->usable ||
		    strcmp(image_name(code->image), "libjvm.so"))
			continue;
		watched->java = java_new(collect->sandbox, watched->pid, code->image, code->bias);
		if (!watched->java && ++watched->java_tries == JAVA_TRIES_MAX)
			collect_note(collect, "pid %d: Java stacks are cut: %s", (int)watched->pid,
				     error_message());
		return;
	}
}

/* Before the code is published: no rule may be cached that does not know the JVM. */
static void publish_java(struct collect *collect, struct watched *watched)
{
	const struct abi_jvm *layout;

	if (!watched->java && watched->java_tries < JAVA_TRIES_MAX)
		find_java(collect, watched);
	layout = watched->java ? java_layout(watched->java) : NULL;
	if (layout)
		bpf_map_update_elem(bpf_map__fd(collect->skeleton->maps.jvms), &watched->mm, layout,
				    BPF_ANY);
}

void collect_drop_code(struct collect *collect, struct watched *watched)
{
	if (watched->code_count)
		tables_drop_code(collect->tables, watched->code_first);
	watched->code_count = 0;
}

/* Its address space has ended, which is still to be told; another may have its mm by now. */
static bool is_gone(struct collect *collect, const struct watched *watched)
{
	struct abi_target target;

	return bpf_map_lookup_elem(bpf_map__fd(collect->skeleton->maps.targets), &watched->mm,
				   &target) ||
	       target.space != watched->space;
}

int collect_publish_code(struct collect *collect, struct watched *watched)
{
	struct abi_target target = { .tgid = watched->tgid,
				     .generation = ++collect->generation,
				     .space = watched->space,
				     .flags = watched->forked ? TARGET_FORKED : 0 };
	struct abi_code *code;
	size_t count;
	int error;

	publish_java(collect, watched);
	count = watched_code_table(watched, &code);
	error = tables_add_code(collect->tables, code, count, &target.mappings_first);
	mem_free(code);
	if (error) {
		collect_note(collect,
			     "pid %d has too many executable mappings (%zu): stacks by "
			     "frame pointers only",
			     (int)watched->pid, count);
		count = 0;
	}
	target.mappings_count = (uint32_t)count;
	error = is_gone(collect, watched) ||
				bpf_map_update_elem(bpf_map__fd(collect->skeleton->maps.targets),
						    &watched->mm, &target, BPF_EXIST)
			? -ESRCH
			: 0;
	collect_drop_code(collect, watched);
	watched->code_first = target.mappings_first;
	watched->code_count = target.mappings_count;
	return error;
}

int collect_refresh_code(struct collect *collect, struct watched *watched)
{
	int news = watched_read_code(watched, collect->images);

	return news > 0 ? collect_publish_code(collect, watched) : news;
}

/* Takes what the kernel side has found of one process. */
static void take_space(struct collect *collect, struct watched *watched)
{
	int fd = bpf_map__fd(collect->skeleton->maps.wanted);
	uint32_t pid = (uint32_t)watched->pid;
	struct abi_wanted found = { 0 };

	bpf_map_lookup_elem(fd, &pid, &found);
	bpf_map_delete_elem(fd, &pid);
	if (!found.mm) {
		collect_end(collect, watched, WATCHED_EXITED, collect_now_ns());
		return;
	}
	watched->mm = found.mm;
	watched->tgid = found.tgid;
	watched->space = found.space;
	know(collect, watched);
	/* What it executes from now on is told, what it has since its code was read was not. */
	watched_renew(watched, collect->images);
	collect_publish_code(collect, watched);
}

/* Its address space is to be found yet. */
static bool is_lost(const struct watched *watched)
{
	return !watched->mm && watched->state == WATCHED_RUNNING;
}

/* The kernel side finds the address spaces by the processes that we name. */
int collect_find_spaces(struct collect *collect)
{
	int fd = bpf_map__fd(collect->skeleton->maps.wanted), error;
	struct abi_wanted none = { 0 };

	vec_for_each (watched, &collect->watched) {
		uint32_t pid = (uint32_t)(*watched)->pid;

		if (is_lost(*watched) && bpf_map_update_elem(fd, &pid, &none, BPF_ANY))
			return error_set(-errno, "cannot fill the table of targets: %s",
					 strerror(errno));
	}
	error = link_iterate(bpf_program__fd(collect->skeleton->progs.process_find));
	if (error)
		return error_set(error, "cannot iterate over tasks: %s", strerror(-error));
	vec_for_each (watched, &collect->watched) {
		if (is_lost(*watched))
			take_space(collect, *watched);
	}
	return 0;
}

/* -- probes ------------------------------------------------------------------------------------ */

static void note_images(struct collect *collect, const struct watched *watched)
{
	vec_for_each (code, &watched->code) {
		struct image *image = code->image;

		if (!image)
			continue;
		vec_for_each (family, &image->families) {
			if ((*family)->allocator == ALLOCATOR_OTHER)
				collect_note(
					collect,
					"malloc in %s is of an unknown allocator: traced by its "
					"standard names, others that it may have are not",
					image->path);
		}
		if (image->rows_left_out)
			collect_note(collect,
				     "no room for the unwind rows of %s: stacks through it follow "
				     "frame pointers, or end there",
				     image->path);
		vec_for_each (why, &image->refused)
			collect_note(collect, "not attached in %s: %s", image->path, *why);
	}
}

int collect_attach(struct collect *collect, struct watched *watched)
{
	struct unfreed *skeleton = collect->skeleton;
	struct watched_programs programs = {
		.method = collect->method,
		.enter_fd = bpf_program__fd(skeleton->progs.heap_enter),
		.return_fd = bpf_program__fd(skeleton->progs.heap_return),
		.session_fd = bpf_program__fd(skeleton->progs.heap_session),
		.places_fd = collect->cookies ? -1 : bpf_map__fd(skeleton->maps.probes),
		.held = skeleton->bss->held || skeleton->bss->frozen == FROZEN_OPENING,
	};
	uint32_t before = watched->probes;
	int error;

	if (!collect->options.heap || watched->state != WATCHED_RUNNING)
		return 0;
	error = watched_attach(watched, &programs);
	collect->probes += watched->probes - before;
	note_images(collect, watched);
	return error == -ESRCH ? 0 : error;
}

int collect_attach_heap(struct collect *collect)
{
	int error = 0;

	for (size_t i = 0; i < collect->watched.count && !error; i++)
		error = collect_attach(collect, collect->watched.items[i]);
	return error;
}

int collect_attach_faults(struct collect *collect)
{
	int error = 0;

	for (size_t i = 0; i < collect->watched.count && !error; i++)
		error = faults_begin(collect, collect->watched.items[i], false);
	return error;
}

/* -- following --------------------------------------------------------------------------------- */

static void count_faults(struct collect *collect, struct watched *watched, bool inherits)
{
	if (faults_begin(collect, watched, inherits))
		collect_note(collect, "%s", error_message());
}

/*
 * A process began with an address space of its own. One that is gone already leaves no trace, and
 * is counted when its end is told. Of one that has become another program since, that is to be
 * told.
 */
void collect_begin(struct collect *collect, const struct abi_process *record)
{
	struct watched *watched = collect_watched_mm(collect, record->mm);
	int error;

	if (watched && watched->space == record->space && watched->state == WATCHED_RUNNING)
		return; /* found in its container meanwhile */
	watched = watched_new((pid_t)record->pid);
	if (!watched)
		return;
	watched->mm = record->mm;
	watched->tgid = record->tgid;
	watched->space = record->space;
	watched->forked = record->event == PROCESS_FORK;
	watched->began_ns = record->header.time_ns;
	error = collect_refresh_code(collect, watched);
	if (is_gone(collect, watched)) {
		collect_drop_code(collect, watched);
		watched_free(watched);
		return;
	}
	know(collect, watched);
	*vec_add(&collect->watched) = watched;
	if (!error && collect->options.mapping)
		watched_seed(watched);
	count_faults(collect, watched,
		     collect->opened_ns && watched->began_ns > collect->opened_ns);
}

/* A process that came into the container by itself: entered, or missed at the start. */
static void adopt(struct collect *collect, pid_t pid)
{
	struct watched *watched = watched_new(pid);

	if (!watched)
		return;
	watched->began_ns = collect_now_ns();
	*vec_add(&collect->watched) = watched;
	if (watched_read_code(watched, collect->images) < 0 || collect_find_spaces(collect) ||
	    watched->state != WATCHED_RUNNING)
		return;
	if (collect->options.mapping)
		watched_seed(watched);
	count_faults(collect, watched, false);
}

static bool is_watched(struct collect *collect, pid_t pid)
{
	vec_for_each (watched, &collect->watched) {
		if ((*watched)->pid == pid && (*watched)->state == WATCHED_RUNNING)
			return true;
	}
	return false;
}

static void rescan(struct collect *collect)
{
	struct pid_list list = { 0 };

	if (!collect->options.members || collect_now_ns() - collect->rescanned_ns < RESCAN_NS)
		return;
	collect->rescanned_ns = collect_now_ns();
	target_members(collect->options.members, &list);
	collect_look(collect); /* what a target has forked has been told by now */
	vec_for_each (pid, &list.pids) {
		if (!is_watched(collect, *pid))
			adopt(collect, *pid);
	}
	vec_free(&list.pids);
}

/* Without probes, the others are traced still. */
static void attach_more(struct collect *collect, struct watched *watched)
{
	if (governor_holds(collect))
		return; /* its turn comes */
	if (collect_attach(collect, watched))
		collect_note(collect, "%s: its heap is not all traced", error_message());
}

/* The first probes of a process that began while watched: what it did before is not known. */
static void attach_late(struct collect *collect, struct watched *watched)
{
	if (!watched->probes && watched->code_read_ns < watched->began_ns + ATTACH_TRY_NS)
		collect_refresh_code(collect, watched);
	attach_more(collect, watched);
	if (!watched->probes || watched->late_counted)
		return;
	watched->late_counted = true;
	collect->late_attaches++;
}

/* New code may bring an allocator; compiled code that came or went voids what is known of it. */
static void follow(struct collect *collect, struct watched *watched)
{
	if (watched->java ? java_code_changed(watched->java)
			  : watched->java_tries && watched->java_tries < JAVA_TRIES_MAX)
		collect_publish_code(collect, watched);
	if (watched->began_ns)
		attach_late(collect, watched);
	else
		attach_more(collect, watched);
}

/* Where mapping calls are not traced, nobody tells of libraries that come, in the place of others
 * perhaps: one process after the other is asked. */
static void look_for_code(struct collect *collect)
{
	uint64_t begun_ns = collect_now_ns();
	struct watched *watched;

	if (collect_traces_mapping(collect) || begun_ns < collect->code_due_ns ||
	    !collect->watched.count)
		return;
	watched = collect->watched.items[collect->code_next++ % collect->watched.count];
	if (watched->state == WATCHED_RUNNING)
		collect_refresh_code(collect, watched);
	collect->code_due_ns = begun_ns + CODE_REST * (collect_now_ns() - begun_ns);
}

/* Of what has ended. Where more end than can be let go, what begins meanwhile has to wait. */
static void close_stale(struct collect *collect)
{
	uint64_t begun_ns = collect_now_ns();

	while (collect->stale_links.count > STALE_LINKS_MAX ||
	       (collect->stale_links.count && collect_now_ns() - begun_ns < LET_GO_NS)) {
		struct closing closing = { 0 };

		for (int i = 0; i < LET_GO_AT_ONCE && collect->stale_links.count; i++)
			closing_add(&closing,
				    collect->stale_links.items[--collect->stale_links.count]);
		closing_wait(&closing);
		collect_look(collect);
	}
}

void collect_follow(struct collect *collect)
{
	rescan(collect);
	look_for_code(collect);
	collect_drop_images(collect);
	for (size_t i = 0; i < collect->watched.count; i++) {
		struct watched *watched = collect->watched.items[i];

		if (watched->state == WATCHED_RUNNING)
			follow(collect, watched);
	}
	collect_bury(collect, false);
	close_stale(collect);
}
