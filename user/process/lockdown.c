/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The walls: user, capabilities, Landlock, seccomp, limits. */
#include "process/lockdown.h"

#include <errno.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

enum {
	NOBODY = 65534, /* whom the kernel calls so: overflowuid */
	LANDLOCK_RIGHTS_FIRST = 13, /* of files, in its first version */
};

#ifdef __x86_64__
#define OWN_ARCH AUDIT_ARCH_X86_64
#define CALLS_MAX 0x3fffffff /* above are those of x32 */
#else
#define OWN_ARCH AUDIT_ARCH_AARCH64
#define CALLS_MAX 0xffffffff
#endif

/* The sanitizers' own memory is a matter of terabytes. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

/*
 * What a parser calls: it reads what is open, allocates, answers, and ends. What glibc calls for it
 * is among them, for abort(), qsort() and a malloc in its first call, and what sanitizers call
 * before _exit().
 */
static const unsigned int parser_calls[] = {
	SYS_read,	 SYS_pread64,	     SYS_recvmsg,      SYS_write,	  SYS_sendto,
	SYS_close,	 SYS_fstat,	     SYS_newfstatat,   SYS_fcntl,	  SYS_lseek,
	SYS_mmap,	 SYS_munmap,	     SYS_mremap,       SYS_mprotect,	  SYS_brk,
	SYS_madvise,	 SYS_futex,	     SYS_exit,	       SYS_exit_group,	  SYS_getrandom,
	SYS_sysinfo,	 SYS_gettid,	     SYS_getpid,       SYS_tgkill,	  SYS_rt_sigaction,
	SYS_sched_yield, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_clock_gettime, SYS_sigaltstack,
};

/* What a library may try, and is told that it must not: it goes on without. */
static const unsigned int refused_calls[] = {
#ifdef SYS_open
	SYS_open,
#endif
#ifdef SYS_readlink
	SYS_readlink,
#endif
	SYS_openat,   SYS_readlinkat, SYS_prctl, SYS_ioctl,
};

enum {
	COUNT_PARSER = sizeof(parser_calls) / sizeof(parser_calls[0]),
	COUNT_REFUSED = sizeof(refused_calls) / sizeof(refused_calls[0]),
	FILTER_MAX = 8 + COUNT_PARSER + COUNT_REFUSED,
};

/*
 * Jumps go forward, to one of the three ends: so the calls' rows are each one comparison. See
 * Documentation/userspace-api/seccomp_filter.rst.
 */
static size_t make_filter(struct sock_filter filter[FILTER_MAX])
{
	const uint8_t ends = 4 + COUNT_PARSER + COUNT_REFUSED;
	size_t at = 0;

	filter[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						    offsetof(struct seccomp_data, arch));
	filter[at] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCH, 0,
						  (uint8_t)(ends - at - 1));
	at++;
	filter[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						    offsetof(struct seccomp_data, nr));
	filter[at] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, CALLS_MAX,
						  (uint8_t)(ends - at - 1), 0);
	at++;
	for (size_t i = 0; i < COUNT_PARSER; i++, at++)
		filter[at] =
			(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, parser_calls[i],
						     (uint8_t)(ends + 2 - at - 1), 0);
	for (size_t i = 0; i < COUNT_REFUSED; i++, at++)
		filter[at] =
			(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, refused_calls[i],
						     (uint8_t)(ends + 1 - at - 1), 0);
	filter[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	filter[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES);
	filter[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	return at;
}

static bool close_calls(void)
{
	struct sock_filter filter[FILTER_MAX];
	struct sock_fprog program = { .filter = filter };

	program.len = (unsigned short)make_filter(filter);
	return !syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

/* Each version brought a right more; a ruleset that handles all and allows none closes all. */
static bool close_files(void)
{
	long version =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct {
		uint64_t files;
	} rules;
	cleanup_close int fd = -1;

	if (version < 1)
		return false;
	/* Those of files: version 2 and 3 have one more each, 5 another one. */
	rules.files = (1ULL << (LANDLOCK_RIGHTS_FIRST + (version >= 2) + (version >= 3) +
				(version >= 5))) -
		      1;
	fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0);
	return fd >= 0 && !syscall(SYS_landlock_restrict_self, fd, 0);
}

/* Before the user: it takes a right. Without it they stay; no_new_privs makes them useless. */
static void drop_bounds(void)
{
	for (int i = 0; !prctl(PR_CAPBSET_DROP, i, 0, 0, 0); i++)
		;
}

static bool drop_user(void)
{
	if (geteuid() && getuid())
		return true;
	if (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY))
		return false;
	return true;
}

static bool drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return !syscall(SYS_capset, &header, none) && !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static bool set_limits(uint64_t memory_max, bool writes)
{
	const struct rlimit none = { 0, 0 };
	const struct rlimit memory = { memory_max, memory_max };
	bool all = !setrlimit(RLIMIT_CORE, &none) && !setrlimit(RLIMIT_NPROC, &none) &&
		   (writes || !setrlimit(RLIMIT_FSIZE, &none));

	if (memory_max && !SANITIZED && setrlimit(RLIMIT_AS, &memory))
		all = false;
	return all;
}

unsigned int lockdown_parser(uint64_t memory_max, bool writes, pid_t parent)
{
	unsigned int walls = 0;

	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	walls |= set_limits(memory_max, writes) ? LOCKDOWN_LIMITS : 0;
	drop_bounds();
	walls |= drop_user() ? LOCKDOWN_USER : 0;
	walls |= drop_capabilities() ? LOCKDOWN_CAPABILITIES : 0;
	/* A change of user takes it away again. */
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent)
		_exit(0);
	walls |= close_files() ? LOCKDOWN_FILES : 0;
	walls |= close_calls() ? LOCKDOWN_CALLS : 0;
	return walls;
}

void lockdown_missing(unsigned int walls, char text[LOCKDOWN_TEXT_MAX])
{
	static const char *const names[] = { "another user", "no capabilities", "Landlock",
					     "seccomp", "limits" };
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!(walls & 1u << i))
			used += (size_t)snprintf(text + used, LOCKDOWN_TEXT_MAX - used, "%s%s",
						 used ? ", " : "", names[i]);
	}
}
