/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Stands in for the kernel's types where BPF code is built natively. */
#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>
