/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef UNFREED_CMD_WATCH_HEAD_H
#define UNFREED_CMD_WATCH_HEAD_H

#include "cmd/watch.h"

/* Draws the title, and as many lines below it as the screen has room for; the line behind them. */
int watch_head(const struct watch *watch);

#endif
