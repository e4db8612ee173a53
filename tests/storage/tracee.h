// Drives a child process to an instruction of one's choice: to the entry of a function, so many instructions into it, past so many system
// calls; there it is killed, stopped, or let go. x86-64.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace afterimage::testing {

class Tracee {
 public:
  // The child is stopped where it stands. Throws if this host does not allow tracing.
  explicit Tracee(pid_t child);
  // Lets it go, if nothing else was done with it.
  ~Tracee();
  Tracee(const Tracee&) = delete;
  Tracee& operator=(const Tracee&) = delete;

  // To the `hits`th time it comes to `address`. False if it did not in time; then it stands anywhere. `entry`: a function begins there.
  bool run_to(std::uintptr_t address, bool entry, unsigned hits, std::uint64_t patience_us);
  // Up to `most` instructions, but not beyond the return from the function that was entered; how many there were.
  long step(long most);
  bool returned() const { return returned_; }
  // To the `count`th entry or exit of a system call from here, or the return; how many there were.
  long pass_system_calls(long count);
  bool ended() const { return ended_; }  // the process is gone by itself
  int status() const { return status_; }

  void kill();     // SIGKILL, and waits for its end
  void stop();     // SIGSTOP, and waits until it is stopped; resume with SIGCONT
  void release();  // goes on

 private:
  void await_stop();
  bool await_stop(std::uint64_t patience_us);
  bool note_stop(int status);
  std::uint64_t read_word(std::uintptr_t address) const;
  void write_word(std::uintptr_t address, std::uint64_t word) const;
  void set_breakpoint(std::uintptr_t address);
  void remove_breakpoint();
  void note_entry();
  void check_return();

  pid_t child_;
  std::uintptr_t breakpoint_ = 0, return_address_ = 0, entry_stack_ = 0;
  std::uint64_t covered_ = 0;
  bool attached_ = false, ended_ = false, returned_ = false;
  int signal_ = 0;  // to be delivered to it when it goes on
  int status_ = 0;
};

}  // namespace afterimage::testing
