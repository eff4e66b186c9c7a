/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The list of containers, each once, and the search in it. */
#include "process/container.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "process/proc.h"
#include "process/runtime.h"
#include "process/state.h"

enum {
	LABEL_ID_CHARS = 12, /* as docker abbreviates ids */
	MAX_LISTED = 8, /* matches in a sentence */
};

static void row_free(struct container *row)
{
	mem_free(row->id);
	mem_free(row->name);
	mem_free(row->namespace);
	mem_free(row->pid_file);
	mem_free(row->bundle_state);
}

/*
 * Whether two rows are one container. Ids of containerd may be the same in two namespaces; a
 * stopped container has no pid, or its runtime has forgotten it.
 */
static bool same(const struct container *a, const struct container *b)
{
	if (strcmp(a->id, b->id) != 0)
		return false;
	if (a->namespace && b->namespace && strcmp(a->namespace, b->namespace) != 0)
		return false;
	return a->pid == b->pid || a->pid <= 0 || b->pid <= 0;
}

/* Rows come from the outermost runtime inwards; the first keeps its names and learns the rest. */
static void merge(struct containers *containers)
{
	size_t kept = 0;

	vec_for_each (row, &containers->rows) {
		struct container *outer = containers->rows.items;

		while (outer < containers->rows.items + kept && !same(outer, row))
			outer++;
		if (outer == containers->rows.items + kept) {
			containers->rows.items[kept++] = *row;
			continue;
		}
		if (!outer->pid)
			outer->pid = row->pid;
		if (!outer->start_ticks)
			outer->start_ticks = row->start_ticks;
		if (!outer->name) {
			outer->name = row->name;
			row->name = NULL;
		}
		row_free(row);
	}
	containers->rows.count = kept;
}

/* Files outlive their process, and its pid may be another's by now. */
static bool runs(const struct container *row)
{
	struct proc proc;

	return row->pid > 0 && proc_read(&proc, row->pid) == 0 && !proc.zombie &&
	       proc.pid == row->pid && (!row->start_ticks || row->start_ticks == proc.start_ticks);
}

int containers_list(struct containers *containers, const char *root)
{
	const char *folder = *root ? root : "/";
	cleanup_close int root_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct places places = { 0 };
	struct jail *jail;

	memset(containers, 0, sizeof(*containers));
	if (root_fd < 0)
		return error_set(-errno, "cannot open %s: %m", folder);
	jail = jail_new(&state_work);
	places_add_defaults(&places, jail, root_fd);
	places_add_daemons(&places);
	for (enum runtime runtime = 0; runtime < RUNTIMES; runtime++) {
		vec_for_each (place, &places.rows) {
			if (place->runtime == runtime)
				runtime_read(containers, jail, place, root_fd);
		}
	}
	places_free(&places);
	jail_free(jail);
	merge(containers);
	vec_for_each (row, &containers->rows) {
		if (!runs(row))
			row->pid = 0;
	}
	if (containers->denied && !containers->rows.count)
		return error_set(-EACCES,
				 "cannot read the state files of any container runtime: "
				 "permission denied; run as root");
	return 0;
}

void containers_free(struct containers *containers)
{
	vec_for_each (row, &containers->rows)
		row_free(row);
	vec_free(&containers->rows);
}

char *container_label(const struct container *container)
{
	size_t length = strlen(container->id);
	/* Only what nobody chose: a number in hex. */
	bool cut = length > LABEL_ID_CHARS && strspn(container->id, "0123456789abcdef") == length;

	return mem_printf("%s %.*s%s", container->runtime, cut ? LABEL_ID_CHARS : INT32_MAX,
			  container->id, cut ? "…" : "");
}

/* How well a key names a container. */
enum match { MATCH_NONE, MATCH_ID_PREFIX, MATCH_ID, MATCH_NAME_END, MATCH_NAME };

static enum match match(const struct container *row, const char *key)
{
	size_t length = strlen(key), name_length = row->name ? strlen(row->name) : 0;

	if (row->name && strcmp(row->name, key) == 0)
		return MATCH_NAME;
	if (name_length > length && row->name[name_length - length - 1] == '/' &&
	    strcmp(row->name + name_length - length, key) == 0)
		return MATCH_NAME_END;
	if (strcmp(row->id, key) == 0)
		return MATCH_ID;
	return strncmp(row->id, key, length) == 0 ? MATCH_ID_PREFIX : MATCH_NONE;
}

/* Leaves the sentence that lists all running ones that match as well as best. */
static int several(const struct containers *containers, const char *key, enum match best)
{
	cleanup_free char *list = mem_string("");
	size_t count = 0;

	for (size_t i = 0; i < containers->rows.count; i++) {
		const struct container *row = &containers->rows.items[i];

		if (!row->pid || match(row, key) != best || ++count > MAX_LISTED)
			continue;
		cleanup_free char *label = container_label(row);
		char *longer =
			mem_printf("%s%s%s%s%s%s", list, *list ? ", " : "", label,
				   row->name ? " (" : "", row->name ?: "", row->name ? ")" : "");

		mem_free(list);
		list = longer;
	}
	if (count > MAX_LISTED)
		return error_set(-EINVAL,
				 "%zu containers match '%s': %s and %zu more; use more of the id",
				 count, key, list, count - MAX_LISTED);
	return error_set(-EINVAL, "%zu containers match '%s': %s; use more of the id", count, key,
			 list);
}

int containers_find(const struct containers *containers, const char *key,
		    const struct container **found)
{
	const struct container *stopped = NULL;
	enum match best = MATCH_NONE;
	size_t running = 0;

	*found = NULL;
	if (!*key)
		return error_set(-EINVAL, "the name of the container is empty");
	for (size_t i = 0; i < containers->rows.count; i++) {
		const struct container *row = &containers->rows.items[i];
		enum match this = match(row, key);

		if (this > best) {
			best = this;
			running = 0;
			stopped = NULL;
		}
		if (this == MATCH_NONE || this < best)
			continue;
		if (row->pid && ++running == 1)
			*found = row;
		if (!row->pid)
			stopped = row;
	}
	if (running == 1)
		return 0;
	*found = NULL;
	if (running)
		return several(containers, key, best);
	if (stopped) {
		cleanup_free char *label = container_label(stopped);

		return error_set(-ESRCH, "container '%s' (%s) is not running", key, label);
	}
	return error_set(-ENOENT,
			 "no container '%s' among the %zu of docker, podman, containerd, crun and "
			 "runc%s",
			 key, containers->rows.count,
			 containers->denied	  ? "; some could not be read: run as root"
			 : containers->rows.count ? ""
						  : "; inside a container, say where the host's "
						    "root is (--host-root)");
}
