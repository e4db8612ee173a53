// Slot references: where a token and its data lie in the chunk pool. A reference read from common storage is checked before use.
#pragma once

#include "serializer/common_storage.h"

namespace afterimage {

constexpr std::uint32_t round_to_units(std::uint32_t bytes) { return (bytes + kUnitBytes - 1) / kUnitBytes * kUnitBytes; }

// `offset_bytes` and `length_bytes` are multiples of kUnitBytes.
constexpr SlotRef make_slot_ref(std::uint32_t chunk, std::uint32_t offset_bytes, std::uint32_t length_bytes) {
  return (static_cast<std::uint64_t>(chunk + 1) << 40) | (static_cast<std::uint64_t>(offset_bytes / kUnitBytes) << 20) |
         (length_bytes / kUnitBytes);
}

struct SlotPlace {
  std::uint32_t chunk = 0;
  std::uint32_t offset = 0;      // bytes from the start of the chunk
  std::uint32_t length = 0;      // bytes
  SlotHeader* header = nullptr;  // null: the reference points outside the pool or is too short for a header
};
SlotPlace slot_place(CommonStorage& storage, SlotRef ref);

}  // namespace afterimage
