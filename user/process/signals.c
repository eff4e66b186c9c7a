/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What /proc/PID/status says of signals. */
#include "process/signals.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "process/file.h"
#include "process/proc.h"
#include "process/read.h"
#include "process/threads.h"

bool signals_parse(struct signals *signals, const char *text)
{
	/* The name comes first, and its line breaks are escaped: no line of it looks like these. */
	const char *caught = strstr(text, "\nSigCgt:"), *uid = strstr(text, "\nUid:");
	const char *gid = strstr(text, "\nGid:"), *state = strstr(text, "\nState:\t");

	memset(signals, 0, sizeof(*signals));
	signals->own_id = threads_parse_own_id(text);
	if (!caught || !uid || !gid || !state || !signals->own_id)
		return false;
	signals->stopped = state[8] == 'T' || state[8] == 't';
	return sscanf(caught, " SigCgt: %" SCNx64, &signals->caught) == 1 &&
	       sscanf(uid, " Uid: %*u %u", &signals->uid) == 1 &&
	       sscanf(gid, " Gid: %*u %u", &signals->gid) == 1;
}

int signals_read(struct signals *signals, pid_t pid)
{
	cleanup_free char *text = NULL;
	int error = proc_file(pid, "status", FILE_MAX_PROC, &text);

	if (!error && !signals_parse(signals, text))
		error = error_set(-EINVAL, "cannot understand /proc/%d/status", (int)pid);
	return error;
}
