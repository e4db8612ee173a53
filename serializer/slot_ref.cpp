// Checks a slot reference against the pool it must lie in.
#include "serializer/slot_ref.h"

namespace afterimage {

SlotPlace slot_place(CommonStorage& storage, SlotRef ref) {
  SlotPlace place;
  const std::uint32_t chunk = static_cast<std::uint32_t>(ref >> 40);
  if (chunk == 0 || chunk > storage.chunk_count()) return place;
  const std::uint32_t mask = (1u << 20) - 1;
  const std::uint32_t offset = (static_cast<std::uint32_t>(ref >> 20) & mask) * kUnitBytes;
  const std::uint32_t length = (static_cast<std::uint32_t>(ref) & mask) * kUnitBytes;
  if (length < sizeof(SlotHeader)) return place;
  if (offset > storage.chunk_bytes() || length > storage.chunk_bytes() - offset) return place;
  place.chunk = chunk - 1;
  place.offset = offset;
  place.length = length;
  place.header = reinterpret_cast<SlotHeader*>(storage.chunk(place.chunk) + offset);
  return place;
}

}  // namespace afterimage
