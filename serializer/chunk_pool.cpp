// The compare-and-swaps on chunk words.
#include "serializer/chunk_pool.h"

#include "serializer/canary.h"

namespace afterimage {
namespace {

constexpr std::uint64_t kClosed = 1ULL << 63;
constexpr std::uint64_t kBusy = 1ULL << 62;
constexpr unsigned kLastShift = 13;
constexpr std::uint64_t kOwnerMask = (1ULL << kLastShift) - 1;
constexpr std::uint64_t kLastMask = (1ULL << 48) - 1;
static_assert(kMaxDevices + 1 <= kOwnerMask);
static_assert(48 + kLastShift <= 62);

constexpr std::uint64_t idle_word(std::uint32_t device, Sequence last) { return (last << kLastShift) | (device + 1); }

ChunkView decode(std::uint64_t word) {
  ChunkView view;
  view.free = word == 0;
  view.closed = (word & kClosed) != 0;
  view.busy = (word & kBusy) != 0;
  view.last = (word >> kLastShift) & kLastMask;
  view.device = static_cast<std::uint32_t>(word & kOwnerMask) - 1;
  return view;
}

std::uint64_t load_word(CommonStorage& storage, std::uint32_t chunk) {
  return storage.chunk_word(chunk).word.load(std::memory_order_acquire);
}

bool swap_word(CommonStorage& storage, std::uint32_t chunk, std::uint64_t expected, std::uint64_t desired) {
  return storage.chunk_word(chunk).word.compare_exchange_strong(expected, desired, std::memory_order_acq_rel, std::memory_order_acquire);
}

Sequence freed_through(CommonStorage& storage) { return storage.control().freed_through.load(std::memory_order_acquire); }

bool may_be_taken(CommonStorage& storage, const ChunkView& view) {
  const Sequence early = planted(Canary::kChunkTakenEarly) ? 4 : 0;
  return view.free || (!view.closed && !view.busy && view.last <= freed_through(storage) + early);
}

}  // namespace

ChunkView chunk_view(CommonStorage& storage, std::uint32_t chunk) { return decode(load_word(storage, chunk)); }

bool take_chunk(CommonStorage& storage, std::uint32_t device, std::uint32_t chunk) {
  const std::uint64_t present = load_word(storage, chunk);
  if (!may_be_taken(storage, decode(present))) return false;
  return swap_word(storage, chunk, present, kBusy | idle_word(device, 0));
}

std::uint32_t find_chunk(CommonStorage& storage, bool idle, std::uint32_t after) {
  const std::uint32_t count = storage.chunk_count();
  for (std::uint32_t chunk = after == kNoChunk ? 0 : after + 1; chunk < count; ++chunk) {
    const ChunkView view = chunk_view(storage, chunk);
    if (idle ? may_be_taken(storage, view) : view.free) return chunk;
  }
  return kNoChunk;
}

bool resume_chunk(CommonStorage& storage, std::uint32_t device, std::uint32_t chunk) {
  const std::uint64_t present = load_word(storage, chunk);
  const ChunkView view = decode(present);
  if (view.free || view.closed || view.device != device) return false;
  return view.busy || swap_word(storage, chunk, present, present | kBusy);
}

void lend_back_chunk(CommonStorage& storage, std::uint32_t device, std::uint32_t chunk, Sequence last) {
  const std::uint64_t present = load_word(storage, chunk);
  const ChunkView view = decode(present);
  if (view.busy && view.device == device) swap_word(storage, chunk, present, idle_word(device, last));
}

bool close_chunk(CommonStorage& storage, std::uint32_t device, std::uint32_t chunk, Sequence last) {
  const std::uint64_t present = load_word(storage, chunk);
  const ChunkView view = decode(present);
  if (view.free || view.closed || view.device != device) return false;
  const bool needed = last > freed_through(storage) && !planted(Canary::kChunkFreedEarly);
  return swap_word(storage, chunk, present, needed ? kClosed | idle_word(device, last) : 0);
}

void free_closed_chunks(CommonStorage& storage) {
  const Sequence freed = freed_through(storage);
  for (std::uint32_t chunk = 0; chunk < storage.chunk_count(); ++chunk) {
    const std::uint64_t present = load_word(storage, chunk);
    const ChunkView view = decode(present);
    if (view.closed && view.last <= freed) swap_word(storage, chunk, present, 0);
  }
}

}  // namespace afterimage
