/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Draws a made-up footprint: render footprint class|process|mapping|growth|diff|diff-json|json, and
 * how it grows: svg|html */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/footprint.h"
#include "report/plot.h"

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)

int footprint_main(int argc, char **argv);

static const struct piece {
	pid_t pid;
	enum memory_class class;
	const char *name;
	uint64_t size, rss, pss, dirty, swap, huge;
} pieces[] = {
	{ 100, CLASS_JAVA_HEAP, NULL, MIB(2048), MIB(900), MIB(900), MIB(900), 0, MIB(512) },
	{ 100, CLASS_ARENA, "arena 7f6090000030", MIB(64), MIB(41), MIB(41), MIB(41), MIB(3), 0 },
	{ 100, CLASS_ARENA, "arena 7f6094000030", MIB(64), KIB(12), KIB(12), KIB(12), 0, 0 },
	{ 100, CLASS_THREAD_STACK, "\033[31mworker-1\n (107)", MIB(1), KIB(88), KIB(88), KIB(88), 0,
	  0 },
	{ 100, CLASS_LIBRARY_TEXT, "/usr/lib/jvm/java-17-openjdk-amd64/lib/server/libjvm.so",
	  MIB(12), MIB(9), KIB(4700), 0, 0, 0 },
	{ 100, CLASS_UNKNOWN, NULL, MIB(4), MIB(2), MIB(2), MIB(2), 0, 0 },
	{ 100, CLASS_RESERVED, NULL, MIB(1024), 0, 0, 0, 0, 0 },
	{ 207, CLASS_MAIN_HEAP, "[heap]", MIB(3), MIB(2), MIB(2), MIB(2), 0, 0 },
	{ 207, CLASS_LIBRARY_TEXT, "/usr/lib/x86_64-linux-gnu/libc.so.6", MIB(2), KIB(1300),
	  KIB(20), 0, 0, 0 },
	{ 207, CLASS_FILE, "/data/\xff.db", MIB(700), MIB(6), MIB(6), 0, 0, 0 },
};

static struct footprint_process *process_of(struct footprint *footprint, pid_t pid)
{
	vec_for_each (process, &footprint->processes)
		if (process->pid == pid)
			return process;
	return vec_add(&footprint->processes);
}

/* As it is some seconds later: the arenas have grown. */
static struct footprint *make(uint64_t seconds)
{
	struct footprint *footprint = footprint_new();
	uint64_t start = 0x7f0000000000, grown = MIB(10) * seconds;

	footprint->target = "container shop (runc 3f0a1b2c)";
	footprint->unix_ns = (1700000000 + seconds) * 1000000000;
	footprint->monotonic_ns = seconds * 1000000000;
	footprint->longest_stall_ns = 62000;
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		const struct piece *piece = &pieces[i];
		struct footprint_process *process = process_of(footprint, piece->pid);
		uint64_t more = i == 1 ? grown : 0;
		struct footprint_mapping mapping = {
			.start = start,
			.end = start + piece->size,
			.permissions = "rw-p",
			.class = piece->class,
			.name = piece->name,
			.figures = { 1, piece->size, piece->rss + more, piece->pss + more,
				     piece->dirty + more, piece->swap, piece->huge, 0 },
		};

		process->pid = piece->pid;
		process->comm = piece->pid == 100 ? "java" : "sidecar";
		process->threads = 3;
		process->page_table_bytes = KIB(400);
		process->yarn_bytes = process->total.pss_bytes + piece->pss;
		footprint_add(footprint, process, &mapping);
		start += piece->size + MIB(1);
	}
	footprint->group = (struct footprint_group){
		.path = "/sys/fs/cgroup/shop",
		.version = 2,
		.usage_bytes = MIB(1010) + grown,
		.peak_bytes = MIB(1100),
		.limit_bytes = MIB(1200),
		.anon_bytes = MIB(943),
		.file_bytes = MIB(50),
		.shmem_bytes = MIB(2),
		.file_mapped_bytes = MIB(14),
		.active_file_bytes = MIB(20),
		.inactive_file_bytes = MIB(28),
		.kernel_bytes = MIB(15),
		.slab_bytes = MIB(9),
		.page_table_bytes = MIB(4),
		.kernel_stack_bytes = MIB(1),
		.socket_bytes = MIB(2),
		.swap_bytes = MIB(3),
		.limit_hits = 1234,
		.oom_kills = 2,
		.others = 1,
	};
	footprint_note(footprint, "pid 9: it would not be read");
	return footprint;
}

/* A quarter of a minute. */
static void draw_plot(void (*draw)(const struct plot *plot, FILE *stream))
{
	struct plot *plot = plot_new();

	for (uint64_t seconds = 0; seconds <= 15; seconds++) {
		struct footprint *footprint = make(seconds);

		plot_add(plot, footprint);
		footprint_free(footprint);
	}
	draw(plot, stdout);
	plot_free(plot);
}

int footprint_main(int argc, char **argv)
{
	struct footprint *first = make(0), *later = make(5);
	struct footprint_options options = { .top = 9 };
	struct growth growth = { 0 };
	const char *form = argv[2];

	(void)argc;
	growth_add(&growth, first);
	growth_add(&growth, later);
	if (!strcmp(form, "process"))
		options.by = FOOTPRINT_BY_PROCESS;
	else if (!strcmp(form, "mapping") || !strcmp(form, "json"))
		options.by = FOOTPRINT_BY_MAPPING;
	if (!strcmp(form, "svg"))
		draw_plot(plot_svg);
	else if (!strcmp(form, "html"))
		draw_plot(plot_html);
	else if (!strcmp(form, "json"))
		footprint_json(later, &growth, &options, stdout);
	else if (!strcmp(form, "diff"))
		footprint_diff_table(first, later, &options, stdout);
	else if (!strcmp(form, "diff-json"))
		footprint_diff_json(first, later, stdout);
	else
		footprint_table(later, strcmp(form, "growth") ? NULL : &growth, &options, stdout);
	footprint_free(first);
	footprint_free(later);
	return ferror(stdout) || fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
