/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The options that say what of a snapshot is shown, the same for every command that draws one. */
#ifndef UNFREED_CMD_VIEW_OPTIONS_H
#define UNFREED_CMD_VIEW_OPTIONS_H

#include "report/view.h"

/* Parsers of option rows; value is a struct view *. */
int view_option_site(const char *argument, void *view);
int view_option_exclude(const char *argument, void *view);
int view_option_exclude_from(const char *argument, void *view);
int view_option_class(const char *argument, void *view);
int view_option_kind(const char *argument, void *view);
int view_option_by(const char *argument, void *view);

/* Their rows of an option table; view is a struct view *. Those that filter, and all. */
/* clang-format off */
#define FILTER_OPTION_ROWS(view)                                                                 \
	{ "kind", 0, "KIND", "only heap, mapping or fault", OPTION_CALL, view,                   \
	  view_option_kind, NULL },                                                              \
	{ "class", 0, "NAME", "only mappings of this owner", OPTION_CALL, view,                  \
	  view_option_class, NULL },                                                             \
	{ "site", 0, "REGEX", "only stacks with a frame that matches", OPTION_CALL, view,        \
	  view_option_site, NULL },                                                              \
	{ "exclude", 0, "REGEX", "no stack with a frame that matches", OPTION_CALL, view,        \
	  view_option_exclude, NULL },                                                           \
	{ "exclude-from", 0, "FILE", "the same for each line of FILE", OPTION_CALL, view,        \
	  view_option_exclude_from, NULL },                                                      \
	{ "min", 0, "SIZE", "only stacks with this much outstanding", OPTION_BYTES,              \
	  &(view)->min_bytes, NULL, NULL }

#define VIEW_OPTION_ROWS(view)                                                                   \
	FILTER_OPTION_ROWS(view),                                                                \
	{ "by", 0, "WHAT", "sums by site, function, module, thread or process", OPTION_CALL,     \
	  view, view_option_by, NULL },                                                          \
	{ "invert", 0, NULL, "turn stacks round: allocators stand at the root", OPTION_FLAG,     \
	  &(view)->invert, NULL, NULL }
/* clang-format on */

#endif
