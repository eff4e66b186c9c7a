/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Protocol buffers: a message is fields, each a tag (number and type) and a value. */
#include "report/wire.h"

#include <string.h>

#include "base/vec.h"

enum { WIRE_VARINT = 0, WIRE_LENGTH = 2, VARINT_MAX = 10 };

void wire_varint(struct wire *wire, uint64_t value)
{
	wire->items = mem_grow(wire->items, wire->count + VARINT_MAX, &wire->capacity, 1);
	for (; value >= 0x80; value >>= 7)
		wire->items[wire->count++] = (unsigned char)(value | 0x80);
	wire->items[wire->count++] = (unsigned char)value;
}

void wire_uint(struct wire *wire, uint32_t field, uint64_t value)
{
	if (!value)
		return;
	wire_varint(wire, field << 3 | WIRE_VARINT);
	wire_varint(wire, value);
}

void wire_bytes(struct wire *wire, uint32_t field, const void *bytes, size_t count)
{
	wire_varint(wire, field << 3 | WIRE_LENGTH);
	wire_varint(wire, count);
	wire->items = mem_grow(wire->items, wire->count + count, &wire->capacity, 1);
	memcpy(wire->items + wire->count, bytes, count);
	wire->count += count;
}

void wire_message(struct wire *wire, uint32_t field, struct wire *inner)
{
	wire_bytes(wire, field, inner->items ? inner->items : (void *)"", inner->count);
	inner->count = 0;
}
