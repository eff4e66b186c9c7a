/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/trigger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/units.h"

static const char *const names[TRIGGER_GAUGES] = {
	[TRIGGER_RSS] = "rss",	 [TRIGGER_CGROUP] = "cgroup", [TRIGGER_GROWTH] = "growth",
	[TRIGGER_LIVE] = "live", [TRIGGER_BLOCKS] = "blocks",
};

static const struct {
	const char *name;
	double seconds;
} spans[] = { { "/s", 1 }, { "/min", 60 }, { "/h", 3600 } };

/* How far it has to fall before it can fire again. */
static const double hysteresis = 0.95;

static int parse_percent(struct trigger *trigger, const char *text)
{
	char *end;
	double percent = strtod(text, &end);

	if (end == text || strcmp(end, "%") || !(percent > 0 && percent <= 100))
		return -EINVAL;
	trigger->of_limit = true;
	trigger->threshold = percent / 100;
	return 0;
}

static int parse_size(struct trigger *trigger, const char *text)
{
	uint64_t bytes;
	int error = units_parse_bytes(text, &bytes);

	trigger->threshold = (double)bytes;
	return error;
}

static int parse_rate(struct trigger *trigger, const char *text)
{
	const char *slash = strchr(text, '/');
	char *size;
	int error;

	if (!slash)
		return -EINVAL;
	size = mem_printf("%.*s", (int)(slash - text), text);
	error = parse_size(trigger, size);
	mem_free(size);
	for (size_t i = 0; !error && i < sizeof(spans) / sizeof(spans[0]); i++) {
		if (strcmp(slash, spans[i].name))
			continue;
		trigger->threshold /= spans[i].seconds;
		return 0;
	}
	return -EINVAL;
}

static int parse_value(struct trigger *trigger, const char *text)
{
	if (trigger->gauge == TRIGGER_GROWTH)
		return parse_rate(trigger, text);
	if (trigger->gauge == TRIGGER_CGROUP && strchr(text, '%'))
		return parse_percent(trigger, text);
	return parse_size(trigger, text);
}

int trigger_parse(struct trigger *trigger, const char *text)
{
	const char *sign = strchr(text, '>');

	*trigger = (struct trigger){ .text = text, .gauge = TRIGGER_GAUGES };
	for (size_t i = 0; sign && i < TRIGGER_GAUGES; i++) {
		if (strlen(names[i]) == (size_t)(sign - text) &&
		    !strncmp(text, names[i], strlen(names[i])))
			trigger->gauge = (enum trigger_gauge)i;
	}
	if (trigger->gauge == TRIGGER_GAUGES || parse_value(trigger, sign + 1))
		return error_set(-EINVAL,
				 "'%s' is none of rss>2G, cgroup>90%%, cgroup>2G, growth>100M/min, "
				 "live>1G, blocks>1M",
				 text);
	return 0;
}

/* What it is now, in the threshold's unit. */
static bool read_gauge(const struct trigger *trigger, const struct gauges *gauges, double *value)
{
	const struct reading *latest = gauges_latest(gauges);

	if (!latest)
		return false;
	switch (trigger->gauge) {
	case TRIGGER_RSS:
		*value = (double)latest->rss_bytes;
		return true;
	case TRIGGER_CGROUP:
		*value = (double)latest->group_bytes;
		if (trigger->of_limit && latest->limit_bytes)
			*value /= (double)latest->limit_bytes;
		return latest->group_bytes && (!trigger->of_limit || latest->limit_bytes);
	case TRIGGER_GROWTH:
		return gauges_growth(gauges, value);
	case TRIGGER_LIVE:
		*value = (double)latest->live_bytes;
		return true;
	default:
		*value = (double)latest->live_blocks;
		return true;
	}
}

bool trigger_fires(struct trigger *trigger, const struct gauges *gauges)
{
	double value;
	bool was_on = trigger->on;

	if (!read_gauge(trigger, gauges, &value))
		return false;
	if (value > trigger->threshold)
		trigger->on = true;
	else if (value < trigger->threshold * hysteresis)
		trigger->on = false;
	return trigger->on && !was_on;
}
