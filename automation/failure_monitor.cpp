// Watched silence, and what is told about it. Pure.
#include "automation/failure_monitor.h"

#include <algorithm>
#include <string_view>

namespace afterimage {

Status check_monitor_settings(const MonitorSettings& settings) {
  if (settings.heartbeat_limit_us >= kMinHeartbeatLimit_us && settings.heartbeat_limit_us <= kMaxHeartbeatLimit_us) return Status::ok();
  return Status::error("The heartbeat limit of " + std::to_string(settings.heartbeat_limit_us) +
                       " microseconds is outside 1 second to 1 hour; correct the failure statement of the session.");
}

FailureMonitor::FailureMonitor(MonitorSettings settings) : settings_(settings) {}

void FailureMonitor::forget() {
  watching_ = link_up_ = link_lost_told_ = lost_ = false;
  last_step_ = last_heard_ = 0;
  silence_us_ = 0;
}

MonitorOutput FailureMonitor::step(const MonitorInput& input) {
  if (!input.watching) {
    forget();
    return {};
  }
  if (!watching_) {
    watching_ = true;
    link_up_ = input.link_up;
    last_step_ = input.now;
    last_heard_ = input.last_heard;
  }
  const bool heard = input.last_heard != last_heard_;
  MonitorOutput out;
  out.event = observe(input, heard);
  out.silence_us = silence_us_;
  if (out.event == MonitorEvent::kPrimaryLost) out.action = settings_.action;
  if (lost_) {
    out.verdict = MonitorVerdict::kPrimaryLost;
  } else if (!input.link_up) {
    out.verdict = MonitorVerdict::kLinkLost;
  } else {
    out.verdict = silence_us_ * 2 >= settings_.heartbeat_limit_us ? MonitorVerdict::kSilent : MonitorVerdict::kHealthy;
  }
  return out;
}

MonitorEvent FailureMonitor::observe(const MonitorInput& input, bool heard) {
  const std::uint64_t passed_us = input.now > last_step_ ? tod_to_us(input.now) - tod_to_us(last_step_) : 0;
  silence_us_ = heard ? 0 : silence_us_ + std::min(passed_us, step_interval_us());
  last_step_ = input.now;
  last_heard_ = input.last_heard;
  link_up_ = input.link_up;
  if (heard && lost_) {
    lost_ = link_lost_told_ = false;
    return MonitorEvent::kPrimaryBack;
  }
  if (!lost_ && silence_us_ >= settings_.heartbeat_limit_us) {
    lost_ = true;
    return MonitorEvent::kPrimaryLost;
  }
  if (!link_up_ && !link_lost_told_ && !lost_) {
    link_lost_told_ = true;
    return MonitorEvent::kLinkLost;
  }
  if (link_up_ && link_lost_told_ && heard) {
    link_lost_told_ = false;
    return MonitorEvent::kLinkBack;
  }
  return MonitorEvent::kNone;
}

std::string_view verdict_name(MonitorVerdict verdict) {
  switch (verdict) {
    case MonitorVerdict::kIdle:
      return "IDLE";
    case MonitorVerdict::kHealthy:
      return "HEALTHY";
    case MonitorVerdict::kLinkLost:
      return "LINK LOST";
    case MonitorVerdict::kSilent:
      return "SILENT";
    case MonitorVerdict::kPrimaryLost:
      return "PRIMARY LOST";
  }
  return "UNKNOWN";
}

std::string_view action_name(LossAction action) {
  switch (action) {
    case LossAction::kNone:
      return "NONE";
    case LossAction::kFreeze:
      return "FREEZE";
    case LossAction::kRecover:
      return "RECOVER";
  }
  return "UNKNOWN";
}

}  // namespace afterimage
