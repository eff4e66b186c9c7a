/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The terminal as a screen of lines, by ncurses: the only place that knows of it. There is one, as
 * there is one terminal. Whatever ends the program but SIGKILL, the terminal is as it was.
 */
#ifndef UNFREED_CMD_SCREEN_H
#define UNFREED_CMD_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

enum screen_style {
	STYLE_PLAIN,
	STYLE_BOLD,
	STYLE_DIM,
	STYLE_TITLE, /* a line of another colour */
	STYLE_CHOSEN,
	STYLE_UP, /* grows */
	STYLE_DOWN,
};

/* Keys that are no characters. */
enum screen_key {
	SCREEN_NO_KEY = -1,
	SCREEN_ENTER = '\n',
	SCREEN_ESCAPE = 27,
	SCREEN_UP = 0x1000,
	SCREEN_DOWN,
	SCREEN_LEFT,
	SCREEN_RIGHT,
	SCREEN_PAGE_UP,
	SCREEN_PAGE_DOWN,
	SCREEN_HOME,
	SCREEN_END,
	SCREEN_BACKSPACE,
	SCREEN_RESIZED,
	SCREEN_OTHER,
};

/* Whether standard input and output are a terminal. 0, or -errno with a sentence. */
int screen_check(void);

/* Takes the terminal that standard input and output are. 0, or -errno with a sentence. */
int screen_open(void);

/* Gives it back. Without a screen nothing happens. */
void screen_close(void);

bool screen_is_open(void);

/* Whether the terminal is no more. */
bool screen_is_gone(void);

int screen_lines(void);
int screen_columns(void);

/* A new picture: all is empty. */
void screen_begin(void);

/*
 * Writes text (UTF-8, nothing that acts on a terminal) at column of line, in width columns: what is
 * longer is cut, what is left over is filled. Out of the screen nothing happens.
 */
void screen_put(int line, int column, int width, enum screen_style style, const char *text);

/* Shows the picture; the cursor stands at column of line, or is hidden where line is negative. */
void screen_show(int line, int column);

/* The next key that waits: a byte of text, or one of enum screen_key. */
int screen_key(void);

/* A bar for part of whole, of 8 heights; 0 is the lowest only where whole is, too. */
const char *screen_bar(unsigned long long part, unsigned long long whole);

#endif
