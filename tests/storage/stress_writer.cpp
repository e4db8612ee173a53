// io: a device of the stress: writes as the module does (channel/tap_write.cpp, tap_hold.cpp), dies and comes back when it is told to.
#include <unistd.h>

#include <random>

#include "channel/capture.h"
#include "serializer/clock.h"
#include "serializer/track_map.h"
#include "stress_world.h"
#include "stress_write.h"

namespace afterimage::testing {
namespace {

constexpr std::uint64_t kPaceLimit_us = 400'000;

enum class End { kStopped, kDied };

class Writer {
 public:
  Writer(StressWorld& world, std::uint32_t device)
      : world_(world),
        storage_(world.storage),
        mine_(*world.devices[device]),
        entry_(storage_.device(device)),
        device_(device),
        random_(static_cast<std::uint32_t>(mixed(world.options.seed * 1000 + device))),
        bytes_(kStressBytes) {}

  // From attach to detach or death.
  End live() {
    SlotWriter writer(storage_, device_);
    writer_ = &writer;
    if (!mend()) return died();
    while (!world_.stop && !world_.failed) {
      if (ordered_to_die() && random_() % 4 == 0) return died();
      if (!write({device_, ++attempt_, kind()})) return died();
      if (random_() % 8 == 0) flush();
      if (random_() % 512 == 0) writer.release();  // detached and attached again
    }
    writer.release();
    flush();
    return End::kStopped;
  }

 private:
  bool ordered_to_die() const { return mine_.order.load(std::memory_order_relaxed) == Order::kDie; }
  TokenKind kind() { return random_() % 100 == 0 ? TokenKind::kVerify : TokenKind::kWrite; }

  // Without a release: what it holds stays as it is, for the burial. The order's store stands for the kernel's: a process is dead
  // before anybody is told so.
  End died() {
    mine_.died_since.store(began_, std::memory_order_relaxed);
    const bool changes = !writer_->empty() && writer_->token().kind != TokenKind::kVerify;
    mine_.died_on_track.store(changes ? writer_->token().ranges[0].track + 1 : 0, std::memory_order_relaxed);
    mine_.order.store(Order::kDead, std::memory_order_release);
    return End::kDied;
  }

  // The write-back of everything written so far is done.
  void flush() {
    const Sequence last = entry_.last_sequence.load(std::memory_order_acquire);
    mine_.flushed.store(last, std::memory_order_relaxed);
    if (entry_.flushed_sequence.load(std::memory_order_relaxed) < last) entry_.flushed_sequence.store(last, std::memory_order_release);
  }

  // As the volume is opened after a death: each uncertain track is sent whole before anything else is written.
  bool mend() {
    TrackMap map = TrackMap::unhardened(storage_, device_);
    for (std::uint64_t track = map.next(0); track < map.tracks(); track = map.next(track + 1)) {
      if (!write({device_, ++attempt_, TokenKind::kTrackImage})) return false;
      map.clear(static_cast<std::uint32_t>(track));
      ++world_.mended;
    }
    entry_.state.store(static_cast<std::uint32_t>(DeviceState::kOpen));
    return true;
  }

  // False if it is to die and has gone as far as it will.
  bool write(StressWrite write) {
    began_ = world_.collections.load(std::memory_order_acquire) + 1;
    const Sequence after = world_.newest.load(std::memory_order_relaxed);
    write.fill(bytes_, after);
    for (;;) {
      if (!hold_for_freeze() || !hold_for_room(write.length())) return false;
      if (ordered_to_die() && random_() % 3 == 0) return false;  // holds an empty slot
      if (!put(write)) return false;
      if (ordered_to_die() && random_() % 2 == 0) return false;  // holds a slot that is full
      const bool had_slot = writer_->token().data_length != 0;
      const Numbered result = writer_->finish(tod_to_us(clock_tod()));
      capture_.close();
      if (result.outcome == NumberOutcome::kFull) {  // the session began to take tokens after prepare(): published as an image is
        if (had_slot) world_.fail("device " + std::to_string(device_) + " found no sequence entry though prepare() had found one");
        writer_->abandon();
        write.kind = TokenKind::kTrackImage;
        write.fill(bytes_, after);
        continue;
      }
      ++world_.writes;
      return result.outcome == NumberOutcome::kNumbered ? numbered(write, result, after) : recorded(write);
    }
  }

  bool put(const StressWrite& write) {
    const Token token = write.token(static_cast<std::uint8_t>(device_ / world_.options.per_system));
    const bool captured = device_ % 2 != 0;  // as the module does
    bool good = true;
    if (captured) {
      capture_.begin(token, writer_);
    } else {
      writer_->begin(token);
    }
    const std::uint8_t* from = bytes_.data();
    for (const TrackRange& range : write.ranges()) {
      if (captured) {
        capture_.add(range.track, range.offset, range.length, from);
      } else {
        good = good && writer_->add(range.track, range.offset, from, range.length);
      }
      from += range.length;
    }
    good = good && (!captured || capture_.in_slot());
    if (!good) world_.fail("device " + std::to_string(device_) + " cannot add a write to the room it prepared");
    return good;
  }

  bool numbered(const StressWrite& write, const Numbered& result, Sequence after) {
    if (result.sequence <= after)
      world_.fail("device " + std::to_string(device_) + " was given " + std::to_string(result.sequence) + " after somebody had " +
                  std::to_string(after));
    Sequence newest = world_.newest.load(std::memory_order_relaxed);
    while (newest < result.sequence && !world_.newest.compare_exchange_weak(newest, result.sequence, std::memory_order_relaxed)) {
    }
    if (world_.options.plant == Plant::kLateByte && random_() % 64 == 0) plant_late_byte(result.sequence);
    if (world_.options.plant == Plant::kTwice && result.sequence == 5000) --attempt_;
    return world_.await([&] { return mine_.results.push((std::uint64_t{write.attempt} << 32) | result.sequence); });
  }

  bool recorded(const StressWrite& write) {
    ++world_.unnumbered;
    ::usleep(200);  // a write without a number costs nothing: let the operator and the mover come to their part
    if (!world_.await([&] { return mine_.results.push((std::uint64_t{write.attempt} << 32) | kUnnumbered); })) return false;
    if (write.kind == TokenKind::kVerify) return true;
    if (world_.options.plant == Plant::kLostMark) TrackMap::changed(storage_, device_).clear(write.track());
    for (std::uint32_t track = write.track(); track < write.track() + (write.on_two_tracks() ? 2 : 1); ++track)
      if (!world_.await([&] { return mine_.unnumbered.push((std::uint64_t{began_} << 32) | track); })) return false;
    return true;
  }

  bool hold_for_freeze() {
    while (outcome_now(storage_, device_) == NumberOutcome::kFrozen) {
      if (world_.stop || world_.failed || ordered_to_die()) return !ordered_to_die();
      ::sched_yield();
    }
    return true;
  }

  // Bounded: then the session is suspended and the write goes on.
  bool hold_for_room(std::uint32_t bytes) {
    if (writer_->prepare(bytes) == SlotRoom::kReady) return true;
    ++world_.waits;
    flush();
    const std::uint64_t end_us = monotonic_us() + kPaceLimit_us;
    while (writer_->prepare(bytes) != SlotRoom::kReady) {
      if (world_.failed || ordered_to_die()) return false;
      if (monotonic_us() >= end_us && suspend_session(storage_, SuspendReason::kBuffers).changed) ++world_.buffer_suspensions;
      ::sched_yield();
    }
    return true;
  }

  // A fault of the test itself: a byte of the slot is written again after it was numbered.
  void plant_late_byte(Sequence sequence) {
    const EntryView entry = entry_view(storage_, sequence);
    if (entry.sequence != sequence || entry.state != EntryState::kHeld) return;
    std::uint8_t* slot = storage_.chunk(static_cast<std::uint32_t>(entry.slot >> 40) - 1) + ((entry.slot >> 20) & 0xFFFFF) * kUnitBytes;
    slot[sizeof(SlotHeader) + 20] = static_cast<std::uint8_t>(slot[sizeof(SlotHeader) + 20] ^ 1);
  }

  StressWorld& world_;
  CommonStorage& storage_;
  StressDevice& mine_;
  DeviceEntry& entry_;
  const std::uint32_t device_;
  std::mt19937 random_;
  std::vector<std::uint8_t> bytes_;
  SlotWriter* writer_ = nullptr;
  Capture capture_;
  std::uint32_t attempt_ = 0;
  std::uint32_t began_ = 0;  // collections when the present write began, + 1
};

}  // namespace

void run_writer(StressWorld& world, std::uint32_t device) {
  Writer writer(world, device);
  while (writer.live() == End::kDied) {
    if (!world.await([&] { return world.devices[device]->order.load(std::memory_order_acquire) == Order::kLive; })) break;
  }
  --world.writers_left;
}

}  // namespace afterimage::testing
