/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Attaching BPF programs. Session and uprobe_multi links are made by the system call itself: libbpf
 * 1.1 knows neither, 1.5 no session. Below them, perf-event uprobes.
 */
#ifndef UNFREED_COLLECT_LINK_H
#define UNFREED_COLLECT_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* How uprobes are attached, the cheapest last. */
enum link_method { LINK_PERF, LINK_MULTI, LINK_SESSION, LINK_METHODS };

/* Values of enum bpf_attach_type; newer than the headers of Debian 12. */
enum {
	ATTACH_UPROBE_MULTI = 48, /* 6.6, 89ae89f53d20 */
	ATTACH_UPROBE_SESSION = 57, /* 6.13, d920179b3d48 */
};

const char *link_method_name(enum link_method method);

/* By its name; -EINVAL with a sentence. */
int link_method_find(const char *name, enum link_method *method);

/*
 * Tries method on a function of our own, called from a second thread: kernels 6.6 to some of 6.9
 * filter uprobe_multi by thread instead of by process (fixed by 46ba0e49b642). Returns the link,
 * which the caller closes when it has time (that takes the kernel some 30 ms), -EOPNOTSUPP where
 * the kernel lacks it, -EREMCHG where the filter is wrong, else the error of the failing call; with
 * a sentence.
 */
int link_try(enum link_method method);

/* What a call of that function of our own takes, in ns: the more while link_try's link is on. */
double link_try_call_ns(void);

/* Probes in one file, for one process. */
struct link_request {
	int program_fd;
	int file_fd;
	pid_t pid;
	bool returns; /* LINK_MULTI, LINK_PERF: the functions' returns */
	enum link_method method;
	const uint64_t *offsets; /* in the file */
	const uint64_t *cookies; /* before 5.15 they are not kept */
	size_t count;
};

/* One link for all offsets: an fd whose closing detaches, or -errno. LINK_PERF takes one offset. */
int link_uprobes(const struct link_request *request);

/*
 * A tracepoint of tracefs, by category and name. Reads its id from tracefs wherever it is mounted,
 * else from an instance of it that nobody else sees. Returns an fd whose closing detaches, or
 * -errno with a sentence.
 */
int link_tracepoint(int program_fd, const char *category, const char *name);

/* Minor page faults of a thread, and of all that it begins: a perf event whose closing detaches, or
 * -errno. */
int link_page_faults(int program_fd, pid_t thread);

/* How often it has come to pass; stop: it does not from now on. */
uint64_t link_event_count(int event_fd, bool stop);

/* Runs an iterator program to its end. Returns 0 or -errno. */
int link_iterate(int program_fd);

/* A raw tracepoint: an fd whose closing detaches, or -errno. */
int link_raw_tracepoint(int program_fd, const char *name);

#endif
