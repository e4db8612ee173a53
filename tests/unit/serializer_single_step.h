// Runs code under the processor's trap flag, so that something can happen at each of its instructions in turn: another process's step,
// a longjmp, the end of the process. x86-64 only. One thread.
#pragma once

#include <sys/ucontext.h>

#include <csetjmp>
#include <csignal>
#include <functional>
#include <stdexcept>

namespace afterimage::testing {

class SingleStep {
 public:
  // While an object exists SIGTRAP is its.
  SingleStep() {
    struct sigaction action {};
    action.sa_sigaction = on_trap;
    action.sa_flags = SA_SIGINFO;
    ::sigaction(SIGTRAP, &action, &old_);
  }
  ~SingleStep() { ::sigaction(SIGTRAP, &old_, nullptr); }
  SingleStep(const SingleStep&) = delete;
  SingleStep& operator=(const SingleStep&) = delete;

  // Runs `work`; after its `instruction`-th instruction `between` runs once, as another process would, and then the rest of the work.
  // False if the work has fewer instructions: the enumeration is complete. `between` must not touch what the work's thread owns.
  template <typename Work, typename Between>
  bool interleave(long instruction, const Work& work, const Between& between) {
    between_ = between;
    left_ = instruction;
    leave_ = false;
    stepped(work);
    return left_ <= 0;
  }

  // Runs `work` and longjmps out of it after its `instruction`-th instruction. False if it came to its end.
  template <typename Work>
  __attribute__((noinline)) bool jump_out(long instruction, const Work& work) {
    between_ = nullptr;
    left_ = instruction;
    leave_ = true;
    if (sigsetjmp(way_out_, 1) != 0) return true;
    stepped(work);
    return false;
  }

 private:
  static void on_trap(int, siginfo_t*, void* context) {
    left_ = left_ - 1;
    if (left_ > 0) return;
    static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_EFL] &= ~0x100LL;  // the rest runs at full speed
    if (leave_) siglongjmp(way_out_, 1);
    between_();
  }

  // The kernel clears the flag for the handler and sets it again at its return. The stack below the pointer may be in use.
  __attribute__((always_inline)) static void set_trap_flag() {
    asm volatile("lea -256(%%rsp), %%rsp; pushfq; orq $0x100, (%%rsp); popfq; lea 256(%%rsp), %%rsp" ::: "memory", "cc");
  }
  __attribute__((always_inline)) static void clear_trap_flag() {
    asm volatile("lea -256(%%rsp), %%rsp; pushfq; andq $~0x100, (%%rsp); popfq; lea 256(%%rsp), %%rsp" ::: "memory", "cc");
  }

  template <typename Work>
  __attribute__((noinline)) static void stepped(const Work& work) {
    set_trap_flag();
    work();
    clear_trap_flag();
  }

  struct sigaction old_ {};
  static inline volatile long left_ = 0;
  static inline bool leave_ = false;
  static inline std::function<void()> between_;
  static inline sigjmp_buf way_out_;
};

}  // namespace afterimage::testing
