/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The ways to name a target: pods, names, control groups; and commands that are started. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "process/cgroup.h"
#include "process/command.h"
#include "process/pod.h"
#include "process/proc.h"
#include "process/target.h"

/* -- pods -------------------------------------------------------------------------------------- */

static struct container rows[] = {
	{ "containerd", "1", "shop/web/POD", "k8s.io", 11, 0, NULL, NULL },
	{ "containerd", "2", "shop/web/app", "k8s.io", 12, 0, NULL, NULL },
	{ "containerd", "3", "shop/web/proxy", "k8s.io", 13, 0, NULL, NULL },
	{ "containerd", "4", "test/web/app", "k8s.io", 14, 0, NULL, NULL },
	{ "containerd", "5", "test/old/app", "k8s.io", 0, 0, NULL, NULL },
	{ "docker", "6", "k8s_main_db_test_1-2-3_0", NULL, 16, 0, NULL, NULL },
	{ "docker", "7", "k8s_POD_db_test_1-2-3_0", NULL, 17, 0, NULL, NULL },
	{ "containerd", "8", "shop/web/app", "k8s.io", 0, 0, NULL, NULL },
	{ "docker", "9", "web", NULL, 19, 0, NULL, NULL },
	{ "runc", "10", NULL, NULL, 20, 0, NULL, NULL },
	{ "containerd", "11", "db/web/main", "k8s.io", 21, 0, NULL, NULL },
};

static int find(struct pod_members *members, const char *key)
{
	struct containers containers = { 0 };

	containers.rows.items = rows;
	containers.rows.count = sizeof(rows) / sizeof(*rows);
	return pod_find(members, &containers, key);
}

static void expect_pod(const char *key, const char *name, const char *ids)
{
	struct pod_members members;
	char found[64] = "";

	assert_int_equal(find(&members, key), 0);
	vec_for_each (row, &members.rows)
		sprintf(found + strlen(found), " %s", (*row)->id);
	assert_string_equal(members.name, name);
	assert_string_equal(found, ids);
	pod_members_free(&members);
}

static void expect_none(const char *key, int error, const char *words)
{
	struct pod_members members;

	assert_int_equal(find(&members, key), error);
	assert_non_null(strstr(error_message(), words));
}

static void test_pods(void **state)
{
	expect_pod("shop/web", "shop/web", " 2 3");
	expect_pod("shop/web/app", "shop/web/app", " 2");
	expect_pod("web/proxy", "shop/web/proxy", " 3");
	expect_pod("db", "test/db", " 6");
	expect_pod("test/db/main", "test/db/main", " 6");
	expect_pod("db/web", "db/web", " 11");
}

static void test_no_pod(void **state)
{
	expect_none("web", -EINVAL, "shop/web, test/web, db/web");
	expect_none("web/app", -EINVAL, "shop/web/app, test/web/app");
	expect_none("old", -ESRCH, "no running container");
	expect_none("web/POD", -ENOENT, "no pod 'web/POD'");
	expect_none("none", -ENOENT, "no pod 'none'");
	expect_none("", -EINVAL, "not [NAMESPACE/]POD");
	expect_none("/web", -EINVAL, "not [NAMESPACE/]POD");
	expect_none("a/b/c/d", -EINVAL, "not [NAMESPACE/]POD");
	expect_none("a/b/c/d/e/f/g/h", -EINVAL, "not [NAMESPACE/]POD");
}

/* -- names and control groups ------------------------------------------------------------------ */

static pid_t named_child(const char *name)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_NAME, name);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (write(ready[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static void test_comm(void **state)
{
	pid_t first = named_child("uf unit (1)"), second;
	const struct target_spec spec = { .comm = "uf unit (1)" };
	struct target target;

	assert_int_equal(target_resolve(&target, &spec), 0);
	assert_int_equal(target.pids.count, 1);
	assert_int_equal(target.pids.items[0], first);
	target_free(&target);
	assert_int_equal(target_resolve(&target, &(struct target_spec){ .comm = "uf unit" }),
			 -ENOENT);

	second = named_child("uf unit (1)");
	assert_int_equal(target_resolve(&target, &spec), -EINVAL);
	assert_non_null(strstr(error_message(), "2 processes"));
	kill(first, SIGKILL);
	kill(second, SIGKILL);
	assert_int_equal(waitpid(first, NULL, 0), first);
	assert_int_equal(waitpid(second, NULL, 0), second);
}

static void test_no_cgroup(void **state)
{
	assert_null(cgroup_find("/tmp", ""));
	assert_null(cgroup_find("/no/such", ""));
	assert_null(cgroup_find("../../..", ""));
	assert_int_equal(target_resolve(&(struct target){ 0 },
					&(struct target_spec){ .cgroup = "/tmp" }),
			 -ENOENT);
}

static void test_one_target(void **state)
{
	struct target target;

	assert_int_equal(target_resolve(&target, &(struct target_spec){ 0 }), -EINVAL);
	assert_int_equal(target_resolve(&target, &(struct target_spec){ .pod = "a", .comm = "b" }),
			 -EINVAL);
}

/* -- commands ---------------------------------------------------------------------------------- */

static char *const exit_7[] = { "sh", "-c", "exit 7", NULL };

static struct command *start(char *const argv[])
{
	struct command *command;
	int error = command_start(&command, argv);

	if (error == -ENOSPC || error == -EIO || error == -EPERM) {
		print_message("SKIP: %s\n", error_message());
		skip();
	}
	assert_int_equal(error, 0);
	return command;
}

/* Waits for its end, and leaves it to be waited for. */
static int status_of(struct command *command)
{
	siginfo_t info;

	assert_int_equal(waitid(P_PID, (id_t)command_pid(command), &info, WEXITED | WNOWAIT), 0);
	assert_true(command_ended(command));
	return command_status(command);
}

static void test_command(void **state)
{
	struct command *command = start(exit_7);
	bool libc = false;
	struct maps maps;

	assert_false(command_ended(command));
	assert_int_equal(command_status(command), -1);
	assert_int_equal(maps_read(&maps, command_pid(command)), 0);
	vec_for_each (map, &maps.rows)
		libc |= map->executable && map->path && strstr(map->path, "libc.so");
	maps_free(&maps);
	assert_true(libc);
	command_go(command);
	assert_int_equal(WEXITSTATUS(status_of(command)), 7);
	assert_true(command_ended(command));
	assert_int_equal(WEXITSTATUS(command_status(command)), 7);
	command_free(command);
}

/* One that was not let go does not stay; one that was does. */
static void test_command_freed(void **state)
{
	char *const cat[] = { "sleep", "100", NULL };
	struct command *command = start(cat);
	pid_t pid = command_pid(command);

	command_free(command);
	assert_int_equal(kill(pid, 0), -1);
	command = start(cat);
	pid = command_pid(command);
	command_go(command);
	command_free(command);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	command_free(NULL);
}

static void test_command_killed_while_stopped(void **state)
{
	struct command *command = start(exit_7);

	assert_int_equal(kill(command_pid(command), SIGKILL), 0);
	command_go(command);
	assert_int_equal(WTERMSIG(status_of(command)), SIGKILL);
	command_free(command);
}

static void test_no_command(void **state)
{
	char *const none[] = { "/no/such/program", NULL };
	char *const folder[] = { "/tmp", NULL };
	struct command *command;

	assert_int_equal(command_start(&command, none), -ENOENT);
	assert_non_null(strstr(error_message(), "/no/such/program"));
	assert_null(command);
	assert_int_equal(command_start(&command, folder), -EACCES);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pods),
		cmocka_unit_test(test_no_pod),
		cmocka_unit_test(test_comm),
		cmocka_unit_test(test_no_cgroup),
		cmocka_unit_test(test_one_target),
		cmocka_unit_test(test_command),
		cmocka_unit_test(test_command_freed),
		cmocka_unit_test(test_command_killed_while_stopped),
		cmocka_unit_test(test_no_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
