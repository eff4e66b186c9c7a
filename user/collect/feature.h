/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What unfreed needs of a kernel and of privileges: one row each, tried, not guessed. */
#ifndef UNFREED_COLLECT_FEATURE_H
#define UNFREED_COLLECT_FEATURE_H

#include <stdbool.h>
#include <stddef.h>

struct feature {
	const char *name; /* a JSON key: "uprobe_session" */
	const char *text; /* what it is for */
	bool required; /* without it nothing can be traced */
	int (*try)(void); /* 0, or -errno with a sentence */
	const char *remedy; /* what to do where it is missing */
	bool by_bpf; /* tried by BPF: feature_rights are needed to know */
};

extern const char feature_rights[]; /* the remedy for a lack of rights to load and attach BPF */

extern const struct feature features[];
extern const size_t feature_count;

#endif
