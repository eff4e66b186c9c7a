/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the state files of each runtime say; and the jail in which they are parsed. */
#include "process/state.h"

#include <errno.h>
#include <jansson.h>
#include <libgen.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"

enum {
	MAX_PID = 1 << 22, /* PID_MAX_LIMIT of include/linux/threads.h */
};

/* A state file that is being parsed. */
struct state {
	const struct place *place;
	const char *path;
};

pid_t state_valid_pid(long long pid)
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
	row->pid = running ? state_valid_pid(pid) : -1;
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
		struct container *row;

		if (json_unpack(item, "{s:s}", "id", &id) ||
		    containers->rows.count >= STATE_CONTAINERS_MAX)
			continue;
		json_unpack(item, "{s:[s]}", "names", &name);
		row = add(containers, state, id);
		row->name = mem_string(name);
		row->pid_file =
			mem_printf("%s/%s/%s/userdata/pidfile", state->place->run, driver, id);
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
	cleanup_free char *folder = NULL;
	cleanup_free char *id = folder_above(state->path, 1, &folder);
	struct container *row = add(containers, state, id);

	row->namespace = folder_above(state->path, 2, NULL);
	row->name = annotated_name(root);
	row->pid_file = mem_printf("%s/init.pid", folder);
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
	row->pid = state_valid_pid(pid);
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
	row->pid = state_valid_pid(pid);
	row->start_ticks = start;
}

static void (*const parsers[RUNTIMES])(struct containers *containers, const struct state *state,
				       json_t *root) = {
	[RUNTIME_DOCKER] = parse_docker,
	[RUNTIME_PODMAN] = parse_podman,
	[RUNTIME_CONTAINERD] = parse_containerd,
	[RUNTIME_CRUN] = parse_crun,
	[RUNTIME_RUNC] = parse_runc,
};

void state_parse(struct containers *containers, const struct place *place, const char *path,
		 const char *text, size_t bytes)
{
	struct state state = { .place = place, .path = path };
	json_t *root = json_loadb(text, bytes, 0, NULL);

	if (!root)
		return;
	parsers[place->runtime](containers, &state, root);
	json_decref(root);
}

/* dockerd's data-root key. */
static char *docker_folder(const char *text, size_t bytes)
{
	json_t *root = json_loadb(text, bytes, 0, NULL);
	const char *folder;
	char *copy = NULL;

	if (json_unpack(root, "{s:s}", "data-root", &folder) == 0)
		copy = mem_string(folder);
	json_decref(root);
	return copy;
}

/* -- through the door -------------------------------------------------------------------------- */

enum { ASK_CONTAINERS, ASK_DOCKER_FOLDER };

static char *take_text(struct parcel *parcel)
{
	return mem_string(parcel_get_text(parcel));
}

static void pack_row(struct parcel *reply, struct container *row)
{
	parcel_put_text(reply, row->id);
	parcel_put_text(reply, row->name);
	parcel_put_text(reply, row->namespace);
	parcel_put_text(reply, row->bundle_state);
	parcel_put_text(reply, row->pid_file);
	parcel_number(reply, &row->pid);
	parcel_number(reply, &row->start_ticks);
}

static void take_row(struct parcel *reply, struct container *row)
{
	row->id = take_text(reply) ?: mem_string("");
	row->name = take_text(reply);
	row->namespace = take_text(reply);
	row->bundle_state = take_text(reply) ?: mem_string("");
	row->pid_file = take_text(reply);
	parcel_number(reply, &row->pid);
	parcel_number(reply, &row->start_ticks);
	if (row->pid > 0)
		row->pid = state_valid_pid(row->pid);
}

static void *begin(void)
{
	return NULL;
}

static int serve(void *context, uint32_t kind, struct parcel *request, const int fds[JAIL_FDS_MAX],
		 struct parcel *reply)
{
	struct containers containers = { 0 };
	struct place place = { 0 };
	uint32_t runtime, bytes;
	const char *path, *text;

	parcel_number(request, &runtime);
	place.runtime = (enum runtime)(runtime % RUNTIMES);
	place.run = (char *)parcel_get_text(request);
	path = parcel_get_text(request);
	parcel_number(request, &bytes);
	text = parcel_get_text(request);
	if (request->failed || !path || !text)
		return error_set(-EINVAL, "a broken request");
	if (kind == ASK_DOCKER_FOLDER) {
		cleanup_free char *folder = docker_folder(text, bytes);

		parcel_put_text(reply, folder);
		return 0;
	}
	state_parse(&containers, &place, path, text, bytes);
	parcel_count(reply, &containers.rows.count, 1);
	vec_for_each (row, &containers.rows)
		pack_row(reply, row);
	containers_free(&containers);
	return 0;
}

const struct jail_work state_work = {
	.name = "unfreed-parser",
	.work_seconds_max = 60,
	.idle_seconds_max = 60,
	.begin = begin,
	.serve = serve,
};

static int ask(struct jail *jail, uint32_t kind, const struct place *place, const char *path,
	       const char *text, size_t bytes, struct parcel *reply)
{
	static const int none[JAIL_FDS_MAX] = { -1, -1, -1 };
	uint32_t runtime = place->runtime, length = (uint32_t)bytes;
	struct parcel request = { 0 };
	int error;

	if (memchr(text, 0, bytes))
		return error_set(-EINVAL, "no JSON: it has zeros");
	parcel_number(&request, &runtime);
	parcel_put_text(&request, place->run);
	parcel_put_text(&request, path);
	parcel_number(&request, &length);
	parcel_put_text(&request, text);
	error = jail_ask(jail, kind, &request, none, reply);
	parcel_free(&request);
	return error;
}

void state_ask(struct jail *jail, struct containers *containers, const struct place *place,
	       const char *path, const char *text, size_t bytes)
{
	struct parcel reply = { 0 };
	size_t count = 0;

	if (!ask(jail, ASK_CONTAINERS, place, path, text, bytes, &reply))
		parcel_count(&reply, &count, 1);
	for (size_t i = 0; i < count && containers->rows.count < STATE_CONTAINERS_MAX; i++)
		take_row(&reply, vec_add(&containers->rows));
	if (reply.failed)
		jail_garbled(jail);
	parcel_free(&reply);
}

char *state_ask_docker_folder(struct jail *jail, const char *text, size_t bytes)
{
	struct parcel reply = { 0 };
	char *folder = NULL;

	if (!ask(jail, ASK_DOCKER_FOLDER, &(struct place){ 0 }, "", text, bytes, &reply))
		folder = take_text(&reply);
	parcel_free(&reply);
	return folder;
}
