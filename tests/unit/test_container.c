/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Containers from state files, in a tree made for the purpose whose pids are this process's own. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "process/cgroup.h"
#include "process/container.h"
#include "process/file.h"
#include "process/proc.h"
#include "process/runtime.h"

#define ID_A "3f0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8"
#define ID_B "3f0affffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"

static char root[64];

/* Writes a file below the root, and the folders on its way. */
static void put(const char *path, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(const char *path, const char *format, ...)
{
	char name[512];
	va_list arguments;
	FILE *stream;

	snprintf(name, sizeof(name), "%s%s", root, path);
	for (char *p = strchr(name + strlen(root) + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		mkdir(name, 0700);
		*p = '/';
	}
	stream = fopen(name, "w");
	assert_non_null(stream);
	va_start(arguments, format);
	vfprintf(stream, format, arguments);
	va_end(arguments);
	fclose(stream);
}

static int make_root(void **state)
{
	strcpy(root, "/tmp/unfreed-root-XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int drop(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	return remove(path);
}

static int remove_root(void **state)
{
	return nftw(root, drop, 16, FTW_DEPTH | FTW_PHYS);
}

static uint64_t own_start(void)
{
	struct proc proc;

	assert_int_equal(proc_read(&proc, getpid()), 0);
	return proc.start_ticks;
}

static pid_t dead_pid(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	return pid;
}

static void put_docker(const char *id, const char *name, bool running, pid_t pid)
{
	char path[256];

	snprintf(path, sizeof(path), "/var/lib/docker/containers/%s/config.v2.json", id);
	put(path,
	    "{\"State\":{\"Running\":%s,\"Pid\":%d,\"ExitCode\":0},\"ID\":\"%s\",\"Name\":\"/%s\"}",
	    running ? "true" : "false", pid, id, name);
}

static void put_runc(const char *folder, const char *id, pid_t pid, uint64_t start)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s/state.json", folder, id);
	put(path, "{\"id\":\"%s\",\"init_process_pid\":%d,\"init_process_start\":%llu}", id, pid,
	    (unsigned long long)start);
}

static void put_task(const char *namespace, const char *id, pid_t pid, const char *annotations)
{
	char path[256];

	snprintf(path, sizeof(path),
		 "/run/containerd/io.containerd.runtime.v2.task/%s/%s/config.json", namespace, id);
	put(path, "{\"ociVersion\":\"1.0.2\",\"annotations\":{%s}}", annotations);
	snprintf(path, sizeof(path), "/run/containerd/io.containerd.runtime.v2.task/%s/%s/init.pid",
		 namespace, id);
	put(path, "%d", pid);
}

static const struct container *find(const struct containers *containers, const char *key)
{
	const struct container *found;

	assert_int_equal(containers_find(containers, key, &found), 0);
	return found;
}

static int find_error(const struct containers *containers, const char *key)
{
	const struct container *found;

	return containers_find(containers, key, &found);
}

static void test_layers_are_one(void **state)
{
	struct containers containers;
	const struct container *found;

	put_docker(ID_A, "web", true, getpid());
	put_task("moby", ID_A, getpid(), "");
	put_runc("/run/docker/runtime-runc/moby", ID_A, getpid(), own_start());
	assert_int_equal(containers_list(&containers, root), 0);
	assert_int_equal(containers.rows.count, 1);
	found = find(&containers, "web");
	assert_string_equal(found->runtime, "docker");
	assert_string_equal(found->id, ID_A);
	assert_int_equal(found->pid, getpid());
	assert_int_equal(found->start_ticks, own_start());
	assert_ptr_equal(find(&containers, "3"), found);
	assert_ptr_equal(find(&containers, ID_A), found);
	containers_free(&containers);
}

static void test_reused_pid_is_not_it(void **state)
{
	struct containers containers;

	put_docker(ID_A, "web", true, getpid());
	put_runc("/run/docker/runtime-runc/moby", ID_A, getpid(), own_start() + 1);
	put_runc("/run/runc", "gone", dead_pid(), 5);
	assert_int_equal(containers_list(&containers, root), 0);
	assert_int_equal(containers.rows.count, 2);
	assert_int_equal(find_error(&containers, "web"), -ESRCH);
	assert_string_equal(error_message(),
			    "container 'web' (docker 3f0a1b2c3d4e…) is not running");
	assert_int_equal(find_error(&containers, "gone"), -ESRCH);
	assert_string_equal(error_message(), "container 'gone' (runc gone) is not running");
	containers_free(&containers);
}

/* What containerd left behind of it does not bring it to life: its pid is another's by now. */
static void test_stopped_docker(void **state)
{
	struct containers containers;

	put_docker(ID_A, "web", false, 0);
	put_task("moby", ID_A, getpid(), "");
	assert_int_equal(containers_list(&containers, root), 0);
	assert_int_equal(containers.rows.count, 1);
	assert_int_equal(find_error(&containers, "web"), -ESRCH);
	containers_free(&containers);
}

static void test_search(void **state)
{
	struct containers containers;

	put_docker(ID_A, "one", true, getpid());
	put_docker(ID_B, "two", true, getpid());
	put_docker("77aa", "stopped", false, 0);
	put_docker("77bb", "3f0a1b2c", true, getpid());
	assert_int_equal(containers_list(&containers, root), 0);
	assert_string_equal(find(&containers, "3f0af")->name, "two");
	/* A name counts before the beginning of an id, and a running one before a stopped one. */
	assert_string_equal(find(&containers, "3f0a1b2c")->id, "77bb");
	assert_string_equal(find(&containers, "77")->id, "77bb");
	assert_int_equal(find_error(&containers, "3f0a"), -EINVAL);
	assert_string_equal(error_message(),
			    "2 containers match '3f0a': docker 3f0a1b2c3d4e… (one), "
			    "docker 3f0affffffff… (two); use more of the id");
	assert_int_equal(find_error(&containers, "tw"), -ENOENT);
	assert_string_equal(error_message(),
			    "no container 'tw' among the 4 of docker, podman, "
			    "containerd, crun and runc");
	assert_int_equal(find_error(&containers, ""), -EINVAL);
	assert_int_equal(find_error(&containers, "stopped"), -ESRCH);
	containers_free(&containers);
}

static void test_containerd(void **state)
{
	struct containers containers;

	put_task("default", "demo", getpid(), "");
	put_task("other", "demo", 0, ""); /* not merged with the one above */
	put_task("default", "n", getpid(), "\"nerdctl/name\":\"cache\"");
	put_task("k8s.io", "c1", getpid(),
		 "\"io.kubernetes.cri.container-type\":\"container\","
		 "\"io.kubernetes.cri.container-name\":\"db\","
		 "\"io.kubernetes.cri.sandbox-name\":\"db-0\","
		 "\"io.kubernetes.cri.sandbox-namespace\":\"prod\"");
	put_task("k8s.io", "c2", getpid(),
		 "\"io.kubernetes.container.name\":\"db\",\"io.kubernetes.pod.name\":\"db-1\","
		 "\"io.kubernetes.pod.namespace\":\"prod\"");
	put_task("k8s.io", "c3", getpid(),
		 "\"io.kubernetes.cri.container-type\":\"sandbox\","
		 "\"io.kubernetes.cri.sandbox-name\":\"db-0\","
		 "\"io.kubernetes.cri.sandbox-namespace\":\"prod\"");
	put_runc("/run/containerd/runc/default", "demo", getpid(), own_start());
	assert_int_equal(containers_list(&containers, root), 0);
	assert_int_equal(containers.rows.count, 6);
	assert_string_equal(find(&containers, "demo")->namespace, "default");
	assert_string_equal(find(&containers, "cache")->id, "n");
	assert_string_equal(find(&containers, "db-0/db")->id, "c1");
	assert_string_equal(find(&containers, "prod/db-1/db")->id, "c2");
	assert_string_equal(find(&containers, "db-0/POD")->id, "c3");
	assert_int_equal(find_error(&containers, "db"), -EINVAL);
	assert_string_equal(error_message(),
			    "2 containers match 'db': containerd c1 (prod/db-0/db), "
			    "containerd c2 (prod/db-1/db); use more of the id");
	assert_int_equal(find_error(&containers, "b"), -ENOENT);
	containers_free(&containers);
}

static void test_podman_and_crun(void **state)
{
	struct containers containers;

	put("/var/lib/containers/storage/overlay-containers/containers.json",
	    "[{\"id\":\"%s\",\"names\":[\"api\",\"alias\"]},{\"id\":\"cafe\"},{\"names\":[]},3]",
	    ID_A);
	put("/var/lib/containers/storage/overlay-containers/volatile-containers.json",
	    "[{\"id\":\"%s\",\"names\":[\"job\"]}]", ID_B);
	put("/run/containers/storage/overlay-containers/" ID_A "/userdata/pidfile", "%d", getpid());
	put("/run/crun/" ID_B "/status", "{\"pid\":%d,\"process-start-time\":%llu}", getpid(),
	    (unsigned long long)own_start());
	assert_int_equal(containers_list(&containers, root), 0);
	assert_int_equal(containers.rows.count, 3);
	assert_int_equal(find(&containers, "api")->pid, getpid());
	assert_string_equal(find(&containers, "job")->runtime, "podman");
	assert_int_equal(find(&containers, "job")->start_ticks, own_start());
	assert_int_equal(find_error(&containers, "cafe"), -ESRCH);
	containers_free(&containers);
}

static void test_hostile_files(void **state)
{
	struct containers containers;
	char path[128];

	put("/run/runc/a/state.json", "{\"id\":\"a\",\"init_process_pid\":\"1\"}");
	put("/run/runc/b/state.json", "{\"id\":[],\"init_process_pid\":1}");
	put("/run/runc/c/state.json", "[[[[");
	put("/run/runc/d/state.json", "%s", "");
	put("/run/runc/e/state.json", "{\"id\":\"e\",\"init_process_pid\":-5}");
	put("/run/runc/f/state.json", "{\"id\":\"f\",\"init_process_pid\":4294967297}");
	put("/run/runc/g/state.json", "{\"id\":\"g\",\"init_process_pid\":1,\"x\":\"%*s\"}",
	    FILE_MAX_STATE, "");
	put("/run/runc/h/plain", "x");
	snprintf(path, sizeof(path), "%s/run/runc/h/state.json", root);
	assert_int_equal(mkfifo(path, 0600), 0);
	put("/var/lib/docker/containers/i/config.v2.json", "{\"ID\":\"i\",\"State\":7}");
	put("/var/lib/containers/storage/overlay-containers/containers.json", "{\"id\":\"j\"}");
	assert_int_equal(containers_list(&containers, root), 0);
	assert_int_equal(containers.rows.count, 2);
	assert_int_equal(find_error(&containers, "e"), -ESRCH);
	assert_int_equal(find_error(&containers, "f"), -ESRCH);
	containers_free(&containers);
}

/* An absolute link is of the tree that it lies in. */
static void test_link_stays_below_root(void **state)
{
	struct containers containers;
	char link[128];

	put("/data/docker/containers/x/config.v2.json",
	    "{\"State\":{\"Running\":true,\"Pid\":%d},\"ID\":\"x\",\"Name\":\"/linked\"}",
	    getpid());
	put("/var/lib/here", "x");
	snprintf(link, sizeof(link), "%s/var/lib/docker", root);
	assert_int_equal(symlink("/data/docker", link), 0);
	put("/srv/containers/y/config.v2.json",
	    "{\"State\":{\"Running\":true,\"Pid\":%d},\"ID\":\"y\",\"Name\":\"/moved\"}", getpid());
	put("/etc/docker/daemon.json", "{\"data-root\":\"/srv\"}");
	assert_int_equal(containers_list(&containers, root), 0);
	assert_int_equal(containers.rows.count, 2);
	assert_string_equal(find(&containers, "linked")->id, "x");
	assert_string_equal(find(&containers, "moved")->id, "y");
	containers_free(&containers);
	assert_int_equal(containers_list(&containers, "/no/such/root"), -ENOENT);
}

#define COMMAND(places, folder, line) places_add_command(places, line, sizeof(line), folder)

static void test_daemons(void **state)
{
	static const struct {
		enum runtime runtime;
		const char *pattern, *run;
	} expected[] = {
		{ RUNTIME_DOCKER, "/d/containers/*/config.v2.json", NULL },
		{ RUNTIME_RUNC, "/w/e/runtime-runc/*/*/state.json", NULL },
		{ RUNTIME_CONTAINERD, "/s/io.containerd.runtime.v2.task/*/*/config.json", NULL },
		{ RUNTIME_CONTAINERD, "/x/task/*/*/config.json", NULL },
		{ RUNTIME_PODMAN, "/p/overlay-containers/*containers.json", "/r" },
		{ RUNTIME_RUNC, "/q/*/state.json", NULL },
	};
	struct places places = { 0 };

	COMMAND(&places, "/w", "/usr/sbin/dockerd\0--data-root=/d\0--exec-root\0e\0-D");
	COMMAND(&places, "/w", "containerd\0--state\0/s");
	COMMAND(&places, "/x/task/ns/id", "/usr/bin/containerd-shim-runc-v2\0-namespace\0ns");
	COMMAND(&places, "/",
		"/usr/bin/conmon\0-c\0id\0-b\0/p/overlay-containers/id/userdata\0-p\0"
		"/r/overlay-containers/id/userdata/pidfile\0-n\0name");
	COMMAND(&places, "/", "runc\0--root\0/q\0run\0demo");
	COMMAND(&places, "/", "runc\0--root\0/q\0run\0again");
	/* Nothing to learn from these. */
	COMMAND(&places, "/", "runc\0--root");
	COMMAND(&places, "", "runc\0--root\0relative");
	COMMAND(&places, "/", "runc\0--root\0/a*b");
	COMMAND(&places, "/", "conmon\0-b\0/p2/overlay-containers/id/userdata");
	COMMAND(&places, "/", "vi\0--root\0/z");
	COMMAND(&places, "/", "");
	assert_int_equal(places.rows.count, 6);
	for (size_t i = 0; i < 6; i++) {
		const struct place *place = &places.rows.items[i];

		assert_int_equal(place->runtime, expected[i].runtime);
		assert_string_equal(place->pattern, expected[i].pattern);
		if (expected[i].run)
			assert_string_equal(place->run, expected[i].run);
		else
			assert_null(place->run);
	}
	places_free(&places);
}

static void check_string(char *got, const char *expected)
{
	if (expected)
		assert_string_equal(got, expected);
	else
		assert_null(got);
	mem_free(got);
}

static void test_cgroup_lines(void **state)
{
	static const char hybrid[] =
		"12:name=systemd:/s\n5:cpu,pids:/p/a:b\n4:memory:/outer/m\n0::/\n";

	check_string(cgroup_parse(hybrid, CGROUP_MEMORY), "/outer/m");
	check_string(cgroup_parse(hybrid, CGROUP_PIDS), "/p/a:b");
	check_string(cgroup_parse(hybrid, CGROUP_V2), "/");
	check_string(cgroup_parse("0::/docker/x\n", CGROUP_MEMORY), NULL);
	check_string(cgroup_parse("3:memory_x,xmemory:/m\n4:\n5\n:::\n", CGROUP_MEMORY), NULL);
}

static void test_cgroup_places(void **state)
{
	static const char mounts[] =
		"24 1 0:22 / /sys rw shared:7 - sysfs sysfs rw\n"
		"32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
		"35 31 0:32 /docker/a /cg/my\\040memory rw shared:9 - cgroup cgroup rw,memory\n"
		"41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
		"42\n43 - \n44 1 0:1 / - cgroup2 x\n";

	check_string(cgroup_place(mounts, CGROUP_V2, "/a/b"), "/sys/fs/cgroup/unified/a/b");
	check_string(cgroup_place(mounts, CGROUP_V2, "/"), "/sys/fs/cgroup/unified");
	check_string(cgroup_place(mounts, CGROUP_V2, "/../b"), NULL);
	check_string(cgroup_place(mounts, CGROUP_MEMORY, "/docker/a/b"), "/cg/my memory/b");
	check_string(cgroup_place(mounts, CGROUP_MEMORY, "/docker/a"), "/cg/my memory");
	check_string(cgroup_place(mounts, CGROUP_MEMORY, "/docker/ab"), NULL);
	check_string(cgroup_place(mounts, CGROUP_PIDS, "/a"), NULL);
}

static void test_cgroup_processes(void **state)
{
	struct pid_list list = { 0 };

	put("/group/cgroup.procs", "10\n0\n11\n");
	put("/group/below/deeper/cgroup.procs", "12\n");
	put("/group/below/other", "13\n");
	cgroup_processes(root, &list);
	assert_int_equal(list.pids.count, 3);
	assert_int_equal(list.pids.items[2], 12);
	vec_free(&list.pids);
}

/* A child of ours that is in no container: it and its descendants. */
static void test_processes_without_cgroup(void **state)
{
	struct pid_list list = { 0 };
	int ready[2], hold[2];
	pid_t pids[2];

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(hold), 0);
	pids[0] = fork();
	if (pids[0] == 0) {
		char byte;

		close(hold[1]);
		pids[1] = fork();
		if (pids[1] != 0 && write(ready[1], &pids[1], sizeof(pid_t)) != sizeof(pid_t))
			_exit(1);
		_exit(read(hold[0], &byte, 1) != 0 || (pids[1] && waitpid(pids[1], NULL, 0) < 0));
	}
	assert_int_equal(read(ready[0], &pids[1], sizeof(pid_t)), sizeof(pid_t));
	assert_int_equal(container_processes(pids[0], &list), 0);
	assert_int_equal(list.pids.count, 2);
	assert_true(list.pids.items[0] < list.pids.items[1]);
	assert_int_equal(list.pids.items[0] + list.pids.items[1], pids[0] + pids[1]);
	vec_free(&list.pids);
	close(hold[1]);
	waitpid(pids[0], NULL, 0);
	for (int i = 0; i < 2; i++)
		close(ready[i]);
	close(hold[0]);
	assert_int_equal(container_processes(pids[0], &list), -ESRCH);
	vec_free(&list.pids);
}

#define WITH_ROOT(test) cmocka_unit_test_setup_teardown(test, make_root, remove_root)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ROOT(test_layers_are_one),
		WITH_ROOT(test_reused_pid_is_not_it),
		WITH_ROOT(test_stopped_docker),
		WITH_ROOT(test_search),
		WITH_ROOT(test_containerd),
		WITH_ROOT(test_podman_and_crun),
		WITH_ROOT(test_hostile_files),
		WITH_ROOT(test_link_stays_below_root),
		cmocka_unit_test(test_daemons),
		cmocka_unit_test(test_cgroup_lines),
		cmocka_unit_test(test_cgroup_places),
		WITH_ROOT(test_cgroup_processes),
		cmocka_unit_test(test_processes_without_cgroup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
