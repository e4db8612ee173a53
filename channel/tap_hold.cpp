// io: waits by sleeping in short steps; see tap_hold.h.
#include "channel/tap_hold.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "channel/tap_module.h"
#include "serializer/canary.h"
#include "serializer/clock.h"

namespace afterimage {
namespace {

constexpr unsigned kStep_us = 1000;

bool must_leave(TapDevice& device, bool heed_leave) {
  if (device.closing.load() || tap_module().stopping.load() || tap_module().host->shutting_down()) return true;
  return heed_leave && tap_module().host->must_leave(device.wrapped) != 0;
}

// A freeze is timed from when this Hercules first saw it, so that a guest that waits twice is not held twice as long. Freezes are counted,
// which tells one from the next also when nobody looked between them. (The control word's time would not do: an idle session's moves on.)
std::uint64_t frozen_for_us(CommonStorage& storage) {
  TapModule& module = tap_module();
  if (control_view(storage).state != SessionState::kFrozen) return 0;
  const std::uint64_t number = storage.header().storage_id + storage.control().freezes.load();
  const std::uint64_t now = monotonic_us();
  if (module.frozen_number.load() != number) {
    module.frozen_since_us.store(now);  // before the other, so that nobody takes the last freeze's beginning for this one's
    module.frozen_number.store(number);
  }
  const std::uint64_t began = module.frozen_since_us.load();
  return now < began ? 0 : now - began;
}

std::uint64_t limit_us(std::uint32_t configured_ms, std::uint32_t otherwise_ms) {
  return static_cast<std::uint64_t>(configured_ms != 0 ? configured_ms : otherwise_ms) * 1000;
}

void end_freeze(CommonStorage& storage) {
  const StateChange change = change_session_state(storage, SessionState::kFrozen, SessionState::kSuspended);
  if (!change.changed) return;
  storage.control().suspended_at.store(change.cut);
  storage.control().suspend_reason.store(static_cast<std::uint32_t>(SuspendReason::kFreeze));
  tap_log("DSMC021W FREEZE ENDED AFTER ITS LIMIT WITHOUT RUN; THE SESSION IS SUSPENDED AT SEQUENCE " + std::to_string(change.cut) +
          " AND THE GUEST GOES ON");
}

void suspend_for_room(TapDevice& device, std::uint64_t held_us) {
  CommonStorage& storage = device.binding->storage;
  const StateChange change = suspend_session(storage, SuspendReason::kBuffers);
  if (!change.changed) return;
  tap_log("DSMC020W DEVICE " + device_text(device.device_number) + " WAS HELD " + std::to_string(held_us / 1000) +
          " MS FOR RING SPACE; THE SESSION IS SUSPENDED AT SEQUENCE " + std::to_string(change.cut) + " AND THE GUEST GOES ON");
}

}  // namespace

Held hold_for_freeze(TapDevice& device, bool heed_leave) {
  CommonStorage& storage = device.binding->storage;
  const std::uint64_t began = monotonic_us();
  Held result = Held::kGoOn;
  while (outcome_now(storage, device.binding->device) == NumberOutcome::kFrozen) {
    const std::uint64_t limit = limit_us(storage.control().freeze_limit_ms.load(), kFreezeLimit_ms);
    if (frozen_for_us(storage) >= limit && !planted(Canary::kFreezeLimitIgnored)) {
      end_freeze(storage);
      continue;
    }
    if (must_leave(device, heed_leave)) {
      result = Held::kMustLeave;
      break;
    }
    usleep(kStep_us);
  }
  storage.control().pace_count.fetch_add(1);
  storage.control().pace_us.fetch_add(monotonic_us() - began);
  return result;
}

Held hold_for_room(TapDevice& device, bool heed_leave, std::uint32_t bytes) {
  TapBinding& binding = *device.binding;
  const std::uint64_t before = device.held_us;
  const std::uint64_t began = monotonic_us();
  Held result = Held::kGoOn;
  while (binding.writer.prepare(bytes) != SlotRoom::kReady) {
    device.held_us = before + (monotonic_us() - began);
    if (!planted(Canary::kPaceLimitIgnored) && device.held_us >= limit_us(binding.storage.control().pace_limit_ms.load(), kPaceLimit_ms)) {
      suspend_for_room(device, device.held_us);
      break;
    }
    if (must_leave(device, heed_leave)) {
      result = Held::kMustLeave;
      break;
    }
    usleep(kStep_us);
  }
  device.held_us = before + (monotonic_us() - began);
  binding.storage.control().pace_count.fetch_add(1);
  binding.storage.control().pace_us.fetch_add(monotonic_us() - began);
  return result;
}

void end_freeze_over_limit(TapAttachment& attachment) {
  CommonStorage& storage = *attachment.storage;
  const std::uint64_t frozen = frozen_for_us(storage);
  if (!planted(Canary::kFreezeLimitIgnored) && frozen != 0 && frozen >= limit_us(storage.control().freeze_limit_ms.load(), kFreezeLimit_ms))
    end_freeze(storage);
}

void suspend_volume(TapDevice& device, SuspendReason reason, const std::string& why) {
  TapBinding& binding = *device.binding;
  if (binding.entry.duplex.load() & kVolumeSuspended) return;
  const Sequence cut = suspend_device(binding.storage, binding.device, reason);
  tap_log("DSMC022W VOLUME " + std::string(binding.entry.volser, strnlen(binding.entry.volser, sizeof binding.entry.volser)) +
          " ON DEVICE " + device_text(device.device_number) + " IS SUSPENDED AT SEQUENCE " + std::to_string(cut) + ": " + why);
}

}  // namespace afterimage
