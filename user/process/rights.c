/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* /proc/self/{status,uid_map}. */
#include "process/rights.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/vec.h"

static const struct {
	uint64_t bit;
	const char *name;
} names[] = {
	{ RIGHT(DAC_READ_SEARCH), "CAP_DAC_READ_SEARCH" },
	{ RIGHT(SETGID), "CAP_SETGID" },
	{ RIGHT(SETUID), "CAP_SETUID" },
	{ RIGHT(SYS_PTRACE), "CAP_SYS_PTRACE" },
	{ RIGHT(SYS_ADMIN), "CAP_SYS_ADMIN" },
	{ RIGHT(PERFMON), "CAP_PERFMON" },
	{ RIGHT(BPF), "CAP_BPF" },
	{ RIGHT(CHECKPOINT_RESTORE), "CAP_CHECKPOINT_RESTORE" },
};

void rights_read(struct rights *rights)
{
	cleanup_fclose FILE *status = fopen("/proc/self/status", "re");
	cleanup_fclose FILE *uids = fopen("/proc/self/uid_map", "re");
	unsigned long long capabilities = ~0ULL;
	unsigned int inside, outside, count, mode = 0;
	char line[256];

	while (status && fgets(line, sizeof(line), status)) {
		if (sscanf(line, "CapEff: %llx", &capabilities) != 1)
			sscanf(line, "Seccomp: %u", &mode);
	}
	*rights = (struct rights){ .capabilities = capabilities, .seccomp = mode == 2 };
	/* The initial namespace has every number, as itself. */
	if (uids && fscanf(uids, "%u %u %u", &inside, &outside, &count) == 3)
		rights->user_namespace = inside || outside || count != UINT32_MAX;
}

void rights_keep(uint64_t wanted)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, sets))
		return;
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		uint32_t kept = (uint32_t)(wanted >> 32 * i);

		sets[i].permitted &= kept;
		sets[i].effective &= kept;
		sets[i].inheritable = 0;
	}
	/* What is not left for lack of a right is not left: there is nothing to say. */
	syscall(SYS_capset, &header, sets);
}

uint64_t rights_missing(const struct rights *rights, uint64_t wanted, uint64_t instead)
{
	if (instead && !(instead & ~rights->capabilities))
		return 0;
	return wanted & ~rights->capabilities;
}

const char *rights_next(uint64_t *set)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (*set & names[i].bit) {
			*set &= ~names[i].bit;
			return names[i].name;
		}
	}
	return NULL;
}

char *rights_names(uint64_t set)
{
	char *text = mem_string("");
	const char *name;

	while ((name = rights_next(&set))) {
		char *longer = mem_printf("%s%s%s", text, *text ? ", " : "", name);

		mem_free(text);
		text = longer;
	}
	return text;
}

int rights_check_process(int pid)
{
	char path[32];
	int fd;

	/* The kernel asks for it as for ptrace(2), which is what reading its memory takes, too. */
	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0 && (errno == EACCES || errno == EPERM))
		return error_set(-EACCES,
				 "the files and the memory of pid %d are closed: run as root, or "
				 "with CAP_SYS_PTRACE (see 'unfreed check')",
				 pid);
	if (fd >= 0)
		close(fd);
	return 0;
}
