// The program's own operator new: counts the allocations made while the product runs and lets a chosen one fail, once or from there on.
// Threads: one.
#pragma once

#include <cstdint>

namespace afterimage::crash {

// From now on allocations of the product are counted from 1, and number `fail_at` fails (0: none); with `lasting` all after it too.
void arm_allocation_faults(std::uint64_t fail_at, bool lasting);
void disarm_allocation_faults();
std::uint64_t allocations_counted();
bool allocation_failed();  // since it was armed
// Between these, what allocates is the test's own. They nest.
void pause_allocation_faults();
void resume_allocation_faults();
// Around calls into the product.
class ProductCode {
 public:
  ProductCode();
  ~ProductCode();
  ProductCode(const ProductCode&) = delete;
  ProductCode& operator=(const ProductCode&) = delete;
};

}  // namespace afterimage::crash
