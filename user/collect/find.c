/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From pids, as our pid namespace numbers processes, to what the kernel side goes by: address
 * spaces and global ids.
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "collect/internal.h"
#include "collect/skeleton.h"

/* Takes over what process_find found for a process. */
static void take_address_space(struct collect *collect, struct watched *watched)
{
	int tgids = bpf_map__fd(collect->skeleton->maps.tgids);
	int targets = bpf_map__fd(collect->skeleton->maps.targets);
	uint32_t pid = (uint32_t)watched->pid;
	struct abi_target target;

	if (bpf_map_lookup_elem(tgids, &pid, &watched->mm) || !watched->mm ||
	    bpf_map_lookup_elem(targets, &watched->mm, &target))
		watched->mm = 0;
	else
		watched->tgid = target.tgid;
	bpf_map_delete_elem(tgids, &pid);
}

/* All are taken out before any is put back: a global id may be another's number here. */
static void put_global_ids(struct collect *collect)
{
	int tgids = bpf_map__fd(collect->skeleton->maps.tgids);

	vec_for_each (item, &collect->watched)
		take_address_space(collect, *item);
	vec_for_each (item, &collect->watched) {
		struct watched *watched = *item;

		if (!watched->mm ||
		    bpf_map_update_elem(tgids, &watched->tgid, &watched->mm, BPF_ANY))
			watched->state = WATCHED_EXITED;
	}
}

int collect_find(struct collect *collect)
{
	int tgids = bpf_map__fd(collect->skeleton->maps.tgids), error;
	uint64_t none = 0;

	vec_for_each (watched, &collect->watched) {
		uint32_t pid = (uint32_t)(*watched)->pid;

		if (bpf_map_update_elem(tgids, &pid, &none, BPF_ANY))
			return error_set(-errno, "cannot fill the table of targets: %s",
					 strerror(errno));
	}
	error = link_iterate(bpf_program__fd(collect->skeleton->progs.process_find));
	if (error)
		return error_set(error, "cannot iterate over tasks: %s", strerror(-error));
	put_global_ids(collect);
	return 0;
}
