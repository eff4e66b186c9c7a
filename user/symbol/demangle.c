/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Demangling by libiberty, within bounds. */
#include "symbol/demangle.h"

#include <libiberty/demangle.h>
#include <setjmp.h>
#include <stdbool.h>
#include <string.h>

enum { OPTIONS = DMGL_PARAMS | DMGL_ANSI };

/*
 * A few hundred hostile bytes demangle to gigabytes, by substitutions of substitutions. So output
 * goes by the callbacks (which keep everything on the stack) and is left by a jump when the buffer
 * is full.
 */
struct output {
	char *buffer;
	size_t used;
	jmp_buf full;
};

static const char cut[] = "…";

static void append(const char *text, size_t bytes, void *context)
{
	struct output *output = context;
	size_t room = DEMANGLE_MAX - sizeof(cut) - output->used;
	bool fits = bytes <= room;

	if (bytes) /* libiberty passes NULL where it has nothing to say */
		memcpy(output->buffer + output->used, text, fits ? bytes : room);
	output->used += fits ? bytes : room;
	if (!fits)
		longjmp(output->full, 1);
}

static bool demangle_into(const char *name, struct output *output)
{
	if (setjmp(output->full)) {
		memcpy(output->buffer + output->used, cut, sizeof(cut));
		return true;
	}
	/* Rust's old names look like C++ and must be tried first. */
	if (!rust_demangle_callback(name, OPTIONS, append, output)) {
		output->used = 0;
		if (!cplus_demangle_v3_callback(name, OPTIONS, append, output))
			return false;
	}
	output->buffer[output->used] = '\0';
	return true;
}

const char *demangle(const char *name, char buffer[DEMANGLE_MAX])
{
	struct output output = { .buffer = buffer };
	size_t length = strcspn(name, "@");
	char plain[DEMANGLE_MAX];

	if (length >= sizeof(plain))
		length = sizeof(plain) - 1;
	memcpy(plain, name, length);
	plain[length] = '\0';
	if ((plain[0] == '_' && (plain[1] == 'Z' || plain[1] == 'R')) &&
	    demangle_into(plain, &output))
		return buffer;
	return memcpy(buffer, plain, length + 1);
}
