// What the tests of common storage share: a segment of their own with systems and devices, and writes that can be told apart later.
#pragma once

#include <unistd.h>

#include <atomic>
#include <cstring>
#include <string>
#include <vector>

#include "serializer/registry.h"
#include "serializer/slot_reader.h"
#include "serializer/slot_writer.h"
#include "serializer/track_map.h"

namespace afterimage::testing {

inline std::string own_segment_name() {
  static std::atomic<unsigned> next{0};
  return "aitest." + std::to_string(::getpid()) + "." + std::to_string(next++);
}

// The name goes when the test ends; forked children leave by _exit and so do not take it away.
struct NamedSegment {
  std::string name = own_segment_name();
  NamedSegment() = default;
  NamedSegment(const NamedSegment&) = delete;
  NamedSegment& operator=(const NamedSegment&) = delete;
  ~NamedSegment() { CommonStorage::remove(name); }
};

inline StorageShape small_shape(std::uint32_t devices, std::uint32_t chunks = 16, std::uint64_t entries = 0) {
  StorageShape shape;
  shape.plex = "PLEXT";
  shape.ring_bytes = static_cast<std::uint64_t>(chunks) * kMinChunkBytes;
  shape.chunk_bytes = kMinChunkBytes;
  shape.sequence_entries = entries;
  shape.max_tracks = 16384;
  shape.devices = devices;
  return shape;
}

inline DeviceDefinition device_definition(const std::string& system, std::uint16_t number) {
  DeviceDefinition definition;
  definition.volser = "VOL" + std::to_string(number % 1000);
  definition.system = system;
  definition.device_number = number;
  definition.volume = static_cast<VolumeId>(number);
  definition.device_type = 0x3390;
  definition.cylinders = 1000;
  definition.heads = 15;
  definition.tracks = 15000;
  definition.track_bytes = 56832;
  definition.image_path = "volume" + std::to_string(number) + ".ckd";
  return definition;
}

// A segment with `systems` systems of `per_system` duplexed, open devices each, and an active session.
class TestPlex {
 public:
  TestPlex(std::uint32_t systems, std::uint32_t per_system, StorageShape shape) {
    auto made = CommonStorage::create_or_open(segment_.name, shape);
    if (!made.good()) throw std::runtime_error(made.status.text());
    storage_ = std::move(made.value);
    for (std::uint32_t s = 0; s < systems; ++s)
      for (std::uint32_t d = 0; d < per_system; ++d) {
        auto index = define_device(*storage_, device_definition(system_name(s), static_cast<std::uint16_t>(0xA00 + s * 64 + d)));
        if (!index.good()) throw std::runtime_error(index.status.text());
        storage_->device(index.value).state = static_cast<std::uint32_t>(DeviceState::kOpen);
        storage_->device(index.value).duplex = kDuplex;
      }
    change_session_state(*storage_, SessionState::kInactive, SessionState::kActive);
  }
  static std::string system_name(std::uint32_t system) { return "HERC" + std::to_string(system); }
  const std::string& name() const { return segment_.name; }
  CommonStorage& operator*() { return *storage_; }
  CommonStorage* operator->() { return storage_.get(); }
  std::uint32_t chunks_not_free() {
    std::uint32_t count = 0;
    for (std::uint32_t i = 0; i < storage_->chunk_count(); ++i) count += storage_->chunk_word(i).word.load() != 0 ? 1 : 0;
    return count;
  }

 private:
  NamedSegment segment_;
  std::unique_ptr<CommonStorage> storage_;
};

// The n-th write of a device: its token and data follow from both numbers, so a reader can tell any torn or misplaced byte.
struct KnownWrite {
  std::uint32_t device = 0;
  std::uint32_t attempt = 0;

  std::uint32_t track() const { return attempt % 15000; }
  std::uint16_t length() const { return static_cast<std::uint16_t>(8 + (attempt * 2654435761u >> 7) % 3000); }
  std::uint8_t byte(std::uint32_t i) const {
    return static_cast<std::uint8_t>((i * 31u) ^ (attempt * 7u) ^ (attempt >> 8) ^ (device * 13u));
  }

  Token token() const {
    Token token;
    token.event = attempt;
    token.ccw_code = 0x85;
    token.volume = static_cast<VolumeId>(device);
    return token;
  }
  void fill(std::vector<std::uint8_t>& bytes) const {
    bytes.resize(length());
    for (std::uint32_t i = 0; i < bytes.size(); ++i) bytes[i] = byte(i);
  }
  // Begins and adds in two parts, which join to one range.
  bool put(SlotWriter& writer, const std::vector<std::uint8_t>& bytes) const {
    writer.begin(token());
    writer.set_record(static_cast<std::uint16_t>(track() / 15), static_cast<std::uint16_t>(track() % 15), 1);
    const std::uint16_t first = static_cast<std::uint16_t>(bytes.size() / 2);
    return writer.add(track(), 16, bytes.data(), first) && writer.add(track(), static_cast<std::uint16_t>(16 + first), bytes.data() + first,
                                                                      static_cast<std::uint16_t>(bytes.size() - first));
  }
};

// Empty if the token is the write its event number says, unharmed; else what is wrong.
inline std::string fault_in(const HeldToken& held) {
  const KnownWrite write{held.device, held.token.event};
  if (held.token.volume != held.device) return "volume and device differ";
  if (held.token.range_count != 1) return "ranges were not joined";
  if (!(held.token.ranges[0] == TrackRange{write.track(), 16, write.length()})) return "another range";
  if (held.token.cylinder != write.track() / 15 || held.token.head != write.track() % 15) return "another CCHH";
  if (held.data.size() != write.length()) return "another length";
  for (std::uint32_t i = 0; i < held.data.size(); ++i)
    if (held.data[i] != write.byte(i)) return "torn data at byte " + std::to_string(i);
  return {};
}

}  // namespace afterimage::testing
