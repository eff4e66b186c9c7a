/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Names of functions as their programmers wrote them: C++ and Rust. */
#ifndef UNFREED_SYMBOL_DEMANGLE_H
#define UNFREED_SYMBOL_DEMANGLE_H

enum { DEMANGLE_MAX = 4096 }; /* bytes, with the end: longer names are cut, and end in "…" */

/* Demangles name (a "@VERSION" is dropped) into buffer; other names are copied. Returns buffer. */
const char *demangle(const char *name, char buffer[DEMANGLE_MAX]);

#endif
