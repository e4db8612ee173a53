// One bit per track of a volume, in common storage: set, test, clear and count. Any thread of any attached process may call; each
// call is one atomic step per word. Setting is a full barrier (numbering.h depends on it).
#pragma once

#include <bit>

#include "serializer/common_storage.h"

namespace afterimage {

class TrackMap {
 public:
  static TrackMap changed(CommonStorage& storage, std::uint32_t device) { return {storage.change_map(device), storage.map_words()}; }
  static TrackMap unhardened(CommonStorage& storage, std::uint32_t device) { return {storage.unhardened_map(device), storage.map_words()}; }

  // False if the map has no such track (define_device() refuses volumes with more tracks than the map).
  bool set(std::uint32_t track) {
    if (track / 64 >= words_) return false;
    map_[track / 64].fetch_or(bit(track), std::memory_order_seq_cst);
    return true;
  }
  bool test(std::uint32_t track) const {
    return track / 64 < words_ && (map_[track / 64].load(std::memory_order_seq_cst) & bit(track)) != 0;
  }
  void clear(std::uint32_t track) {
    if (track / 64 < words_) map_[track / 64].fetch_and(~bit(track), std::memory_order_seq_cst);
  }
  void clear_all() {
    for (std::uint64_t i = 0; i < words_; ++i) map_[i].store(0, std::memory_order_seq_cst);
  }
  std::uint64_t count() const {
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < words_; ++i) sum += static_cast<std::uint64_t>(std::popcount(map_[i].load(std::memory_order_acquire)));
    return sum;
  }
  std::uint64_t tracks() const { return words_ * 64; }
  // The first set track at or after `from`; tracks() if there is none.
  std::uint64_t next(std::uint64_t from) const {
    for (std::uint64_t i = from / 64; i < words_; ++i) {
      std::uint64_t word = map_[i].load(std::memory_order_acquire);
      if (i == from / 64) word &= ~0ULL << (from % 64);
      if (word != 0) return i * 64 + static_cast<std::uint64_t>(std::countr_zero(word));
    }
    return tracks();
  }

 private:
  TrackMap(std::atomic<std::uint64_t>* map, std::uint64_t words) : map_(map), words_(words) {}
  static constexpr std::uint64_t bit(std::uint32_t track) { return 1ULL << (track % 64); }
  std::atomic<std::uint64_t>* map_;
  std::uint64_t words_;
};

}  // namespace afterimage
