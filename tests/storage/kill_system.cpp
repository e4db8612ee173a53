// io: one system as a process of its own: opens its volumes, mends them, writes its quota, and may be killed or stopped anywhere.
#include <sched.h>
#include <unistd.h>

#include <memory>
#include <random>

#include "channel/capture.h"
#include "kill_ledger.h"
#include "serializer/clock.h"
#include "serializer/registry.h"
#include "serializer/track_map.h"

namespace afterimage::testing {
namespace {

constexpr std::uint64_t kPaceLimit_us = 50'000;

class System {
 public:
  System(CommonStorage& storage, std::uint32_t index, KillLedger& ledger, std::uint64_t seed)
      : storage_(storage), index_(index), ledger_(ledger), random_(static_cast<std::uint32_t>(mixed(seed))), bytes_(kStressBytes) {}

  bool enter() {
    const std::uint64_t end_us = monotonic_us() + kPatience_us;
    for (;;) {
      const auto registered = register_system(storage_, "HERC" + std::to_string(index_));
      if (registered.good()) return true;
      // The mover, or nobody, is to bury the last one first.
      if (registered.status.severity() != Severity::kWarning || monotonic_us() >= end_us) return failed(registered.status.text());
      ::usleep(200);
    }
  }

  bool open_volumes() {
    for (std::uint32_t i = 0; i < kPerSystem; ++i) {
      writers_[i] = std::make_unique<SlotWriter>(storage_, device_of(i));
      if (!mend(i)) return false;
    }
    ledger_.ready[index_] = static_cast<std::uint32_t>(::getpid());
    return true;
  }

  bool write_on() {
    while (ledger_.stop_systems == 0) {
      system_heartbeat(storage_, index_, clock_tod());
      const std::uint32_t i = random_() % kPerSystem;
      if (!may_write(device_of(i))) {
        flush(i);
        if (!may_write(device_of((i + 1) % kPerSystem))) ::usleep(100);
        continue;
      }
      if (!write(i, random_() % 50 == 0 ? TokenKind::kVerify : TokenKind::kWrite)) return false;
      if (random_() % 4 == 0) flush(i);
      if (random_() % 64 == 0) writers_[i]->release();  // detached and attached again
      if (random_() % 300 == 0 && suspend_session(storage_, SuspendReason::kOperator).changed) ++ledger_.suspensions;
      if (random_() % 300 == 0) {
        suspend_device(storage_, device_of(i), SuspendReason::kOperator);
        ++ledger_.volume_suspensions;
      }
    }
    return true;
  }

  void leave() {
    for (std::uint32_t i = 0; i < kPerSystem; ++i) {
      writers_[i]->release();
      flush(i);
    }
    unregister_system(storage_, index_);
  }

 private:
  std::uint32_t device_of(std::uint32_t i) const { return index_ * kPerSystem + i; }
  bool may_write(std::uint32_t device) const { return ledger_.attempt[device] < std::min(ledger_.quota[device].load(), kMostAttempts); }
  bool failed(const std::string& what) {
    note_fault(ledger_, "system " + std::to_string(index_) + ": " + what);
    return false;
  }

  void flush(std::uint32_t i) {
    DeviceEntry& entry = storage_.device(device_of(i));
    entry.flushed_sequence.store(entry.last_sequence.load(std::memory_order_acquire), std::memory_order_release);
  }

  bool mend(std::uint32_t i) {
    const std::uint32_t device = device_of(i);
    TrackMap map = TrackMap::unhardened(storage_, device);
    for (std::uint64_t track = map.next(0); track < map.tracks(); track = map.next(track + 1)) {
      ledger_.mended_track[device][track] = 1;
      if (ledger_.attempt[device] < kMostAttempts && !write(i, TokenKind::kTrackImage)) return false;
      map.clear(static_cast<std::uint32_t>(track));
      ++ledger_.mended;
    }
    storage_.device(device).state.store(static_cast<std::uint32_t>(DeviceState::kOpen));
    return true;
  }

  bool write(std::uint32_t i, TokenKind kind) {
    const std::uint32_t device = device_of(i), attempt = ledger_.attempt[device] + 1;
    SlotWriter& writer = *writers_[i];
    AttemptNote& note = ledger_.attempts[device][attempt];
    note.kind = static_cast<std::uint8_t>(kind);
    note.began = ledger_.collections + 1;
    ledger_.attempt[device] = attempt;
    const StressWrite write{device, attempt, kind};
    const Sequence after = ledger_.newest;
    write.fill(bytes_, after);
    for (;;) {
      hold_for_freeze(device);
      if (!hold_for_room(i, write.length())) return false;
      if (!put(writer, write)) return failed("a write did not fit the room prepared for it");
      note.changed = 1;
      const Numbered result = writer.finish(tod_to_us(clock_tod()));
      capture_.close();
      if (result.outcome == NumberOutcome::kFull) {  // the session began to take tokens after prepare()
        writer.abandon();
        continue;
      }
      const bool numbered = result.outcome == NumberOutcome::kNumbered;
      if (numbered && result.sequence <= after) return failed("a number is not above one given before the write began");
      note.result = numbered ? result.sequence : kNoNumber;
      Sequence newest = ledger_.newest;
      while (numbered && newest < result.sequence && !ledger_.newest.compare_exchange_weak(newest, result.sequence)) {
      }
      return true;
    }
  }

  bool put(SlotWriter& writer, const StressWrite& write) {
    capture_.begin(write.token(static_cast<std::uint8_t>(index_)), &writer);
    const std::uint8_t* from = bytes_.data();
    for (const TrackRange& range : write.ranges()) {
      capture_.add(range.track, range.offset, range.length, from);
      from += range.length;
    }
    return capture_.in_slot();
  }

  // As channel/tap_hold.cpp does: a freeze that its mover does not end ends at its limit.
  void hold_for_freeze(std::uint32_t device) {
    const std::uint64_t began_us = monotonic_us();
    while (outcome_now(storage_, device) == NumberOutcome::kFrozen) {
      if (monotonic_us() - began_us >= kPaceLimit_us) change_session_state(storage_, SessionState::kFrozen, SessionState::kSuspended);
      ::sched_yield();
    }
  }

  // As channel/tap_hold.cpp does, with a shorter patience.
  bool hold_for_room(std::uint32_t i, std::uint32_t bytes) {
    if (writers_[i]->prepare(bytes) == SlotRoom::kReady) return true;
    ++ledger_.waits;
    for (std::uint32_t each = 0; each < kPerSystem; ++each) flush(each);
    const std::uint64_t began_us = monotonic_us();
    while (writers_[i]->prepare(bytes) != SlotRoom::kReady) {
      const std::uint64_t held_us = monotonic_us() - began_us;
      if (held_us >= kPatience_us) return failed("it was held for room without end");
      if (held_us >= kPaceLimit_us && suspend_session(storage_, SuspendReason::kBuffers).changed) ++ledger_.suspensions;
      ::sched_yield();
    }
    return true;
  }

  CommonStorage& storage_;
  const std::uint32_t index_;
  KillLedger& ledger_;
  std::mt19937 random_;
  std::vector<std::uint8_t> bytes_;
  std::unique_ptr<SlotWriter> writers_[kPerSystem];
  Capture capture_;
};

}  // namespace

void note_fault(KillLedger& ledger, const std::string& what) {
  if (ledger.failed.exchange(1) != 0) return;
  const std::size_t length = std::min(what.size(), sizeof ledger.fault - 1);
  std::memcpy(ledger.fault, what.data(), length);
  ledger.fault[length] = 0;
  ledger.failed = 2;
}

int run_system(const std::string& segment, std::uint32_t index, KillLedger& ledger, std::uint64_t seed) {
  auto opened = CommonStorage::open(segment);
  if (!opened.good()) {
    note_fault(ledger, opened.status.text());
    return 1;
  }
  System system(*opened.value, index, ledger, seed);
  if (!system.enter() || !system.open_volumes() || !system.write_on()) return 1;
  system.leave();
  return 0;
}

}  // namespace afterimage::testing
