// Reading and replacing the two-word values of common storage in one step. Safe for any thread of any attached process.
#pragma once

#include <bit>

#include "serializer/storage_layout.h"

namespace afterimage {

static_assert(std::endian::native == std::endian::little, "the 16-byte swap takes `low` from the lower address");
static_assert(std::atomic<std::uint64_t>::is_always_lock_free && std::atomic<std::uint32_t>::is_always_lock_free,
              "atomics in shared memory must not hide a lock");

__extension__ typedef unsigned __int128 PairBits __attribute__((may_alias));

inline PairBits pair_bits(PairWord value) { return (static_cast<PairBits>(value.high) << 64) | value.low; }

// One consistent value: both users of PairWord change `low` whenever they change `high`.
inline PairWord pair_load(const PairWord& word) {
  for (;;) {
    PairWord value;
    value.low = __atomic_load_n(&word.low, __ATOMIC_ACQUIRE);
    value.high = __atomic_load_n(&word.high, __ATOMIC_ACQUIRE);
    if (__atomic_load_n(&word.low, __ATOMIC_ACQUIRE) == value.low) return value;
  }
}

// A full barrier. The old __sync form is used because g++ compiles it to cmpxchg16b in line; its __atomic form calls libatomic.
inline bool pair_swap(PairWord& word, PairWord expected, PairWord desired) {
  return __sync_bool_compare_and_swap(reinterpret_cast<PairBits*>(&word), pair_bits(expected), pair_bits(desired));
}

}  // namespace afterimage
