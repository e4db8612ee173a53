// Reading and replacing the two-word values of common storage in one step. Safe for any thread of any attached process.
#pragma once

#include <bit>

#include "serializer/storage_layout.h"

#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

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
#ifndef __SANITIZE_THREAD__
inline bool pair_swap(PairWord& word, PairWord expected, PairWord desired) {
  return __sync_bool_compare_and_swap(reinterpret_cast<PairBits*>(&word), pair_bits(expected), pair_bits(desired));
}
#else
// ThreadSanitizer's own 16-byte swap takes a lock of its process and stores two halves, which pair_load() would see torn. Here the
// processor does it, as in every other build, and ThreadSanitizer is told what follows: a release if it succeeds, an acquire always.
// A swap that would fail is told from one that would not before the release is announced, so that a failed swap orders nothing after it
// (but for one that loses its race in between).
__attribute__((no_sanitize("thread"))) inline bool pair_swap(PairWord& word, PairWord expected, PairWord desired) {
  const PairWord present = pair_load(word);
  if (present.low != expected.low || present.high != expected.high) return false;
  __tsan_release(&word.low);
  bool swapped = false;
  asm volatile("lock cmpxchg16b %1"
               : "=@ccz"(swapped), "+m"(word), "+a"(expected.low), "+d"(expected.high)
               : "b"(desired.low), "c"(desired.high)
               : "memory");
  __tsan_acquire(&word.low);
  return swapped;
}
#endif

}  // namespace afterimage
