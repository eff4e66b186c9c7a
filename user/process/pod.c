/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Pods by the names of their containers. */
#include "process/pod.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"

enum { KEY_PARTS = 3, KUBELET_PARTS = 6, MAX_PARTS = 6, MAX_LISTED = 8 };

/* Parts of a name, in one copy of it. */
struct parts {
	char *copy;
	char *part[MAX_PARTS];
	int count; /* MAX_PARTS + 1: more */
};

static void split(struct parts *parts, const char *text, const char *mark)
{
	char *rest, *part;

	memset(parts, 0, sizeof(*parts));
	parts->copy = rest = mem_string(text);
	while ((part = strsep(&rest, mark)) && parts->count <= MAX_PARTS) {
		if (parts->count < MAX_PARTS)
			parts->part[parts->count] = part;
		parts->count++;
	}
}

static void parts_free(struct parts *parts)
{
	mem_free(parts->copy);
}

struct place {
	struct parts parts;
	const char *namespace, *pod, *container;
};

/*
 * A container's place: from NAMESPACE/POD/CONTAINER, or as kubelet has had docker and CRI-O name
 * them, k8s_CONTAINER_POD_NAMESPACE_UID_ATTEMPT. No name of Kubernetes holds a slash or an
 * underscore. The pod's own container is called POD in both.
 */
static bool place_of(struct place *place, const struct container *row)
{
	char **part = place->parts.part;
	bool by_kubelet = row->name && strncmp(row->name, "k8s_", 4) == 0;

	split(&place->parts, row->name ?: "", by_kubelet ? "_" : "/");
	place->namespace = part[by_kubelet ? 3 : 0];
	place->pod = part[by_kubelet ? 2 : 1];
	place->container = part[by_kubelet ? 1 : 2];
	return place->parts.count == (by_kubelet ? KUBELET_PARTS : KEY_PARTS) &&
	       strcmp(place->container, "POD") != 0;
}

/* A key of two parts is NAMESPACE/POD or POD/CONTAINER. */
static bool matches(const struct place *place, const struct parts *key, bool *of_container)
{
	char *const *part = key->part;

	*of_container = key->count == 3;
	if (key->count == 1)
		return strcmp(place->pod, part[0]) == 0;
	if (key->count == 3)
		return strcmp(place->namespace, part[0]) == 0 && strcmp(place->pod, part[1]) == 0 &&
		       strcmp(place->container, part[2]) == 0;
	if (strcmp(place->namespace, part[0]) == 0 && strcmp(place->pod, part[1]) == 0)
		return true;
	*of_container = true;
	return strcmp(place->pod, part[0]) == 0 && strcmp(place->container, part[1]) == 0;
}

struct names {
	VEC(char *) all;
};

static void add_name(struct names *names, const struct place *place, bool of_container)
{
	char *name = mem_printf("%s/%s%s%s", place->namespace, place->pod, of_container ? "/" : "",
				of_container ? place->container : "");

	vec_for_each (known, &names->all) {
		if (strcmp(*known, name) == 0) {
			mem_free(name);
			return;
		}
	}
	*vec_add(&names->all) = name;
}

static int several(const struct names *names, const char *key)
{
	cleanup_free char *list = mem_string("");

	for (size_t i = 0; i < names->all.count && i < MAX_LISTED; i++) {
		char *longer = mem_printf("%s%s%s", list, i ? ", " : "", names->all.items[i]);

		mem_free(list);
		list = longer;
	}
	return error_set(-EINVAL, "%zu pods match '%s': %s%s; use NAMESPACE/POD[/CONTAINER]",
			 names->all.count, key, list, names->all.count > MAX_LISTED ? ", …" : "");
}

static int judge(struct pod_members *members, struct names *names, const struct parts *key,
		 const char *text, bool stopped, bool denied)
{
	if (key->count > KEY_PARTS || !*key->part[0])
		return error_set(-EINVAL, "'%s' is not [NAMESPACE/]POD[/CONTAINER]", text);
	if (!names->all.count && stopped)
		return error_set(-ESRCH, "pod '%s' has no running container", text);
	if (!names->all.count)
		return error_set(-ENOENT, "no pod '%s' among the containers of this machine%s",
				 text, denied ? "; some could not be read: run as root" : "");
	if (names->all.count > 1)
		return several(names, text);
	members->name = names->all.items[0];
	names->all.count = 0;
	return 0;
}

int pod_find(struct pod_members *members, const struct containers *containers, const char *key)
{
	struct names names = { 0 };
	struct parts parts;
	bool stopped = false;
	int err;

	memset(members, 0, sizeof(*members));
	split(&parts, key, "/");
	for (size_t i = 0; i < containers->rows.count; i++) {
		const struct container *row = &containers->rows.items[i];
		struct place place;
		bool of_container;

		if (place_of(&place, row) && matches(&place, &parts, &of_container)) {
			stopped |= !row->pid;
			if (row->pid) {
				add_name(&names, &place, of_container);
				*vec_add(&members->rows) = row;
			}
		}
		parts_free(&place.parts);
	}
	err = judge(members, &names, &parts, key, stopped, containers->denied);
	parts_free(&parts);
	vec_for_each (name, &names.all)
		mem_free(*name);
	vec_free(&names.all);
	if (err)
		pod_members_free(members);
	return err;
}

void pod_members_free(struct pod_members *members)
{
	mem_free(members->name);
	vec_free(&members->rows);
	memset(members, 0, sizeof(*members));
}
