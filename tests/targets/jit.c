/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * jit [--map regular|late|fifo|link]: blocks allocated below code that is made at run time, which
 * /tmp/perf-PID.map names: a function that keeps a frame pointer, as V8's and most JITs' do, then
 * another in its place, and trampolines without one, as CPython's. late: the map is written behind
 * the calls; fifo, link: it is no file, or leads out to /proc.
 *
 * Truth: sites.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "protocol.h"

enum { CODE_BYTES = 64 << 10, BLOCK_BYTES = 1000 };

/* They call what they are given: what counts is how they keep the stack. */
static const unsigned char framed[] = {
	0x55, /* push %rbp */
	0x48, 0x89, 0xe5, /* mov %rsp,%rbp */
	0xff, 0xd7, /* call *%rdi */
	0x5d, /* pop %rbp */
	0xc3, /* ret */
};
static const unsigned char trampoline[16] = {
	0x48, 0x83, 0xec, 0x08, /* sub $8,%rsp */
	0xff, 0xd1, /* call *%rcx */
	0x48, 0x83, 0xc4, 0x08, /* add $8,%rsp */
	0xc3, /* ret */
};

typedef void function(void);

SITE static void leak_optimised(void)
{
	KEEP(malloc(BLOCK_BYTES));
	NO_TAIL_CALL();
}

SITE static void leak_replaced(void)
{
	KEEP(malloc(BLOCK_BYTES));
	NO_TAIL_CALL();
}

SITE static void leak_python(void)
{
	KEEP(malloc(BLOCK_BYTES));
	NO_TAIL_CALL();
}

static unsigned char *make(const unsigned char *code, size_t bytes, size_t stride)
{
	unsigned char *memory =
		mmap(NULL, CODE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		die("jit: no memory\n");
	for (size_t at = 0; at + stride <= CODE_BYTES; at += stride)
		memcpy(memory + at, code, bytes);
	if (mprotect(memory, CODE_BYTES, PROT_READ | PROT_EXEC))
		die("jit: no executable memory\n");
	return memory;
}

static void call(const unsigned char *code, function *callee, long rounds)
{
	void (*run)(function *, long, long, function *);

	memcpy(&run, &code, sizeof(run));
	for (long i = 0; i < rounds; i++)
		run(callee, 0, 0, callee);
}

static int map_fd = -1;
static char map_path[64];

__attribute__((format(printf, 1, 2))) static void tell(const char *format, ...)
{
	va_list arguments;

	if (map_fd < 0)
		return;
	va_start(arguments, format);
	say_to(map_fd, format, arguments);
	va_end(arguments);
}

static void open_map(const char *kind)
{
	snprintf(map_path, sizeof(map_path), "/tmp/perf-%d.map", (int)getpid());
	unlink(map_path);
	if (!strcmp(kind, "fifo")) {
		if (mkfifo(map_path, 0600))
			die("jit: no FIFO\n");
	} else if (!strcmp(kind, "link")) {
		if (symlink("/proc/self/environ", map_path))
			die("jit: no link\n");
	} else {
		map_fd = open(map_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	}
}

int main(int argc, char **argv)
{
	const char *kind = argc > 2 ? argv[2] : "regular";
	const unsigned char *code = make(framed, sizeof(framed), sizeof(framed));
	const unsigned char *python = make(trampoline, sizeof(trampoline), sizeof(trampoline));

	if (strcmp(kind, "late"))
		open_map(kind);
	tell("this is no line\n%lx\n", (unsigned long)code);
	tell("%lx %zx JS:*optimisedAway /app/old.js:1:1\n", (unsigned long)code, sizeof(framed));
	tell("%lx %zx JS:*optimised file:///app/my page.js:12:7\n", (unsigned long)code,
	     sizeof(framed));
	wait_for_go();
	call(code, leak_optimised, 3);
	if (!strcmp(kind, "late"))
		open_map(kind);
	tell("%lx %zx LazyCompile:plain name\n", (unsigned long)code + sizeof(framed),
	     sizeof(framed));
	tell("%lx b py::Shop.keep:/app/shop.py\n", (unsigned long)python + 16 * 5);
	call(code + sizeof(framed), leak_replaced, 4);
	call(python + 16 * 5, leak_python, 5);
	say("{\"sites\":[");
	say_site("leak_optimised", 3 * BLOCK_BYTES, 3);
	say_site("leak_replaced", 4 * BLOCK_BYTES, 4);
	say_site("leak_python", 5 * BLOCK_BYTES, 5);
	say("]}\n");
	wait_for_quit();
	unlink(map_path);
	_exit(0);
}
