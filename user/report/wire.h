/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Messages of protocol buffers (the encoding of version 3), appended to bytes in memory. */
#ifndef UNFREED_REPORT_WIRE_H
#define UNFREED_REPORT_WIRE_H

#include <stddef.h>
#include <stdint.h>

struct wire {
	unsigned char *items;
	size_t count, capacity;
};

/* A number; nothing when it is 0, which is what a missing field means. */
void wire_uint(struct wire *wire, uint32_t field, uint64_t value);
void wire_bytes(struct wire *wire, uint32_t field, const void *bytes, size_t count);
/* A message within a message, or numbers packed by wire_varint. Empties inner. */
void wire_message(struct wire *wire, uint32_t field, struct wire *inner);
void wire_varint(struct wire *wire, uint64_t value);

#endif
