/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An allocator to be preloaded, or bundled with a plugin: small blocks from a pool of its own,
 * large ones from the C library, and realloc moves a block from the one to the other.
 */
#include <pthread.h>
#include <stddef.h>
#include <string.h>

enum { SLOT = 256, SLOTS = 1 << 18 };

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *block, size_t bytes);
extern void __libc_free(void *block);

static _Alignas(64) unsigned char pool[SLOTS][SLOT];
static void *free_slots;
static size_t used;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int is_pooled(const void *block)
{
	return (const unsigned char *)block >= pool[0] &&
	       (const unsigned char *)block < pool[SLOTS];
}

static void *slot_get(void)
{
	void *slot = NULL;

	pthread_mutex_lock(&lock);
	if (free_slots) {
		slot = free_slots;
		memcpy(&free_slots, slot, sizeof(free_slots));
	} else if (used < SLOTS) {
		slot = pool[used++];
	}
	pthread_mutex_unlock(&lock);
	return slot;
}

static void slot_put(void *slot)
{
	pthread_mutex_lock(&lock);
	memcpy(slot, &free_slots, sizeof(free_slots));
	free_slots = slot;
	pthread_mutex_unlock(&lock);
}

void *malloc(size_t bytes)
{
	void *slot = bytes <= SLOT ? slot_get() : NULL;

	return slot ? slot : __libc_malloc(bytes);
}

#ifdef __x86_64__
/* operator new(size_t, const std::nothrow_t &), as mimalloc 3 has it. */
__asm__(".globl _ZnwmRKSt9nothrow_t\n"
	".type _ZnwmRKSt9nothrow_t, @function\n"
	"_ZnwmRKSt9nothrow_t:\n"
	"	.cfi_startproc\n"
	"	jmp malloc@PLT\n"
	"	.cfi_endproc\n"
	".size _ZnwmRKSt9nothrow_t, . - _ZnwmRKSt9nothrow_t\n");
#endif

/* Without a call of malloc, as mimalloc 3 has it. */
char *strdup(const char *text)
{
	size_t bytes = strlen(text) + 1;
	void *slot = bytes <= SLOT ? slot_get() : NULL;

	if (!slot)
		slot = __libc_malloc(bytes);
	return slot ? memcpy(slot, text, bytes) : NULL;
}

void *calloc(size_t count, size_t bytes)
{
	size_t all;
	void *slot;

	if (__builtin_mul_overflow(count, bytes, &all) || all > SLOT)
		return __libc_calloc(count, bytes);
	slot = slot_get();
	return slot ? memset(slot, 0, SLOT) : __libc_calloc(count, bytes);
}

void free(void *block)
{
	if (is_pooled(block))
		slot_put(block);
	else
		__libc_free(block);
}

/* A block of the pool that grows becomes one of the C library's, the other way round never. */
void *realloc(void *block, size_t bytes)
{
	void *moved;

	if (!block)
		return malloc(bytes);
	if (!is_pooled(block))
		return __libc_realloc(block, bytes);
	if (!bytes) {
		slot_put(block);
		return NULL;
	}
	if (bytes <= SLOT)
		return block;
	moved = __libc_malloc(bytes);
	if (moved) {
		memcpy(moved, block, SLOT);
		slot_put(block);
	}
	return moved;
}
