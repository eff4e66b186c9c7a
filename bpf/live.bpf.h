/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The live set: who is outstanding, by address space and address, and the sums of each stack. Most
 * blocks die young; they live and die in a table of buckets, which costs a few loads and stores. A
 * block whose bucket is full goes to a hash map.
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
extern __u32 windowed;
extern __u64 epoch_ns;

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

/* -- what a block stands for, and the sums of its stack --------------------------------------- */

/* Without sampling, the compiler is to see that a block counts as itself. */
static __always_inline __u64 weight_bytes(const struct abi_block *block)
{
	return run_config.sample_bytes ? abi_weight_bytes(block, run_config.sample_bytes)
				       : block->bytes;
}

static __always_inline __u64 weight_units(const struct abi_block *block)
{
	return run_config.sample_bytes ? abi_weight_units(block, run_config.sample_bytes)
				       : ABI_BLOCK_UNITS;
}

/* A window is short enough: nothing is left to chance in it. */
static __always_inline bool is_sampling(void)
{
	return run_config.sample_bytes && !windowed;
}

/* A free of an unknown block says nothing where not all are known. */
static __always_inline bool is_partial(void)
{
	return run_config.sample_bytes || windowed;
}

/* Whether a new block of bytes is to be counted. */
static __always_inline bool draw(__u64 bytes)
{
	return !is_sampling() ||
	       (__u64)bpf_get_prandom_u32() * run_config.sample_bytes >> 32 < bytes;
}

/* Books a block that was taken as given back. */
static __always_inline void block_book_free(__u64 mm, const struct abi_block *block)
{
	struct abi_site_key key = { .mm = mm, .stack_id = block->stack_id };
	struct abi_site *site = bpf_map_lookup_elem(&sites, &key);

	if (!site)
		return;
	__sync_fetch_and_sub(&site->live_bytes, weight_bytes(block));
	__sync_fetch_and_sub(&site->live_units, weight_units(block));
}

static __always_inline struct abi_block_key block_key(__u64 mm, __u64 space, __u64 address)
{
	return (struct abi_block_key){ .mm = mm, .address = space << 48 | address };
}

static __always_inline void block_insert(const struct thread *thread, __u64 address,
					 struct abi_block *block, struct abi_site *site)
{
	struct abi_block_key key = block_key(thread->mm, thread->space, address);
	__u64 mm = thread->mm;
	struct abi_block stale;

	if (address >> 48) {
		lose(LOSS_FAR_ADDRESSES, 1);
		return;
	}
	if (live_take(&key, &stale)) {
		/* While probes were off, or came off, its free was none that could be seen. */
		if (windowed || stale.time_ns < epoch_ns)
			count(COUNTER_RECAPTURES);
		else
			lose(LOSS_REUSED_ADDRESSES, 1);
		block_book_free(mm, &stale);
	}
	if (!live_put(&key, block)) {
		lose(LOSS_BLOCKS_FULL, 1);
		return;
	}
	/* Whoever reads in between sees no more live than allocated. */
	__sync_fetch_and_add(&site->allocated_bytes, weight_bytes(block));
	__sync_fetch_and_add(&site->allocated_units, weight_units(block));
	__sync_fetch_and_add(&site->live_bytes, weight_bytes(block));
	__sync_fetch_and_add(&site->live_units, weight_units(block));
}

#endif
