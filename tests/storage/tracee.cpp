// io: ptrace.
#include "tracee.h"

#include <sched.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <stdexcept>

#include "serializer/clock.h"

namespace afterimage::testing {
namespace {

user_regs_struct registers_of(pid_t child) {
  user_regs_struct registers{};
  ::ptrace(PTRACE_GETREGS, child, nullptr, &registers);
  return registers;
}

}  // namespace

Tracee::Tracee(pid_t child) : child_(child) {
  if (::ptrace(PTRACE_SEIZE, child, nullptr, reinterpret_cast<void*>(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)) != 0) {
    const int error = errno;
    if (::waitpid(child, &status_, WNOHANG) == child) {  // it has ended already
      ended_ = true;
      return;
    }
    throw std::runtime_error(std::string("processes cannot be traced here (") + std::strerror(error) +
                             "): run where ptrace of one's own children is allowed");
  }
  attached_ = true;
  ::ptrace(PTRACE_INTERRUPT, child_, nullptr, nullptr);
  await_stop();
}

Tracee::~Tracee() { release(); }

// True if it stands still.
bool Tracee::note_stop(int status) {
  status_ = status;
  if (WIFEXITED(status) || WIFSIGNALED(status)) {
    ended_ = true;
    attached_ = false;
    return true;
  }
  const int signal = WSTOPSIG(status);
  signal_ = signal == SIGTRAP || signal == (SIGTRAP | 0x80) || (status >> 16) != 0 ? 0 : signal;
  return true;
}

void Tracee::await_stop() {
  int status = 0;
  while (::waitpid(child_, &status, __WALL) < 0 && errno == EINTR) {
  }
  note_stop(status);
}

bool Tracee::await_stop(std::uint64_t patience_us) {
  const std::uint64_t end_us = monotonic_us() + patience_us;
  int status = 0;
  while (::waitpid(child_, &status, __WALL | WNOHANG) == 0) {
    if (monotonic_us() >= end_us) return false;
    ::sched_yield();
  }
  return note_stop(status);
}

std::uint64_t Tracee::read_word(std::uintptr_t address) const {
  return static_cast<std::uint64_t>(::ptrace(PTRACE_PEEKTEXT, child_, reinterpret_cast<void*>(address), nullptr));
}

void Tracee::write_word(std::uintptr_t address, std::uint64_t word) const {
  ::ptrace(PTRACE_POKETEXT, child_, reinterpret_cast<void*>(address), reinterpret_cast<void*>(word));
}

void Tracee::set_breakpoint(std::uintptr_t address) {
  covered_ = read_word(address);
  breakpoint_ = address;
  write_word(address, (covered_ & ~std::uint64_t{0xFF}) | 0xCC);
}

void Tracee::remove_breakpoint() {
  if (breakpoint_ != 0 && !ended_) write_word(breakpoint_, covered_);
  breakpoint_ = 0;
}

void Tracee::note_entry() {
  const user_regs_struct registers = registers_of(child_);
  entry_stack_ = registers.rsp;
  return_address_ = read_word(registers.rsp);
  returned_ = false;
}

void Tracee::check_return() {
  if (return_address_ == 0) return;
  const user_regs_struct registers = registers_of(child_);
  returned_ = registers.rip == return_address_ && registers.rsp == entry_stack_ + 8;
}

bool Tracee::run_to(std::uintptr_t address, bool entry, unsigned hits, std::uint64_t patience_us) {
  return_address_ = 0;
  returned_ = false;
  while (hits > 0 && !ended_) {
    set_breakpoint(address);
    ::ptrace(PTRACE_CONT, child_, nullptr, reinterpret_cast<void*>(static_cast<std::uintptr_t>(signal_)));
    if (!await_stop(patience_us)) {
      ::ptrace(PTRACE_INTERRUPT, child_, nullptr, nullptr);
      await_stop();
    }
    if (ended_) return false;
    user_regs_struct registers = registers_of(child_);
    const bool there = registers.rip == address + 1 && WSTOPSIG(status_) == SIGTRAP && (status_ >> 16) == 0;
    remove_breakpoint();
    if (there) {
      registers.rip = address;
      ::ptrace(PTRACE_SETREGS, child_, nullptr, &registers);
      if (entry) note_entry();
      if (--hits > 0) {  // over the covered instruction, so that the next entry is another
        ::ptrace(PTRACE_SINGLESTEP, child_, nullptr, nullptr);
        await_stop();
      }
    } else if (signal_ == 0) {
      return false;  // the patience is at its end
    }
  }
  return !ended_;
}

long Tracee::step(long most) {
  long done = 0;
  while (done < most && !ended_ && !returned_) {
    ::ptrace(PTRACE_SINGLESTEP, child_, nullptr, reinterpret_cast<void*>(static_cast<std::uintptr_t>(signal_)));
    await_stop();
    ++done;
    if (!ended_) check_return();
  }
  return done;
}

long Tracee::pass_system_calls(long count) {
  long done = 0;
  while (done < count && !ended_ && !returned_) {
    if (return_address_ != 0) set_breakpoint(return_address_);
    ::ptrace(PTRACE_SYSCALL, child_, nullptr, reinterpret_cast<void*>(static_cast<std::uintptr_t>(signal_)));
    await_stop();
    if (ended_) break;
    const bool system_call = WSTOPSIG(status_) == (SIGTRAP | 0x80);
    const std::uintptr_t returns_to = breakpoint_;
    remove_breakpoint();
    if (system_call) {
      ++done;
      continue;
    }
    user_regs_struct registers = registers_of(child_);
    if (returns_to == 0 || registers.rip != returns_to + 1) continue;
    registers.rip = returns_to;
    ::ptrace(PTRACE_SETREGS, child_, nullptr, &registers);
    check_return();
  }
  return done;
}

void Tracee::kill() {
  if (ended_) return;
  ::kill(child_, SIGKILL);
  while (!ended_) await_stop();
}

void Tracee::stop() {
  if (ended_) return;
  ::kill(child_, SIGSTOP);
  ::ptrace(PTRACE_DETACH, child_, nullptr, nullptr);
  attached_ = false;
  int status = 0;
  ::waitpid(child_, &status, WUNTRACED);
  if (!WIFSTOPPED(status)) {
    ended_ = true;
    status_ = status;
  }
}

void Tracee::release() {
  if (!attached_) return;
  remove_breakpoint();
  ::ptrace(PTRACE_DETACH, child_, nullptr, reinterpret_cast<void*>(static_cast<std::uintptr_t>(signal_)));
  attached_ = false;
}

}  // namespace afterimage::testing
