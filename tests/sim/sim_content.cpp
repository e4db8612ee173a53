// Sparse bytes with copy on write; see sim_content.h.
#include "tests/sim/sim_content.h"

#include <algorithm>
#include <cstring>

namespace afterimage::sim {

// The chunk, made if it is a hole and separated from other copies.
SimContent::Chunk& SimContent::own(std::uint64_t index) {
  if (!chunks_)
    chunks_ = std::make_shared<Chunks>();
  else if (chunks_.use_count() > 1)
    chunks_ = std::make_shared<Chunks>(*chunks_);
  if (chunks_->size() <= index) chunks_->resize(index + 1);
  std::shared_ptr<Chunk>& chunk = (*chunks_)[index];
  if (!chunk)
    chunk = std::make_shared<Chunk>();  // zeros
  else if (chunk.use_count() > 1)
    chunk = std::make_shared<Chunk>(*chunk);
  return *chunk;
}

void SimContent::read(std::uint64_t offset, std::span<std::uint8_t> into) const {
  while (!into.empty()) {
    const std::uint64_t index = offset / kChunkBytes, within = offset % kChunkBytes;
    const std::size_t part = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), kChunkBytes - within));
    const Chunk* chunk = chunks_ && index < chunks_->size() ? (*chunks_)[index].get() : nullptr;
    if (chunk == nullptr)
      std::fill_n(into.begin(), part, std::uint8_t{0});
    else
      std::copy_n(chunk->begin() + static_cast<std::ptrdiff_t>(within), part, into.begin());
    into = into.subspan(part);
    offset += part;
  }
}

void SimContent::write(std::uint64_t offset, std::span<const std::uint8_t> bytes) {
  if (!bytes.empty()) size_ = std::max(size_, offset + bytes.size());
  while (!bytes.empty()) {
    const std::uint64_t within = offset % kChunkBytes;
    const std::size_t part = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), kChunkBytes - within));
    std::copy_n(bytes.begin(), part, own(offset / kChunkBytes).begin() + static_cast<std::ptrdiff_t>(within));
    bytes = bytes.subspan(part);
    offset += part;
  }
}

void SimContent::resize(std::uint64_t size) {
  if (size < size_ && chunks_) {
    const std::uint64_t whole = (size + kChunkBytes - 1) / kChunkBytes;
    const std::uint64_t within = size % kChunkBytes;
    if (within != 0 && size / kChunkBytes < chunks_->size() && (*chunks_)[size / kChunkBytes]) {
      Chunk& last = own(size / kChunkBytes);
      std::fill(last.begin() + static_cast<std::ptrdiff_t>(within), last.end(), std::uint8_t{0});
    }
    if (chunks_->size() > whole) {
      if (chunks_.use_count() > 1) chunks_ = std::make_shared<Chunks>(*chunks_);
      chunks_->resize(whole);
    }
  }
  size_ = size;
}

std::vector<std::uint8_t> SimContent::all() const {
  std::vector<std::uint8_t> bytes(size_);
  read(0, bytes);
  return bytes;
}

}  // namespace afterimage::sim
