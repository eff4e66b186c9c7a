/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * dlopens FOLDER COUNT ROUNDS: on each go, opens COUNT libraries FOLDER/lib0.so, lib1.so, … (in the
 * next round those after them), calls leak_library of each, which allocates 100 bytes, and says so;
 * on each "again" calls all of them again; on the next go closes them all. ROUNDS rounds.
 */
#include <dlfcn.h>

#include "protocol.h"

enum { LIBRARIES_MAX = 4096 };

static void *libraries[LIBRARIES_MAX];

static void call_library(void *library)
{
	void (*leak)(void) = (void (*)(void))dlsym(library, "leak_library");

	if (!leak)
		die("dlopens: no leak_library\n");
	leak();
}

static void *open_library(const char *folder, long number)
{
	char path[4096];
	void *library;

	snprintf(path, sizeof(path), "%s/lib%ld.so", folder, number);
	library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		die("dlopens: %s\n", dlerror());
	call_library(library);
	return library;
}

int main(int argc, char **argv)
{
	long count = argc > 3 ? atol(argv[2]) : 0, rounds = argc > 3 ? atol(argv[3]) : 0;

	if (count < 1 || count > LIBRARIES_MAX)
		die("dlopens: FOLDER 1…%d ROUNDS\n", LIBRARIES_MAX);
	wait_for_go();
	for (long round = 0; round < rounds; round++) {
		for (long i = 0; i < count; i++)
			libraries[i] = open_library(argv[1], round * count + i);
		say("{\"opened\":%ld}\n", count);
		while (hear("again")) {
			for (long i = 0; i < count; i++)
				call_library(libraries[i]);
			say("{}\n");
		}
		for (long i = 0; i < count; i++)
			dlclose(libraries[i]);
		say("{\"closed\":%ld}\n", count);
		if (!hear("go"))
			_exit(9);
	}
	say("{}\n");
	wait_for_quit();
	_exit(0);
}
