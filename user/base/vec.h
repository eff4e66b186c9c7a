/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Growable arrays: struct { TYPE *items; size_t count, capacity; }. Memory that cannot be had ends
 * the program (a tracer without memory has nothing to say), so no caller checks for it.
 */
#ifndef UNFREED_BASE_VEC_H
#define UNFREED_BASE_VEC_H

#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#define VEC(type)                       \
	struct {                        \
		type *items;            \
		size_t count, capacity; \
	}

/* Appends a zeroed item; its address, valid until the next append. */
#define vec_add(vec)                                                               \
	((vec)->items = mem_grow((vec)->items, (vec)->count + 1, &(vec)->capacity, \
				 sizeof(*(vec)->items)),                           \
	 memset(&(vec)->items[(vec)->count], 0, sizeof(*(vec)->items)),            \
	 &(vec)->items[(vec)->count++])

#define vec_for_each(item, vec)                              \
	for (__typeof__(*(vec)->items) *item = (vec)->items; \
	     item && item != (vec)->items + (vec)->count; item++)

#define vec_free(vec) \
	(mem_free((vec)->items), (vec)->items = NULL, (vec)->count = (vec)->capacity = 0)

/* malloc and kin that abort with a line on stderr instead of returning NULL. */
void *mem_alloc(size_t bytes); /* zeroed */
void *mem_array(size_t count, size_t bytes); /* zeroed, overflow checked */
char *mem_string(const char *text); /* a copy; NULL gives NULL */
char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *mem_vprintf(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));
void mem_free(void *memory);

/* Room for count items; new ones are zeroed. Used by vec_add. */
void *mem_grow(void *items, size_t count, size_t *capacity, size_t item_bytes);

#endif
