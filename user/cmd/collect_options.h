/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The options that say what is traced and how, the same for trace and watch. */
#ifndef UNFREED_CMD_COLLECT_OPTIONS_H
#define UNFREED_CMD_COLLECT_OPTIONS_H

#include "collect/collect.h"

/* Parsers of option rows. */
int collect_option_events(const char *argument, void *collect);
int collect_option_stack(const char *argument, void *frame_pointers_only);
int collect_option_overhead(const char *argument, void *share);
int collect_option_method(const char *argument, void *collect);

/* Their rows of an option table; collect is a struct collect_options *. */
/* clang-format off */
#define COLLECT_OPTION_ROWS(collect)                                                            \
	{ "events", 0, "LIST", "what to trace: heap, mapping, fault (heap,mapping)",            \
	  OPTION_CALL, collect, collect_option_events, NULL },                                  \
	{ "stack", 0, "HOW", "walk stacks by auto, table, fp (auto)",                           \
	  OPTION_CALL, &(collect)->frame_pointers_only, collect_option_stack, NULL },           \
	{ "max-overhead", 0, "PCT",                                                             \
	  "of the target's time that heap probes may take; or off (5%)",                        \
	  OPTION_CALL, &(collect)->budget_share, collect_option_overhead, NULL },               \
	{ "sample", 0, "SIZE", "trace one block in SIZE of what is allocated (each)",           \
	  OPTION_BYTES, &(collect)->sample_bytes, NULL, NULL },                                 \
	{ "max-blocks", 0, "N", "live blocks kept (524288)",                                    \
	  OPTION_COUNT, &(collect)->max_blocks, NULL, NULL },                                   \
	{ "max-stacks", 0, "N", "distinct stacks kept (65536)",                                 \
	  OPTION_COUNT, &(collect)->max_stacks, NULL, NULL },                                   \
	{ "probe", 0, "METHOD",                                                                 \
	  "attach by session, multi or perf (the best that works)",                             \
	  OPTION_CALL, collect, collect_option_method, NULL }
/* clang-format on */

/* What must hold for each. Returns 0 or -EINVAL with a sentence. */
int collect_options_check(const struct collect_options *options);

#endif
