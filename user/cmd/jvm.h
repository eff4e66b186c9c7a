/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* unfreed jvm: what was asked for, and what was found of each JVM. */
#ifndef UNFREED_CMD_JVM_H
#define UNFREED_CMD_JVM_H

#include "cmd/heap.h"
#include "hotspot/hotspot.h"
#include "hotspot/nmt.h"

struct jvm_options {
	struct heap_options heap; /* of the looks at its heap */
	bool json, help, duration_given;
	bool no_attach, detail, trim;
	uint64_t duration_ns, timeout_ns;
	uint64_t top; /* sites and categories in the table */
	const char *command; /* another one of jcmd's */
	const char *output;
};

enum { JVM_ROWS_MAX = 16 };

/* What is beside what: NMT's categories and the classes of unfreed map. */
struct jvm_row {
	const char *name;
	bool is_part; /* of malloc: not part of the sum */
	bool has_nmt, has_used, has_rss;
	uint64_t nmt_bytes; /* committed, or asked of malloc */
	uint64_t used_bytes; /* of glibc's heaps */
	uint64_t rss_bytes;
};

/* One JVM at one moment. */
struct jvm_process {
	pid_t pid;
	const struct heap_process *heap;
	struct hotspot_facts facts;
	char *why; /* why nothing below is known, or NULL */
	struct nmt *nmt; /* NULL: none, and why: */
	char *nmt_why;
	struct jvm_row rows[JVM_ROWS_MAX];
	size_t row_count;
	char *answer, *answer_why; /* to --jcmd or --trim */
	uint64_t trimmed_bytes; /* what its RSS has lost by --trim */
};

struct jvm_report {
	const struct jvm_options *options;
	struct heap_report heaps;
	VEC(struct jvm_process) processes;
};

/* The rows of one process, from what is known of it. */
void jvm_compare(struct jvm_process *process);

/* By what a row has grown since: resident, else in use, else what NMT says. */
int64_t jvm_row_growth(const struct jvm_row *row, const struct jvm_row *before);

/* The process of an earlier report, or NULL. */
const struct jvm_process *jvm_find(const struct jvm_report *report,
				   const struct jvm_process *process);

/* Each writes one report; before: an earlier one, or NULL. */
void jvm_table(const struct jvm_report *report, const struct jvm_report *before, FILE *stream);
void jvm_json(const struct jvm_report *report, const struct jvm_report *before, FILE *stream);

#endif
