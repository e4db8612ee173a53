// io: asks whether processes live; the rest is atomic steps on common storage.
#include "serializer/bury.h"

#include <algorithm>

#include "serializer/canary.h"
#include "serializer/check.h"
#include "serializer/chunk_pool.h"
#include "serializer/process_identity.h"
#include "serializer/slot_ref.h"
#include "serializer/track_map.h"

namespace afterimage {
namespace {

// pid | low half of the start time: who is at it. A dead one's claim is taken over.
std::uint64_t claim_of(std::uint32_t pid, std::uint64_t start_time) { return (start_time << 32) | pid; }

bool claim(SystemEntry& system) {
  const std::uint64_t mine = claim_of(own_pid(), process_start_time(own_pid()));
  for (;;) {
    std::uint64_t present = system.burier.load();
    if (present != 0 && present != mine) {
      const std::uint32_t pid = static_cast<std::uint32_t>(present);
      const std::uint64_t start_time = process_start_time(pid);
      if (start_time != 0 && claim_of(pid, start_time) == present) return false;
    }
    if (system.burier.compare_exchange_strong(present, mine)) return true;
  }
}

bool belongs_to(CommonStorage& storage, std::uint32_t device, std::uint32_t system) {
  if (planted(Canary::kBurialSkipsDevice) && device == 0) return false;
  return device < storage.device_count() && storage.device(device).state.load() != static_cast<std::uint32_t>(DeviceState::kUnused) &&
         storage.device(device).system_index == system;
}

// The token may be half-written: only its counts and tracks are used, within their bounds. A track of no meaning costs one re-read.
void mark_tracks(CommonStorage& storage, std::uint32_t device, SlotRef ref) {
  if (planted(Canary::kUnhardenedNotMarked)) return;
  const SlotPlace place = slot_place(storage, ref);
  if (place.header == nullptr) return;
  const Token token = place.header->token;
  if (token.kind == TokenKind::kVerify) return;
  TrackMap map = TrackMap::unhardened(storage, device);
  const std::uint32_t tracks = storage.device(device).tracks;
  for (unsigned i = 0; i < std::min<unsigned>(token.range_count, kMaxRanges); ++i)
    if (token.ranges[i].track < tracks) map.set(token.ranges[i].track);
}

void mark_open_slots(CommonStorage& storage, std::uint32_t system) {
  for (std::uint32_t device = 0; device < storage.device_count(); ++device) {
    if (!belongs_to(storage, device, system)) continue;
    mark_tracks(storage, device, storage.device(device).open_slot.load());
    storage.device(device).open_slot.store(0);
  }
}

void void_unflushed(CommonStorage& storage, std::uint32_t system, std::vector<Sequence>& voided) {
  const ControlView view = control_view(storage);
  help_last(storage, view);
  for (Sequence sequence = storage.control().freed_through.load() + 1; sequence <= view.sequence; ++sequence) {
    const EntryView entry = entry_view(storage, sequence);
    if (entry.sequence != sequence || !belongs_to(storage, entry.device, system)) continue;
    if (entry.state == EntryState::kHeld && sequence > storage.device(entry.device).flushed_sequence.load()) {
      mark_tracks(storage, entry.device, entry.slot);
      storage.device(entry.device).state.store(static_cast<std::uint32_t>(DeviceState::kLost));
      void_entry(storage, sequence);
    }
    if (entry_view(storage, sequence).state == EntryState::kVoid) voided.push_back(sequence);
  }
}

void close_chunks(CommonStorage& storage, std::uint32_t system) {
  const Sequence last = control_view(storage).sequence;  // no number in them is above it
  for (std::uint32_t chunk = 0; chunk < storage.chunk_count(); ++chunk) {
    const ChunkView view = chunk_view(storage, chunk);
    if (!view.free && !view.closed && belongs_to(storage, view.device, system)) close_chunk(storage, view.device, chunk, last);
  }
}

std::uint32_t mark_lost(CommonStorage& storage, std::uint32_t system) {
  std::uint32_t lost = 0;
  for (std::uint32_t device = 0; device < storage.device_count(); ++device) {
    if (!belongs_to(storage, device, system)) continue;
    auto open = static_cast<std::uint32_t>(DeviceState::kOpen);
    storage.device(device).state.compare_exchange_strong(open, static_cast<std::uint32_t>(DeviceState::kLost));
    if (storage.device(device).state.load() == static_cast<std::uint32_t>(DeviceState::kLost)) ++lost;
  }
  return lost;
}

}  // namespace

Burial bury_system(CommonStorage& storage, std::uint32_t index) {
  Burial burial;
  SystemEntry& system = storage.system(index);
  const std::uint32_t pid = system.pid.load();
  if (pid == 0 || process_alive(pid, system.start_time.load())) return burial;
  if (!claim(system)) return burial;
  // Again: another may have buried it, and its next process entered itself, while this one was claiming.
  const std::uint32_t still = system.pid.load();
  if (still != 0 && !process_alive(still, system.start_time.load())) {
    system.burying.store(1);
    mark_open_slots(storage, index);
    void_unflushed(storage, index, burial.voided);
    burial.lost_devices = mark_lost(storage, index);
    close_chunks(storage, index);
    system.ended.store(0);
    system.pid.store(0);
    system.burying.store(0);
    burial.done = true;
  }
  system.burier.store(0);
  return burial;
}

}  // namespace afterimage
