// io: a thread; see tap_service.h.
#include "channel/tap_service.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>

#include "channel/tap_hold.h"
#include "channel/tap_inventory.h"
#include "channel/tap_module.h"
#include "channel/tap_open.h"
#include "channel/tap_storage.h"
#include "channel/tap_verify.h"
#include "serializer/check.h"
#include "serializer/clock.h"
#include "serializer/registry.h"
#include "serializer/state_names.h"
#include "serializer/track_map.h"

namespace afterimage {
namespace {

constexpr unsigned kTick_ms = 250;
constexpr unsigned kSlowTicks = 20;  // what need not be looked at four times a second
constexpr std::uint64_t kVerifyBudget_us = 150'000;
constexpr std::uint64_t kMoverSilent_us = 5'000'000;
constexpr unsigned kTakeWait_ms = 50;

}  // namespace

struct TapService {
  pthread_t thread{};
  bool running = false;
  std::uint64_t ticks = 0;
  std::uint64_t next_heartbeat_us = 0;
  SessionState told_state = SessionState::kInactive;
  bool told_mover_lost = false;
  TapAttachment* told_attachment = nullptr;
  std::uint64_t attached_us = 0;
  bool inventory_told = false;
};

namespace {

TapService& service() {
  TapModule& module = tap_module();
  if (!module.service) module.service = std::make_shared<TapService>();
  return *module.service;
}

std::vector<TapDevice*> open_devices() {
  const std::lock_guard lock(tap_module().mutex);
  std::vector<TapDevice*> devices;
  for (const auto& device : tap_module().devices)
    if (device->open.load()) devices.push_back(device.get());
  return devices;
}

void tell_state(CommonStorage& storage, SessionState state) {
  switch (state) {
    case SessionState::kInactive:
      tap_log("DSMC023I SESSION ENDED; WRITES ARE NOT MIRRORED");
      break;
    case SessionState::kActive:
      tap_log("DSMC023I SESSION ACTIVE; WRITES ARE MIRRORED");
      break;
    case SessionState::kFrozen:
      tap_log("DSMC023I SESSION FROZEN; WRITES ARE HELD");
      break;
    case SessionState::kSuspended:
      tap_log(std::string("DSMC023I SESSION SUSPENDED, REASON ") +
              text_of(static_cast<SuspendReason>(storage.control().suspend_reason.load())) + ", AT SEQUENCE " +
              std::to_string(storage.control().suspended_at.load()) + "; CHANGED TRACKS ARE RECORDED");
      break;
  }
}

void watch_session(TapService& own, CommonStorage& storage) {
  const SessionState state = control_view(storage).state;
  if (state != own.told_state) {
    own.told_state = state;
    tell_state(storage, state);
  }
  const std::uint64_t seen = tod_to_us(storage.control().mover_heartbeat.load());
  const bool lost = seen != 0 && state != SessionState::kInactive && tod_to_us(clock_tod()) > seen + kMoverSilent_us;
  if (lost == own.told_mover_lost) return;
  own.told_mover_lost = lost;
  tap_log(lost ? "DSMC024W NO SIGN OF LIFE FROM DSMD; WRITES ARE MIRRORED INTO THE RING UNTIL IT IS FULL" : "DSMC025I DSMD IS BACK");
}

// What a device of ours knows of its entry is refreshed here, so that a later death is told from a change by someone else.
void refresh(TapDevice& device) {
  DeviceEntry* entry = bound_entry(device);
  if (entry != nullptr && entry->flushed_sequence.load() == entry->last_sequence.load()) entry->flush_tod.store(clock_tod());
}

// Called while no channel program can run on the device.
void clear_hardened(void* argument) {
  auto& device = *static_cast<TapDevice*>(argument);
  TapAttachment* attachment = device.bound.load();
  if (attachment != nullptr) TrackMap::unhardened(*attachment->storage, device.entry_index.load() - 1).clear_all();
}

void take_in(TapDevice& device) {
  if (device.bound.load() != nullptr || device.refused) return;
  TapAttachment* attachment = tap_module().current.load();
  const auto index = find_device(*attachment->storage, tap_module().settings.system, static_cast<std::uint16_t>(device.device_number));
  if (!index) return;
  if (tap_module().host->take(device.wrapped, kTakeWait_ms) != TAP_TAKE_TAKEN) return;
  bind_device(device, BindWhen::kLater);
  tap_module().host->give(device.wrapped);
}

// A new segment took the place of ours: the device leaves the old one, where nobody reads any more.
void leave_old_segment(TapDevice& device) {
  TapAttachment* present = tap_module().current.load();
  if (device.bound.load() == nullptr || device.bound.load() == present) return;
  if (tap_module().host->take(device.wrapped, kTakeWait_ms) != TAP_TAKE_TAKEN) return;
  if (device.binding && &device.binding->attachment != present) unbind_device(device, false);
  tap_module().host->give(device.wrapped);
}

void watch_number(TapDevice& device) {
  const std::uint32_t now = tap_module().host->device_number(device.wrapped);
  if (now == 0 || now == device.device_number || !device.open.load()) return;
  tap_log("DSMC032W DEVICE " + device_text(device.device_number) + " IS NOW " + device_text(now) +
          "; ITS VOLUME STAYS IN THE SESSION UNTIL IT IS CLOSED, THEN CHANGE THE CONFIGURATION OF DSMD");
  device.device_number = now;
}

bool serve_devices(const TapService& own) {
  bool busy = false;
  const bool slow = own.ticks % kSlowTicks == 0;
  const auto devices = open_devices();
  for (TapDevice* device : devices) {
    watch_number(*device);
    leave_old_segment(*device);
    take_in(*device);
    refresh(*device);
    if (slow && device->compressed) tap_module().host->if_hardened(device->wrapped, clear_hardened, device);
    busy |= verify_some(*device, kVerifyBudget_us / std::max<std::size_t>(devices.size(), 1) + 1);
  }
  return busy;
}

bool tick(TapService& own) {
  TapModule& module = tap_module();
  ++own.ticks;
  if (module.current.load() == nullptr || own.ticks % kSlowTicks == 0) attach_storage(0);
  TapAttachment* attachment = module.current.load();
  if (attachment == nullptr) return false;
  CommonStorage& storage = *attachment->storage;
  if (monotonic_us() >= own.next_heartbeat_us) {
    system_heartbeat(storage, attachment->system_index, clock_tod());
    own.next_heartbeat_us = monotonic_us() + kHeartbeat_ms * 1000ULL / 2;
  }
  end_freeze_over_limit(*attachment);
  watch_session(own, storage);
  const bool busy = serve_devices(own);
  if (own.told_attachment != attachment) {
    own.told_attachment = attachment;
    own.attached_us = monotonic_us();
    own.inventory_told = false;
  }
  if (!own.inventory_told && monotonic_us() > own.attached_us + 2'000'000) {
    own.inventory_told = true;
    tell_unmirrored_devices();
  }
  return busy;
}

void* run(void*) {
  TapService& own = service();
  while (!tap_module().stopping.load()) {
    bool busy = false;
    try {
      busy = tick(own);
    } catch (...) {
      check_failed("no exception in the tap's thread", __FILE__, __LINE__);
    }
    for (unsigned waited = 0; !busy && waited < kTick_ms && !tap_module().stopping.load(); waited += 10) usleep(10'000);
  }
  return nullptr;
}

}  // namespace

void start_service() {
  TapService& own = service();
  own = TapService{};
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // Hercules's own threads handle its signals
  own.running = pthread_create(&own.thread, nullptr, run, nullptr) == 0;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (!own.running) tap_log("DSMC008E THE TAP'S THREAD COULD NOT BE STARTED; NOTHING IS MIRRORED");
}

void stop_service() {
  TapService& own = service();
  if (!own.running) return;
  pthread_join(own.thread, nullptr);
  own.running = false;
}

}  // namespace afterimage
