/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How processes end: by whom, and for what. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "collect/internal.h"
#include "collect/skeleton.h"

enum {
	DEATHS_MAX = 1024, /* that are not told of yet */
};

/* Who begins while watched and ends well before that is one of the many that a shell starts. */
static const uint64_t short_life_ns = 10ULL * 1000000000;

void collect_configure_deaths(struct collect *collect)
{
	struct unfreed *skeleton = collect->skeleton;

	bpf_program__set_autoload(skeleton->progs.death_victim, collect->options.deaths);
	bpf_program__set_autoload(skeleton->progs.death_signal, collect->options.deaths);
}

int collect_attach_deaths(struct collect *collect)
{
	const struct unfreed *skeleton = collect->skeleton;
	int error;

	if (!collect->options.deaths)
		return 0;
	error = collect_keep_link(collect,
				  link_raw_tracepoint(bpf_program__fd(skeleton->progs.death_victim),
						      "mark_victim"));
	if (error)
		return error;
	return collect_keep_link(collect,
				 link_raw_tracepoint(bpf_program__fd(skeleton->progs.death_signal),
						     "signal_generate"));
}

/* -- what is to be told ------------------------------------------------------------------------ */

/* NULL: nobody asked, or has listened for long. */
static struct death *add(struct collect *collect, const char *reason, uint64_t time_ns)
{
	struct death *death;

	if (!collect->options.deaths)
		return NULL;
	if (collect->deaths_told == collect->deaths.count)
		collect->deaths_told = collect->deaths.count = 0;
	if (collect->deaths.count == DEATHS_MAX) {
		collect_note(collect, "more ends of processes at once than are told of (%d)",
			     DEATHS_MAX);
		return NULL;
	}
	death = vec_add(&collect->deaths);
	death->incident.reason = reason;
	death->incident.time_ns = time_ns - collect->opened_ns;
	return death;
}

static void copy_comm(char comm[16], const uint8_t from[ABI_COMM_BYTES])
{
	memcpy(comm, from, ABI_COMM_BYTES);
	comm[15] = '\0';
}

void collect_victim(struct collect *collect, const struct abi_victim *record)
{
	const struct watched *watched = collect_watched_mm(collect, record->header.mm);
	struct death *death = add(collect, "oom", record->header.time_ns);

	if (!death)
		return;
	/* One that began a moment ago is not watched yet: its number is that of the kernel. */
	death->incident.pid = watched ? watched->pid : (pid_t)record->header.tgid;
	snprintf(death->comm, sizeof(death->comm), "%s", watched ? watched->comm : "?");
	death->incident.asking_pid = (pid_t)record->pid;
	death->incident.asking_tid = (pid_t)record->tid;
	death->incident.usage_bytes = record->usage_bytes;
	death->incident.limit_bytes = record->limit_bytes;
	death->incident.groups_up = record->groups_up;
	copy_comm(death->asking_comm, record->comm);
}

void collect_signal(struct collect *collect, const struct abi_signal *record)
{
	struct watched *watched = collect_watched_mm(collect, record->header.mm);

	if (!watched)
		return;
	watched->signal = (int)record->number;
	watched->sender = (pid_t)record->pid;
	copy_comm(watched->sender_comm, record->comm);
}

static bool is_mere_exit(const struct watched *watched)
{
	return watched->began_ns && watched->end_ns - watched->began_ns < short_life_ns &&
	       watched->exit_code >= 0 && !WIFSIGNALED(watched->exit_code);
}

void collect_died(struct collect *collect, const struct watched *watched)
{
	struct death *death = is_mere_exit(watched) ? NULL : add(collect, "exit", watched->end_ns);

	if (!death)
		return;
	death->incident.pid = watched->pid;
	death->incident.ended = true;
	death->incident.exit_code = watched->exit_code;
	death->incident.signal = watched->signal;
	death->incident.sender = watched->sender;
	snprintf(death->comm, sizeof(death->comm), "%s", watched->comm);
	memcpy(death->sender_comm, watched->sender_comm, sizeof(death->sender_comm));
}

bool collect_death(struct collect *collect, struct incident *incident)
{
	const struct death *death;

	if (collect->deaths_told == collect->deaths.count)
		return false;
	death = &collect->deaths.items[collect->deaths_told++];
	*incident = death->incident;
	incident->comm = death->comm;
	incident->sender_comm = incident->signal ? death->sender_comm : NULL;
	incident->asking_comm = strcmp(incident->reason, "oom") ? NULL : death->asking_comm;
	return true;
}
