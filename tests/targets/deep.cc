// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * deep [--frames 24] [--paths 1] [--calls 1000]: calls churn_mark at the end of so many frames,
 * main's included, by so many different ways (up to 16,384, which differ in the lowest seven), as
 * often.
 *
 * Truth: sites (nothing is held); calls.
 */
#include "protocol.h"

enum { WAYS_BITS = 14, MAIN_AND_MARK = 2 };

static unsigned long marks;

extern "C" SITE void churn_mark(unsigned long path)
{
	marks += path;
	KEEP(&marks);
}

/* Members and a local array: frames of different sizes, as programs have them. */
template <int way> struct step {
	static SITE void go(unsigned long path, long frames);
};

static inline __attribute__((always_inline)) void next(unsigned long path, long frames)
{
	if (frames <= 0)
		churn_mark(path);
	else if (frames > WAYS_BITS / 2)
		step<0>::go(path, frames - 1);
	else if (path & 2)
		path & 1 ? step<3>::go(path >> 2, frames - 1) : step<2>::go(path >> 2, frames - 1);
	else
		path & 1 ? step<1>::go(path >> 2, frames - 1) : step<0>::go(path >> 2, frames - 1);
}

template <int way> void step<way>::go(unsigned long path, long frames)
{
	char local[16 + 32 * way];

	KEEP(local);
	next(path, frames);
	NO_TAIL_CALL();
}

int main(int argc, char **argv)
{
	long frames = option(argc, argv, "--frames", 24) - MAIN_AND_MARK;
	unsigned long paths = option(argc, argv, "--paths", 1);
	long calls = option(argc, argv, "--calls", 1000);

	if (!paths || paths > 1UL << WAYS_BITS)
		die("deep: --paths 1…%lu\n", 1UL << WAYS_BITS);
	say("ready %d\n", (int)getpid());
	while (hear("go")) {
		for (long i = 0; i < calls; i++)
			next(i * 0x9e3779b9UL % paths, frames);
		say("{\"sites\":[],\"calls\":%ld}\n", calls);
	}
	_exit(0);
}
