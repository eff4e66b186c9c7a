/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cmd/flight_self.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "process/cgroup.h"
#include "process/file.h"
#include "process/target.h"
#include "survey/group.h"

static const char score_path[] = "/proc/self/oom_score_adj";
/* Next to last: a tracer that eats the machine's memory itself has no claim to be the last. */
static const char late_score[] = "-999";

static char score_before[16]; /* what children are to have; empty: it is as it was */

static int write_file(const char *path, const char *text)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static void be_chosen_late(void)
{
	cleanup_free char *before = NULL;
	int error = file_read(score_path, FILE_MAX_PROC, &before, NULL);

	if (!error)
		error = write_file(score_path, late_score);
	if (error)
		fprintf(stderr,
			"unfreed: cannot lower its oom_score_adj: %s; on a machine without memory "
			"it may be killed first\n",
			strerror(-error));
	else
		snprintf(score_before, sizeof(score_before), "%s", before);
}

void flight_self_undo(void)
{
	if (*score_before)
		write_file(score_path, score_before);
}

/* Whether path is folder, or below it. */
static bool is_within(const char *path, const char *folder)
{
	size_t length = strlen(folder);

	return !strncmp(path, folder, length) && (path[length] == '/' || !path[length]);
}

static void leave_group(const char *folder, enum cgroup_hierarchy hierarchy)
{
	cleanup_free char *ours = cgroup_path(getpid(), hierarchy);
	cleanup_free char *our_folder = ours ? cgroup_folder(ours, hierarchy) : NULL;
	cleanup_free char *top = cgroup_folder("/", hierarchy), *procs = NULL;
	int error;

	if (!our_folder || !top || !is_within(our_folder, folder) || !strcmp(top, folder))
		return;
	procs = mem_printf("%s/cgroup.procs", top);
	error = write_file(procs, "0");
	if (error)
		fprintf(stderr,
			"unfreed: its memory is charged to the target's control group, and it "
			"cannot leave that: %s\n",
			strerror(-error));
}

/* The folder of the group that the target is in, and that has a limit; NULL: there is none. */
static char *limited_group(const struct target *target)
{
	char *folder = target->cgroup_path ? mem_string(target->cgroup_path)
					   : group_of(target->pids.items, target->pids.count);
	struct footprint_group group;

	if (folder && !group_read(&group, folder) && group.limit_bytes != UINT64_MAX)
		return folder;
	mem_free(folder);
	return NULL;
}

void flight_self_protect(const struct target *target)
{
	cleanup_free char *folder = limited_group(target);
	static bool done;

	if (!done)
		be_chosen_late();
	done = true;
	if (!folder)
		return;
	leave_group(folder, CGROUP_MEMORY);
	leave_group(folder, CGROUP_V2);
}
