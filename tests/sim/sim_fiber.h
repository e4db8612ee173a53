// Threads of simulated processes: each runs on a stack of its own and gives the processor back only where it waits, so that the product's
// code that sleeps and holds (channel/tap*.cpp) runs unchanged in virtual time. One real thread.
#pragma once

#include <ucontext.h>

#include <cstddef>
#include <functional>
#include <memory>

namespace afterimage::sim {

class Fiber {
 public:
  explicit Fiber(std::function<void()> body);
  ~Fiber();  // also of one that is not at its end: it is never resumed, as a killed thread (nothing on its stack is destroyed)
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // From outside of all fibers: runs it until it leaves or ends.
  void resume();
  // From inside: back to whoever resumed it; returns at the next resume().
  static void leave();
  static Fiber* running();
  bool finished() const { return finished_; }

 private:
  static void enter(unsigned high, unsigned low);
  void run();

  std::function<void()> body_;
  std::byte* stack_;
  ucontext_t here_{}, outside_{};
  bool finished_ = false;
  void* fake_stack_ = nullptr;
  const void* outside_bottom_ = nullptr;
  std::size_t outside_size_ = 0;
};

}  // namespace afterimage::sim
