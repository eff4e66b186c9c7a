/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Line by line; a category's line is followed by lines in parentheses, a site's frames by its sum.
 */
#include "hotspot/nmt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX = 1024 };

struct parsing {
	struct nmt *nmt;
	struct nmt_category *category; /* NULL: none begun */
	struct nmt_site site; /* its frames so far */
	bool has_total, in_details;
};

/* -- figures ------------------------------------------------------------------------------------
 */

/* "123", "123KB": in bytes, whatever scale was asked for. */
static uint64_t bytes_at(const char *text)
{
	static const struct {
		const char *name;
		unsigned int shift;
	} units[] = { { "KB", 10 }, { "MB", 20 }, { "GB", 30 } };
	char *end;
	uint64_t value;

	if (*text < '0' || *text > '9')
		return 0;
	value = strtoull(text, &end, 10);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (!strncmp(end, units[i].name, 2))
			return value > UINT64_MAX >> units[i].shift ? 0 : value << units[i].shift;
	}
	return value;
}

/* The number behind a label in a line; 0: it is not there. */
static uint64_t bytes_after(const char *line, const char *label)
{
	const char *found = strstr(line, label);

	return found ? bytes_at(found + strlen(label)) : 0;
}

static uint64_t blocks_in(const char *line)
{
	const char *mark = strchr(line, '#');

	return mark && mark[1] >= '0' && mark[1] <= '9' ? strtoull(mark + 1, NULL, 10) : 0;
}

/* What stands between from and the first of ends, without blanks around it. */
static void copy_between(char name[NMT_NAME_MAX], const char *from, const char *ends)
{
	size_t length;

	from += strspn(from, " ");
	length = strcspn(from, ends);
	while (length && from[length - 1] == ' ')
		length--;
	snprintf(name, NMT_NAME_MAX, "%.*s", (int)(length < NMT_NAME_MAX ? length : NMT_NAME_MAX),
		 from);
}

/* -- categories ---------------------------------------------------------------------------------
 */

/* "-                 Java Heap (reserved=…, committed=…)" */
static void begin_category(struct parsing *parsing, const char *line)
{
	struct nmt *nmt = parsing->nmt;

	parsing->category = NULL;
	if (nmt->category_count == NMT_CATEGORIES_MAX || !strchr(line, '('))
		return;
	parsing->category = &nmt->categories[nmt->category_count++];
	copy_between(parsing->category->name, line + 1, "(");
	parsing->category->reserved_bytes = bytes_after(line, "reserved=");
	parsing->category->committed_bytes = bytes_after(line, "committed=");
}

/* "(malloc=74343 #547)", "(arena=…", "(mmap: reserved=…, committed=…)", "(stack: …" */
static void add_to_category(struct parsing *parsing, const char *line)
{
	struct nmt_category *category = parsing->category;

	line += strspn(line, " ");
	if (!strncmp(line, "(malloc=", 8)) {
		category->malloc_bytes += bytes_at(line + 8);
		category->malloc_blocks += blocks_in(line);
		parsing->nmt->malloc_bytes += bytes_at(line + 8);
	} else if (!strncmp(line, "(arena=", 7)) {
		category->arena_bytes += bytes_at(line + 7);
		parsing->nmt->malloc_bytes += bytes_at(line + 7);
	} else if (!strncmp(line, "(mmap:", 6) || !strncmp(line, "(stack:", 7)) {
		category->mapped_bytes += bytes_after(line, "committed=");
	}
}

/* -- sites --------------------------------------------------------------------------------------
 */

/* "[0x00007fda48cd0c9c] Unsafe_AllocateMemory0+0x7c" */
static void add_frame(struct parsing *parsing, const char *line)
{
	const char *name = strchr(line, ']');
	char *frames = parsing->site.frames;
	size_t used = strlen(frames), length;

	if (!name)
		return;
	name++;
	name += strspn(name, " ");
	length = strcspn(name, "\n");
	if (strstr(name, "+0x") && (size_t)(strstr(name, "+0x") - name) < length)
		length = (size_t)(strstr(name, "+0x") - name);
	if (!length)
		name = "?", length = 1;
	snprintf(frames + used, NMT_FRAMES_MAX - used, "%s%.*s", used ? " < " : "", (int)length,
		 name);
}

/* Keeps the largest, sorted. */
static void keep_site(struct nmt *nmt, const struct nmt_site *site)
{
	size_t at = nmt->site_count;

	if (nmt->site_count == NMT_SITES_MAX) {
		nmt->sites_left_out++;
		at--;
		if (nmt->sites[at].bytes >= site->bytes)
			return;
	} else {
		nmt->site_count++;
	}
	for (; at && nmt->sites[at - 1].bytes < site->bytes; at--)
		nmt->sites[at] = nmt->sites[at - 1];
	nmt->sites[at] = *site;
}

/* "(malloc=10485760 type=Other #1)"; "tag=" from 24 on. A sum of mappings is none of these. */
static void end_site(struct parsing *parsing, const char *line)
{
	const char *malloc = strstr(line, "(malloc="), *type = strstr(line, "type=");

	if (malloc && *parsing->site.frames) {
		if (!type)
			type = strstr(line, "tag=");
		if (type)
			copy_between(parsing->site.category, strchr(type, '=') + 1, "#)");
		parsing->site.bytes = bytes_at(malloc + 8);
		parsing->site.blocks = blocks_in(malloc);
		keep_site(parsing->nmt, &parsing->site);
	}
	memset(&parsing->site, 0, sizeof(parsing->site));
}

/* -- lines --------------------------------------------------------------------------------------
 */

static void take_line(struct parsing *parsing, const char *line)
{
	if (!strncmp(line, "Total:", 6)) {
		parsing->has_total = true;
		parsing->nmt->reserved_bytes = bytes_after(line, "reserved=");
		parsing->nmt->committed_bytes = bytes_after(line, "committed=");
	} else if (!strncmp(line, "Virtual memory map:", 19) || !strncmp(line, "Details:", 8)) {
		parsing->category = NULL;
		parsing->in_details = *line == 'D';
	} else if (parsing->in_details && *line == '[') {
		add_frame(parsing, line);
	} else if (parsing->in_details) {
		end_site(parsing, line);
	} else if (*line == '-' && parsing->has_total) {
		begin_category(parsing, line);
	} else if (parsing->category) {
		add_to_category(parsing, line);
	}
}

bool nmt_parse(struct nmt *nmt, const char *text)
{
	struct parsing parsing = { .nmt = nmt };
	char line[LINE_MAX];

	memset(nmt, 0, sizeof(*nmt));
	while (*text) {
		size_t length = strcspn(text, "\n");

		snprintf(line, sizeof(line), "%.*s",
			 (int)(length < sizeof(line) ? length : sizeof(line) - 1), text);
		take_line(&parsing, line);
		text += length;
		text += *text == '\n';
	}
	return parsing.has_total && nmt->category_count;
}

const struct nmt_category *nmt_find(const struct nmt *nmt, const char *name)
{
	for (size_t i = 0; i < nmt->category_count; i++) {
		if (!strcmp(nmt->categories[i].name, name))
			return &nmt->categories[i];
	}
	return NULL;
}
