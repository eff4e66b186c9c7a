/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Text that came from a hostile place: names of functions, files, processes and containers. It may
 * hold invalid UTF-8, terminal escapes or characters that turn the direction of writing.
 */
#ifndef UNFREED_BASE_TEXT_H
#define UNFREED_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What stands for a byte that is no UTF-8. */
enum { TEXT_REPLACEMENT = 0xfffd };

/*
 * Decodes the character at *text (not at its end) and steps over it. A byte that starts no valid
 * sequence (overlong forms, surrogates and cut sequences included) is stepped over alone and gives
 * TEXT_REPLACEMENT.
 */
uint32_t text_next(const char **text);

/* Encodes character at buffer (4 bytes or more); the bytes written. */
size_t text_encode(char *buffer, uint32_t character);

/* Whether character does something on a terminal other than to be seen: controls, and what changes
 * the direction or has no width. */
bool text_is_control(uint32_t character);

enum { TEXT_PIECE_MAX = 16 };

/* One character as text_escape writes it, without a NUL, into piece; its bytes. */
size_t text_escape_one(char piece[TEXT_PIECE_MAX], uint32_t character);

/*
 * Copies text into buffer for people to read: controls become \x1b or \u{202e}, bytes that are no
 * UTF-8 U+FFFD. Cut at a character's border when the buffer is full. Returns the characters (not
 * bytes) in buffer.
 */
size_t text_escape(char *buffer, size_t buffer_bytes, const char *text);

#endif
