// io: reads the clock. Numbers what a write CCW changed; see tap_write.h.
#include "channel/tap_write.h"

#include <algorithm>

#include "channel/tap_hold.h"
#include "channel/tap_module.h"
#include "channel/tap_volume.h"
#include "channel/track.h"
#include "serializer/canary.h"
#include "serializer/check.h"
#include "serializer/clock.h"
#include "serializer/track_map.h"

namespace afterimage {
namespace {

std::uint64_t now_us() { return tod_to_us(clock_tod()); }

Token token_for(const TapDevice& device, TokenKind kind, std::uint8_t ccw_code) {
  Token token;
  token.kind = kind;
  token.ccw_code = ccw_code;
  token.event = device.event;
  token.volume = device.binding->entry.volume;
  token.system = static_cast<std::uint8_t>(device.binding->attachment.system_index);
  return token;
}

// A record continued over tracks may be longer than one track; only the older types have track overflow.
std::uint32_t largest_write(const TapDevice& device) {
  const bool overflow = device.device_type != 0x3380 && device.device_type != 0x3390 && device.device_type != 0x9345;
  return overflow ? kMaxTokenData : std::min(device.track_bytes, kMaxTokenData);
}

Published finish(TapDevice& device) {
  switch (device.binding->writer.finish(now_us()).outcome) {
    case NumberOutcome::kNumbered:
      device.fast.owing = 1;
      return Published::kNumbered;
    case NumberOutcome::kFrozen:
      return Published::kFrozen;
    case NumberOutcome::kFull:
      return Published::kFull;
    case NumberOutcome::kNotActive:
    case NumberOutcome::kVolumeSuspended:
      break;
  }
  return Published::kRecorded;
}

Published publish(TapDevice& device, const Token& begun, std::uint32_t track, std::span<const std::uint8_t> bytes) {
  SlotWriter& writer = device.binding->writer;
  if (outcome_now(device.binding->storage, device.binding->device) == NumberOutcome::kFrozen) return Published::kFrozen;
  if (writer.prepare(static_cast<std::uint32_t>(bytes.size())) != SlotRoom::kReady) return Published::kFull;
  writer.begin(begun);
  const std::uint32_t heads = std::max(device.heads, 1u);
  writer.set_record(static_cast<std::uint16_t>(track / heads), static_cast<std::uint16_t>(track % heads), 0);
  const bool fits = bytes.size() <= kMaxTrackBytes && writer.add(track, 0, bytes.data(), static_cast<std::uint16_t>(bytes.size()));
  AI_CHECK(fits);
  return finish(device);
}

// The tracks of the capture, whole, as they are now; for what the slot could not hold.
Published publish_tracks(TapDevice& device) {
  const auto tracks = device.capture.tracks();
  while (device.images_done < tracks.size()) {
    const std::uint32_t track = tracks[device.images_done];
    const std::uint8_t* image = nullptr;
    if (tap_module().host->image_now(device.wrapped, track, &image) != 0) {
      suspend_volume(device, SuspendReason::kCheck, "TRACK " + std::to_string(track) + " COULD NOT BE READ BACK; A COMPARE IS NEEDED");
      return Published::kRecorded;
    }
    const Published outcome = publish_image(device, track, {image, device.track_bytes});
    if (outcome == Published::kFrozen || outcome == Published::kFull) return outcome;
    ++device.images_done;
  }
  return Published::kNumbered;
}

Published try_to_number(TapDevice& device) {
  Capture& capture = device.capture;
  if (!capture.in_slot()) return publish_tracks(device);
  // Looked at first, because finish() gives the slot up when it meets a freeze; one that comes in between costs whole tracks.
  if (outcome_now(device.binding->storage, device.binding->device) == NumberOutcome::kFrozen) return Published::kFrozen;
  const Published outcome = finish(device);
  if (outcome == Published::kFrozen || outcome == Published::kFull) capture.give_up_slot();
  return outcome;
}

// The write cannot be numbered at all: its tracks are recorded as changed on a volume that is suspended.
void record_only(TapDevice& device, const char* why) {
  suspend_volume(device, SuspendReason::kCheck, why);
  const Capture& capture = device.capture;
  for (unsigned from = 0; from < capture.tracks().size(); from += kMaxRanges) {
    while (!record_change(device.binding->storage, device.binding->device, capture.change(from))) {
    }
  }
}

void open_capture(TapDevice& device, std::uint8_t ccw_code, bool room) {
  const TokenKind kind = ccw_code == 0 ? TokenKind::kSharedWrite : TokenKind::kWrite;
  device.images_done = 0;
  device.capture.begin(token_for(device, kind, ccw_code), room ? &device.binding->writer : nullptr);
}

}  // namespace

TapGate pass_gate(TapDevice& device, std::uint8_t ccw_code, TapPlace place) {
  if (!device.binding) return TAP_GATE_RUN;
  CommonStorage& storage = device.binding->storage;
  const std::uint32_t index = device.binding->device;
  bool room = false;
  for (;;) {
    const bool frozen = outcome_now(storage, index) == NumberOutcome::kFrozen;
    room = (!frozen || place == TAP_PLACE_CPU) && device.binding->writer.prepare(largest_write(device)) == SlotRoom::kReady;
    if (room || place == TAP_PLACE_CPU) break;
    if (place == TAP_PLACE_CPU_REDRIVE) return TAP_GATE_REDRIVE;
    const Held held = frozen ? hold_for_freeze(device, true) : hold_for_room(device, true, largest_write(device));
    if (held == Held::kMustLeave) return TAP_GATE_LEAVE;
  }
  open_capture(device, ccw_code, room);
  return TAP_GATE_RUN;
}

void begin_capture(TapDevice& device, std::uint8_t ccw_code) {
  if (!device.binding) return;
  open_capture(device, ccw_code, device.binding->writer.prepare(largest_write(device)) == SlotRoom::kReady);
}

void name_record(TapDevice& device, std::uint8_t record) {
  const std::uint32_t track = device.capture.tracks().front();
  const std::uint32_t heads = std::max(device.heads, 1u);
  device.capture.set_record(static_cast<std::uint16_t>(track / heads), static_cast<std::uint16_t>(track % heads), record);
}

TapEnd number_capture(TapDevice& device, TapPlace place) {
  Capture& capture = device.capture;
  device.parked = false;
  if (capture.lost_track()) {
    suspend_volume(device, SuspendReason::kCheck, "ONE CCW WROTE MORE TRACKS THAN CAN BE FOLLOWED; A COMPARE IS NEEDED");
  }
  for (;;) {
    const Published outcome = try_to_number(device);
    if (outcome == Published::kNumbered || outcome == Published::kRecorded) break;
    if (place == TAP_PLACE_CPU_REDRIVE) {
      device.parked = true;
      return TAP_END_PARKED;
    }
    if (place == TAP_PLACE_CPU) {
      record_only(device, "A WRITE WAS MADE WHERE IT COULD NEITHER BE HELD NOR NUMBERED; ITS TRACKS ARE RECORDED AS CHANGED");
      break;
    }
    const Held held = outcome == Published::kFrozen ? hold_for_freeze(device, false) : hold_for_room(device, false, device.track_bytes);
    if (held == Held::kMustLeave) {
      record_only(device, "THE DEVICE WAS CLOSED WITH A WRITE NOT YET NUMBERED; ITS TRACKS ARE RECORDED AS CHANGED");
      break;
    }
  }
  capture.close();
  return TAP_END_DONE;
}

Published publish_image(TapDevice& device, std::uint32_t track, std::span<const std::uint8_t> image) {
  const Result<std::uint32_t> used = track_used_bytes(image);
  // Without an end marker the whole image is the track, as far as anyone can say.
  const std::size_t bytes = used.good() ? used.value : std::min<std::size_t>(image.size(), kMaxTrackBytes);
  return publish(device, token_for(device, TokenKind::kTrackImage, 0), track, image.first(bytes));
}

Published publish_digest(TapDevice& device, std::uint32_t track, std::span<const std::uint8_t> image) {
  const std::vector<std::uint8_t> digest = track_digest(image);
  return publish(device, token_for(device, TokenKind::kVerify, 0), track, digest);
}

void note_flushed(TapDevice& device) {
  if (!device.binding) return;
  DeviceEntry& entry = device.binding->entry;
  if (device.write_back_failed) {
    if (entry.duplex.load() & kVolumeSuspended) return;
    device.write_back_failed = false;  // the volume was made equal again
  }
  const Sequence last = entry.last_sequence.load(std::memory_order_relaxed);
  device.fast.owing = 0;
  if (last == entry.flushed_sequence.load(std::memory_order_relaxed)) return;
  entry.flush_tod.store(clock_tod(), std::memory_order_relaxed);
  entry.flushed_sequence.store(last, std::memory_order_release);
}

void note_write_back_failure(TapDevice& device, std::uint32_t track) {
  if (!device.binding || device.write_back_failed || planted(Canary::kWriteBackFailureIgnored)) return;
  device.write_back_failed = true;
  CommonStorage& storage = device.binding->storage;
  DeviceEntry& entry = device.binding->entry;
  suspend_volume(device, SuspendReason::kWriteBack,
                 "TRACK " + std::to_string(track) + " COULD NOT BE WRITTEN TO ITS FILE AND ITS LAST WRITES ARE LOST AT BOTH SITES");
  Token changed;
  changed.ranges[0] = TrackRange{track, 0, 1};
  changed.range_count = 1;
  while (!record_change(storage, device.binding->device, changed)) {
  }
  // Numbered, and never in the file: exactly what a void token means. Left held, they would hold back every other volume for ever.
  for (Sequence sequence = entry.flushed_sequence.load() + 1; sequence <= entry.last_sequence.load(); ++sequence) {
    const EntryView view = entry_view(storage, sequence);
    if (view.sequence == sequence && view.device == device.binding->device) void_entry(storage, sequence);
  }
}

}  // namespace afterimage
