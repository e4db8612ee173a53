// io: the operator of the stress: suspensions, freezes, suspended volumes, deaths and restarts of systems, each with its proof; and a
// display that looks at everything and enters newcomers while others write.
#include <random>

#include "../unit/serializer_storage_fixture.h"
#include "serializer/clock.h"
#include "serializer/process_identity.h"
#include "serializer/registry.h"
#include "serializer/storage_display.h"
#include "serializer/track_map.h"
#include "stress_world.h"
#include "stress_write.h"

namespace afterimage::testing {
namespace {

class Operator {
 public:
  explicit Operator(StressWorld& world)
      : world_(world), storage_(world.storage), random_(static_cast<std::uint32_t>(mixed(world.options.seed + 77))) {}

  void run() {
    while (!world_.stop && !world_.failed) {
      if (control_view(storage_).state == SessionState::kSuspended) resume(std::nullopt);  // by a writer, for want of room
      switch (random_() % 6) {
        case 0:
          suspend();
          break;
        case 1:
          freeze();
          break;
        case 2:
        case 3:
          suspend_volume(random_() % world_.device_count());
          break;
        case 4:
          bump_generation(storage_);
          break;
        default:
          kill_system(random_() % world_.options.systems);
      }
      let_them_number(random_() % 8000);
    }
    // Nobody is left waiting.
    change_session_state(storage_, SessionState::kFrozen, SessionState::kActive);
    change_session_state(storage_, SessionState::kSuspended, SessionState::kActive);
    world_.await([&] { return world_.writers_left == 0; });
    collect();
    collect();
    for (const auto& device : world_.devices)
      if (!world_.failed && device->unnumbered.front() != 0) world_.fail("a write without a number is in no change map at the end");
  }

 private:
  // Until so many more writes or tokens are there; not for ever, because they may be waiting for us.
  void let_them_write(std::uint64_t count) { let_reach(world_.writes, count); }
  void let_them_number(std::uint64_t count) { let_reach(world_.audited_through, count); }
  template <typename Value>
  void let_reach(const Value& value, std::uint64_t count) {
    const std::uint64_t until = value + count, limit_us = monotonic_us() + 100'000;
    world_.await([&] { return world_.stop || value >= until || monotonic_us() >= limit_us; });
  }

  // After a cut nothing has a number above it: not when everything up to it has been read, and not when the state ends.
  bool cut_holds(Sequence cut) {
    if (!world_.await([&] { return world_.audited_through.load(std::memory_order_acquire) >= cut; })) return false;
    let_them_write(random_() % 300);
    const Sequence last = control_view(storage_).sequence;
    if (last != cut) world_.fail("token " + std::to_string(last) + " was numbered above the cut " + std::to_string(cut));
    return !world_.failed;
  }

  void resume(std::optional<Sequence> cut) {
    const StateChange change = change_session_state(storage_, SessionState::kSuspended, SessionState::kActive);
    if (!change.changed) return world_.fail("the session was suspended and cannot be resumed");
    if (cut && change.cut != *cut) return world_.fail("the suspension ended above its cut " + std::to_string(*cut));
    collect();
  }

  void suspend() {
    const StateChange change = suspend_session(storage_, SuspendReason::kOperator);
    if (!change.changed) return;  // a writer was first
    ++world_.suspensions;
    if (cut_holds(change.cut)) resume(change.cut);
  }

  void freeze() {
    const StateChange change = change_session_state(storage_, SessionState::kActive, SessionState::kFrozen);
    if (!change.changed) return;
    ++world_.freezes;
    if (!cut_holds(change.cut)) return;
    const StateChange run = change_session_state(storage_, SessionState::kFrozen, SessionState::kSuspended);
    if (!run.changed || run.cut != change.cut) return world_.fail("the freeze ended above its cut " + std::to_string(change.cut));
    if (cut_holds(change.cut)) resume(change.cut);
  }

  void suspend_volume(std::uint32_t device) {
    const Sequence cut = suspend_device(storage_, device, SuspendReason::kOperator);
    ++world_.volume_suspensions;
    let_them_write(random_() % 2000);
    const Sequence through = control_view(storage_).sequence;
    if (!world_.await([&] { return world_.audited_through.load(std::memory_order_acquire) >= through; })) return;
    const Sequence last = world_.devices[device]->audited_last.load(std::memory_order_acquire);
    if (last > cut)
      return world_.fail("token " + std::to_string(last) + " of device " + std::to_string(device) +
                         " was numbered above its volume's cut " + std::to_string(cut));
    storage_.device(device).duplex.store(kDuplex);
    bump_generation(storage_);
    collect();
  }

  // Reads and clears the change maps, as a resynchronisation begins, and accounts for each write that was told to have no number: its
  // track is marked now, or was when the maps were read since it began.
  void collect() {
    const std::uint32_t now = world_.collections + 1;
    for (std::uint32_t device = 0; device < world_.device_count() && !world_.failed; ++device) {
      TrackMap map = TrackMap::changed(storage_, device);
      auto& collected = world_.devices[device]->collected;
      auto& notes = world_.devices[device]->unnumbered;
      for (std::uint64_t note = notes.front(); note != 0; note = notes.front()) {
        const auto track = static_cast<std::uint32_t>(note);
        if (!map.test(track) && collected[track].load(std::memory_order_relaxed) < static_cast<std::uint32_t>(note >> 32))
          return world_.fail("device " + std::to_string(device) + " changed track " + std::to_string(track) +
                             " without a number, and its change map does not say so");
        notes.pop();
      }
      for (std::uint64_t track = map.next(0); track < map.tracks(); track = map.next(track + 1)) {
        collected[track].store(now, std::memory_order_relaxed);
        map.clear(static_cast<std::uint32_t>(track));
      }
    }
    world_.collections.store(now, std::memory_order_release);
  }

  // Its process ends with volumes open; the mover buries it, and it starts anew.
  void kill_system(std::uint32_t system) {
    SystemEntry& entry = storage_.system(system);
    const auto each_device = [&](const auto& act) {
      for (std::uint32_t i = 0; i < world_.options.per_system; ++i) act(*world_.devices[system * world_.options.per_system + i]);
    };
    each_device([](StressDevice& device) { device.order.store(Order::kDie, std::memory_order_relaxed); });
    const auto dead = [&](StressDevice& device) { return device.order.load(std::memory_order_acquire) == Order::kDead; };
    std::uint32_t died = 0;
    world_.await([&] {
      died = 0;
      each_device([&](StressDevice& device) { died += dead(device) ? 1 : 0; });
      // They may be waiting for their changes to be collected before they can die.
      if (control_view(storage_).state == SessionState::kSuspended) collect();
      return died == world_.options.per_system || world_.stop;
    });
    if (died == world_.options.per_system && !world_.failed) {
      entry.start_time.store(1);  // of no living process
      world_.bury = system + 1;
      world_.await([&] { return world_.buried == system + 1; });
      world_.buried = 0;
      const auto again = register_system(storage_, "HERC" + std::to_string(system));
      if (!again.good() && !world_.failed) world_.fail(again.status.text());
    }
    each_device([](StressDevice& device) { device.order.store(Order::kLive, std::memory_order_release); });
  }

  StressWorld& world_;
  CommonStorage& storage_;
  std::mt19937 random_;
};

}  // namespace

void run_operator(StressWorld& world) { Operator(world).run(); }

void run_display(StressWorld& world, std::uint32_t number) {
  CommonStorage& storage = world.storage;
  std::mt19937 random(number);
  for (std::uint32_t round = 0; !world.stop && !world.failed; ++round) {
    const StorageFacts facts = storage_display(storage);
    if (facts.freed_through > facts.control.sequence) world.fail("more is freed than numbered");
    if (facts.devices.size() < world.device_count()) world.fail("the display does not see every device");
    for (std::uint32_t system = 0; system < world.options.systems; ++system) system_heartbeat(storage, system, clock_tod());
    // Systems come and go beside those that write; a definition is repeated as dsmd does at its start.
    const std::string name = "NEW" + std::to_string(number * 4 + round % 4);
    const auto newcomer = register_system(storage, name);
    if (!newcomer.good()) world.fail(newcomer.status.text());
    if (!find_system(storage, name)) world.fail("a newcomer is not found");
    const auto volume = define_device(storage, device_definition(name, static_cast<std::uint16_t>(0xB00 + round % 8)));
    if (!volume.good()) world.fail(volume.status.text());
    if (newcomer.good()) unregister_system(storage, newcomer.value.system);
    if (!find_device(storage, "HERC0", 0xA00)) world.fail("a device is not found");
    ++world.displays;
    const std::uint64_t until = world.writes + random() % 20000, limit_us = monotonic_us() + 200'000;
    world.await([&] { return world.stop || world.writes >= until || monotonic_us() >= limit_us; });
  }
}

}  // namespace afterimage::testing
