/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The live set: who is outstanding, by address space and address. Most blocks die young; they live
 * and die in a table of buckets, which costs a few loads and stores. A block whose bucket is full
 * goes to a hash map.
 *
 * An address is in the hands of one thread from its allocation to its return to the program, and of
 * one thread again once its free is entered: so a filled slot has one owner, and only the claim of
 * an empty one is contended.
 */
#ifndef UNFREED_LIVE_BPF_H
#define UNFREED_LIVE_BPF_H

#include "state.bpf.h"

extern struct buckets_map buckets SEC(".maps");
extern struct blocks_map blocks SEC(".maps");
extern __u32 overflowed;

static __always_inline struct abi_bucket *live_bucket(const struct abi_block_key *key)
{
	__u32 index = abi_bucket_index(key->address);

	return bpf_map_lookup_elem(&buckets, &index);
}

static __always_inline bool slot_holds(const struct abi_slot *slot, const struct abi_block_key *key)
{
	return slot->key.address == key->address && slot->key.mm == key->mm;
}

static __always_inline bool take_from_map(const struct abi_block_key *key, struct abi_block *block)
{
	struct abi_block *live;

	if (!overflowed)
		return false;
	live = bpf_map_lookup_elem(&blocks, key);
	if (!live)
		return false;
	*block = *live;
	return bpf_map_delete_elem(&blocks, key) == 0;
}

/* Takes a block out of the live set. True: it was there, and *block is it. */
static __always_inline bool live_take(const struct abi_block_key *key, struct abi_block *block)
{
	struct abi_bucket *bucket = live_bucket(key);

	for (int i = 0; bucket && i < ABI_SLOTS; i++) {
		struct abi_slot *slot = &bucket->slots[i];

		if (!slot_holds(slot, key))
			continue;
		*block = slot->block;
		*(volatile __u64 *)&slot->key.address = 0;
		return true;
	}
	return take_from_map(key, block);
}

/*
 * Fills a slot if it is empty and nobody else is about to. Whoever reads 1 behind its own addition
 * is alone: all who come later add to it. (A compare-and-exchange would need 5.12, 5ffa25502b5a.)
 */
static __always_inline bool slot_fill(struct abi_slot *slot, const struct abi_block_key *key,
				      const struct abi_block *block)
{
	bool filled = false;

	__sync_fetch_and_add(&slot->claims, 1);
	if (*(volatile __u64 *)&slot->claims == 1 && !*(volatile __u64 *)&slot->key.address) {
		slot->block = *block;
		slot->key.mm = key->mm;
		*(volatile __u64 *)&slot->key.address = key->address;
		filled = true;
	}
	__sync_fetch_and_add(&slot->claims, -1);
	return filled;
}

/* Puts a block into the live set, which does not hold its key. False: there is no room. */
static __always_inline bool live_put(const struct abi_block_key *key, const struct abi_block *block)
{
	struct abi_bucket *bucket = live_bucket(key);

	for (int i = 0; bucket && i < ABI_SLOTS; i++) {
		struct abi_slot *slot = &bucket->slots[i];

		if (!slot->key.address && slot_fill(slot, key, block))
			return true;
	}
	overflowed = 1;
	return bpf_map_update_elem(&blocks, key, block, BPF_NOEXIST) == 0;
}

#endif
