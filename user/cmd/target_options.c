/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What must hold between the options that name a target. */
#include "cmd/target_options.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"

int target_options_given(const struct target_spec *spec)
{
	return !!spec->pids + !!spec->container + !!spec->pod + !!spec->cgroup + !!spec->comm;
}

int target_options_check(const struct target_spec *spec)
{
	const char *const names[] = { spec->pids, spec->container, spec->pod, spec->cgroup,
				      spec->comm };

	/* Empty, a control group's path would be that of the whole machine. */
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i] && !*names[i])
			return error_set(-EINVAL, "the target has an empty name");
	}
	if (spec->pids && spec->pids[strspn(spec->pids, "0123456789,")])
		return error_set(-EINVAL, "--pid: '%s' is not a list of pids", spec->pids);
	return 0;
}

int target_options_take(const struct target_spec *spec, char *const *rest)
{
	if (*rest)
		return error_set(-EINVAL, "unexpected '%s'", *rest);
	if (target_options_given(spec) != 1)
		return error_set(-EINVAL, "name one target: -p, -c, --pod, --cgroup or -n");
	return target_options_check(spec);
}
