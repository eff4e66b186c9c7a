/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Names of frames, and how to make them short. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "report/label.h"

const char *label_basename(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

static bool is_libc(const char *module)
{
	static const char *const prefixes[] = {
		"libc.so", "libc-2.",	  "libc.musl",	 "ld-linux",
		"ld-musl", "libjemalloc", "libtcmalloc", "libmimalloc",
	};
	size_t i;

	module = label_basename(module);
	for (i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (!strncmp(module, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

enum label_class label_class(const struct frame *frame)
{
	if (frame->type == FRAME_KERNEL)
		return LABEL_KERNEL;
	if (frame->type == FRAME_JAVA || frame->type == FRAME_INTERPRETED ||
	    (frame->type == FRAME_INLINED && !frame->module)) /* native code has a module */
		return LABEL_JAVA;
	if (frame->module && is_libc(frame->module))
		return LABEL_LIBC;
	if (!frame->name)
		return LABEL_UNKNOWN;
	if (strpbrk(frame->name, ":(<")) /* demangled */
		return LABEL_CPP;
	return LABEL_C;
}

const char *label_frame(const struct frame *frame, char *buffer)
{
	if (frame->name && *frame->name)
		return frame->name;
	if (frame->module)
		snprintf(buffer, LABEL_MAX, "%s+0x%" PRIx64, label_basename(frame->module),
			 frame->offset);
	else if (frame->offset)
		snprintf(buffer, LABEL_MAX, "[0x%" PRIx64 "]", frame->offset);
	else
		snprintf(buffer, LABEL_MAX, "[unknown]");
	return buffer;
}

/* What allocates for others: libc, C++'s library, and its templates. */
static bool is_library(const struct frame *frame)
{
	static const char *const modules[] = { "libstdc++.so", "libc++" };
	static const char *const names[] = { "operator new", "std::", "__gnu_cxx::" };
	const char *module = frame->module ? label_basename(frame->module) : "";

	for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++)
		if (!strncmp(module, modules[i], strlen(modules[i])))
			return true;
	for (size_t i = 0; frame->name && i < sizeof(names) / sizeof(names[0]); i++)
		if (!strncmp(frame->name, names[i], strlen(names[i])))
			return true;
	return label_class(frame) == LABEL_LIBC;
}

const struct frame *label_site(const struct site *site)
{
	for (size_t i = 0; i < site->frame_count; i++)
		if (!is_library(&site->frames[i]))
			return &site->frames[i];
	return site->frame_count ? &site->frames[0] : NULL;
}

static bool begins(const char *text, const char *const *prefixes)
{
	for (; *prefixes; prefixes++)
		if (text && !strncmp(text, *prefixes, strlen(*prefixes)))
			return true;
	return false;
}

/* What every thread begins with. */
static bool is_start(const struct frame *frame)
{
	static const char *const modules[] = { "libjvm.so", NULL };
	static const char *const names[] = { "_start",
					     "java.lang.Thread.",
					     "std::thread::",
					     "void std::__invoke",
					     "std::__invoke",
					     "std::invoke",
					     NULL };

	return label_class(frame) == LABEL_LIBC || begins(frame->name, names) ||
	       (frame->module && begins(label_basename(frame->module), modules)) ||
	       (frame->module && !strncmp(label_basename(frame->module), "libstdc++.so", 12));
}

const struct frame *label_thread(const struct site *site)
{
	for (size_t i = site->frame_count; i-- > 0;)
		if (!is_start(&site->frames[i]))
			return &site->frames[i];
	return site->frame_count ? &site->frames[site->frame_count - 1] : NULL;
}

const struct frame *label_cut(enum site_end end)
{
	static const struct frame cuts[SITE_ENDS] = {
		[SITE_END_NO_TABLE] = { .name = "[stack cut: no table]" },
		[SITE_END_NO_MAPPING] = { .name = "[stack cut: no mapping]" },
		[SITE_END_READ_FAULT] = { .name = "[stack cut: read fault]" },
		[SITE_END_DEPTH] = { .name = "[stack cut: depth]" },
		[SITE_END_BAD_FRAME] = { .name = "[stack cut: bad frame]" },
		[SITE_END_LOST] = { .name = "[stack cut: lost]" },
	};

	return cuts[end].name ? &cuts[end] : NULL;
}

void label_json(struct json *json, const char *key, const char *text)
{
	char escaped[LABEL_MAX];

	if (text)
		text_escape(escaped, sizeof(escaped), text);
	json_text(json, key, text ? escaped : NULL);
}

const char *label_blocks(enum site_kind kind, uint64_t count)
{
	static const char *const words[SITE_KINDS][2] = {
		[SITE_HEAP] = { "block", "blocks" },
		[SITE_MAPPING] = { "mapping", "mappings" },
		[SITE_FAULT] = { "page", "pages" },
	};

	return words[kind][count != 1];
}

char *label_share(char *buffer, uint64_t part, uint64_t whole)
{
	double percent = whole ? 100.0 * part / whole : 0;

	if (!whole)
		snprintf(buffer, LABEL_SHARE_MAX, "-");
	else if (part && percent < 0.1)
		snprintf(buffer, LABEL_SHARE_MAX, "<0.1%%");
	else if (part == whole)
		snprintf(buffer, LABEL_SHARE_MAX, "100%%");
	else
		snprintf(buffer, LABEL_SHARE_MAX, "%.1f%%", percent > 99.9 ? 99.9 : percent);
	return buffer;
}

static size_t count_characters(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += (*text & 0xc0) != 0x80;
	return count;
}

/* The address of the index-th character of valid UTF-8. */
static char *character_at(char *text, size_t index)
{
	for (; *text; text++)
		if ((*text & 0xc0) != 0x80 && !index--)
			break;
	return text;
}

/* Whether the bracket at text + i is part of an operator's name: operator<, operator->, operator().
 */
static bool in_operator(const char *text, size_t i)
{
	static const char word[] = "operator";
	const size_t length = sizeof(word) - 1;
	size_t start = i;

	while (start > 0 && strchr("<>-=()", text[start - 1]))
		start--;
	return start >= length && !memcmp(text + start - length, word, length);
}

/*
 * Replaces what stands between outermost brackets by "..", in place, where that saves anything;
 * leaves text alone when its brackets do not match. What is short says more than dots:
 * "<init>", "<int>", "()".
 */
static void squeeze(char *text, char opening, char closing)
{
	enum { SHORT = 6 };
	char result[LABEL_MAX];
	size_t i, used = 0, start = 0, depth = 0;

	for (i = 0; text[i]; i++) {
		result[used++] = text[i];
		if ((text[i] != opening && text[i] != closing) || in_operator(text, i))
			continue;
		if (text[i] == opening) {
			if (!depth++)
				start = used;
			continue;
		}
		if (i && text[i - 1] == '-' && closing == '>')
			continue; /* an arrow */
		if (!depth)
			return;
		if (--depth || used - 1 - start <= SHORT ||
		    !strncmp(result + start, "anonymous namespace", 19))
			continue;
		memcpy(result + start, "..", 2);
		result[start + 2] = closing;
		used = start + 3;
	}
	result[used] = '\0';
	if (!depth)
		memcpy(text, result, used + 1);
}

size_t label_fit(char *buffer, const char *text, size_t width)
{
	size_t count = text_escape(buffer, LABEL_MAX, text), head, tail;
	char *cut, *rest;

	if (count > width) {
		squeeze(buffer, '<', '>');
		count = count_characters(buffer);
	}
	if (count > width) {
		squeeze(buffer, '(', ')');
		count = count_characters(buffer);
	}
	if (count <= width)
		return count;
	if (width < 2) {
		*buffer = '\0';
		return 0;
	}
	head = (width - 2) / 2;
	tail = width - 2 - head;
	cut = character_at(buffer, head);
	rest = character_at(buffer, count - tail);
	memcpy(cut, "..", 2);
	memmove(cut + 2, rest, strlen(rest) + 1);
	return head + 2 + tail;
}

size_t label_fit_path(char *buffer, const char *path, size_t width)
{
	static const char mark[] = "../";
	const size_t mark_length = sizeof(mark) - 1;
	size_t count = text_escape(buffer, LABEL_MAX, path);
	char *rest = buffer;

	while (count > width) {
		char *slash = strchr(rest + (*rest == '/'), '/');

		if (!slash)
			return label_fit(buffer, label_basename(path), width);
		rest = slash;
		count = mark_length + count_characters(rest + 1);
	}
	if (rest != buffer) {
		memmove(buffer + mark_length, rest + 1, strlen(rest + 1) + 1);
		memcpy(buffer, mark, mark_length);
	}
	return count;
}
