/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What unfreed needs of a kernel and of privileges: one row each, tried, not guessed. */
#ifndef UNFREED_COLLECT_FEATURE_H
#define UNFREED_COLLECT_FEATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum need {
	NEED_NOT, /* something is better with it */
	NEED_IT, /* without it nothing can be traced */
	NEED_ONE, /* of these, one must be there */
};

struct feature {
	const char *name; /* a JSON key: "uprobe_session" */
	const char *text; /* what it is for */
	enum need need;
	int (*try)(void); /* 0, or -errno with a sentence */
	const char *remedy; /* what to do where it is missing, for all but a lack of rights */
	uint64_t rights; /* capabilities that it takes (RIGHT) */
	uint64_t instead; /* others that do as well; 0: none */
};

extern const struct feature features[];
extern const size_t feature_count;

/* What was found: of one feature. */
struct finding {
	const struct feature *feature;
	bool works;
	bool required; /* nothing can be traced without it, as things are */
	uint64_t missing; /* capabilities that it was refused for */
	char *why; /* a sentence, where it does not work */
	char *remedy;
};

/* Tries all of them; findings holds feature_count. Whether tracing is possible. */
bool features_try(struct finding *findings);
void findings_free(struct finding *findings);

#endif
