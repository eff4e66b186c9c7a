/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From option rows to a view. */
#include "cmd/view_options.h"

int view_option_site(const char *argument, void *view)
{
	return view_want(view, argument);
}

int view_option_exclude(const char *argument, void *view)
{
	return view_exclude(view, argument);
}

int view_option_exclude_from(const char *argument, void *view)
{
	return view_exclude_from(view, argument);
}

int view_option_class(const char *argument, void *view)
{
	return view_class(view, argument);
}

int view_option_kind(const char *argument, void *view)
{
	return view_kind(view, argument);
}

int view_option_by(const char *argument, void *view)
{
	return view_group_by(view, argument);
}
