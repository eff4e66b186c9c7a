/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How a frame, a share and an end are called: the same in every format. */
#ifndef UNFREED_REPORT_LABEL_H
#define UNFREED_REPORT_LABEL_H

#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "model/snapshot.h"

enum { LABEL_MAX = 4096, LABEL_SHARE_MAX = 16 };

/* Where code belongs: one colour each. */
enum label_class {
	LABEL_LIBC, /* libc, the loader, allocators */
	LABEL_C,
	LABEL_CPP, /* C++ and Rust, by their names */
	LABEL_JAVA,
	LABEL_KERNEL,
	LABEL_UNKNOWN,
	LABEL_CLASSES,
};

enum label_class label_class(const struct frame *frame);

/*
 * The function's name; without one "libfoo.so+0x1234", "[0x1234]" or "[unknown]", in buffer of
 * LABEL_MAX. Not escaped.
 */
const char *label_frame(const struct frame *frame, char *buffer);

/* The frame that a site is called by: the innermost that does not allocate for others, as libc and
 * C++'s library do; NULL: the site has no frames. */
const struct frame *label_site(const struct site *site);

/* What the site's thread is for: the outermost frame that is the program's own, and not what every
 * thread begins with; NULL: the site has no frames. */
const struct frame *label_thread(const struct site *site);

/* What a stack that was cut stands on instead of a root; NULL: it is complete. */
const struct frame *label_cut(enum site_end end);

/* A key and text of JSON, escaped for people to see. text may be NULL. */
void label_json(struct json *json, const char *key, const char *text);

/* "block" or "blocks", "mapping" or "mappings". */
const char *label_blocks(enum site_kind kind, uint64_t count);

/* What stands behind the last slash. */
const char *label_basename(const char *path);

/* "97.3%", "100%", "<0.1%"; "-" of nothing. Returns buffer, of LABEL_SHARE_MAX. */
char *label_share(char *buffer, uint64_t part, uint64_t whole);

/*
 * Escapes text for a terminal and makes it at most width characters long: template arguments go
 * first, then parameters, then the middle. buffer is of LABEL_MAX. Returns the characters in it.
 */
size_t label_fit(char *buffer, const char *text, size_t width);

/* The same for a path, which loses its leading folders. */
size_t label_fit_path(char *buffer, const char *path, size_t width);

#endif
