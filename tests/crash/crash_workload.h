// The five workloads of the crash points: what primary and operators do, step by step, and the shape of the site they do it to. Pure.
#pragma once

#include <string>
#include <vector>

#include "tests/crash/crash_oracle.h"
#include "tests/crash/crash_site.h"

namespace afterimage::crash {

enum class Act {
  kBegin,    // the primary starts a session on the images as they are
  kWrite,    // `count` writes
  kVerify,   // flush, then a digest
  kFlush,    // what was written has reached the primary's volumes
  kSettle,   // until everything is acknowledged
  kIdle,     // `count` milliseconds
  kFreeze,   // the operator freezes
  kRecover,  // the primary is lost, the operator recovers
  kEnd,      // the primary ends the session in order
  kGiveUp,   // the secondary's operator gives the session up
  kCopy,     // the operator copies the volumes anew, with dsmd stopped
  kRestart,  // dsmd is stopped in order and started again
  kRemember  // the primary site's state file is saved `count` times
};

struct Step {
  Act act = Act::kIdle;
  unsigned count = 0;
};

struct Workload {
  std::string name, about;
  CrashShape shape;
  std::vector<Step> steps;
};

const std::vector<Workload>& workloads();
std::vector<CrashVolume> crash_volumes();  // one of one file, one of two

}  // namespace afterimage::crash
