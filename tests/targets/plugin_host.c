/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * plugin_host PLUGIN… [--rounds 1000]: loads and unloads each plugin in turn (linked/plugin.c),
 * which allocates, frees, and leaves a block with its host, who frees it or not. What dlopen and
 * dlclose do themselves is not told.
 *
 * Truth: sites, by what the plugin says that it holds.
 */
#include <dlfcn.h>

#include "protocol.h"

typedef void *plugin_fn(long round, long *bytes);

static long held, held_bytes;

SITE static void run(const char *path, long round)
{
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL), *block;
	long bytes = 0;
	plugin_fn *work;

	if (!handle)
		die("plugin_host: %s\n", dlerror());
	work = (plugin_fn *)dlsym(handle, "plugin_work");
	if (!work)
		die("plugin_host: %s\n", dlerror());
	block = work(round, &bytes);
	if (dlclose(handle))
		die("plugin_host: %s\n", dlerror());
	if (round % 3) {
		free(block);
	} else {
		held++;
		held_bytes += bytes;
	}
}

int main(int argc, char **argv)
{
	long rounds = option(argc, argv, "--rounds", 1000);
	int plugins = 0;

	while (plugins + 1 < argc && argv[plugins + 1][0] == '/')
		plugins++;
	if (!plugins)
		die("plugin_host: no plugin\n");
	wait_for_go();
	for (long round = 0; round < rounds; round++)
		run(argv[1 + round % plugins], round);
	say("{\"sites\":[");
	say_site("leak_in_plugin", held_bytes, held);
	say("]}\n");
	wait_for_quit();
	return 0;
}
