/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the sandbox's child has been handed, kept to be handed to the next one. */
#ifndef UNFREED_SANDBOX_HELD_H
#define UNFREED_SANDBOX_HELD_H

#include "base/parcel.h"
#include "process/jail.h"
#include "sandbox/message.h"

enum held_kind { HELD_NONE, HELD_IMAGE, HELD_PERFMAP, HELD_JVM };

struct held {
	enum held_kind kind;
	bool lost; /* a child died of it: it is not handed over again */
	uint32_t id; /* as our callers know it */
	uint32_t number; /* as the child knows it */
	uint32_t generation; /* that child */
	uint32_t image; /* a JVM's, by our id */
	uint64_t bias;
	/* An image's file, its debug file and that one's own; a JVM's memory and pagemap. */
	int fds[JAIL_FDS_MAX];
	VEC(uint8_t) bytes; /* of an image from memory */
};

struct sandbox {
	struct jail *jail;
	VEC(struct held *) held; /* by id */
	struct parcel request, reply;
};

/* A new one, with a free id. Pointers to it last until held_drop. */
struct held *held_new(struct sandbox *sandbox, enum held_kind kind);
/* By its id; NULL, with a sentence: none of this kind has it. */
struct held *held_get(struct sandbox *sandbox, enum held_kind kind, uint32_t id);
/* Forgets it, and closes its files. The child is not told. */
void held_drop(struct sandbox *sandbox, struct held *held);
/* Tells the child, too, and forgets it. */
void held_close(struct sandbox *sandbox, enum held_kind kind, enum message message, uint32_t id);

/* Keeps a duplicate of fd (-1: none) in its place. Returns 0 or -errno with a sentence. */
int held_keep(struct held *held, int place, int fd);

/*
 * Hands over a new image, whose files have been kept (else error says why not), for the first time.
 * Returns 0 and *image, or an error, after which it is dropped.
 */
int held_enter(struct sandbox *sandbox, struct held *held, int error, struct sandbox_image *image);

/* Gives an image its debug files, in the child alone. */
int held_debug(struct sandbox *sandbox, struct held *held, int fd, int alt_fd);

/*
 * Sees to it that the child has it, and begins a request with its number. Returns 0, or a negative
 * errno with a sentence.
 */
int held_begin(struct sandbox *sandbox, struct held *held);

/* Sends the request that was begun; the reply is to be unpacked. Returns as jail_ask. */
int held_ask(struct sandbox *sandbox, struct held *held, enum message message);

#endif
