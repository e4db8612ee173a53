// io: gathers the facts; asks who is alive.
#include "serializer/storage_display.h"

#include <cstring>

#include "serializer/chunk_pool.h"
#include "serializer/registry.h"
#include "serializer/shared_text.h"
#include "serializer/slot_reader.h"
#include "serializer/track_map.h"

namespace afterimage {
namespace {

std::string text_in(const char* field, std::size_t size) { return {field, strnlen(field, size)}; }

SystemFacts facts_of_system(CommonStorage& storage, std::uint32_t index) {
  const SystemEntry& system = storage.system(index);
  SystemFacts facts;
  facts.index = index;
  facts.name = shared_text(system.name);
  facts.product_version = shared_text(system.product_version);
  facts.pid = system.pid.load();
  facts.alive = system_is_alive(storage, index);
  facts.ended = system.ended.load() != 0;
  facts.burying = system.burying.load() != 0;
  facts.heartbeat = system.heartbeat.load();
  return facts;
}

DeviceFacts facts_of_device(CommonStorage& storage, std::uint32_t index) {
  const DeviceEntry& device = storage.device(index);
  DeviceFacts facts;
  facts.index = index;
  facts.volser = text_in(device.volser, sizeof device.volser);
  facts.system = text_in(device.system, sizeof device.system);
  facts.image_path = text_in(device.image_path, sizeof device.image_path);
  facts.device_number = device.device_number;
  facts.device_type = device.device_type;
  facts.volume = device.volume;
  facts.tracks = device.tracks;
  facts.duplex = device.duplex.load();
  facts.state = static_cast<DeviceState>(device.state.load());
  facts.compressed = device.compressed.load() != 0;
  facts.last_sequence = device.last_sequence.load();
  facts.flushed_sequence = device.flushed_sequence.load();
  facts.suspended_at = device.suspended_at.load();
  facts.suspend_reason = static_cast<SuspendReason>(device.suspend_reason.load());
  facts.tokens = device.tokens.load();
  facts.bytes = device.bytes.load();
  facts.changed_tracks = TrackMap::changed(storage, index).count();
  facts.unhardened_tracks = TrackMap::unhardened(storage, index).count();
  return facts;
}

void count_chunks(CommonStorage& storage, StorageFacts& facts) {
  facts.chunks = storage.chunk_count();
  for (std::uint32_t chunk = 0; chunk < facts.chunks; ++chunk) {
    const ChunkView view = chunk_view(storage, chunk);
    if (view.free)
      ++facts.chunks_free;
    else if (view.closed)
      ++facts.chunks_closed;
    else if (view.busy)
      ++facts.chunks_busy;
    else
      ++facts.chunks_idle;
  }
}

void read_control(CommonStorage& storage, StorageFacts& facts) {
  const ControlBlock& control = storage.control();
  facts.control = control_view(storage);
  facts.session = text_in(control.session, sizeof control.session);
  facts.freed_through = control.freed_through.load();
  facts.acknowledged_through = control.acknowledged_through.load();
  facts.suspended_at = control.suspended_at.load();
  facts.suspend_reason = static_cast<SuspendReason>(control.suspend_reason.load());
  facts.epoch = control.epoch.load();
  facts.pace_count = control.pace_count.load();
  facts.pace_us = control.pace_us.load();
  facts.mover_pid = control.mover_pid.load();
  facts.mover_alive = mover_is_alive(storage);
  facts.mover_heartbeat = control.mover_heartbeat.load();
}

}  // namespace

StorageFacts storage_display(CommonStorage& storage) {
  StorageFacts facts;
  const StorageHeader& header = storage.header();
  facts.name = storage.name();
  facts.plex = text_in(header.plex, sizeof header.plex);
  facts.product_version = text_in(header.product_version, sizeof header.product_version);
  facts.layout = header.layout_version;
  facts.created = header.created;
  facts.total_bytes = header.total_bytes;
  facts.sequence_entries = storage.sequence_entries();
  const SlotReader reader(storage);
  facts.ring_bytes = reader.ring_bytes();
  facts.ring_bytes_used = reader.ring_bytes_used();
  count_chunks(storage, facts);
  read_control(storage, facts);
  for (std::uint32_t i = 0; i < storage.system_count(); ++i)
    if (!shared_text(storage.system(i).name).empty()) facts.systems.push_back(facts_of_system(storage, i));
  for (std::uint32_t i = 0; i < storage.device_count(); ++i)
    if (storage.device(i).state.load(std::memory_order_acquire) != static_cast<std::uint32_t>(DeviceState::kUnused))
      facts.devices.push_back(facts_of_device(storage, i));
  return facts;
}

}  // namespace afterimage
