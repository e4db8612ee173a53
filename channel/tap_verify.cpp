// io: takes the device and reads tracks through the base handler; see tap_verify.h.
#include "channel/tap_verify.h"

#include <unistd.h>

#include <algorithm>

#include "channel/tap_module.h"
#include "channel/tap_write.h"
#include "serializer/clock.h"

namespace afterimage {
namespace {

constexpr unsigned kTracksPerTake = 4;  // the guest waits for at most these
constexpr unsigned kTakeWait_ms = 20;
constexpr unsigned kBetweenTakes_us = 1000;

enum class Step : std::uint8_t { kMore, kDone, kLater };

Step finish_request(TapDevice& device, DeviceEntry& entry, bool complete) {
  entry.verify_request.store(0);
  if (complete)
    tap_log("DSMC030I DEVICE " + device_text(device.device_number) + " VERIFIED UP TO TRACK " + std::to_string(entry.verify_end.load()));
  return Step::kDone;
}

Step verify_track(TapDevice& device, DeviceEntry& entry, std::uint32_t track) {
  const std::uint8_t* image = nullptr;
  if (tap_module().host->read_track(device.wrapped, track, &image) != 0) {
    tap_log("DSMC031E DEVICE " + device_text(device.device_number) + " CANNOT BE VERIFIED: TRACK " + std::to_string(track) +
            " CANNOT BE READ");
    return finish_request(device, entry, false);
  }
  const std::span<const std::uint8_t> bytes{image, device.track_bytes};
  const Published outcome = entry.verify_image.load() != 0 ? publish_image(device, track, bytes) : publish_digest(device, track, bytes);
  if (outcome != Published::kNumbered) return Step::kLater;
  entry.verify_next.store(track + 1);
  return Step::kMore;
}

// The caller has taken the device.
Step verify_tracks(TapDevice& device) {
  if (!device.binding) return Step::kDone;
  DeviceEntry& entry = device.binding->entry;
  const std::uint32_t end = std::min(entry.verify_end.load(), device.tracks);
  const TapHost& host = *tap_module().host;
  Step step = Step::kMore;
  host.start_reading(device.wrapped);
  for (unsigned n = 0; n < kTracksPerTake && step == Step::kMore; ++n) {
    const std::uint32_t track = entry.verify_next.load();
    step = track >= end ? finish_request(device, entry, true) : verify_track(device, entry, track);
  }
  host.end_reading(device.wrapped);
  note_flushed(device);
  return step;
}

}  // namespace

bool verify_some(TapDevice& device, std::uint64_t budget_us) {
  const std::uint64_t began = monotonic_us();
  TapModule& module = tap_module();
  while (monotonic_us() - began < budget_us && !module.stopping.load()) {
    const DeviceEntry* entry = bound_entry(device);
    if (entry == nullptr || entry->verify_request.load() == 0 || device.bound.load() != module.current.load()) return false;
    if (outcome_now(*module.current.load()->storage, device.entry_index.load() - 1) != NumberOutcome::kNumbered) return false;
    const TapTake taken = module.host->take(device.wrapped, kTakeWait_ms);
    if (taken == TAP_TAKE_GONE) return false;
    if (taken == TAP_TAKE_BUSY) continue;
    const Step step = verify_tracks(device);
    module.host->give(device.wrapped);
    if (step != Step::kMore) return false;
    usleep(kBetweenTakes_us);
  }
  return true;
}

}  // namespace afterimage
