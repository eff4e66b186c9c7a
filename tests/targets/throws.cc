/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * throws [--rounds 2000]: operator new fails by every way, and std::bad_alloc is caught: by the
 * caller, or by one further up the stack; in between, blocks are leaked that must all be counted,
 * by a new handler, too. Says how many exceptions it has caught.
 */
#include <cstdint>
#include <new>

#include "protocol.h"

static long caught, handled;

static size_t huge()
{
	size_t size = (size_t)PTRDIFF_MAX - 4096;

	__asm__ volatile("" : "+r"(size));
	return size;
}

SITE static void leak_in_handler()
{
	void *pointer = ::operator new(40);

	KEEP(pointer);
	handled++;
	NO_TAIL_CALL();
}

/* Runs inside of operator new: the first time it may try again, then it shall throw. */
static void handler()
{
	leak_in_handler();
	std::set_new_handler(nullptr);
}

SITE static void fail_new()
{
	void *pointer = ::operator new(huge());

	KEEP(pointer);
}

SITE static void fail_array()
{
	char *pointer = new char[huge()];

	KEEP(pointer);
}

SITE static void fail_aligned()
{
	void *pointer = ::operator new(huge(), std::align_val_t(64));

	KEEP(pointer);
}

SITE static void fail_nothrow()
{
	void *pointer = ::operator new(huge(), std::nothrow);

	if (!pointer)
		throw std::bad_alloc();
}

/* Deeper or not, so that what was left open by the exception is above, or below, what follows. */
SITE static void dive(void (*call)(), int depth)
{
	char room[256];

	KEEP(room);
	if (depth)
		dive(call, depth - 1);
	else
		call();
	NO_TAIL_CALL();
}

static long long blocks;

SITE static void leak_after()
{
	void *first = ::operator new(24), *second = malloc(8);

	KEEP(first);
	KEEP(second);
	blocks++;
	NO_TAIL_CALL();
}

static void once(void (*call)(), int depth)
{
	try {
		dive(call, depth);
	} catch (const std::bad_alloc &) {
		caught++;
		leak_after();
		dive(leak_after, depth + 3);
	}
}

int main(int argc, char **argv)
{
	static void (*const calls[])() = { fail_new, fail_array, fail_aligned, fail_nothrow };
	long rounds = option(argc, argv, "--rounds", 2000);

	wait_for_go();
	for (long i = 0; i < rounds; i++) {
		std::set_new_handler(i % 3 ? nullptr : handler);
		once(calls[i % 4], (int)(i % 7));
	}
	say("{\"sites\":[");
	say_site("leak_after", 32 * blocks, 2 * blocks);
	say_site("leak_in_handler", 40 * handled, handled);
	say("],\"caught\":%ld}\n", caught);
	wait_for_quit();
	return caught == rounds ? 0 : 1;
}
