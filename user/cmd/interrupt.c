/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What ends a command early. */
#include "cmd/interrupt.h"

#include <signal.h>
#include <stddef.h>

#include "base/output.h"

static volatile sig_atomic_t signals; /* one came: global, as a handler is */
static volatile sig_atomic_t requests; /* the same of SIGUSR1 */
static void (*abandon)(void);

/* The kernel detaches whatever is attached. */
static void on_signal(int number)
{
	if (signals) {
		output_abandon();
		if (abandon)
			abandon();
		signal(number, SIG_DFL);
		raise(number);
	}
	signals = 1;
}

void interrupt_catch(void)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	/* What waits for events is woken all the same; what writes a report is to write all of it.
	 */
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		sigaction(numbers[i], &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

void interrupt_abandon_by(void (*function)(void))
{
	abandon = function;
}

bool interrupted(void)
{
	return signals;
}

static void on_request(int number)
{
	requests = 1;
}

void interrupt_catch_request(void)
{
	struct sigaction action = { .sa_handler = on_request, .sa_flags = SA_RESTART };

	sigaction(SIGUSR1, &action, NULL);
}

bool interrupt_requested(void)
{
	bool requested = requests;

	if (requested)
		requests = 0;
	return requested;
}
