// io: reads tracks through the base handler. After a system's death its volume is mended before a guest may use it (docs/ARCHITECTURE.md,
// "Changed from the design", corrective images).
#include "channel/tap_hold.h"
#include "channel/tap_module.h"
#include "channel/tap_open.h"
#include "channel/tap_write.h"
#include "serializer/canary.h"
#include "serializer/track_map.h"

namespace afterimage {
namespace {

bool send_track(TapDevice& device, std::uint32_t track, std::string& why) {
  const std::uint8_t* image = nullptr;
  if (tap_module().host->read_track(device.wrapped, track, &image) != 0) {
    why = "TRACK " + std::to_string(track) + " CANNOT BE READ";
    return false;
  }
  for (;;) {
    const Published outcome = publish_image(device, track, {image, device.track_bytes});
    if (outcome == Published::kNumbered) return true;
    if (outcome == Published::kRecorded) {
      // Also with no session, in which nothing else is recorded: what the secondary lacks of this track dates from one.
      TrackMap::changed(device.binding->storage, device.binding->device).set(track);
      return true;
    }
    device.held_us = 0;
    const Held held = outcome == Published::kFrozen ? hold_for_freeze(device, false) : hold_for_room(device, false, device.track_bytes);
    if (held == Held::kMustLeave) {
      why = "HERCULES IS SHUTTING DOWN";
      return false;
    }
  }
}

}  // namespace

bool mend_tracks(TapDevice& device, std::string& why) {
  TapBinding& binding = *device.binding;
  TrackMap map = TrackMap::unhardened(binding.storage, binding.device);
  std::uint64_t mended = 0;
  if (planted(Canary::kMarksClearedBeforeImages)) map.clear_all();
  for (std::uint64_t track = map.next(0); track < map.tracks(); track = map.next(track + 1)) {
    if (track < device.tracks && !send_track(device, static_cast<std::uint32_t>(track), why)) return false;
    map.clear(static_cast<std::uint32_t>(track));
    ++mended;
  }
  if (mended != 0) {
    tap_log("DSMC012I DEVICE " + device_text(device.device_number) + " MENDED AFTER THE DEATH OF ITS SYSTEM: " + std::to_string(mended) +
            " TRACKS SENT AGAIN");
  }
  return true;
}

}  // namespace afterimage
