/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Opening a recording, and what is said where it is not complete. */
#include "cmd/recordings.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

/* A trace that was killed, or goes on, has left its recording aside: see base/output.h. */
static void name_aside(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char *folder = slash ? mem_printf("%.*s", (int)(name - path), path) : mem_string("./");
	size_t length = strlen(name);
	DIR *entries = opendir(folder);

	for (struct dirent *entry; entries && (entry = readdir(entries));) {
		if (strlen(entry->d_name) != length + 8 || entry->d_name[0] != '.' ||
		    strncmp(entry->d_name + 1, name, length) || entry->d_name[length + 1] != '.')
			continue;
		error_set(-ENOENT,
			  "%s is not complete: its trace goes on, or was killed; %s%s has what "
			  "it has recorded until now",
			  path, slash ? folder : "", entry->d_name);
		break;
	}
	if (entries)
		closedir(entries);
	mem_free(folder);
}

FILE *recordings_open(const char *path)
{
	FILE *stream = strcmp(path, "-") ? fopen(path, "re") : stdin;

	if (!stream)
		error_set(-errno, "cannot open %s: %s", path, strerror(errno));
	if (!stream && errno == ENOENT)
		name_aside(path);
	return stream;
}

int recordings_read(struct series **series, FILE *stream, const char *path)
{
	int error = recording_read(series, stream, path);

	if (!error && (*series)->warning)
		fprintf(stderr, "unfreed: %s: %s\n", path, (*series)->warning);
	return error;
}
