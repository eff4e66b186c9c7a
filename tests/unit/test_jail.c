/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A child behind walls: what it may not do ends it, and nobody else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "process/jail.h"
#include "process/lockdown.h"

enum { SOCKET_FD = 3 };

enum act {
	ACT_ECHO,
	ACT_READ_FILES, /* a byte of each descriptor */
	ACT_REFUSE,
	ACT_OPEN,
	ACT_SOCKET,
	ACT_FORK,
	ACT_EXEC,
	ACT_SIGNAL, /* the parent */
	ACT_BECOME_ROOT,
	ACT_CRASH,
	ACT_LOOP,
	ACT_WAIT,
	ACT_EAT,
	ACT_EXIT,
	ACT_GARBLE,
	ACT_LIE, /* of the length of its reply */
	ACT_GROW, /* a reply beyond its limit */
};

/* What the child dies of, and how that is called. */
static const struct {
	enum act act;
	const char *word;
} deadly[] = {
	{ ACT_SOCKET, "a forbidden system call" },
	{ ACT_FORK, "a forbidden system call" },
	{ ACT_EXEC, "a forbidden system call" },
	{ ACT_SIGNAL, "a forbidden system call" },
	{ ACT_BECOME_ROOT, "a forbidden system call" },
	{ ACT_CRASH, "signal 11" },
	{ ACT_LOOP, "it came to no end" },
	{ ACT_WAIT, "it waited for a file that cannot be read" },
	{ ACT_EXIT, "status 7" },
	{ ACT_GARBLE, "a garbled reply" },
	{ ACT_LIE, "a garbled reply" },
};

static void *begin(void)
{
	return mem_alloc(sizeof(uint32_t));
}

static void eat(void)
{
	enum { PIECE = 64 << 20, PIECES = 1024 };

	for (int i = 0; i < PIECES; i++)
		mem_array(PIECE, 1);
}

static void answer_by_oneself(uint64_t head)
{
	if (write(SOCKET_FD, &head, sizeof(head)) != sizeof(head))
		_exit(1);
	_exit(0);
}

static void act(enum act what)
{
	static volatile uint32_t turns;
	char *const none[] = { NULL };
	char byte;

	switch (what) {
	case ACT_SOCKET:
		socket(AF_INET, SOCK_STREAM, 0);
		break;
	case ACT_FORK:
		fork();
		break;
	case ACT_EXEC:
		execve("/bin/true", none, none);
		break;
	case ACT_SIGNAL:
		kill(getppid(), SIGKILL);
		break;
	case ACT_BECOME_ROOT:
		syscall(SYS_setresuid, 0, 0, 0);
		break;
	case ACT_CRASH:
		signal(SIGSEGV, SIG_DFL); /* a sanitizer's handler has other words */
		raise(SIGSEGV);
		break;
	case ACT_LOOP:
		for (;;)
			turns++;
	case ACT_WAIT:
		if (read(SOCKET_FD, &byte, 1) == 1)
			_exit(1);
		break;
	case ACT_EAT:
		eat();
		break;
	case ACT_EXIT:
		_exit(7);
	case ACT_GARBLE:
		answer_by_oneself(1); /* an error that is none */
		break;
	case ACT_LIE:
		answer_by_oneself(UINT64_MAX << 32);
		break;
	default:
		break;
	}
}

static int serve(void *context, uint32_t kind, struct parcel *request, const int fds[JAIL_FDS_MAX],
		 struct parcel *reply)
{
	uint32_t *calls = context;
	char byte;

	(*calls)++;
	parcel_number(reply, calls);
	if (kind == ACT_ECHO)
		parcel_raw(reply, request->bytes.items, request->bytes.count);
	for (int i = 0; i < JAIL_FDS_MAX && kind == ACT_READ_FILES; i++) {
		byte = '-';
		if (fds[i] >= 0 && pread(fds[i], &byte, 1, 0) != 1)
			byte = '!';
		parcel_number(reply, &byte);
	}
	if (kind == ACT_REFUSE)
		return error_set(-ENOTSUP, "not \033[2Jthis");
	if (kind == ACT_OPEN)
		return open("/etc/passwd", O_RDONLY) < 0 ? -errno : 0;
	if (kind == ACT_GROW) {
		reply->bytes_max = reply->bytes.count + 1;
		parcel_raw(reply, calls, sizeof(*calls));
	}
	act((enum act)kind);
	return 0;
}

static const struct jail_work work = {
	.name = "test-jail",
	.work_seconds_max = 1,
	.idle_seconds_max = 1,
	.begin = begin,
	.serve = serve,
};

static const int no_fds[JAIL_FDS_MAX] = { -1, -1, -1 };

static int ask(struct jail *jail, enum act what, uint32_t *calls)
{
	struct parcel request = { 0 }, reply = { 0 };
	int error = jail_ask(jail, what, &request, no_fds, &reply);

	*calls = 0;
	if (!error)
		parcel_number(&reply, calls);
	parcel_free(&reply);
	return error;
}

static void test_request_and_reply(void **state)
{
	enum { MANY = 3 << 20 };
	struct jail *jail = jail_new(&work);
	struct parcel request = { 0 }, reply = { 0 };
	uint8_t *bytes = mem_array(MANY, 1);
	uint32_t calls;

	for (int i = 0; i < MANY; i++)
		bytes[i] = (uint8_t)(i * 7 >> 3);
	parcel_raw(&request, bytes, MANY);
	for (uint32_t i = 1; i < 4; i++) {
		assert_int_equal(jail_ask(jail, ACT_ECHO, &request, no_fds, &reply), 0);
		parcel_number(&reply, &calls);
		assert_int_equal(calls, i);
		assert_int_equal(reply.bytes.count - reply.at, MANY);
		assert_memory_equal(reply.bytes.items + reply.at, bytes, MANY);
	}
	assert_int_equal(jail_generation(jail), 1);
	parcel_free(&request);
	parcel_free(&reply);
	mem_free(bytes);
	jail_free(jail);
}

static int file_of(char byte)
{
	char path[] = "/tmp/unfreed-jail-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(write(fd, &byte, 1), 1);
	return fd;
}

static void test_open_files_go_along(void **state)
{
	struct jail *jail = jail_new(&work);
	struct parcel request = { 0 }, reply = { 0 };
	int fds[JAIL_FDS_MAX] = { file_of('a'), -1, file_of('c') };

	/* More often than it has descriptors: it closes them. */
	for (int i = 0; i < 2000; i++)
		assert_int_equal(jail_ask(jail, ACT_READ_FILES, &request, fds, &reply), 0);
	assert_memory_equal(reply.bytes.items + sizeof(uint32_t), "a-c", 3);
	close(fds[0]);
	close(fds[2]);
	parcel_free(&reply);
	jail_free(jail);
}

static void test_errors_bring_their_sentence(void **state)
{
	struct jail *jail = jail_new(&work);
	uint32_t calls;

	assert_int_equal(ask(jail, ACT_REFUSE, &calls), -ENOTSUP);
	assert_string_equal(error_message(), "not \\x1b[2Jthis");
	assert_int_equal(ask(jail, ACT_GROW, &calls), -EFBIG);
	assert_int_equal(ask(jail, ACT_ECHO, &calls), 0);
	assert_int_equal(calls, 3);
	jail_free(jail);
}

static void test_walls(void **state)
{
	struct jail *jail = jail_new(&work);
	unsigned int walls;
	uint32_t calls;
	char missing[LOCKDOWN_TEXT_MAX];

	assert_int_equal(jail_walls(jail, &walls), 0);
	lockdown_missing(walls, missing);
	/* This kernel may be without it. */
	if (walls != (LOCKDOWN_ALL & ~LOCKDOWN_FILES))
		assert_string_equal(missing, "");
	assert_int_equal(ask(jail, ACT_OPEN, &calls), -EACCES);
	jail_free(jail);
}

static void test_names_of_walls(void **state)
{
	char missing[LOCKDOWN_TEXT_MAX];

	lockdown_missing(LOCKDOWN_USER | LOCKDOWN_FILES, missing);
	assert_string_equal(missing, "no capabilities, seccomp, limits");
	lockdown_missing(0, missing);
	assert_string_equal(missing, "another user, no capabilities, Landlock, seccomp, limits");
}

static void test_who_dies_is_followed(void **state)
{
	struct jail *jail = jail_new(&work);
	const char *last;
	uint32_t calls, before = jail_deaths(&last);

	for (uint32_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++) {
		assert_int_equal(ask(jail, ACT_ECHO, &calls), 0);
		assert_int_equal(calls, 1); /* a new one */
		assert_int_equal(jail_generation(jail), i + 1);
		assert_int_equal(ask(jail, deadly[i].act, &calls), -EOWNERDEAD);
		assert_int_equal(jail_deaths(&last), before + i + 1);
		assert_string_equal(last, deadly[i].word);
		assert_non_null(strstr(error_message(), last));
	}
	jail_free(jail);
}

static void test_memory_has_an_end(void **state)
{
#ifdef __SANITIZE_ADDRESS__
	skip(); /* its own takes terabytes: there is no limit */
#endif
	struct jail *jail = jail_new(&work);
	const char *last;
	uint32_t calls;

	assert_int_equal(ask(jail, ACT_EAT, &calls), -EOWNERDEAD);
	jail_deaths(&last);
	assert_string_equal(last, "signal 6");
	jail_free(jail);
}

/* Nobody asked: nothing is lost with it. */
static void test_killed_between_requests(void **state)
{
	struct jail *jail = jail_new(&work);
	char path[64], children[64] = "";
	uint32_t calls;
	FILE *file;

	assert_int_equal(ask(jail, ACT_ECHO, &calls), 0);
	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(fgets(children, sizeof(children), file));
	fclose(file);
	kill(atoi(children), SIGKILL);
	while (jail_generation(jail) == 1)
		;
	assert_int_equal(ask(jail, ACT_ECHO, &calls), 0);
	assert_int_equal(calls, 1);
	jail_free(jail);
}

static void test_cost_outlives_the_child(void **state)
{
	struct jail *jail = jail_new(&work);
	uint64_t cpu_ns, bytes;
	uint32_t calls;

	ask(jail, ACT_LOOP, &calls);
	jail_cost(jail, &cpu_ns, &bytes);
	assert_true(cpu_ns > 900000000 && cpu_ns < 10000000000);
	assert_true(bytes > 0);
	jail_free(jail);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_and_reply),
		cmocka_unit_test(test_open_files_go_along),
		cmocka_unit_test(test_errors_bring_their_sentence),
		cmocka_unit_test(test_walls),
		cmocka_unit_test(test_names_of_walls),
		cmocka_unit_test(test_who_dies_is_followed),
		cmocka_unit_test(test_memory_has_an_end),
		cmocka_unit_test(test_killed_between_requests),
		cmocka_unit_test(test_cost_outlives_the_child),
	};

	unsetenv("UNFREED_STRICT"); /* they die as they should */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
