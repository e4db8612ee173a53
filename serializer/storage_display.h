// The facts of common storage for a D command, read without disturbing anyone. Any thread; a reading is not one instant's.
#pragma once

#include <string>
#include <vector>

#include "serializer/numbering.h"
#include "serializer/state_names.h"

namespace afterimage {

struct SystemFacts {
  std::uint32_t index = 0;
  std::string name, product_version;
  std::uint32_t pid = 0;
  bool alive = false, ended = false, burying = false;
  Tod heartbeat = 0;
};

struct DeviceFacts {
  std::uint32_t index = 0;
  std::string volser, system, image_path;
  std::uint16_t device_number = 0, device_type = 0;
  VolumeId volume = 0;
  std::uint32_t tracks = 0, duplex = 0;
  DeviceState state = DeviceState::kUnused;
  bool compressed = false;
  Sequence last_sequence = 0, flushed_sequence = 0, suspended_at = 0;
  SuspendReason suspend_reason = SuspendReason::kNone;
  std::uint64_t tokens = 0, bytes = 0, changed_tracks = 0, unhardened_tracks = 0;
};

struct StorageFacts {
  std::string name, plex, product_version, session;
  std::uint32_t layout = 0;
  Tod created = 0;
  std::uint64_t total_bytes = 0, ring_bytes = 0, ring_bytes_used = 0, sequence_entries = 0;
  std::uint32_t chunks = 0, chunks_free = 0, chunks_busy = 0, chunks_idle = 0, chunks_closed = 0;
  ControlView control;
  Sequence freed_through = 0, acknowledged_through = 0, suspended_at = 0;
  SuspendReason suspend_reason = SuspendReason::kNone;
  std::uint64_t epoch = 0, pace_count = 0, pace_us = 0;
  std::uint32_t mover_pid = 0;
  bool mover_alive = false;
  Tod mover_heartbeat = 0;
  std::vector<SystemFacts> systems;
  std::vector<DeviceFacts> devices;
};

StorageFacts storage_display(CommonStorage& storage);

}  // namespace afterimage
