/* SPDX-License-Identifier: Apache-2.0
 *
 * Lets User Mode Linux 6.1 run on processors whose extended state is larger than it knows.
 *
 * Its kernel hands PTRACE_SETREGSET a struct _xstate of fixed size; since AMX a host
 * refuses any size but its own (xstateregs_set in arch/x86/kernel/fpu/regset.c), and the
 * guest's first process dies. Preloaded, this completes what the guest sets by what the
 * host holds behind it. A guest that sets the host's own size goes through unchanged.
 */
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static char whole[1 << 16];

long ptrace(enum __ptrace_request request, ...)
{
  va_list rest;
  va_start(rest, request);
  pid_t pid = va_arg(rest, pid_t);
  void *address = va_arg(rest, void *), *data = va_arg(rest, void *);
  va_end(rest);

  /* The system call stores a word that it reads; glibc's function returns it. */
  long word = 0;
  int reads = request >= PTRACE_PEEKTEXT && request <= PTRACE_PEEKUSER;
  struct iovec state = {whole, sizeof whole};
  if (request == PTRACE_SETREGSET && address == (void *)NT_X86_XSTATE &&
      syscall(SYS_ptrace, PTRACE_GETREGSET, pid, address, &state) == 0) {
    struct iovec *given = data;
    if (given->iov_len < state.iov_len) {
      memcpy(whole, given->iov_base, given->iov_len);
      data = &state;
    }
  }
  long result = syscall(SYS_ptrace, request, pid, address, reads ? (void *)&word : data);
  if (result < 0 || !reads)
    return result;
  errno = 0;
  return word;
}
