// One run of a workload with a plan of what goes wrong, and the verdict. The same plan gives the same run. io: on the simulated disk only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "service/session_state_file.h"
#include "tests/crash/crash_primary.h"
#include "tests/crash/crash_workload.h"

namespace afterimage::crash {

enum class Wrong : std::uint8_t {
  kNothing,
  kKill,         // the process dies at the point
  kHost,         // the host dies there, with `damage`
  kErrorOnce,    // that call fails with EIO
  kErrorLasts,   // and so does every one that writes from then on, until the repair
  kFullOnce,     // ENOSPC
  kFullLasts,    // no more space until the repair
  kShort,        // a read or write does only a part
  kMemoryOnce,   // allocation number `point` fails
  kMemoryLasts,  // and all later ones, until the process ends
  kRot,          // the host dies, and some sector of its files is damaged
  kAstray        // the device puts a write elsewhere, or nowhere; later the host dies
};
const char* wrong_name(Wrong wrong);
std::optional<Wrong> wrong_from(const std::string& name);

struct Plan {
  std::uint64_t seed = 1;
  Wrong wrong = Wrong::kNothing;
  std::uint64_t point = 0;  // ordinal of a call on the disk (or of an allocation)
  sim::Damage damage = sim::Damage::kDropped;
  bool recover = false;     // the primary is lost at the same moment: recover at once; else the session goes on
  std::uint64_t again = 0;  // at this changing call of the next life the host dies once more
};

struct Outcome {
  std::string violation;          // empty: everything held
  bool reached = false;           // what was planned has happened
  bool detected = false;          // the product refused with a sentence (rot, strays)
  std::vector<sim::SimOp> calls;  // of the whole run, when nothing was planned; index = ordinal - 1
  std::uint64_t allocations = 0;
  std::uint64_t next_life_calls = 0;  // changing calls between the restart and its first quiet moment
  std::vector<std::string> log;
};

Outcome run_case(const Workload& workload, const Plan& plan);
std::string command_of(const Workload& workload, const Plan& plan);  // the words behind the program that repeat it

}  // namespace afterimage::crash
