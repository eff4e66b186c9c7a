/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The JVM in a watched process: what the kernel side must know to walk its stacks, and the names of
 * its frames, taken while they are there: compiled code moves and goes.
 */
#ifndef UNFREED_COLLECT_JAVA_H
#define UNFREED_COLLECT_JAVA_H

#include "abi.h"
#include "collect/names.h"

struct java;

/*
 * The JVM whose libjvm is image, mapped bias above its addresses. NULL where that is no HotSpot
 * that is known, with a sentence.
 */
struct java *java_new(struct sandbox *sandbox, pid_t pid, const struct image *image, uint64_t bias);
void java_free(struct java *java); /* NULL is legal */

/* The process has ended: only names that were resolved are left. NULL is legal. */
void java_end(struct java *java);

/* What the kernel side needs; NULL as long as the JVM has not set itself up. */
const struct abi_jvm *java_layout(struct java *java);

/* Whether code has come or gone since the last call, or the JVM has just set itself up: cached
 * rules and names are void then. */
bool java_code_changed(struct java *java);

/* Whether an address is code of the JVM's own making. */
bool java_holds(const struct java *java, uint64_t address);

enum java_kind {
	JAVA_STUB, /* a return address in what is no method */
	JAVA_COMPILED, /* in a method: detail is the number of its compilation, 0: not known */
	JAVA_INTERPRETED, /* as in the two words of abi_stack.frames */
};

/* A frame. Its names come with java_resolve and live as long as java. */
const struct named *java_want(struct java *java, enum java_kind kind, uint64_t address,
			      uint64_t detail);

/* Returns how many of them have no name: the code was gone. */
size_t java_resolve(struct java *java);

#endif
