/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What goes through the sandbox's door: the requests, and their structs as bytes. Each function
 * packs or unpacks, by what its parcel is for; what is unpacked holds only what its type allows.
 */
#ifndef UNFREED_SANDBOX_MESSAGE_H
#define UNFREED_SANDBOX_MESSAGE_H

#include "base/parcel.h"
#include "hotspot/hotspot.h"
#include "hotspot/nmt.h"
#include "process/jail.h"
#include "sandbox/sandbox.h"

/* By function of sandbox/parser.h. */
enum message {
	MESSAGE_OPEN,
	MESSAGE_OPEN_BYTES,
	MESSAGE_DEBUG,
	MESSAGE_CLOSE,
	MESSAGE_PROBES,
	MESSAGE_EXITS,
	MESSAGE_SYMBOLISE,
	MESSAGE_ROWS,
	MESSAGE_PERFMAP_OPEN,
	MESSAGE_PERFMAP_CLOSE,
	MESSAGE_PERFMAP_NAMES,
	MESSAGE_JVM_OPEN,
	MESSAGE_JVM_CLOSE,
	MESSAGE_JVM_LAYOUT,
	MESSAGE_JVM_AREAS,
	MESSAGE_JVM_FACTS,
	MESSAGE_JVM_CODE_STATE,
	MESSAGE_JVM_NAMES,
	MESSAGE_DEMANGLE,
	MESSAGE_NMT,
	MESSAGES
};

/* A frame of native or of Java code. */
struct message_frame {
	uint32_t i; /* of the address that it is for */
	uint32_t line;
	const char *name, *file; /* unpacked: the parcel's */
	bool inlined, interpreted, is_java, gone;
};

void message_image(struct parcel *parcel, struct sandbox_image *image);
void message_probe(struct parcel *parcel, struct sandbox_probe *probe);
void message_leaver(struct parcel *parcel, struct sandbox_leaver *leaver);
void message_exit(struct parcel *parcel, struct sandbox_exit *exit);
void message_frame(struct parcel *parcel, struct message_frame *frame);
void message_jvm(struct parcel *parcel, struct sandbox_jvm *jvm);
void message_area(struct parcel *parcel, struct sandbox_jvm_area *area);
void message_facts(struct parcel *parcel, struct hotspot_facts *facts);
void message_nmt(struct parcel *parcel, struct nmt *nmt);
void message_place(struct parcel *parcel, struct sandbox_java_place *place);

/* What the child does: sandbox/serve.c. */
extern const struct jail_work message_work;

#endif
