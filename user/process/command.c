/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Starting a program and stopping it before its first constructor. A loader tells debuggers when it
 * is done: it calls the function that r_debug.r_brk names (see <link.h>), with r_state
 * RT_CONSISTENT once everything is mapped and relocated. glibc runs constructors after that, and
 * before the program's entry; musl, which fills r_debug in too late to be seen here, runs them
 * behind the entry. So the first of these two is the place.
 */
#include "process/command.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/vec.h"
#include "process/breakpoint.h"
#include "process/file.h"
#include "process/proc.h"

enum { MAX_HEADERS = 64, MAX_DYNAMIC = 256, EXIT_NO_EXEC = 127, SYSCALL_STOP = SIGTRAP | 0x80 };

struct command {
	char *name;
	pid_t pid;
	bool going, ended;
	int status;
};

/* What the loader and we must know of the new image. */
struct image {
	uint64_t entry; /* of the program */
	uint64_t loader; /* where it is mapped; 0: none */
	uint64_t debug; /* where the program's DT_DEBUG will point to r_debug; 0: it has none */
	uint64_t notify; /* r_brk, once known */
};

enum stop { STOP_ENDED, STOP_EXEC, STOP_SYSCALL, STOP_BREAKPOINT };

pid_t command_pid(const struct command *command)
{
	return command->pid;
}

/* -- stops ------------------------------------------------------------------------------------- */

static pid_t wait_for(struct command *command, int options)
{
	pid_t got;

	do {
		got = waitpid(command->pid, &command->status, options);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		command->status = -1;
	command->ended = got < 0 || (got && !WIFSTOPPED(command->status));
	return got;
}

/* Lets it run to the next stop that is ours; what other signals do is between it and them. */
static enum stop resume(struct command *command)
{
	int signal_number = 0;

	for (;;) {
		siginfo_t info = { 0 };
		int stop;

		/* It may have been killed: waiting says so. */
		ptrace(PTRACE_SYSCALL, command->pid, 0, signal_number);
		wait_for(command, 0);
		if (command->ended)
			return STOP_ENDED;
		stop = WSTOPSIG(command->status);
		if (stop == SYSCALL_STOP)
			return STOP_SYSCALL;
		if (command->status >> 16 == PTRACE_EVENT_EXEC)
			return STOP_EXEC;
		if (stop == SIGTRAP && !ptrace(PTRACE_GETSIGINFO, command->pid, 0, &info) &&
		    info.si_code == TRAP_HWBKPT)
			return STOP_BREAKPOINT;
		signal_number = stop;
	}
}

static int ended(const struct command *command)
{
	if (command->status == -1)
		return error_set(-ECHILD, "cannot wait for '%s'", command->name);
	if (WIFSIGNALED(command->status))
		return error_set(-ECHILD, "'%s' was killed by signal %d before it began",
				 command->name, WTERMSIG(command->status));
	return error_set(-ECHILD, "'%s' ended with status %d before it began: its loader says why",
			 command->name, WEXITSTATUS(command->status));
}

/* -- starting ---------------------------------------------------------------------------------- */

__attribute__((noreturn)) static void become(char *const argv[], int report_fd)
{
	int error;

	if (!ptrace(PTRACE_TRACEME, 0, 0, 0)) {
		raise(SIGSTOP);
		execvp(argv[0], argv);
	}
	error = errno;
	if (write(report_fd, &error, sizeof(error)) != sizeof(error))
		error = 0; /* nobody is left to be told */
	_exit(EXIT_NO_EXEC);
}

/* From the fork to the new image. */
static int reach_exec(struct command *command, int report_fd)
{
	const long options = PTRACE_O_EXITKILL | PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD;
	enum stop stop = STOP_ENDED;
	int error = 0;

	wait_for(command, 0);
	if (!command->ended && ptrace(PTRACE_SETOPTIONS, command->pid, 0, options))
		return error_set(-errno, "cannot trace '%s': %m", command->name);
	if (!command->ended) {
		do {
			stop = resume(command);
		} while (stop == STOP_SYSCALL || stop == STOP_BREAKPOINT);
	}
	if (stop == STOP_EXEC)
		return 0;
	if (read(report_fd, &error, sizeof(error)) == sizeof(error) && error)
		return error_set(-error, "cannot run '%s': %s", command->name, strerror(error));
	return ended(command);
}

static int fork_command(struct command *command, char *const argv[])
{
	cleanup_close int read_fd = -1, write_fd = -1;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return error_set(-errno, "cannot start '%s': %m", command->name);
	read_fd = fds[0];
	write_fd = fds[1];
	command->pid = fork();
	if (command->pid < 0) {
		command->ended = true;
		return error_set(-errno, "cannot start '%s': %m", command->name);
	}
	if (!command->pid)
		become(argv, write_fd);
	/* Who ignores it never hears how a child ended. It is stopped yet: it has what we had. */
	signal(SIGCHLD, SIG_DFL);
	close(write_fd);
	write_fd = -1;
	return reach_exec(command, read_fd);
}

/* -- to the place ------------------------------------------------------------------------------ */

/* Where the program's DT_DEBUG has its value: its headers are in memory. 0: nowhere. */
static uint64_t find_debug(pid_t pid, uint64_t headers, uint64_t count)
{
	ElfW(Phdr) header[MAX_HEADERS];
	uint64_t bias = 0, dynamic = 0;

	if (!headers || count > MAX_HEADERS ||
	    proc_read_memory(pid, headers, header, count * sizeof(*header)))
		return 0;
	for (uint64_t i = 0; i < count; i++) {
		if (header[i].p_type == PT_PHDR)
			bias = headers - header[i].p_vaddr;
		else if (header[i].p_type == PT_DYNAMIC)
			dynamic = header[i].p_vaddr;
	}
	for (uint64_t i = 0; dynamic && i < MAX_DYNAMIC; i++) {
		uint64_t address = bias + dynamic + i * sizeof(ElfW(Dyn));
		ElfW(Dyn) entry;

		if (proc_read_memory(pid, address, &entry, sizeof(entry)) || entry.d_tag == DT_NULL)
			break;
		if (entry.d_tag == DT_DEBUG)
			return address + offsetof(ElfW(Dyn), d_un);
	}
	return 0;
}

static int read_image(const struct command *command, struct image *image)
{
	cleanup_free char *path = mem_printf("/proc/%d/auxv", (int)command->pid);
	cleanup_free char *text = NULL;
	uint64_t headers = 0, count = 0;
	const ElfW(auxv_t) * value;
	size_t bytes;
	int err = file_read(path, FILE_MAX_PROC, &text, &bytes);

	memset(image, 0, sizeof(*image));
	if (err)
		return error_set(err, "cannot read %s: %s", path, strerror(-err));
	value = (const void *)text;
	for (; bytes >= sizeof(*value); value++, bytes -= sizeof(*value)) {
		if (value->a_type == AT_ENTRY)
			image->entry = value->a_un.a_val;
		else if (value->a_type == AT_BASE)
			image->loader = value->a_un.a_val;
		else if (value->a_type == AT_PHDR)
			headers = value->a_un.a_val;
		else if (value->a_type == AT_PHNUM)
			count = value->a_un.a_val;
	}
	image->debug = find_debug(command->pid, headers, count);
	return 0;
}

/* The loader fills it in while it runs. */
static bool read_debug(const struct command *command, const struct image *image,
		       struct r_debug *debug)
{
	uint64_t address = 0;

	return image->debug &&
	       !proc_read_memory(command->pid, image->debug, &address, sizeof(address)) &&
	       address && !proc_read_memory(command->pid, address, debug, sizeof(*debug));
}

static bool consistent(const struct command *command, const struct image *image)
{
	struct r_debug debug;

	return read_debug(command, image, &debug) && debug.r_state == RT_CONSISTENT;
}

static int plant(const struct command *command, const struct image *image)
{
	const uint64_t addresses[BREAKPOINTS_MAX] = { image->entry, image->notify };
	int err = breakpoints_set(command->pid, addresses);

	return err ? error_set(err,
			       "cannot stop '%s' at its start: no debug registers here (%s); start "
			       "it yourself and use -p",
			       command->name, strerror(-err))
		   : 0;
}

/*
 * Through the loader. It calls r_brk a first time before it maps libraries: then the breakpoint is
 * taken away until the next system call, so that it does not hit itself (arm64).
 */
static int reach_start(struct command *command, struct image *image)
{
	int err = plant(command, image);

	while (!err) {
		enum stop stop = resume(command);
		struct r_debug debug;

		if (stop == STOP_ENDED)
			return ended(command);
		if (stop == STOP_BREAKPOINT) {
			uint64_t pc = breakpoint_pc(command->pid);

			if (pc != image->notify || consistent(command, image))
				break;
			image->notify = 0;
			err = plant(command, image);
		} else if (!image->notify && read_debug(command, image, &debug) && debug.r_brk) {
			image->notify = debug.r_brk;
			err = plant(command, image);
		}
	}
	image->entry = image->notify = 0;
	return err ? err : plant(command, image);
}

int command_start(struct command **out, char *const argv[])
{
	struct command *command = mem_alloc(sizeof(*command));
	struct image image;
	int err;

	*out = NULL;
	command->name = mem_string(argv[0]);
	err = fork_command(command, argv);
	if (!err)
		err = read_image(command, &image);
	if (!err && image.loader)
		err = reach_start(command, &image);
	if (err) {
		command_free(command);
		return err;
	}
	*out = command;
	return 0;
}

/* -- afterwards -------------------------------------------------------------------------------- */

void command_go(struct command *command)
{
	/* It may have been killed while it was stopped: nothing to let go then. */
	ptrace(PTRACE_DETACH, command->pid, 0, 0);
	command->going = true;
}

bool command_ended(struct command *command)
{
	if (!command->ended)
		wait_for(command, WNOHANG);
	return command->ended;
}

int command_status(const struct command *command)
{
	return command->ended ? command->status : -1;
}

void command_free(struct command *command)
{
	if (!command)
		return;
	if (!command->going && !command->ended) {
		kill(command->pid, SIGKILL);
		while (!command->ended)
			wait_for(command, 0);
	}
	mem_free(command->name);
	mem_free(command);
}
