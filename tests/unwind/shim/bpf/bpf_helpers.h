/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Stands in for libbpf's header where BPF code is built natively: helpers are the test's functions.
 */
#ifndef UNFREED_SHIM_BPF_HELPERS_H
#define UNFREED_SHIM_BPF_HELPERS_H

#include <linux/types.h>

/* Functions that the verifier is to take one by one are global, and have no header. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#define SEC(name)
#define __hidden
#define __noinline __attribute__((noinline))
#define barrier() __asm__ volatile("" ::: "memory")
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#define __uint(name, value) int(*name)[value]
#define __type(name, value) __typeof__(value) *name

void *bpf_map_lookup_elem(void *map, const void *key);
__u64 bpf_ktime_get_ns(void);
long bpf_probe_read_user(void *to, __u32 bytes, const void *from);

#endif
