// Detects at the secondary that the primary is lost: nothing heard for longer than the heartbeat limit of the configuration. Pure.
// Source: docs/ARCHITECTURE.md; document 000 (C8: a lost heartbeat as the trigger of a freeze).
//
// Three things keep it from a false alarm:
//  - A link that goes down and comes back within the limit does nothing; a link that is up and says nothing counts as silence.
//  - Only watched silence counts. One step adds at most a quarter of the limit, so a mover that was stopped, a suspended virtual machine or
//  a clock
//    set forward cannot make a loss out of time in which nobody listened; at least four looks in a row must find silence.
//  - After a loss is declared, the primary counts as back only when something was heard from it again.
#pragma once

#include <cstdint>
#include <string>

#include "serializer/status.h"
#include "serializer/tod.h"

namespace afterimage {

enum class LossAction : std::uint8_t {
  kNone = 0,     // say it, do nothing: the operator decides
  kFreeze = 1,   // accept nothing more: the image waits for XRECOVER
  kRecover = 2,  // freeze, then recover to point A
};

struct MonitorSettings {
  std::uint64_t heartbeat_limit_us = 3'000'000;
  LossAction action = LossAction::kFreeze;
};
inline constexpr std::uint64_t kMinHeartbeatLimit_us = 1'000'000;  // an idle primary speaks every 0.5 s
inline constexpr std::uint64_t kMaxHeartbeatLimit_us = 3'600'000'000;
// One sentence when the limit is outside its bounds.
Status check_monitor_settings(const MonitorSettings& settings);

struct MonitorInput {
  Tod now = 0;
  Tod last_heard = 0;  // SecondaryCore::last_heard(); any change of it means that something was heard
  bool link_up = false;
  bool watching = false;  // the session is ACTIVE at this secondary; otherwise there is nothing to lose
};

enum class MonitorVerdict : std::uint8_t {
  kIdle = 0,  // not watching
  kHealthy = 1,
  kLinkLost = 2,     // the link is down, within the limit
  kSilent = 3,       // the link is up, nothing was heard for half the limit
  kPrimaryLost = 4,  // limit reached
};

// What changed with this step; each is told once.
enum class MonitorEvent : std::uint8_t { kNone = 0, kLinkLost, kLinkBack, kPrimaryLost, kPrimaryBack };

struct MonitorOutput {
  MonitorVerdict verdict = MonitorVerdict::kIdle;
  MonitorEvent event = MonitorEvent::kNone;
  LossAction action = LossAction::kNone;  // what to do now: set only together with event kPrimaryLost
  std::uint64_t silence_us = 0;           // watched silence so far
};

// One session's monitor. Threads: one at a time. Call step() whenever something is heard or the link changes, and at least every
// quarter of the limit; slower calls only make it later, never wrong.
class FailureMonitor {
 public:
  explicit FailureMonitor(MonitorSettings settings);
  MonitorOutput step(const MonitorInput& input);
  std::uint64_t step_interval_us() const { return settings_.heartbeat_limit_us / 4; }

 private:
  void forget();
  MonitorEvent observe(const MonitorInput& input, bool heard);
  MonitorSettings settings_;
  bool watching_ = false, link_up_ = false, link_lost_told_ = false, lost_ = false;
  Tod last_step_ = 0, last_heard_ = 0;
  std::uint64_t silence_us_ = 0;
};

std::string_view verdict_name(MonitorVerdict verdict);  // "LINK LOST"
std::string_view action_name(LossAction action);        // "FREEZE"

}  // namespace afterimage
