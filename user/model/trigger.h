/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Conditions on a target's memory, as a user writes them: rss>2G, cgroup>90%, growth>100M/min. */
#ifndef UNFREED_MODEL_TRIGGER_H
#define UNFREED_MODEL_TRIGGER_H

#include "model/gauges.h"

enum trigger_gauge {
	TRIGGER_RSS, /* of all processes */
	TRIGGER_CGROUP, /* what its limit is about: bytes, or a share of it */
	TRIGGER_GROWTH, /* of the RSS over the last minute */
	TRIGGER_LIVE, /* bytes of the heap */
	TRIGGER_BLOCKS, /* of the heap */
	TRIGGER_GAUGES,
};

struct trigger {
	const char *text; /* as the user wrote it */
	enum trigger_gauge gauge;
	bool of_limit; /* threshold is a share of the limit */
	double threshold; /* bytes, blocks, bytes a second, or a share */
	bool on; /* it holds, and was told */
};

/* text must outlive the trigger. 0, or -EINVAL with a sentence. */
int trigger_parse(struct trigger *trigger, const char *text);

/*
 * Whether it has come to hold: once, until it has fallen a twentieth below. Never while what it
 * asks for is not known.
 */
bool trigger_fires(struct trigger *trigger, const struct gauges *gauges);

#endif
