/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reads the kernel side's maps. */
#ifndef UNFREED_COLLECT_BATCH_H
#define UNFREED_COLLECT_BATCH_H

#include <stddef.h>

struct collect;

typedef void batch_take(void *context, const void *key, const void *value);

/* Calls take for each element of a hash map or array. Returns 0 or -errno. */
int batch_read(int fd, size_t key_bytes, size_t value_bytes, batch_take *take, void *context);

/* Calls take for each live block: struct abi_block_key and struct abi_block. Returns 0 or -errno. */
int batch_read_blocks(struct collect *collect, batch_take *take, void *context);

/* The same for each site: struct abi_site_key and struct abi_site. */
int batch_read_sites(struct collect *collect, batch_take *take, void *context);

#endif
