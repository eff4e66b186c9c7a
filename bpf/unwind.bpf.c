#define X
#include "state.bpf.h"

int unwind_walk(struct thread *thread, const struct unwind_registers *registers, __u64 mm)
{ if(!thread||!registers) return 0; u32 n=thread->stack.count; if(n<ABI_MAX_FRAMES) thread->stack.frames[n]=registers->pc; thread->stack.count=n+1; thread->stack_hash=unwind_hash(thread->stack_hash,registers->pc); return 0;}
char LICENSE[] SEC("license") = "Dual BSD/GPL";
