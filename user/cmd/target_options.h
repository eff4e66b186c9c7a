/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The options that name a target, the same for every command that takes one. */
#ifndef UNFREED_CMD_TARGET_OPTIONS_H
#define UNFREED_CMD_TARGET_OPTIONS_H

#include "process/target.h"

/* Their rows of an option table; spec is a struct target_spec *. */
#define TARGET_OPTION_ROWS(spec)                                                                    \
	{                                                                                           \
		"pid",	       'p',	      "PID[,PID...]", "these processes",                    \
		OPTION_STRING, &(spec)->pids, NULL,	      NULL                                  \
	},                                                                                          \
		{ "container",	 'c',                                                               \
		  "NAME",	 "a container, by name or id prefix",                               \
		  OPTION_STRING, &(spec)->container,                                                \
		  NULL,		 NULL },                                                            \
		{ "pod",	0,    "POD", "[NAMESPACE/]POD[/CONTAINER]", OPTION_STRING,          \
		  &(spec)->pod, NULL, NULL },                                                       \
		{ "cgroup",	   0,	 "PATH", "all processes of a control group", OPTION_STRING, \
		  &(spec)->cgroup, NULL, NULL },                                                    \
		{ "comm",	 'n',		"COMM", "the process of this name",                 \
		  OPTION_STRING, &(spec)->comm, NULL,	NULL },                                     \
	{                                                                                           \
		"host-root", 0, "DIR", "where the host's root is mounted (/)", OPTION_STRING,       \
			&(spec)->host_root, NULL, NULL                                              \
	}

/* How many of -p, -c, --pod, --cgroup and -n were given. */
int target_options_given(const struct target_spec *spec);

/* What must hold for each. Returns 0 or -EINVAL with a sentence. */
int target_options_check(const struct target_spec *spec);

/* For a command that takes a target and no further words: exactly one is named, and it is sound.
 * rest: the words behind the options. Returns 0 or -EINVAL with a sentence. */
int target_options_take(const struct target_spec *spec, char *const *rest);

#endif
