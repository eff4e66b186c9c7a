/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One row for each runtime: where its state files lie by default, and how one is read. */
#include "process/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "process/file.h"

enum {
	MAX_PLACES_PER_RUNTIME = 6,
	MAX_CONTAINERS = 16384, /* of all runtimes: more is no host */
	MAX_PID = 1 << 22, /* PID_MAX_LIMIT of include/linux/threads.h */
};

/* A state file that is being read. */
struct state {
	const struct place *place;
	int root_fd;
	const char *path;
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

static pid_t valid_pid(json_int_t pid)
{
	return pid > 0 && pid <= MAX_PID ? (pid_t)pid : 0;
}

static struct container *add(struct containers *containers, const struct state *state,
			     const char *id)
{
	struct container *row = vec_add(&containers->rows);

	row->id = mem_string(id);
	row->bundle_state = mem_string(state->path);
	return row;
}

/* The pid in a file that holds nothing else; 0: none. */
static pid_t read_pid_file(struct containers *containers, int root_fd, const char *path)
{
	cleanup_free char *text = read_below(containers, root_fd, path, NULL);

	return text ? valid_pid(strtoll(text, NULL, 10)) : 0;
}

/* The name of the folder that is up levels above path, and the path of that folder itself. */
static char *folder_above(const char *path, int up, char **folder)
{
	cleanup_free char *copy = mem_string(path);
	char *above = copy, *name;

	for (int i = 0; i < up; i++)
		above = dirname(above);
	if (folder)
		*folder = mem_string(above);
	name = mem_string(basename(above));
	return name;
}

/* -- docker: <data-root>/containers/<id>/config.v2.json (moby, container/container.go) ------------
 */

static void parse_docker(struct containers *containers, const struct state *state, json_t *root)
{
	const char *id, *name = "";
	json_int_t pid = 0;
	int running = 0;
	struct container *row;

	if (json_unpack(root, "{s:s, s?s, s:{s:b, s:I}}", "ID", &id, "Name", &name, "State",
			"Running", &running, "Pid", &pid))
		return;
	row = add(containers, state, id);
	name += *name == '/';
	row->name = *name ? mem_string(name) : NULL;
	row->pid = running ? valid_pid(pid) : -1;
}

/*
 * -- podman, CRI-O: <root>/<driver>-containers/containers.json; volatile-containers.json has those
 * started with --rm (containers/storage, containers.go). Pids lie below <runroot>, of the same
 * shape.
 */

static void parse_podman(struct containers *containers, const struct state *state, json_t *root)
{
	cleanup_free char *driver = folder_above(state->path, 1, NULL);
	json_t *item;
	size_t i;

	json_array_foreach(root, i, item)
	{
		const char *id, *name = NULL;
		cleanup_free char *path = NULL;
		struct container *row;

		if (json_unpack(item, "{s:s}", "id", &id) ||
		    containers->rows.count >= MAX_CONTAINERS)
			continue;
		json_unpack(item, "{s:[s]}", "names", &name);
		row = add(containers, state, id);
		row->name = mem_string(name);
		path = mem_printf("%s/%s/%s/userdata/pidfile", state->place->run, driver, id);
		row->pid = read_pid_file(containers, state->root_fd, path);
	}
}

/*
 * -- containerd: <state>/io.containerd.runtime.v2.task/<namespace>/<id>/config.json, the OCI spec,
 * beside init.pid. Who made it left its names in annotations: the CRI plugin (containerd,
 * pkg/cri/annotations), cri-dockerd and kubelet's labels, nerdctl.
 */

static const struct {
	const char *namespace, *pod, *container;
} pod_annotations[] = {
	{ "io.kubernetes.cri.sandbox-namespace", "io.kubernetes.cri.sandbox-name",
	  "io.kubernetes.cri.container-name" },
	{ "io.kubernetes.pod.namespace", "io.kubernetes.pod.name", "io.kubernetes.container.name" },
};

/* The caller's, or NULL. A pod's own container is called POD, as kubelet does. */
static char *annotated_name(json_t *root)
{
	json_t *notes = json_object_get(root, "annotations");
	const char *namespace, *pod, *container, *name, *type = "";

	json_unpack(notes, "{s:s}", "io.kubernetes.cri.container-type", &type);
	for (size_t i = 0; i < sizeof(pod_annotations) / sizeof(*pod_annotations); i++) {
		container = strcmp(type, "sandbox") == 0 ? "POD" : NULL;
		if (json_unpack(notes, "{s:s, s:s, s?s}", pod_annotations[i].namespace, &namespace,
				pod_annotations[i].pod, &pod, pod_annotations[i].container,
				&container) == 0 &&
		    container)
			return mem_printf("%s/%s/%s", namespace, pod, container);
	}
	if (json_unpack(notes, "{s:s}", "nerdctl/name", &name) == 0)
		return mem_string(name);
	return NULL;
}

static void parse_containerd(struct containers *containers, const struct state *state, json_t *root)
{
	cleanup_free char *folder = NULL, *path = NULL;
	cleanup_free char *id = folder_above(state->path, 1, &folder);
	struct container *row = add(containers, state, id);

	row->namespace = folder_above(state->path, 2, NULL);
	row->name = annotated_name(root);
	path = mem_printf("%s/init.pid", folder);
	row->pid = read_pid_file(containers, state->root_fd, path);
}

/* -- crun: <root>/<id>/status (crun, src/libcrun/status.c) ----------------------------------------
 */

static void parse_crun(struct containers *containers, const struct state *state, json_t *root)
{
	json_int_t pid, start = 0;
	struct container *row;

	if (json_unpack(root, "{s:I, s?I}", "pid", &pid, "process-start-time", &start))
		return;
	cleanup_free char *id = folder_above(state->path, 1, NULL);
	row = add(containers, state, id);
	row->pid = valid_pid(pid);
	row->start_ticks = start;
}

/* -- runc: <root>/<id>/state.json (runc, libcontainer/container_linux.go: BaseState) --------------
 */

static void parse_runc(struct containers *containers, const struct state *state, json_t *root)
{
	json_int_t pid, start = 0;
	struct container *row;
	const char *id;

	if (json_unpack(root, "{s:s, s:I, s?I}", "id", &id, "init_process_pid", &pid,
			"init_process_start", &start))
		return;
	row = add(containers, state, id);
	row->pid = valid_pid(pid);
	row->start_ticks = start;
}

static const struct {
	const char *name;
	void (*parse)(struct containers *containers, const struct state *state, json_t *root);
	const char *run; /* podman's */
	const char *places[MAX_PLACES_PER_RUNTIME];
} runtimes[RUNTIMES] = {
	[RUNTIME_DOCKER] = {
		"docker", parse_docker, NULL,
		{ "/var/lib/docker/containers/*/config.v2.json" },
	},
	[RUNTIME_PODMAN] = {
		"podman", parse_podman, "/run/containers/storage",
		{ "/var/lib/containers/storage/*-containers/*containers.json",
		  "/run/containers/storage/*-containers/*containers.json" },
	},
	[RUNTIME_CONTAINERD] = {
		"containerd", parse_containerd, NULL,
		{ "/run/containerd/io.containerd.runtime.v2.task/*/*/config.json",
		  "/run/docker/containerd/daemon/io.containerd.runtime.v2.task/*/*/config.json",
		  "/run/k3s/containerd/io.containerd.runtime.v2.task/*/*/config.json" },
	},
	[RUNTIME_CRUN] = {
		"crun", parse_crun, NULL,
		{ "/run/crun/*/status", "/run/user/*/crun/*/status" },
	},
	[RUNTIME_RUNC] = {
		"runc", parse_runc, NULL,
		{ "/run/runc/*/state.json", "/run/user/*/runc/*/state.json",
		  "/run/containerd/runc/*/*/state.json", "/run/docker/runtime-runc/*/*/state.json" },
	},
};

void runtime_parse(struct containers *containers, const struct place *place, int root_fd,
		   const char *path, const char *text, size_t bytes)
{
	struct state state = { .place = place, .root_fd = root_fd, .path = path };
	size_t first = containers->rows.count;
	json_t *root = json_loadb(text, bytes, 0, NULL);

	if (!root)
		return;
	runtimes[place->runtime].parse(containers, &state, root);
	json_decref(root);
	for (size_t i = first; i < containers->rows.count; i++)
		containers->rows.items[i].runtime = runtimes[place->runtime].name;
}

static void read_state(struct containers *containers, const struct place *place, int root_fd,
		       const char *path)
{
	size_t bytes = 0;
	cleanup_free char *text = read_below(containers, root_fd, path, &bytes);

	if (text)
		runtime_parse(containers, place, root_fd, path, text, bytes);
}

void runtime_read(struct containers *containers, const struct place *place, int root_fd)
{
	struct file_list files = { 0 };

	if (file_glob(&files, root_fd, place->pattern) == -EACCES)
		containers->denied = true;
	vec_for_each (path, &files.paths) {
		if (containers->rows.count < MAX_CONTAINERS)
			read_state(containers, place, root_fd, *path);
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

/* The data-root key of dockerd's configuration file; most who move docker's data do it there. */
static void add_docker_configuration(struct places *places, int root_fd)
{
	struct containers none = { 0 };
	size_t bytes = 0;
	cleanup_free char *text = read_below(&none, root_fd, "/etc/docker/daemon.json", &bytes);
	json_t *root = text ? json_loadb(text, bytes, 0, NULL) : NULL;
	const char *folder;

	if (json_unpack(root, "{s:s}", "data-root", &folder) == 0 && *folder == '/') {
		cleanup_free char *pattern = mem_printf("%s/containers/*/config.v2.json", folder);

		places_add(places, RUNTIME_DOCKER, pattern, NULL);
	}
	json_decref(root);
}

void places_add_defaults(struct places *places, int root_fd)
{
	for (enum runtime runtime = 0; runtime < RUNTIMES; runtime++) {
		for (int i = 0; i < MAX_PLACES_PER_RUNTIME && runtimes[runtime].places[i]; i++)
			places_add(places, runtime, runtimes[runtime].places[i],
				   runtimes[runtime].run);
	}
	add_docker_configuration(places, root_fd);
}

void places_free(struct places *places)
{
	vec_for_each (place, &places->rows) {
		mem_free(place->pattern);
		mem_free(place->run);
	}
	vec_free(&places->rows);
}
