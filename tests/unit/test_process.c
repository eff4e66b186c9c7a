/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Processes as /proc shows them: parsers on given text, the rest on this process and its children.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "process/proc.h"
#include "process/read.h"
#include "process/target.h"

static void test_stat(void **state)
{
	char text[] =
		"42 (a) R (b)) S 7 42 42 0 -1 2129984 0 0 0 0 1 2 3 4 20 0 3 0 987654 1 2 3 4 "
		"5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 4096 25 26\n";
	char cut[] = "42 (a) S 7 42";
	char bare[] = "42";
	struct proc proc = { 0 };

	assert_int_equal(stat_parse(&proc, text), 0);
	assert_string_equal(proc.comm, "a) R (b)");
	assert_int_equal(proc.state, 'S');
	assert_int_equal(proc.parent, 7);
	assert_int_equal(proc.threads, 3);
	assert_true(proc.kernel_thread);
	assert_int_equal(proc.start_ticks, 987654);
	assert_int_equal(proc.start_brk, 4096);
	assert_int_equal(stat_parse(&proc, cut), -EINVAL);
	assert_int_equal(stat_parse(&proc, bare), -EINVAL);
}

static void test_status(void **state)
{
	char text[] =
		"Name:\tx\nTgid:\t12\nPid:\t13\nTracerPid:\t9\nUid:\t1000\t0\t0\t0\n"
		"VmRSS:\t    2048 kB\nCoreDumping:\t1\nSeccomp:\t2\nSeccomp_filters:\t5\n";
	char alive[] = "Tgid:\t12\nCoreDumping:\t0\n";
	char none[] = "Name:\tx\n";
	struct proc proc = { 0 };

	assert_int_equal(status_parse(&proc, text), 0);
	assert_int_equal(proc.pid, 12);
	assert_int_equal(proc.tracer, 9);
	assert_int_equal(proc.uid, 1000);
	assert_int_equal(proc.rss_bytes, 2048 * 1024);
	assert_int_equal(proc.seccomp, 2);
	assert_true(proc.dumping);
	assert_int_equal(status_parse(&proc, alive), 0);
	assert_false(proc.dumping);
	assert_int_equal(status_parse(&proc, none), -EINVAL);
}

static void test_maps(void **state)
{
	static const char text[] =
		"1000-3000 r-xp 00002000 fe:01 77                         /usr/lib/a b.so "
		"(deleted)\n"
		"3000-4000 rw-s 00000000 00:05 0 \n"
		"7ffe0000-7fff0000 rw-p 00000000 00:00 0                  [stack]\n"
		"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0  [vsyscall]\n";
	struct maps maps;
	const struct map *map;

	assert_int_equal(maps_parse(&maps, text), 0);
	assert_int_equal(maps.rows.count, 4);
	map = &maps.rows.items[0];
	assert_true(map->readable && !map->writable && map->executable && !map->shared);
	assert_int_equal(map->offset, 0x2000);
	assert_int_equal(map->major, 0xfe);
	assert_int_equal(map->minor, 1);
	assert_int_equal(map->inode, 77);
	assert_string_equal(map->path, "/usr/lib/a b.so (deleted)");
	assert_true(map[1].shared);
	assert_null(map[1].path);
	assert_string_equal(map[2].path, "[stack]");

	assert_null(maps_find(&maps, 0xfff));
	assert_ptr_equal(maps_find(&maps, 0x1000), map);
	assert_ptr_equal(maps_find(&maps, 0x2fff), map);
	assert_ptr_equal(maps_find(&maps, 0x3000), map + 1);
	assert_null(maps_find(&maps, 0x4000));
	assert_ptr_equal(maps_find(&maps, 0xffffffffff600fff), map + 3);
	assert_null(maps_find(&maps, UINT64_MAX));
	maps_free(&maps);
	assert_null(maps_find(&maps, 0x1000));
}

/* What was mapped while the file was read is newer than what stands before it. */
static void test_maps_that_change(void **state)
{
	static const char text[] =
		"1000-2000 r--p 0 0:0 0 \n2000-4000 r--p 0 0:0 0 \n"
		"4000-5000 r--p 0 0:0 0 \n3000-6000 rw-p 0 0:0 0 \n";
	struct maps maps;

	assert_int_equal(maps_parse(&maps, text), 0);
	assert_int_equal(maps.rows.count, 3);
	assert_int_equal(maps.rows.items[1].start, 0x2000);
	assert_int_equal(maps.rows.items[1].end, 0x3000);
	assert_int_equal(maps.rows.items[2].start, 0x3000);
	assert_true(maps.rows.items[2].writable);
	maps_free(&maps);
}

static void test_maps_hostile(void **state)
{
	static const char *const bad[] = {
		"junk\n",
		"1000\n",
		"1000-\n",
		"3000-1000 r-xp 0 0:0 0 \n",
		"-1-2000 r-xp 0 0:0 0 \n",
		" 1000-2000 r-xp 0 0:0 0 \n",
		"1000-2000 rwxq 0 0:0 0 \n",
		"1000-2000 r\n",
		"1000-2000 r-xp 0 00 0 \n",
		"1000-2000 r-xp 0 1ffffffff:0 0 \n",
		"1000-2000 r-xp 0 0:0 \n",
		"1000-2000 r-xp 0 0:0 5x \n",
		"1000-11111111111111111 r-xp 0 0:0 5 \n",
		"2000-4000 r-xp 0 0:0 0 \n3000-4000 r-xp 0 0:0 0 \n",
	};
	struct maps maps;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(maps_parse(&maps, bad[i]), -EINVAL);
		assert_int_equal(maps.rows.count, 0);
	}
	assert_string_equal(error_message(), "line 2 of the memory map is malformed");
	assert_int_equal(maps_parse(&maps, ""), 0);
	maps_free(&maps);
}

static void test_self(void **state)
{
	uint64_t word = 0x1122334455667788, copy = 0;
	struct maps maps;
	struct proc proc;
	const struct map *map;
	struct stat ours, theirs;
	int fd;

	assert_int_equal(proc_check(&proc, getpid()), 0);
	assert_int_equal(proc.pid, getpid());
	assert_int_equal(proc.parent, getppid());
	assert_true(proc.rss_bytes > 0);
	assert_false(proc.bits32);

	assert_int_equal(maps_read(&maps, getpid()), 0);
	map = maps_find(&maps, (uintptr_t)test_self);
	assert_non_null(map);
	assert_true(map->executable);
	fd = proc_open_map(getpid(), map);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &ours), 0);
	assert_int_equal(stat("/proc/self/exe", &theirs), 0);
	assert_int_equal(ours.st_ino, theirs.st_ino);
	close(fd);
	map = maps_find(&maps, (uintptr_t)&word);
	assert_int_equal(proc_open_map(getpid(), map), -EINVAL);
	maps_free(&maps);

	assert_int_equal(proc_read_memory(getpid(), (uintptr_t)&word, &copy, sizeof(copy)), 0);
	assert_true(copy == word);
	assert_true(proc_read_memory(getpid(), 16, &copy, sizeof(copy)) < 0);
	assert_int_equal(proc_read_memory(getpid(), UINT64_MAX - 4, &copy, sizeof(copy)), -EFAULT);
}

/* A mapped file that was deleted, or that another one has replaced, is never mistaken. */
static void test_open_map_of_replaced_file(void **state)
{
	char path[] = "/tmp/unfreed-map-XXXXXX";
	int fd = mkstemp(path), got;
	struct stat mapped, opened;
	struct maps maps;
	void *memory;

	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(fstat(fd, &mapped), 0);
	memory = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	unlink(path);
	assert_int_equal(maps_read(&maps, getpid()), 0);
	got = proc_open_map(getpid(), maps_find(&maps, (uintptr_t)memory));
	if (got >= 0) { /* with the privilege for map_files */
		assert_int_equal(fstat(got, &opened), 0);
		assert_int_equal(opened.st_ino, mapped.st_ino);
		close(got);
	}
	maps_free(&maps);
	munmap(memory, 4096);
	close(fd);
}

static void test_open_map_by_path(void **state)
{
	char path[] = "/tmp/unfreed-map-XXXXXX";
	int fd = mkstemp(path), got;
	struct stat status;
	/* No such range is mapped, so that only the path is left to go by. */
	struct map map = { .start = 0x1000, .end = 0x2000, .path = path };

	assert_int_equal(fstat(fd, &status), 0);
	map.inode = status.st_ino;
	got = proc_open_map(getpid(), &map);
	assert_true(got >= 0);
	close(got);
	map.inode++;
	assert_true(proc_open_map(getpid(), &map) < 0);
	unlink(path);
	close(fd);
}

static void test_open_file(void **state)
{
	char folder[] = "/tmp/unfreed-open-XXXXXX", path[64], link[64];
	int fd;

	assert_non_null(mkdtemp(folder));
	fd = proc_open_file(getpid(), "/proc/self/status");
	assert_true(fd >= 0); /* "self" is a symbolic link, not a magic one */
	close(fd);
	assert_int_equal(proc_open_file(getpid(), "/dev/null"), -EINVAL);
	assert_int_equal(proc_open_file(getpid(), "/tmp"), -EINVAL);
	assert_int_equal(proc_open_file(getpid(), "/no/such/file"), -ENOENT);
	assert_int_equal(proc_open_file(getpid(), "/proc/self/exe"), -ELOOP);

	snprintf(path, sizeof(path), "%s/fifo", folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(proc_open_file(getpid(), path), -EINVAL);
	snprintf(link, sizeof(link), "%s/link", folder);
	assert_int_equal(symlink("/../../proc/version", link), 0);
	fd = proc_open_file(getpid(), link);
	assert_true(fd >= 0);
	close(fd);
	unlink(path);
	unlink(link);
	rmdir(folder);
}

/* A child that has exited and is not reaped yet. */
static pid_t zombie(void)
{
	siginfo_t info;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, pid, &info, WEXITED | WNOWAIT), 0);
	return pid;
}

static void test_gone(void **state)
{
	pid_t pid = zombie();
	char sentence[64];
	struct proc proc;
	struct maps maps;

	assert_int_equal(proc_check(&proc, pid), -ESRCH);
	assert_non_null(strstr(error_message(), "has exited"));
	assert_int_equal(maps_read(&maps, pid), -ESRCH);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(proc_check(&proc, pid), -ESRCH);
	snprintf(sentence, sizeof(sentence), "no process with pid %d", pid);
	assert_string_equal(error_message(), sentence);
	assert_int_equal(maps_read(&maps, pid), -ESRCH);
	assert_string_equal(error_message(), sentence);
	assert_int_equal(proc_check(&proc, -1), -ESRCH);
	assert_int_equal(proc_check(&proc, 0), -ESRCH);
}

static void *tell_tid(void *pipes)
{
	int *ends = pipes;
	pid_t tid = (pid_t)syscall(SYS_gettid);
	char byte;

	if (write(ends[1], &tid, sizeof(tid)) == sizeof(tid) && read(ends[2], &byte, 1) < 0)
		abort();
	return NULL;
}

static void test_thread(void **state)
{
	char sentence[128];
	struct proc proc;
	pthread_t thread;
	int pipes[4];
	pid_t tid;

	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(pipe(pipes + 2), 0);
	assert_int_equal(pthread_create(&thread, NULL, tell_tid, pipes), 0);
	assert_int_equal(read(pipes[0], &tid, sizeof(tid)), sizeof(tid));
	assert_int_equal(proc_check(&proc, tid), -EINVAL);
	snprintf(sentence, sizeof(sentence), "pid %d is a thread of pid %d: use -p %d", tid,
		 getpid(), getpid());
	assert_string_equal(error_message(), sentence);
	close(pipes[3]);
	pthread_join(thread, NULL);
	for (int i = 0; i < 3; i++)
		close(pipes[i]);
}

static void test_kernel_thread(void **state)
{
	struct proc proc;

	/* Not there in a pid namespace of our own. */
	if (proc_read(&proc, 2) || strcmp(proc.comm, "kthreadd") != 0)
		skip();
	assert_int_equal(proc_check(&proc, 2), -EINVAL);
	assert_string_equal(error_message(),
			    "pid 2 (kthreadd) is a kernel thread: it has no "
			    "memory of its own to trace");
}

static void test_32_bit(void **state)
{
	static const struct {
		Elf32_Ehdr header;
		Elf32_Phdr segment;
		unsigned char code[9];
	} image = {
		.header = {
			.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT },
			.e_type = ET_EXEC,
			.e_machine = EM_386,
			.e_version = EV_CURRENT,
			.e_entry = 0x8048000 + sizeof(Elf32_Ehdr) + sizeof(Elf32_Phdr),
			.e_phoff = sizeof(Elf32_Ehdr),
			.e_ehsize = sizeof(Elf32_Ehdr),
			.e_phentsize = sizeof(Elf32_Phdr),
			.e_phnum = 1,
		},
		.segment = {
			.p_type = PT_LOAD,
			.p_vaddr = 0x8048000,
			.p_filesz = 0x60,
			.p_memsz = 0x60,
			.p_flags = PF_R | PF_X,
			.p_align = 0x1000,
		},
		.code = { 0xb8, 29, 0, 0, 0, 0xcd, 0x80, 0xeb, 0xf7 }, /* pause(), for ever */
	};
	char path[] = "/tmp/unfreed-32-XXXXXX";
	int fd = mkstemp(path), ready[2], err;
	struct target target;
	char list[16], byte;
	pid_t pid;

	assert_int_equal(write(fd, &image, sizeof(image)), sizeof(image));
	fchmod(fd, 0700);
	close(fd);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		execl(path, path, NULL);
		_exit(write(ready[1], "x", 1) == 1);
	}
	close(ready[1]);
	/* The pipe closes without a byte when exec succeeds. */
	if (read(ready[0], &byte, 1) == 1) {
		waitpid(pid, NULL, 0);
		close(ready[0]);
		unlink(path);
		skip(); /* a kernel without 32-bit emulation */
	}
	close(ready[0]);
	unlink(path);
	snprintf(list, sizeof(list), "%d", pid);
	err = target_resolve(&target, &(struct target_spec){ .pids = list });
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(err, -ENOTSUP);
	assert_non_null(strstr(error_message(), "runs a 32-bit program: not supported"));
}

static void test_target(void **state)
{
	static const char *const bad[] = { "", "x", "1x", "-1", "1,,2", " 1", "99999999999" };
	struct target target;
	pid_t pid = fork();
	char list[64];

	if (pid == 0) {
		pause();
		_exit(0);
	}
	snprintf(list, sizeof(list), "%d,%d", pid, pid);
	assert_int_equal(target_resolve(&target, &(struct target_spec){ .pids = list }), 0);
	assert_int_equal(target.pids.count, 1);
	assert_int_equal(target.pids.items[0], pid);
	assert_null(target.cgroup_path);
	target_free(&target);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(target_resolve(&target, &(struct target_spec){ .pids = list }), -ESRCH);

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct target_spec spec = { .pids = bad[i] };

		assert_int_equal(target_resolve(&target, &spec), -EINVAL);
	}
	snprintf(list, sizeof(list), "%d", getpid());
	assert_int_equal(target_resolve(&target, &(struct target_spec){ .pids = list }), -EINVAL);
	assert_int_equal(target_resolve(&target, &(struct target_spec){ 0 }), -EINVAL);
	target_free(&target);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stat),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_maps),
		cmocka_unit_test(test_maps_that_change),
		cmocka_unit_test(test_maps_hostile),
		cmocka_unit_test(test_self),
		cmocka_unit_test(test_open_map_of_replaced_file),
		cmocka_unit_test(test_open_map_by_path),
		cmocka_unit_test(test_open_file),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_thread),
		cmocka_unit_test(test_kernel_thread),
		cmocka_unit_test(test_32_bit),
		cmocka_unit_test(test_target),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
