/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Loads each program of the object by itself and prints how many instructions this kernel's
 * verifier has looked at: "heap_enter 12345", or why it was refused. The kernel tells that in its
 * log (since 5.16 also in bpf_prog_info). Status 1: a program that every kernel is to take was
 * refused.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "collect/skeleton.h"

static char verifier_log[64 << 10];

static int say_nothing(enum libbpf_print_level level, const char *format, va_list arguments)
{
	return 0;
}

/* Sizes that load everywhere, preallocated; only the programs count here. */
static void configure(struct unfreed *skeleton, const char *name, bool session)
{
	struct bpf_program *program;
	struct bpf_map *map;

	bpf_object__for_each_map(map, skeleton->obj)
	{
		bpf_map__set_map_flags(map, bpf_map__map_flags(map) & ~BPF_F_NO_PREALLOC);
		if (bpf_map__max_entries(map) == 1 && strncmp(bpf_map__name(map), "unfreed.", 8))
			bpf_map__set_max_entries(map, 1024);
	}
	skeleton->rodata->run_config.session = session;
	skeleton->rodata->run_config.mapping = true;
	bpf_object__for_each_program(program, skeleton->obj)
		bpf_program__set_autoload(program, !strcmp(bpf_program__name(program), name));
	/* The program's own log: the object's would also hold its types. 4: BPF_LOG_STATS. */
	program = bpf_object__find_program_by_name(skeleton->obj, name);
	bpf_program__set_log_buf(program, verifier_log, sizeof(verifier_log));
	bpf_program__set_log_level(program, 4);
}

/* Global functions have sums of their own before it: the program's is the last. */
static bool processed(unsigned long *instructions)
{
	const char *at = verifier_log, *last = NULL;

	while ((at = strstr(at, "processed ")))
		last = at++;
	return last && sscanf(last, "processed %lu insns", instructions) == 1;
}

/* The last lines of the log: what the verifier did not like. */
static const char *complaint(void)
{
	const char *at = verifier_log + strlen(verifier_log);

	for (int lines = 0; at > verifier_log && lines < 5; at--)
		lines += at[-1] == '\n';
	return at;
}

static int load(const char *name)
{
	bool session = !strcmp(name, "heap_session");
	struct unfreed *skeleton = unfreed__open();
	unsigned long instructions = 0;
	int error;

	if (!skeleton) {
		printf("%s: cannot open the object: %s\n", name, strerror(errno));
		return 1;
	}
	configure(skeleton, name, session);
	verifier_log[0] = '\0';
	error = unfreed__load(skeleton);
	if (!error && processed(&instructions))
		printf("instructions %s %lu\n", name, instructions);
	else if (!error)
		printf("instructions %s unknown\n", name);
	else
		printf("instructions %s refused\n%s: %s\n%s", name, name, strerror(-error),
		       complaint());
	unfreed__destroy(skeleton);
	return error && !session;
}

int main(void)
{
	struct unfreed *skeleton;
	struct bpf_program *program;
	int status = 0;

	libbpf_set_print(say_nothing);
	skeleton = unfreed__open();
	if (!skeleton) {
		perror("cannot open the object");
		return 1;
	}
	bpf_object__for_each_program(program, skeleton->obj)
	{
		const char *name = bpf_program__name(program);

		/* mapping_exit_2: a copy, the same for the verifier. */
		if (name[strcspn(name, "0123456789")] == '\0')
			status |= load(name);
	}
	unfreed__destroy(skeleton);
	return status;
}
