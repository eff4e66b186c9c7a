/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Debug files that are not installed, for what is about to be named. */
#include <errno.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "collect/debuginfod.h"
#include "collect/internal.h"

struct fetch {
	struct collect *collect;
	struct debuginfod *client;
	uint32_t late; /* files for which there was no time */
};

static void fetch_one(struct image *image, void *context)
{
	cleanup_close int fd = -1;
	struct fetch *fetch = context;
	struct collect *collect = fetch->collect;

	if (!image->usable || image->fd < 0 || image->info.has_dwarf || image->debug ||
	    !image->info.build_id_bytes)
		return;
	if (!fetch->late && collect->options.fetching)
		collect->options.fetching(image_name(image));
	fd = debuginfod_fetch(fetch->client, image->info.build_id, image->info.build_id_bytes);
	fetch->late += fd == -ETIME;
	if (fd < 0 && fd != -ETIME && fd != -ENOENT && fd != -ENOSYS)
		collect_note(collect, "no debug file of %s: %s", image->path, error_message());
	if (fd >= 0 && images_debug(collect->images, image, fd))
		collect_note(collect, "the debug file of %s that debuginfod gave is not used: %s",
			     image->path, error_message());
}

void collect_fetch(struct collect *collect)
{
	struct fetch fetch = { .collect = collect };

	if (debuginfod_check() == -ENOENT)
		return;
	fetch.client = debuginfod_new();
	if (!fetch.client) {
		collect_note(collect, "debuginfod is not asked: %s", error_message());
		return;
	}
	names_images(collect->names, fetch_one, &fetch);
	if (collect->options.fetching)
		collect->options.fetching(NULL);
	if (fetch.late)
		collect_note(
			collect,
			"no time for the debug files of %u images: debuginfod has not answered "
			"(DEBUGINFOD_MAXTIME)",
			fetch.late);
	debuginfod_free(fetch.client);
}
