/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "collect/batch.h"

#include <errno.h>

#include "collect/internal.h"
#include "collect/skeleton.h"

/* A bucket longer than the batch asks for a larger one (ENOSPC). */
int batch_read(int fd, size_t key_bytes, size_t value_bytes, batch_take *take, void *context)
{
	uint32_t room = 16384, count;
	uint64_t cursor = 0;
	bool started = false;
	int error = 0;

	while (!error) {
		char *keys = mem_array(room, key_bytes), *values = mem_array(room, value_bytes);

		count = room;
		if (bpf_map_lookup_batch(fd, started ? &cursor : NULL, &cursor, keys, values,
					 &count, NULL))
			error = -errno;
		if (error == -ENOSPC && room < 1U << 24) {
			room *= 4;
			error = 0;
			count = 0;
		} else {
			started = true;
		}
		if (error && error != -ENOENT)
			count = 0;
		for (uint32_t i = 0; i < count; i++)
			take(context, keys + i * key_bytes, values + i * value_bytes);
		mem_free(keys);
		mem_free(values);
	}
	return error == -ENOENT ? 0 : error;
}

struct blocks {
	batch_take *take;
	void *context;
};

static void take_bucket(void *context, const void *key, const void *value)
{
	const struct blocks *blocks = context;
	const struct abi_bucket *bucket = value;

	(void)key;
	for (int i = 0; i < ABI_SLOTS; i++) {
		if (bucket->slots[i].key.address)
			blocks->take(blocks->context, &bucket->slots[i].key,
				     &bucket->slots[i].block);
	}
}

int batch_read_blocks(struct collect *collect, batch_take *take, void *context)
{
	struct unfreed *skeleton = collect->skeleton;
	struct blocks blocks = { take, context };
	int error;

	error = batch_read(bpf_map__fd(skeleton->maps.buckets), sizeof(uint32_t),
			   sizeof(struct abi_bucket), take_bucket, &blocks);
	if (!error && skeleton->bss->overflowed)
		error = batch_read(bpf_map__fd(skeleton->maps.blocks), sizeof(struct abi_block_key),
				   sizeof(struct abi_block), take, context);
	return error;
}

int batch_read_sites(struct collect *collect, batch_take *take, void *context)
{
	return batch_read(bpf_map__fd(collect->skeleton->maps.sites), sizeof(struct abi_site_key),
			  sizeof(struct abi_site), take, context);
}
