/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Debug registers by ptrace(2). */
#include "process/breakpoint.h"

#include <elf.h>
#include <errno.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

#if defined(__x86_64__)

/* DR0… hold addresses; bit 2n of DR7 enables DRn, whose other bits 0 mean: when executed. */
int breakpoints_set(pid_t pid, const uint64_t addresses[BREAKPOINTS_MAX])
{
	size_t registers = offsetof(struct user, u_debugreg);
	uint64_t control = 0;

	for (size_t i = 0; i < BREAKPOINTS_MAX; i++) {
		if (ptrace(PTRACE_POKEUSER, pid, registers + i * sizeof(uint64_t), addresses[i]))
			return -errno;
		if (addresses[i])
			control |= 1ULL << (2 * i);
	}
	if (ptrace(PTRACE_POKEUSER, pid, registers + 7 * sizeof(uint64_t), control))
		return -errno;
	return 0;
}

#define USER_PC(registers) ((registers).rip)

#elif defined(__aarch64__)

#include <asm/ptrace.h>

/* DBGBCR<n>_EL1: enabled, of user space, on all four bytes of an instruction. */
enum { BREAKPOINT_CONTROL = 1 | 2 << 1 | 0xf << 5 };

int breakpoints_set(pid_t pid, const uint64_t addresses[BREAKPOINTS_MAX])
{
	struct user_hwdebug_state state = { 0 };
	struct iovec vector = {
		.iov_base = &state,
		.iov_len = offsetof(struct user_hwdebug_state, dbg_regs) +
			   BREAKPOINTS_MAX * sizeof(state.dbg_regs[0]),
	};

	for (size_t i = 0; i < BREAKPOINTS_MAX; i++) {
		state.dbg_regs[i].addr = addresses[i];
		state.dbg_regs[i].ctrl = addresses[i] ? BREAKPOINT_CONTROL : 0;
	}
	return ptrace(PTRACE_SETREGSET, pid, NT_ARM_HW_BREAK, &vector) ? -errno : 0;
}

#define USER_PC(registers) ((registers).pc)

#endif

uint64_t breakpoint_pc(pid_t pid)
{
	struct user_regs_struct registers;
	struct iovec vector = { .iov_base = &registers, .iov_len = sizeof(registers) };

	return ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &vector) ? 0 : USER_PC(registers);
}
