/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whose a mapping is: each has exactly one class. The names are those of every output. */
#ifndef UNFREED_MODEL_CLASSES_H
#define UNFREED_MODEL_CLASSES_H

/* In the order of tables with equal sizes. */
enum memory_class {
	CLASS_MAIN_HEAP,
	CLASS_ARENA,
	CLASS_MMAPPED_BLOCK,
	CLASS_JEMALLOC,
	CLASS_TCMALLOC,
	CLASS_MIMALLOC,
	CLASS_MUSL,
	CLASS_OTHER_ALLOCATOR,
	CLASS_JAVA_HEAP,
	CLASS_METASPACE,
	CLASS_CLASS_SPACE,
	CLASS_CODE_CACHE,
	CLASS_GC_TABLE,
	CLASS_CDS_ARCHIVE,
	CLASS_RUNTIME_HEAP,
	CLASS_JIT_CODE,
	CLASS_THREAD_STACK,
	CLASS_STACK_GUARD,
	CLASS_PROGRAM_TEXT,
	CLASS_PROGRAM_DATA,
	CLASS_LIBRARY_TEXT,
	CLASS_LIBRARY_DATA,
	CLASS_FILE,
	CLASS_SHARED_MEMORY,
	CLASS_DEVICE,
	CLASS_IO_URING,
	CLASS_NAMED,
	CLASS_KERNEL_PAGE,
	CLASS_RESERVED,
	CLASS_UNKNOWN,
	CLASSES,
};

/* "glibc arena". Never NULL. */
const char *class_name(enum memory_class class);

/* What is in it, a line for people. */
const char *class_text(enum memory_class class);

/* The class of this name; CLASSES: there is none. */
enum memory_class class_find(const char *name);

#endif
