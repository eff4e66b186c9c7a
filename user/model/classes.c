/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The table of classes. */
#include "model/classes.h"

#include <string.h>

static const struct {
	const char *name, *text;
} classes[CLASSES] = {
	[CLASS_MAIN_HEAP] = { "main heap (brk)", "what brk gave to malloc" },
	[CLASS_ARENA] = { "glibc arena", "malloc's further arenas, of 64 MiB heaps" },
	[CLASS_MMAPPED_BLOCK] = { "mmapped block", "blocks of glibc that have a mapping each" },
	[CLASS_JEMALLOC] = { "jemalloc", "what jemalloc mapped" },
	[CLASS_TCMALLOC] = { "tcmalloc", "what tcmalloc mapped" },
	[CLASS_MIMALLOC] = { "mimalloc", "what mimalloc mapped" },
	[CLASS_MUSL] = { "musl malloc", "groups of blocks of musl's malloc" },
	[CLASS_OTHER_ALLOCATOR] = { "other allocator", "allocators that name their mappings" },
	[CLASS_JAVA_HEAP] = { "Java heap", "objects of a JVM" },
	[CLASS_METASPACE] = { "metaspace", "a JVM's classes, without what class space holds" },
	[CLASS_CLASS_SPACE] = { "class space", "a JVM's compressed class space" },
	[CLASS_CODE_CACHE] = { "code cache", "code that a JVM compiled, and its index" },
	[CLASS_GC_TABLE] = { "GC tables", "a JVM's card tables, mark bitmaps and queues" },
	[CLASS_CDS_ARCHIVE] = { "CDS archive", "classes that JVMs share by a file" },
	[CLASS_RUNTIME_HEAP] = { "runtime heap", "objects of Python, V8 or Go" },
	[CLASS_JIT_CODE] = { "JIT code", "executable memory of no file" },
	[CLASS_THREAD_STACK] = { "thread stack", "stacks, with thread-local data" },
	[CLASS_STACK_GUARD] = { "stack guard", "address space below stacks" },
	[CLASS_PROGRAM_TEXT] = { "program text", "code and constants of the executable" },
	[CLASS_PROGRAM_DATA] = { "program data", "variables of the executable" },
	[CLASS_LIBRARY_TEXT] = { "library text", "code and constants of libraries" },
	[CLASS_LIBRARY_DATA] = { "library data", "variables of libraries" },
	[CLASS_FILE] = { "file", "other files" },
	[CLASS_SHARED_MEMORY] = { "shared memory", "tmpfs, memfd, System V, shared anonymous" },
	[CLASS_DEVICE] = { "device", "memory of devices, rings of the kernel" },
	[CLASS_IO_URING] = { "io_uring", "rings of io_uring" },
	[CLASS_NAMED] = { "anonymous, named", "named by the program (PR_SET_VMA)" },
	[CLASS_KERNEL_PAGE] = { "kernel page", "vdso, vvar, vsyscall, uprobes" },
	[CLASS_RESERVED] = { "reserved", "address space without access" },
	[CLASS_UNKNOWN] = { "anonymous, unknown", "nothing tells whose" },
};

const char *class_name(enum memory_class class)
{
	return class < CLASSES ? classes[class].name : "?";
}

const char *class_text(enum memory_class class)
{
	return class < CLASSES ? classes[class].text : "?";
}

enum memory_class class_find(const char *name)
{
	enum memory_class class = 0;

	while (class < CLASSES && strcmp(classes[class].name, name))
		class ++;
	return class;
}
