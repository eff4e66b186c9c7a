/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Groups of sites. */
#include "report/regroup.h"

#include <stdio.h>
#include <string.h>

#include "model/merge.h"
#include "model/strings.h"
#include "report/label.h"

#define uthash_malloc(bytes) mem_alloc(bytes)
#define uthash_free(memory, bytes) mem_free(memory)
#include <uthash.h>

/* Frames that were made, by what they were made of. */
struct made {
	const void *of; /* a text of ours, or frames */
	const struct frame *frames;
	UT_hash_handle hh;
};

struct regroup {
	struct strings *strings;
	struct made *groups, *turned;
};

struct regroup *regroup_new(void)
{
	struct regroup *regroup = mem_alloc(sizeof(*regroup));

	regroup->strings = strings_new();
	return regroup;
}

static void forget(struct made **made)
{
	struct made *each, *next;

	HASH_ITER (hh, *made, each, next) {
		HASH_DEL(*made, each);
		mem_free(each);
	}
}

void regroup_free(struct regroup *regroup)
{
	if (!regroup)
		return;
	forget(&regroup->groups);
	forget(&regroup->turned);
	strings_free(regroup->strings);
	mem_free(regroup);
}

static struct made *find_made(struct made **made, const void *of)
{
	struct made *found;

	HASH_FIND_PTR(*made, &of, found);
	if (found)
		return found;
	found = mem_alloc(sizeof(*found));
	found->of = of;
	HASH_ADD_PTR(*made, of, found);
	return found;
}

void regroup_forget(struct regroup *regroup)
{
	forget(&regroup->turned);
}

/* -- which frame stands for a site --------------------------------------------------------------
 */

static struct frame module_frame(const struct frame *frame)
{
	if (frame && frame->module)
		return (struct frame){ .name = frame->module, .module = frame->module };
	if (frame && label_class(frame) == LABEL_JAVA)
		return (struct frame){ .name = "[Java]", .type = FRAME_JAVA };
	return (struct frame){ .name = "[unknown]" };
}

/* The frame of the site's group; buffer is of LABEL_MAX. */
static struct frame group_frame(const struct snapshot *snapshot, const struct site *site,
				enum view_by by, char *buffer)
{
	const struct frame *frame = by == VIEW_BY_THREAD ? label_thread(site) : label_site(site);
	struct frame group;

	if (by == VIEW_BY_MODULE)
		return module_frame(frame);
	if (by == VIEW_BY_PROCESS) {
		snprintf(buffer, LABEL_MAX, "%s (pid %d)", snapshot_comm(snapshot, site->pid),
			 (int)site->pid);
		return (struct frame){ .name = buffer };
	}
	if (!frame)
		return (struct frame){ .name = "[stack lost]" };
	group = *frame;
	group.name = label_frame(frame, buffer);
	group.line = 0; /* a function has several */
	group.offset = 0;
	return group;
}

/* -- merging ------------------------------------------------------------------------------------
 */

/* Without padding: hashed as bytes. */
struct group_key {
	const struct frame *frames;
	uint32_t kind;
	int32_t pid;
};

struct group {
	struct group_key key;
	size_t site; /* the merged one */
	UT_hash_handle hh;
};

static const struct frame *frames_of_group(struct regroup *regroup, struct frame group)
{
	char *key = mem_printf("%s\n%s", group.module ? group.module : "", group.name);
	struct made *made = find_made(&regroup->groups, strings_intern(regroup->strings, key));

	mem_free(key);
	group.name = strings_intern(regroup->strings, group.name);
	group.module = strings_intern(regroup->strings, group.module);
	group.file = strings_intern(regroup->strings, group.file);
	if (!made->frames)
		made->frames = strings_copy(regroup->strings, &group, sizeof(group));
	return made->frames;
}

void regroup_by(struct regroup *regroup, struct snapshot *snapshot, enum view_by by)
{
	struct group *groups = NULL, *group, *next;
	char buffer[LABEL_MAX];
	size_t count = 0;

	if (by == VIEW_BY_SITE)
		return;
	vec_for_each (site, &snapshot->sites) {
		struct group_key key = { frames_of_group(regroup,
							 group_frame(snapshot, site, by, buffer)),
					 site->kind, site->pid };

		HASH_FIND(hh, groups, &key, sizeof(key), group);
		if (group) {
			site_merge(&snapshot->sites.items[group->site], site);
			continue;
		}
		group = mem_alloc(sizeof(*group));
		group->key = key;
		group->site = count;
		HASH_ADD(hh, groups, key, sizeof(group->key), group);
		site->frames = key.frames;
		site->frame_count = 1;
		site->end = SITE_END_ROOT;
		snapshot->sites.items[count++] = *site;
	}
	snapshot->sites.count = count;
	HASH_ITER (hh, groups, group, next) {
		HASH_DEL(groups, group);
		mem_free(group);
	}
}

void regroup_invert(struct regroup *regroup, struct snapshot *snapshot)
{
	vec_for_each (site, &snapshot->sites) {
		struct made *made;
		struct frame *frames;
		size_t count = site->frame_count;

		site->end = SITE_END_ROOT; /* where it was cut is not where it ends now */
		if (!count)
			continue;
		made = find_made(&regroup->turned, site->frames);
		if (!made->frames) {
			frames = mem_array(count, sizeof(*frames));
			for (size_t i = 0; i < count; i++)
				frames[i] = site->frames[count - 1 - i];
			made->frames =
				strings_copy(regroup->strings, frames, count * sizeof(*frames));
			mem_free(frames);
		}
		site->frames = made->frames;
	}
}
