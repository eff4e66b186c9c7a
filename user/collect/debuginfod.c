/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* libdebuginfod, loaded at run time, within a time limit. */
#include "collect/debuginfod.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <time.h>

#include "base/error.h"
#include "base/vec.h"

/* As <elfutils/debuginfod.h> has them, since elfutils 0.179. */
typedef void *begin_fn(void);
typedef void end_fn(void *client);
typedef int progress_fn(void *client, long a, long b);
typedef void set_progress_fn(void *client, progress_fn *progress);
typedef void set_data_fn(void *client, void *data);
typedef void *get_data_fn(void *client);
typedef int find_fn(void *client, const unsigned char *build_id, int bytes, char **path);

struct debuginfod {
	void *client;
	end_fn *end;
	find_fn *find;
	uint64_t left_ns, deadline_ns;
};

static get_data_fn *get_data;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* What a static program would load needs the very same C library; it has dlopen all the same. */
static bool is_static(void)
{
	return !getauxval(AT_BASE); /* where the dynamic linker is */
}

static int load(void **library)
{
	const char *urls = getenv("DEBUGINFOD_URLS");

	if (!urls || !*urls)
		return error_set(-ENOENT, "DEBUGINFOD_URLS is not set");
	if (is_static())
		return error_set(-ENOTSUP, "this static program cannot load libdebuginfod");
	*library = dlopen("libdebuginfod.so.1", RTLD_NOW | RTLD_LOCAL);
	return *library ? 0 : error_set(-ENOTSUP, "no libdebuginfod.so.1");
}

int debuginfod_check(void)
{
	void *library;

	return load(&library);
}

/* Called some ten times a second while it waits; another number than 0 ends that. */
static int is_late(void *client, long a, long b)
{
	const struct debuginfod *debuginfod = get_data(client);

	(void)a;
	(void)b;
	return now_ns() >= debuginfod->deadline_ns;
}

static uint64_t limit_ns(void)
{
	const char *text = getenv("DEBUGINFOD_MAXTIME");
	long seconds = text ? atol(text) : 0;

	return (uint64_t)(seconds > 0 && seconds < 100000 ? seconds : DEBUGINFOD_SECONDS) *
	       1000000000;
}

struct debuginfod *debuginfod_new(void)
{
	struct debuginfod *debuginfod;
	set_progress_fn *set_progress;
	set_data_fn *set_data;
	begin_fn *begin;
	void *library;

	if (load(&library))
		return NULL;
	debuginfod = mem_alloc(sizeof(*debuginfod));
	begin = (begin_fn *)dlsym(library, "debuginfod_begin");
	set_progress = (set_progress_fn *)dlsym(library, "debuginfod_set_progressfn");
	set_data = (set_data_fn *)dlsym(library, "debuginfod_set_user_data");
	get_data = (get_data_fn *)dlsym(library, "debuginfod_get_user_data");
	debuginfod->end = (end_fn *)dlsym(library, "debuginfod_end");
	debuginfod->find = (find_fn *)dlsym(library, "debuginfod_find_debuginfo");
	if (begin && set_progress && set_data && get_data && debuginfod->end && debuginfod->find)
		debuginfod->client = begin();
	if (!debuginfod->client) {
		error_set(-ENOTSUP, "libdebuginfod.so.1 cannot be used");
		mem_free(debuginfod);
		return NULL;
	}
	debuginfod->left_ns = limit_ns();
	set_data(debuginfod->client, debuginfod);
	set_progress(debuginfod->client, is_late);
	return debuginfod;
}

void debuginfod_free(struct debuginfod *debuginfod)
{
	if (!debuginfod)
		return;
	debuginfod->end(debuginfod->client);
	mem_free(debuginfod);
}

int debuginfod_fetch(struct debuginfod *debuginfod, const uint8_t *build_id, size_t bytes)
{
	uint64_t began_ns = now_ns(), took_ns;
	int fd;

	if (!debuginfod->left_ns)
		return error_set(-ETIME, "the time for debuginfod is over (DEBUGINFOD_MAXTIME)");
	debuginfod->deadline_ns = began_ns + debuginfod->left_ns;
	fd = debuginfod->find(debuginfod->client, build_id, (int)bytes, NULL);
	took_ns = now_ns() - began_ns;
	debuginfod->left_ns = took_ns < debuginfod->left_ns ? debuginfod->left_ns - took_ns : 0;
	if (fd >= 0)
		return fd;
	if (!debuginfod->left_ns)
		return error_set(-ETIME, "the time for debuginfod is over (DEBUGINFOD_MAXTIME)");
	return error_set(fd, "debuginfod: %s", strerror(-fd));
}
