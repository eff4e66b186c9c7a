/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The generated skeleton, with the types of the globals in it. */
#ifndef UNFREED_COLLECT_SKELETON_H
#define UNFREED_COLLECT_SKELETON_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "thread.bpf.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-function"
#include "unfreed.skel.h"
#pragma GCC diagnostic pop

#endif
