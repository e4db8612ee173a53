// Bytes of a simulated file: sparse, and shared between copies until one of them is written, so that a snapshot of a disk costs little.
// Pure. Threads: one at a time.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace afterimage::sim {

inline constexpr std::uint64_t kSectorBytes = 512;  // written whole or not at all

class SimContent {
 public:
  std::uint64_t size() const { return size_; }
  // Holes, and what lies behind the end, are zeros.
  void read(std::uint64_t offset, std::span<std::uint8_t> into) const;
  void write(std::uint64_t offset, std::span<const std::uint8_t> bytes);  // grows the file when it must
  void resize(std::uint64_t size);                                        // what is cut off is zero when it comes back
  std::vector<std::uint8_t> all() const;

 private:
  static constexpr std::uint64_t kChunkBytes = 4096;
  using Chunk = std::array<std::uint8_t, kChunkBytes>;
  using Chunks = std::vector<std::shared_ptr<Chunk>>;
  Chunk& own(std::uint64_t index);

  std::shared_ptr<Chunks> chunks_;
  std::uint64_t size_ = 0;
};

}  // namespace afterimage::sim
