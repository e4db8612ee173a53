// Lends chunks of the pool to devices, one compare-and-swap at a time; see ChunkWord in storage_layout.h. Nothing here locks; any
// thread of any attached process may call, each function for its own device except where said.
#pragma once

#include "serializer/common_storage.h"

namespace afterimage {

inline constexpr std::uint32_t kNoChunk = 0xFFFFFFFFu;

struct ChunkView {
  bool free = true, closed = false, busy = false;
  Sequence last = 0;         // last sequence numbered in it
  std::uint32_t device = 0;  // owner, if not free
};
ChunkView chunk_view(CommonStorage& storage, std::uint32_t chunk);

// Makes a free chunk, or an idle one in which nothing is needed, busy for `device`; lowest first, because it is warm in the cache.
// False if `chunk` is not such a one (any more).
bool take_chunk(CommonStorage& storage, std::uint32_t device, std::uint32_t chunk);
// The lowest chunk after `after` (kNoChunk: from the first) that take_chunk() would take now; kNoChunk if there is none.
// Free chunks come before idle ones: `idle` chooses.
std::uint32_t find_chunk(CommonStorage& storage, bool idle, std::uint32_t after);
// The owner's: idle -> busy again (true also if it is busy already). False if another device took it meanwhile.
bool resume_chunk(CommonStorage& storage, std::uint32_t device, std::uint32_t chunk);
// The owner's: busy -> idle, with the last sequence numbered in it.
void lend_back_chunk(CommonStorage& storage, std::uint32_t device, std::uint32_t chunk, Sequence last);
// The owner's, or after the owner's death anyone's: not closed -> closed, or free if nothing in it is needed.
// True if the chunk was the device's and open.
bool close_chunk(CommonStorage& storage, std::uint32_t device, std::uint32_t chunk, Sequence last);
// The mover's: frees the closed chunks in which nothing is needed.
void free_closed_chunks(CommonStorage& storage);

}  // namespace afterimage
