/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What every target says and hears, so that no test ever sleeps:
 *
 *   target: ready PID        all is set up; what exists now is from before the attach
 *   test:   go               do the work
 *   target: {"sites":…}      the truth, as one line of JSON
 *   test:   quit             or end of file; exit status 0
 *
 * Nothing here allocates: stdio would. Sites are functions called leak_… (their truth says what
 * they hold) and churn_… (they hold nothing); a frame of that name is in all stacks of the site.
 */
#ifndef UNFREED_TARGETS_PROTOCOL_H
#define UNFREED_TARGETS_PROTOCOL_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A function that keeps its name and its frame whatever the compiler thinks of it. */
#ifdef __clang__
#define SITE __attribute__((noinline))
#else
#define SITE __attribute__((noinline, noclone, noipa))
#endif

/* The compiler must assume that pointer is used: no allocation is optimised away. */
#define KEEP(pointer) __asm__ volatile("" : : "r"(pointer) : "memory")
/*
 * The same pointer, and the compiler does not know: else it takes a block for freed when it went to
 * a realloc, also to one that must fail, and an allocation for granted.
 */
static inline void *alias(void *pointer)
{
	__asm__ volatile("" : "+r"(pointer));
	return pointer;
}

/* Behind a call: it is no tail call. */
#define NO_TAIL_CALL() __asm__ volatile("" : : : "memory")

/* Not dprintf, which allocates a buffer (glibc before 2.37). */
static inline void say_to(int fd, const char *format, va_list arguments)
{
	char text[512];
	int count = vsnprintf(text, sizeof(text), format, arguments);

	if (count < 0 || count >= (int)sizeof(text) || write(fd, text, count) != count)
		_exit(9);
}

__attribute__((format(printf, 1, 2))) static inline void say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say_to(1, format, arguments);
	va_end(arguments);
}

__attribute__((noreturn, format(printf, 1, 2))) static inline void die(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say_to(2, format, arguments);
	va_end(arguments);
	_exit(9);
}

enum { WORD_BYTES = 16 };

/* Reads one line. End of file is none. */
static inline int hear_word(char word[WORD_BYTES])
{
	size_t count = 0;
	ssize_t got = 0;

	while (count < WORD_BYTES - 1 && (got = read(0, &word[count], 1)) == 1 &&
	       word[count] != '\n')
		count++;
	word[count] = 0;
	return got == 1;
}

/* Reads one line; whether it is word. */
static inline int hear(const char *word)
{
	char line[WORD_BYTES];

	return hear_word(line) && !strcmp(line, word);
}

static inline void wait_for_go(void)
{
	say("ready %d\n", (int)getpid());
	if (!hear("go"))
		_exit(9);
}

static inline void wait_for_quit(void)
{
	hear("quit");
}

/* Sites of the truth: say("{\"sites\":["), these, say("]}\n"). */
static inline void say_site(const char *function, long long bytes, long long blocks)
{
	static const char *comma = "";

	say("%s{\"function\":\"%s\",\"bytes\":%lld,\"blocks\":%lld}", comma, function, bytes,
	    blocks);
	comma = ",";
}

/* The value of "--name N" on the command line, or otherwise. */
static inline long option(int argc, char **argv, const char *name, long otherwise)
{
	for (int i = 1; i + 1 < argc; i++) {
		if (!strcmp(argv[i], name))
			/* Not strtol, which is another function from glibc 2.38 on. */
			return (long)strtod(argv[i + 1], NULL);
	}
	return otherwise;
}

#endif
