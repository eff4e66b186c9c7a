/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* unfreed jvm: what a JVM says of its memory, beside what is there. */
#include "cmd/jvm.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/output.h"
#include "cmd/cmd.h"
#include "cmd/heap_sample.h"
#include "cmd/interrupt.h"
#include "cmd/target_options.h"
#include "hotspot/attach.h"
#include "sandbox/sandbox.h"
#include "survey/jvm.h"

enum { POLL_MS = 100 };

static int take_options(struct jvm_options *options, int argc, char **argv, int *status)
{
	struct target_spec *spec = &options->heap.spec;
	const struct option_row rows[] = {
		TARGET_OPTION_ROWS(spec),
		{ "duration", 'd', "TIME", "look twice, TIME apart: what grows", OPTION_TIME,
		  &options->duration_ns, NULL, &options->duration_given },
		{ "top", 't', "N", "categories and sites in the table (10)", OPTION_COUNT,
		  &options->top, NULL, NULL },
		{ "detail", 0, NULL, "who asked for it, where NMT has been told to know",
		  OPTION_FLAG, &options->detail, NULL, NULL },
		{ "no-attach", 0, NULL, "ask the JVM nothing, only read its memory", OPTION_FLAG,
		  &options->no_attach, NULL, NULL },
		{ "timeout", 0, "TIME", "wait so long for an answer of the JVM (10s)", OPTION_TIME,
		  &options->timeout_ns, NULL, NULL },
		{ "trim", 0, NULL, "let malloc give back what it can (JDK 17.0.9 or later)",
		  OPTION_FLAG, &options->trim, NULL, NULL },
		{ "jcmd", 0, "COMMAND", "ask it what jcmd could: 'System.native_heap_info'",
		  OPTION_STRING, &options->command, NULL, NULL },
		{ "format", 'f', "FORMAT", "table, json (table)", OPTION_CALL, &options->json,
		  cmd_parse_format, NULL },
		{ "json", 0, NULL, "the same as -f json", OPTION_FLAG, &options->json, NULL, NULL },
		{ "output", 'o', "FILE", "write the report to FILE", OPTION_STRING,
		  &options->output, NULL, NULL },
		{ "help", 'h', NULL, "this text", OPTION_FLAG, &options->help, NULL, NULL },
		{ 0 },
	};
	int index =
		cmd_options(rows, "unfreed jvm TARGET [options]",
			    "Lays what the JVMs in TARGET (-p, -c, --pod, --cgroup or -n) say of "
			    "their memory\nbeside what is there. A JVM is asked only where it is "
			    "safe, and NMT is on.",
			    argc, argv, &options->help, status);
	int error = 0;

	if (index < 0)
		return -1;
	if (options->no_attach && (options->trim || options->command))
		error = error_set(-EINVAL, "--no-attach forbids --trim and --jcmd");
	else if (options->trim && options->command)
		error = error_set(-EINVAL, "--trim or --jcmd, not both");
	if (error || target_options_take(spec, argv + index)) {
		*status = cmd_fail(EXIT_USAGE);
		return -1;
	}
	return 0;
}

/* -- asking --------------------------------------------------------------------------------------
 */

static int ask(const struct jvm_process *process, const struct jvm_options *options,
	       const char *command, char **text)
{
	const struct hotspot_facts *facts = &process->facts;
	const struct attach_flags flags = {
		.known = facts->has_flags,
		.disabled = facts->attach_disabled,
		.without_signals = facts->without_signals,
	};

	return attach_command(process->pid, &flags, options->timeout_ns, command, text);
}

static bool is_nmt_on(const struct hotspot_facts *facts)
{
	return !strcmp(facts->nmt, "summary") || !strcmp(facts->nmt, "detail");
}

/* NULL: it can be asked. */
static const char *why_no_nmt(const struct jvm_process *process, const struct jvm_options *options)
{
	if (!process->facts.has_flags)
		return "whether it is on is not to be read from its memory";
	if (!is_nmt_on(&process->facts))
		return "off: start it with -XX:NativeMemoryTracking=summary to have the JVM "
		       "count its own memory (5 to 10 % of its time)";
	return options->no_attach ? "on, and not asked for" : NULL;
}

/* JDK 8 has no bytes, only KB. */
static const char *question(const struct jvm_process *process, const struct jvm_options *options)
{
	bool detail = options->detail && !strcmp(process->facts.nmt, "detail");

	if (process->facts.version <= 8)
		return detail ? "VM.native_memory detail" : "VM.native_memory summary";
	return detail ? "VM.native_memory detail scale=B" : "VM.native_memory summary scale=B";
}

static void read_nmt(struct jvm_process *process, const struct jvm_options *options)
{
	const char *why = why_no_nmt(process, options);
	struct sandbox *sandbox;
	struct nmt *nmt;
	char *text;
	int error;

	if (why) {
		process->nmt_why = mem_string(why);
		return;
	}
	if (ask(process, options, question(process, options), &text)) {
		process->nmt_why = mem_string(error_message());
		return;
	}
	nmt = mem_alloc(sizeof(*nmt));
	sandbox = sandbox_new();
	error = sandbox_nmt(sandbox, text, nmt);
	sandbox_free(sandbox);
	if (!error) {
		process->nmt = nmt;
	} else {
		process->nmt_why = error == -EINVAL ? mem_printf("its JVM says: %.*s",
								 (int)strcspn(text, "\n"), text)
						    : mem_string(error_message());
		mem_free(nmt);
	}
	mem_free(text);
}

static void run_command(struct jvm_process *process, const struct jvm_options *options)
{
	pid_t pid = process->pid;
	const char *command = options->trim ? "System.trim_native_heap" : options->command;
	struct proc before = { 0 }, after = { 0 };

	if (!command)
		return;
	proc_read(&before, pid);
	if (ask(process, options, command, &process->answer))
		process->answer_why = mem_string(error_message());
	if (options->trim && !process->answer_why && !proc_read(&after, pid) &&
	    after.rss_bytes < before.rss_bytes)
		process->trimmed_bytes = before.rss_bytes - after.rss_bytes;
}

/* -- looking -------------------------------------------------------------------------------------
 */

/* NMT before the heap is walked: a question and its answer take memory, too, for as long. */
static void read_jvm(struct jvm_report *report, const struct jvm_options *options, pid_t pid)
{
	struct hotspot_facts facts;
	struct jvm_process *process;
	int error = jvm_facts(&facts, pid);

	if (error == -ENOENT || error == -ESRCH)
		return;
	process = vec_add(&report->processes);
	process->pid = pid;
	if (error) {
		process->why = mem_string(error_message());
		return;
	}
	process->facts = facts;
	read_nmt(process, options);
}

static const struct heap_process *heap_of(const struct jvm_report *report, pid_t pid)
{
	vec_for_each (heap, &report->heaps.processes)
		if (heap->proc.pid == pid)
			return heap;
	return NULL;
}

static void clear(struct jvm_process *process)
{
	mem_free(process->why);
	mem_free(process->nmt_why);
	mem_free(process->nmt);
	mem_free(process->answer);
	mem_free(process->answer_why);
}

static void look(struct jvm_report *report, const struct jvm_options *options,
		 const struct target *target, const struct jvm_report *before)
{
	struct pid_list list = { 0 };
	size_t kept = 0;

	*report = (struct jvm_report){ .options = options };
	heap_members(target, before != NULL, &list);
	vec_for_each (pid, &list.pids)
		read_jvm(report, options, *pid);
	heap_look(&report->heaps, &options->heap, target, before ? &before->heaps : NULL);
	for (size_t i = 0; i < report->processes.count; i++) {
		struct jvm_process *process = &report->processes.items[i];

		process->heap = heap_of(report, process->pid);
		if (process->heap)
			jvm_compare(process);
		if (process->heap)
			report->processes.items[kept++] = *process;
		else
			clear(process);
	}
	report->processes.count = kept;
	vec_free(&list.pids);
}

static void report_free(struct jvm_report *report)
{
	vec_for_each (process, &report->processes)
		clear(process);
	vec_free(&report->processes);
	heap_report_free(&report->heaps);
}

const struct jvm_process *jvm_find(const struct jvm_report *report,
				   const struct jvm_process *process)
{
	vec_for_each (other, &report->processes) {
		if (other->heap->proc.pid == process->heap->proc.pid &&
		    other->heap->proc.start_ticks == process->heap->proc.start_ticks)
			return other;
	}
	return NULL;
}

/* For as long as was asked for, or until Ctrl-C. */
static void wait_for(uint64_t duration_ns)
{
	struct timespec now;
	uint64_t end_ns;

	clock_gettime(CLOCK_MONOTONIC, &now);
	end_ns = now.tv_sec * 1000000000ULL + now.tv_nsec + duration_ns;
	while (!interrupted() && now.tv_sec * 1000000000ULL + now.tv_nsec < end_ns) {
		poll(NULL, 0, POLL_MS);
		clock_gettime(CLOCK_MONOTONIC, &now);
	}
}

static int check(const struct jvm_report *report)
{
	const struct jvm_process *process = report->processes.items;

	if (!report->processes.count)
		return error_set(-ENOENT, "%s: no HotSpot JVM runs there", report->heaps.target);
	if (report->processes.count == 1 && process->why)
		return error_set(-EIO, "%s: %s", report->heaps.target, process->why);
	return 0;
}

/* What was to be done, and could not be: of the only JVM that is an error. */
static int check_command(const struct jvm_report *report)
{
	const struct jvm_process *process = report->processes.items;

	if (report->processes.count == 1 && process->answer_why)
		return error_set(-EIO, "%s", process->answer_why);
	return 0;
}

static int write_report(const struct jvm_report *report, const struct jvm_report *before,
			struct output *output)
{
	FILE *stream = output_stream(output);

	(report->options->json ? jvm_json : jvm_table)(report, before, stream);
	fflush(stream);
	return ferror(stream) ? error_set(-EIO, "cannot write the report: %s", strerror(errno)) : 0;
}

static int run(const struct jvm_options *options, const struct target *target,
	       struct output *output)
{
	struct jvm_report first, second = { 0 }, *last = &first;
	int error;

	look(&first, options, target, NULL);
	error = check(&first);
	if (!error && options->duration_given) {
		fprintf(stderr, "watching %s: the first look is done\n", target->name);
		wait_for(options->duration_ns);
		look(&second, options, target, &first);
		last = &second;
	}
	if (!error) {
		vec_for_each (process, &last->processes)
			run_command(process, options);
		error = check_command(last);
	}
	if (!error)
		error = write_report(last, last == &second ? &first : NULL, output);
	report_free(&second);
	report_free(&first);
	return error;
}

int cmd_jvm(int argc, char **argv)
{
	struct jvm_options options = { .top = 10, .timeout_ns = 10ULL * 1000000000 };
	struct target target = { 0 };
	struct output *output = NULL;
	int status, error;

	if (take_options(&options, argc, argv, &status))
		return status;
	interrupt_catch();
	error = target_resolve(&target, &options.heap.spec);
	if (!error)
		error = output_open(&output, options.output);
	vec_for_each (note, &target.notes)
		fprintf(stderr, "unfreed: %s\n", *note);
	if (!error)
		error = run(&options, &target, output);
	if (error)
		output_discard(output);
	else
		error = output_commit(output);
	target_free(&target);
	return error ? cmd_fail(EXIT_FAILED) : EXIT_DONE;
}
