// See consistency_clock.h.
#include "serializer/consistency_clock.h"

#include <algorithm>

#include "serializer/pair_word.h"

namespace afterimage {

Sequence advance_clock(CommonStorage& storage, Tod now) {
  constexpr std::uint64_t kDeviceMask = (1u << 12) - 1;
  PairWord& word = storage.control().word;
  for (;;) {
    const ControlView view = control_view(storage);
    help_last(storage, view);
    if (view.state != SessionState::kActive && view.state != SessionState::kFrozen) return view.sequence;
    const PairWord before = pair_load(word);
    if (before.low >> 16 != view.sequence) continue;
    const std::uint64_t stamp_us = std::max(tod_to_us(now), before.high >> 12);
    // The generation rises too, because readers take a changed `high` for granted only with a changed `low`.
    const std::uint64_t generation = ((before.low >> 8) + 1) & 0xFF;
    const PairWord after{(before.low & ~std::uint64_t{0xFF00}) | (generation << 8), (stamp_us << 12) | (before.high & kDeviceMask)};
    if (pair_swap(word, before, after)) return view.sequence;
  }
}

}  // namespace afterimage
