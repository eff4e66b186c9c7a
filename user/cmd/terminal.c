/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Standard output as a terminal. */
#include "cmd/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

void terminal_look(const char *output, int *columns, bool *color)
{
	const char *term = getenv("TERM");
	struct winsize size;

	if (output || !isatty(STDOUT_FILENO))
		return;
	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size))
		*columns = size.ws_col;
	*color = !getenv("NO_COLOR") && term && strcmp(term, "dumb");
}
