// Page cache, medium and what lies between; see sim_inode.h.
#include "tests/sim/sim_inode.h"

#include <algorithm>

namespace afterimage::sim {

namespace {

constexpr std::size_t kMostPending = 8192;  // beyond that the kernel has written the older half back

void apply(SimContent& medium, const SimChange& change) {
  if (change.is_resize)
    medium.resize(change.at);
  else if (!change.lost)
    medium.write(change.at, *change.bytes);
}

// Only the part of a write that lies in that sector.
void apply_sector(SimContent& medium, const SimChange& change, std::uint64_t sector) {
  if (change.lost) return;
  const std::uint64_t begin = std::max(change.at, sector * kSectorBytes);
  const std::uint64_t end = std::min(change.at + change.bytes->size(), (sector + 1) * kSectorBytes);
  if (begin < end) medium.write(begin, std::span(*change.bytes).subspan(begin - change.at, end - begin));
}

template <typename F>
void each_sector(const SimChange& change, F&& f) {
  if (change.bytes->empty()) return;
  const std::uint64_t last = (change.at + change.bytes->size() - 1) / kSectorBytes;
  for (std::uint64_t sector = change.at / kSectorBytes; sector <= last; ++sector) f(sector);
}

}  // namespace

const char* damage_name(Damage damage) {
  switch (damage) {
    case Damage::kKept:
      return "kept";
    case Damage::kDropped:
      return "dropped";
    case Damage::kNamesKept:
      return "names";
    case Damage::kSubset:
      return "subset";
    case Damage::kTorn:
      return "torn";
  }
  return "?";
}

void SimInode::write(std::uint64_t order, std::uint64_t offset, std::span<const std::uint8_t> bytes, std::int64_t astray_bytes, bool lost) {
  cache.write(offset, bytes);
  SimChange change;
  change.order = changed = order;
  change.at = static_cast<std::uint64_t>(std::max<std::int64_t>(0, static_cast<std::int64_t>(offset) + astray_bytes));
  change.bytes = std::make_shared<const std::vector<std::uint8_t>>(bytes.begin(), bytes.end());
  change.size_after = cache.size();
  change.lost = lost;
  pending.push_back(std::move(change));
  bound_pending();
}

void SimInode::resize(std::uint64_t order, std::uint64_t size) {
  cache.resize(size);
  SimChange change;
  change.order = changed = order;
  change.is_resize = true;
  change.at = change.size_after = size;
  pending.push_back(std::move(change));
  bound_pending();
}

void SimInode::bound_pending() {
  if (pending.size() <= kMostPending) return;
  const auto middle = pending.begin() + static_cast<std::ptrdiff_t>(pending.size() / 2);
  for (auto it = pending.begin(); it != middle; ++it) apply(medium, *it);
  pending.erase(pending.begin(), middle);
}

void SimInode::sync() {
  for (const SimChange& change : pending) apply(medium, change);
  pending.clear();
  if (medium.size() < cache.size()) medium.resize(cache.size());  // a write that went astray changed the size all the same
}

void SimInode::fail_sync(SplitMix& random) {
  settle_subset(random);
  pending.clear();
}

void SimInode::evict() {
  cache = medium;
  for (const SimChange& change : pending) apply(cache, change);
}

// The history of a file is cut into parts by what made it shorter (each such step is one step of the file system's log). One part is
// chosen; inside it every sector is on its own, and so is the size.
void SimInode::settle_subset(SplitMix& random) {
  std::vector<std::size_t> cuts;
  std::uint64_t size = medium.size();
  for (std::size_t i = 0; i < pending.size(); ++i) {
    if (pending[i].is_resize && pending[i].at < size) cuts.push_back(i);
    size = pending[i].size_after;
  }
  const std::size_t chosen = random.below(cuts.size() + 1);
  const std::size_t begin = chosen == 0 ? 0 : cuts[chosen - 1] + 1;
  const std::size_t end = chosen == cuts.size() ? pending.size() : cuts[chosen];
  for (std::size_t i = 0; i < begin; ++i) apply(medium, pending[i]);
  const std::size_t sized = begin + random.below(end - begin + 1);
  const std::uint64_t final_size = sized == begin ? medium.size() : pending[sized - 1].size_after;
  std::map<std::uint64_t, std::vector<std::size_t>> touched;
  for (std::size_t i = begin; i < end; ++i)
    if (!pending[i].is_resize) each_sector(pending[i], [&](std::uint64_t sector) { touched[sector].push_back(i); });
  for (const auto& [sector, changes] : touched) {
    const std::size_t version = random.below(changes.size() + 1);
    for (std::size_t i = 0; i < version; ++i) apply_sector(medium, pending[changes[i]], sector);
  }
  medium.resize(final_size);
}

void SimInode::settle_torn(SplitMix& random, std::uint64_t torn_order) {
  for (const SimChange& change : pending) {
    if (change.order > torn_order) break;
    if (change.order < torn_order) {
      apply(medium, change);
    } else if (!change.is_resize && !change.lost) {
      if (random.chance(1, 2)) medium.resize(std::max(medium.size(), change.size_after));
      each_sector(change, [&](std::uint64_t sector) {
        if (random.chance(1, 2)) apply_sector(medium, change, sector);
      });
    }
  }
}

void SimInode::crash(SplitMix& random, Damage damage, std::uint64_t torn_order) {
  switch (damage) {
    case Damage::kKept:
      sync();
      break;
    case Damage::kDropped:
      break;
    case Damage::kNamesKept:
      if (!pending.empty()) {
        for (const SimChange& change : pending)
          if (change.is_resize) medium.resize(change.at);
        medium.resize(pending.back().size_after);
      }
      break;
    case Damage::kSubset:
      settle_subset(random);
      break;
    case Damage::kTorn:
      settle_torn(random, torn_order);
      break;
  }
  pending.clear();
  cache = medium;
  flock_holder = ofd_holder = 0;
}

}  // namespace afterimage::sim
