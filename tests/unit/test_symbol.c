/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names of addresses, through the sandbox's door: a small program is compiled here, so that its
 * lines and inlined functions are known, and taken apart by objcopy. Then the same files, broken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/error.h"
#include "elf/symtab.h"
#include "sandbox/sandbox.h"
#include "symbol/demangle.h"

/* The line numbers are those of this text: its first line is 1. */
static const char source[] =
	"#define MARK(name) __asm__ volatile(\".globl \" name \"\\n\\t.type \" name \", "
	"@function\\n\" \\\n"
	"	name \": nop\")\n"
	"#define INLINE_ONLY inline __attribute__((always_inline, gnu_inline))\n"
	"extern INLINE_ONLY void innermost(void)\n"
	"{\n"
	"	MARK(\"marker_inlined\");\n" /* 6 */
	"}\n"
	"extern INLINE_ONLY int middle(int x) __asm__(\"_ZN5outer6middleEi\");\n"
	"extern INLINE_ONLY int middle(int x)\n"
	"{\n"
	"	innermost();\n" /* 11 */
	"	return x * 3;\n"
	"}\n"
	"__attribute__((noinline)) int grow(int x) __asm__(\"_ZN5outer4growEi\");\n"
	"int grow(int x)\n"
	"{\n"
	"	x = middle(x);\n" /* 17 */
	"	MARK(\"marker_plain\");\n"
	"	return x;\n"
	"}\n"
	"static __attribute__((noinline, used)) int hidden(int x)\n"
	"{\n"
	"	MARK(\"marker_hidden\");\n" /* 23 */
	"	return x + 1;\n"
	"}\n"
	"int twice(int x) __attribute__((alias(\"__really_twice\")));\n"
	"int __really_twice(int x)\n"
	"{\n"
	"	MARK(\"marker_alias\");\n"
	"	return hidden(x) * 2 + grow(x);\n"
	"}\n";

static char directory[] = "/tmp/unfreed-test-XXXXXX";

/* -- the files ----------------------------------------------------------------------------------
 */

struct bytes {
	uint8_t *bytes;
	size_t count;
};

static void run(const char *format, ...)
{
	char command[1024];
	va_list arguments;
	int used;

	used = snprintf(command, sizeof(command), "cd %s && ", directory);
	va_start(arguments, format);
	vsnprintf(command + used, sizeof(command) - used, format, arguments);
	va_end(arguments);
	if (system(command))
		fail_msg("failed: %s", command);
}

static const char *compiler(void)
{
	const char *name = getenv("CC");

	return name ? name : "cc";
}

static struct bytes read_file(const char *name);

/* The section within the bytes of a file. */
static uint8_t *find_section(const struct bytes *file, const char *name, size_t *bytes)
{
	struct image_section section;
	struct image *image;
	uint8_t *found;

	assert_int_equal(image_open_bytes(&image, file->bytes, file->count), 0);
	assert_int_equal(image_section(image, name, &section), 0);
	found = memmem(file->bytes, file->count, section.bytes, section.size);
	assert_non_null(found);
	*bytes = section.size;
	image_free(image);
	return found;
}

/* All names of a file move to its supplementary file: DW_FORM_strp becomes DW_FORM_strp_sup. */
static void move_names_away(const char *name)
{
	struct bytes file = read_file(name);
	size_t bytes;
	uint8_t *abbrev = find_section(&file, ".debug_abbrev", &bytes);
	char path[64];
	FILE *stream;

	for (size_t i = 1; i < bytes; i++) {
		if (abbrev[i] == 0x0e && (abbrev[i - 1] == 0x03 || abbrev[i - 1] == 0x6e))
			abbrev[i] = 0x1d;
	}
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	stream = fopen(path, "w");
	assert_non_null(stream);
	assert_int_equal(fwrite(file.bytes, 1, file.count, stream), file.count);
	assert_int_equal(fclose(stream), 0);
	free(file.bytes);
}

static int make_files(void **state)
{
	char path[64];
	FILE *file;

	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/lib.c", directory);
	file = fopen(path, "w");
	if (!file || fputs(source, file) < 0 || fclose(file))
		return -1;
	run("%s -g -O2 -shared -nostdlib -fPIC -Wl,--build-id=sha1 -o full lib.c", compiler());
	run("%s -g -O2 -shared -nostdlib -fPIC -Wl,--build-id=none -o anonymous lib.c", compiler());
	run("%s -g -O2 -Dtwice=other -shared -nostdlib -fPIC -Wl,--build-id=sha1 -o other lib.c",
	    compiler());
	run("%s -g -gsplit-dwarf -O2 -shared -nostdlib -fPIC -o split lib.c", compiler());
	run("objcopy --strip-debug full named && objcopy --strip-all full bare");
	run("objcopy --only-keep-debug full full.debug");
	run("objcopy --compress-debug-sections=zlib full.debug compressed.debug");
	/* As Fedora makes it: the symbols that .dynsym lacks. */
	run("objcopy --strip-all --keep-symbol=hidden full.debug mini && xz -k mini");
	run("objcopy --add-section .gnu_debugdata=mini.xz bare minimal");
	run("head -c 200 mini.xz >mini.cut");
	run("objcopy --add-section .gnu_debugdata=mini.cut bare minimal.cut");
	run("objcopy --only-keep-debug other other.debug");
	run("objcopy --only-keep-debug anonymous anonymous.debug");
	run("objcopy --strip-all --add-gnu-debuglink=anonymous.debug anonymous linked");
	run("printf '%s/alternate\\0aaaaaaaaaaaaaaaaaaaa' > altlink && cp full alternate",
	    directory);
	run("%s -g -gdwarf-4 -O2 -shared -nostdlib -fPIC -o altlinked lib.c", compiler());
	run("objcopy --add-section .gnu_debugaltlink=altlink altlinked");
	move_names_away("altlinked");
	return 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	return remove(path);
}

static int remove_files(void **state)
{
	return nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static int open_file(const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* Where a marker of the source lies; stripping changes no addresses. */
static uint64_t address_of(const char *name, const char *marker)
{
	struct symtab_function function;
	int fd = open_file(name);
	struct image *image;

	assert_int_equal(image_open(&image, fd), 0);
	symtab_functions(image, &marker, 1, &function);
	assert_true(function.found);
	image_free(image);
	close(fd);
	return function.address;
}

static struct sandbox *open_in_sandbox(const char *name, struct sandbox_image *image)
{
	struct sandbox *sandbox = sandbox_new();
	int fd = open_file(name);

	assert_int_equal(sandbox_open(sandbox, fd, image), 0);
	close(fd);
	return sandbox;
}

static int add_debug(struct sandbox *sandbox, const struct sandbox_image *image, const char *name,
		     const char *alt)
{
	int fd = open_file(name), alt_fd = alt ? open_file(alt) : -1;
	int error = sandbox_debug(sandbox, image->id, fd, alt_fd);

	close(fd);
	if (alt_fd >= 0)
		close(alt_fd);
	return error;
}

/* -- frames as text -----------------------------------------------------------------------------
 */

struct text {
	char bytes[4096];
	size_t used;
};

static void add_text(size_t i, const struct sandbox_frame *frame, void *context)
{
	const char *slash = frame->file ? strrchr(frame->file, '/') : NULL;
	struct text *text = context;

	text->used += snprintf(text->bytes + text->used, sizeof(text->bytes) - text->used,
			       "%zu:%s%s@%s:%u ", i, frame->inlined ? "+" : "",
			       frame->name ? frame->name : "?",
			       slash	     ? slash + 1
			       : frame->file ? frame->file
					     : "?",
			       frame->line);
}

static struct text frames(struct sandbox *sandbox, const struct sandbox_image *image,
			  const uint64_t *addresses, size_t count)
{
	struct text text = { .bytes = "" };

	assert_int_equal(sandbox_symbolise(sandbox, image->id, addresses, count, add_text, &text),
			 0);
	return text;
}

/* The frames at a marker of a file (its debug file and address as in full's, where not NULL). */
static struct text at(const char *file, const char *debug, const char *alt, const char *marker)
{
	struct sandbox_image image;
	struct sandbox *sandbox = open_in_sandbox(file, &image);
	const char *whole = !strcmp(file, "linked")  ? "anonymous"
			    : !strcmp(file, "split") ? "split"
						     : "full";
	uint64_t address = address_of(whole, marker);
	struct text text;

	if (debug)
		assert_int_equal(add_debug(sandbox, &image, debug, alt), 0);
	text = frames(sandbox, &image, &address, 1);
	sandbox_free(sandbox);
	return text;
}

/* -- names and lines ----------------------------------------------------------------------------
 */

static const char inlined[] =
	"0:+innermost@lib.c:6 0:+outer::middle(int)@lib.c:11 "
	"0:outer::grow(int)@lib.c:17 ";

static void test_inlined_functions(void **state)
{
	assert_string_equal(at("full", NULL, NULL, "marker_inlined").bytes, inlined);
	assert_string_equal(at("full", NULL, NULL, "marker_plain").bytes,
			    "0:outer::grow(int)@lib.c:18 ");
}

static void test_symbol_table_alone(void **state)
{
	assert_string_equal(at("named", NULL, NULL, "marker_inlined").bytes,
			    "0:outer::grow(int)@?:0 ");
	assert_string_equal(at("named", NULL, NULL, "marker_hidden").bytes, "0:hidden@?:0 ");
	assert_string_equal(at("named", NULL, NULL, "marker_alias").bytes, "0:twice@?:0 ");
}

static void test_stripped(void **state)
{
	uint64_t hidden = address_of("full", "marker_hidden") + 1, nowhere = UINT64_MAX;
	struct sandbox_image image;
	struct sandbox *sandbox = open_in_sandbox("bare", &image);

	assert_false(image.has_symtab || image.has_dwarf);
	assert_string_equal(frames(sandbox, &image, &nowhere, 1).bytes, "0:?@?:0 ");
	/* the exported marker is a label without size, and the best that is there */
	assert_string_equal(frames(sandbox, &image, &hidden, 1).bytes, "0:marker_hidden@?:0 ");
	sandbox_free(sandbox);
	assert_string_equal(at("bare", NULL, NULL, "marker_inlined").bytes,
			    "0:outer::grow(int)@?:0 ");
}

static void test_symbols_in_the_file_itself(void **state)
{
	assert_string_equal(at("minimal", NULL, NULL, "marker_hidden").bytes, "0:hidden@?:0 ");
	assert_string_equal(at("minimal", NULL, NULL, "marker_inlined").bytes,
			    "0:outer::grow(int)@?:0 ");
	assert_string_equal(at("minimal", "full.debug", NULL, "marker_hidden").bytes,
			    "0:hidden@lib.c:23 ");
	assert_string_equal(at("minimal.cut", NULL, NULL, "marker_hidden").bytes,
			    "0:marker_hidden@?:0 ");
}

static void test_debug_file_by_build_id(void **state)
{
	assert_string_equal(at("bare", "full.debug", NULL, "marker_inlined").bytes, inlined);
	assert_string_equal(at("bare", "compressed.debug", NULL, "marker_inlined").bytes, inlined);
	assert_string_equal(at("bare", "full.debug", NULL, "marker_hidden").bytes,
			    "0:hidden@lib.c:23 ");
}

static void test_debug_file_by_checksum(void **state)
{
	struct sandbox_image image;
	struct sandbox *sandbox = open_in_sandbox("linked", &image);

	assert_string_equal(image.debuglink, "anonymous.debug");
	assert_int_equal(image.build_id_bytes, 0);
	assert_int_equal(add_debug(sandbox, &image, "other.debug", NULL), -ESTALE);
	assert_non_null(strstr(error_message(), "checksum"));
	sandbox_free(sandbox);
	assert_string_equal(at("linked", "anonymous.debug", NULL, "marker_inlined").bytes, inlined);
}

static void test_debug_file_of_another(void **state)
{
	struct sandbox_image image;
	struct sandbox *sandbox = open_in_sandbox("bare", &image);

	assert_int_equal(add_debug(sandbox, &image, "other.debug", NULL), -ESTALE);
	assert_int_equal(add_debug(sandbox, &image, "full.debug", "other"), -ESTALE);
	assert_int_equal(add_debug(sandbox, &image, "lib.c", NULL), -ENOEXEC);
	assert_int_equal(add_debug(sandbox, &image, "full.debug", NULL), 0);
	assert_int_equal(add_debug(sandbox, &image, "full.debug", NULL), 0); /* once more */
	sandbox_close(sandbox, image.id);
	assert_int_equal(add_debug(sandbox, &image, "full.debug", NULL), -EBADF);
	sandbox_free(sandbox);
}

static void test_addresses_in_bulk(void **state)
{
	struct sandbox_image image;
	struct sandbox *sandbox = open_in_sandbox("full", &image);
	uint64_t addresses[] = { address_of("full", "marker_plain"), 0,
				 address_of("full", "marker_hidden"),
				 address_of("full", "marker_plain") };
	struct text text = frames(sandbox, &image, addresses, 4);

	assert_non_null(strstr(text.bytes, "0:outer::grow(int)@lib.c:18 "));
	assert_non_null(strstr(text.bytes, "1:?@?:0 "));
	assert_non_null(strstr(text.bytes, "2:hidden@lib.c:23 "));
	assert_non_null(strstr(text.bytes, "3:outer::grow(int)@lib.c:18 "));
	assert_string_equal(frames(sandbox, &image, NULL, 0).bytes, "");
	sandbox_free(sandbox);
}

static void test_demangling(void **state)
{
	static const char *const names[][2] = {
		{ "malloc", "malloc" },
		{ "malloc@@GLIBC_2.2.5", "malloc" },
		{ "_start", "_start" },
		{ "_Znwm", "operator new(unsigned long)" },
		{ "_ZNSt6vectorIiSaIiEE9push_backERKi@V1",
		  "std::vector<int, std::allocator<int> >::push_back(int const&)" },
		{ "_ZN3foo3barEv.constprop.0", "foo::bar() [clone .constprop.0]" },
		{ "_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE",
		  "core::fmt::Write::write_fmt" },
		{ "_RNvC6_123foo3bar", "123foo::bar" },
		{ "_RNvNtCs1234_7mycrate3foo3bar", "mycrate::foo::bar" },
		{ "_Zno", "_Zno" },
		{ "_RX", "_RX" },
		{ "", "" },
	};
	char buffer[DEMANGLE_MAX], name[10000];
	size_t used;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		assert_string_equal(demangle(names[i][0], buffer), names[i][1]);

	/* Each argument is a pair of the one before, twice: 2^30 characters, were it not cut. */
	used = sprintf(name, "_Z1fSt4pairIiiE");
	for (int i = 0; i < 30; i++) {
		char last = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[i];

		used += sprintf(name + used, "S_IS%c_S%c_E", last, last);
	}
	assert_memory_equal(demangle(name, buffer), "f(std::pair<int, int>, std::pair<", 33);
	assert_in_range(strlen(buffer), DEMANGLE_MAX - 8, DEMANGLE_MAX - 1);
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(strlen(demangle(name, buffer)), DEMANGLE_MAX - 1);
}

/* -- no path is opened --------------------------------------------------------------------------
 */

/* What was opened in the directory since the watch began: names, "" for none. */
static const char *opened(int watch)
{
	static char buffer[4096] __attribute__((aligned(8)));
	ssize_t got = read(watch, buffer, sizeof(buffer) - 1);

	return got > 0 ? ((struct inotify_event *)buffer)->name : "";
}

static void test_libdw_opens_no_file(void **state)
{
	static const char *const files[] = { "split", "altlinked" };

	for (int i = 0; i < 2; i++) {
		uint64_t address = address_of(files[i], "marker_inlined");
		int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
		struct sandbox_image image;
		struct sandbox *sandbox = open_in_sandbox(files[i], &image);

		assert_true(image.has_dwarf);
		assert_true(inotify_add_watch(watch, directory, IN_OPEN) >= 0);
		frames(sandbox, &image, &address, 1);
		assert_string_equal(opened(watch), "");
		close(open_file("lib.c"));
		assert_string_equal(opened(watch), "lib.c"); /* the watch works */
		sandbox_free(sandbox);
		close(watch);
	}
}

/* Where the names lie in a supplementary file that nobody handed over. */
static void test_missing_supplementary_file(void **state)
{
	assert_string_equal(at("altlinked", NULL, NULL, "marker_inlined").bytes,
			    "0:+?@lib.c:6 0:+?@lib.c:11 0:outer::grow(int)@lib.c:17 ");
}

/* A unit whose functions are in a .dwo keeps its lines. */
static void test_split_dwarf(void **state)
{
	assert_string_equal(at("split", NULL, NULL, "marker_inlined").bytes,
			    "0:outer::grow(int)@lib.c:6 ");
}

/* -- broken files -------------------------------------------------------------------------------
 */

static struct bytes read_file(const char *name)
{
	int fd = open_file(name);
	struct bytes file = { .count = lseek(fd, 0, SEEK_END) };

	file.bytes = malloc(file.count);
	assert_int_equal(pread(fd, file.bytes, file.count, 0), file.count);
	close(fd);
	return file;
}

static void ignore(size_t i, const struct sandbox_frame *frame, void *context)
{
	size_t *length = context;

	*length += frame->name ? strlen(frame->name) : 0;
	*length += frame->file ? strlen(frame->file) : 0;
}

/* Every request, with whatever answers; debug is the same file once more. */
static void ask_everything(const uint8_t *bytes, size_t count, const char *marker, uint64_t address)
{
	struct sandbox_probe_request requests[] = { { "twice", true, 1 }, { marker, false, 3 } };
	struct sandbox *sandbox = sandbox_new();
	struct sandbox_probe probes[2];
	struct sandbox_rows rows;
	struct sandbox_image image;
	uint64_t addresses[64];
	size_t length = 0;

	for (int i = 0; i < 64; i++)
		addresses[i] = address - 32 + i;
	if (!sandbox_open_bytes(sandbox, bytes, count, &image)) {
		sandbox_probes(sandbox, image.id, requests, 2, probes);
		sandbox_symbolise(sandbox, image.id, addresses, 64, ignore, &length);
		if (!sandbox_rows(sandbox, image.id, &rows))
			free(rows.rows);
	}
	sandbox_free(sandbox);
}

static void test_truncated_files(void **state)
{
	uint64_t address = address_of("full", "marker_inlined");
	struct bytes file = read_file("full");

	for (size_t i = 1; i <= 64; i++) {
		/* of its own, so that the sanitiser sees the end */
		size_t count = file.count * i / 64;
		uint8_t *cut = malloc(count);

		memcpy(cut, file.bytes, count);
		ask_everything(cut, count, "marker_plain", address);
		free(cut);
	}
	free(file.bytes);
}

static void test_flipped_bytes(void **state)
{
	uint64_t address = address_of("full", "marker_inlined");
	struct bytes file = read_file("full");
	uint8_t *broken = malloc(file.count);

	srandom(20240607);
	for (int i = 0; i < 2000; i++) {
		memcpy(broken, file.bytes, file.count);
		for (int k = 0; k <= i % 8; k++)
			broken[random() % file.count] ^= 1 << random() % 8;
		ask_everything(broken, file.count, "marker_plain", address);
	}
	free(broken);
	free(file.bytes);
}

/* Broken DWARF takes the lines away, never the name. */
static void test_broken_dwarf_keeps_the_name(void **state)
{
	uint64_t address = address_of("full", "marker_inlined");
	struct bytes file = read_file("full");
	size_t bytes;
	uint8_t *info = find_section(&file, ".debug_info", &bytes);

	for (uint8_t filler = 0; filler < 8; filler++) {
		struct sandbox *sandbox = sandbox_new();
		struct sandbox_image reply;

		memset(info, filler * 0x49, bytes);
		assert_int_equal(sandbox_open_bytes(sandbox, file.bytes, file.count, &reply), 0);
		assert_string_equal(frames(sandbox, &reply, &address, 1).bytes,
				    "0:outer::grow(int)@?:0 ");
		sandbox_free(sandbox);
	}
	free(file.bytes);
}

/* libdw would hand out the last text, and read on behind the section. */
static void test_texts_without_an_end(void **state)
{
	uint64_t address = address_of("full", "marker_inlined");
	struct bytes file = read_file("full");
	struct sandbox *sandbox = sandbox_new();
	struct sandbox_image image;
	size_t bytes;
	uint8_t *texts = find_section(&file, ".debug_str", &bytes);

	texts[bytes - 1] = 'x';
	assert_int_equal(sandbox_open_bytes(sandbox, file.bytes, file.count, &image), 0);
	assert_string_equal(frames(sandbox, &image, &address, 1).bytes, "0:outer::grow(int)@?:0 ");
	sandbox_free(sandbox);
	free(file.bytes);
}

/* -- rows ---------------------------------------------------------------------------------------
 */

static void test_rows(void **state)
{
	struct sandbox_image image;
	struct sandbox *sandbox = open_in_sandbox("bare", &image);
	uint64_t address = address_of("full", "marker_hidden");
	struct sandbox_rows rows;

	assert_int_equal(sandbox_rows(sandbox, image.id, &rows), 0);
	assert_true(rows.count > 1);
	assert_true(rows.base <= address);
	free(rows.rows);
	assert_int_equal(sandbox_rows(sandbox, image.id + 1, &rows), -EBADF);
	sandbox_free(sandbox);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inlined_functions),
		cmocka_unit_test(test_symbol_table_alone),
		cmocka_unit_test(test_stripped),
		cmocka_unit_test(test_symbols_in_the_file_itself),
		cmocka_unit_test(test_debug_file_by_build_id),
		cmocka_unit_test(test_debug_file_by_checksum),
		cmocka_unit_test(test_debug_file_of_another),
		cmocka_unit_test(test_addresses_in_bulk),
		cmocka_unit_test(test_demangling),
		cmocka_unit_test(test_libdw_opens_no_file),
		cmocka_unit_test(test_missing_supplementary_file),
		cmocka_unit_test(test_split_dwarf),
		cmocka_unit_test(test_truncated_files),
		cmocka_unit_test(test_flipped_bytes),
		cmocka_unit_test(test_broken_dwarf_keeps_the_name),
		cmocka_unit_test(test_texts_without_an_end),
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, make_files, remove_files);
}
