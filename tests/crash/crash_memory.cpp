// Replaces operator new; see crash_memory.h.
#include "tests/crash/crash_memory.h"

#include <cstdlib>
#include <new>

#include "tests/sim/sim_posix.h"

namespace afterimage::crash {

namespace {

struct Faults {
  std::uint64_t counted = 0, fail_at = 0;
  bool armed = false, lasting = false, failed = false;
  int product = 0, paused = 0;
};
Faults faults;

bool fails_now() {
  if (!faults.armed || faults.product == 0 || faults.paused != 0 || sim::in_simulated_call()) return false;
  ++faults.counted;
  const bool fails = faults.fail_at != 0 && (faults.lasting ? faults.counted >= faults.fail_at : faults.counted == faults.fail_at);
  faults.failed = faults.failed || fails;
  return fails;
}

void* allocate(std::size_t bytes) {
  if (fails_now()) throw std::bad_alloc();
  void* memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void arm_allocation_faults(std::uint64_t fail_at, bool lasting) {
  faults.counted = 0;
  faults.fail_at = fail_at;
  faults.lasting = lasting;
  faults.armed = true;
  faults.failed = false;
}
void disarm_allocation_faults() { faults.armed = false; }
std::uint64_t allocations_counted() { return faults.counted; }
bool allocation_failed() { return faults.failed; }
void pause_allocation_faults() { ++faults.paused; }
void resume_allocation_faults() { --faults.paused; }
ProductCode::ProductCode() { ++faults.product; }
ProductCode::~ProductCode() { --faults.product; }

}  // namespace afterimage::crash

void* operator new(std::size_t bytes) { return afterimage::crash::allocate(bytes); }
void* operator new[](std::size_t bytes) { return afterimage::crash::allocate(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
