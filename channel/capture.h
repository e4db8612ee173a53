// What one write CCW changed: collects the bytes the handler replaces, straight into the device's slot of common storage (the one copy),
// and remembers the tracks, so that the write can still be recorded as a change, or sent as whole tracks, when the slot cannot hold it.
// Source: document 002 (A2, A5). One thread at a time per object; no allocation, no lock, nothing throws.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "serializer/slot_writer.h"

namespace afterimage {

// The longest write CCW moves 65,535 bytes; on the smallest tracks (2311: 3,625 bytes of data) a record continued over tracks needs 19.
inline constexpr unsigned kMaxCaptureTracks = 32;

class Capture {
 public:
  // `writer` has been prepared, or is null: then only the tracks are noted. `token` as for SlotWriter::begin.
  void begin(const Token& token, SlotWriter* writer);
  void add(std::uint32_t track, std::uint32_t offset, std::uint32_t length, const std::uint8_t* bytes);
  // Forgets everything; what is in the slot is abandoned.
  void drop();
  // What is in the slot cannot be numbered any more: the tracks must be sent whole.
  void give_up_slot() { overflowed_ = true; }
  // The write is settled: the slot was numbered, or the change recorded.
  void close() { open_ = false; }

  bool open() const { return open_; }
  bool empty() const { return track_count_ == 0; }
  // The slot holds everything that was written. Else the tracks must be sent whole.
  bool in_slot() const { return writer_ != nullptr && !overflowed_; }
  std::span<const std::uint32_t> tracks() const { return {tracks_.data(), track_count_}; }
  // More tracks were written than can be remembered: the volume cannot be followed.
  bool lost_track() const { return lost_; }
  // Extent of what was written on the first track: to find the record of a write that came without a CCW.
  std::uint32_t first_offset() const { return first_offset_; }
  std::uint32_t first_length() const { return first_length_; }
  void set_record(std::uint16_t cylinder, std::uint16_t head, std::uint8_t record);
  // The tracks as ranges, for the change map, beginning with the `from`th; at most kMaxRanges of them.
  Token change(unsigned from) const;

 private:
  Token token_{};
  SlotWriter* writer_ = nullptr;
  std::array<std::uint32_t, kMaxCaptureTracks> tracks_{};
  unsigned track_count_ = 0;
  std::uint32_t first_offset_ = 0, first_length_ = 0;
  bool open_ = false, overflowed_ = false, lost_ = false;
};

}  // namespace afterimage
