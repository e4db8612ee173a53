// The secondary site at the crash points: a simulated disk and the real SecondaryNode on it, one process life after another. Says how each
// life ended. io: only on the simulated disk. Threads: one.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "service/secondary_node.h"
#include "tests/crash/crash_host.h"
#include "tests/crash/crash_oracle.h"
#include "tests/sim/sim_posix.h"

namespace afterimage::crash {

struct CrashShape {
  std::uint64_t journal_bytes = 32 << 10;
  std::uint32_t checkpoint_ms = 3;
};

// Thrown by a check of the product's that failed (serializer/check.h). Not a std::exception, so that nothing in the product takes it.
struct CheckFailed {
  std::string text;
};
void throw_failed_checks();  // from now on

enum class Life { kRunning, kRefused, kStopped, kKilled, kNoMemory, kBroken };

class CrashSite {
 public:
  using Acknowledged = std::function<void(const std::vector<std::uint8_t>& bytes)>;
  CrashSite(const std::vector<CrashVolume>& volumes, const CrashShape& shape, std::uint64_t seed, Acknowledged sent);
  ~CrashSite();

  sim::SimDisk& disk() { return *disk_; }
  void lay_out(const std::vector<CrashVolume>& volumes);  // fresh images, not fenced

  // A new process. kRunning, or how its start ended.
  Life start();
  Life life() const { return life_; }
  const std::string& reason() const { return reason_; }
  // One step of its event loop, or a call into it; kRunning if it still does.
  Life step();
  Life call(const std::function<void()>& f);
  // It ends in order, finishing what its workers hold.
  Life stop();
  void discard();  // what is left of a dead process goes

  SecondaryNode& node() { return *node_; }
  CrashLink* link() { return host_ ? host_->link() : nullptr; }
  Tod now() { return host_ ? host_->now() : last_now_; }
  std::uint64_t clock_us() const { return clock_us_; }
  const std::optional<LossReport>& report() const { return report_; }
  void forget_report() { report_.reset(); }
  const std::vector<std::string>& log() const { return log_; }
  std::uint64_t differences() const { return differences_; }  // verifications that did not agree, in all lives

 private:
  void end_as(Life life, std::string reason);

  SecondaryNodeSettings settings_;
  std::unique_ptr<sim::SimDisk> disk_;
  sim::SimMount mount_;
  std::uint64_t seed_, lives_ = 0, clock_us_ = 1000000;
  Acknowledged sent_;
  std::unique_ptr<sim::SimProcess> process_;
  std::unique_ptr<CrashHost> host_;
  std::unique_ptr<SecondaryNode> node_;
  Life life_ = Life::kKilled;
  std::string reason_;
  std::optional<LossReport> report_;
  std::vector<std::string> log_;
  std::uint64_t differences_ = 0;
  Tod last_now_ = 0;
};

}  // namespace afterimage::crash
