// Planted bugs that show that the tests can fail (docs/FAULT_MODEL.md, "Planted bugs"). Each is a branch in product code that exists only
// in a build with AFTERIMAGE_CANARIES and does nothing until a test switches exactly it on; in any other build planted() is false at
// compile time and the branch is gone. Threads: set before any other thread starts.
#pragma once

#include <cstdint>

namespace afterimage {

// One line a bug; keep in step with canary_name() in tests/sim.
enum class Canary : std::uint8_t {
  kNone = 0,
  kAcknowledgeBeforeSync,  // the secondary acknowledges a message whose journal record is not yet durable
};

#ifdef AFTERIMAGE_CANARIES
inline Canary planted_bug = Canary::kNone;
inline bool planted(Canary which) { return planted_bug == which; }
#else
constexpr bool planted(Canary) { return false; }
#endif

}  // namespace afterimage
