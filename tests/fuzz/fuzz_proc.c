/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* /proc/PID/stat (first byte 0) and status. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "process/read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	bool is_stat = input_number(&input, 1) == 0;
	char *text = input_text(&input);
	struct proc proc = { 0 };
	int error = is_stat ? stat_parse(&proc, text) : status_parse(&proc, text);

	fuzz_expect(memchr(proc.comm, 0, sizeof(proc.comm)));
	if (error)
		fuzz_end("%d", error);
	else if (is_stat)
		fuzz_end("%s %c, %u threads, parent %d", proc.comm, proc.state, proc.threads,
			 proc.parent);
	else
		fuzz_end("pid %d, %llu bytes", proc.pid, (unsigned long long)proc.rss_bytes);
	free(text);
	return 0;
}
