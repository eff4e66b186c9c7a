/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Incidents for people. */
#include "report/incident.h"

#include <string.h>
#include <sys/wait.h>

#include "base/units.h"

enum { READINGS_SHOWN = 12, INCIDENTS_SHOWN = 12 };

static void write_oom(const struct page *page, const struct incident *incident)
{
	char usage[UNITS_TEXT_MAX], limit[UNITS_TEXT_MAX];

	page_item(page, "victim", "%d %s: the kernel killed it for its memory", incident->pid,
		  incident->comm ? incident->comm : "?");
	if (!incident->limit_bytes)
		page_item(page, "limit",
			  "no control group was at its limit: the machine was short");
	else if (incident->groups_up)
		page_item(page, "limit", "%s of %s in use, of a control group %llu above its own",
			  units_format_bytes(usage, incident->usage_bytes),
			  units_format_bytes(limit, incident->limit_bytes),
			  (unsigned long long)incident->groups_up);
	else
		page_item(page, "limit", "%s of %s in use in its control group",
			  units_format_bytes(usage, incident->usage_bytes),
			  units_format_bytes(limit, incident->limit_bytes));
	if (incident->asking_comm)
		page_item(page, "asked by", "thread %d (%s) of pid %d", incident->asking_tid,
			  incident->asking_comm, incident->asking_pid);
}

static void write_end(const struct page *page, const struct incident *incident)
{
	int code = incident->exit_code;

	if (code < 0)
		page_item(page, "ended", "%d %s: how is not known", incident->pid,
			  incident->comm ? incident->comm : "?");
	else if (WIFSIGNALED(code))
		page_item(page, "ended", "%d %s: killed by signal %d (%s)", incident->pid,
			  incident->comm ? incident->comm : "?", WTERMSIG(code),
			  strsignal(WTERMSIG(code)));
	else
		page_item(page, "ended", "%d %s: exit status %d", incident->pid,
			  incident->comm ? incident->comm : "?", WEXITSTATUS(code));
}

static void write_signal(const struct page *page, const struct incident *incident)
{
	if (incident->sender)
		page_item(page, "signal", "%d (%s), sent by pid %d (%s)", incident->signal,
			  strsignal(incident->signal), incident->sender,
			  incident->sender_comm ? incident->sender_comm : "?");
	else
		page_item(page, "signal", "%d (%s), sent by %s", incident->signal,
			  strsignal(incident->signal),
			  incident->sender_comm ? incident->sender_comm : "nobody that is known");
}

static void write_incident(const struct page *page, const struct incident *incident)
{
	char when[UNITS_TEXT_MAX];

	page_item(page, "reason", "%s, %s after the window opened", incident->reason,
		  units_format_time(when, incident->time_ns));
	if (!strcmp(incident->reason, "oom"))
		write_oom(page, incident);
	else if (incident->ended)
		write_end(page, incident);
	if (incident->signal)
		write_signal(page, incident);
}

static void write_reading(const struct page *page, const char *label, const char *age,
			  const struct reading *reading, bool heap)
{
	char rss[UNITS_TEXT_MAX], group[UNITS_TEXT_MAX], limit[UNITS_TEXT_MAX],
		live[UNITS_TEXT_MAX], text[128] = "";
	int length = 0;

	if (reading->group_bytes)
		length = snprintf(text, sizeof(text), ", group %s",
				  units_format_bytes(group, reading->group_bytes));
	if (reading->group_bytes && reading->limit_bytes)
		length += snprintf(text + length, sizeof(text) - length, " of %s",
				   units_format_bytes(limit, reading->limit_bytes));
	if (heap)
		snprintf(text + length, sizeof(text) - length, ", heap %s",
			 units_format_bytes(live, reading->live_bytes));
	page_item(page, label, "%s before: RSS %s%s", age,
		  units_format_bytes(rss, reading->rss_bytes), text);
}

/* Evenly, the last one always. */
static void write_readings(const struct page *page, const struct snapshot *snapshot)
{
	size_t count = snapshot->readings.count,
	       step = (count + READINGS_SHOWN - 1) / READINGS_SHOWN;
	uint64_t now_ns = snapshot->incidents.items[0].time_ns;
	const char *label = "growth";
	char age[UNITS_TEXT_MAX];

	for (size_t i = count ? (count - 1) % step : 0; i < count; i += step) {
		const struct reading *reading = &snapshot->readings.items[i];
		uint64_t time_ns = reading->time_ns < now_ns ? reading->time_ns : now_ns;

		write_reading(page, label, units_format_time(age, now_ns - time_ns), reading,
			      snapshot->heap);
		label = "";
	}
}

void incidents_write(const struct page *page, const struct snapshot *snapshot)
{
	size_t shown = 0;

	if (!snapshot->incidents.count)
		return;
	if (!page->html)
		fprintf(page->stream, "\n%sINCIDENT%s\n", page_bold(page), page_plain(page));
	vec_for_each (incident, &snapshot->incidents) {
		if (shown++ < INCIDENTS_SHOWN)
			write_incident(page, incident);
	}
	if (shown > INCIDENTS_SHOWN)
		page_item(page, "and", "%zu more (--json names all)", shown - INCIDENTS_SHOWN);
	write_readings(page, snapshot);
}
