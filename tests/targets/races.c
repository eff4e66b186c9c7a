/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * races [--rounds 2000]: what happens to calls that overlap, are interrupted, or never return.
 * Blocks that two threads hand to and fro at one address; handlers of signals that allocate, one of
 * which leaves by siglongjmp; threads that are cancelled, or end in a handler, where they allocate
 * and free without a pause.
 *
 * Truth: sites; torn: threads that died at a place that nobody knows, in churn_torn, so that each
 * may have left one block there.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "protocol.h"

enum { BYTES = 2222, SIGNALS = 200, DYING = 24, TORN = 24, TORN_BYTES = 96 };

static long rounds;

/* -- one address in two threads ---------------------------------------------------------------- */

static void *volatile passed;

SITE static void *leak_passed(void)
{
	void *block = malloc(BYTES);

	KEEP(block);
	return block;
}

/* Frees what the other has made while that makes the next one, at the same address mostly. */
static void *take(void *unused)
{
	for (long i = 0; i < rounds; i++) {
		void *block;

		while (!(block = __atomic_exchange_n(&passed, NULL, __ATOMIC_ACQ_REL)))
			sched_yield();
		free(block);
	}
	return NULL;
}

static void pass(void)
{
	pthread_t other;

	if (pthread_create(&other, NULL, take, NULL))
		die("races: no thread\n");
	for (long i = 0; i < rounds; i++) {
		void *block = leak_passed();

		while (__atomic_load_n(&passed, __ATOMIC_ACQUIRE))
			sched_yield();
		__atomic_store_n(&passed, block, __ATOMIC_RELEASE);
	}
	pthread_join(other, NULL);
	KEEP(leak_passed());
}

/* -- handlers that allocate -------------------------------------------------------------------- */

static volatile long handled, jumped;
static volatile bool leave;
static sigjmp_buf place;

SITE static void leak_in_handler(void)
{
	void *block = malloc(333);

	KEEP(block);
	free(malloc(444));
	NO_TAIL_CALL();
}

static void handler(int number)
{
	leak_in_handler();
	handled++;
	if (leave) {
		jumped++;
		siglongjmp(place, 1);
	}
}

/* Signals come while it computes: it is never in malloc, which no handler may enter again. */
static void *compute(void *unused)
{
	volatile uint64_t sum = 0;

	sigsetjmp(place, 1);
	while (handled < SIGNALS) {
		leave = handled >= SIGNALS / 2 && !jumped;
		sum = sum * 3 + 1;
	}
	return NULL;
}

static void interrupt(void)
{
	struct sigaction action = { .sa_handler = handler };
	pthread_t other;

	sigaction(SIGUSR1, &action, NULL);
	if (pthread_create(&other, NULL, compute, NULL))
		die("races: no thread\n");
	while (handled < SIGNALS) {
		long before = handled;

		pthread_kill(other, SIGUSR1);
		while (handled == before)
			sched_yield();
	}
	pthread_join(other, NULL);
}

/* -- threads that die -------------------------------------------------------------------------- */

static volatile long waiting;

SITE static void leak_before_cancel(void)
{
	void *block = malloc(555);

	KEEP(block);
	NO_TAIL_CALL();
}

static void *wait_for_cancel(void *unused)
{
	leak_before_cancel();
	__atomic_add_fetch(&waiting, 1, __ATOMIC_RELEASE);
	for (;;)
		pause();
	return NULL;
}

static void end_thread(int number)
{
	pthread_exit(NULL);
}

/* From the thread's own cache: no lock is held wherever it dies. */
SITE static void churn_torn(void)
{
	for (;;) {
		void *block = malloc(TORN_BYTES);

		KEEP(block);
		free(block);
		__atomic_store_n(&waiting, 1, __ATOMIC_RELEASE);
	}
}

static void *tear(void *unused)
{
	churn_torn();
	return NULL;
}

static void die_in_threads(void)
{
	struct sigaction action = { .sa_handler = end_thread };
	pthread_t threads[DYING];

	for (int i = 0; i < DYING; i++) {
		if (pthread_create(&threads[i], NULL, wait_for_cancel, NULL))
			die("races: no thread\n");
	}
	while (__atomic_load_n(&waiting, __ATOMIC_ACQUIRE) < DYING)
		sched_yield();
	for (int i = 0; i < DYING; i++) {
		pthread_cancel(threads[i]);
		pthread_join(threads[i], NULL);
	}
	sigaction(SIGUSR2, &action, NULL);
	for (int i = 0; i < TORN; i++) {
		pthread_t thread;

		waiting = 0;
		if (pthread_create(&thread, NULL, tear, NULL))
			die("races: no thread\n");
		while (!__atomic_load_n(&waiting, __ATOMIC_ACQUIRE))
			sched_yield();
		pthread_kill(thread, SIGUSR2);
		pthread_join(thread, NULL);
	}
}

int main(int argc, char **argv)
{
	rounds = option(argc, argv, "--rounds", 2000);
	wait_for_go();
	pass();
	interrupt();
	die_in_threads();
	say("{\"sites\":[");
	say_site("leak_passed", BYTES, 1);
	say_site("leak_in_handler", 333L * handled, handled);
	say_site("leak_before_cancel", 555L * DYING, DYING);
	say("],\"torn\":%d}\n", (int)TORN);
	wait_for_quit();
	return 0;
}
