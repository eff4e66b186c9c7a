/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cmd/flight_files.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/output.h"
#include "cmd/cmd.h"
#include "cmd/flight_self.h"
#include "cmd/save.h"

enum {
	NAME_MAX_CHARS = 64, /* of the target's, and of the reason's */
};

struct flight_files {
	const struct trace *trace;
	const char *folder;
	struct output *report; /* the next one; NULL: could not be opened, and is tried again */
	struct save *recording;
	uint64_t count;
	VEC(pid_t) commands; /* that run */
};

static int open_next(struct flight_files *files)
{
	int error = 0;

	if (!files->report)
		error = output_open_in(&files->report, files->folder);
	if (!error && !files->recording)
		error = save_begin_in(&files->recording, files->folder, files->trace->words);
	return error;
}

static void close_next(struct flight_files *files)
{
	char *why = mem_string(error_message());

	output_discard(files->report);
	files->report = NULL;
	save_end(files->recording, error_set(-ECANCELED, "%s", why));
	files->recording = NULL;
	mem_free(why);
}

int flight_files_new(struct flight_files **out, const struct trace *trace)
{
	struct flight_files *files = mem_alloc(sizeof(*files));
	int error;

	files->trace = trace;
	files->folder = trace->output ? trace->output : ".";
	error = open_next(files);
	if (error) {
		flight_files_free(files);
		return error;
	}
	*out = files;
	return 0;
}

uint64_t flight_files_count(const struct flight_files *files)
{
	return files->count;
}

/* -- names ------------------------------------------------------------------------------------- */

/* Of what a user typed, only what is harmless in a file's name. */
static void put_name(FILE *stream, const char *text)
{
	for (int i = 0; text[i] && i < NAME_MAX_CHARS; i++)
		putc(isalnum((unsigned char)text[i]) || strchr("._-", text[i]) ? text[i] : '-',
		     stream);
}

/* As the user named it. */
static const char *target_word(const struct target_spec *spec)
{
	const char *slash = spec->cgroup ? strrchr(spec->cgroup, '/') : NULL;

	if (slash && slash[1])
		return slash + 1;
	return spec->container ?: spec->pod ?: spec->comm ?: spec->pids ?: spec->cgroup;
}

/* free() */
static char *stem(const struct flight_files *files, const struct snapshot *snapshot)
{
	const struct incident *incident = &snapshot->incidents.items[0];
	time_t when = (time_t)((snapshot->start_unix_ns + incident->time_ns) / 1000000000);
	char time[32] = "unknown", *text = NULL;
	struct tm fields;
	size_t length;
	FILE *stream = open_memstream(&text, &length);

	if (!stream)
		return NULL;
	if (gmtime_r(&when, &fields))
		strftime(time, sizeof(time), "%Y%m%dT%H%M%SZ", &fields);
	fprintf(stream, "%s/unfreed-", files->folder);
	put_name(stream, target_word(&files->trace->spec));
	fprintf(stream, "-%s-", time);
	put_name(stream, incident->reason);
	/* There may be two within a second. */
	fprintf(stream, "-%llu", (unsigned long long)files->count + 1);
	fclose(stream);
	return text;
}

/* -- the command afterwards -------------------------------------------------------------------- */

static void run_command(struct flight_files *files, const char *report, const char *recording,
			const char *reason)
{
	pid_t pid = files->trace->flight.exec ? fork() : -1;

	if (pid > 0)
		*vec_add(&files->commands) = pid;
	if (pid)
		return;
	flight_self_undo();
	signal(SIGPIPE, SIG_DFL);
	setenv("UNFREED_REPORT", report, 1);
	setenv("UNFREED_RECORDING", recording, 1);
	setenv("UNFREED_REASON", reason, 1);
	execl("/bin/sh", "sh", "-c", files->trace->flight.exec, NULL);
	_exit(127);
}

void flight_files_reap(struct flight_files *files)
{
	size_t kept = 0;

	vec_for_each (pid, &files->commands) {
		int status;

		if (waitpid(*pid, &status, WNOHANG) != *pid)
			files->commands.items[kept++] = *pid;
		else if (status)
			fprintf(stderr, "unfreed: --exec: the command %s %d\n",
				WIFSIGNALED(status) ? "was killed by signal" : "ended with status",
				WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	}
	files->commands.count = kept;
}

/* -- writing ----------------------------------------------------------------------------------- */

static int write_report(struct flight_files *files, const struct snapshot *shown, const char *path)
{
	FILE *stream = output_stream(files->report);
	struct output *report = files->report;

	files->trace->format->write(shown, &files->trace->report, stream);
	output_name(report, path);
	files->report = NULL;
	return output_commit(report);
}

static int record(struct save *recording, const struct flight_evidence *evidence)
{
	int error = 0;

	for (size_t i = 0; i < evidence->past_count && !error; i++) {
		struct snapshot *then = past_snapshot(&evidence->pasts[i], evidence->snapshot);

		error = save_add(recording, then, NULL);
		snapshot_free(then);
	}
	return error ? error : save_add(recording, evidence->snapshot, evidence->footprint);
}

static int write_recording(struct flight_files *files, const struct flight_evidence *evidence,
			   const char *path)
{
	struct save *recording = files->recording;

	save_name(recording, path);
	files->recording = NULL;
	return save_end(recording, record(recording, evidence));
}

static int write_both(struct flight_files *files, const struct flight_evidence *evidence,
		      const char *stem, const char *reason)
{
	const char *format = files->trace->format->name;
	char *report = mem_printf("%s.%s", stem, strcmp(format, "table") ? format : "txt");
	char *recording = mem_printf("%s.rec", stem);
	int error = open_next(files);

	if (!error)
		error = write_report(files, evidence->shown, report);
	if (!error)
		error = write_recording(files, evidence, recording);
	if (!error) {
		files->count++;
		fprintf(stderr, "report %llu, %s: %s\n", (unsigned long long)files->count, reason,
			report);
		run_command(files, report, recording, reason);
	}
	mem_free(report);
	mem_free(recording);
	return error;
}

int flight_files_write(struct flight_files *files, const struct flight_evidence *evidence)
{
	cleanup_free char *path = stem(files, evidence->snapshot);
	int error;

	if (!path)
		return error_set(-errno, "cannot name a report: %s", strerror(errno));
	error = write_both(files, evidence, path, evidence->snapshot->incidents.items[0].reason);
	if (error)
		close_next(files);
	/* Where there is no room for the next ones now, it may be there when it is needed. */
	return error ? error : open_next(files);
}

void flight_files_free(struct flight_files *files)
{
	if (!files)
		return;
	close_next(files);
	vec_free(&files->commands);
	mem_free(files);
}
