/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a word found in memory points to: a function, the vtable of a class, a text. */
#ifndef UNFREED_CMD_PEEK_NAMES_H
#define UNFREED_CMD_PEEK_NAMES_H

#include "glibc/reader.h"
#include "process/proc.h"

struct peek_names;

/* maps and reader outlive it. */
struct peek_names *peek_names_new(pid_t pid, const struct maps *maps, struct reader *reader);
void peek_names_free(struct peek_names *names); /* NULL is legal */

/* The caller's, demangled, "libfoo.so: name+0x12"; a class's name alone where the word points to
 * its vtable. NULL: it points into no file. */
char *peek_names_find(struct peek_names *names, uint64_t word, bool *is_class);

#endif
