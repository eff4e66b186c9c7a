/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#define NCURSES_WIDECHAR 1
#include "cmd/screen.h"

#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

#include "base/error.h"
#include "base/text.h"
#include "cmd/interrupt.h"

enum { ESCAPE_MS = 25, RESTORE_MAX = 128 };

static struct {
	SCREEN *curses; /* NULL: none is open */
	bool utf8, color;
	struct termios before;
	char restore[RESTORE_MAX]; /* what gives the terminal back, by itself */
	size_t restore_bytes;
} screen;

/* -- whatever ends the program -----------------------------------------------------------------
 */

/* Async-signal-safe. */
static void restore(void)
{
	if (!screen.curses)
		return;
	if (write(STDOUT_FILENO, screen.restore, screen.restore_bytes) < 0)
		return;
	tcsetattr(STDOUT_FILENO, TCSANOW, &screen.before);
}

static void on_fatal(int number)
{
	restore();
	raise(number); /* SA_RESETHAND: this time it ends the program */
}

static void catch_fatal(void)
{
	static const int numbers[] = { SIGQUIT, SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL };
	struct sigaction action = { .sa_handler = on_fatal, .sa_flags = SA_RESETHAND | SA_NODEFER };
	struct sigaction old;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		if (!sigaction(numbers[i], NULL, &old) && old.sa_handler == SIG_DFL)
			sigaction(numbers[i], &action, NULL);
}

static void keep(const char *capability)
{
	const char *text = tigetstr(capability);
	size_t bytes = text && text != (char *)-1 ? strlen(text) : 0;

	if (screen.restore_bytes + bytes > RESTORE_MAX || !bytes)
		return;
	memcpy(screen.restore + screen.restore_bytes, text, bytes);
	screen.restore_bytes += bytes;
}

/* -- opening -----------------------------------------------------------------------------------
 */

/* A program that is linked statically finds no locales: that of C with UTF-8 it has itself. */
static void choose_locale(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
	const char *wanted = NULL;

	for (size_t i = 0; i < 3 && (!wanted || !*wanted); i++)
		wanted = getenv(names[i]);
	setlocale(LC_CTYPE, "");
	screen.utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	if (screen.utf8 || !wanted || (!strcasestr(wanted, "utf-8") && !strcasestr(wanted, "utf8")))
		return;
	screen.utf8 = setlocale(LC_CTYPE, "C.UTF-8") != NULL;
}

static void choose_colors(void)
{
	screen.color = has_colors() && !getenv("NO_COLOR") && start_color() == OK;
	if (!screen.color)
		return;
	use_default_colors();
	init_pair(STYLE_UP, COLOR_RED, -1);
	init_pair(STYLE_DOWN, COLOR_GREEN, -1);
}

int screen_check(void)
{
	if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
		return 0;
	return error_set(-ENOTTY,
			 "watch needs a terminal for its keys and its screen: without "
			 "one, use 'unfreed trace -i 5s'");
}

int screen_open(void)
{
	const char *name = getenv("TERM");

	if (tcgetattr(STDOUT_FILENO, &screen.before))
		return error_set(-errno, "cannot read the terminal's settings: %s",
				 strerror(errno));
	choose_locale();
	screen.curses = newterm(NULL, stdout, stdin);
	if (!screen.curses)
		return error_set(-ENOTTY,
				 "cannot draw on a terminal of type '%s': set TERM to one that "
				 "terminfo describes here (package ncurses-base)",
				 name ? name : "");
	keep("sgr0");
	keep("rmkx");
	keep("rmcup");
	keep("cnorm");
	catch_fatal();
	interrupt_abandon_by(restore);
	atexit(restore);
	cbreak();
	noecho();
	nonl();
	choose_colors();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(ESCAPE_MS);
	return 0;
}

void screen_close(void)
{
	if (!screen.curses)
		return;
	endwin();
	delscreen(screen.curses);
	screen.curses = NULL;
}

bool screen_is_open(void)
{
	return screen.curses;
}

bool screen_is_gone(void)
{
	struct pollfd terminal = { .fd = STDIN_FILENO };

	return poll(&terminal, 1, 0) == 1;
}

int screen_lines(void)
{
	return LINES;
}

int screen_columns(void)
{
	return COLS;
}

/* -- drawing -----------------------------------------------------------------------------------
 */

void screen_begin(void)
{
	erase();
}

static attr_t attributes_of(enum screen_style style)
{
	switch (style) {
	case STYLE_PLAIN:
		return A_NORMAL;
	case STYLE_BOLD:
		return A_BOLD;
	case STYLE_DIM:
		return A_DIM;
	case STYLE_TITLE:
		return A_REVERSE;
	case STYLE_CHOSEN:
		return A_REVERSE | A_BOLD;
	case STYLE_UP:
	case STYLE_DOWN:
		return screen.color ? COLOR_PAIR(style) : A_NORMAL;
	}
	return A_NORMAL;
}

void screen_put(int line, int column, int width, enum screen_style style, const char *text)
{
	if (line < 0 || line >= LINES || column < 0 || column >= COLS)
		return;
	if (width > COLS - column)
		width = COLS - column;
	attrset(attributes_of(style));
	move(line, column);
	while (*text && width > 0) {
		const char *at = text;
		uint32_t character = text_next(&text);
		int cells = character < 0x80 ? 1 : wcwidth((wchar_t)character);

		if (!screen.utf8 && character >= 0x80) {
			at = "?";
			cells = 1;
		}
		if (cells < 0 || cells > width || text_is_control(character))
			break;
		addnstr(at, *at == '?' ? 1 : (int)(text - at));
		width -= cells;
	}
	for (; width > 0; width--)
		addch(' ');
	attrset(A_NORMAL);
}

void screen_show(int line, int column)
{
	curs_set(line >= 0);
	if (line >= 0)
		move(line, column);
	refresh();
}

const char *screen_bar(unsigned long long part, unsigned long long whole)
{
	static const char *const bars[] = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
	static const char *const letters[] = { "_", ".", "-", "=", "+", "*", "#", "@" };
	unsigned long long height = 0;

	if (!part)
		return " ";
	if (whole)
		height = (unsigned long long)((double)part / (double)whole * 7.999);
	return (screen.utf8 ? bars : letters)[height > 7 ? 7 : height];
}

/* -- keys --------------------------------------------------------------------------------------
 */

int screen_key(void)
{
	static const struct {
		int curses, key;
	} keys[] = {
		{ KEY_UP, SCREEN_UP },		{ KEY_DOWN, SCREEN_DOWN },
		{ KEY_LEFT, SCREEN_LEFT },	{ KEY_RIGHT, SCREEN_RIGHT },
		{ KEY_PPAGE, SCREEN_PAGE_UP },	{ KEY_NPAGE, SCREEN_PAGE_DOWN },
		{ KEY_HOME, SCREEN_HOME },	{ KEY_END, SCREEN_END },
		{ KEY_ENTER, SCREEN_ENTER },	{ '\r', SCREEN_ENTER },
		{ KEY_RESIZE, SCREEN_RESIZED }, { KEY_BACKSPACE, SCREEN_BACKSPACE },
		{ 127, SCREEN_BACKSPACE },	{ '\b', SCREEN_BACKSPACE },
	};
	int key = getch();

	if (key == ERR)
		return SCREEN_NO_KEY;
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (key == keys[i].curses)
			return keys[i].key;
	return key < 0x100 ? key : SCREEN_OTHER;
}
