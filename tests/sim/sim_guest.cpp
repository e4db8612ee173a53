// The guests of a simulated Hercules: channel programs with write CCWs of every shape, and what the wrapped handler does with them.
#include <algorithm>
#include <cstring>

#include "serializer/track_map.h"
#include "tests/sim/sim_hercules.h"

namespace afterimage::sim {

namespace {
constexpr std::uint32_t kHomeAddress = 5, kRecordZero = 16;
constexpr std::uint32_t kFirstRecord = kHomeAddress + kRecordZero;
}  // namespace

std::vector<std::uint8_t> SimHercules::random_bytes(std::size_t bytes) {
  std::vector<std::uint8_t> made(bytes);
  // No two writes have the same bytes, so that an exchange of two is seen.
  const std::uint64_t stamp = (std::uint64_t{index_} << 56) | ++stamp_;
  SplitMix filler(stamp);
  for (std::uint8_t& byte : made) byte = static_cast<std::uint8_t>(filler.next());
  for (std::size_t i = 0; i < sizeof stamp && i < bytes; ++i) made[i] = static_cast<std::uint8_t>(stamp >> (8 * i));
  return made;
}

// What the CCW replaces, in the order the handler writes it. Tracks stay tracks: records of count and data, then the end marker.
void SimHercules::make_pieces(const TapWrapped& device, std::uint32_t track, std::vector<Piece>& pieces, std::uint8_t& code) {
  const auto bytes = static_cast<std::uint32_t>(device.buffer.size());
  const auto image = std::span<const std::uint8_t>(device.buffer);
  const auto used = static_cast<std::uint32_t>(used_part(image));
  const bool empty = used <= kFirstRecord + 8 || used > bytes;
  const std::uint64_t shape = random_.below(100);
  if (empty || shape < 20) {  // format: one record after the last, or the first anew with all behind it gone
    code = 0x1D;
    std::uint32_t at = empty || random_.chance(1, 3) ? kFirstRecord : used - 8;
    auto data = static_cast<std::uint32_t>(8 + random_.below(std::max<std::uint32_t>(bytes / 4, 9)));
    if (at + 8 + data + 8 > bytes) at = kFirstRecord;
    data = std::min(data, bytes - at - 16);
    std::vector<std::uint8_t> count(8);
    count[1] = static_cast<std::uint8_t>(track / 256);
    count[3] = static_cast<std::uint8_t>(track);
    count[4] = static_cast<std::uint8_t>(1 + random_.below(50));
    count[6] = static_cast<std::uint8_t>(data >> 8);
    count[7] = static_cast<std::uint8_t>(data);
    pieces.push_back({track, at, std::move(count)});
    pieces.push_back({track, at + 8, random_bytes(data)});
    pieces.push_back({track, at + 8 + data, std::vector<std::uint8_t>(8, 0xFF)});
    return;
  }
  code = 0x05;
  // Data of a record, or parts of it; the counts between are left alone.
  std::vector<std::pair<std::uint32_t, std::uint32_t>> records;
  for (std::uint32_t at = kFirstRecord; at + 8 < used;) {
    const std::uint32_t length = static_cast<std::uint32_t>(image[at + 6]) << 8 | image[at + 7];
    const std::uint32_t key = image[at + 5];
    if (length != 0) records.emplace_back(at + 8 + key, length);
    at += 8 + key + length;
  }
  if (records.empty()) {  // record 0 alone has data then
    pieces.push_back({track, kHomeAddress + 8, random_bytes(8)});
    return;
  }
  const auto& [from, length] = records[shape < 70 ? records.size() - 1 : random_.below(records.size())];
  if (shape < 75 || length < 48) {
    pieces.push_back({track, from, random_bytes(length)});
    return;
  }
  // Many ranges with gaps: more than a token can name, now and then.
  const std::uint32_t parts = 2 + static_cast<std::uint32_t>(random_.below(random_.chance(1, 4) ? 24 : 6));
  const std::uint32_t step = std::max<std::uint32_t>(length / parts, 2);
  for (std::uint32_t n = 0; n < parts && (n + 1) * step <= length; ++n)
    pieces.push_back({track, from + n * step, random_bytes(1 + random_.below(step - 1))});
}

void SimHercules::change(TapWrapped& device, std::uint32_t track, std::uint32_t offset, const std::vector<std::uint8_t>& bytes) {
  std::copy(bytes.begin(), bytes.end(), device.buffer.begin() + offset);
  const auto end = offset + static_cast<std::uint32_t>(bytes.size());
  if (device.dirty_high == device.dirty_low) {
    device.dirty_low = offset;
    device.dirty_high = end;
  } else {
    device.dirty_low = std::min(device.dirty_low, offset);
    device.dirty_high = std::max(device.dirty_high, end);
  }
  oracle_.guest_changed(device.volume, track, offset, bytes);
  if (device.in_exec == 1 && in_session(device)) {
    tap_capture_begin(device.tap, 0x05);
    device.in_exec = 2;
  }
  if (device.in_exec == 2)
    tap_wrote(device.tap, track, offset, static_cast<std::uint32_t>(bytes.size()), device.buffer.data() + offset);
  else
    tap_wrote_outside(device.tap);
}

bool SimHercules::run_ccw(TapWrapped& device) {
  const std::uint32_t tracks = oracle_.volumes()[device.volume].geometry.tracks();
  // Not the first track: it has the volume's label.
  const auto track =
      static_cast<std::uint32_t>(1 + random_.below(random_.chance(1, 8) ? tracks - 1 : std::min(guests_.hot_tracks, tracks - 1)));
  if (!wrapped_read(device, track)) return false;  // the guest sees a unit check
  std::vector<Piece> pieces;
  std::uint8_t code = 0;
  make_pieces(device, track, pieces, code);
  const std::uint64_t place_choice = random_.below(100);
  TapPlace place = place_choice < 60 ? TAP_PLACE_THREAD : place_choice < 92 ? TAP_PLACE_CPU_REDRIVE : TAP_PLACE_CPU;
  const std::uint64_t began = schedule_.now_us();
  const bool numbered_before = tokens_are_taken(device), recorded_before = changes_are_recorded(device);
  const std::uint64_t stopped_before = process_->stopped_until_us, freezes_before = freezes_;
  freezes_ = 0;
  device.in_exec = 1;
  while (in_session(device)) {
    device.held += place == TAP_PLACE_THREAD ? 1 : 0;
    const TapGate gate = tap_gate(device.tap, code, place);
    device.held -= place == TAP_PLACE_THREAD ? 1 : 0;
    if (gate == TAP_GATE_RUN) device.in_exec = 2;
    if (gate == TAP_GATE_LEAVE) {
      device.in_exec = 0;
      return false;
    }
    if (gate != TAP_GATE_REDRIVE) break;
    schedule_.sleep_us(30 + random_.below(200));
    place = TAP_PLACE_THREAD;
  }
  oracle_.ccw_begins(device.volume);
  for (const Piece& piece : pieces) {
    change(device, piece.track, piece.offset, piece.bytes);
    if (random_.chance(1, 10)) may_be_preempted();
  }
  if (device.in_exec == 2) {
    device.held += place == TAP_PLACE_THREAD ? 1 : 0;
    const TapEnd end = tap_capture_end(device.tap, 1, nullptr, 0, place);
    device.held -= place == TAP_PLACE_THREAD ? 1 : 0;
    device.in_exec = 0;
    if (end == TAP_END_PARKED) {
      device.parked = true;
      schedule_.sleep_us(30 + random_.below(200));
      ++device.held;
      tap_settle(device.tap, TAP_PLACE_THREAD);
      --device.held;
      device.parked = false;
    }
  }
  device.in_exec = 0;
  oracle_.ccw_ends(
      device.volume, numbered_before && tokens_are_taken(device), recorded_before && changes_are_recorded(device),
      [&](std::uint32_t changed) { return TrackMap::changed(device.tap->binding->storage, device.tap->binding->device).test(changed); });
  if (process_->stopped_until_us == stopped_before) oracle_.held(schedule_.now_us() - began, hold_bound_us());
  freezes_ += freezes_before;
  return true;
}

bool SimHercules::run_program(TapWrapped& device) {
  while (device.service_io) schedule_.sleep_us(100);
  if (in_session(device)) tap_program_started(device.tap);
  const std::uint64_t ccws = 1 + random_.below(guests_.ccws);
  bool good = true;
  for (std::uint64_t n = 0; n < ccws && good && !device.closing; ++n) {
    good = run_ccw(device);
    if (random_.chance(1, 3)) may_be_preempted();
  }
  return wrapped_read(device, -1) && good;
}

void SimHercules::run_guest(unsigned thread) {
  schedule_.sleep_us(random_.below(2000 + thread));
  while (!ending_) {
    if (paused_ || devices_.empty()) {
      schedule_.sleep_us(2000);
      continue;
    }
    TapWrapped& device = *devices_[random_.below(devices_.size())];
    if (device.busy || device.service_io || !device.open) {
      schedule_.sleep_us(200);
      continue;
    }
    device.busy = true;
    run_program(device);
    device.busy = false;
    schedule_.sleep_us(1 + random_.below(2 * guests_.pause_us));
  }
  --threads_running_;
}

}  // namespace afterimage::sim
