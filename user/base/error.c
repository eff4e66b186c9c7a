/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The last error's sentence, one for each thread. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"

enum { MESSAGE_MAX = 1024 };

static _Thread_local char message[MESSAGE_MAX];

/* The sentence goes to a terminal and may quote a hostile name. */
static void keep(const char *sentence)
{
	text_escape(message, sizeof(message), sentence);
}

int error_set(int code, const char *format, ...)
{
	char sentence[MESSAGE_MAX]; /* an argument may be the message itself */
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	keep(sentence);
	return code;
}

int error_prefix(int code, const char *format, ...)
{
	char sentence[2 * MESSAGE_MAX + 2];
	va_list arguments;
	size_t length;

	va_start(arguments, format);
	vsnprintf(sentence, MESSAGE_MAX, format, arguments);
	va_end(arguments);
	length = strlen(sentence);
	snprintf(sentence + length, sizeof(sentence) - length, ": %s", message);
	keep(sentence);
	return code;
}

const char *error_message(void)
{
	return message;
}
