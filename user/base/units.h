/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sizes and times as people write them. */
#ifndef UNFREED_BASE_UNITS_H
#define UNFREED_BASE_UNITS_H

#include <stddef.h>
#include <stdint.h>

enum { UNITS_TEXT_MAX = 24 };

/*
 * "512", "64K", "1.5M", "2G", "1T" (1024 each; an optional B or iB may follow) to bytes.
 * Returns 0, -EINVAL (not a size) or -ERANGE.
 */
int units_parse_bytes(const char *text, uint64_t *bytes);

/* "10" (seconds), "500ms", "1.5s", "2m", "1h" to nanoseconds. Returns 0, -EINVAL or -ERANGE. */
int units_parse_time(const char *text, uint64_t *time_ns);

/*
 * Bytes for a human: "0 B", "999 B", "1.0 KiB", "12.3 MiB", "123 GiB": three digits, at most 8
 * characters. buffer holds at least UNITS_TEXT_MAX characters. Returns buffer.
 */
char *units_format_bytes(char *buffer, uint64_t bytes);

/* Thousands grouped by commas: "1,234,567". Returns buffer. */
char *units_format_count(char *buffer, uint64_t count);

/* A duration for a human: "850 ms", "1.2 s", "59 s", "3 min 20 s", "2 h 5 min". Returns buffer. */
char *units_format_time(char *buffer, uint64_t time_ns);

#endif
