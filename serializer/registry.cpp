// io: the tables of systems and devices.
#include "serializer/registry.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "serializer/file_lock.h"
#include "serializer/process_identity.h"
#include "serializer/shared_text.h"
#include "serializer/short_name.h"

namespace afterimage {
namespace {

std::string_view text_in(const char* field, std::size_t size) { return {field, strnlen(field, size)}; }

template <std::size_t kSize>
void copy_text(char (&field)[kSize], std::string_view text) {
  std::memset(field, 0, kSize);
  std::memcpy(field, text.data(), std::min(text.size(), kSize));
}

Status bad_name(const std::string& name) {
  return Status::error("System name '" + name + "' is not 1 to 8 characters of A-Z 0-9 @ # $, the first no digit; choose one that is.");
}

// With the lock held. The name is the last thing written of a new entry.
Result<std::uint32_t> enter_system(CommonStorage& storage, const std::string& name) {
  if (!is_short_name(name)) return failed<std::uint32_t>(bad_name(name));
  if (const auto present = find_system(storage, name)) return result_of(*present);
  for (std::uint32_t i = 0; i < storage.system_count(); ++i) {
    if (!shared_text(storage.system(i).name).empty()) continue;
    set_shared_text(storage.system(i).name, name);
    return result_of(i);
  }
  return failed<std::uint32_t>(
      Status::error("System " + name + " finds no place in common storage, which holds " + std::to_string(storage.system_count()) +
                    " systems: end the session, stop all programs and remove the storage, then start again with the systems in use."));
}

std::string process_text(std::uint32_t pid) { return "process " + std::to_string(pid); }

// The start time goes first: a pid with an older start time would look dead.
void enter_process(SystemEntry& system) {
  set_shared_text(system.product_version, AFTERIMAGE_VERSION);
  system.ended.store(0);
  system.burying.store(0);
  system.heartbeat.store(0);
  system.start_time.store(process_start_time(own_pid()));
  system.pid.store(own_pid());
}

bool same_definition(const DeviceEntry& device, const DeviceDefinition& wanted) {
  return text_in(device.volser, sizeof device.volser) == wanted.volser && device.volume == wanted.volume &&
         device.device_type == wanted.device_type && device.cylinders == wanted.cylinders && device.heads == wanted.heads &&
         device.track_bytes == wanted.track_bytes && device.tracks == wanted.tracks &&
         text_in(device.image_path, sizeof device.image_path) == wanted.image_path;
}

std::string device_text(const DeviceDefinition& wanted) {
  char number[8];
  std::snprintf(number, sizeof number, "%04X", wanted.device_number);
  return "Device " + std::string(number) + " of system " + wanted.system;
}

Status check_definition(CommonStorage& storage, const DeviceDefinition& wanted) {
  const auto bad = [&](const std::string& why) { return Status::error(device_text(wanted) + " " + why); };
  if (wanted.volser.empty() || wanted.volser.size() > 6)
    return bad("has volser '" + wanted.volser + "', not 1 to 6 characters: correct it.");
  if (wanted.image_path.empty() || wanted.image_path.size() >= sizeof(DeviceEntry::image_path))
    return bad("has an image path of " + std::to_string(wanted.image_path.size()) + " bytes; 1 to 511 can be kept: move the image.");
  if (wanted.tracks == 0 || wanted.tracks > storage.map_words() * 64)
    return bad("has " + std::to_string(wanted.tracks) + " tracks and the change maps of common storage hold 1 to " +
               std::to_string(storage.map_words() * 64) + ": make common storage anew for larger volumes.");
  if (wanted.heads == 0 || static_cast<std::uint64_t>(wanted.cylinders) * wanted.heads != wanted.tracks)
    return bad("has " + std::to_string(wanted.cylinders) + " cylinders of " + std::to_string(wanted.heads) + " tracks, which do not make " +
               std::to_string(wanted.tracks) + " tracks: correct the volume's geometry.");
  if (wanted.track_bytes == 0 || wanted.track_bytes > kMaxTrackBytes + 1)
    return bad("has tracks of " + std::to_string(wanted.track_bytes) +
               " bytes; the largest known is 65536: correct the volume's geometry.");
  return Status::ok();
}

// `state` is the last thing written of a new entry: until then it is no device.
void write_definition(DeviceEntry& device, const DeviceDefinition& wanted, std::uint32_t system) {
  copy_text(device.volser, wanted.volser);
  copy_text(device.system, wanted.system);
  copy_text(device.image_path, wanted.image_path);
  device.device_number = wanted.device_number;
  device.system_index = static_cast<std::uint16_t>(system);
  device.volume = wanted.volume;
  device.device_type = wanted.device_type;
  device.cylinders = wanted.cylinders;
  device.heads = wanted.heads;
  device.track_bytes = wanted.track_bytes;
  device.tracks = wanted.tracks;
  device.compressed.store(wanted.compressed ? 1 : 0);
  auto unused = static_cast<std::uint32_t>(DeviceState::kUnused);
  device.state.compare_exchange_strong(unused, static_cast<std::uint32_t>(DeviceState::kDefined));
}

bool is_defined(const DeviceEntry& device) { return device.state.load() != static_cast<std::uint32_t>(DeviceState::kUnused); }

// Why the entry may not be changed now, or null.
const char* use_of(const DeviceEntry& device) {
  const auto state = static_cast<DeviceState>(device.state.load());
  if (state == DeviceState::kOpen) return "is open and its definition differs: detach it before changing it.";
  if (state == DeviceState::kLost)
    return "awaits mending after its system died and its definition differs: start its system with the old definition first.";
  if (state != DeviceState::kUnused && (device.duplex.load() & kDuplex) != 0)
    return "is in a session and its definition differs: end the session before changing it.";
  return nullptr;
}

std::optional<std::uint32_t> unused_device(CommonStorage& storage) {
  for (std::uint32_t i = 0; i < storage.device_count(); ++i)
    if (storage.device(i).state.load() == static_cast<std::uint32_t>(DeviceState::kUnused)) return i;
  return std::nullopt;
}

}  // namespace

std::optional<std::uint32_t> find_system(CommonStorage& storage, std::string_view name) {
  for (std::uint32_t i = 0; i < storage.system_count(); ++i)
    if (!name.empty() && shared_text(storage.system(i).name) == name) return i;
  return std::nullopt;
}

bool system_is_alive(CommonStorage& storage, std::uint32_t system) {
  return process_alive(storage.system(system).pid.load(), storage.system(system).start_time.load());
}

Result<Registration> register_system(CommonStorage& storage, const std::string& name) {
  const auto refuse = [&](const std::string& why, Severity severity = Severity::kError) {
    return failed<Registration>(Status::error("System " + name + " " + why, severity));
  };
  const auto lock = TableLock::take(storage);
  if (!lock.good()) return {lock.status, {}};
  const auto index = enter_system(storage, name);
  if (!index.good()) return {index.status, {}};
  Registration registration;
  registration.system = index.value;
  SystemEntry& system = storage.system(index.value);
  const std::uint32_t pid = system.pid.load();
  if (pid == own_pid() && system_is_alive(storage, index.value)) return result_of(registration);
  if (pid != 0) {
    if (system_is_alive(storage, index.value))
      return refuse("is already running as " + process_text(pid) + ": give this one another name or stop that one.");
    if (mover_is_alive(storage))
      return refuse("ran as " + process_text(pid) + ", which died, and dsmd (" + process_text(storage.control().mover_pid.load()) +
                        ") is to clean up after it: try again.",
                    Severity::kWarning);
    registration.burial = bury_system(storage, index.value);
    if (system.pid.load() != 0)
      return refuse("ran as " + process_text(pid) + ", which died, and another process is cleaning up after it: try again.",
                    Severity::kWarning);
  }
  enter_process(system);
  return result_of(registration);
}

void unregister_system(CommonStorage& storage, std::uint32_t system) {
  storage.system(system).ended.store(1);
  storage.system(system).pid.store(0);
}

void system_heartbeat(CommonStorage& storage, std::uint32_t system, Tod now) {
  storage.system(system).heartbeat.store(now, std::memory_order_relaxed);
}

Status register_mover(CommonStorage& storage) {
  const auto lock = TableLock::take(storage);
  if (!lock.good()) return lock.status;
  ControlBlock& control = storage.control();
  if (mover_is_alive(storage) && control.mover_pid.load() != own_pid())
    return Status::error("Common storage " + storage.name() + " already has a mover, " + process_text(control.mover_pid.load()) +
                         ": stop it first.");
  control.mover_start_time.store(process_start_time(own_pid()));
  control.mover_pid.store(own_pid());
  return Status::ok();
}

void unregister_mover(CommonStorage& storage) { storage.control().mover_pid.store(0); }

bool mover_is_alive(CommonStorage& storage) {
  return process_alive(storage.control().mover_pid.load(), storage.control().mover_start_time.load());
}

void mover_heartbeat(CommonStorage& storage, Tod now) { storage.control().mover_heartbeat.store(now, std::memory_order_relaxed); }

Result<std::uint32_t> define_device(CommonStorage& storage, const DeviceDefinition& wanted) {
  const Status good = check_definition(storage, wanted);
  if (!good.good()) return {good, 0};
  const auto lock = TableLock::take(storage);
  if (!lock.good()) return {lock.status, 0};
  const auto system = enter_system(storage, wanted.system);
  if (!system.good()) return {system.status, 0};
  auto index = find_device(storage, wanted.system, wanted.device_number);
  if (!index) index = unused_device(storage);
  if (!index)
    return failed<std::uint32_t>(Status::error(device_text(wanted) + " finds no place in common storage, which holds " +
                                               std::to_string(storage.device_count()) + " devices: make common storage anew for more."));
  DeviceEntry& device = storage.device(*index);
  // Said again, as at every start of dsmd: nothing is written under the eyes of those who use it.
  if (is_defined(device) && same_definition(device, wanted) && (device.compressed.load() != 0) == wanted.compressed)
    return result_of(*index);
  if (const char* use = use_of(device)) {
    if (same_definition(device, wanted)) return result_of(*index);
    return failed<std::uint32_t>(Status::error(device_text(wanted) + " " + use));
  }
  write_definition(device, wanted, system.value);
  return result_of(*index);
}

std::optional<std::uint32_t> find_device(CommonStorage& storage, std::string_view system, std::uint16_t device_number) {
  for (std::uint32_t i = 0; i < storage.device_count(); ++i) {
    const DeviceEntry& device = storage.device(i);
    if (device.state.load(std::memory_order_acquire) == static_cast<std::uint32_t>(DeviceState::kUnused)) continue;
    if (device.device_number == device_number && text_in(device.system, sizeof device.system) == system) return i;
  }
  return std::nullopt;
}

}  // namespace afterimage
