/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Java methods: their names and lines, and those that stand behind an address of compiled code. */
#ifndef UNFREED_HOTSPOT_METHOD_H
#define UNFREED_HOTSPOT_METHOD_H

#include "hotspot/codecache.h"

enum {
	METHOD_NAME_MAX = 512, /* class, dot, method; longer ones are cut */
	METHOD_FILE_MAX = 256,
	METHOD_BCI_NONE = -1,
	METHOD_INLINED_MAX = 64, /* scopes of one address */
	METHOD_IDENTITY_MASK = (1 << 30) - 1,
};

struct method {
	char name[METHOD_NAME_MAX];
	char file[METHOD_FILE_MAX]; /* "": unknown */
	uint32_t line; /* 0: unknown */
};

/* Describes a Method at a bytecode index. False: it is none, or not readable. */
bool method_read(struct method *method, struct memory *memory, const struct vmstructs *vm,
		 uint64_t address, int32_t bci);

/* The bytecode index of an address of bytecode, or METHOD_BCI_NONE. */
int32_t method_bci(struct memory *memory, const struct vmstructs *vm, uint64_t address,
		   uint64_t bytecode);

/* A Method and the place in it where a compiled frame stands. */
struct scope {
	uint64_t method;
	int32_t bci;
};

/*
 * What stands behind a return address in a blob of a method: innermost inlined method first, how
 * many; 0: not readable.
 */
size_t scopes_read(struct scope scopes[METHOD_INLINED_MAX], struct memory *memory,
		   const struct vmstructs *vm, const struct blob *blob, uint64_t address);

/*
 * What tells the Method at an address, as it is now, from others that have been there: 30 bits of a
 * hash of its class's name, as bpf/unwind_jvm.bpf.h has it. 0: not readable.
 */
uint32_t method_identity(struct memory *memory, const struct vmstructs *vm, uint64_t address);

#endif
