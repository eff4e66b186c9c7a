/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Control groups of version 1 and 2, and both at once; see cgroups(7). */
#include "process/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "process/file.h"
#include "process/read.h"

enum { CGROUP_MAX_FOLDERS = 65536 };

/*
 * A hybrid system has all of them. The memory controller comes first, as every runtime sets it;
 * the v2 line may then name the daemon's own group.
 */
static const char *const controllers[] = {
	[CGROUP_MEMORY] = "memory",
	[CGROUP_PIDS] = "pids",
	[CGROUP_V2] = "",
};

/* Whether word is in a list like "rw,memory". */
static bool listed(const char *list, const char *word)
{
	size_t length = strlen(word);

	for (const char *p = list; p; p = strchr(p, ',')) {
		p += *p == ',';
		if (strncmp(p, word, length) == 0 && (p[length] == ',' || p[length] == '\0'))
			return true;
	}
	return false;
}

/* Lines are "ID:CONTROLLERS:PATH", v2's "0::PATH". */
char *cgroup_parse(const char *text, enum cgroup_hierarchy hierarchy)
{
	cleanup_free char *copy = mem_string(text);
	char *rest = copy, *line;

	while ((line = strsep(&rest, "\n"))) {
		char *id = strsep(&line, ":"), *names = strsep(&line, ":");
		bool v2 = id && strcmp(id, "0") == 0;

		if (names && line && *line == '/' && v2 == (hierarchy == CGROUP_V2) &&
		    (v2 || listed(names, controllers[hierarchy])))
			return mem_string(line);
	}
	return NULL;
}

char *cgroup_path(pid_t pid, enum cgroup_hierarchy hierarchy)
{
	cleanup_free char *text = NULL;

	if (proc_file(pid, "cgroup", FILE_MAX_PROC, &text))
		return NULL;
	return cgroup_parse(text, hierarchy);
}

/* mountinfo writes blanks and backslashes as \ooo. */
static void unescape(char *text)
{
	char *out = text;

	for (const char *in = text; *in; out++) {
		if (in[0] == '\\' && in[1] >= '0' && in[1] <= '3' && in[2] >= '0' && in[2] <= '7' &&
		    in[3] >= '0' && in[3] <= '7') {
			*out = (char)((in[1] - '0') << 6 | (in[2] - '0') << 3 | (in[3] - '0'));
			in += 4;
		} else {
			*out = *in++;
		}
	}
	*out = '\0';
}

/* Whether path is base or lies below it. */
static bool below(const char *path, const char *base)
{
	size_t length = strlen(base);

	if (strcmp(base, "/") == 0)
		return true;
	return strncmp(path, base, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

/* Outside of our cgroup namespace: shown as "/../other", and mounted nowhere here. */
static bool climbs(const char *path)
{
	return strncmp(path, "/..", 3) == 0 && (path[3] == '\0' || path[3] == '/');
}

/* Lines are "ID PARENT DEVICE ROOT POINT OPTIONS [FIELDS…] - TYPE SOURCE SUPER_OPTIONS". */
char *cgroup_place(const char *mountinfo, enum cgroup_hierarchy hierarchy, const char *path)
{
	const char *wanted = hierarchy == CGROUP_V2 ? "cgroup2" : "cgroup";
	cleanup_free char *copy = mem_string(mountinfo);
	char *rest = copy, *line;

	while ((line = strsep(&rest, "\n"))) {
		char *end = strstr(line, " - "), *root, *point, *type, *options;

		if (!end || climbs(path))
			continue;
		*end = '\0';
		end += 3;
		type = strsep(&end, " ");
		strsep(&end, " ");
		options = end;
		for (int i = 0; i < 3; i++)
			strsep(&line, " ");
		root = strsep(&line, " ");
		point = strsep(&line, " ");
		if (!options || !point || strcmp(type, wanted) != 0 ||
		    (hierarchy != CGROUP_V2 && !listed(options, controllers[hierarchy])))
			continue;
		unescape(root);
		unescape(point);
		if (!below(path, root))
			continue;
		path += strcmp(root, "/") == 0 ? 0 : strlen(root);
		return mem_printf("%s%s", point, strcmp(path, "/") == 0 ? "" : path);
	}
	return NULL;
}

char *cgroup_folder(const char *path, enum cgroup_hierarchy hierarchy)
{
	cleanup_free char *mountinfo = NULL;

	if (file_read("/proc/self/mountinfo", FILE_MAX_PROC, &mountinfo, NULL))
		return NULL;
	return cgroup_place(mountinfo, hierarchy, path);
}

enum cgroup_hierarchy cgroup_own(pid_t init)
{
	enum cgroup_hierarchy hierarchy;
	struct proc proc;

	if (proc_read(&proc, init))
		return CGROUP_HIERARCHIES;
	for (hierarchy = 0; hierarchy < CGROUP_HIERARCHIES; hierarchy++) {
		cleanup_free char *its = cgroup_path(init, hierarchy);
		cleanup_free char *ours = cgroup_path(getpid(), hierarchy);
		cleanup_free char *parents =
			proc.parent > 0 ? cgroup_path(proc.parent, hierarchy) : NULL;

		if (its && strcmp(its, "/") != 0 && !climbs(its) && !(ours && below(ours, its)) &&
		    !(parents && below(parents, its)))
			return hierarchy;
	}
	return CGROUP_HIERARCHIES;
}

void cgroup_pids(char *text, struct pid_list *list)
{
	char *line;

	while ((line = strsep(&text, "\n"))) {
		long pid = strtol(line, NULL, 10);

		if (pid > 0 && pid <= INT32_MAX) /* 0: of another pid namespace */
			*vec_add(&list->pids) = (pid_t)pid;
	}
}

static void add_processes(const char *folder, struct pid_list *list)
{
	cleanup_free char *path = mem_printf("%s/cgroup.procs", folder);
	cleanup_free char *text = NULL;

	/* EOPNOTSUPP: a threaded v2 group; the one above lists its processes. */
	if (file_read(path, FILE_MAX_STATE, &text, NULL) == 0)
		cgroup_pids(text, list);
}

static void add_folders(struct file_list *folders, const char *folder)
{
	DIR *stream = opendir(folder);
	struct dirent *entry;

	while (stream && (entry = readdir(stream)) && folders->paths.count < CGROUP_MAX_FOLDERS) {
		if (entry->d_type == DT_DIR && strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0)
			*vec_add(&folders->paths) = mem_printf("%s/%s", folder, entry->d_name);
	}
	if (stream)
		closedir(stream);
}

void cgroup_processes(const char *folder, struct pid_list *list)
{
	struct file_list folders = { 0 };

	*vec_add(&folders.paths) = mem_string(folder);
	for (size_t i = 0; i < folders.paths.count; i++) {
		add_processes(folders.paths.items[i], list);
		add_folders(&folders, folders.paths.items[i]);
	}
	file_list_free(&folders);
}

/* Whether folder is a control group, of either version. */
static bool is_group(const char *folder)
{
	cleanup_free char *processes = mem_printf("%s/cgroup.procs", folder);
	struct statfs status;

	return statfs(folder, &status) == 0 && access(processes, F_OK) == 0 &&
	       (status.f_type == CGROUP_SUPER_MAGIC || status.f_type == CGROUP2_SUPER_MAGIC);
}

static bool has_processes(const char *folder)
{
	struct pid_list list = { 0 };
	bool any;

	cgroup_processes(folder, &list);
	any = list.pids.count != 0;
	vec_free(&list.pids);
	return any;
}

/* Takes path; *best is the first that is a group, until one has processes. True: it has. */
static bool consider(char **best, char *path)
{
	bool group = path && is_group(path), filled = group && has_processes(path);

	if (!group || (*best && !filled)) {
		mem_free(path);
		return false;
	}
	mem_free(*best);
	*best = path;
	return filled;
}

char *cgroup_find(const char *name, const char *root)
{
	char *best = NULL;

	if (*name == '/') {
		if (consider(&best, mem_string(name)) ||
		    consider(&best, mem_printf("%s%s", root, name)))
			return best;
	}
	for (enum cgroup_hierarchy hierarchy = 0; hierarchy < CGROUP_HIERARCHIES; hierarchy++) {
		cleanup_free char *top = cgroup_folder("/", hierarchy);

		if (top && consider(&best, mem_printf("%s/%s", top, name + (*name == '/'))))
			break;
	}
	return best;
}
