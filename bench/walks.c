/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * walks OBJECT PROGRAM TRACER-PID TARGET-PID FILE OFFSET: walks the target's stack with one of the
 * programs of walks.bpf.c at each hit of a function, by the tables of a running "unfreed trace" of
 * it. Says "ready", and at the end of its input what it has measured, as one line of JSON.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAPS_MAX = 1024, THREADS = 16384, SEEN_WORDS = 5 };

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "walks: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* The tracer's map of a name: a descriptor of it, or -1. */
static int map_of(const char *tracer, const char *name)
{
	for (int fd = 0; fd < MAPS_MAX; fd++) {
		struct bpf_map_info info = { 0 };
		uint32_t bytes = sizeof(info), id = 0;
		char path[64], line[128];
		FILE *text;
		int map;

		snprintf(path, sizeof(path), "/proc/%s/fdinfo/%d", tracer, fd);
		text = fopen(path, "re");
		while (text && fgets(line, sizeof(line), text))
			sscanf(line, "map_id: %u", &id);
		if (text)
			fclose(text);
		map = id ? bpf_map_get_fd_by_id(id) : -1;
		if (map < 0)
			continue;
		if (!bpf_obj_get_info_by_fd(map, &info, &bytes) && !strcmp(info.name, name))
			return map;
		close(map);
	}
	return -1;
}

static struct bpf_object *load(const char *path, const char *program, const char *tracer)
{
	static const char *const shared[] = { "targets", "code_table", "rows", "jvms" };
	struct bpf_object *object = bpf_object__open(path);
	struct bpf_program *other;
	struct bpf_map *map;

	if (!object)
		die(path);
	for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++) {
		map = bpf_object__find_map_by_name(object, shared[i]);
		if (!map || bpf_map__reuse_fd(map, map_of(tracer, shared[i])))
			die(shared[i]);
	}
	map = bpf_object__find_map_by_name(object, "threads");
	if (!map || bpf_map__set_max_entries(map, THREADS))
		die("threads");
	map = bpf_object__find_map_by_name(object, "ring");
	if (!map || bpf_map__set_max_entries(map, (uint32_t)getpagesize()))
		die("ring");
	bpf_object__for_each_program(other, object)
		bpf_program__set_autoload(other, !strcmp(bpf_program__name(other), program));
	if (bpf_object__load(object))
		die("load");
	return object;
}

int main(int argc, char **argv)
{
	struct bpf_prog_info info = { 0 };
	uint32_t bytes = sizeof(info), zero = 0;
	uint64_t seen[SEEN_WORDS] = { 0 };
	struct bpf_object *object;
	struct bpf_program *program;
	struct bpf_link *link;

	if (argc != 7) {
		fprintf(stderr, "usage: walks OBJECT PROGRAM TRACER-PID TARGET-PID FILE OFFSET\n");
		return 2;
	}
	object = load(argv[1], argv[2], argv[3]);
	program = bpf_object__find_program_by_name(object, argv[2]);
	if (!program || bpf_enable_stats(BPF_STATS_RUN_TIME) < 0)
		die("statistics");
	link = bpf_program__attach_uprobe(program, false, (pid_t)strtol(argv[4], NULL, 0), argv[5],
					  strtoul(argv[6], NULL, 0));
	if (!link)
		die("uprobe");
	printf("ready\n");
	fflush(stdout);
	while (getchar() != EOF)
		;
	if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &bytes) ||
	    bpf_map_lookup_elem(bpf_object__find_map_fd_by_name(object, ".bss.walks"), &zero, seen))
		die("results");
	printf("{\"runs\":%llu,\"ns\":%llu,\"walks\":%lu,\"counted\":%lu,\"frames\":%lu,"
	       "\"different\":%lu,\"incomplete\":%lu}\n",
	       (unsigned long long)info.run_cnt, (unsigned long long)info.run_time_ns, seen[0],
	       seen[1], seen[2], seen[3], seen[4]);
	bpf_link__destroy(link);
	bpf_object__close(object);
	return 0;
}
