/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The one door to everything that parses the target's files. Those files are hostile: the parsers
 * live in a child process without privileges (process/jail.h). Requests carry open file descriptors
 * and numbers, replies carry numbers and bounded text, never paths to open and never pointers into
 * a parser's memory. Opening files is the caller's (process/proc.h). A file that the child dies of
 * is never shown to another one: requests about it fail with -EOWNERDEAD, those for names tell that
 * there are none.
 */
#ifndef UNFREED_SANDBOX_SANDBOX_H
#define UNFREED_SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sandbox;

struct sandbox *sandbox_new(void);
void sandbox_free(struct sandbox *sandbox); /* NULL is legal */

/* Which walls stand around the child (LOCKDOWN_… of process/lockdown.h). Returns 0 or -errno. */
int sandbox_walls(struct sandbox *sandbox, unsigned int *walls);

/* What the child has cost: its CPU time, and the most memory of its own that it held. */
void sandbox_cost(const struct sandbox *sandbox, uint64_t *cpu_ns, uint64_t *memory_bytes);

/* -- images -------------------------------------------------------------------------------------
 */

enum { SANDBOX_BUILD_ID_MAX = 64, SANDBOX_NAME_MAX = 256, SANDBOX_SEGMENTS_MAX = 16 };

struct sandbox_segment { /* PT_LOAD */
	uint64_t offset, address, file_bytes, memory_bytes;
	bool executable;
};

struct sandbox_image {
	uint32_t id; /* of further requests */
	bool bits32;
	uint16_t machine; /* EM_… */
	bool has_symtab, has_dwarf;
	uint8_t build_id[SANDBOX_BUILD_ID_MAX];
	uint32_t build_id_bytes;
	char debuglink[SANDBOX_NAME_MAX]; /* file name in .gnu_debuglink, or "" */
	uint32_t debuglink_crc;
	char altlink[SANDBOX_NAME_MAX]; /* path in .gnu_debugaltlink of this file, or "" */
	struct sandbox_segment segments[SANDBOX_SEGMENTS_MAX];
	uint32_t segment_count;
	char glibc_version[16]; /* "2.36" where the image is a glibc's libc.so, else "" */
};

/*
 * Hands over an image: the sandbox keeps its own duplicate of fd. Returns 0 and *image, or -ENOEXEC
 * (no ELF file), -EINVAL (broken) with a sentence.
 */
int sandbox_open(struct sandbox *sandbox, int fd, struct sandbox_image *image);

/* The image from memory: the vdso, read from the target. bytes is copied. */
int sandbox_open_bytes(struct sandbox *sandbox, const void *bytes, size_t count,
		       struct sandbox_image *image);

/*
 * Gives an image its separate debug file (found by build-id or debuglink), and, where that file has
 * a .gnu_debugaltlink, its supplementary file (alt_fd, else -1: names from it are then missing).
 * Checked to belong: build-id, or the debuglink's CRC. Returns 0, or -ESTALE where it does not
 * belong. To learn the debug file's altlink, open that file as an image and close it again.
 */
int sandbox_debug(struct sandbox *sandbox, uint32_t image, int fd, int alt_fd);

void sandbox_close(struct sandbox *sandbox, uint32_t image);

/* -- where to put probes ------------------------------------------------------------------------
 */

struct sandbox_probe_request {
	const char *symbol;
	bool has_return; /* a return probe: never behind a push */
	uint8_t argument_mask; /* bit n - 1: argument n must still be in its register */
};

enum sandbox_place_cost { PLACE_EMULATED, PLACE_SINGLE_STEP };

struct sandbox_probe {
	bool found; /* the image defines the symbol as a function */
	bool placed; /* and a safe place exists; else why says why not */
	uint64_t function_address; /* in the image */
	uint64_t function_bytes; /* 0: unknown */
	uint64_t probe_offset; /* file offset to probe: function's offset + skip_bytes */
	uint8_t skip_bytes;
	uint8_t pushed_words; /* there, above the return address; PLACE_PUSHED_MAX: unknown */
	enum sandbox_place_cost cost;
	char instruction[48]; /* the probed one, for check: "push r12" */
	char why[96];
};

/* Answers count requests in one go. Names are looked up in .dynsym, then in .symtab. */
int sandbox_probes(struct sandbox *sandbox, uint32_t image,
		   const struct sandbox_probe_request *requests, size_t count,
		   struct sandbox_probe *probes);

/*
 * Where functions that may throw leave (elf/exits.h). Where one cannot be followed, its why says
 * why, and it has no exits in *exits; *exits has those of all others together, each once, by
 * address. Returns 0 or -errno.
 */
struct sandbox_leaver {
	uint64_t function_address; /* in the image */
	char why[96]; /* "": it was followed */
};

struct sandbox_exit {
	uint64_t address; /* in the image */
	uint64_t offset; /* in the file */
	bool unseen; /* a jump to elsewhere: the result is not to be had */
};

struct sandbox_exits {
	struct sandbox_exit *items; /* the caller's: mem_free() */
	size_t count;
};

int sandbox_exits(struct sandbox *sandbox, uint32_t image, struct sandbox_leaver *leavers,
		  size_t count, struct sandbox_exits *exits);

/* -- names --------------------------------------------------------------------------------------
 */

struct sandbox_frame {
	const char *name; /* demangled; NULL: unknown */
	const char *file; /* NULL: unknown */
	uint32_t line; /* 0: unknown */
	bool inlined; /* into the next frame */
	bool interpreted; /* of a perf map: its code is an interpreter's */
};

/*
 * Names addresses of an image (as in its program headers), in bulk: calls frame for each frame of
 * addresses[i], innermost inlined function first, the function itself last (inlined false); exactly
 * one frame with name NULL where nothing is known. The order of i is that of the addresses, not of
 * the array. Texts live until frame returns. Line numbers are those of the instruction at the
 * address: the caller has subtracted 1 from return addresses.
 */
typedef void (*sandbox_frame_fn)(size_t i, const struct sandbox_frame *frame, void *context);
int sandbox_symbolise(struct sandbox *sandbox, uint32_t image, const uint64_t *addresses,
		      size_t count, sandbox_frame_fn frame, void *context);

/*
 * Hands over a perf map, of which a duplicate is kept. Returns 0 and *id, or -errno with a
 * sentence.
 */
int sandbox_perfmap_open(struct sandbox *sandbox, int fd, uint32_t *id);
void sandbox_perfmap_close(struct sandbox *sandbox, uint32_t id);

/*
 * Takes in what the file has grown by, then names addresses as sandbox_symbolise does, one frame
 * each. Returns 0; -EFBIG: there was no room for the whole file, names may be missing.
 */
int sandbox_perfmap_names(struct sandbox *sandbox, uint32_t id, const uint64_t *addresses,
			  size_t count, sandbox_frame_fn frame, void *context);

/* Makes of a name of C++ or Rust what its programmer wrote; others are copied. Returns 0 or -errno.
 */
enum { SANDBOX_TEXT_MAX = 4096 };
int sandbox_demangle(struct sandbox *sandbox, const char *name, char text[SANDBOX_TEXT_MAX]);

/* -- unwind rows --------------------------------------------------------------------------------
 */

struct abi_row;

struct sandbox_rows {
	struct abi_row *rows; /* the caller's: free() */
	size_t count;
	uint64_t base; /* image address that row pc 0 stands for */
	uint32_t skipped; /* rules that no row can express (they became CFA_NONE) */
};

/* The image's .eh_frame (else .debug_frame) as sorted, merged rows. -ENODATA: it has neither. */
int sandbox_rows(struct sandbox *sandbox, uint32_t image, struct sandbox_rows *rows);

/* -- HotSpot ------------------------------------------------------------------------------------
 */

enum { SANDBOX_CODE_HEAPS_MAX = 4, SANDBOX_CLASS_NAME_STEPS = 4 };

struct sandbox_code_heap {
	uint64_t start, end; /* reserved for it */
	uint64_t segment_map;
};

/* What a walk through Java frames needs; as in struct abi_jvm. */
struct sandbox_jvm {
	uint32_t version; /* 8, 11, 17 … */
	struct sandbox_code_heap heaps[SANDBOX_CODE_HEAPS_MAX];
	uint32_t heap_count;
	uint32_t segment_log2;
	uint32_t frame_size_offset, name_offset, compilation_offset;
	uint32_t class_name_offsets[SANDBOX_CLASS_NAME_STEPS];
	uint32_t symbol_length_offset, symbol_text_offset;
	int32_t bytecode_slot;
	uint64_t interpreter_start, interpreter_end;
	uint64_t barrier_start, barrier_end;
};

/*
 * Hands over a JVM: image is its libjvm, mapped bias above its addresses, memory_fd its
 * /proc/PID/mem, of which a duplicate is kept. With its pagemap_fd (-1: none), kept, too, no page
 * is read that is not there, and image must stay open as long. Returns 0 and *id, -ENOENT (no
 * HotSpot) or -EINVAL (broken, unknown) with a sentence.
 */
int sandbox_jvm_open(struct sandbox *sandbox, uint32_t image, uint64_t bias, int memory_fd,
		     int pagemap_fd, uint32_t *id);
void sandbox_jvm_close(struct sandbox *sandbox, uint32_t id);

/* Returns 0; -EAGAIN: the JVM has yet to set itself up; -EINVAL: broken. */
int sandbox_jvm_layout(struct sandbox *sandbox, uint32_t id, struct sandbox_jvm *jvm);

/* As in hotspot/hotspot.h: ranges, or, where start is end, an address in one. */
enum sandbox_jvm_area_kind {
	SANDBOX_JVM_HEAP,
	SANDBOX_JVM_CODE,
	SANDBOX_JVM_CARDS,
	SANDBOX_JVM_ARCHIVE,
	SANDBOX_JVM_METASPACE,
	SANDBOX_JVM_CLASS_SPACE,
	SANDBOX_JVM_GC,
};

struct sandbox_jvm_area {
	enum sandbox_jvm_area_kind kind;
	uint64_t start, end;
};

/* Calls area for each part of the JVM's memory of which it says what it is for. */
typedef void (*sandbox_jvm_area_fn)(const struct sandbox_jvm_area *area, void *context);
int sandbox_jvm_areas(struct sandbox *sandbox, uint32_t id, sandbox_jvm_area_fn area,
		      void *context);

/* What it says of itself (hotspot/hotspot.h: numbers and bounded texts). */
struct hotspot_facts;
int sandbox_jvm_facts(struct sandbox *sandbox, uint32_t id, struct hotspot_facts *facts);

/* A number that changes when its code comes or goes; 0: not to be known. */
uint64_t sandbox_jvm_code_state(struct sandbox *sandbox, uint32_t id);

/* What a JVM answered about its native memory (hotspot/nmt.h). Returns 0, -EINVAL (it is none). */
struct nmt;
int sandbox_nmt(struct sandbox *sandbox, const char *text, struct nmt *nmt);

struct sandbox_java_place {
	uint64_t address; /* a return address; interpreted: the Method* */
	uint64_t bytecode; /* interpreted: where it stands, 0: not known */
	uint32_t identity; /* as in hotspot/hotspot.h: code that has another one has no name */
	bool interpreted;
};

struct sandbox_java_frame {
	const char *name; /* "java.util.zip.Inflater.<init>", or a stub's; NULL: unknown */
	const char *file; /* "Inflater.java", or NULL */
	uint32_t line; /* 0: unknown */
	bool is_java; /* else a stub */
	bool inlined; /* into the next frame */
	bool gone; /* other code has taken its place: it has no name */
};

/* Names places as they are now, innermost inlined method first. Texts live until frame returns. */
typedef void (*sandbox_java_fn)(size_t i, const struct sandbox_java_frame *frame, void *context);
int sandbox_jvm_names(struct sandbox *sandbox, uint32_t id, const struct sandbox_java_place *places,
		      size_t count, sandbox_java_fn frame, void *context);

#endif
