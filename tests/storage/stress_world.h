// What the threads of the stress share beside common storage: results the writers hand to the auditor, orders, counters, the first fault.
// Everything here is relaxed wherever the product itself must make the order: a stronger word of the test would hide the product's race.
#pragma once

#include <sched.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "serializer/common_storage.h"
#include "stress_write.h"

namespace afterimage::testing {

// One producer, one consumer; a word of 0 is an empty place, so that no index is shared and no order needed.
template <std::size_t kSize>
class WordRing {
 public:
  bool push(std::uint64_t word) {
    std::atomic<std::uint64_t>& place = places_[head_ % kSize];
    if (place.load(std::memory_order_relaxed) != 0) return false;
    place.store(word, std::memory_order_relaxed);
    ++head_;
    return true;
  }
  std::uint64_t front() const { return places_[tail_ % kSize].load(std::memory_order_relaxed); }
  void pop() { places_[tail_++ % kSize].store(0, std::memory_order_relaxed); }

 private:
  std::array<std::atomic<std::uint64_t>, kSize> places_{};
  alignas(64) std::uint64_t head_ = 0;  // the producer's
  alignas(64) std::uint64_t tail_ = 0;  // the consumer's
};

// Counts, and orders nothing: one that did would tie all writers together at each write.
class Counter {
 public:
  void operator++() { value_.fetch_add(1, std::memory_order_relaxed); }
  operator std::uint64_t() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

inline constexpr std::uint32_t kUnnumbered = 0xFFFFFFFF;

enum class Order : std::uint32_t { kLive, kDie, kDead };

struct alignas(64) StressDevice {
  WordRing<4096> results;     // attempt << 32 | sequence number returned, or kUnnumbered
  WordRing<8192> unnumbered;  // collections when the write began + 1 << 32 | track, for each track of a write that got no number
  std::atomic<Order> order{Order::kLive};
  std::atomic<std::uint32_t> died_on_track{0};                            // + 1; 0: it held no slot with ranges
  std::atomic<std::uint32_t> died_since{0};                               // collections when the write that it died in began, + 1
  std::array<std::atomic<std::uint32_t>, kStressTracks + 1> collected{};  // the latest reading of the change map that found the track
  std::atomic<Sequence> flushed{0};                                       // the writer's own word on what is in the file
  std::atomic<Sequence> audited_last{0};                                  // of the tokens the auditor has seen of it
};

enum class Plant : std::uint32_t { kNone, kLateByte, kEarlyFree, kLostMark, kTwice };  // faults of the test itself, to show it sees them

struct StressOptions {
  std::uint64_t operations = 100000;
  std::uint64_t seconds = 0;  // 0: until the operations are done
  std::uint64_t seed = 1;
  std::uint32_t systems = 4, per_system = 3;
  Plant plant = Plant::kNone;
  std::string bug;  // of serializer/canary.h, in a build that has them
};

struct StressWorld {
  StressWorld(CommonStorage& common, const StressOptions& given) : storage(common), options(given), devices(device_count()) {
    for (auto& device : devices) device = std::make_unique<StressDevice>();
  }
  CommonStorage& storage;
  const StressOptions options;
  std::vector<std::unique_ptr<StressDevice>> devices;

  std::atomic<Sequence> newest{0};                // highest number returned to anybody
  std::atomic<Sequence> audited_through{0};       // the auditor has seen everything up to it
  std::atomic<std::uint32_t> collections{0};      // how often the change maps were read after a resumption
  std::atomic<std::uint32_t> bury{0}, buried{0};  // system + 1 to be buried by the mover; its answer
  std::atomic<std::uint32_t> writers_left{0};
  std::atomic<bool> stop{false}, mover_done{false}, failed{false};

  alignas(64) Counter writes;
  Counter unnumbered, reads, suspensions, freezes, volume_suspensions, burials, voids, waits, buffer_suspensions, mended, displays,
      restarts;

  std::uint32_t device_count() const { return options.systems * options.per_system; }
  // A write with everything that becomes of it (it is read twice, and freed) is one; so is a cut or a burial.
  std::uint64_t operations() const { return writes + suspensions + freezes + volume_suspensions + burials; }

  void fail(const std::string& what) {
    const std::lock_guard lock(mutex_);
    if (fault_.empty()) fault_ = what;
    failed = true;
  }
  std::string fault() {
    const std::lock_guard lock(mutex_);
    return fault_;
  }
  // Waits for `condition`; false once the stress has failed. The main thread notices when nothing moves any more.
  template <typename Condition>
  bool await(const Condition& condition) {
    while (!condition()) {
      if (failed) return false;
      ::sched_yield();
    }
    return true;
  }

 private:
  std::mutex mutex_;
  std::string fault_;
};

void run_writer(StressWorld& world, std::uint32_t device);
void run_mover(StressWorld& world);
void run_operator(StressWorld& world);
void run_display(StressWorld& world, std::uint32_t number);  // of 0 and 1

}  // namespace afterimage::testing
