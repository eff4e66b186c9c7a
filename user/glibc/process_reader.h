/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A reader over the memory of a running process, which does not notice. */
#ifndef UNFREED_GLIBC_PROCESS_READER_H
#define UNFREED_GLIBC_PROCESS_READER_H

#include <sys/types.h>

#include "glibc/reader.h"

struct process_reader;

/* max_ns: how long it may be read. Returns 0 or -errno with a sentence. */
int process_reader_open(struct process_reader **reader, pid_t pid, uint64_t max_ns);
void process_reader_free(struct process_reader *reader); /* NULL is legal */

/* The reader itself; lives as long. */
struct reader *process_reader_of(struct process_reader *reader);

/* It ends at once where stop() is true, as after Ctrl-C. */
void process_reader_stop(struct process_reader *reader, bool (*stop)(void));

#endif
