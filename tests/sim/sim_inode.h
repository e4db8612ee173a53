// One file of a simulated disk: what processes see (the page cache), what the medium holds, and the changes between the two. Says what is
// left of them when the host dies. Pure. Threads: one at a time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "tests/sim/sim_content.h"
#include "tests/sim/sim_splitmix.h"

namespace afterimage::sim {

using SimInodeNumber = std::uint64_t;

// What the death of a host leaves of changes that were not synced. A sector is written whole or not at all.
enum class Damage : std::uint8_t {
  kKept,       // all of them: as if everything had been written back
  kDropped,    // none
  kNamesKept,  // names and sizes, but no data: new parts of files are zeros
  kSubset,     // each sector in any of the states it had since the last sync; names up to any of the changes
  kTorn,       // everything up to some change, and of that one some of its sectors
};
inline constexpr Damage kAllDamages[] = {Damage::kKept, Damage::kDropped, Damage::kNamesKept, Damage::kSubset, Damage::kTorn};
const char* damage_name(Damage damage);

// A change that the medium may not have yet.
struct SimChange {
  std::uint64_t order = 0;  // among all changes of the disk
  bool is_resize = false;
  std::uint64_t at = 0;  // offset on the medium (resize: the new size)
  std::shared_ptr<const std::vector<std::uint8_t>> bytes;
  std::uint64_t size_after = 0;  // of the file, as processes see it
  bool lost = false;             // the device says that it is written, and it never is
};

struct SimInode {
  bool is_directory = false;
  std::uint64_t changed = 0;  // order of the last change: its time stamp
  SimContent cache, medium;
  std::vector<SimChange> pending;
  std::uint64_t flock_holder = 0, ofd_holder = 0;  // open descriptions

  void write(std::uint64_t order, std::uint64_t offset, std::span<const std::uint8_t> bytes, std::int64_t astray_bytes, bool lost);
  void resize(std::uint64_t order, std::uint64_t size);
  void sync();
  // A sync that failed: some sectors have reached the medium, the rest is forgotten and never written again, and processes still read it
  // until the page is dropped from the cache.
  void fail_sync(SplitMix& random);
  // Dropping clean pages: processes see what the medium has, and the changes still pending.
  void evict();
  // The host died. `torn_order`: for kTorn, the change that was under way.
  void crash(SplitMix& random, Damage damage, std::uint64_t torn_order);

 private:
  void bound_pending();
  void settle_subset(SplitMix& random);
  void settle_torn(SplitMix& random, std::uint64_t torn_order);
};

}  // namespace afterimage::sim
