/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Places of state files that running daemons, shims and monitors were given. */
#include <ctype.h>
#include <dirent.h>
#include <fnmatch.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "process/read.h"
#include "process/file.h"
#include "process/runtime.h"

enum { MAX_WORDS = 256 };

static const struct told {
	const char *program; /* pattern of its name */
	const char *option; /* name of the option with a path, without dashes; NULL: its folder */
	enum runtime runtime;
	int up; /* levels to go up from there … */
	const char *below; /* … to where its state files are */
	const char *run; /* option with podman's pid file, which lies 4 levels below its runroot */
} told[] = {
	{ "dockerd", "data-root", RUNTIME_DOCKER, 0, "containers/*/config.v2.json", NULL },
	{ "dockerd", "g", RUNTIME_DOCKER, 0, "containers/*/config.v2.json", NULL },
	{ "dockerd", "exec-root", RUNTIME_RUNC, 0, "runtime-runc/*/*/state.json", NULL },
	{ "containerd", "state", RUNTIME_CONTAINERD, 0,
	  "io.containerd.runtime.v2.task/*/*/config.json", NULL },
	/* A shim runs in <state>/io.containerd.runtime.v2.task/<namespace>/<id>. */
	{ "containerd-shim*", NULL, RUNTIME_CONTAINERD, 2, "*/*/config.json", NULL },
	{ "conmon", "b", RUNTIME_PODMAN, 2, "*containers.json", "p" },
	{ "crun", "root", RUNTIME_CRUN, 0, "*/status", NULL },
	{ "runc", "root", RUNTIME_RUNC, 0, "*/state.json", NULL },
};

struct command {
	const char *words[MAX_WORDS];
	int count;
	const char *folder;
};

/* The value of "--name VALUE", "-name VALUE" or "--name=VALUE", or NULL. */
static const char *option_value(const struct command *command, const char *name)
{
	size_t length = strlen(name);

	for (int i = 1; i < command->count; i++) {
		const char *word = command->words[i];

		if (*word != '-')
			continue;
		word += strspn(word, "-");
		if (strncmp(word, name, length) != 0)
			continue;
		if (word[length] == '=')
			return word + length + 1;
		if (word[length] == '\0' && i + 1 < command->count)
			return command->words[i + 1];
	}
	return NULL;
}

/* path made absolute, and up levels above it: the caller's; NULL: not a path that can be. */
static char *above(const char *path, const char *folder, int up)
{
	cleanup_free char *absolute =
		*path == '/' ? mem_string(path) : mem_printf("%s/%s", folder, path);
	char *result = absolute;

	/* Its folder may be unreadable; '*' would be taken for a pattern. */
	if ((*path != '/' && *folder != '/') || strchr(absolute, '*'))
		return NULL;
	for (int i = 0; i < up; i++)
		result = dirname(result);
	return mem_string(result);
}

static void add_told(struct places *places, const struct told *row, const struct command *command)
{
	const char *path = row->option ? option_value(command, row->option) : command->folder;
	const char *pid_file = row->run ? option_value(command, row->run) : NULL;
	cleanup_free char *folder = path ? above(path, command->folder, row->up) : NULL;
	cleanup_free char *run = pid_file ? above(pid_file, command->folder, 4) : NULL;
	cleanup_free char *pattern = NULL;

	if (!folder || (row->run && !run))
		return;
	pattern = mem_printf("%s/%s", folder, row->below);
	places_add(places, row->runtime, pattern, run);
}

void places_add_command(struct places *places, const char *line, size_t bytes, const char *folder)
{
	struct command command = { .folder = folder };
	const char *name;

	for (size_t at = 0; at < bytes && command.count < MAX_WORDS; at += strlen(line + at) + 1)
		command.words[command.count++] = line + at;
	if (!command.count)
		return;
	name = strrchr(command.words[0], '/');
	name = name ? name + 1 : command.words[0];
	for (size_t i = 0; i < sizeof(told) / sizeof(*told); i++) {
		if (fnmatch(told[i].program, name, 0) == 0)
			add_told(places, &told[i], &command);
	}
}

/* Whether the daemon counts processes as we do: the pids in its files are those of its namespace.
 */
static bool same_pid_namespace(const char *pid)
{
	cleanup_free char *path = mem_printf("/proc/%s/ns/pid", pid);
	struct stat ours, its;

	return stat("/proc/self/ns/pid", &ours) == 0 && stat(path, &its) == 0 &&
	       ours.st_ino == its.st_ino;
}

static void add_process(struct places *places, const char *pid)
{
	cleanup_free char *path = mem_printf("/proc/%s/cmdline", pid);
	cleanup_free char *link = mem_printf("/proc/%s/cwd", pid);
	cleanup_free char *line = NULL;
	char folder[PATH_MAX];
	ssize_t length;
	size_t bytes;

	if (file_read(path, FILE_MAX_PROC, &line, &bytes) || !bytes || !same_pid_namespace(pid))
		return;
	length = readlink(link, folder, sizeof(folder) - 1);
	folder[length > 0 ? length : 0] = '\0';
	places_add_command(places, line, bytes, folder);
}

void places_add_daemons(struct places *places)
{
	DIR *stream = opendir("/proc");
	struct dirent *entry;

	while (stream && (entry = readdir(stream))) {
		if (isdigit((unsigned char)*entry->d_name))
			add_process(places, entry->d_name);
	}
	if (stream)
		closedir(stream);
}
