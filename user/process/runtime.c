/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One row for each runtime: where its state files lie by default. */
#include "process/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "process/file.h"
#include "process/state.h"

enum {
	MAX_PLACES_PER_RUNTIME = 6,
};

/* The text of a file below the root; NULL: none. The caller's. */
static char *read_below(struct containers *containers, int root_fd, const char *path, size_t *bytes)
{
	cleanup_close int fd = file_open(root_fd, path);
	char *text = NULL;
	int err = fd < 0 ? fd : file_read_fd(fd, FILE_MAX_STATE, &text, bytes);

	if (err == -EACCES || err == -EPERM)
		containers->denied = true;
	return err ? NULL : text;
}

static const struct {
	const char *name;
	const char *run; /* podman's */
	const char *places[MAX_PLACES_PER_RUNTIME];
} runtimes[RUNTIMES] = {
	[RUNTIME_DOCKER] = {
		"docker", NULL,
		{ "/var/lib/docker/containers/*/config.v2.json" },
	},
	[RUNTIME_PODMAN] = {
		"podman", "/run/containers/storage",
		{ "/var/lib/containers/storage/*-containers/*containers.json",
		  "/run/containers/storage/*-containers/*containers.json" },
	},
	[RUNTIME_CONTAINERD] = {
		"containerd", NULL,
		{ "/run/containerd/io.containerd.runtime.v2.task/*/*/config.json",
		  "/run/docker/containerd/daemon/io.containerd.runtime.v2.task/*/*/config.json",
		  "/run/k3s/containerd/io.containerd.runtime.v2.task/*/*/config.json" },
	},
	[RUNTIME_CRUN] = {
		"crun", NULL,
		{ "/run/crun/*/status", "/run/user/*/crun/*/status" },
	},
	[RUNTIME_RUNC] = {
		"runc", NULL,
		{ "/run/runc/*/state.json", "/run/user/*/runc/*/state.json",
		  "/run/containerd/runc/*/*/state.json", "/run/docker/runtime-runc/*/*/state.json" },
	},
};

/* The pid in a file that holds nothing else; 0: none. */
static pid_t read_pid_file(struct containers *containers, int root_fd, const char *path)
{
	cleanup_free char *text = read_below(containers, root_fd, path, NULL);

	return text ? state_valid_pid(strtoll(text, NULL, 10)) : 0;
}

static void read_state(struct containers *containers, struct jail *jail, const struct place *place,
		       int root_fd, const char *path)
{
	size_t bytes = 0, first = containers->rows.count;
	cleanup_free char *text = read_below(containers, root_fd, path, &bytes);

	if (!text)
		return;
	state_ask(jail, containers, place, path, text, bytes);
	for (size_t i = first; i < containers->rows.count; i++) {
		struct container *row = &containers->rows.items[i];

		row->runtime = runtimes[place->runtime].name;
		if (row->pid_file)
			row->pid = read_pid_file(containers, root_fd, row->pid_file);
	}
}

void runtime_read(struct containers *containers, struct jail *jail, const struct place *place,
		  int root_fd)
{
	struct file_list files = { 0 };

	if (file_glob(&files, root_fd, place->pattern) == -EACCES)
		containers->denied = true;
	vec_for_each (path, &files.paths) {
		if (containers->rows.count < STATE_CONTAINERS_MAX)
			read_state(containers, jail, place, root_fd, *path);
	}
	file_list_free(&files);
}

void places_add(struct places *places, enum runtime runtime, const char *pattern, const char *run)
{
	struct place *place;

	vec_for_each (known, &places->rows) {
		if (known->runtime == runtime && strcmp(known->pattern, pattern) == 0)
			return;
	}
	place = vec_add(&places->rows);
	place->runtime = runtime;
	place->pattern = mem_string(pattern);
	place->run = mem_string(run);
}

/* Most who move docker's data do it in dockerd's configuration file. */
static void add_docker_configuration(struct places *places, struct jail *jail, int root_fd)
{
	struct containers none = { 0 };
	size_t bytes = 0;
	cleanup_free char *text = read_below(&none, root_fd, "/etc/docker/daemon.json", &bytes);
	cleanup_free char *folder = text ? state_ask_docker_folder(jail, text, bytes) : NULL;

	if (folder && *folder == '/') {
		cleanup_free char *pattern = mem_printf("%s/containers/*/config.v2.json", folder);

		places_add(places, RUNTIME_DOCKER, pattern, NULL);
	}
}

void places_add_defaults(struct places *places, struct jail *jail, int root_fd)
{
	for (enum runtime runtime = 0; runtime < RUNTIMES; runtime++) {
		for (int i = 0; i < MAX_PLACES_PER_RUNTIME && runtimes[runtime].places[i]; i++)
			places_add(places, runtime, runtimes[runtime].places[i],
				   runtimes[runtime].run);
	}
	add_docker_configuration(places, jail, root_fd);
}

void places_free(struct places *places)
{
	vec_for_each (place, &places->rows) {
		mem_free(place->pattern);
		mem_free(place->run);
	}
	vec_free(&places->rows);
}
