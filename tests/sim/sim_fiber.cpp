// See sim_fiber.h. AddressSanitizer is told of every change of stack.
#include "tests/sim/sim_fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#define AFTERIMAGE_FIBER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define AFTERIMAGE_FIBER_ASAN 1
#endif
#endif
#ifdef AFTERIMAGE_FIBER_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace afterimage::sim {
namespace {

constexpr std::size_t kStackBytes = 256u << 10;

Fiber* present = nullptr;

// Stacks are used again: a run makes many short-lived threads.
std::vector<std::byte*>& spare_stacks() {
  static std::vector<std::byte*> spare;
  return spare;
}

std::byte* take_stack() {
  auto& spare = spare_stacks();
  if (!spare.empty()) {
    std::byte* stack = spare.back();
    spare.pop_back();
    return stack;
  }
  void* memory = ::mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  return static_cast<std::byte*>(memory);
}

void give_stack(std::byte* stack) {
#ifdef AFTERIMAGE_FIBER_ASAN
  __asan_unpoison_memory_region(stack, kStackBytes);
#endif
  spare_stacks().push_back(stack);
}

}  // namespace

Fiber::Fiber(std::function<void()> body) : body_(std::move(body)), stack_(take_stack()) {
  ::getcontext(&here_);
  here_.uc_stack.ss_sp = stack_;
  here_.uc_stack.ss_size = kStackBytes;
  here_.uc_link = nullptr;
  const auto self = reinterpret_cast<std::uintptr_t>(this);
  ::makecontext(&here_, reinterpret_cast<void (*)()>(&Fiber::enter), 2, static_cast<unsigned>(self >> 32), static_cast<unsigned>(self));
}

Fiber::~Fiber() { give_stack(stack_); }

Fiber* Fiber::running() { return present; }

void Fiber::enter(unsigned high, unsigned low) {
  auto* self = reinterpret_cast<Fiber*>((static_cast<std::uintptr_t>(high) << 32) | low);
#ifdef AFTERIMAGE_FIBER_ASAN
  __sanitizer_finish_switch_fiber(nullptr, &self->outside_bottom_, &self->outside_size_);
#endif
  self->run();
}

void Fiber::run() {
  body_();
  finished_ = true;
  leave();
  std::abort();  // a finished one is never resumed
}

void Fiber::resume() {
  present = this;
#ifdef AFTERIMAGE_FIBER_ASAN
  void* fake = nullptr;
  __sanitizer_start_switch_fiber(&fake, stack_, kStackBytes);
#endif
  ::swapcontext(&outside_, &here_);
#ifdef AFTERIMAGE_FIBER_ASAN
  __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#endif
  present = nullptr;
}

void Fiber::leave() {
  Fiber* self = present;
#ifdef AFTERIMAGE_FIBER_ASAN
  __sanitizer_start_switch_fiber(self->finished_ ? nullptr : &self->fake_stack_, self->outside_bottom_, self->outside_size_);
#endif
  ::swapcontext(&self->here_, &self->outside_);
#ifdef AFTERIMAGE_FIBER_ASAN
  __sanitizer_finish_switch_fiber(self->fake_stack_, &self->outside_bottom_, &self->outside_size_);
#endif
}

}  // namespace afterimage::sim
