// The writing side of common storage for one device: opens a slot before the write CCW runs, takes the bytes as the handler writes
// them (the one copy), closes and numbers it. One thread at a time per device (Hercules guarantees it: `ioactive`).
// No system call, no allocation, no lock. Nothing here throws.
#pragma once

#include <cstdint>

#include "serializer/numbering.h"

namespace afterimage {

enum class SlotRoom : std::uint8_t { kReady, kPoolFull, kEntriesFull };

class SlotWriter {
 public:
  SlotWriter(CommonStorage& storage, std::uint32_t device);

  // Makes room for the largest token: kReady, or why there is none (the caller then paces, before the write CCW runs).
  SlotRoom prepare();
  // Begins a token in the prepared slot. `token` has everything but sequence, tod, ranges and data_length.
  void begin(const Token& token);
  // Adds bytes replaced in a track image; ranges that touch are joined. False if it does not fit (kMaxRanges or kMaxTokenData):
  // the caller abandons it and publishes whole-track images instead.
  bool add(std::uint32_t track, std::uint16_t offset, const void* bytes, std::uint16_t length);
  bool empty() const;
  void set_record(std::uint16_t cylinder, std::uint16_t head, std::uint8_t record);
  // Numbers what was added. On kNotActive/kVolumeSuspended/kFrozen the change map has been marked. The slot is consumed only when numbered.
  Numbered finish(std::uint64_t now_us);
  void abandon();
  // The device is closed: gives up its chunk (the mover frees it when its last slot is freed).
  void release();

 private:
  CommonStorage& storage_;
  std::uint32_t device_;
  std::uint8_t* slot_ = nullptr;
  std::uint32_t chunk_ = 0;           // + 1; 0 = none
  std::uint32_t chunk_used_ = 0;      // bytes
  std::uint32_t chunk_numbered_ = 0;  // slots numbered in this chunk
  std::uint32_t data_bytes_ = 0;
};

}  // namespace afterimage
