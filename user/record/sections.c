/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The sections of a snapshot: one table, and one description of each for both ways. */
#include "record/sections.h"

#include <errno.h>

#include "record/values.h"

/* Whoever adds a field there adds it here: to a section of its own once the format is out. */
_Static_assert(sizeof(struct snapshot) == 560 && sizeof(struct cost) == 96 &&
		       sizeof(struct process) == 48 && sizeof(struct epoch) == 40 &&
		       sizeof(struct incident) == 96 && sizeof(struct reading) == 48,
	       "everything in a snapshot is recorded");

/* What is under way. */
struct transfer {
	struct pool *pool;
	struct snapshot *snapshot;
	bool whole;
};

/* -- all but sites ----------------------------------------------------------------------------- */

static void code_heap(struct code *code, struct heap_totals *totals)
{
	code_number(code, &totals->live_bytes);
	code_number(code, &totals->live_blocks);
	code_number(code, &totals->allocated_bytes);
	code_number(code, &totals->allocated_blocks);
	code_number(code, &totals->freed_bytes);
	code_number(code, &totals->freed_blocks);
	code_number(code, &totals->unmatched_frees);
	code_number(code, &totals->inherited_frees);
	code_number(code, &totals->preexisting_bytes);
	code_number(code, &totals->preexisting_blocks);
}

static void code_mapping(struct code *code, struct mapping_totals *totals)
{
	code_number(code, &totals->live_bytes);
	code_number(code, &totals->committed_bytes);
	code_number(code, &totals->live_mappings);
	code_number(code, &totals->mapped_bytes);
	code_number(code, &totals->unmapped_bytes);
	code_number(code, &totals->preexisting_unmapped_bytes);
}

static void code_fault(struct code *code, struct fault_totals *totals)
{
	code_number(code, &totals->resident_bytes);
	code_number(code, &totals->resident_pages);
	code_number(code, &totals->touched_bytes);
	code_number(code, &totals->faults);
}

static void code_head(struct code *code, struct transfer *transfer)
{
	struct snapshot *snapshot = transfer->snapshot;
	int64_t status = snapshot->command_status;

	code_text(code, &snapshot->target);
	code_text(code, &snapshot->mode);
	code_text(code, &snapshot->ended_by);
	code_number(code, &snapshot->start_unix_ns);
	code_number(code, &snapshot->window_ns);
	code_number(code, &snapshot->min_age_ns);
	code_number(code, &snapshot->sample_bytes);
	code_bool(code, &snapshot->heap);
	code_bool(code, &snapshot->mapping);
	code_bool(code, &snapshot->fault);
	code_signed(code, &status);
	snapshot->command_status = (int)status;
	code_heap(code, &snapshot->heap_totals);
	code_mapping(code, &snapshot->mapping_totals);
	code_fault(code, &snapshot->fault_totals);
}

static void code_epoch(struct code *code, struct epoch *epoch)
{
	code_name(code, &epoch->mode);
	code_number(code, &epoch->begin_ns);
	code_number(code, &epoch->end_ns);
	code_number(code, &epoch->windows);
	code_number(code, &epoch->on_ns);
}

static void code_process(struct code *code, struct process *process)
{
	code_pid(code, &process->pid);
	code_text(code, &process->comm);
	code_text(code, &process->state);
	code_text(code, &process->exit);
	code_text(code, &process->allocator);
	code_number(code, &process->rss_bytes);
}

static void code_module(struct code *code, struct module *module)
{
	code_name(code, &module->path);
	code_text(code, &module->build_id);
}

static void code_counted(struct code *code, struct counted *counted)
{
	code_name(code, &counted->name);
	code_text(code, &counted->text);
	code_number(code, &counted->count);
}

static void code_epochs(struct code *code, struct transfer *transfer)
{
	code_list(code, &transfer->snapshot->epochs, code_epoch);
}

static void code_processes(struct code *code, struct transfer *transfer)
{
	code_list(code, &transfer->snapshot->processes, code_process);
}

static void code_modules(struct code *code, struct transfer *transfer)
{
	code_list(code, &transfer->snapshot->modules, code_module);
}

static void code_losses(struct code *code, struct transfer *transfer)
{
	code_list(code, &transfer->snapshot->losses, code_counted);
}

static void code_notes(struct code *code, struct transfer *transfer)
{
	code_list(code, &transfer->snapshot->notes, code_name);
}

static void code_verdict(struct code *code, struct process_verdict *verdict)
{
	code_pid(code, &verdict->pid);
	code_name(code, &verdict->kind);
	code_name(code, &verdict->rule);
	code_name(code, &verdict->evidence);
	code_name(code, &verdict->remedy);
	code_number(code, &verdict->gain_bytes);
	code_number(code, &verdict->in_use_bytes);
	code_number(code, &verdict->retained_bytes);
}

static void code_verdicts(struct code *code, struct transfer *transfer)
{
	code_list(code, &transfer->snapshot->verdicts, code_verdict);
}

static void code_incident(struct code *code, struct incident *incident)
{
	int64_t status = incident->exit_code, signal = incident->signal;

	code_name(code, &incident->reason);
	code_number(code, &incident->time_ns);
	code_pid(code, &incident->pid);
	code_text(code, &incident->comm);
	code_bool(code, &incident->ended);
	code_signed(code, &status);
	code_signed(code, &signal);
	incident->exit_code = (int)status;
	incident->signal = (int)signal;
	code_pid(code, &incident->sender);
	code_text(code, &incident->sender_comm);
	code_pid(code, &incident->asking_pid);
	code_pid(code, &incident->asking_tid);
	code_text(code, &incident->asking_comm);
	code_number(code, &incident->usage_bytes);
	code_number(code, &incident->limit_bytes);
	code_number(code, &incident->groups_up);
}

static void code_incidents(struct code *code, struct transfer *transfer)
{
	code_list(code, &transfer->snapshot->incidents, code_incident);
}

static void code_reading(struct code *code, struct reading *reading)
{
	code_number(code, &reading->time_ns);
	code_number(code, &reading->rss_bytes);
	code_number(code, &reading->group_bytes);
	code_number(code, &reading->limit_bytes);
	code_number(code, &reading->live_bytes);
	code_number(code, &reading->live_blocks);
}

static void code_readings(struct code *code, struct transfer *transfer)
{
	code_list(code, &transfer->snapshot->readings, code_reading);
}

static void code_cost(struct code *code, struct transfer *transfer)
{
	struct cost *cost = &transfer->snapshot->cost;

	code_number(code, &cost->hits);
	code_number(code, &cost->hits_cpu_ns);
	code_number(code, &cost->syscalls);
	code_double(code, &cost->syscall_tax_ns);
	code_number(code, &cost->tool_cpu_ns);
	code_number(code, &cost->tool_rss_bytes);
	code_number(code, &cost->kernel_map_bytes);
	code_double(code, &cost->budget_share);
	code_double(code, &cost->used_share);
	code_double(code, &cost->worst_share);
	code_double(code, &cost->hit_ns);
	code_number(code, &cost->attach_ns);
}

/* -- the pool, and sites ------------------------------------------------------------------------
 */

static void code_texts(struct code *code, struct transfer *transfer)
{
	pool_code_texts(transfer->pool, code);
}

static void code_frames(struct code *code, struct transfer *transfer)
{
	pool_code_frames(transfer->pool, code);
}

static void code_stacks(struct code *code, struct transfer *transfer)
{
	pool_code_stacks(transfer->pool, code);
}

static void code_known(struct code *code, struct transfer *transfer)
{
	code_bool(code, &transfer->whole);
	if (code->reads && transfer->whole)
		pool_forget_sites(transfer->pool);
	pool_code_sites(transfer->pool, code);
}

static void code_values(struct code *code, struct transfer *transfer)
{
	if (code->reads)
		values_read(code, transfer->pool, transfer->snapshot);
	else
		values_write(code, transfer->pool, transfer->snapshot);
}

/* -- the table --------------------------------------------------------------------------------- */

/*
 * In the order of the bytes; a tag is never used again for anything else. What is new in the pool
 * is known only behind all else: it is written last, and stands first.
 */
static const struct section {
	uint64_t tag;
	enum section_part part;
	void (*code)(struct code *code, struct transfer *transfer);
} sections[] = {
	{ 1, SECTION_POOL, code_texts },     { 2, SECTION_POOL, code_frames },
	{ 3, SECTION_POOL, code_stacks },    { 4, SECTION_KNOWN, code_known },
	{ 5, SECTION_HEAD, code_head },	     { 6, SECTION_HEAD, code_epochs },
	{ 7, SECTION_HEAD, code_processes }, { 8, SECTION_HEAD, code_modules },
	{ 9, SECTION_HEAD, code_losses },    { 10, SECTION_HEAD, code_notes },
	{ 11, SECTION_HEAD, code_cost },     { 12, SECTION_VALUES, code_values },
	{ 13, SECTION_HEAD, code_verdicts }, { 14, SECTION_HEAD, code_incidents },
	{ 15, SECTION_HEAD, code_readings },
};

enum { SECTIONS = sizeof(sections) / sizeof(sections[0]) };

static void write_parts(struct code *code, unsigned int parts, struct transfer *transfer)
{
	for (size_t i = 0; i < SECTIONS; i++) {
		struct code body = code_writer(transfer->pool->texts);
		uint64_t tag = sections[i].tag;

		if (!(parts & sections[i].part))
			continue;
		sections[i].code(&body, transfer);
		code_number(code, &tag);
		code_put_bytes(code, body.bytes.items, body.bytes.count);
		code->broken |= body.broken;
		code_free(&body);
	}
}

void sections_write(struct code *code, struct pool *pool, const struct snapshot *snapshot,
		    bool whole)
{
	/* The description is of both ways: written, nothing changes. */
	struct transfer transfer = { pool, (struct snapshot *)snapshot, whole };
	struct code rest = code_writer(pool->texts);

	texts_forget(pool->texts);
	if (whole)
		pool_forget_sites(pool);
	write_parts(&rest, SECTION_HEAD | SECTION_VALUES, &transfer);
	write_parts(code, SECTION_POOL | SECTION_KNOWN, &transfer);
	code_raw(code, rest.bytes.items, rest.bytes.count);
	code->broken |= rest.broken;
	code_free(&rest);
}

static const struct section *find(uint64_t tag)
{
	for (size_t i = 0; i < SECTIONS; i++)
		if (sections[i].tag == tag)
			return &sections[i];
	return NULL;
}

int sections_read(const void *bytes, size_t count, unsigned int parts, struct pool *pool,
		  struct snapshot *snapshot, bool *whole)
{
	struct transfer transfer = { pool, snapshot, false };
	struct code code = code_reader(bytes, count, pool->texts);

	while (code_left(&code)) {
		uint64_t tag = 0;
		const void *body;
		const struct section *section;
		struct code inner;

		code_number(&code, &tag);
		body = code_take_bytes(&code, &count);
		section = find(tag);
		if (!section || !(section->part & parts))
			continue;
		inner = code_reader(body, count, pool->texts);
		section->code(&inner, &transfer);
		if (inner.broken)
			return -EINVAL;
	}
	if (whole)
		*whole = transfer.whole;
	return code.broken ? -EINVAL : 0;
}
