/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sizes and times as people write them. Integers all the way: "0.1G" and 2^63 come out exactly. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/units.h"

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit byte_units[] = {
	{ "", 1 },
	{ "B", 1 },
	{ "K", 1ull << 10 },
	{ "KB", 1ull << 10 },
	{ "KiB", 1ull << 10 },
	{ "M", 1ull << 20 },
	{ "MB", 1ull << 20 },
	{ "MiB", 1ull << 20 },
	{ "G", 1ull << 30 },
	{ "GB", 1ull << 30 },
	{ "GiB", 1ull << 30 },
	{ "T", 1ull << 40 },
	{ "TB", 1ull << 40 },
	{ "TiB", 1ull << 40 },
	{ NULL, 0 },
};

static const struct unit time_units[] = {
	{ "", 1000000000 },
	{ "ns", 1 },
	{ "us", 1000 },
	{ "ms", 1000000 },
	{ "s", 1000000000 },
	{ "m", 60 * 1000000000ull },
	{ "min", 60 * 1000000000ull },
	{ "h", 3600 * 1000000000ull },
	{ "d", 24 * 3600 * 1000000000ull },
	{ NULL, 0 },
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* number[.fraction][unit] times the unit's factor, rounded down. */
static int parse(const char *text, const struct unit *units, uint64_t *value)
{
	uint64_t whole = 0, fraction = 0, denominator = 1;
	unsigned __int128 product;

	if (!is_digit(*text))
		return -EINVAL;
	for (; is_digit(*text); text++)
		if (__builtin_mul_overflow(whole, 10, &whole) ||
		    __builtin_add_overflow(whole, *text - '0', &whole))
			return -ERANGE;
	if (*text == '.') {
		if (!is_digit(*++text))
			return -EINVAL;
		for (; is_digit(*text); text++) {
			if (denominator >= 1000000000000000000)
				continue; /* below any unit */
			fraction = fraction * 10 + (*text - '0');
			denominator *= 10;
		}
	}
	for (; units->name && strcasecmp(units->name, text); units++)
		;
	if (!units->name)
		return -EINVAL;
	product = (unsigned __int128)whole * units->factor +
		  (unsigned __int128)fraction * units->factor / denominator;
	if (product > UINT64_MAX)
		return -ERANGE;
	*value = product;
	return 0;
}

int units_parse_bytes(const char *text, uint64_t *bytes)
{
	return parse(text, byte_units, bytes);
}

int units_parse_time(const char *text, uint64_t *time_ns)
{
	return parse(text, time_units, time_ns);
}

char *units_format_bytes(char *buffer, uint64_t bytes)
{
	static const char *const names[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = bytes;
	unsigned int i = 0;

	for (; value >= 999.5; i++)
		value /= 1024;
	snprintf(buffer, UNITS_TEXT_MAX, i && value < 99.95 ? "%.1f %s" : "%.0f %s", value,
		 names[i]);
	return buffer;
}

char *units_format_count(char *buffer, uint64_t count)
{
	char digits[UNITS_TEXT_MAX];
	size_t length, i;
	char *end = buffer;

	/* 2^64 has 20 digits and 6 commas: more than a buffer holds */
	if (count > 999999999999999999) {
		snprintf(buffer, UNITS_TEXT_MAX, "%llu", (unsigned long long)count);
		return buffer;
	}
	length = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)count);
	for (i = 0; i < length; i++) {
		if (i && (length - i) % 3 == 0)
			*end++ = ',';
		*end++ = digits[i];
	}
	*end = '\0';
	return buffer;
}

/* Rounded down: an age is never overstated. */
char *units_format_time(char *buffer, uint64_t time_ns)
{
	const unsigned long long microseconds = time_ns / 1000, seconds = time_ns / 1000000000;

	if (!time_ns)
		snprintf(buffer, UNITS_TEXT_MAX, "0 s");
	else if (microseconds < 1)
		snprintf(buffer, UNITS_TEXT_MAX, "%llu ns", (unsigned long long)time_ns);
	else if (microseconds < 1000)
		snprintf(buffer, UNITS_TEXT_MAX, "%llu us", microseconds);
	else if (seconds < 1)
		snprintf(buffer, UNITS_TEXT_MAX, "%llu ms", microseconds / 1000);
	else if (seconds < 10 && microseconds / 100000 % 10)
		snprintf(buffer, UNITS_TEXT_MAX, "%llu.%llu s", seconds,
			 microseconds / 100000 % 10);
	else if (seconds < 60)
		snprintf(buffer, UNITS_TEXT_MAX, "%llu s", seconds);
	else if (seconds < 3600)
		snprintf(buffer, UNITS_TEXT_MAX, "%llu min %llu s", seconds / 60, seconds % 60);
	else if (seconds < 24 * 3600)
		snprintf(buffer, UNITS_TEXT_MAX, "%llu h %llu min", seconds / 3600,
			 seconds / 60 % 60);
	else
		snprintf(buffer, UNITS_TEXT_MAX, "%llu d %llu h", seconds / 86400,
			 seconds / 3600 % 24);
	return buffer;
}
