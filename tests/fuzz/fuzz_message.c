/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the sandbox's child may answer when it has been taken over: the first byte says as what its
 * bytes are taken.
 */
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "fuzz.h"
#include "sandbox/message.h"

#define expect_ends(array) fuzz_expect(memchr(array, 0, sizeof(array)))

static void take_image(struct parcel *reply)
{
	struct sandbox_image image = { 0 };

	message_image(reply, &image);
	fuzz_expect(image.segment_count <= SANDBOX_SEGMENTS_MAX);
	fuzz_expect(image.build_id_bytes <= SANDBOX_BUILD_ID_MAX);
	expect_ends(image.debuglink);
	expect_ends(image.altlink);
	expect_ends(image.glibc_version);
	fuzz_end("image of %u segments, %s", image.segment_count, image.debuglink);
}

static void take_probe(struct parcel *reply)
{
	struct sandbox_probe probe = { 0 };

	message_probe(reply, &probe);
	expect_ends(probe.instruction);
	expect_ends(probe.why);
	fuzz_expect(probe.cost == PLACE_EMULATED || probe.cost == PLACE_SINGLE_STEP);
	fuzz_end("probe, cost %d", probe.cost);
}

static void take_frames(struct parcel *reply)
{
	size_t frames = 0, texts = 0;

	while (!reply->failed && reply->at < reply->bytes.count) {
		struct message_frame frame = { 0 };

		message_frame(reply, &frame);
		frames += !reply->failed;
		texts += frame.name ? strlen(frame.name) : 0;
		texts += frame.file ? strlen(frame.file) : 0;
	}
	fuzz_expect(texts <= reply->bytes.count);
	fuzz_end("%zu frames, %zu bytes of text", frames, texts);
}

static void take_jvm(struct parcel *reply)
{
	struct sandbox_jvm jvm = { 0 };
	struct hotspot_facts facts = { 0 };
	struct sandbox_jvm_area area = { 0 };

	message_jvm(reply, &jvm);
	fuzz_expect(jvm.heap_count <= SANDBOX_CODE_HEAPS_MAX);
	message_facts(reply, &facts);
	expect_ends(facts.release);
	expect_ends(facts.nmt);
	expect_ends(facts.collector);
	message_area(reply, &area);
	fuzz_expect(area.kind <= SANDBOX_JVM_GC);
	fuzz_end("JVM %u, %u heaps, %s", jvm.version, jvm.heap_count, facts.collector);
}

static void take_exits(struct parcel *reply)
{
	struct sandbox_leaver leaver = { 0 };
	struct sandbox_exit exit = { 0 };
	size_t count;

	message_leaver(reply, &leaver);
	expect_ends(leaver.why);
	parcel_count(reply, &count, 17);
	fuzz_expect(count <= reply->bytes.count / 17);
	for (size_t i = 0; i < count; i++)
		message_exit(reply, &exit);
	fuzz_end("%zu exits, %s", count, reply->failed ? "broken" : "whole");
}

static void take_nmt(struct parcel *reply)
{
	static struct nmt nmt;

	nmt = (struct nmt){ 0 };
	message_nmt(reply, &nmt);
	fuzz_expect(nmt.category_count <= NMT_CATEGORIES_MAX && nmt.site_count <= NMT_SITES_MAX);
	for (size_t i = 0; i < nmt.category_count; i++)
		expect_ends(nmt.categories[i].name);
	for (size_t i = 0; i < nmt.site_count; i++)
		expect_ends(nmt.sites[i].frames);
	fuzz_end("NMT, %zu categories, %zu sites", nmt.category_count, nmt.site_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const kinds[])(struct parcel * reply) = { take_image, take_probe, take_frames,
								take_jvm,   take_exits, take_nmt };
	struct input input = { data, size };
	size_t kind = input_number(&input, 1) % (sizeof(kinds) / sizeof(kinds[0]));
	struct parcel reply = { .unpacking = true };
	size_t bytes;

	reply.bytes.items = input_bytes(&input, SIZE_MAX, &bytes);
	reply.bytes.count = reply.bytes.capacity = bytes;
	kinds[kind](&reply);
	fuzz_expect(reply.at <= bytes);
	parcel_free(&reply);
	return 0;
}
