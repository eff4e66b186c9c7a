/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the fuzzers share. Each fuzz_NAME.c feeds one parser with bytes as libFuzzer makes them, and
 * holds what it gives back against what its header promises. How a sample of corpus/NAME must end
 * stands in corpus/NAME.ends.
 */
#ifndef UNFREED_FUZZ_H
#define UNFREED_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hotspot/hotspot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* How the input ended: one line on stderr, where FUZZ_ENDS is set. */
void fuzz_end(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A promise that is broken ends the fuzzer. */
#define fuzz_expect(condition) ((condition) ? (void)0 : fuzz_broken(#condition, __FILE__, __LINE__))
void fuzz_broken(const char *what, const char *file, int line) __attribute__((noreturn));

/* -- reading the input --------------------------------------------------------------------------
 */

struct input {
	const uint8_t *at;
	size_t left;
};

/* A little-endian number; bytes that are not there are 0. */
uint64_t input_number(struct input *input, unsigned int bytes);

/* The next bytes, at most as many as are there, in memory of just that size: free(). */
uint8_t *input_bytes(struct input *input, size_t wanted, size_t *bytes);

/* The rest as a text: free(). */
char *input_text(struct input *input);

/* The rest as a text right before a page that cannot be read: what is not built with sanitizers may
 * not look behind it either. Valid until the next call. */
const char *input_fenced_text(struct input *input);

/* -- ELF files ----------------------------------------------------------------------------------
 */

struct part {
	const char *name;
	uint32_t type, link, entry_bytes; /* link: 1 is the first part */
	const void *bytes;
	size_t size;
	uint64_t flags;
};

enum { ELF_BASE = 0x10000 }; /* the one segment holds the whole file, from this address on */

/* An x86-64 library of these sections: free(). offsets (may be NULL) gets where each part lies. */
uint8_t *fuzz_elf(const struct part *parts, size_t count, size_t *bytes, uint64_t *offsets);

/* A file of these bytes, in memory; the same one each time. */
int fuzz_file(const void *bytes, size_t count);

/* -- a JVM --------------------------------------------------------------------------------------
 */

enum {
	MEMORY_END = 0x30000, /* what lies below and is not written reads as 0 */
	MEMORY_RECORDS_END = 0xffffff,
	JAVA_PLACES_MAX = 8,
};

/*
 * A process's memory as a file, the same one each time. Input: records of an address (24 bits), a
 * count (8 bits) and that many bytes, up to the address MEMORY_RECORDS_END.
 */
int fuzz_memory(struct input *input);

/* Places to be named: address and bytecode (24 bits each) and whether it is interpreted (8). */
size_t fuzz_java_places(struct input *input, struct hotspot_place places[JAVA_PLACES_MAX]);

#endif
