/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* HotSpot's packed numbers, UNSIGNED5: a byte of 192 and more has another one behind it. */
#ifndef UNFREED_HOTSPOT_PACKED_H
#define UNFREED_HOTSPOT_PACKED_H

#include "hotspot/memory.h"

struct packed {
	struct memory *memory;
	uint64_t at;
	uint8_t excluded; /* lowest byte in use: 0, or 1 from JDK 20 on (JDK-8292758) */
};

static inline uint32_t packed_unsigned(struct packed *packed)
{
	uint32_t sum = 0;

	for (int i = 0; i < 5; i++) {
		uint32_t byte = memory_u8(packed->memory, packed->at++);

		sum += (byte - packed->excluded) << (6 * i);
		if (byte < 192 || packed->memory->failed)
			break;
	}
	return sum;
}

/* The sign is the lowest bit. */
static inline int32_t packed_signed(struct packed *packed)
{
	uint32_t value = packed_unsigned(packed);

	return (int32_t)(value >> 1 ^ -(value & 1));
}

#endif
