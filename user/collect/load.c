/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sizes the maps, chooses the programs that this kernel takes, and loads them. */
#include <errno.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "collect/internal.h"
#include "collect/skeleton.h"
#include "process/rights.h"

enum {
	MAX_THREADS = 65536,
	PREALLOCATED_THREADS = 8192,
	MAX_TARGETS = 4096,
	MAX_PROBES = 32768,
};

/* What of the price of a session's call is that of its entry: 578 of 919 ns, 6.18. */
static const double session_entry_share = 0.63;

/* libbpf's last warning: the reason of a failed load. */
static char last_warning[256];

static int keep_warning(enum libbpf_print_level level, const char *format, va_list arguments)
{
	if (level == LIBBPF_WARN && strncmp(format, "libbpf: failed to load", 22))
		vsnprintf(last_warning, sizeof(last_warning), format, arguments);
	return 0;
}

/* The best that works. Its trial link is closed at the end, with all others. */
static int choose_method(struct collect *collect)
{
	int fd = -EOPNOTSUPP;

	if (collect->options.method_given) {
		collect->method = collect->options.method;
		fd = link_try(collect->method);
	}
	for (int method = LINK_SESSION; !collect->options.method_given && method >= LINK_PERF;
	     method--) {
		collect->method = (enum link_method)method;
		fd = link_try(collect->method);
		if (fd >= 0 || fd == -EPERM || fd == -EACCES)
			break;
	}
	if (fd < 0)
		return fd;
	*vec_add(&collect->links) = fd;
	/* A session's call is hit twice, its entry costs the more. */
	collect->trap_ns =
		link_try_call_ns() * (collect->method == LINK_SESSION ? session_entry_share : 1);
	return 0;
}

static int not_permitted(void)
{
	uint64_t missing;
	struct rights rights;
	cleanup_free char *names = NULL;

	rights_read(&rights);
	missing = rights_missing(&rights, RIGHT(BPF) | RIGHT(PERFMON), RIGHT(SYS_ADMIN));
	names = rights_names(missing ?: RIGHT(SYS_ADMIN));
	return error_set(-EPERM,
			 "not permitted to load and attach BPF programs: run as root, or with %s "
			 "(see 'unfreed check')",
			 names);
}

static int load_error(int error)
{
	char *end = strchr(last_warning, '\n');

	if (end)
		*end = '\0';
	if (error == -EPERM) /* EACCES is the verifier's */
		return not_permitted();
	if (access("/sys/kernel/btf/vmlinux", R_OK))
		return error_set(-ENOTSUP,
				 "this kernel has no BTF (/sys/kernel/btf/vmlinux): it must "
				 "be built with CONFIG_DEBUG_INFO_BTF");
	return error_set(error, "cannot load the BPF programs: %s (%s)", strerror(-error),
			 last_warning);
}

/*
 * Before 6.1 (34dd3bad1a6f) a program that adds an element to a hash map takes it from the kernel's
 * general allocator, which may deadlock where a probe has interrupted it. The kernel refuses that
 * to perf_event programs, by which it is recognised; to others it gives a warning in its log.
 */
static bool must_preallocate(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);
	cleanup_close int map_fd = bpf_map_create(BPF_MAP_TYPE_HASH, "unfreed_try", 8, 8, 1, &opts);
	struct bpf_insn program[] = {
		{ .code = BPF_LD | BPF_DW | BPF_IMM,
		  .dst_reg = BPF_REG_1,
		  .src_reg = BPF_PSEUDO_MAP_FD,
		  .imm = map_fd },
		{ .imm = 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	cleanup_close int program_fd =
		bpf_prog_load(BPF_PROG_TYPE_PERF_EVENT, "unfreed_try", "Dual BSD/GPL", program,
			      sizeof(program) / sizeof(program[0]), NULL);

	return map_fd >= 0 && program_fd < 0 && errno == EINVAL;
}

/* All elements at once, and memory for fewer threads: a thread's is the largest. */
static void preallocate(struct unfreed *skeleton)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, skeleton->obj)
		bpf_map__set_map_flags(map, bpf_map__map_flags(map) & ~BPF_F_NO_PREALLOC);
	bpf_map__set_max_entries(skeleton->maps.threads, PREALLOCATED_THREADS);
}

static void configure(struct collect *collect)
{
	struct unfreed *skeleton = collect->skeleton;
	const struct collect_options *options = &collect->options;
	bool session = collect->method == LINK_SESSION;

	bpf_map__set_max_entries(skeleton->maps.blocks, (uint32_t)options->max_blocks);
	bpf_map__set_max_entries(skeleton->maps.buckets, ABI_BUCKETS);
	bpf_map__set_max_entries(skeleton->maps.sites, (uint32_t)options->max_stacks);
	bpf_map__set_max_entries(skeleton->maps.threads, MAX_THREADS);
	bpf_map__set_max_entries(skeleton->maps.targets, MAX_TARGETS);
	bpf_map__set_max_entries(skeleton->maps.probes, collect->cookies ? 1 : MAX_PROBES);
	bpf_map__set_max_entries(skeleton->maps.tgids, MAX_TARGETS);
	bpf_map__set_max_entries(skeleton->maps.wanted, MAX_TARGETS);
	bpf_map__set_max_entries(skeleton->maps.jvms, MAX_TARGETS);
	bpf_map__set_max_entries(skeleton->maps.counters, COUNTER_MAX);
	bpf_map__set_max_entries(skeleton->maps.losses, LOSS_MAX);
	bpf_map__set_max_entries(skeleton->maps.ring, RING_BYTES);
	bpf_map__set_max_entries(skeleton->maps.rows, tables_rows_wanted(collect->tables));
	bpf_map__set_max_entries(skeleton->maps.code_table, TABLES_CODE_ENTRIES);
	skeleton->rodata->run_config.frame_pointers_only = options->frame_pointers_only;
	skeleton->rodata->run_config.session = session;
	skeleton->rodata->run_config.mapping = options->mapping;
	skeleton->rodata->run_config.sample_bytes = (uint32_t)options->sample_bytes;
	getentropy((void *)&skeleton->rodata->run_config.fault_seed, sizeof(uint64_t));
	skeleton->bss->frozen = FROZEN_OPENING;
	bpf_program__set_autoload(skeleton->progs.heap_session, options->heap && session);
	bpf_program__set_autoload(skeleton->progs.heap_return, options->heap && !session);
	bpf_program__set_autoload(skeleton->progs.heap_enter, options->heap);
	bpf_program__set_autoload(skeleton->progs.fault_book, options->fault);
	collect_configure_mapping(collect);
	collect_configure_deaths(collect);
	if (collect->method == LINK_PERF)
		return;
	bpf_program__set_expected_attach_type(skeleton->progs.heap_session,
					      (enum bpf_attach_type)ATTACH_UPROBE_SESSION);
	bpf_program__set_expected_attach_type(skeleton->progs.heap_return,
					      (enum bpf_attach_type)ATTACH_UPROBE_MULTI);
	bpf_program__set_expected_attach_type(skeleton->progs.heap_enter,
					      (enum bpf_attach_type)ATTACH_UPROBE_MULTI);
}

int collect_load(struct collect *collect)
{
	int error;

	libbpf_set_print(keep_warning);
	if (collect->options.heap) {
		error = choose_method(collect);
		if (error)
			return error == -EPERM || error == -EACCES ? load_error(-EPERM) : error;
	}
	collect->cookies = libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_get_attach_cookie,
						   NULL) == 1;
	collect->skeleton = unfreed__open();
	if (!collect->skeleton)
		return load_error(-errno);
	configure(collect);
	if (must_preallocate())
		preallocate(collect->skeleton);
	error = unfreed__load(collect->skeleton);
	if (error == -EACCES) /* the verifier's; a lack of privileges is EPERM */
		return error_set(error,
				 "this kernel's verifier refuses the BPF programs: please "
				 "report it, with what 'unfreed check' says");
	if (error)
		return load_error(error);
	error = tables_bind(collect->tables, bpf_map__fd(collect->skeleton->maps.rows),
			    bpf_map__max_entries(collect->skeleton->maps.rows),
			    bpf_map__fd(collect->skeleton->maps.code_table));
	return error ? error_set(error, "cannot map the unwind tables: %s", strerror(-error)) : 0;
}
